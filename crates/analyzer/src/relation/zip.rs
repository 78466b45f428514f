//! `df.zip(other)`: the columns of two projections of one source side by side.
//!
//! Spark aligns rows only where both sides compute columns over the same plan. So the one side is
//! computed, with the columns of the source carried up, and the other on top of it.

use std::rc::Rc;

use datafusion::logical_expr::LogicalPlan;
use spark::canonical::canonical;
use spark::{Error, Node, Plan, Result};

use crate::context::Analyzer;
use crate::scope::{Made, Rel, project};

impl Analyzer<'_> {
    pub(super) fn zip(&mut self, left: &Plan, right: &Plan) -> Result<Rel> {
        let same = canonical(left) == canonical(right);
        let (left_base, right_base) = if same { (left, right) } else { (base(left), base(right)) };
        if !same && canonical(left_base) != canonical(right_base) {
            return Err(not_mergeable());
        }
        let source = self.relation(left_base)?;
        let l = self.over(left, left_base, source.clone())?;
        let ids: Vec<u64> = source.output.iter().map(|a| a.id).collect();
        let carried = l.with_columns(&ids).ok_or_else(not_mergeable)?;
        only_projections(&carried.plan, &source.plan)?;
        let again = if left_base == right_base {
            let made = Rc::new(Made::Opaque);
            Rel { plan: carried.plan.clone(), made, ..source }
        } else {
            self.under_other_ids(&carried, &source, right_base)?
        };
        let below = again.plan.clone();
        let r = self.over(right, right_base, again)?;
        let ids: Vec<u64> = l.output.iter().map(|a| a.id).collect();
        let both = r.with_columns(&ids).ok_or_else(not_mergeable)?;
        only_projections(&both.plan, &below)?;
        let output = l.output.iter().chain(&r.output).cloned().collect();
        let hidden = l.hidden.iter().chain(&r.hidden).filter(|a| both.has_column(a.id)).cloned().collect();
        Ok(Rel::new(both.plan, output, Made::Opaque, &[&l, &r]).with_hidden(hidden))
    }

    /// `plan` with `source` in the place of its part `base`.
    fn over(&mut self, plan: &Plan, base: &Plan, source: Rel) -> Result<Rel> {
        if std::ptr::eq(plan, base) {
            return Ok(source);
        }
        let id = format!("\u{0}{}", self.fresh_id());
        let mut plan = plan.clone();
        replace_base(&mut plan, Node::CachedRemoteRelation { id: id.clone() }.into());
        self.at_hand.insert(id, source);
        self.relation(&plan)
    }

    /// The columns of `source`, which `carried` has, once more under the ids of the right side's source:
    /// a plan of the same steps by other DataFrames.
    fn under_other_ids(&mut self, carried: &Rel, source: &Rel, right_base: &Plan) -> Result<Rel> {
        let other = self.relation(right_base)?;
        if other.output.len() != source.output.len() {
            return Err(not_mergeable());
        }
        let fields = carried.plan.schema().fields().iter();
        let mut exprs: Vec<datafusion::logical_expr::Expr> = fields
            .map(|f| {
                let column = datafusion::common::Column::new_unqualified(f.name().clone());
                datafusion::logical_expr::Expr::Column(column)
            })
            .collect();
        exprs.extend(source.output.iter().zip(&other.output).map(|(a, b)| a.expr().alias(b.column_name())));
        let plan = project(exprs, &carried.plan)?;
        Ok(Rel { plan, made: Rc::new(Made::Opaque), hidden: Vec::new(), ..other })
    }
}

/// The input of an operator that only computes, names or picks columns.
macro_rules! projected {
    ($node:expr) => {
        match $node {
            Node::Project { input, .. }
            | Node::WithColumns { input, .. }
            | Node::WithColumnsRenamed { input, .. }
            | Node::Drop { input, .. }
            | Node::ToDf { input, .. }
            | Node::ToSchema { input, .. }
            | Node::SubqueryAlias { input, .. } => Some(input),
            _ => None,
        }
    };
}

/// The plan below the projections at the top of `plan`.
fn base(plan: &Plan) -> &Plan {
    let mut plan = plan;
    while let Some(input) = projected!(&plan.node) {
        plan = input;
    }
    plan
}

/// Puts `with` in the place of the plan below the projections at the top of `plan`.
fn replace_base(plan: &mut Plan, with: Plan) {
    match projected!(&mut plan.node) {
        Some(input) => replace_base(input, with),
        None => *plan = with,
    }
}

/// Checks that there is nothing but projections between `source` and `plan`: generators and window
/// functions would move rows.
fn only_projections(plan: &LogicalPlan, source: &LogicalPlan) -> Result<()> {
    let bottom = |plan: &LogicalPlan| {
        let mut plan = plan.clone();
        while let LogicalPlan::Projection(projection) = plan {
            plan = projection.input.as_ref().clone();
        }
        plan
    };
    if bottom(plan) == bottom(source) { Ok(()) } else { Err(not_mergeable()) }
}

fn not_mergeable() -> Error {
    Error::analysis("ZIP_PLANS_NOT_MERGEABLE")
        .with_message("The sides of a zip must be projections of one and the same plan.")
}
