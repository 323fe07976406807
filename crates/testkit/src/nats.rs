//! A NATS server with JetStream in a temporary folder.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;

/// A server of a test's own, which can be killed and started again over what it had stored.
#[derive(Debug)]
pub struct Nats {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nats {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("headway-nats-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut nats = Self { folder, port, child: None };
        nats.restart();
        nats
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it, after [`Self::kill`].
    pub fn restart(&mut self) {
        let program = binary().unwrap_or_else(|| {
            panic!(
                "these tests kill and restart a NATS server with JetStream: put nats-server on PATH \
                 (Debian: apt-get install nats-server)"
            )
        });
        let log = self.folder.path().join("log");
        let out = fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--jetstream"])
            .arg("--store_dir")
            .arg(self.folder.path().join("store"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("NATS did not start: {}", fs::read_to_string(log).unwrap_or_default());
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills it and forgets what it had stored.
    pub fn lose(&mut self) {
        self.kill();
        fs::remove_dir_all(self.folder.path().join("store")).unwrap();
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server named by `TEST_NATS_URL`, or one of our own, which ends when its standard input does: with this process.
#[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
pub fn nats_url() -> String {
    static SHARED: OnceLock<String> = OnceLock::new();
    let start = || {
        let mut nats = Nats::start();
        let child = nats.child.take().unwrap();
        // It ends with this process: its guard waits on our end of a pipe.
        let script =
            format!("read -r _; kill -9 {}; rm -rf '{}'", child.id(), nats.folder.path().display());
        let guard = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).spawn();
        std::mem::forget((guard.unwrap(), child));
        let url = nats.url();
        std::mem::forget(nats);
        url
    };
    std::env::var("TEST_NATS_URL").unwrap_or_else(|_| SHARED.get_or_init(start).clone())
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|it| it.join("nats-server")).find(|it| it.is_file())
}
