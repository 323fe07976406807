use anyhow::Result;

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    secrets::Secrets,
};

/// Makes a new signing key and lists all there are, per journal. A server that runs takes it at its next checkpoint.
pub(crate) fn rotate_key(settings: &Overrides, alone: bool) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    let secrets = Secrets::of(&config)?;
    secrets.journal.rotate(alone)?;
    for service in Service::ALL {
        for (verifier, signing) in secrets.journal.verifiers(service.name())? {
            say(format_args!("{} {verifier}", if signing { "signs   " } else { "verifies" }))?;
        }
    }
    Ok(())
}
