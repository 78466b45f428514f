//! A session's configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use spark::conf::{self, ConfView};
use spark::{Error, Result};

/// The keys a session has set, over the server's and the documented defaults.
#[derive(Debug)]
pub struct SessionConf {
    view: RwLock<Arc<ConfView>>,
    /// What the server was started with; `unset` goes back to it.
    initial: Arc<Vec<(String, String)>>,
}

impl SessionConf {
    /// A configuration of the server's settings alone.
    pub fn new(initial: Arc<Vec<(String, String)>>) -> Self {
        let mut view = ConfView::default();
        for (key, value) in initial.iter() {
            view.set_unchecked(key, value);
        }
        SessionConf { view: RwLock::new(Arc::new(view)), initial }
    }

    /// A copy with the same values.
    pub fn copy(&self) -> Self {
        SessionConf { view: RwLock::new(self.view()), initial: Arc::clone(&self.initial) }
    }

    /// The values as they are now.
    pub fn view(&self) -> Arc<ConfView> {
        Arc::clone(&self.view.read())
    }

    /// The value of `key` as `spark.conf.get(key)` answers.
    ///
    /// # Errors
    /// `SQL_CONF_NOT_FOUND`.
    pub fn get(&self, key: &str) -> Result<String> {
        self.view().lookup(key)
    }

    /// The value of `key`, `None` for unknown keys.
    pub fn get_option(&self, key: &str) -> Option<String> {
        self.view().option(key)
    }

    /// The value of `key`, or `default`.
    ///
    /// # Errors
    /// If the default does not suit a known key.
    pub fn get_with_default(&self, key: &str, default: Option<&str>) -> Result<Option<String>> {
        self.view().get_with_default(key, default)
    }

    /// Sets `key`.
    ///
    /// # Errors
    /// If a session may not set it, or not to this value.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        crate::command::check_default_path(key, value)?;
        self.update(|view| view.set(key, value))
    }

    /// Sets `key` without a check: for keys that are this server's own.
    pub fn set_unchecked(&self, key: &str, value: &str) {
        let mut guard = self.view.write();
        Arc::make_mut(&mut guard).set_unchecked(key, value);
    }

    /// Puts `key` back to what the server was started with.
    ///
    /// # Errors
    /// If a session may not change it.
    pub fn unset(&self, key: &str) -> Result<()> {
        let initial = self.initial.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        self.update(|view| {
            view.unset(key)?;
            if let Some(value) = &initial {
                view.set_unchecked(key, value);
            }
            Ok(())
        })
    }

    /// Puts every key back.
    pub fn reset(&self) {
        *self.view.write() = SessionConf::new(Arc::clone(&self.initial)).view();
    }

    /// The keys that were set and begin with `prefix`, cut off.
    pub fn get_all(&self, prefix: Option<&str>) -> Vec<(String, String)> {
        self.view().get_all(prefix)
    }

    /// Whether a session may set `key`.
    pub fn is_modifiable(&self, key: &str) -> bool {
        conf::is_modifiable(key)
    }

    fn update(&self, change: impl FnOnce(&mut ConfView) -> Result<()>) -> Result<()> {
        let mut guard = self.view.write();
        let mut next = (**guard).clone();
        change(&mut next)?;
        *guard = Arc::new(next);
        Ok(())
    }

    /// Every key that is set.
    pub fn entries(&self) -> BTreeMap<String, String> {
        self.view().iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }
}

/// Where queries of a session run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerChoice {
    Auto,
    Local,
    Cluster,
}

/// Reads `firesteel.execution.runner` and its `.strict`.
///
/// # Errors
/// If the value is none of the three.
pub fn runner_choice(view: &ConfView) -> Result<(RunnerChoice, bool)> {
    let choice = match view.get("firesteel.execution.runner").unwrap_or("auto") {
        "auto" => RunnerChoice::Auto,
        "local" => RunnerChoice::Local,
        "cluster" => RunnerChoice::Cluster,
        other => {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS")
                .param("confName", "firesteel.execution.runner")
                .param("confValue", other)
                .param("confOptions", "auto, local, cluster")
                .with_message(format!("The runner must be auto, local or cluster, not '{other}'.")));
        }
    };
    Ok((choice, view.get_bool("firesteel.execution.runner.strict", false)))
}
