//! Everything for one tenant: rows of a table with a tenant column are read and written for it alone.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::codec::{Params, Sink, sealed};
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::field::Field;
use crate::shared::Shared;
use crate::statement::Statement;
use crate::table::{ColumnDef, SqlType};
use crate::tenant::TenantId;
use crate::value::{List, Value};

/// Runs statements for one tenant.
///
/// Every statement that this crate builds is held to the tenant wherever it names a table with a `#[model(tenant)]`
/// column: joined tables, sub-selects and relations too. A row that is inserted becomes the tenant's, and gets its
/// value into the struct. Without such a wrapper, these tables can be neither read nor written.
///
/// ```
/// use packetboat_orm::{DbPool, Error, Model, ModelExt, Result, Tenant};
///
/// #[derive(Model)]
/// struct Invoice { id: i64, #[model(tenant)] company: i64, total: i64 }
///
/// type Db = Tenant<DbPool>;
///
/// async fn bill(db: &Db, total: i64) -> Result<Vec<Invoice>> {
///     Invoice { id: 0, company: 0, total }.insert(db).await?;
///     Invoice::select().all(db).await
/// }
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let pool = DbPool::from(packetboat_orm::sqlite::open(folder.path().join("db")).await?);
/// # Invoice::create_table(&pool).await?;
///
/// let (acme, shop) = (Tenant::new(pool.clone(), 1_i64), Tenant::new(pool.clone(), 2_i64));
/// bill(&acme, 10).await?;
/// assert_eq!(bill(&shop, 20).await?.len(), 1);
/// // For nobody in particular there is nothing.
/// assert!(matches!(Invoice::select().all(&pool).await, Err(Error::NoTenant { .. })));
/// # Ok(()) }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
///
/// Tables without such a column are everybody's, and are read and written as without it. Raw SQL, also as a part of a
/// condition, is refused with [`Error::RawInTenant`], unless it says that it keeps to the tenant by itself:
/// [`Sql::unscoped`](crate::Sql::unscoped), [`Statement::unscoped`].
///
/// One around another is refused where the two differ, with [`Error::OtherTenant`].
#[derive(Clone, Debug)]
pub struct Tenant<E> {
    inner: E,
    /// `None` for a value that is nobody's, with which every table of tenants is refused.
    id: Option<TenantId>,
}

impl<E> Tenant<E> {
    /// Around an executor, for the tenant whose columns hold this value: an integer, a text or a UUID, or a
    /// [newtype](derive@crate::Field) of one.
    ///
    /// An unset value (0, `""`, nil) is nobody's: with it, what belongs to tenants is refused with
    /// [`Error::NoTenant`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an id is given, `Tenant::new(db, 7)`, not lent"
    )]
    pub fn new<F: Field>(inner: E, id: F) -> Self {
        const {
            let kept = matches!(
                F::TYPE,
                SqlType::I16 | SqlType::I32 | SqlType::I64 | SqlType::Text | SqlType::Uuid
            );
            assert!(kept, "a tenant is an integer, a text or a UUID");
        }
        let id = Value::of(ColumnDef::UNNAMED, &id).to_tenant();
        let id = id.filter(|id| !id.is_unset());
        Self { inner, id }
    }

    /// What is wrapped, which works for nobody.
    pub const fn inner(&self) -> &E {
        &self.inner
    }

    /// The same tenant around another executor.
    pub(super) fn around<F>(&self, inner: F) -> Tenant<F> {
        Tenant {
            inner,
            id: self.id.clone(),
        }
    }
}

impl<E: Executor> Executor for Tenant<E> {
    type Tx = Tenant<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let tx = self.inner.enter().await?;
        Ok(self.around(tx))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        if statement.is_raw() {
            return Err(Error::RawInTenant);
        }
        let params = Scoped {
            params,
            id: self.id.as_ref(),
            table: statement.table_name(),
        };
        self.inner.run(statement, params, out).await
    }
}

impl<E: Finish> Finish for Tenant<E> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

impl<E: Shared> Shared for Tenant<E> {}

/// Values that are bound for a tenant. They carry it through whatever wrappers stand between this one and the driver.
struct Scoped<'i, P> {
    params: P,
    id: Option<&'i TenantId>,
    table: &'static str,
}

impl<P: Params> Params for Scoped<'_, P> {
    fn bind<S: Sink>(&self, sink: &mut S) -> Result<()> {
        // Another one is around this, which says the same or else.
        if sink.tenant().is_some_and(|other| Some(other) != self.id) {
            return Err(Error::OtherTenant { table: self.table });
        }
        self.params.bind(&mut ScopedSink { sink, id: self.id })
    }
}

/// A sink that knows for whom it takes values.
struct ScopedSink<'s, S> {
    sink: &'s mut S,
    id: Option<&'s TenantId>,
}

impl<S> sealed::Sealed for ScopedSink<'_, S> {}

macro_rules! forward {
    ($($method:ident($ty:ty);)+) => {$(
        fn $method(&mut self, column: &ColumnDef, value: $ty) -> Result<()> {
            self.sink.$method(column, value)
        }
    )+};
}

impl<S: Sink> Sink for ScopedSink<'_, S> {
    fn reserve(&mut self, additional: usize) {
        self.sink.reserve(additional);
    }

    forward! {
        null(SqlType);
        bool(bool);
        i16(i16);
        i32(i32);
        i64(i64);
        u64(u64);
        f32(f32);
        f64(f64);
        text(&str);
        bytes(&[u8]);
        datetime(DateTime<Utc>);
        naive_datetime(NaiveDateTime);
        date(NaiveDate);
        uuid(Uuid);
        decimal(Decimal);
        json(&str);
        list(&List);
    }

    fn by_column(&mut self, columns: usize) {
        self.sink.by_column(columns);
    }

    fn tenant(&self) -> Option<&TenantId> {
        self.id
    }

    #[cfg(feature = "postgres")]
    fn as_postgres(&mut self) -> Option<&mut sqlx::postgres::PgArguments> {
        self.sink.as_postgres()
    }

    #[cfg(feature = "mysql")]
    fn as_mysql(&mut self) -> Option<&mut sqlx::mysql::MySqlArguments> {
        self.sink.as_mysql()
    }
}
