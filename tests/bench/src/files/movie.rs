//! The movie server as a whole, which also looks who is calling, hashes what it receives, and writes rows.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    os::unix::fs::FileExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::wire::{message, reply, send_file};
use crate::error::BoxError;

/// A movie server in a process of its own, and an admin's and a user's connection to it.
pub(super) struct Movie {
    pub(super) child: Child,
    admin: (TcpStream, Value),
    user: (TcpStream, Value),
    /// What is sent: each time with other bytes at its beginning, since no content is taken twice.
    source: File,
    times: u64,
    /// The last one that was sent.
    id: Value,
}

impl Movie {
    /// Starts the program `movie` in an empty folder, to send copies of `source`.
    pub(super) fn start(program: &Path, folder: &Path, source: &Path) -> Result<Self, BoxError> {
        fs::create_dir(folder)?;
        let mut child = Command::new(program)
            .args([
                "server",
                "--listen",
                "127.0.0.1:0",
                "--wait",
                "0s",
                "--data",
            ])
            .arg(folder.join("data"))
            .env_remove("MOVIE_DATABASE")
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output of the server")?;
        let mut ready = String::new();
        BufReader::new(out).read_line(&mut ready)?;
        let address = ready.trim().strip_prefix("READY ");
        let address = address.ok_or("the movie server is not ready")?;
        let enter = |kind: &str| -> Result<(TcpStream, Value), BoxError> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            let who = |step: &str| json!({"type": step, "name": kind, "password": "pw", "user_type": kind});
            call(&mut stream, &who("register"))?;
            let session = call(&mut stream, &who("login"))?["session"].take();
            Ok((stream, session))
        };
        let (admin, user) = (enter("admin")?, enter("user")?);
        let copy = folder.join("source");
        fs::copy(source, &copy)?;
        Ok(Self {
            child,
            admin,
            user,
            source: OpenOptions::new().read(true).write(true).open(copy)?,
            times: 0,
            id: Value::Null,
        })
    }

    /// Sends a movie. Gives the time from the request to the reply, which comes once it is durable.
    pub(super) fn up(&mut self) -> Result<Duration, BoxError> {
        self.times += 1;
        self.source.write_all_at(&self.times.to_le_bytes(), 0)?;
        let (len, name) = (self.source.metadata()?.len(), self.times.to_string());
        let (admin, session) = &mut self.admin;
        let request = json!({
            "type": "upload_movie", "session": session, "file_name": name, "file_size": len,
            "file_md5": format!("{:032x}", self.times), "is_free": 1,
        });
        let start = Instant::now();
        reply(admin, &serde_json::to_vec(&request)?)?;
        send_file(admin, &self.source, len)?;
        accepted(admin)?;
        let time = start.elapsed();
        let (user, session) = &mut self.user;
        let list = json!({"type": "get_movie_list", "session": session, "movie_type": "all"});
        let list = call(user, &list)?;
        let rows = list["movie_list"].as_array().ok_or("no list")?;
        let row = rows.iter().find(|row| row[0] == name.as_str());
        self.id = row.ok_or("the movie is not listed")?[2].clone();
        Ok(time)
    }

    /// Fetches the last movie. Gives the time from the request to the last byte, and shows each piece to `look`.
    pub(super) fn down(
        &mut self,
        mut look: impl FnMut(&[u8]) -> Result<(), BoxError>,
    ) -> Result<Duration, BoxError> {
        let mut buffer = vec![0; 1024 * 1024];
        let (user, session) = &mut self.user;
        let request = json!({"type": "download_movie", "session": session, "movie_id": self.id});
        let start = Instant::now();
        let told = call(user, &request)?;
        let mut left = told["file_size"].as_u64().ok_or("no size")?;
        while left > 0 {
            let max = buffer.len().min(usize::try_from(left)?);
            let n = user.read(&mut buffer[..max])?;
            if n == 0 {
                return Err("the server left in mid-file".into());
            }
            look(&buffer[..n])?;
            left -= n as u64;
        }
        Ok(start.elapsed())
    }

    /// What was sent last, from its beginning.
    pub(super) const fn source(&self) -> &File {
        &self.source
    }
}

impl Drop for Movie {
    fn drop(&mut self) {
        // Only fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn call(stream: &mut TcpStream, request: &Value) -> Result<Value, BoxError> {
    reply(stream, &serde_json::to_vec(request)?)?;
    accepted(stream)
}

/// The next reply, which must not be a refusal.
fn accepted(stream: &mut TcpStream) -> Result<Value, BoxError> {
    let answer = message(stream)?.ok_or("the server left")?;
    let answer: Value = serde_json::from_slice(&answer)?;
    if answer["flag"] == true {
        Ok(answer)
    } else {
        Err(format!("the movie server answered {answer}").into())
    }
}
