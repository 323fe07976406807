//! Something made of files, made again when they change.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::time::sleep;

use crate::{Error, Files, LOOK};

pub(crate) struct Fresh<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh")
    }
}

impl<T: Send + Sync + 'static> Fresh<T> {
    /// Makes it, and looks at the files for as long as somebody holds what came of them.
    pub(crate) fn keep(files: Files, make: fn(&Files) -> Result<T, Error>) -> Result<Self, Error> {
        let mut content = files.content()?;
        let current = Arc::new(RwLock::new(Arc::new(make(&files)?)));
        let held = Arc::downgrade(&current);
        tokio::spawn(async move {
            loop {
                sleep(LOOK).await;
                let Some(held) = held.upgrade() else { return };
                // A file that is being replaced may be away for a moment.
                let Ok(now) = files.content() else { continue };
                if now == content {
                    continue;
                }
                content = now;
                match make(&files) {
                    Ok(fresh) => {
                        *held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                        tracing::info!(certificate = %files.certificate.display(), "certificates are taken anew");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the changed certificates cannot be used: the ones before are kept");
                    }
                }
            }
        });
        Ok(Self(current))
    }

    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
