//! Which files a path means: directories, single files, wildcards; hidden files left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use glob::{MatchOptions, Pattern};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use spark::{Error, Result};

use super::partitions::{escape, unescape};
use super::paths::{self, Location};
use super::registry::Registry;
use super::{Options, ReadRequest};

/// Folders listed at a time.
const CONCURRENT_LISTINGS: usize = 32;

/// A file and where partition columns begin in its path.
#[derive(Debug, Clone)]
pub struct Listed {
    pub meta: ObjectMeta,
    /// The directory below which `key=value` folders are partition columns.
    pub base: Path,
    /// The partition, as `p=1/q=x`, where the file's path does not tell.
    pub partition: Option<Arc<str>>,
}

/// All files of a request.
pub struct Listing {
    pub store: ObjectStoreUrl,
    pub files: Vec<Listed>,
    /// The paths as Spark prints them.
    pub roots: Vec<String>,
}

/// Lists the files of `request`.
///
/// # Errors
/// `PATH_NOT_FOUND` where a path does not exist, and failures of the store.
pub async fn list(runtime: &Arc<RuntimeEnv>, request: &ReadRequest) -> Result<Listing> {
    let mut files = Vec::new();
    let mut roots = Vec::new();
    let mut url: Option<ObjectStoreUrl> = None;
    for path in &request.paths {
        let location = paths::locate(path)?;
        if url.as_ref().is_some_and(|u| *u != location.store) {
            return Err(Error::unsupported("reading from several object stores at once"));
        }
        let store = runtime.object_store(&location.store).map_err(functions::error::from_datafusion)?;
        for root in expand(store.as_ref(), &location, path).await? {
            roots.push(root.display.clone());
            files.extend(list_root(store.as_ref(), &root, request).await?);
        }
        url = Some(location.store);
    }
    if let (Some(registry), Some(url)) = (&request.registry, &url) {
        files = registered(files, registry);
        let store = runtime.object_store(url).map_err(functions::error::from_datafusion)?;
        files.extend(located(store.as_ref(), url, registry, request).await?);
    }
    let store = url.ok_or_else(|| Error::analysis("UNABLE_TO_INFER_SCHEMA").param("format", &request.format))?;
    apply_filters(&mut files, request)?;
    Ok(Listing { store, files, roots })
}

/// The files in the folders of partitions that are known, each with its partition.
fn registered(files: Vec<Listed>, registry: &Registry) -> Vec<Listed> {
    let of = |file: Listed| {
        let (folder, _) = file.meta.location.as_ref().strip_prefix(file.base.as_ref())?.rsplit_once('/')?;
        let folder = folder.trim_start_matches('/');
        registry.get(folder).filter(|p| p.location.is_none())?;
        let partition = Some(Arc::from(folder));
        Some(Listed { partition, ..file })
    };
    files.into_iter().filter_map(of).collect()
}

/// The files of partitions in folders of their own.
async fn located(
    store: &dyn ObjectStore,
    url: &ObjectStoreUrl,
    registry: &Registry,
    request: &ReadRequest,
) -> Result<Vec<Listed>> {
    let mut listings = Vec::new();
    for (partition, path) in registry.located() {
        let location = paths::locate(path)?;
        if *url != location.store {
            return Err(Error::unsupported("reading from several object stores at once"));
        }
        listings.push(list_partition(store, location, Arc::from(partition.as_str()), request));
    }
    let mut found = futures::stream::iter(listings).buffer_unordered(CONCURRENT_LISTINGS);
    let mut files = Vec::new();
    while let Some(own) = found.next().await {
        files.extend(own?);
    }
    Ok(files)
}

async fn list_partition(
    store: &dyn ObjectStore,
    location: Location,
    partition: Arc<str>,
    request: &ReadRequest,
) -> Result<Vec<Listed>> {
    let files = list_root(store, &location, request).await?;
    Ok(files.into_iter().map(|f| Listed { partition: Some(Arc::clone(&partition)), ..f }).collect())
}

/// What is in one folder, on the way to which `values` were seen.
async fn list_level(
    store: &Arc<dyn ObjectStore>,
    values: Vec<String>,
    folder: Path,
) -> (Vec<String>, object_store::Result<object_store::ListResult>) {
    (values, store.list_with_delimiter(Some(&folder)).await)
}

/// The folders that are partitions by `columns`: their paths with the columns spelled so, and where they
/// are if that is not the folder of the path. Folders of other names are passed over.
///
/// # Errors
/// Failures of the store.
pub async fn partition_folders(
    runtime: &Arc<RuntimeEnv>,
    location: &str,
    columns: &[String],
    case_sensitive: bool,
) -> Result<Vec<(String, Option<String>)>> {
    let root = paths::locate(location)?;
    let store = runtime.object_store(&root.store).map_err(functions::error::from_datafusion)?;
    let mut level = vec![(Vec::new(), root.path.clone())];
    for column in columns {
        let listings: Vec<_> = level.into_iter().map(|(values, folder)| list_level(&store, values, folder)).collect();
        let mut listings = futures::stream::iter(listings).buffer_unordered(CONCURRENT_LISTINGS);
        let mut next = Vec::new();
        while let Some((values, listed)) = listings.next().await {
            let listed = match listed {
                Err(object_store::Error::NotFound { .. }) => continue,
                other => other.map_err(|e| store_error(location, e))?,
            };
            for folder in listed.common_prefixes {
                let Some(name) = folder.filename().filter(|n| !n.starts_with('.')) else { continue };
                let Some((key, value)) = name.split_once('=') else { continue };
                if super::same_name(&unescape(key), column, case_sensitive) && !value.is_empty() {
                    let mut values = values.clone();
                    values.push(format!("{}={}", escape(column), escape(&unescape(value))));
                    next.push((values, folder));
                }
            }
        }
        level = next;
    }
    let base = root.display.trim_end_matches('/');
    let mut found: Vec<_> = level
        .into_iter()
        .map(|(values, folder)| {
            let path = values.join("/");
            let below = folder.as_ref().strip_prefix(root.path.as_ref()).unwrap_or_default().trim_start_matches('/');
            let own = (below != path).then(|| format!("{base}/{below}"));
            (path, own)
        })
        .collect();
    found.sort();
    Ok(found)
}

fn apply_filters(files: &mut Vec<Listed>, request: &ReadRequest) -> Result<()> {
    if let Some(filter) = request.options.get("pathGlobFilter") {
        let patterns = patterns(filter)?;
        files.retain(|f| f.meta.location.filename().is_some_and(|n| patterns.iter().any(|p| p.matches(n))));
    }
    let readers = super::rows::Readers::new(&Options::default(), &request.time_zone);
    for (key, before) in [("modifiedBefore", true), ("modifiedAfter", false)] {
        let Some(text) = request.options.get(key) else { continue };
        let bound = readers.timestamp(text).ok_or_else(|| {
            Error::analysis("_LEGACY_ERROR_TEMP_1294")
                .param("strategy", key.to_ascii_lowercase())
                .param("timeString", text)
                .with_message(format!("The option {key} must be a timestamp, not '{text}'."))
        })?;
        files.retain(|f| {
            let modified = f.meta.last_modified.timestamp_micros();
            if before { modified < bound } else { modified > bound }
        });
    }
    // A path that is given twice is read twice.
    files.sort_by(|a, b| a.meta.location.cmp(&b.meta.location));
    Ok(())
}

/// The places a path with wildcards means; a path without means itself.
async fn expand(store: &dyn ObjectStore, location: &Location, written: &str) -> Result<Vec<Location>> {
    if !paths::is_glob(written) {
        return Ok(vec![location.clone()]);
    }
    // A file may be called like a pattern.
    if store.head(&location.path).await.is_ok() {
        return Ok(vec![location.clone()]);
    }
    let pattern = location.path.as_ref();
    let parts: Vec<&str> = pattern.split('/').collect();
    let fixed: Vec<&str> = parts.iter().copied().take_while(|p| !paths::is_glob(p)).collect();
    let patterns = parts.iter().map(|p| patterns(p)).collect::<Result<Vec<_>>>()?;
    let prefix = parse(&fixed.join("/"))?;
    let metas: Vec<ObjectMeta> = store.list(Some(&prefix)).try_collect().await.map_err(|e| store_error(written, e))?;
    let mut found = BTreeSet::new();
    for meta in metas {
        let names: Vec<String> = meta.location.parts().map(|p| p.as_ref().to_string()).collect();
        let matches = names.len() >= patterns.len()
            && names.iter().zip(&patterns).all(|(n, alternatives)| alternatives.iter().any(|p| matches(p, n)));
        if matches {
            found.insert(names[..patterns.len()].join("/"));
        }
    }
    if found.is_empty() {
        return Err(paths::not_found(&location.display));
    }
    let scheme = location.display.strip_suffix(pattern).unwrap_or("").to_string();
    found
        .into_iter()
        .map(|p| Ok(Location { store: location.store.clone(), path: parse(&p)?, display: format!("{scheme}{p}") }))
        .collect()
}

/// A path of names as they are, nothing escaped.
fn parse(text: &str) -> Result<Path> {
    Path::parse(text).map_err(|_| paths::not_found(text))
}

fn matches(pattern: &Pattern, name: &str) -> bool {
    let hidden_asked = pattern.as_str().starts_with(['_', '.']);
    (hidden_asked || !is_hidden(name))
        && pattern.matches_with(name, MatchOptions { require_literal_leading_dot: false, ..MatchOptions::new() })
}

/// The patterns of one path component, its `{a,b}` alternatives multiplied out.
fn patterns(component: &str) -> Result<Vec<Pattern>> {
    let bad = |e: glob::PatternError| {
        Error::analysis("INVALID_OPTIONS").with_message(format!("'{component}' is not a valid pattern: {e}"))
    };
    alternatives(component).iter().map(|p| Pattern::new(p).map_err(bad)).collect()
}

fn alternatives(text: &str) -> Vec<String> {
    let Some(open) = text.find('{') else { return vec![text.to_string()] };
    let Some(close) = text[open..].find('}').map(|c| open + c) else { return vec![text.to_string()] };
    let tails = alternatives(&text[close + 1..]);
    text[open + 1..close]
        .split(',')
        .flat_map(|choice| tails.iter().map(move |tail| format!("{}{choice}{tail}", &text[..open])))
        .collect()
}

async fn list_root(store: &dyn ObjectStore, root: &Location, request: &ReadRequest) -> Result<Vec<Listed>> {
    let base_option = request.options.get("basePath").map(paths::locate).transpose()?.map(|l| l.path);
    if let Ok(meta) = store.head(&root.path).await {
        let parent: Vec<_> = root.path.parts().collect();
        let parent = Path::from_iter(parent[..parent.len().saturating_sub(1)].iter().cloned());
        return Ok(vec![Listed { meta, base: base_option.unwrap_or(parent), partition: None }]);
    }
    let metas: Vec<ObjectMeta> =
        store.list(Some(&root.path)).try_collect().await.map_err(|e| store_error(&root.display, e))?;
    if metas.is_empty() && !request.allow_empty && !directory_exists(root) {
        return Err(paths::not_found(&root.display));
    }
    let depth = root.path.parts().count();
    let recursive = request.options.bool("recursiveFileLookup", false)?;
    let base = base_option.unwrap_or_else(|| root.path.clone());
    Ok(metas
        .into_iter()
        .filter(|m| {
            let below: Vec<String> = m.location.parts().skip(depth).map(|p| p.as_ref().to_string()).collect();
            let folders = &below[..below.len().saturating_sub(1)];
            !below.iter().any(|p| is_hidden(p)) && (recursive || folders.iter().all(|f| f.contains('=')))
        })
        .map(|meta| Listed { meta, base: base.clone(), partition: None })
        .collect())
}

fn directory_exists(location: &Location) -> bool {
    location.display.strip_prefix("file:").is_some_and(|p| std::path::Path::new(p).is_dir())
}

/// Spark's rule for names that are not data.
fn is_hidden(name: &str) -> bool {
    (name.starts_with('_') && !name.contains('=')) || name.starts_with('.')
}

fn store_error(path: &str, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => paths::not_found(path),
        other => Error::new(spark::ErrorKind::Spark, "FAILED_READ_FILE.NO_HINT")
            .param("path", path)
            .with_message(format!("{path} cannot be listed: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_alternatives() {
        assert_eq!(alternatives("a{b,c}d{e,f}"), ["abde", "abdf", "acde", "acdf"]);
        assert_eq!(alternatives("plain"), ["plain"]);
    }

    #[tokio::test]
    async fn folders_are_partitions_by_the_names_of_columns() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["p=1/q=x", "P=2/q=a%2Fb", "p=3", "p=4/z=1", "other=1/q=x", ".p=5/q=x", "p=/q=x"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let location = format!("file:{}", root.path().display());
        let columns = ["p".to_string(), "q".to_string()];
        let runtime = Arc::new(RuntimeEnv::default());
        let found = |sensitive| partition_folders(&runtime, &location, &columns, sensitive);
        let own = format!("{location}/P=2/q=a%2Fb");
        let all = [("p=1/q=x".to_string(), None), ("p=2/q=a%2Fb".to_string(), Some(own))];
        assert_eq!(found(false).await.unwrap(), all);
        assert_eq!(found(true).await.unwrap(), all[..1]);
    }

    #[test]
    fn hidden_names() {
        for (name, hidden) in [("_SUCCESS", true), (".crc", true), ("_c=1", false), ("part-0", false)] {
            assert_eq!(is_hidden(name), hidden, "{name}");
        }
    }
}
