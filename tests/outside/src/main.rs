//! What a user writes with the three crates, and whether it works: it prints `N of N` and fails when a step does not
//! hold.

use std::error::Error;
use std::process::ExitCode;

use packetboat_dispatch::{
    Anyone, Client, ClientError, Dispatcher, Message, Rejection, Server, State,
};
use packetboat_framing::{Decoder, Event, Limits, Prefix};
use packetboat_orm::{DbPool, Model, ModelExt};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone, Debug, Deserialize, Model, PartialEq, Serialize)]
struct Note {
    id: i64,
    #[model(unique)]
    text: String,
}

#[derive(Deserialize, Message, Serialize)]
#[message(type = "add_note", reply = Note)]
struct AddNote {
    text: String,
}

#[derive(Deserialize, Message, Serialize)]
#[message(type = "list_notes", reply = Notes)]
struct ListNotes {}

#[derive(Deserialize, Serialize)]
struct Notes {
    notes: Vec<Note>,
}

async fn add_note(State(db): State<DbPool>, request: AddNote) -> Result<Note, Rejection> {
    let mut note = Note {
        id: 0,
        text: request.text,
    };
    match note.insert(&db).await {
        Err(error) if error.is_unique("text") => {
            Err(Rejection::new("note_exists", "there is such a note"))
        }
        inserted => Ok(inserted.map(|()| note)?),
    }
}

async fn list_notes(State(db): State<DbPool>, _: ListNotes) -> Result<Notes, Rejection> {
    Ok(Notes {
        notes: Note::select().order_by(note::id.asc()).all(&db).await?,
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok((held, steps)) => {
            println!("{held} of {steps}");
            if held == steps {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("outside: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(usize, usize), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let db = DbPool::connect(&format!(
        "sqlite://{}",
        folder.path().join("notes.db").display()
    ))
    .await?;
    Note::create_table(&db).await?;
    let app = Dispatcher::new(db.clone()).allow(Anyone, |group| group.on(add_note).on(list_notes));
    let server = Server::bind("127.0.0.1:0").await?;
    let addr = server.local_addr()?;
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(app));

    let mut client = Client::connect(addr).await?;
    let first = client
        .call(AddNote {
            text: "first".to_owned(),
        })
        .await?;
    let again = client
        .call(AddNote {
            text: "first".to_owned(),
        })
        .await;
    let listed = client.call(ListNotes {}).await?;
    let raw = raw_reply(addr, br#"{"type":"list_notes"}"#).await?;

    let steps = [
        (
            "a typed call is answered",
            first.id > 0 && first.text == "first",
        ),
        (
            "a rejection has its code",
            matches!(&again, Err(ClientError::Rejected { code, .. }) if code == "note_exists"),
        ),
        ("a list comes back", listed.notes == [first.clone()]),
        (
            "a row is in the database",
            Note::find(first.id, &db).await? == Some(first),
        ),
        (
            "a client of other making is answered",
            raw["flag"] == true && raw["notes"][0]["text"] == "first",
        ),
    ];
    for (step, held) in steps {
        println!("{} {step}", if held { "ok    " } else { "FAILED" });
    }

    drop(client);
    stop.shutdown();
    serving.await??;
    Ok((steps.iter().filter(|(_, held)| *held).count(), steps.len()))
}

/// One request by hand, its reply by framing's decoder alone.
async fn raw_reply(
    addr: std::net::SocketAddr,
    message: &[u8],
) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut stream = TcpStream::connect(addr).await?;
    let length = i32::try_from(message.len())?.to_le_bytes();
    stream.write_all(&[&length[..], message].concat()).await?;
    let mut decoder = Decoder::new(Prefix::CLASSIC, &Limits::default());
    let mut buffer = [0; 512];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err("the server closed the connection".into());
        }
        decoder.feed(&buffer[..read]);
        if let Some(Event::Message { message, .. }) = decoder.decode()? {
            return Ok(serde_json::from_slice(message)?);
        }
    }
}
