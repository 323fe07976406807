use anyhow::{Context, Result};
use clap::Subcommand;

use super::say;
use crate::{
    config::{Config, Overrides, Service},
    deployment::Deployment,
    secrets::PupilKeys,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make another key; every pseudonym is made anew with it once each process of intelligence was started again
    Renew {
        #[command(flatten)]
        settings: Overrides,
    },
    /// Say how many keys there are, and with how many each trust's ids are hashed
    Status {
        #[command(flatten)]
        settings: Overrides,
    },
}

pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Renew { settings } => {
            let folder = Config::load(&settings, None, None)?.keys_dir();
            let count = PupilKeys::add(&folder).with_context(|| folder.display().to_string())?;
            say(format_args!(
                "{count} keys; back the folder up, then start every process of intelligence again"
            ))?;
            Ok(())
        }
        Command::Status { settings } => {
            let config = Config::load(&settings, None, None)?;
            let opened = Deployment::open(&config, Some(Service::Intelligence)).await?;
            let (newest, trusts) = opened.generations().await?;
            say(format_args!("{newest} keys"))?;
            for (trust_id, generation) in trusts {
                let state = if generation == newest { "renewed" } else { "to be renewed" };
                say(format_args!("{trust_id} {generation} {state}"))?;
            }
            Ok(())
        }
    }
}
