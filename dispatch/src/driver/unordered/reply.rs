//! A handler's answer as frames.

use std::io::{self, Write};

use packetboat_framing::native::{Attached, Codec, Connection, Extensions, Outgoing};
use packetboat_framing::{Error, MessageWriter};

use crate::app::App;
use crate::file::File;
use crate::middleware::Response;
use crate::rejection::Rejection;
use crate::scratch;
use crate::wire::Wire;

/// Queues an answer and gives back the file that has to follow it. One that the wire cannot carry
/// is answered by one that it can.
pub(super) fn queue(
    connection: &mut Connection,
    app: &App,
    request: u32,
    response: Response,
) -> Result<Option<Box<File>>, Error> {
    let queued = send(connection, request, &response);
    scratch::give(response.message);
    let error = match queued {
        Ok(()) => return Ok(response.file),
        Err(error) => error,
    };
    tracing::error!(%error, "the reply does not fit the wire");
    let refusal = app.answering().refuse(Wire::Native, &Rejection::internal());
    send(connection, request, &refusal)?;
    scratch::give(refusal.message);
    Ok(None)
}

fn send(connection: &mut Connection, request: u32, response: &Response) -> Result<(), Error> {
    let write =
        |out: &mut MessageWriter<'_>| -> io::Result<()> { out.write_all(&response.message) };
    if response.refused.is_some() {
        return connection.error(request, response.status, Codec::JSON, write);
    }
    let file = response.file.as_ref();
    let outgoing = Outgoing {
        extensions: Extensions {
            digest: file.and_then(|file| file.digest()),
            ..Extensions::default()
        },
        attachment: file.map(|file| Attached {
            size: Some(file.len()),
            resumable: file.is_resumable(),
            ..Attached::default()
        }),
        ..Outgoing::json()
    };
    connection.reply(request, &outgoing, write)
}
