//! Walks over plans and expressions: one place that knows what holds what.

use crate::expr::{Expr, FrameBound, SortOrder, Subquery, SubqueryKind, SubqueryPlan, WindowRef, WindowSpec};
use crate::plan::{GroupKind, JoinCriteria, Node, Plan, SortKeys, TimeTravel};

type OnPlan<'a> = &'a mut dyn FnMut(&mut Plan);
type OnExpr<'a> = &'a mut dyn FnMut(&mut Expr);

impl Plan {
    /// Calls `f` on each plan directly below this one; not on plans inside expressions.
    pub fn for_each_child_mut(&mut self, f: OnPlan<'_>) {
        use Node as N;
        match &mut self.node {
            N::Project { input, .. }
            | N::Filter { input, .. }
            | N::Having { input, .. }
            | N::Qualify { input, .. }
            | N::Sort { input, .. }
            | N::Limit { input, .. }
            | N::Offset { input, .. }
            | N::Tail { input, .. }
            | N::Distinct { input }
            | N::Deduplicate { input, .. }
            | N::SubqueryAlias { input, .. }
            | N::WithWindows { input, .. }
            | N::Repartition { input, .. }
            | N::RepartitionBy { input, .. }
            | N::ToDf { input, .. }
            | N::WithColumns { input, .. }
            | N::WithColumnsRenamed { input, .. }
            | N::Drop { input, .. }
            | N::Hint { input, .. }
            | N::ToSchema { input, .. }
            | N::WithWatermark { input, .. }
            | N::CollectMetrics { input, .. }
            | N::Transpose { input, .. }
            | N::Parse { input, .. }
            | N::FillNa { input, .. }
            | N::DropNa { input, .. }
            | N::Replace { input, .. }
            | N::Summary { input, .. }
            | N::Describe { input, .. }
            | N::Crosstab { input, .. }
            | N::Cov { input, .. }
            | N::Corr { input, .. }
            | N::ApproxQuantile { input, .. }
            | N::FreqItems { input, .. }
            | N::SampleBy { input, .. }
            | N::ShowString { input, .. }
            | N::HtmlString { input, .. }
            | N::MapPartitions { input, .. }
            | N::GroupMap { input, .. }
            | N::PipeExtend { input, .. }
            | N::PipeSet { input, .. } => f(input),
            N::Join(j) => [&mut j.left, &mut j.right].into_iter().for_each(f),
            N::AsOfJoin(j) => [&mut j.left, &mut j.right].into_iter().for_each(f),
            N::NearestByJoin(j) => [&mut j.left, &mut j.right].into_iter().for_each(f),
            N::SetOp(s) => [&mut s.left, &mut s.right].into_iter().for_each(f),
            N::Zip { left, right } | N::CoGroupMap { left, right, .. } => [left, right].into_iter().for_each(|p| f(p)),
            N::Aggregate(a) | N::PipeAggregate(a) => f(&mut a.input),
            N::MetricView(view) => f(&mut view.source),
            N::Pivot(p) => f(&mut p.input),
            N::Unpivot(u) => f(&mut u.input),
            N::LateralView(l) => f(&mut l.input),
            N::Sample(s) => f(&mut s.input),
            N::With { ctes, input, .. } => {
                ctes.iter_mut().for_each(|c| f(&mut c.plan));
                f(input);
            }
            N::WithRelations { root, references } => {
                references.iter_mut().for_each(&mut *f);
                f(root);
            }
            _ => {}
        }
    }

    /// Calls `f` on each expression of this node.
    pub fn for_each_expr_mut(&mut self, f: OnExpr<'_>) {
        use Node as N;
        let mut all = |exprs: &mut Vec<Expr>| exprs.iter_mut().for_each(&mut *f);
        match &mut self.node {
            N::Project { exprs, .. } | N::RepartitionBy { exprs, .. } | N::PipeExtend { exprs, .. } => all(exprs),
            N::PipeSet { assignments, .. } => assignments.iter_mut().for_each(|(_, e)| f(e)),
            N::TableFunction { args, .. } => all(args),
            N::InlineTable { rows } => rows.iter_mut().for_each(all),
            N::WithColumns { columns, .. } | N::Drop { columns, .. } => all(columns),
            N::Hint { params, .. } => all(params),
            N::CollectMetrics { metrics, .. } => all(metrics),
            N::Transpose { index, .. } => all(index),
            N::Sql { named_args, positional_args, .. } => {
                all(positional_args);
                named_args.iter_mut().for_each(|(_, e)| f(e));
            }
            N::Filter { condition, .. } | N::Having { condition, .. } | N::Qualify { condition, .. } => f(condition),
            N::Limit { limit, .. } => f(limit),
            N::Offset { offset, .. } => f(offset),
            N::TableByIdentifier { name, .. } => f(name),
            N::Table { time_travel: Some(travel), .. } => {
                if let TimeTravel::Timestamp(e) = &mut **travel {
                    f(e);
                }
            }
            N::SampleBy { column, .. } => f(column),
            N::LateralView(l) => f(&mut l.generator),
            N::Sort { order: SortKeys::Keys(keys), .. } => sort_orders(keys, f),
            N::WithWindows { windows, .. } => windows.iter_mut().for_each(|(_, w)| window_spec(w, f)),
            N::MapPartitions { function, .. } => f(function),
            _ => self.for_each_boxed_expr_mut(f),
        }
    }

    fn for_each_boxed_expr_mut(&mut self, f: OnExpr<'_>) {
        use Node as N;
        match &mut self.node {
            N::Join(j) => {
                if let JoinCriteria::On(condition) = &mut j.criteria {
                    f(condition);
                }
            }
            N::AsOfJoin(j) => {
                f(&mut j.left_as_of);
                f(&mut j.right_as_of);
                j.condition.iter_mut().chain(j.tolerance.iter_mut()).for_each(f);
            }
            N::NearestByJoin(j) => f(&mut j.ranking),
            N::Aggregate(a) | N::PipeAggregate(a) => {
                a.grouping.iter_mut().for_each(&mut *f);
                a.aggregates.iter_mut().for_each(&mut *f);
                match &mut a.kind {
                    GroupKind::GroupingSets(sets) => sets.iter_mut().flatten().for_each(f),
                    GroupKind::Pivot { column, .. } => f(column),
                    _ => {}
                }
            }
            N::Pivot(p) => {
                let lists = [&mut p.aggregates, &mut p.columns, &mut p.values];
                lists.into_iter().flat_map(|l| l.iter_mut()).for_each(f);
            }
            N::Unpivot(u) => {
                u.ids.iter_mut().flatten().for_each(&mut *f);
                u.values.iter_mut().flatten().flat_map(|(g, _)| g).for_each(f);
            }
            N::GroupMap { grouping, function, sorting, .. } => {
                grouping.iter_mut().chain(sorting.iter_mut()).for_each(&mut *f);
                f(function);
            }
            N::CoGroupMap { left_grouping, right_grouping, function, .. } => {
                left_grouping.iter_mut().chain(right_grouping.iter_mut()).for_each(&mut *f);
                f(function);
            }
            _ => {}
        }
    }

    /// Calls `f` on this plan and every plan inside it, those in expressions too, from the top down.
    pub fn visit_plans_mut(&mut self, f: OnPlan<'_>) {
        f(self);
        self.for_each_expr_mut(&mut |e| e.visit_plans_mut(f));
        self.for_each_child_mut(&mut |p| p.visit_plans_mut(f));
    }

    /// Calls `f` on every expression inside this plan and the plans in it, from the bottom up.
    pub fn visit_exprs_mut(&mut self, f: OnExpr<'_>) {
        self.for_each_expr_mut(&mut |e| e.visit_mut(f));
        self.for_each_child_mut(&mut |p| p.visit_exprs_mut(f));
    }
}

impl Expr {
    /// Calls `f` on each expression directly below this one.
    pub fn for_each_child_mut(&mut self, f: OnExpr<'_>) {
        match self {
            Expr::Function(call) => {
                call.args.iter_mut().chain(call.filter.iter_mut()).for_each(&mut *f);
                sort_orders(&mut call.within_group, f);
            }
            Expr::Alias { child, .. }
            | Expr::Cast { child, .. }
            | Expr::At { child, .. }
            | Expr::DirectShufflePartitionId(child) => f(child),
            Expr::SortOrder(order) => f(&mut order.child),
            Expr::Lambda { body, .. } => f(body),
            Expr::Window { function, window } => {
                f(function);
                if let WindowRef::Spec(spec) = &mut **window {
                    window_spec(spec, f);
                }
            }
            Expr::ExtractValue { child, extraction } => {
                f(child);
                f(extraction);
            }
            Expr::UpdateFields { child, value, .. } => {
                f(child);
                value.iter_mut().for_each(|v| f(v));
            }
            Expr::Subquery(subquery) => subquery_exprs(subquery, f),
            Expr::NamedArgument { value, .. } => f(value),
            Expr::Identifier { name, args } => {
                f(name);
                args.iter_mut().flatten().for_each(f);
            }
            Expr::PythonUdf(udf) => udf.args.iter_mut().for_each(f),
            Expr::Row(values) => values.iter_mut().for_each(f),
            _ => {}
        }
    }

    /// Calls `f` on this expression and everything in it, subqueries too, from the bottom up.
    pub fn visit_mut(&mut self, f: OnExpr<'_>) {
        self.for_each_child_mut(&mut |e| e.visit_mut(f));
        if let Expr::Subquery(subquery) = self
            && let SubqueryPlan::Plan(plan) = &mut subquery.plan
        {
            plan.visit_exprs_mut(f);
        }
        f(self);
    }

    /// Calls `f` on every plan inside this expression.
    pub fn visit_plans_mut(&mut self, f: OnPlan<'_>) {
        if let Expr::Subquery(subquery) = self
            && let SubqueryPlan::Plan(plan) = &mut subquery.plan
        {
            plan.visit_plans_mut(f);
        }
        self.for_each_child_mut(&mut |e| e.visit_plans_mut(f));
    }
}

fn subquery_exprs(subquery: &mut Subquery, f: OnExpr<'_>) {
    match &mut subquery.kind {
        SubqueryKind::In(values) => values.iter_mut().for_each(f),
        SubqueryKind::TableArg { partition_by, order_by, .. } => {
            partition_by.iter_mut().for_each(&mut *f);
            sort_orders(order_by, f);
        }
        SubqueryKind::Scalar | SubqueryKind::Exists => {}
    }
}

fn sort_orders(orders: &mut [SortOrder], f: OnExpr<'_>) {
    orders.iter_mut().for_each(|o| f(&mut o.child));
}

fn window_spec(spec: &mut WindowSpec, f: OnExpr<'_>) {
    spec.partition_by.iter_mut().for_each(&mut *f);
    sort_orders(&mut spec.order_by, f);
    if let Some(frame) = &mut spec.frame {
        for bound in [&mut frame.lower, &mut frame.upper] {
            if let FrameBound::Value(e) | FrameBound::Preceding(e) | FrameBound::Following(e) = bound {
                f(e);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_in_subqueries_are_reached() {
        let inner = Plan::from(Node::Project { input: Plan::boxed(Node::OneRow), exprs: vec![Expr::attribute(["b"])] });
        let subquery = Expr::Subquery(Box::new(Subquery {
            kind: SubqueryKind::Exists,
            plan: SubqueryPlan::Plan(Box::new(inner)),
        }));
        let mut plan = Plan::from(Node::Filter { input: Plan::boxed(Node::OneRow), condition: subquery });
        let (mut plans, mut exprs) = (0, 0);
        plan.visit_plans_mut(&mut |_| plans += 1);
        plan.visit_exprs_mut(&mut |_| exprs += 1);
        assert_eq!((plans, exprs), (4, 2));
    }
}
