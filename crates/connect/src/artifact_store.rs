//! The files a session's client sent: on disk, by name, gone with the session.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use spark::{Error, Result};
use tempfile::{NamedTempFile, TempPath};

/// The artifacts of one session. Copies of a session share the files, not the names.
#[derive(Debug, Default, Clone)]
pub struct ArtifactStore {
    files: Arc<Mutex<HashMap<String, Stored>>>,
}

#[derive(Debug, Clone)]
struct Stored {
    /// Deletes the file when the last holder goes.
    file: Arc<TempPath>,
    bytes: u64,
    crc: u32,
}

impl ArtifactStore {
    /// A store with the same files under the same names, which then goes its own way.
    pub fn copy(&self) -> ArtifactStore {
        ArtifactStore { files: Arc::new(Mutex::new(self.files.lock().clone())) }
    }

    /// Keeps a file. Sending it again is fine, sending another under its name is not.
    pub fn put(&self, name: &str, data: &[u8]) -> Result<()> {
        let (bytes, crc) = (data.len() as u64, crc32fast::hash(data));
        if let Some(stored) = self.files.lock().get(name) {
            return if stored.bytes == bytes && stored.crc == crc { Ok(()) } else { Err(already_exists(name)) };
        }
        let file = write(data).map_err(|e| Error::internal(format!("the artifact {name} cannot be stored: {e}")))?;
        self.files.lock().insert(name.to_string(), Stored { file: Arc::new(file), bytes, crc });
        Ok(())
    }

    /// Whether there is a file of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.files.lock().contains_key(name)
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(stored) = self.files.lock().get(name).cloned() else { return Ok(None) };
        let data = std::fs::read(&*stored.file)
            .map_err(|e| Error::internal(format!("the artifact {name} cannot be read back: {e}")))?;
        Ok(Some(data))
    }

    /// The size of a file.
    pub fn size(&self, name: &str) -> Option<u64> {
        self.files.lock().get(name).map(|s| s.bytes)
    }

    /// Where a file is, for processes that read it themselves.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.files.lock().get(name).map(|s| s.file.to_path_buf())
    }

    /// Forgets every file.
    pub fn clear(&self) {
        self.files.lock().clear();
    }
}

fn write(data: &[u8]) -> io::Result<TempPath> {
    let mut file = NamedTempFile::with_prefix("artifact-")?;
    file.write_all(data)?;
    Ok(file.into_temp_path())
}

fn already_exists(name: &str) -> Error {
    Error::runtime("ARTIFACT_ALREADY_EXISTS")
        .param("normalizedRemoteRelativePath", name)
        .with_message(format!("There is an artifact {name} with other content; artifacts are never overwritten."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_until_the_last_copy_goes() -> Result<()> {
        let store = ArtifactStore::default();
        store.put("a", b"one")?;
        store.put("a", b"one")?;
        let refused = store.put("a", b"two").err().map(|e| e.condition().to_string());
        assert_eq!(refused.as_deref(), Some("ARTIFACT_ALREADY_EXISTS"));
        let copy = store.copy();
        copy.put("b", b"")?;
        assert_eq!((store.contains("b"), copy.size("b")), (false, Some(0)));
        let path = store.path("a").unwrap_or_default();
        store.clear();
        assert_eq!(copy.read("a")?.as_deref(), Some(b"one".as_slice()));
        copy.clear();
        assert!(!path.exists());
        Ok(())
    }
}
