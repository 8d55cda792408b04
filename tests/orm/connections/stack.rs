//! All wrappers around each other, in any order, inside and outside of transactions, in tasks.

use packetboat_orm::{
    Counted, DbPool, Error, Executor, Model, ModelExt, Pooled, Result, Routed, Router, Tenant,
    TenantName, TenantPool, Tenants, Traced, UnitOfWork, Using, retry, transaction,
};

use crate::common::bed::Bed;
use crate::common::models::{Author, authors, names};

/// A row of one company, whose database others may share.
#[derive(Clone, Debug, PartialEq, Model)]
struct Invoice {
    id: i64,
    #[model(tenant)]
    company: i64,
    total: i64,
}

/// As an application names its stack, once.
type Db<P> = Traced<Counted<Tenant<Routed<TenantPool<P>>>>>;

/// The executor of one request.
async fn request<B: Bed>(bed: &B) -> Db<B::Pool> {
    let url = bed.url().to_owned();
    let tenants = Tenants::new(move |_| B::connect(url.clone()));
    let acme = TenantName::new("acme").expect("a good name");
    let pool = tenants.get(&acme).await.expect("a tenant");
    let router = Router::new("default", pool.clone()).reader("replica", pool);
    let db = Tenant::new(router.scope(), 7_i64);
    Traced::new(Counted::new(db).refuse_repeats(50))
}

/// What a handler does: it knows of no wrapper, and takes the executor by reference.
async fn handle(db: impl Executor + Clone, name: &str) -> Result<u64> {
    if !names(db.clone()).await.is_empty() {
        return Err(Error::NotFound { table: "nothing" });
    }
    retry(db.clone(), async |tx| {
        Author::new(name).insert(&mut *tx).await?;
        transaction(tx, async |nested| {
            Author::new("beside").insert(nested).await
        })
        .await
    })
    .await?;
    Author::select().count(db).await
}

async fn all_wrappers_stack_in_a_task(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let db = request(&bed).await;
    let queries = db.inner().clone();
    let task = tokio::spawn(async move { handle(&db, "ann").await.map(|count| (count, db)) });
    let (count, db) = task.await.expect("no panic").expect("a request");
    assert_eq!((count, queries.queries()), (2, 4));
    assert_eq!(names(bed.db()).await, ["ann", "beside"]);
    assert_eq!(names(db.using("replica")).await, ["ann", "beside"]);
    let refused = Author::select().count(db.using("other")).await;
    assert!(
        matches!(refused, Err(Error::UnknownDatabase { .. })),
        "{refused:?}"
    );
}

async fn a_unit_of_work_goes_below_or_above_any(bed: impl Bed) {
    async fn work(mut db: impl Executor, name: &str) -> Result<u64> {
        Author::select().count(&mut db).await?;
        transaction(&mut db, async |tx| Author::new(name).insert(tx).await).await?;
        Author::select().count(db).await
    }
    async fn above(db: impl Pooled, name: &str) -> Result<u64> {
        work(UnitOfWork::new(db), name).await
    }
    authors(bed.db(), &[]).await;
    let db = request(&bed).await;
    assert_eq!(above(&db, "ann").await.expect("above all"), 1);
    let routed = db.inner().inner().inner().clone();
    let counted = Counted::new(Traced::new(UnitOfWork::new(routed.clone())));
    assert_eq!(work(counted, "bob").await.expect("below two"), 2);
    let task = tokio::spawn(async move { above(Counted::new(routed), "cid").await });
    assert_eq!(task.await.expect("no panic").expect("between"), 3);
}

/// The tenant column is kept to through whatever stands between its wrapper and the database, and on a held connection.
async fn a_tenants_rows_stay_its_own_through_the_stack(bed: impl Bed) {
    Invoice::create_table(bed.db()).await.expect("a table");
    let seven = request(&bed).await;
    let eight = Counted::new(Tenant::new(Traced::new(bed.pool()), 8_i64));
    for total in [10, 20] {
        let invoice = || Invoice {
            id: 0,
            company: 0,
            total,
        };
        invoice().insert(&seven).await.expect("an insert");
        transaction(&eight, async |tx| invoice().insert(tx).await)
            .await
            .expect("a transaction");
    }
    let of = |invoices: Vec<Invoice>| {
        let companies = invoices.into_iter().map(|invoice| invoice.company);
        companies.collect::<Vec<_>>()
    };
    let all = Invoice::select;
    assert_eq!(of(all().all(&seven).await.expect("invoices")), [7, 7]);
    let mut held = UnitOfWork::new(&eight);
    assert_eq!(of(all().all(&mut held).await.expect("invoices")), [8, 8]);
    let named = seven.using("replica");
    assert_eq!(of(all().all(&named).await.expect("invoices")), [7, 7]);
    let nobody = all().all(seven.inner().inner().inner()).await;
    assert!(matches!(nobody, Err(Error::NoTenant { .. })), "{nobody:?}");
}

async fn any_order_does(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let pool = bed.pool();
    // Each database traced for itself; the whole counted.
    let traced = |pool| Traced::new(Counted::new(pool));
    let router = Router::new("default", traced(pool.clone())).reader("replica", traced(pool));
    let db = Counted::new(Traced::new(router.scope()));
    assert_eq!(handle(&db, "ann").await.expect("a request"), 2);
    assert_eq!(db.queries(), 4);
    // A tenant's pool may be wrapped already when it is opened.
    let url = bed.url().to_owned();
    let tenants = Tenants::new(move |_| {
        let url = url.clone();
        async move { Ok(Traced::new(DbPool::connect(&url).await?)) }
    });
    let acme = TenantName::new("acme").expect("a good name");
    let db = Counted::new(tenants.get(&acme).await.expect("a tenant"));
    assert_eq!(names(&db).await, ["ann", "beside"]);
    drop(db);
    tenants.close().await;
}

crate::common::on_every_database![
    all_wrappers_stack_in_a_task,
    a_unit_of_work_goes_below_or_above_any,
    a_tenants_rows_stay_its_own_through_the_stack,
    any_order_does,
];
