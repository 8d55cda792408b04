//! A client: a file up, and a file down that the server holds back for a while.
//!
//! `cargo run -p packetboat-dispatch --example client`

mod parcels;

use std::error::Error;
use std::time::Instant;

use packetboat_dispatch::{BodyExt, Client, ClientError};
use packetboat_framing::Source;

use parcels::{Fetch, Leave};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(parcels::serve().await?).await?;

    // A refusal is an error with a stable code, and the connection goes on.
    match client.call_for_file(Fetch {}).await.map(drop) {
        Err(ClientError::Rejected { code, text }) => println!("refused: {code} ({text})"),
        other => return Err(format!("not refused: {other:?}").into()),
    }

    let parcel = vec![7; 3_000_000];
    let size = parcel.len() as u64;
    let receipt = client
        .call_with_file(Leave { size }, Source::bytes(parcel.clone()), |sent| {
            println!("sent {sent} of {size} bytes");
        })
        .await?;
    println!("left a parcel, its bytes add up to {}", receipt.sum);

    let asked = Instant::now();
    let (reply, mut body) = client.call_for_file(Fetch {}).await?;
    println!("told after {:?} to wait {} ms", asked.elapsed(), reply.wait);
    let mut fetched = Vec::new();
    body.copy_to(&mut fetched).await?;
    println!(
        "fetched {} bytes after {:?}",
        fetched.len(),
        asked.elapsed()
    );
    assert_eq!((fetched.len() as u64, &fetched), (reply.size, &parcel));
    Ok(())
}
