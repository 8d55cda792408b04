//! The same client without async: a file up, and one down, saved.
//!
//! `cargo run -p packetboat-dispatch --example blocking_client`

mod parcels;

use std::error::Error;
use std::fs;

use packetboat_dispatch::client::blocking::Client;
use packetboat_framing::Source;

use parcels::{Fetch, Leave};

fn main() -> Result<(), Box<dyn Error>> {
    // The server has a runtime of its own; the client below needs to know of none.
    let runtime = tokio::runtime::Runtime::new()?;
    let addr = runtime.block_on(parcels::serve())?;

    let mut client = Client::connect(addr)?;
    let folder = tempfile::tempdir()?;
    let (here, there) = (folder.path().join("parcel"), folder.path().join("fetched"));
    fs::write(&here, [7; 100_000])?;

    let source = Source::file(fs::File::open(&here)?)?;
    let size = source.len();
    let receipt = client.call_with_file(Leave { size }, source, |_| ())?;
    println!("left {size} bytes, they add up to {}", receipt.sum);

    let (reply, download) = client.call_for_file(Fetch {})?;
    println!("told to wait {} ms for {} bytes", reply.wait, reply.size);
    let saved = download.save(&there)?;
    println!("saved {saved} bytes");
    assert_eq!(fs::read(here)?, fs::read(there)?);
    Ok(())
}
