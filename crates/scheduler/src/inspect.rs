//! Questions about a plan that run nothing.

use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use spark::{Node, Plan, Result};

use crate::canonical;
use crate::depth::Stack;
use crate::query;
use crate::session::Session;
use crate::tasks;

impl Session {
    /// Whether the rows are at hand without running anything.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with the plan.
    pub async fn is_local(self: &Arc<Self>, plan: Plan) -> Result<bool> {
        let local = matches!(plan.node, Node::LocalRelation { .. } | Node::Command(_) | Node::Catalog(_))
            || self.command_of(&plan)?.is_some();
        if !local {
            self.analyze_schema(plan).await?;
        }
        Ok(local)
    }

    /// Whether a source of the plan is unbounded.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with the plan.
    pub async fn is_streaming(self: &Arc<Self>, mut plan: Plan) -> Result<bool> {
        let mut streaming = false;
        plan.visit_plans_mut(&mut |p| {
            streaming |= match &p.node {
                Node::Table { is_streaming, .. } => *is_streaming,
                Node::DataSource(source) => source.is_streaming,
                _ => false,
            }
        });
        if !streaming {
            self.analyze_schema(plan).await?;
        }
        Ok(streaming)
    }

    /// The files that the plan reads.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with the plan.
    pub async fn input_files(self: &Arc<Self>, plan: Plan) -> Result<Vec<String>> {
        let session = Arc::clone(self);
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine().runtime(), stack, async move {
            let analyzed = session.analyze(&plan, session.settings()).await?;
            let physical = query::physical(&session.engine().shared().state, &analyzed.plan).await?;
            let mut files = Vec::new();
            collect_files(&physical, &mut files);
            files.sort();
            files.dedup();
            Ok(files)
        })
        .await
    }

    /// Whether two plans compute the same by the same steps.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with a plan.
    pub async fn same_semantics(self: &Arc<Self>, left: Plan, right: Plan) -> Result<bool> {
        let same = canonical::canonical(&left) == canonical::canonical(&right);
        self.analyze_schema(left).await?;
        self.analyze_schema(right).await?;
        Ok(same)
    }

    /// A hash that plans of the same semantics share.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with the plan.
    pub async fn semantic_hash(self: &Arc<Self>, plan: Plan) -> Result<i32> {
        let hash = canonical::hash(&plan);
        self.analyze_schema(plan).await?;
        Ok(hash)
    }
}

fn collect_files(plan: &Arc<dyn ExecutionPlan>, files: &mut Vec<String>) {
    let source = plan.downcast_ref::<DataSourceExec>().map(|scan| scan.data_source().as_ref() as &dyn std::any::Any);
    if let Some(config) = source.and_then(|source| source.downcast_ref::<FileScanConfig>()) {
        // Ranges are scans of parts that are no files.
        let store = config.object_store_url.as_str();
        if config.file_source().file_type() == "range" {
            return;
        }
        for group in &config.file_groups {
            files.extend(group.iter().map(|f| format!("{store}{}", f.object_meta.location)));
        }
    }
    for child in plan.children() {
        collect_files(child, files);
    }
}
