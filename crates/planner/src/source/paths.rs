//! Paths as users write them, as URLs of object stores.

use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;
use spark::{Error, Result};
use url::Url;

/// A place in an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub store: ObjectStoreUrl,
    pub path: Path,
    /// The path as Spark prints it (`file:/data/x`).
    pub display: String,
}

/// Reads a path: absolute, relative to the working directory, or a URL.
///
/// # Errors
/// `PATH_NOT_FOUND`-independent failures: a malformed URL or a path that is no UTF-8.
pub fn locate(path: &str) -> Result<Location> {
    // An empty path would be the folder that the server was started in.
    if path.trim().is_empty() || matches!(path.trim(), "file:" | "file://") {
        return Err(Error::new(spark::ErrorKind::IllegalArgument, "INVALID_EMPTY_LOCATION")
            .param("location", path)
            .with_message("A location is not empty."));
    }
    if let Some(local) = local_path(path) {
        return local_location(&local);
    }
    let url = Url::parse(path).map_err(|e| invalid(path, &e.to_string()))?;
    let scheme = match url.scheme() {
        "s3a" | "s3n" => "s3",
        other => other,
    };
    let host = url.host_str().unwrap_or("");
    let user = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
    let store = ObjectStoreUrl::parse(format!("{scheme}://{user}{host}")).map_err(|e| invalid(path, &e.to_string()))?;
    let inner = Path::from_url_path(url.path()).map_err(|e| invalid(path, &e.to_string()))?;
    Ok(Location { store, path: inner, display: path.trim_end_matches('/').to_string() })
}

/// The file system path behind `path`, if it is one.
pub fn local_path(path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("file:") {
        let rest = rest.strip_prefix("//").map_or(rest, |r| r.strip_prefix("localhost").unwrap_or(r));
        return Some(if rest.starts_with('/') { rest.to_string() } else { format!("/{rest}") });
    }
    let has_scheme =
        path.split_once("://").is_some_and(|(s, _)| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric()));
    (!has_scheme).then(|| path.to_string())
}

fn local_location(path: &str) -> Result<Location> {
    let absolute = absolute(path)?;
    let inner = Path::parse(absolute.trim_matches('/'))
        .or_else(|_| Path::from_absolute_path(&absolute))
        .map_err(|e| invalid(path, &e.to_string()))?;
    Ok(Location { store: ObjectStoreUrl::local_filesystem(), path: inner, display: format!("file:{absolute}") })
}

/// The absolute form of a local path, with `.`, `..` and doubled slashes taken out.
///
/// # Errors
/// If the working directory is gone.
pub fn absolute(path: &str) -> Result<String> {
    let joined = if path.starts_with('/') {
        path.to_string()
    } else {
        let here = std::env::current_dir().map_err(|e| invalid(path, &e.to_string()))?;
        format!("{}/{path}", here.display())
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

/// True if the path holds wildcard characters.
pub fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// `PATH_NOT_FOUND`.
pub fn not_found(path: &str) -> Error {
    Error::analysis("PATH_NOT_FOUND").param("path", path).with_message(format!("There is no such path: {path}."))
}

fn invalid(path: &str, why: &str) -> Error {
    Error::analysis("FAILED_READ_FILE.NO_HINT")
        .param("path", path)
        .with_message(format!("The path {path} cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_located() {
        for (path, store, inner, display) in [
            ("/a/b", "file:///", "a/b", "file:/a/b"),
            ("file:/a/b/", "file:///", "a/b", "file:/a/b"),
            ("file:///a/../b", "file:///", "b", "file:/b"),
            ("s3a://bucket/k/x", "s3://bucket/", "k/x", "s3a://bucket/k/x"),
        ] {
            let location = locate(path).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(location.store.as_str(), store, "{path}");
            assert_eq!(location.path.as_ref(), inner, "{path}");
            assert_eq!(location.display, display, "{path}");
        }
    }
}
