//! The models of a program, as one schema.

use std::future::Future;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::migrate::migrations::Migrations;
use crate::migrate::plan;
use crate::migrate::render::statements;
use crate::migrate::source::{Embedded, Source};
use crate::migrate::step::Step;
use crate::model::Model;
use crate::schema::shape::Table;
use crate::schema::{Report, compare};
use crate::statement::{Kind, Statement};
use crate::table;

/// The models whose tables belong together.
#[derive(Clone, Debug, Default)]
#[must_use = "models do nothing until something is done with them"]
pub struct Models {
    tables: Vec<&'static table::Table>,
}

impl Models {
    /// No model yet.
    pub const fn new() -> Self {
        Self { tables: Vec::new() }
    }

    /// These and another one.
    pub fn add<M: Model>(mut self) -> Self {
        if !self
            .tables
            .iter()
            .any(|table| table.name() == M::TABLE.name())
        {
            self.tables.push(M::TABLE);
        }
        self
    }

    /// With the migrations in a folder, which has a folder in it for each database: `sqlite`, `postgres`, `mysql`.
    pub fn folder(self, path: impl Into<PathBuf>) -> Migrations {
        Migrations::new(self, Source::Folder(path.into()))
    }

    /// With the migrations that stand in the program.
    pub fn embedded(self, embedded: Embedded) -> Migrations {
        Migrations::new(self, Source::Embedded(embedded))
    }

    /// Compares the models with the tables of a database. It changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever the database refuses; a table that differs is no error.
    pub async fn check(&self, mut db: impl Executor) -> Result<Report> {
        compare(&self.shapes(), &mut db).await
    }

    /// Creates the tables that are not there, those that others refer to first. Migrations are the way to change them.
    ///
    /// Tables that refer to each other in a circle are created here once: on PostgreSQL and MySQL the reference that
    /// closes the circle is a statement of its own, which is refused a second time.
    ///
    /// # Errors
    ///
    /// As [`ModelExt::create_table`](crate::ModelExt::create_table); [`Error::Configuration`] where a model refers to one
    /// that is not among these.
    #[track_caller]
    pub fn create<E: Executor>(&self, mut db: E) -> impl Future<Output = Result<()>> + Send {
        let location = Location::caller();
        let statements = self.rendered(db.dialect(), location);
        async move {
            for statement in statements? {
                db.exec(&statement, ()).await?;
            }
            Ok(())
        }
    }

    fn rendered(
        &self,
        dialect: Dialect,
        location: &'static Location<'static>,
    ) -> Result<Vec<Statement>> {
        let shapes = self.shapes();
        for table in &shapes {
            for key in &table.foreign_keys {
                if shapes.iter().all(|other| other.name != key.table) {
                    return Err(Error::Configuration {
                        reason: format!(
                            "table {} refers to table {}, whose model is not among these",
                            table.name, key.table
                        ),
                    });
                }
            }
        }
        let shapes: Vec<&Table> = shapes.iter().collect();
        Ok(plan::create(dialect, &shapes)
            .iter()
            .flat_map(|step| match step {
                Step::Create(table) => dialect.create_table(table, " IF NOT EXISTS"),
                step => statements(dialect, step),
            })
            .map(|sql| Statement::rendered(Kind::Schema, None, Arc::from(sql), location))
            .collect())
    }

    pub(super) fn shapes(&self) -> Vec<Table> {
        self.tables.iter().map(|&table| table.into()).collect()
    }
}
