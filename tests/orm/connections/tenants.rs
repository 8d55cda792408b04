//! A database for each tenant: nothing of one is ever seen through another.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use packetboat_orm::{
    Error, ModelExt, TenantLimits, TenantName, TenantPool, Tenants, begin, transaction,
};
use tokio::task::JoinSet;

use crate::common::bed::Bed;
use crate::common::models::{Author, Bystander, author, authors, bystander, names};

/// Tenants with a database each, in which an author of the tenant's name stands; at most so many of them are open.
async fn tenants<B: Bed>(
    first: B,
    count: usize,
    max_open: usize,
) -> (Vec<TenantName>, Tenants<B::Pool>, Vec<B>) {
    let mut beds = vec![first];
    while beds.len() < count {
        beds.push(beds[0].another().await);
    }
    let mut names = Vec::new();
    let mut urls = HashMap::new();
    for (number, bed) in beds.iter().enumerate() {
        let name = TenantName::new(&format!("tenant-{number}")).expect("a good name");
        authors(bed.db(), &[name.as_str()]).await;
        Bystander::create_table(bed.db()).await.expect("a table");
        urls.insert(name.clone(), bed.url().to_owned());
        names.push(name);
    }
    let limits = TenantLimits {
        max_open,
        wait: Duration::from_secs(60),
        opening: Duration::from_secs(60),
        ..TenantLimits::default()
    };
    let tenants = Tenants::with_limits(limits, move |tenant| {
        let url = urls[&tenant].clone();
        async move { B::connect(url).await }
    });
    (names, tenants, beds)
}

/// Writes into one tenant what only it may show, and looks into another.
async fn pair<B: Bed>(tenants: &Tenants<B::Pool>, a: &TenantName, b: &TenantName, writes: bool) {
    let db: TenantPool<B::Pool> = tenants.get(a).await.expect("a tenant");
    assert_eq!(db.tenant(), a);
    if writes {
        let mut row = Bystander {
            id: 0,
            secret: a.to_string(),
        };
        transaction(&db, async |tx| row.insert(tx).await)
            .await
            .expect("an insert");
    }
    assert_eq!(names(&db).await, [a.as_str()]);
    drop(db);
    let db = tenants.get(b).await.expect("the other tenant");
    let foreign = Bystander::select().filter(bystander::secret.ne(b.as_str()));
    assert_eq!(
        foreign.count(&db).await.expect("a count"),
        0,
        "a leak into {b}"
    );
    let own = Author::select()
        .filter(author::name.eq(b.as_str()))
        .count(&db)
        .await;
    assert_eq!(own.expect("a count"), 1);
}

/// So many, in tasks, while pools are opened and closed under them all the time.
const PAIRS: u32 = 10_000;
const TIME: Duration = Duration::from_millis(1500);
const TASKS: usize = 4;

async fn random_pairs_of_tenants_see_nothing_of_each_other<B: Bed>(bed: B) {
    let (names, tenants, _beds) = tenants(bed, 4, 3).await;
    let names = Arc::new(names);
    let begun = Instant::now();
    let long = std::env::var_os("PACKETBOAT_LONG").is_some();
    let seen = Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (names, tenants, seen) = (Arc::clone(&names), tenants.clone(), Arc::clone(&seen));
        tasks.spawn(async move {
            while seen.fetch_add(1, Ordering::Relaxed) < PAIRS && (long || begun.elapsed() < TIME) {
                let random = RandomState::new().hash_one(());
                let one = |bits: u64| &names[usize::try_from(bits % 4).expect("below four")];
                let (a, b) = (one(random), one(random >> 8));
                pair::<B>(&tenants, a, b, (random >> 16).is_multiple_of(8)).await;
                assert!(tenants.open() <= 3);
            }
        });
    }
    tasks.join_all().await;
    let pairs = seen.load(Ordering::Relaxed).min(PAIRS);
    assert!(pairs >= 20, "{pairs} pairs");
    println!("{pairs} pairs in {:?}", begun.elapsed());
    tenants.close().await;
    assert_eq!(tenants.open(), 0);
    let refused = tenants.get(&names[0]).await.expect_err("it is closed");
    assert!(refused.is_connection(), "{refused:?}");
}

async fn a_transaction_keeps_its_tenant_open<B: Bed>(bed: B) {
    let (tenant, tenants, beds) = tenants(bed, 2, 1).await;
    let mut tx = {
        let db = tenants.get(&tenant[0]).await.expect("a tenant");
        begin(&db).await.expect("a transaction")
    };
    Author::new("new").insert(&mut tx).await.expect("an insert");
    let other = {
        let (tenants, name) = (tenants.clone(), tenant[1].clone());
        tokio::spawn(async move {
            names(&tenants.get(&name).await?).await;
            Ok::<_, Error>(())
        })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!other.is_finished(), "the only place is taken");
    packetboat_orm::Finish::commit(tx).await.expect("a commit");
    other
        .await
        .expect("no panic")
        .expect("the other tenant, now");
    assert_eq!(names(beds[0].db()).await, ["tenant-0", "new"]);
    assert_eq!(tenants.open(), 1);
}

crate::common::on_every_database![
    random_pairs_of_tenants_see_nothing_of_each_other,
    a_transaction_keeps_its_tenant_open,
];
