//! Temporary views over tables of the catalog: what their plans mean is fixed when they are made, which files
//! the tables have is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use analyzer::Answer;
use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{ViewTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use planner::source::table::FileTable;
use spark::Settings;

use crate::cache::KeptTable;
use crate::names::Relation;
use crate::naming::Place;
use crate::session::Session;

/// What stands for tables now, by database and name; the first that has the columns a plan asks for is taken.
type Fresh = BTreeMap<(String, String), Vec<Arc<dyn TableSource>>>;

impl Session {
    /// The view with the rows that its tables have now.
    pub(crate) async fn relisted(self: &Arc<Self>, view: Relation, settings: &Settings) -> Relation {
        let Some(plan) = view.source.get_logical_plan() else { return view };
        let mut fresh = Fresh::new();
        add_origins(&plan, &mut fresh);
        if fresh.is_empty() {
            return view;
        }
        for ((namespace, name), sources) in &mut fresh {
            let place = Place { namespace: namespace.clone(), name: name.clone() };
            sources.extend(self.cached_table(&place).await.map(|kept| kept.source));
            // A table that is gone, or unreadable, is read as it was: that fails, or does not, when files are read.
            let Some(entry) = self.engine().shared().catalog.table(namespace, name).filter(|e| !e.is_view()) else {
                continue;
            };
            if let Ok(Answer::Table(table)) = self.open_table(&place, &entry, &Vec::new(), settings).await {
                sources.push(table.source);
            }
        }
        let plan = plan.into_owned();
        match replaced(plan, &fresh) {
            Ok(plan) => Relation { source: provider_as_source(Arc::new(ViewTable::new(plan, None))), ..view },
            Err(_) => view,
        }
    }
}

/// The table of the catalog that a source holds the rows of.
fn origin(source: &Arc<dyn TableSource>) -> Option<(String, String)> {
    let provider = source_as_provider(source).ok()?;
    let any: &dyn std::any::Any = provider.as_ref();
    let of_files = any.downcast_ref::<FileTable>().and_then(|files| files.origin().cloned());
    of_files.or_else(|| {
        let place = any.downcast_ref::<KeptTable>()?.origin.as_ref()?;
        Some((place.namespace.clone(), place.name.clone()))
    })
}

fn add_origins(plan: &LogicalPlan, out: &mut Fresh) {
    let visited = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            match scan.source.get_logical_plan() {
                Some(view) => add_origins(&view, out),
                None => out.extend(origin(&scan.source).map(|table| (table, Vec::new()))),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // A plan that cannot be walked is left as it is.
    if visited.is_err() {
        out.clear();
    }
}

/// The plan over what stands for its tables now.
fn replaced(plan: LogicalPlan, fresh: &Fresh) -> DfResult<LogicalPlan> {
    let changed = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        if let Some(view) = scan.source.get_logical_plan() {
            let view = replaced(view.into_owned(), fresh)?;
            scan.source = provider_as_source(Arc::new(ViewTable::new(view, None)));
            return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
        }
        let sources = origin(&scan.source).and_then(|table| fresh.get(&table));
        let same = sources.and_then(|all| all.iter().find(|s| s.schema() == scan.source.schema()));
        if let Some(source) = same {
            scan.source = Arc::clone(source);
        }
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(changed.data)
}
