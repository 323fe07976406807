//! A PostgreSQL server in a temporary folder, started once per test process.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;

static SERVER: OnceCell<String> = OnceCell::const_new();

pub(crate) async fn start() -> String {
    SERVER
        .get_or_init(|| async {
            let (url, folder) = tokio::task::spawn_blocking(boot).await.expect("PostgreSQL boots");
            for _ in 0..300 {
                if PgConnection::connect(&format!("{url}/postgres")).await.is_ok() {
                    return url;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            panic!("PostgreSQL did not start: {log}")
        })
        .await
        .clone()
}

fn boot() -> (String, PathBuf) {
    let bin = binaries().unwrap_or_else(|| {
        panic!(
            "these tests need PostgreSQL 15 or newer: put initdb and postgres on PATH \
             (Debian: apt-get install postgresql), or name a server in TEST_PG_URL"
        )
    });
    let folder = tempfile::Builder::new().prefix("headway-pg-").tempdir().unwrap().keep();
    let data = folder.join("data");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let root = fs::metadata("/proc/self").is_ok_and(|it| {
        use std::os::unix::fs::MetadataExt;
        it.uid() == 0
    });
    if root {
        run(Command::new("chown").arg("postgres").arg(&folder));
    }
    run(as_owner(root, &bin.join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"])
        .arg(&data));
    // The server ends with this process: its parent shell waits on our end of a pipe.
    let script = format!(
        "'{postgres}' -D '{data}' -p {port} -k '{folder}' -c listen_addresses=127.0.0.1 \
         -c max_connections=400 -c fsync=off >'{folder}/log' 2>&1 & \
         read -r _; kill -INT $!; wait $!; rm -rf '{folder}'",
        postgres = bin.join("postgres").display(),
        data = data.display(),
        folder = folder.display(),
    );
    let mut shell = as_owner(root, Path::new("/bin/sh"));
    let child = shell.args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    // Its standard input stays open until this process ends.
    std::mem::forget(child);
    (format!("postgres://postgres@127.0.0.1:{port}"), folder)
}

/// PostgreSQL refuses to run as root.
fn as_owner(root: bool, program: &Path) -> Command {
    if root {
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

/// Where the server's programs are: on PATH, or where Debian and Red Hat put them.
fn binaries() -> Option<PathBuf> {
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
