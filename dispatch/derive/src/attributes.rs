//! What stands in `#[message(..)]`.

use syn::meta::ParseNestedMeta;
use syn::{DeriveInput, Error, LitStr, Path, Result, Type};

/// The keys of `#[message(..)]`, parsed and checked against each other.
pub(crate) struct Attributes {
    pub(crate) kind: LitStr,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) reply: Type,
    pub(crate) attachment: Option<LitStr>,
    pub(crate) reply_attachment: Option<LitStr>,
    pub(crate) safe: bool,
    pub(crate) schema: bool,
    pub(crate) krate: Option<Path>,
}

/// The keys while they come in, each at most once (aliases apart).
#[derive(Default)]
struct Found {
    kind: Option<LitStr>,
    aliases: Vec<LitStr>,
    reply: Option<Type>,
    attachment: Option<LitStr>,
    reply_attachment: Option<LitStr>,
    safe: Option<()>,
    schema: Option<()>,
    krate: Option<Path>,
}

impl Attributes {
    pub(crate) fn of(input: &DeriveInput) -> Result<Self> {
        let mut found = Found::default();
        let mut place = None;
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("message")) {
            attribute.parse_nested_meta(|meta| found.take(&meta))?;
            place.get_or_insert(attribute);
        }
        // With an attribute there, the missing key belongs inside it; else the struct lacks all.
        let missing = |what: &str| match place {
            Some(attribute) => Error::new_spanned(attribute, what),
            None => Error::new_spanned(&input.ident, what),
        };
        let kind = found.kind.ok_or_else(|| {
            missing("missing `#[message(type = \"..\")]`, the message's name on the wire")
        })?;
        let reply = found.reply.ok_or_else(|| {
            missing("missing `#[message(reply = ..)]`, the type that answers this message")
        })?;
        refuse_repeats(&kind, &found.aliases)?;
        Ok(Self {
            kind,
            aliases: found.aliases,
            reply,
            attachment: found.attachment,
            reply_attachment: found.reply_attachment,
            safe: found.safe.is_some(),
            schema: found.schema.is_some(),
            krate: found.krate,
        })
    }
}

impl Found {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = &meta.path;
        if key.is_ident("type") {
            once(meta, &mut self.kind, name)
        } else if key.is_ident("alias") {
            self.aliases.push(name(meta)?);
            Ok(())
        } else if key.is_ident("reply") {
            once(meta, &mut self.reply, |meta| meta.value()?.parse())
        } else if key.is_ident("attachment") {
            once(meta, &mut self.attachment, name)
        } else if key.is_ident("reply_attachment") {
            once(meta, &mut self.reply_attachment, name)
        } else if key.is_ident("safe") {
            once(meta, &mut self.safe, |_| Ok(()))
        } else if key.is_ident("schema") {
            once(meta, &mut self.schema, |_| Ok(()))
        } else if key.is_ident("crate") {
            once(meta, &mut self.krate, |meta| {
                meta.value()?.call(Path::parse_mod_style)
            })
        } else {
            Err(meta
                .error("unknown key, expected `type`, `alias`, `reply`, `attachment`, `reply_attachment`, `safe`, `schema` or `crate`"))
        }
    }
}

fn once<T>(
    meta: &ParseNestedMeta<'_>,
    place: &mut Option<T>,
    parse: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if place.is_some() {
        return Err(meta.error("this key stands here twice"));
    }
    *place = Some(parse(meta)?);
    Ok(())
}

fn name(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    if text.value().is_empty() {
        return Err(Error::new(text.span(), "a name cannot be empty"));
    }
    Ok(text)
}

fn refuse_repeats(kind: &LitStr, aliases: &[LitStr]) -> Result<()> {
    for (at, alias) in aliases.iter().enumerate() {
        let text = alias.value();
        if text == kind.value() || aliases[..at].iter().any(|earlier| earlier.value() == text) {
            let what = format!("`{text}` is a name of this message already");
            return Err(Error::new(alias.span(), what));
        }
    }
    Ok(())
}
