//! A stream reads no further than a few rows ahead of the one who takes them.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use packetboat_orm::{
    ColumnDef, Field, Model, ModelExt, Result, Sink, Source, SqlType, transaction,
};

use crate::common::bed::Bed;

/// What was read, of every test.
static READ: Mutex<Vec<i64>> = Mutex::new(Vec::new());

/// Notes that it is read.
#[derive(Clone, Debug, PartialEq)]
struct Noted(i64);

impl Field for Noted {
    const TYPE: SqlType = SqlType::I64;

    fn put<S: Sink>(&self, column: &ColumnDef, sink: &mut S) -> Result<()> {
        sink.i64(column, self.0)
    }

    fn get<R: Source>(row: &R, index: usize, column: &ColumnDef) -> Result<Self> {
        let number = row.i64(index, column)?;
        READ.lock().expect("no panic").push(number);
        Ok(Self(number))
    }
}

/// How many of these were read.
fn read(numbers: &Range<i64>) -> usize {
    let read = READ.lock().expect("no panic");
    read.iter().filter(|read| numbers.contains(read)).count()
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Leaf {
    id: i64,
    number: Noted,
}

/// As the documentation of the stream has it.
const AHEAD: usize = 16;

async fn it_reads_a_few_rows_ahead_and_no_more(bed: impl Bed) {
    static BASE: AtomicI64 = AtomicI64::new(0);
    let numbers = BASE.fetch_add(1_000, Ordering::Relaxed);
    let numbers = numbers..numbers + 1_000;
    Leaf::create_table(bed.db()).await.expect("a table");
    let leaf = |number| Leaf {
        id: 0,
        number: Noted(number),
    };
    let mut leaves: Vec<Leaf> = numbers.clone().map(leaf).collect();
    Leaf::insert_all(&mut leaves, bed.db())
        .await
        .expect("many rows");
    transaction(bed.db(), async |tx| {
        // However large the query has been, which a driver may remember.
        assert_eq!(Leaf::select().all(&mut *tx).await?.len(), 1_000);
        let before = read(&numbers);
        let mut stream = Leaf::select().order_by(leaf::id.asc()).stream(tx);
        for taken in 1..=100 {
            stream.next().await.expect("a row")?;
            let ahead = read(&numbers) - before - taken;
            assert!(ahead <= AHEAD, "{ahead} after {taken}");
        }
        Ok(())
    })
    .await
    .expect("a transaction");
}

crate::common::on_every_database![it_reads_a_few_rows_ahead_and_no_more];
