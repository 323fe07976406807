use anyhow::{Context, Result};

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    secrets::Secrets,
};

/// Makes a new signing key and lists all there are, per journal. A server that runs takes it at its next checkpoint.
pub(crate) fn rotate_key(settings: &Overrides, alone: bool) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    let folder = config.keys_dir();
    let secrets = Secrets::open(&folder, config.journal.name.as_deref())
        .with_context(|| folder.display().to_string())?;
    secrets.journal.rotate(alone)?;
    for service in Service::ALL {
        for (verifier, signing) in secrets.journal.verifiers(service.name())? {
            say(format_args!("{} {verifier}", if signing { "signs   " } else { "verifies" }))?;
        }
    }
    Ok(())
}
