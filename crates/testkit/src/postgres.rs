//! PostgreSQL servers in temporary folders: one that a test process shares, and others that a test may crash.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

static SHARED: OnceCell<String> = OnceCell::const_new();

/// The tables live in memory where there is this much of it, in MiB: flushing is on, and costs nothing.
const ROOM: u64 = 2048;

pub(crate) async fn start() -> String {
    SHARED
        .get_or_init(|| async {
            let server = Server::start(&[]).await;
            let url = server.url.clone();
            // It ends when our end of its pipe closes, which is when this process ends.
            std::mem::forget(server);
            url
        })
        .await
        .clone()
}

/// A server of a test's own; gone when dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    folder: TempDir,
    settings: Vec<String>,
    shell: Option<Child>,
}

impl Server {
    /// Starts a server with settings such as `fsync=off` beside its defaults.
    pub async fn start(settings: &[&str]) -> Self {
        let mut all = vec!["listen_addresses=127.0.0.1".to_owned()];
        all.extend(settings.iter().map(|it| (*it).to_owned()));
        let folder = tokio::task::spawn_blocking(initialise).await.expect("PostgreSQL boots");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("postgres://postgres@127.0.0.1:{port}");
        let mut server = Self { url, folder, settings: all, shell: None };
        server.restart().await;
        server
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts it again over the same files, after a crash.
    pub async fn restart(&mut self) {
        let port = self.url.rsplit(':').next().unwrap();
        let settings = self.settings.join(" -c ");
        let script = format!(
            "'{postgres}' -D '{folder}/data' -p {port} -k '{folder}' \
             -c max_connections=400 -c {settings} >>'{folder}/log' 2>&1 & \
             read -r _; kill -INT $!; wait $!; rm -rf '{folder}'",
            postgres = binaries().join("postgres").display(),
            folder = self.folder.path().display(),
        );
        let mut shell = as_owner(Path::new("/bin/sh"));
        shell.args(["-c", &script]).stdin(Stdio::piped());
        self.shell = Some(shell.spawn().unwrap());
        for _ in 0..600 {
            if PgConnection::connect(&format!("{}/postgres", self.url)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}")
    }

    /// Kills every process of it at once, as no operator may: what it had not written is lost.
    pub fn kill(&mut self) {
        let file = self.folder.path().join("data/postmaster.pid");
        let first = fs::read_to_string(&file).unwrap();
        let postmaster = first.lines().next().unwrap().to_owned();
        let shell = self.shell.take().unwrap();
        // The shell first, or it would tidy the folder away.
        let mut all = vec![shell.id().to_string()];
        all.extend(parents_of(&postmaster));
        all.push(postmaster.clone());
        all.extend(children_of(&postmaster));
        // Stopped before any is killed: no process sees another die and flushes.
        for signal in ["-STOP", "-KILL"] {
            Command::new("kill").arg(signal).args(&all).stderr(Stdio::null()).status().unwrap();
        }
        let mut shell = shell;
        shell.wait().unwrap();
        while Path::new(&format!("/proc/{postmaster}")).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::remove_file(file).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            drop(shell.wait());
        }
    }
}

/// Parent, by process id, of every process there is.
fn parentage() -> Vec<(String, String)> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|it| {
            let status = fs::read_to_string(it.path().join("status")).ok()?;
            let parent = status.lines().find_map(|it| it.strip_prefix("PPid:"))?.trim().to_owned();
            Some((it.file_name().to_string_lossy().into_owned(), parent))
        })
        .collect()
}

fn children_of(process: &str) -> Vec<String> {
    let children = parentage().into_iter().filter(|(_, parent)| parent == process);
    children.map(|(child, _)| child).collect()
}

/// The shell that waits for the server.
fn parents_of(process: &str) -> Vec<String> {
    let parents = parentage().into_iter().filter(|(child, _)| child == process);
    parents.map(|(_, parent)| parent).filter(|it| it != "1").collect()
}

fn initialise() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("headway-pg-");
    let folder = match memory() {
        Some(place) => builder.tempdir_in(place),
        None => builder.tempdir(),
    }
    .unwrap();
    if root() {
        run(Command::new("chown").arg("postgres").arg(folder.path()));
    }
    run(as_owner(&binaries().join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"])
        .arg(folder.path().join("data")));
    folder
}

/// A file system in memory with enough room, where the system has one.
fn memory() -> Option<PathBuf> {
    let place = PathBuf::from("/dev/shm");
    let output = Command::new("df").args(["-Pm"]).arg(&place).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let free: u64 = said.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    (free >= ROOM).then_some(place)
}

fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0)
}

/// PostgreSQL refuses to run as root.
fn as_owner(program: &Path) -> Command {
    if root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn binaries() -> PathBuf {
    installed().unwrap_or_else(|| {
        panic!(
            "these tests need PostgreSQL 15 or newer: put initdb and postgres on PATH \
             (Debian: apt-get install postgresql), or name a server in TEST_PG_URL"
        )
    })
}

/// Where the server's programs are: on PATH, or where Debian and Red Hat put them.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = ["/usr/lib/postgresql", "/opt/homebrew/opt"]
        .iter()
        .filter_map(|it| fs::read_dir(it).ok())
        .flatten()
        .filter_map(|it| Some(it.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.push(PathBuf::from("/usr/pgsql/bin"));
    folders.into_iter().find(|it| it.join("initdb").is_file() && it.join("postgres").is_file())
}
