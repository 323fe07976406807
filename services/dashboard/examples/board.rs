//! Renders the page of a made-up trust into a folder: `cargo run -p dashboard --example board -- FOLDER`.
//! Serve the folder with any file server to look at it.

#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "made up for tests"
)]
#[path = "../tests/it/sample.rs"]
mod sample;

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "target/board".to_owned()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), dashboard::page(&sample::view()).into_string())?;
    fs::write(folder.join("board.css"), include_str!("../src/board.css"))?;
    fs::write(folder.join("board.js"), include_str!("../src/board.js"))
}
