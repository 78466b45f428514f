//! The staging folder of a write, and how its files come into place.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use spark::{Error, Result};

use super::{SaveMode, WriteSpec};
use crate::source::paths::Location;

/// The folder that Spark's committers stage in; readers skip it.
const STAGING: &str = "_temporary";

/// Files moved or deleted at a time.
const CONCURRENT_MOVES: usize = 16;

/// One write's place in its store.
pub struct Job {
    store: Arc<dyn ObjectStore>,
    location: Location,
    /// Part of every file's name.
    pub id: String,
}

impl Job {
    pub fn new(runtime: &Arc<RuntimeEnv>, spec: &WriteSpec) -> Result<Self> {
        let store = runtime.object_store(&spec.location.store).map_err(functions::error::from_datafusion)?;
        Ok(Job { store, location: spec.location.clone(), id: uuid::Uuid::new_v4().to_string() })
    }

    /// A writer of a staged file.
    pub fn create(&self, relative: &str) -> Result<BufWriter> {
        Ok(BufWriter::new(Arc::clone(&self.store), self.staged(relative)?))
    }

    fn staged(&self, relative: &str) -> Result<Path> {
        self.place(&format!("{STAGING}/{}/{relative}", self.id))
    }

    fn place(&self, relative: &str) -> Result<Path> {
        let joined = format!("{}/{relative}", self.location.path);
        Path::parse(joined.trim_start_matches('/')).map_err(|e| self.failed(&e.to_string()))
    }

    /// A file of a partition with a folder of its own.
    fn inside(&self, location: &Location, file: &str) -> Result<Path> {
        if location.store != self.location.store {
            return Err(Error::unsupported("writing to several object stores at once"));
        }
        let joined = format!("{}/{file}", location.path);
        Path::parse(joined.trim_start_matches('/')).map_err(|e| self.failed(&e.to_string()))
    }

    /// Whether there is anything at the target.
    pub async fn exists(&self) -> Result<bool> {
        if self.local().is_some_and(|p| p.exists()) {
            return Ok(true);
        }
        if self.store.head(&self.location.path).await.is_ok() {
            return Ok(true);
        }
        let first = self.store.list(Some(&self.location.path)).next().await;
        Ok(matches!(first, Some(Ok(_))))
    }

    fn local(&self) -> Option<std::path::PathBuf> {
        self.location.display.strip_prefix("file:").map(std::path::PathBuf::from)
    }

    /// Moves the staged files into place and removes what the mode says.
    pub async fn commit(&self, spec: &WriteSpec, staged: Vec<String>) -> Result<()> {
        let is_within = |folder: &str| {
            let rest = folder.strip_prefix(spec.within.as_str());
            rest.is_some_and(|r| spec.within.is_empty() || r.is_empty() || r.starts_with('/'))
        };
        match spec.mode {
            SaveMode::Overwrite => self.delete(spec, is_within).await?,
            SaveMode::OverwriteDynamic if spec.partition_by.is_empty() => self.delete(spec, |_| true).await?,
            SaveMode::OverwriteDynamic => {
                let folders: BTreeSet<&str> =
                    staged.iter().filter_map(|f| f.rsplit_once('/')).map(|(d, _)| d).collect();
                self.delete(spec, |folder| folders.contains(folder)).await?;
            }
            _ => {}
        }
        let located: HashMap<&str, &Location> = spec.located.iter().map(|(p, l)| (p.as_str(), l)).collect();
        let mut moves = Vec::with_capacity(staged.len());
        for relative in &staged {
            let own = relative.rsplit_once('/').and_then(|(folder, file)| Some((located.get(folder)?, file)));
            let to = match own {
                Some((location, file)) => self.inside(location, file)?,
                None => self.place(relative)?,
            };
            moves.push((self.staged(relative)?, to));
        }
        let moves: Vec<_> = moves.iter().map(|(from, to)| self.store.rename(from, to)).collect();
        futures::stream::iter(moves)
            .buffer_unordered(CONCURRENT_MOVES)
            .try_collect::<Vec<()>>()
            .await
            .map_err(|e| self.failed(&e.to_string()))?;
        let success = self.place("_SUCCESS")?;
        self.store.put(&success, PutPayload::new()).await.map_err(|e| self.failed(&e.to_string()))?;
        self.abort().await;
        Ok(())
    }

    /// Deletes the files of the partitions whose path passes `doomed`.
    async fn delete(&self, spec: &WriteSpec, doomed: impl Fn(&str) -> bool) -> Result<()> {
        self.delete_data(|path| doomed(path.rsplit_once('/').map_or("", |(folder, _)| folder))).await?;
        for (_, location) in spec.located.iter().filter(|(partition, _)| doomed(partition)) {
            // Folders below are not the partition's.
            let listed = self.store.list_with_delimiter(Some(&location.path)).await;
            let files = match listed {
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                other => other.map_err(|e| self.failed(&e.to_string()))?.objects,
            };
            for file in files {
                self.store.delete(&file.location).await.map_err(|e| self.failed(&e.to_string()))?;
            }
        }
        Ok(())
    }

    /// Deletes the files below the target whose path relative to it passes `doomed`.
    async fn delete_data(&self, doomed: impl Fn(&str) -> bool) -> Result<()> {
        let prefix = format!("{}/", self.location.path);
        let all: Vec<_> =
            self.store.list(Some(&self.location.path)).try_collect().await.map_err(|e| self.failed(&e.to_string()))?;
        let targets: Vec<Path> = all
            .into_iter()
            .map(|m| m.location)
            .filter(|p| {
                let relative = p.as_ref().strip_prefix(&prefix).unwrap_or("");
                !relative.starts_with(STAGING) && !relative.is_empty() && doomed(relative)
            })
            .collect();
        let deletes: Vec<_> = targets.iter().map(|p| self.store.delete(p)).collect();
        futures::stream::iter(deletes)
            .buffer_unordered(CONCURRENT_MOVES)
            .try_collect::<Vec<()>>()
            .await
            .map_err(|e| self.failed(&e.to_string()))?;
        self.remove_empty_folders();
        Ok(())
    }

    /// Folders of overwritten partitions would look like partitions without rows.
    fn remove_empty_folders(&self) {
        let Some(root) = self.local() else { return };
        let mut folders: Vec<_> = walk(&root);
        folders.sort_by_key(|p| std::cmp::Reverse(p.components().count()));
        // A folder that is not empty stays; that is what is wanted.
        folders.iter().for_each(|p| drop(std::fs::remove_dir(p)));
    }

    /// Removes the staging folder; what cannot be removed is invisible to readers.
    pub async fn abort(&self) {
        let staging = match self.place(&format!("{STAGING}/{}", self.id)) {
            Ok(path) => path,
            Err(_) => return,
        };
        let left: Vec<_> = self.store.list(Some(&staging)).filter_map(|m| async { m.ok() }).collect().await;
        for meta in left {
            if let Err(e) = self.store.delete(&meta.location).await {
                tracing::warn!("a staged file could not be removed: {e}");
            }
        }
        if let Some(root) = self.local() {
            // Another write may be staging beside this one: only empty folders go.
            let root = root.join(STAGING);
            drop(std::fs::remove_dir_all(root.join(&self.id)));
            drop(std::fs::remove_dir(root));
        }
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(spark::ErrorKind::Spark, "TASK_WRITE_FAILED")
            .param("path", &self.location.display)
            .with_message(format!("Writing to {} failed: {why}", self.location.display))
    }
}

fn walk(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(folder) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) && entry.file_name() != STAGING {
                found.push(entry.path());
                todo.push(entry.path());
            }
        }
    }
    found
}
