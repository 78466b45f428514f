//! Questions about a plan that run nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::physical_plan::ExecutionPlan;
use spark::{Node, Plan, Result, canonical};

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
        Ok(self.steps(left).await? == self.steps(right).await?)
    }

    /// A hash that plans of the same semantics share.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with the plan.
    pub async fn semantic_hash(self: &Arc<Self>, plan: Plan) -> Result<i32> {
        let mut hasher = DefaultHasher::new();
        self.steps(plan).await?.hash(&mut hasher);
        Ok(hasher.finish() as i32)
    }

    /// What a plan computes, whatever its columns are called: its sources, and the steps over them with
    /// columns numbered in the order of their appearance.
    async fn steps(self: &Arc<Self>, plan: Plan) -> Result<(Vec<String>, String)> {
        let session = Arc::clone(self);
        let (plan, stack) = Stack::for_plan(plan)?;
        tasks::on(self.engine().runtime(), stack, async move {
            let analyzed = session.analyze(&plan, session.settings()).await?;
            let columns: Vec<String> =
                analyzed.columns.iter().map(|&i| analyzed.plan.schema().field(i).name().clone()).collect();
            let computed = without_idle_projections(analyzed.plan)?;
            let steps = format!("{}\n{}", computed.display_indent(), columns.join(" "));
            Ok((sources(&plan), renumbered(&steps)))
        })
        .await
    }
}

/// The plan without projections that hand on all columns as they are.
fn without_idle_projections(plan: LogicalPlan) -> Result<LogicalPlan> {
    let idle = |p: &Projection| {
        let below = p.input.schema().columns();
        p.expr.len() == below.len()
            && p.expr.iter().zip(&below).all(|(e, c)| matches!(e, Expr::Column(same) if same == c))
    };
    let kept = plan.transform_up(|node| match node {
        LogicalPlan::Projection(p) if idle(&p) => Ok(Transformed::yes(Arc::unwrap_or_clone(p.input))),
        other => Ok(Transformed::no(other)),
    });
    kept.map(|t| t.data).map_err(functions::error::from_datafusion)
}

/// The leaves of a plan.
fn sources(plan: &Plan) -> Vec<String> {
    let mut plan = canonical::canonical(plan);
    let mut out = Vec::new();
    plan.visit_plans_mut(&mut |p| {
        let mut is_leaf = true;
        p.for_each_child_mut(&mut |_| is_leaf = false);
        if is_leaf {
            out.push(format!("{:?}", p.node));
        }
    });
    out
}

/// `text` with the numbers after `#` replaced by their order of appearance.
fn renumbered(text: &str) -> String {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut parts = text.split('#');
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(digits);
        let next = numbers.len();
        let shown = *numbers.entry(number).or_insert(next);
        out.push_str(&format!("#{shown}{rest}"));
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_numbered_by_appearance() {
        for (text, expect) in [("a", "a"), ("#7 + #3 = #7", "#0 + #1 = #0"), ("#12 #1", "#0 #1")] {
            assert_eq!(renumbered(text), expect);
        }
    }
}
