//! A process's folder: the one it is given, or a temporary one that goes when the process does.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The file whose lock says that the process owning a temporary folder lives.
const LOCK: &str = "lock";

/// A folder to work in.
pub struct Scratch {
    path: PathBuf,
    /// Present when the folder is ours to remove.
    temporary: Option<File>,
}

impl Scratch {
    /// Uses `given`, made if absent, or makes a temporary folder. The temporary folders of processes
    /// that were killed are removed on the way.
    pub fn new(given: Option<&Path>) -> Result<Self> {
        match given {
            Some(path) => {
                fs::create_dir_all(path).map_err(|e| Error::io("create", path, e))?;
                let path = fs::canonicalize(path).map_err(|e| Error::io("resolve", path, e))?;
                Ok(Scratch { path, temporary: None })
            }
            None => {
                let root = env::temp_dir().join(format!("firesteel-{}", user()));
                fs::create_dir_all(&root).map_err(|e| Error::io("create", &root, e))?;
                sweep(&root);
                Self::temporary(&root)
            }
        }
    }

    fn temporary(root: &Path) -> Result<Self> {
        let path = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(root)
            .map_err(|e| Error::io("create a folder in", root, e))?
            .keep();
        let lock = path.join(LOCK);
        let file = File::create(&lock).map_err(|e| Error::io("create", &lock, e))?;
        file.lock().map_err(|e| Error::io("lock", &lock, e))?;
        Ok(Scratch { path, temporary: Some(file) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary.take().is_some() {
            remove(&self.path);
        }
    }
}

/// The number of the user we run as, so that two users' folders do not meet; 0 where it is unknown.
fn user() -> u32 {
    fs::metadata("/proc/self").map_or(0, |m| m.uid())
}

/// Removes folders whose owner died without cleaning up.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        // Without a lock file the owner may be just starting: leave it.
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove a temporary folder");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_with_its_owner_or_by_the_next_sweep() {
        let root = tempfile::tempdir().expect("temporary folder");
        let alive = Scratch::temporary(root.path()).expect("made");
        let ended = Scratch::temporary(root.path()).expect("made").path().to_owned();
        assert!(!ended.exists());

        let killed = root.path().join("run-killed");
        fs::create_dir_all(&killed).expect("made");
        File::create(killed.join(LOCK)).expect("made");
        sweep(root.path());
        assert!(!killed.exists());
        assert!(alive.path().exists());
    }
}
