//! What a kept result was read from, so that a write there makes it stale.

use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use planner::source::table::FileTable;

use crate::cache::KeptTable;

/// The folders of the files that a plan scans.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    folders: BTreeSet<String>,
    /// A scan found no files: there is no telling where some would turn up.
    anywhere: bool,
}

impl Reads {
    /// Where the rows of `plan` come from.
    pub(crate) fn of(plan: &LogicalPlan) -> Self {
        let mut reads = Reads::default();
        reads.add(plan);
        reads
    }

    /// True if files below `folder` are, or would be, among what was read.
    pub(crate) fn reach(&self, folder: &str) -> bool {
        let written = format!("{}/", plain(folder));
        self.anywhere || self.folders.iter().any(|read| read.starts_with(&written) || written.starts_with(read))
    }

    fn add(&mut self, plan: &LogicalPlan) {
        let visited = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                self.add_source(scan.source.as_ref(), &scan.source);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        // The visitor itself never fails; a plan that cannot be walked might read anything.
        self.anywhere |= visited.is_err();
    }

    fn add_source(&mut self, source: &dyn TableSource, shared: &std::sync::Arc<dyn TableSource>) {
        if let Some(plan) = source.get_logical_plan() {
            return self.add(&plan);
        }
        let Ok(provider) = source_as_provider(shared) else { return };
        let any: &dyn std::any::Any = provider.as_ref();
        if let Some(files) = any.downcast_ref::<FileTable>() {
            let files = files.input_files();
            self.anywhere |= files.is_empty();
            let folders = files.iter().filter_map(|file| plain(file).rsplit_once('/').map(|(f, _)| format!("{f}/")));
            self.folders.extend(folders);
        } else if let Some(kept) = any.downcast_ref::<KeptTable>() {
            self.anywhere |= kept.reads.anywhere;
            self.folders.extend(kept.reads.folders.iter().cloned());
        }
    }
}

/// True if what `source` holds was kept from files below `folder`.
pub(crate) fn is_of(source: &std::sync::Arc<dyn TableSource>, folder: &str) -> bool {
    let Ok(provider) = source_as_provider(source) else { return false };
    let any: &dyn std::any::Any = provider.as_ref();
    any.downcast_ref::<KeptTable>().is_some_and(|kept| kept.reads.reach(folder))
}

/// A path without what may be written in several ways: a local scheme, the flavours of S3, a last slash.
pub(crate) fn plain(path: &str) -> String {
    let path = path.trim_end_matches('/');
    match path.strip_prefix("file:") {
        Some(local) => format!("/{}", local.trim_start_matches('/')),
        None => path.replacen("s3a://", "s3://", 1).replacen("s3n://", "s3://", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_reaches_what_was_read_below_and_above() {
        let reads = |folder: &str| Reads { folders: BTreeSet::from([folder.to_string()]), anywhere: false };
        for (read, written, expected) in [
            ("/w/t/", "file:/w/t", true),
            ("/w/t/p=1/", "file:///w/t/", true),
            ("/w/t/", "/w/t/p=2", true),
            ("/w/t/", "/w/t2", false),
            ("/w/t2/", "/w/t", false),
            ("s3://b/t/", "s3a://b/t", true),
        ] {
            assert_eq!(reads(read).reach(written), expected, "{read} {written}");
        }
        assert!(Reads { anywhere: true, ..Reads::default() }.reach("/anything"));
        assert!(!Reads::default().reach("/anything"));
    }
}
