//! The directory of one executor process, and the removal of those that dead ones left behind.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "executor-";
const NEW: &str = "new-";
const LOCK: &str = "lock";

/// A directory that belongs to this process while it lives: a lock in it says so to others that
/// share the parent. Removed on drop.
pub(crate) struct WorkDir {
    path: PathBuf,
    _lock: File,
}

impl WorkDir {
    /// Makes the directory of executor `id` below `parent`, after removing what was abandoned.
    pub(crate) fn create(parent: &Path, id: &str) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        remove_abandoned(parent)?;
        let path = parent.join(format!("{PREFIX}{id}"));
        // Under another name until it is locked: one that starts at the same time would take it for abandoned.
        let new = parent.join(format!("{NEW}{id}"));
        fs::create_dir(&new)?;
        let lock = File::create(new.join(LOCK))?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::Error(e) => e,
            TryLockError::WouldBlock => io::Error::other("the new work directory is locked"),
        })?;
        fs::rename(&new, &path)?;
        fs::create_dir(path.join("shuffle"))?;
        fs::create_dir(path.join("spill"))?;
        Ok(WorkDir { path, _lock: lock })
    }

    /// Where shuffle files go: one directory per job.
    pub(crate) fn shuffle(&self) -> PathBuf {
        self.path.join("shuffle")
    }

    /// Where operators spill.
    pub(crate) fn spill(&self) -> PathBuf {
        self.path.join("spill")
    }

    /// Whether some job may still read shuffle files from here.
    pub(crate) fn holds_jobs(&self) -> bool {
        fs::read_dir(self.shuffle()).is_ok_and(|mut jobs| jobs.next().is_some())
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.path) {
            tracing::warn!("could not remove {}: {e}", self.path.display());
        }
    }
}

/// Removes directories whose lock nobody holds.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            tracing::info!("removing {}, left by a dead executor", entry.path().display());
            if let Err(e) = fs::remove_dir_all(entry.path()) {
                tracing::warn!("could not remove {}: {e}", entry.path().display());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_may_start_at_once() {
        let parent = tempfile::tempdir().expect("temporary directory");
        let make = |thread: usize| {
            let parent = parent.path();
            move || (0..20).map(|i| WorkDir::create(parent, &format!("{thread}-{i}"))).collect::<Vec<_>>()
        };
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(make(thread))).collect();
            threads.into_iter().flat_map(|t| t.join().expect("directories")).collect()
        });
        for dir in made {
            assert!(dir.expect("made").spill().exists());
        }
    }

    #[test]
    fn abandoned_directories_go_and_living_ones_stay() {
        let parent = tempfile::tempdir().expect("temporary directory");
        let living = WorkDir::create(parent.path(), "a").expect("first");
        let dead = parent.path().join("executor-dead");
        fs::create_dir(&dead).expect("directory");
        fs::write(dead.join(LOCK), "").expect("lock file");
        let other = WorkDir::create(parent.path(), "b").expect("second");
        assert!(!dead.exists());
        assert!(living.shuffle().exists() && other.spill().exists());
        assert!(!living.holds_jobs());
        fs::create_dir(living.shuffle().join("job")).expect("directory");
        assert!(living.holds_jobs());
        let path = living.path.clone();
        drop(living);
        assert!(!path.exists());
    }
}
