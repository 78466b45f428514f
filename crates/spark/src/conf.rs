//! Configuration keys of Spark 4.3 with their defaults, and a session's view of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// A documented configuration entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub key: &'static str,
    /// Empty where Spark documents none.
    pub default: &'static str,
}

/// The documented entries by key.
pub fn entries() -> &'static HashMap<&'static str, Entry> {
    static TABLE: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
        include_str!("../confs.tsv")
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut parts = line.split('\t');
                let key = parts.next()?;
                Some((key, Entry { key, default: parts.next().unwrap_or("") }))
            })
            .collect()
    });
    &TABLE
}

/// Keys as set in a session, over the documented defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConfView {
    set: BTreeMap<String, String>,
}

impl ConfView {
    /// A view of the keys that were set.
    pub fn new(set: BTreeMap<String, String>) -> Self {
        ConfView { set }
    }

    /// The value of `key`: as set, else the documented default, else `None`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.set
            .get(key)
            .map(String::as_str)
            .or_else(|| entries().get(key).map(|e| e.default).filter(|d| !d.is_empty()))
    }

    /// The value as a boolean; `default` where unset or unreadable.
    pub fn get_bool(&self, key: &str, default: bool) -> bool {
        match self.get(key).map(str::to_ascii_lowercase).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => default,
        }
    }

    /// The value as an integer; `default` where unset or unreadable.
    pub fn get_int(&self, key: &str, default: i64) -> i64 {
        self.get(key).and_then(|v| v.trim().parse().ok()).unwrap_or(default)
    }

    /// The keys that were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}
