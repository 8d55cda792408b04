//! Whatever the statement, nothing is read or written but the tenant's own.
//!
//! Thousands of statements at random, with the keys, names and conditions of all tenants in each one's mouth: queries
//! with joins, sub-selects and relations, writes by filter and by key, upserts. After each, what it gave must be the
//! tenant's own, and every row of the others must be what it was.

use std::env;

use chrono::{DateTime, Utc};
use packetboat_orm::{
    Error, Executor, Filter, Model, ModelExt, Result, Tenant, begin, count, exists, sql,
};
use uuid::Uuid;

use crate::common::bed::Bed;

/// A row with all roles, and a name that all tenants share.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(has_many(parts: Part), unique(owner, name))]
struct Doc {
    id: i64,
    #[model(tenant)]
    owner: i64,
    name: String,
    #[model(unique)]
    code: String,
    rank: i64,
    #[model(version)]
    version: i64,
    #[model(updated)]
    updated: Option<DateTime<Utc>>,
    #[model(deleted)]
    deleted: Option<DateTime<Utc>>,
}

/// A row of another, whoever's that is; nothing in the database says that both are the same tenant's.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(belongs_to(doc: Doc))]
struct Part {
    id: i64,
    doc_id: i64,
    #[model(tenant)]
    owner: i64,
    rank: i64,
}

/// Keyed by the tenant, too.
#[derive(Clone, Debug, PartialEq, Model)]
struct Label {
    #[model(key, tenant)]
    owner: i64,
    #[model(key)]
    name: String,
    rank: i64,
}

const TENANTS: [i64; 3] = [1, 2, 3];

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = env::var("PACKETBOAT_SEED").map_or_else(
            |_| Uuid::new_v4().as_u64_pair().0,
            |seed| seed.parse().expect("a number"),
        );
        println!("PACKETBOAT_SEED={seed}");
        Self(seed)
    }

    /// A number below `sides`. (SplitMix64.)
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn number(&mut self, sides: u64) -> i64 {
        self.roll(sides) as i64
    }

    /// A key, of a row that may be anybody's.
    fn id(&mut self) -> i64 {
        5_000 + self.number(24)
    }

    fn tenant(&mut self) -> i64 {
        TENANTS[self.roll(3) as usize]
    }

    fn name(&mut self) -> String {
        format!("n{}", self.roll(6))
    }

    fn code(&mut self) -> String {
        format!("c{}", self.roll(40))
    }

    fn doc(&mut self) -> Doc {
        Doc {
            id: if self.roll(2) == 0 { 0 } else { self.id() },
            owner: 0,
            name: self.name(),
            code: self.code(),
            rank: self.number(9),
            version: self.number(4),
            updated: None,
            deleted: None,
        }
    }

    fn part(&mut self) -> Part {
        Part {
            id: if self.roll(2) == 0 { 0 } else { self.id() },
            doc_id: self.id(),
            owner: 0,
            rank: self.number(9),
        }
    }

    /// A condition that has no thought for tenants, or the worst of thoughts.
    fn condition(&mut self, depth: u64) -> Filter<Doc> {
        match self.roll(if depth == 0 { 7 } else { 10 }) {
            0 => doc::id.eq(self.id()),
            1 => doc::rank.lt(self.number(9)),
            2 => doc::name.eq(self.name()),
            3 => doc::owner.eq(self.tenant()),
            4 => doc::owner.ne(self.tenant()),
            5 => doc::id.is_in([self.id(), self.id(), self.id()]),
            6 => doc::rank.ge(0),
            7 => self.condition(depth - 1) & self.condition(depth - 1),
            8 => self.condition(depth - 1) | self.condition(depth - 1),
            _ => !self.condition(depth - 1),
        }
    }
}

/// Whose rows a statement gave.
type Owners = Vec<i64>;

/// One statement, or what one method sends; says whose rows came of it.
async fn statement(dice: &mut Dice, db: &mut impl Executor) -> Result<Owners> {
    let docs = Doc::select().filter(dice.condition(2));
    let docs = match dice.roll(6) {
        0 => docs.with_deleted(),
        1 => docs.only_deleted(),
        2 => {
            let parts = Part::select().filter(part::rank.ge(dice.number(9)));
            docs.filter(doc::id.is_in(parts.columns(part::doc_id)))
        }
        _ => docs,
    };
    let owners = |docs: Vec<Doc>| docs.into_iter().map(|doc| doc.owner).collect::<Owners>();
    Ok(match dice.roll(32) {
        0 => owners(docs.all(db).await?),
        1 => owners(
            docs.order_by(doc::rank.desc())
                .limit(3)
                .offset(1)
                .all(db)
                .await?,
        ),
        2 => owners(Doc::find(dice.id(), db).await?.into_iter().collect()),
        3 => docs.columns(doc::owner).distinct().all(db).await?,
        4 => {
            let by_owner = docs.group_by(doc::owner).columns((doc::owner, count()));
            by_owner
                .all(db)
                .await?
                .into_iter()
                .map(|(owner, _)| owner)
                .collect()
        }
        5 => {
            let joined = docs.join(Part::on(part::doc_id.eq(doc::id)));
            let rows = joined.all(db).await?.into_iter();
            rows.flat_map(|(doc, part)| [doc.owner, part.owner])
                .collect()
        }
        6 => {
            let joined = docs.left_join(Part::on(part::doc_id.eq(doc::id) | part::rank.ge(0)));
            let rows = joined.all(db).await?.into_iter();
            rows.flat_map(|(doc, part)| [Some(doc.owner), part.map(|part| part.owner)])
                .flatten()
                .collect()
        }
        7 => {
            let parts = Part::select().left_join(Doc::on(part::doc_id.eq(doc::id)));
            let rows = parts.all(db).await?.into_iter();
            rows.flat_map(|(part, doc)| [Some(part.owner), doc.map(|doc| doc.owner)])
                .flatten()
                .collect()
        }
        8 => {
            let any = exists(Part::select().correlate(part::doc_id.eq(doc::id)));
            owners(docs.filter(any).all(db).await?)
        }
        9 => {
            // Another's rows, laid hands on somehow, lead to nothing of theirs.
            let strangers = [dice.doc(), dice.doc()];
            let parts = doc::parts.load(&strangers, db).await?;
            parts.into_iter().flatten().map(|part| part.owner).collect()
        }
        10 => {
            let strangers = [dice.part(), dice.part()];
            let docs = part::doc.optional().load(&strangers, db).await?;
            docs.into_iter().flatten().map(|doc| doc.owner).collect()
        }
        11 => {
            let with = docs.with(doc::parts).all(db).await?.into_iter();
            with.flat_map(|(doc, parts)| {
                let parts = parts.into_iter().map(|part| part.owner);
                parts.chain([doc.owner]).collect::<Owners>()
            })
            .collect()
        }
        12 => owners(
            docs.stream(db)
                .next()
                .await
                .transpose()?
                .into_iter()
                .collect(),
        ),
        13 => Label::find((dice.tenant(), dice.name()), db)
            .await?
            .map_or(vec![], |label| vec![label.owner]),

        14 => docs
            .update([doc::rank.set(doc::rank + 1)], db)
            .await
            .map(|_| vec![])?,
        15 => docs.delete(db).await.map(|_| vec![])?,
        16 => docs.restore(db).await.map(|_| vec![])?,
        17 => docs.limit(1).all(&mut *db).await.map(owners)?,
        18 => docs
            .filter(doc::rank.eq(dice.number(9)))
            .purge(db)
            .await
            .map(|_| vec![])?,
        19 => {
            let parts = Part::select().filter(part::id.eq(dice.id()));
            parts.delete(db).await.map(|_| vec![])?
        }

        20 => write(dice.doc(), async |doc: &mut Doc| doc.insert(db).await).await?,
        21 => write(dice.doc(), async |doc: &mut Doc| doc.save(db).await).await?,
        22 => write(dice.doc(), async |doc: &mut Doc| doc.update(db).await).await?,
        23 => {
            write(dice.doc(), async |doc: &mut Doc| {
                doc.upsert(doc::id).run(db).await
            })
            .await?
        }
        24 => {
            write(dice.doc(), async |doc: &mut Doc| {
                doc.upsert(doc::code).run(db).await
            })
            .await?
        }
        25 => {
            let by_name = async |doc: &mut Doc| {
                let upsert = doc.upsert((doc::owner, doc::name));
                upsert.update(doc::rank).run(db).await
            };
            write(dice.doc(), by_name).await?
        }
        26 => {
            let mut docs = [dice.doc(), dice.doc(), dice.doc()];
            match dice.roll(2) {
                0 => Doc::insert_all(&mut docs, db).await?,
                _ => Doc::bulk_insert(&mut docs, db).await?,
            };
            owners(docs.to_vec())
        }
        27 => {
            let mut doc = dice.doc();
            match dice.roll(3) {
                0 => doc.delete(db).await.map(|_| vec![])?,
                1 => doc.purge(db).await.map(|_| vec![])?,
                _ => doc.restore(db).await.map(|_| vec![])?,
            }
        }
        28 => {
            let mut doc = dice.doc().tracked();
            doc.rank += 1;
            doc.update(db).await.map(|_| vec![])?
        }
        29 => {
            let mut part = dice.part();
            part.save(db).await?;
            vec![part.owner]
        }
        30 => {
            let mut label = Label {
                owner: 0,
                name: dice.name(),
                rank: dice.number(9),
            };
            match dice.roll(3) {
                0 => label.save(db).await?,
                1 => label.upsert((label::owner, label::name)).run(db).await?,
                _ => label.delete(db).await.map(drop)?,
            }
            vec![]
        }
        // It says that it is another's, and is so refused or this one's.
        _ => {
            let owner = dice.tenant();
            let doc = Doc {
                owner,
                ..dice.doc()
            };
            write(doc, async |doc: &mut Doc| doc.save(db).await).await?
        }
    })
}

async fn write(mut doc: Doc, write: impl AsyncFnOnce(&mut Doc) -> Result<()>) -> Result<Owners> {
    write(&mut doc).await?;
    Ok(vec![doc.owner])
}

/// Every row of the others, past every scope.
async fn others(tenant: i64, db: impl Executor) -> Vec<(i64, i64, i64, Option<String>)> {
    let rows = sql(
        "SELECT 1, id, rank + 100 * version, name FROM doc WHERE owner <> ? \
                    UNION ALL SELECT 2, id, rank + 100 * doc_id, NULL FROM part WHERE owner <> ? \
                    UNION ALL SELECT 3, owner, rank, name FROM label WHERE owner <> ?",
    );
    let rows = rows.bind(tenant).bind(tenant).bind(tenant).all(db).await;
    let mut rows = rows.expect("all rows of the others");
    rows.sort();
    rows
}

async fn fill(db: &mut impl Executor) {
    for tenant in TENANTS {
        let mut db = Tenant::new(&mut *db, tenant);
        for n in 0..8 {
            let id = 5_000 + (tenant - 1) * 8 + n;
            let mut doc = Doc {
                id,
                owner: 0,
                name: format!("n{n}"),
                code: format!("c{}", id - 5_000),
                rank: n,
                version: 0,
                updated: None,
                deleted: None,
            };
            doc.insert(&mut db).await.expect("a doc");
            // Of a doc that may be another tenant's.
            let mut part = Part {
                id,
                doc_id: 5_000 + (n * 5 + tenant) % 24,
                owner: 0,
                rank: n,
            };
            part.insert(&mut db).await.expect("a part");
        }
    }
}

/// So many statements; how many of them did something, or gave something.
async fn play(statements: usize, db: &mut impl Executor) {
    let mut dice = Dice::new();
    let (mut gave, mut refused) = (0, 0);
    for at in 0..statements {
        if at % 500 == 0 {
            for table in ["DELETE FROM doc", "DELETE FROM part", "DELETE FROM label"] {
                sql(table).exec(&mut *db).await.expect("an empty table");
            }
            fill(db).await;
        }
        let tenant = dice.tenant();
        let before = others(tenant, &mut *db).await;
        let outcome = statement(&mut dice, &mut Tenant::new(&mut *db, tenant)).await;
        match outcome {
            Ok(owners) => {
                gave += usize::from(!owners.is_empty());
                assert!(
                    owners.iter().all(|owner| *owner == tenant),
                    "{owners:?} for {tenant}"
                );
            }
            Err(
                Error::UniqueViolation { .. }
                | Error::Stale { .. }
                | Error::NotFound { .. }
                | Error::OtherTenant { .. },
            ) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(
            others(tenant, &mut *db).await,
            before,
            "after statement {at} of {tenant}"
        );
    }
    // That it was no idle talk.
    assert!(
        gave * 10 > statements,
        "{gave} of {statements} gave something"
    );
    assert!(refused > 0, "none was refused");
}

async fn tables(db: impl Executor + Copy) {
    Doc::create_table(db).await.expect("a table");
    Part::create_table(db).await.expect("a table");
    Label::create_table(db).await.expect("a table");
}

async fn no_statement_leaves_its_tenant(bed: impl Bed) {
    tables(bed.db()).await;
    let mut db = bed.db();
    play(150, &mut db).await;
}

/// In one transaction, so that no disk is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_of_ten_thousand_statements_leaves_its_tenant() {
    let bed = crate::common::bed::Sqlite::make(packetboat_orm::Dialect::Sqlite)
        .await
        .expect("SQLite is here");
    tables(bed.db()).await;
    let mut tx = begin(bed.db()).await.expect("a transaction");
    play(10_000, &mut tx).await;
}

crate::common::on_every_database![no_statement_leaves_its_tenant];
