//! The next migration: from the snapshot beside the last one to the models, as files to review.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::dialect::Dialect;
use crate::migrate::error::{Error, Result};
use crate::migrate::name::{FileName, folder};
use crate::migrate::plan::{Rename, plan};
use crate::migrate::render::statements;
use crate::migrate::step::Step;
use crate::schema::shape::Table;

/// Beside the folders of the dialects: the tables after the last migration.
const SNAPSHOT: &str = "schema.json";

/// What to make, and what it may do. A `&str` is one that may do nothing unusual.
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it is made"]
pub struct Make {
    name: String,
    allow_loss: bool,
    dialects: Option<Vec<Dialect>>,
    renames: Vec<Rename>,
}

impl Make {
    /// A migration of this name: letters, digits and `_`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            allow_loss: false,
            dialects: None,
            renames: Vec::new(),
        }
    }

    /// It may drop tables and columns, and make types narrower. Without this, what loses data is refused.
    pub fn allow_loss(mut self) -> Self {
        self.allow_loss = true;
        self
    }

    /// For these databases. Otherwise for those that have a folder, and for all where none has.
    pub fn dialects(mut self, dialects: impl IntoIterator<Item = Dialect>) -> Self {
        self.dialects = Some(dialects.into_iter().collect());
        self
    }

    /// A column has another name now, and its values stay. As `#[model(was = "..")]` at the field.
    pub fn rename_column(
        mut self,
        table: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Self {
        self.renames.push(Rename::Column {
            table: table.into(),
            from: from.into(),
            to: to.into(),
        });
        self
    }

    /// A table has another name now, and its rows stay. As `#[model(was = "..")]` at the struct.
    pub fn rename_table(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.renames.push(Rename::Table {
            from: from.into(),
            to: to.into(),
        });
        self
    }
}

impl From<&str> for Make {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Make {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// What was made. Its `Display` is for a terminal.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Made {
    /// Files, to be reviewed before they are applied.
    Files {
        /// Each file that was written.
        files: Vec<PathBuf>,
        /// What going up loses, in words; empty unless it was allowed.
        losses: Vec<String>,
    },
    /// Nothing: the models are as the last migration left them.
    Nothing,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => {
                f.write_str("nothing has changed: the models are as the last migration left them")
            }
            Self::Files { files, losses } => {
                f.write_str("made, to be reviewed:")?;
                for file in files {
                    write!(f, "\n- {}", file.display())?;
                }
                for loss in losses {
                    write!(f, "\nloses data: {loss}")?;
                }
                Ok(())
            }
        }
    }
}

/// Makes the files of a migration.
pub(super) fn make(root: &Path, models: &[Table], make: &Make) -> Result<Made> {
    let refused = |reason: &str| Error::Refused {
        reasons: vec![reason.to_owned()],
    };
    if make.name.is_empty() || !make.name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(refused("a name has letters, digits and `_`"));
    }
    let last = last_number(root)?;
    let old = match snapshot(root)? {
        Some(old) => old,
        None if last == 0 => Vec::new(),
        None => {
            return Err(refused(
                "there are migrations but no schema.json: write one with `snapshot` while the models are as the last \
                 migration left them",
            ));
        }
    };
    if sorted(&old) == sorted(models) {
        return Ok(Made::Nothing);
    }
    let number = last + 1;
    let renames = renames(models, &make.renames);
    let mut contents = Vec::new();
    let mut losses = Vec::new();
    for dialect in dialects(root, make) {
        let steps =
            plan(dialect, &old, models, &renames).map_err(|reasons| Error::Refused { reasons })?;
        losses = steps.iter().flat_map(Step::losses).collect();
        contents.extend(files(dialect, number, &make.name, &steps));
    }
    if !losses.is_empty() && !make.allow_loss {
        return Err(Error::Refused {
            reasons: losses
                .iter()
                .map(|loss| format!("it {loss}, which loses data: allow that if it is meant, or declare a rename"))
                .collect(),
        });
    }
    let mut files = Vec::with_capacity(contents.len());
    let written = write_all(root, contents, &mut files).and_then(|()| write_snapshot(root, models));
    if let Err(error) = written {
        // A part of a migration would be taken for one. What cannot be removed was hardly written.
        for file in files {
            let _ = fs::remove_file(file);
        }
        return Err(error);
    }
    Ok(Made::Files { files, losses })
}

/// Writes new files; lists each as soon as it is there, whatever comes of the rest.
fn write_all(
    root: &Path,
    contents: Vec<(PathBuf, String)>,
    files: &mut Vec<PathBuf>,
) -> Result<()> {
    for (path, text) in contents {
        let path = root.join(path);
        let mut file = create_new(&path)?;
        files.push(path.clone());
        file.write_all(text.as_bytes()).map_err(io(&path))?;
    }
    Ok(())
}

/// Writes the models as they are beside the migrations, as the state after the last one.
pub(super) fn write_snapshot(root: &Path, models: &[Table]) -> Result<()> {
    let path = root.join(SNAPSHOT);
    let mut text = serde_json::to_string_pretty(models).map_err(|source| Error::Snapshot {
        path: path.clone(),
        source,
    })?;
    text.push('\n');
    // Whole or not at all.
    let beside = path.with_extension("json.new");
    fs::create_dir_all(root).map_err(io(root))?;
    fs::write(&beside, text).map_err(io(&beside))?;
    fs::rename(&beside, &path).map_err(io(&path))
}

fn snapshot(root: &Path) -> Result<Option<Vec<Table>>> {
    let path = root.join(SNAPSHOT);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(io(&path))?,
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|source| Error::Snapshot { path, source })
}

/// The highest number in any folder; 0 where there is none.
fn last_number(root: &Path) -> Result<i64> {
    let mut last = 0;
    for dialect in [Dialect::MySql, Dialect::Postgres, Dialect::Sqlite] {
        let path = root.join(folder(dialect));
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(io(&path))?,
        };
        for entry in entries {
            let entry = entry.map_err(io(&path))?;
            let name = entry.file_name();
            if let Some(name) = name.to_str().and_then(FileName::parse) {
                last = last.max(name.number(dialect));
            }
        }
    }
    Ok(last)
}

fn dialects(root: &Path, make: &Make) -> Vec<Dialect> {
    let all = [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql];
    if let Some(dialects) = &make.dialects {
        return dialects.clone();
    }
    let there: Vec<Dialect> = all
        .into_iter()
        .filter(|&dialect| root.join(folder(dialect)).is_dir())
        .collect();
    if there.is_empty() {
        all.to_vec()
    } else {
        there
    }
}

/// What the models say of their former names, and what was said beside them. Tables come first.
fn renames(models: &[Table], said: &[Rename]) -> Vec<Rename> {
    let mut renames = said.to_vec();
    for table in models {
        renames.extend(table.was.iter().map(|was| Rename::Table {
            from: was.clone(),
            to: table.name.clone(),
        }));
        for column in &table.columns {
            renames.extend(column.was.iter().map(|was| Rename::Column {
                table: table.name.clone(),
                from: was.clone(),
                to: column.name.clone(),
            }));
        }
    }
    renames.sort_by_key(|rename| matches!(rename, Rename::Column { .. }));
    renames
}

/// The order in which things are declared means nothing to a database.
fn sorted(tables: &[Table]) -> Vec<Table> {
    let mut tables = tables.to_vec();
    for table in &mut tables {
        table.was = None;
        table
            .columns
            .iter_mut()
            .for_each(|column| column.was = None);
        table.columns.sort_by(|a, b| a.name.cmp(&b.name));
        table.uniques.sort_by(|a, b| a.name.cmp(&b.name));
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        table.foreign_keys.sort_by(|a, b| a.name.cmp(&b.name));
        table.checks.sort_by(|a, b| a.name.cmp(&b.name));
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

/// One file up and one down; on MySQL a pair for each step, since a statement that breaks off there stays half done.
fn files(dialect: Dialect, number: i64, name: &str, steps: &[Step]) -> Vec<(PathBuf, String)> {
    let mut pairs: Vec<(Text, Text)> = steps
        .iter()
        .map(|step| {
            let undo = step.undo();
            (
                Text::of(dialect, Some(step), step.losses()),
                Text::of(
                    dialect,
                    undo.as_ref(),
                    undo.iter()
                        .flat_map(|undo| [undo.losses(), undo.guesses()].concat())
                        .collect(),
                ),
            )
        })
        .filter(|(up, down)| !up.statements.is_empty() || !down.statements.is_empty())
        .collect();
    if dialect != Dialect::MySql {
        let up = pairs.iter().map(|(up, _)| up);
        let down = pairs.iter().rev().map(|(_, down)| down);
        pairs = vec![(Text::joined(up), Text::joined(down))];
    } else if pairs.is_empty() {
        pairs.push(Default::default());
    }
    let mut files = Vec::with_capacity(2 * pairs.len());
    for (step, (up, down)) in (1..).zip(pairs) {
        let stem = FileName::stem(dialect, number, step, name);
        for (way, text) in [("up", up), ("down", down)] {
            let path = Path::new(folder(dialect)).join(format!("{stem}.{way}.sql"));
            files.push((path, text.render()));
        }
    }
    files
}

/// What stands in a file.
#[derive(Clone, Default)]
struct Text {
    remarks: Vec<String>,
    statements: Vec<String>,
}

impl Text {
    fn of(dialect: Dialect, step: Option<&Step>, losses: Vec<String>) -> Self {
        let statements: Vec<String> = step
            .iter()
            .flat_map(|step| statements(dialect, step))
            .collect();
        let mut remarks = losses
            .into_iter()
            .map(|loss| format!("-- LOSES DATA: {loss}.\n"))
            .collect::<Vec<_>>();
        if statements
            .iter()
            .any(|sql| sql.starts_with("CREATE TABLE \"_new_"))
        {
            remarks.push(
                "-- The table is built anew, which wants foreign keys to be off, as they are where this crate applies it.\n\
                 -- Triggers on it, which no model declares, are to be created again.\n"
                    .to_owned(),
            );
        }
        Self {
            remarks,
            statements,
        }
    }

    fn joined<'t>(parts: impl Iterator<Item = &'t Self>) -> Self {
        let mut joined = Self::default();
        for part in parts {
            joined.remarks.extend(part.remarks.iter().cloned());
            joined.statements.extend(part.statements.iter().cloned());
        }
        joined.remarks.dedup();
        joined
    }

    fn render(self) -> String {
        let mut text = self.remarks.concat();
        if self.statements.is_empty() {
            // A file of comments alone is no statement to MySQL.
            text.push_str("-- There is nothing to do on this database.\nSELECT 1;\n");
        }
        for statement in self.statements {
            text.push_str(&statement);
            text.push_str(";\n");
        }
        text
    }
}

fn create_new(path: &Path) -> Result<fs::File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io(folder))?;
    }
    fs::File::create_new(path).map_err(io(path))
}

pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}
