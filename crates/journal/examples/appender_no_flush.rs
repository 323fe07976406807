//! The appender over a journal that answers before the flush: what the crash tests must catch.

#[path = "appender.rs"]
mod appender;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    appender::main()
}
