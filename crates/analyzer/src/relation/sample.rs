//! `df.sample`, `df.randomSplit`, `df.sampleBy`.

use datafusion::datasource::{MemTable, source_as_provider};
use datafusion::logical_expr::LogicalPlan;
use functions::Typed;
use functions::families::sample::{self, Runs};
use spark::expr::SortOrder;
use spark::plan::Sample;
use spark::{Error, ErrorKind, Expr, Literal, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::list::Bound;
use crate::scope::{Attr, Rel};

/// Fractions may miss their bounds by this much.
const ROUNDING: f64 = 1e-6;

impl Analyzer<'_> {
    /// Rows drawn by chance: each at most once, or with replacement.
    pub(super) fn sample(&mut self, sample: &Sample) -> Result<Rel> {
        check_fraction(sample.upper - sample.lower, sample.with_replacement)?;
        let mut rel = self.relation(&sample.input)?;
        let runs = self.runs(&rel);
        if sample.deterministic_order {
            rel = self.ordered_within_runs(&rel, runs)?;
        }
        let seed = sample.seed.unwrap_or(self.settings.seed);
        if sample.with_replacement {
            return self.repeated(&rel, seed, sample.upper - sample.lower, runs);
        }
        let number = sample::number(seed, runs)?;
        let (drawn, number) = self.with_value(&rel, number)?;
        let lower = self.constant(Literal::Double(sample.lower))?;
        let upper = self.constant(Literal::Double(sample.upper))?;
        let above = self.call(">=", vec![number.clone(), lower])?;
        let below = self.call("<", vec![number, upper])?;
        let within = self.call("and", vec![above, below])?;
        self.filter_typed(&drawn, within, &rel)
    }

    /// Every row as often as a Poisson distribution of mean `fraction` says.
    fn repeated(&mut self, rel: &Rel, seed: i64, fraction: f64, runs: Option<Runs>) -> Result<Rel> {
        let count = sample::count(seed, fraction, runs)?;
        let (drawn, count) = self.with_value(rel, count)?;
        let count = self.bound(Bound { typed: count, attr: None });
        let copies = Expr::call("array_repeat", vec![Expr::Literal(Literal::Boolean(true)), count]);
        let explode =
            spark::expr::UnresolvedFunction { name: vec!["explode".into()], args: vec![copies], ..Default::default() };
        let generator = self
            .generator(&explode, &mut Scope::new(&drawn, "sample"))?
            .ok_or_else(|| Error::internal("explode is a generator"))?;
        let (copied, _) = self.generate(&drawn, generator, &[])?;
        Ok(Rel { tree: rel.tree.clone(), ..copied.renamed(rel.output.clone()).with_hidden(rel.hidden.clone()) })
    }

    /// Strata sampled each by its own fraction.
    pub(super) fn sample_by(
        &mut self,
        input: &Plan,
        column: &Expr,
        fractions: &[(Literal, f64)],
        seed: Option<i64>,
    ) -> Result<Rel> {
        let rel = self.relation(input)?;
        let stratum = self.resolve(column, &mut Scope::new(&rel, "sampleBy"))?;
        if fractions.iter().any(|(_, f)| !(0.0..=1.0).contains(f)) {
            return Err(Error::new(ErrorKind::IllegalArgument, "")
                .with_message("The fractions of sampleBy are numbers from 0 to 1."));
        }
        let number = sample::number(seed.unwrap_or(self.settings.seed), None)?;
        let (drawn, number) = self.with_value(&rel, number)?;
        let mut branches = Vec::new();
        for (value, fraction) in fractions {
            // A value of another kind is no stratum of the column's, whatever a cast would make of it.
            let ty = value.data_type();
            let comparable = ty.same_type(&stratum.ty)
                || (ty.is_numeric() && stratum.ty.is_numeric())
                || (ty.is_string() && stratum.ty.is_string());
            if !comparable {
                continue;
            }
            let value = self.constant(value.clone())?;
            branches.push(self.call("<=>", vec![stratum.clone(), value])?);
            branches.push(self.constant(Literal::Double(*fraction))?);
        }
        let none = self.constant(Literal::Double(0.0))?;
        let fraction = if branches.is_empty() {
            none
        } else {
            branches.push(none);
            self.call("when", branches)?
        };
        let keep = self.call("<", vec![number, fraction])?;
        self.filter_typed(&drawn, keep, &rel)
    }

    /// The relation with one more column, and that column.
    pub(super) fn with_value(&mut self, rel: &Rel, value: Typed) -> Result<(Rel, Typed)> {
        let mut values = super::columns::all_columns(rel);
        values.push((value, None, "r".into()));
        let wider = self.project_values(rel, values)?;
        let column = wider.output.last().map(Attr::typed).ok_or_else(|| Error::internal("a column was added"))?;
        Ok((wider, column))
    }

    /// How Spark would cut the rows, if they are at hand as they are: into as many runs as there are
    /// threads. All other rows are in partitions already.
    fn runs(&self, rel: &Rel) -> Option<Runs> {
        let rows = rows_at_hand(&rel.plan)?;
        let runs = i64::try_from(self.settings.parallelism).unwrap_or(1).min(rows.max(1));
        Some(Runs { rows, runs })
    }

    /// Sorted by every column that has an order, each run of its own, so that a sample does not depend on
    /// how rows arrive.
    fn ordered_within_runs(&mut self, rel: &Rel, runs: Option<Runs>) -> Result<Rel> {
        let mut keys: Vec<Typed> =
            rel.output.iter().filter(|a| crate::expr::window::orderable(&a.ty)).map(Attr::typed).collect();
        if keys.is_empty() {
            return Ok(rel.clone());
        }
        let mut source = rel.clone();
        if let Some(runs) = runs {
            let (wider, run) = self.with_value(rel, sample::run(runs)?)?;
            keys.insert(0, run);
            source = wider;
        }
        let keys: Vec<SortOrder> = keys
            .into_iter()
            .map(|typed| {
                let child = self.bound(Bound { typed, attr: None });
                SortOrder { child, ascending: true, nulls_first: None }
            })
            .collect();
        let mut sorted = self.sort_rel(&source, &keys)?;
        if runs.is_none() {
            sorted = self.sorted_within(sorted);
        }
        Ok(Rel { tree: rel.tree.clone(), ..sorted.renamed(rel.output.clone()).with_hidden(rel.hidden.clone()) })
    }
}

fn check_fraction(fraction: f64, with_replacement: bool) -> Result<()> {
    let refused = |what: &str| {
        Err(Error::new(ErrorKind::IllegalArgument, "")
            .with_message(format!("The fraction {fraction} of a sample {what}.")))
    };
    match with_replacement {
        true if fraction < -ROUNDING => refused("with replacement must not be negative"),
        false if !(-ROUNDING..=1.0 + ROUNDING).contains(&fraction) => {
            refused("without replacement must be from 0 to 1")
        }
        _ => Ok(()),
    }
}

/// The number of rows of a plan that only picks or computes columns of rows in memory.
fn rows_at_hand(plan: &LogicalPlan) -> Option<i64> {
    match plan {
        LogicalPlan::Projection(p) if !p.expr.iter().any(|e| e.is_volatile()) => rows_at_hand(&p.input),
        LogicalPlan::SubqueryAlias(a) => rows_at_hand(&a.input),
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            let provider = source_as_provider(&scan.source).ok()?;
            let any: &dyn std::any::Any = provider.as_ref();
            let partitions = &any.downcast_ref::<MemTable>()?.batches;
            let [partition] = partitions.as_slice() else { return None };
            let rows: usize = partition.try_read().ok()?.iter().map(arrow::array::RecordBatch::num_rows).sum();
            i64::try_from(rows).ok()
        }
        _ => None,
    }
}
