use anyhow::Result;
use clap::Subcommand;

use super::say;
use crate::{
    config::{Config, Overrides},
    secrets::Secrets,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make another key for signing tokens, and list all whose tokens hold
    ///
    /// Servers that run read it within seconds and sign with it then; the key before verifies until no token it signed
    /// holds.
    Rotate {
        /// Remove the keys before at once, and with them every token there is: one of them is not to be trusted any more
        #[arg(long)]
        alone: bool,
        #[command(flatten)]
        settings: Overrides,
    },
}

impl Keys {
    pub(crate) fn run(self) -> Result<()> {
        let Self::Rotate { alone, settings } = self;
        let secrets = Secrets::of(&Config::load(&settings, None, None)?)?;
        secrets.tokens.rotate(alone)?;
        say(secrets.tokens.jwks())?;
        Ok(())
    }
}
