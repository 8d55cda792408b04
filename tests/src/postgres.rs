//! A PostgreSQL of a test's own, to crash and to start again.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fmt};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::time::sleep;

/// The user and group of a server that root starts, since PostgreSQL refuses to run as root: Debian's `nobody`.
const NOBODY: u32 = 65534;

/// How long a server may take until it takes connections.
const START: Duration = Duration::from_secs(30);

/// A server with an empty database. Dropping it ends it and removes its files.
///
/// It answers a COMMIT when the system has the data, and does not sync: it survives a crash of its own, not one of the
/// machine.
pub struct Postgres {
    process: Child,
    port: u16,
    password: String,
    /// Dropped last, when nobody writes there any more.
    folder: TempDir,
}

impl Postgres {
    /// Starts one, or returns `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start, and when it is missing though `PACKETBOAT_TESTS=required` says that every server is there.
    pub async fn start() -> Option<Self> {
        let Some(initdb) = find("initdb") else {
            let required = env::var("PACKETBOAT_TESTS").is_ok_and(|value| value == "required");
            assert!(
                !required,
                "no initdb is found, and PACKETBOAT_TESTS=required"
            );
            eprintln!("left out: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let password = password().expect("the system's randomness");
        create(folder.path(), &initdb, &password).expect("a cluster");
        let port = free_port().expect("a free port");
        let process = spawn(folder.path(), port).expect("a server");
        let mut server = Self {
            process,
            port,
            password,
            folder,
        };
        server.ready().await;
        Some(server)
    }

    /// The URL of its database. The user in it may do everything.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://packetboat:{}@127.0.0.1:{}/postgres",
            self.password, self.port
        )
    }

    /// Crashes it, as `pg_ctl restart -m immediate` does, and starts it again. Returns when it takes connections.
    ///
    /// # Panics
    ///
    /// When it does not come back.
    pub async fn restart_immediately(&mut self) {
        signal(&self.process, "QUIT");
        while self.process.try_wait().expect("our own child").is_none() {
            sleep(Duration::from_millis(5)).await;
        }
        self.process = spawn(self.folder.path(), self.port).expect("a server");
        self.ready().await;
    }

    async fn ready(&mut self) {
        let began = Instant::now();
        let url = self.url();
        loop {
            match PgConnection::connect(&url).await {
                // Its goodbye may come too late, if the server is to be crashed at once.
                Ok(connection) => return drop(connection.close().await),
                Err(error) => {
                    let ended = self.process.try_wait().expect("our own child");
                    assert!(
                        ended.is_none() && began.elapsed() < START,
                        "PostgreSQL did not start: {error}; it said: {}",
                        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
                    );
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGKILL would leave its processes and their shared memory.
        signal(&self.process, "QUIT");
        let _ = self.process.wait();
    }
}

/// Without the password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// One of PostgreSQL's programs, which Debian keeps out of PATH in a folder for each version.
fn find(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok();
    let mut versions = versions
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path())
        .collect::<Vec<_>>();
    versions.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse::<u32>().ok())
    });
    let newest = versions.pop().map(|path| path.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(newest)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn create(folder: &Path, initdb: &Path, password: &str) -> io::Result<()> {
    fs::write(folder.join("password"), password)?;
    File::create(folder.join("log"))?;
    if is_root()? {
        for path in [
            folder.to_owned(),
            folder.join("password"),
            folder.join("log"),
        ] {
            chown(path, Some(NOBODY), Some(NOBODY))?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    // md5 and not scram, whose rounds are slow in a debug build.
    let status = as_server(folder, initdb)?
        .arg(format!("--pgdata={}", folder.join("data").display()))
        .arg(format!("--pwfile={}", folder.join("password").display()))
        .args([
            "--username=packetboat",
            "--auth=md5",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ])
        .status()?;
    if status.success() {
        Ok(())
    } else {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        Err(io::Error::other(format!(
            "initdb: {status}; it said: {log}"
        )))
    }
}

fn spawn(folder: &Path, port: u16) -> io::Result<Child> {
    let postgres = find("postgres").ok_or(io::ErrorKind::NotFound)?;
    let mut command = as_server(folder, &postgres)?;
    command
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder);
    command.arg("-p").arg(port.to_string());
    for setting in [
        "listen_addresses=127.0.0.1",
        "max_connections=50",
        "shared_buffers=16MB",
        "fsync=off",
    ] {
        command.arg("-c").arg(setting);
    }
    command.spawn()
}

/// A command of the server's user, which ends with this thread and writes to the log.
fn as_server(folder: &Path, program: &Path) -> io::Result<Command> {
    let mut command = Command::new("setpriv");
    if is_root()? {
        command.args([
            &format!("--reuid={NOBODY}"),
            &format!("--regid={NOBODY}"),
            "--clear-groups",
        ]);
    }
    let log = File::options().append(true).open(folder.join("log"))?;
    command
        .args(["--pdeathsig", "QUIT"])
        .arg(program)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// A failure means that it has ended already.
fn signal(process: &Child, name: &str) {
    let _ = Command::new("sh")
        .args([
            "-c",
            "kill -\"$1\" \"$2\"",
            "kill",
            name,
            &process.id().to_string(),
        ])
        .stderr(Stdio::null())
        .status();
}
