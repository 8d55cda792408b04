//! The schema as TypeScript declarations.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::schema::Schema;

/// Names that are taken in a module of declarations.
const TAKEN: [&str; 3] = ["Messages", "Pushes", "Record"];

/// What the declarations begin with.
const HEAD: &str = "// Made from the schema of a server. Numbers beyond 2^53 lose their last digits in JavaScript.\n";

/// Writes the declarations: each type once, then the tables of messages and of pushes.
pub(super) fn declarations(schema: &Schema) -> String {
    let mut types = Declared::default();
    let mut messages = String::new();
    for (name, message) in &schema.messages {
        comment(&mut messages, 1, message.description.as_deref());
        let mut root = |schema| match schema {
            Some(schema) => types.root(schema),
            None => "unknown".to_owned(),
        };
        writeln!(
            messages,
            "  {}: {{ message: {}; reply: {}; upload: {}; download: {} }};",
            quoted(name),
            root(message.message.as_ref()),
            root(message.reply.as_ref()),
            field(message.attachment.as_deref()),
            field(message.reply_attachment.as_deref()),
        )
        .expect(INTO_A_STRING);
    }
    let mut pushes = String::new();
    for (name, push) in &schema.pushes {
        comment(&mut pushes, 1, push.description.as_deref());
        let data = push.data.as_ref().map(|schema| types.root(schema));
        let data = data.as_deref().unwrap_or("unknown");
        writeln!(pushes, "  {}: {data};", quoted(name)).expect(INTO_A_STRING);
    }
    let mut out = HEAD.to_owned();
    for declared in types.by_name.into_values() {
        out.push('\n');
        out.push_str(&declared.text);
    }
    write!(
        out,
        "\n/** Every message, by its type. `upload` and `download` name the field with the size of the attachment. */\
         \nexport interface Messages {{\n{messages}}}\n\
         \n/** What the server sends unasked, by its type. */\
         \nexport interface Pushes {{\n{pushes}}}\n",
    )
    .expect(INTO_A_STRING);
    out
}

const INTO_A_STRING: &str = "writing into a string does not fail";

/// The types that have a name.
#[derive(Default)]
struct Declared {
    by_name: BTreeMap<String, Type>,
}

struct Type {
    /// The schema and all that it refers to: two of one name are the same type if this is the same.
    whole: Value,
    text: String,
}

/// The names that the definitions of one schema have among the declarations.
struct Scope<'a> {
    /// The schema as a whole, which a part of it may be again.
    root: &'a Value,
    definitions: Option<&'a Map<String, Value>>,
}

impl Declared {
    /// How a schema that stands alone is called, or what it is if it has no name to call it by.
    fn root(&mut self, schema: &Value) -> String {
        let definitions = schema.get("$defs").and_then(Value::as_object);
        let scope = Scope {
            root: schema,
            definitions,
        };
        let title = schema.get("title").and_then(Value::as_str);
        match title.filter(|title| is_name(title) && !is_scalar(schema)) {
            Some(title) => self.named(title, schema, &scope),
            None => self.type_of(schema, &scope, 0),
        }
    }

    /// Declares a type, if it is not declared yet, and gives its name: a number is added where
    /// another type has it.
    fn named(&mut self, wanted: &str, schema: &Value, scope: &Scope<'_>) -> String {
        let whole = scope.whole(schema);
        let mut name = wanted.to_owned();
        for number in 2.. {
            match self.by_name.get(&name) {
                Some(declared) if declared.whole == whole => return name,
                None if !TAKEN.contains(&&*name) => break,
                _ => name = format!("{wanted}{number}"),
            }
        }
        // It is there before what it refers to is looked at, which may be itself.
        let text = String::new();
        self.by_name.insert(name.clone(), Type { whole, text });
        let description = schema.get("description").and_then(Value::as_str);
        let mut text = String::new();
        comment(&mut text, 0, description);
        let is = self.type_of(schema, scope, 0);
        // Only what is nothing but an object may be an interface, which reads better in messages of
        // the compiler.
        let declared = match is_braced(&is) {
            true => writeln!(text, "export interface {name} {is}"),
            false => writeln!(text, "export type {name} = {is};"),
        };
        declared.expect(INTO_A_STRING);
        if let Some(declared) = self.by_name.get_mut(&name) {
            declared.text = text;
        }
        name
    }

    fn type_of(&mut self, schema: &Value, scope: &Scope<'_>, depth: usize) -> String {
        let Some(schema) = schema.as_object() else {
            // `true` is anything, `false` nothing.
            let is_never = schema == &Value::Bool(false);
            return if is_never { "never" } else { "unknown" }.to_owned();
        };
        let mut all = Vec::new();
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            all.push(self.referred(reference, scope));
        }
        if let Some(value) = schema.get("const") {
            all.push(value.to_string());
        } else if let Some(Value::Array(values)) = schema.get("enum") {
            all.push(union(values.iter().map(Value::to_string).collect()));
        } else if let Some(types) = schema.get("type") {
            all.push(self.by_type(types, schema, scope, depth));
        } else if schema.contains_key("properties") {
            all.push(self.object(schema, scope, depth));
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(Value::Array(some)) = schema.get(key) {
                let some = some.iter().map(|one| self.type_of(one, scope, depth));
                let some = union(some.collect());
                // An object that says nothing but its alternatives is one of them.
                all.retain(|one| one != ANY_OBJECT && one != NO_FIELDS);
                all.push(some);
            }
        }
        if let Some(Value::Array(every)) = schema.get("allOf") {
            all.extend(every.iter().map(|one| self.type_of(one, scope, depth)));
        }
        // An alternative that only says which fields must be there says nothing in TypeScript.
        all.retain(|one| one != "unknown");
        match &*all {
            [] => "unknown".to_owned(),
            [one] => one.clone(),
            _ => {
                let all: Vec<_> = all.iter().map(|one| within(one)).collect();
                all.join(" & ")
            }
        }
    }

    fn by_type(
        &mut self,
        types: &Value,
        schema: &Map<String, Value>,
        scope: &Scope<'_>,
        depth: usize,
    ) -> String {
        let mut one = |name: &str| match name {
            "array" => self.array(schema, scope, depth),
            "boolean" | "null" | "string" => name.to_owned(),
            "integer" | "number" => "number".to_owned(),
            "object" => self.object(schema, scope, depth),
            _ => "unknown".to_owned(),
        };
        match types {
            Value::String(name) => one(name),
            Value::Array(names) => {
                let names = names.iter().filter_map(Value::as_str);
                union(names.map(one).collect())
            }
            _ => "unknown".to_owned(),
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, scope: &Scope<'_>, depth: usize) -> String {
        let items = schema.get("items");
        if let Some(Value::Array(first)) = schema.get("prefixItems") {
            let first = first.iter().map(|one| self.type_of(one, scope, depth));
            let mut first: Vec<_> = first.collect();
            let count = u64::try_from(first.len()).unwrap_or(u64::MAX);
            let most = schema.get("maxItems").and_then(Value::as_u64);
            if items != Some(&Value::Bool(false)) && most.is_none_or(|most| most > count) {
                let rest =
                    items.map_or("unknown".to_owned(), |one| self.type_of(one, scope, depth));
                first.push(format!("...{}[]", within(&rest)));
            }
            return format!("[{}]", first.join(", "));
        }
        let item = items.map_or("unknown".to_owned(), |one| self.type_of(one, scope, depth));
        format!("{}[]", within(&item))
    }

    fn object(&mut self, schema: &Map<String, Value>, scope: &Scope<'_>, depth: usize) -> String {
        let others = schema.get("additionalProperties");
        let properties = schema.get("properties").and_then(Value::as_object);
        let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
            return match others {
                Some(Value::Bool(false)) => NO_FIELDS.to_owned(),
                None if properties.is_some() || schema.contains_key("title") => {
                    NO_FIELDS.to_owned()
                }
                None => ANY_OBJECT.to_owned(),
                Some(values) => {
                    format!("Record<string, {}>", self.type_of(values, scope, depth))
                }
            };
        };
        // By name, since the map's own order hangs on a feature of serde_json that any crate may
        // switch on.
        let mut properties: Vec<_> = properties.iter().collect();
        properties.sort_by_key(|(name, _)| *name);
        let required = schema.get("required").and_then(Value::as_array);
        let mut out = "{\n".to_owned();
        for (name, property) in properties {
            let description = property.get("description").and_then(Value::as_str);
            comment(&mut out, depth + 1, description);
            let is_required = required
                .is_some_and(|required| required.iter().any(|one| one.as_str() == Some(name)));
            let key = match is_name(name) {
                true => name.clone(),
                false => quoted(name),
            };
            let optional = if is_required { "" } else { "?" };
            let is = self.type_of(property, scope, depth + 1);
            let indent = "  ".repeat(depth + 1);
            writeln!(out, "{indent}{key}{optional}: {is};").expect(INTO_A_STRING);
        }
        out.push_str(&"  ".repeat(depth));
        out.push('}');
        out
    }

    fn referred(&mut self, reference: &str, scope: &Scope<'_>) -> String {
        let Some((name, schema)) = scope.find(reference) else {
            return "unknown".to_owned();
        };
        match is_name(name) {
            true => self.named(name, schema, scope),
            // Such a name is made of a generic one's parts, `Page_for_Movie` say, or is a path.
            false => {
                let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
                self.named(&format!("T{name}"), schema, scope)
            }
        }
    }
}

/// An object of which nothing is known.
const ANY_OBJECT: &str = "Record<string, unknown>";

/// An object that has nothing in it.
const NO_FIELDS: &str = "Record<string, never>";

impl<'a> Scope<'a> {
    fn find(&self, reference: &str) -> Option<(&'a str, &'a Value)> {
        if reference == "#" {
            return Some((self.root.get("title")?.as_str()?, self.root));
        }
        let name = reference.strip_prefix("#/$defs/")?;
        let (name, schema) = self.definitions?.get_key_value(name)?;
        Some((name, schema))
    }

    /// A schema with everything that it refers to, and that refers to.
    fn whole(&self, schema: &Value) -> Value {
        let mut found = Map::new();
        let mut ahead = vec![schema];
        while let Some(next) = ahead.pop() {
            match next {
                Value::Object(object) => {
                    if let Some(reference) = object.get("$ref").and_then(Value::as_str)
                        && let Some((name, definition)) = self.find(reference)
                        && found.insert(name.to_owned(), definition.clone()).is_none()
                    {
                        ahead.push(definition);
                    }
                    ahead.extend(
                        object
                            .iter()
                            .filter(|(key, _)| *key != "$defs")
                            .map(|(_, value)| value),
                    );
                }
                Value::Array(array) => ahead.extend(array),
                _ => {}
            }
        }
        let mut own = schema.clone();
        if let Some(own) = own.as_object_mut() {
            // A definition has neither, where the same type as a root has both.
            own.remove("$defs");
            own.remove("title");
        }
        Value::Array(vec![own, Value::Object(found)])
    }
}

/// A type as an operand of `&` or `[]`.
fn within(one: &str) -> String {
    match one.contains(" | ") || one.contains(" & ") {
        true => format!("({one})"),
        false => one.to_owned(),
    }
}

/// One of several, each once.
fn union(mut some: Vec<String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    some.retain(|one| {
        let is_new = !seen.contains(one);
        seen.push(one.clone());
        is_new
    });
    match &*some {
        [] => "never".to_owned(),
        some if some.iter().any(|one| one == "unknown") => "unknown".to_owned(),
        _ => some.join(" | "),
    }
}

/// Whether it is nothing but one pair of braces and what is in it.
fn is_braced(is: &str) -> bool {
    is.starts_with('{') && is.lines().filter(|line| line.starts_with('}')).count() == 1
}

/// Whether it is a type that has a name in TypeScript.
fn is_scalar(schema: &Value) -> bool {
    let is = schema.get("type").and_then(Value::as_str);
    let has_values = schema.get("enum").is_some() || schema.get("const").is_some();
    !has_values && is.is_some_and(|is| !matches!(is, "array" | "object"))
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A string of TypeScript, which is one of JSON.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn field(name: Option<&str>) -> String {
    name.map_or_else(|| "false".to_owned(), quoted)
}

fn comment(out: &mut String, depth: usize, text: Option<&str>) {
    let Some(text) = text else { return };
    let indent = "  ".repeat(depth);
    // Nothing in a description may end the comment.
    let text = text.replace("*/", "* /");
    let lines: Vec<&str> = text.lines().collect();
    match &*lines {
        [] => {}
        [line] => writeln!(out, "{indent}/** {line} */").expect(INTO_A_STRING),
        lines => {
            writeln!(out, "{indent}/**").expect(INTO_A_STRING);
            for line in lines {
                let line = format!("{indent} * {line}");
                writeln!(out, "{}", line.trim_end()).expect(INTO_A_STRING);
            }
            writeln!(out, "{indent} */").expect(INTO_A_STRING);
        }
    }
}
