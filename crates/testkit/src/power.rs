//! A disk whose power fails: after the cut it holds what was flushed, and any part of what was not.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use rand::{RngExt, rngs::StdRng};
use tempfile::TempDir;

const SOURCE: &str = include_str!("power_cut.c");
const PENDING: &str = "pending";

/// Watches what processes write to the SQLite files of a folder. Linux only: it is preloaded into them.
#[derive(Debug)]
pub struct PowerCut {
    data: PathBuf,
    own: TempDir,
}

impl PowerCut {
    /// What the folder holds now counts as flushed.
    pub fn over(data: &Path) -> Self {
        let own = tempfile::tempdir().unwrap();
        let source = own.path().join("power_cut.c");
        fs::write(&source, SOURCE).unwrap();
        fs::create_dir(own.path().join("disk")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(own.path().join("it.so"));
        assert!(compiler.arg(source).args(["-ldl", "-lpthread"]).status().unwrap().success());
        let it = Self { data: data.canonicalize().unwrap(), own };
        it.settle();
        it
    }

    /// In the environment as well, it makes the disk answer a flush without doing it.
    pub const LYING: (&'static str, OsString) = ("HEADWAY_DISK_LIES", OsString::new());

    /// What a process must have in its environment to be watched.
    pub fn environment(&self) -> [(&'static str, OsString); 3] {
        [
            ("LD_PRELOAD", self.own.path().join("it.so").into()),
            ("HEADWAY_DATA", self.data.clone().into()),
            ("HEADWAY_DISK", self.disk().into()),
        ]
    }

    /// Once every process is dead: leaves in the folder what the disk would hold, the last write torn anywhere.
    pub fn strike(&self, chance: &mut StdRng) {
        for file in files(&self.disk()).into_iter().filter(|it| ends(it, PENDING)) {
            let on_disk = file.with_extension("");
            let to = OpenOptions::new().write(true).create(true).truncate(false).open(on_disk);
            let records = records(&file);
            let kept = chance.random_range(0..=records.len());
            for (index, record) in records.into_iter().take(kept).enumerate() {
                record.apply(to.as_ref().unwrap(), (index + 1 == kept).then_some(&mut *chance));
            }
            fs::remove_file(file).unwrap();
        }
        replace(&self.data, &self.disk());
    }

    /// What the folder holds now counts as flushed.
    pub fn settle(&self) {
        replace(&self.disk(), &self.data);
    }

    fn disk(&self) -> PathBuf {
        self.own.path().join("disk")
    }
}

/// Something written and not flushed.
enum Record {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

impl Record {
    fn apply(self, to: &File, torn: Option<&mut StdRng>) {
        match self {
            Self::Truncate { length } => to.set_len(length).unwrap(),
            Self::Write { offset, mut bytes } => {
                if let Some(chance) = torn {
                    bytes.truncate(chance.random_range(0..=bytes.len()));
                }
                to.write_all_at(&bytes, offset).unwrap();
            }
        }
    }
}

/// Those that the process had finished noting down when it died.
fn records(file: &Path) -> Vec<Record> {
    let mut from = File::open(file).unwrap();
    let mut records = Vec::new();
    let mut head = [0; 24];
    while from.read_exact(&mut head).is_ok() {
        let number = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
        let (kind, offset, length) = (number(0), number(8), number(16));
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        if from.read_exact(&mut bytes).is_err() {
            break;
        }
        let write = Record::Write { offset, bytes };
        records.push(if kind == 1 { Record::Truncate { length: offset } } else { write });
    }
    records
}

/// Makes the database files of one folder those of another.
fn replace(to: &Path, from: &Path) {
    for file in files(to) {
        fs::remove_file(file).unwrap();
    }
    for file in files(from).into_iter().filter(|it| !it.to_string_lossy().ends_with("-shm")) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// The database files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    files.filter(|it| it.is_file() && it.to_string_lossy().contains(".db")).collect()
}

fn ends(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|it| it == extension)
}
