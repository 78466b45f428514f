//! What a plan's operators measured, in Spark's words, and how the tasks of a stage report it.
//!
//! The embedded scheduler wants as many sets of metrics of every task of a stage as of the first, which the
//! tasks of a union cannot give: each sees its own branch. It also copies all metrics of a stage with every
//! report. A task's report is therefore one metric whose name carries everything.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{Count, Metric, MetricValue, MetricsSet};
use serde::{Deserialize, Serialize};

/// The way of adding up values and of showing them, by Spark's names of metric types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A number.
    Sum,
    /// Nanoseconds.
    NsTiming,
    /// Bytes.
    Size,
}

impl Kind {
    /// Spark's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sum => "sum",
            Kind::NsTiming => "nsTiming",
            Kind::Size => "size",
        }
    }
}

/// One value that an operator measured, all its partitions together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    pub name: String,
    pub value: i64,
    pub kind: Kind,
}

/// The values of one operator's metrics.
pub fn values(metrics: &MetricsSet) -> Vec<Value> {
    metrics
        .aggregate_by_name()
        .iter()
        .filter_map(|m| {
            let kind = match m.value() {
                MetricValue::OutputRows(_) | MetricValue::Count { .. } | MetricValue::SpillCount(_) => Kind::Sum,
                MetricValue::ElapsedCompute(_) | MetricValue::Time { .. } => Kind::NsTiming,
                MetricValue::SpilledBytes(_) | MetricValue::OutputBytes(_) => Kind::Size,
                _ => return None,
            };
            let name = match m.value() {
                MetricValue::OutputRows(_) => "number of output rows".to_owned(),
                other => other.name().to_owned(),
            };
            Some(Value { name, value: i64::try_from(m.value().as_usize()).unwrap_or(i64::MAX), kind })
        })
        .collect()
}

/// Where an operator stands below the root of its stage: which child of which child.
pub type Path = Vec<u16>;

/// What the tasks of a stage measured, by operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    operators: Vec<Measured>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Measured {
    path: Path,
    /// The name of what ran, which may be another than that of what was planned.
    name: String,
    values: Vec<Value>,
}

impl Report {
    /// What a task measured: `metrics` are those of the operators below and with `root` that have any, parents
    /// first. Operators that are `transparent` were put in between where the task runs, and are none of the
    /// plan's.
    pub fn of_task(root: &Arc<dyn ExecutionPlan>, metrics: Vec<MetricsSet>, transparent: fn(&str) -> bool) -> Report {
        let mut metrics = metrics.into_iter();
        let mut operators = Vec::new();
        let mut todo = vec![(Path::new(), Arc::clone(root))];
        while let Some((path, plan)) = todo.pop() {
            let measured = plan.metrics().and_then(|_| metrics.next());
            if let (true, [input]) = (transparent(plan.name()), plan.children().as_slice()) {
                todo.push((path, Arc::clone(input)));
                continue;
            }
            todo.extend(below(&path, &plan));
            let values = measured.map(|m| values(&m)).unwrap_or_default();
            operators.push(Measured { path, name: plan.name().to_owned(), values });
        }
        Report { operators }
    }

    /// The report as a task's metrics: one, in one set.
    pub fn into_metrics(mut self) -> Vec<MetricsSet> {
        // Operators without a value say nothing, and most tasks of a wide stage have many.
        self.operators.iter_mut().for_each(|o| o.values.retain(|v| v.value != 0));
        self.operators.retain(|o| !o.values.is_empty());
        let Ok(text) = serde_json::to_string(&self) else { return Vec::new() };
        let mut set = MetricsSet::new();
        // The first of the task's partitions: what an earlier attempt at them reported is replaced.
        set.push(Arc::new(Metric::new(MetricValue::Count { name: text.into(), count: Count::new() }, Some(0))));
        vec![set]
    }

    /// The reports of a stage's tasks, added up. What is not a report is skipped: metrics are no reason for a
    /// query to fail.
    pub fn of_stage(metrics: &[MetricsSet]) -> HashMap<Path, (String, Vec<Value>)> {
        let mut all: HashMap<Path, (String, Vec<Value>)> = HashMap::new();
        for metric in metrics.iter().flat_map(MetricsSet::iter) {
            let MetricValue::Count { name, .. } = metric.value() else { continue };
            let Ok(report) = serde_json::from_str::<Report>(name) else { continue };
            for operator in report.operators {
                let (_, sum) = all.entry(operator.path).or_insert_with(|| (operator.name, Vec::new()));
                operator.values.into_iter().for_each(|value| add(sum, value));
            }
        }
        all
    }
}

/// The children, the last one first.
fn below(path: &Path, plan: &Arc<dyn ExecutionPlan>) -> Vec<(Path, Arc<dyn ExecutionPlan>)> {
    let child = |(i, child): (usize, &Arc<dyn ExecutionPlan>)| {
        let mut path = path.clone();
        path.push(u16::try_from(i).unwrap_or(u16::MAX));
        (path, Arc::clone(child))
    };
    plan.children().into_iter().enumerate().rev().map(child).collect()
}

fn add(sum: &mut Vec<Value>, value: Value) {
    match sum.iter_mut().find(|s| s.name == value.name) {
        Some(s) => s.value = s.value.saturating_add(value.value),
        None => sum.push(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::Schema;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::limit::GlobalLimitExec;
    use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
    use datafusion::physical_plan::union::UnionExec;

    fn rows(n: usize) -> MetricsSet {
        let metrics = ExecutionPlanMetricsSet::new();
        MetricBuilder::new(&metrics).output_rows(3).add(n);
        metrics.clone_inner()
    }

    #[test]
    fn reports_of_tasks_add_up() {
        let leaf: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(Arc::new(Schema::empty())));
        let between: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(Arc::clone(&leaf)));
        let root = UnionExec::try_new(vec![between, Arc::new(GlobalLimitExec::new(leaf, 0, None))]).expect("a union");
        let task = |n| {
            // The empty one has no metrics.
            let metrics = vec![rows(n), rows(100), rows(10 * n)];
            let report = Report::of_task(&root, metrics, |name| name == "CoalescePartitionsExec");
            let paths: Vec<Path> = report.operators.iter().map(|o| o.path.clone()).collect();
            assert_eq!(paths, [vec![], vec![0], vec![1], vec![1, 0]], "what stands in between is left out");
            report.into_metrics()
        };
        let both: Vec<MetricsSet> = task(2).into_iter().chain(task(5)).collect();
        let sum = |value| vec![Value { name: "number of output rows".into(), value, kind: Kind::Sum }];
        let expect = HashMap::from([
            (Path::new(), ("UnionExec".to_owned(), sum(7))),
            (vec![1], ("GlobalLimitExec".to_owned(), sum(70))),
        ]);
        assert_eq!(Report::of_stage(&both), expect);
        assert!(Report::of_stage(&[rows(1)]).is_empty(), "other metrics are no reports");
    }
}
