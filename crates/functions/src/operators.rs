//! Operators over one input that DataFusion has no word for: where rows go, how a partition is sorted,
//! what a join is asked to do. The analyzer makes them, the planner lowers them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

/// What a join hint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JoinStrategy {
    Broadcast,
    Merge,
    Hash,
    Loop,
}

impl JoinStrategy {
    /// The strategy that a hint of that name asks for.
    pub fn named(hint: &str) -> Option<JoinStrategy> {
        match hint.to_ascii_uppercase().as_str() {
            "BROADCAST" | "BROADCASTJOIN" | "MAPJOIN" => Some(JoinStrategy::Broadcast),
            "SHUFFLE_MERGE" | "MERGE" | "MERGEJOIN" => Some(JoinStrategy::Merge),
            "SHUFFLE_HASH" => Some(JoinStrategy::Hash),
            "SHUFFLE_REPLICATE_NL" => Some(JoinStrategy::Loop),
            _ => None,
        }
    }
}

/// Where the rows of an exchange go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// The bucket of a row, from 0; `None` deals the rows out in turn.
    pub bucket: Option<Expr>,
    pub buckets: usize,
    /// Neighbouring buckets may share a partition where there is little data.
    pub adaptive: bool,
}

/// The kinds of operators.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `repartition`, `DISTRIBUTE BY`, and hints of that kind.
    Exchange(Exchange),
    /// `coalesce`: fewer partitions without moving rows between the remaining ones.
    Coalesce { partitions: usize },
    /// `sortWithinPartitions`, `SORT BY`.
    SortWithin { order: Vec<Sort> },
    /// A hint to the join above.
    JoinHint(JoinStrategy),
    /// The rows of a metric view where no aggregation takes them: there is no plan for these.
    MetricView,
    /// Nothing, but that a limit above stays there: below it rows learn their place among all.
    InPlace,
}

/// An operator whose output is its input's rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operator {
    pub input: LogicalPlan,
    pub kind: Kind,
}

impl Operator {
    /// The operator as a plan.
    pub fn plan(kind: Kind, input: LogicalPlan) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(Operator { input, kind }) })
    }
}

impl PartialOrd for Operator {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Operator {
    fn name(&self) -> &str {
        match &self.kind {
            Kind::Exchange(_) => "Exchange",
            Kind::Coalesce { .. } => "Coalesce",
            Kind::SortWithin { .. } => "SortWithin",
            Kind::JoinHint(_) => "JoinHint",
            Kind::MetricView => "MetricView",
            Kind::InPlace => "InPlace",
        }
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        match &self.kind {
            Kind::Exchange(exchange) => exchange.bucket.iter().cloned().collect(),
            Kind::SortWithin { order } => order.iter().map(|s| s.expr.clone()).collect(),
            Kind::Coalesce { .. } | Kind::JoinHint(_) | Kind::MetricView | Kind::InPlace => Vec::new(),
        }
    }

    /// Rows that are not wanted need not move. Conditions that depend on where a row is are kept above
    /// by the analyzer.
    fn prevent_predicate_push_down_columns(&self) -> std::collections::HashSet<String> {
        std::collections::HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.kind {
            Kind::Exchange(Exchange { bucket: Some(bucket), buckets, .. }) => {
                write!(f, "Exchange: by {bucket} into {buckets}")
            }
            Kind::Exchange(Exchange { buckets, .. }) => write!(f, "Exchange: in turn into {buckets}"),
            Kind::Coalesce { partitions } => write!(f, "Coalesce: {partitions}"),
            Kind::SortWithin { order } => {
                let keys: Vec<String> = order.iter().map(ToString::to_string).collect();
                write!(f, "SortWithin: {}", keys.join(", "))
            }
            Kind::JoinHint(strategy) => write!(f, "JoinHint: {strategy:?}"),
            Kind::MetricView => write!(f, "MetricView"),
            Kind::InPlace => write!(f, "InPlace"),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return internal_err!("{} has one input", self.name());
        };
        let mut exprs = exprs.into_iter();
        let kind = match &self.kind {
            Kind::Exchange(exchange) => {
                let bucket = if exchange.bucket.is_some() { exprs.next() } else { None };
                Kind::Exchange(Exchange { bucket, ..exchange.clone() })
            }
            Kind::SortWithin { order } => Kind::SortWithin {
                order: order.iter().zip(exprs).map(|(s, expr)| Sort { expr, ..s.clone() }).collect(),
            },
            other => other.clone(),
        };
        Ok(Operator { input, kind })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        matches!(self.kind, Kind::JoinHint(_))
    }
}
