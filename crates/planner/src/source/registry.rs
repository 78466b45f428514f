//! The partitions that a catalog knows of a table: only their files are the table's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Partitions by their paths, as `p=1/q=x`; a clone shares them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Registry(Arc<BTreeMap<String, Partition>>);

/// What is known of a partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Where its files are, if not in the folder of its path below the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    pub created_micros: i64,
    /// Bytes and rows as `ANALYZE TABLE … PARTITION` found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<(u64, Option<u64>)>,
}

impl Registry {
    /// The partition of that path.
    pub fn get(&self, path: &str) -> Option<&Partition> {
        self.0.get(path)
    }

    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Partition)> {
        self.0.iter()
    }

    /// Those in folders of their own, with their locations.
    pub fn located(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().filter_map(|(path, partition)| Some((path, partition.location.as_ref()?)))
    }

    /// Changes them; other clones keep what they have.
    pub fn change(&mut self) -> &mut BTreeMap<String, Partition> {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(String, Partition)> for Registry {
    fn from_iter<I: IntoIterator<Item = (String, Partition)>>(all: I) -> Self {
        Registry(Arc::new(all.into_iter().collect()))
    }
}

impl Serialize for Registry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Registry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|all| Registry(Arc::new(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_other_clones_alone() {
        let mut registry = Registry::default();
        registry.change().insert("p=1".into(), Partition::default());
        let before = registry.clone();
        registry.change().insert("p=2".into(), Partition { location: Some("file:/x".into()), ..Default::default() });
        assert_eq!((before.len(), registry.len()), (1, 2));
        let text = serde_json::to_string(&registry).unwrap();
        assert_eq!(text, r#"{"p=1":{"created_micros":0},"p=2":{"location":"file:/x","created_micros":0}}"#);
        assert_eq!(serde_json::from_str::<Registry>(&text).unwrap(), registry);
    }
}
