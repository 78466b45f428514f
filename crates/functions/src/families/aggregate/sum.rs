//! `sum` and `avg` of exact numbers: checked where Spark checks, rounded half up as Spark divides.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::datatypes::i256;
use arrow::datatypes::{
    DataType as Arrow, Decimal128Type, DurationMicrosecondType, Int64Type, IntervalUnit, IntervalYearMonthType,
    TimeUnit,
};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;
use spark::Error;

use crate::aggregate::{AggregateArgs, AggregateKernel};
use crate::error::{fail, overflow};

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "sum",
        accumulator: |a| single(a, false),
        state: |a| if never_overflows(a) { vec![a.return_type.clone()] } else { state_types(a) },
        groups: Some(|a| groups(a, false)),
    },
    AggregateKernel {
        name: "avg",
        accumulator: |a| single(a, true),
        state: state_types,
        groups: Some(|a| groups(a, true)),
    },
];

fn state_types(_: &AggregateArgs) -> Vec<Arrow> {
    vec![Arrow::Decimal128(38, 0), Arrow::Int64]
}

/// True for a sum of decimals so short that 128 bits hold more of them than there can be rows: nothing needs to
/// be watched while it adds up, and the sum so far is all the state there is.
fn never_overflows(args: &AggregateArgs) -> bool {
    matches!(args.arg_types.first(), Some(Arrow::Decimal128(p, _)) if *p <= 18)
        && matches!(args.return_type, Arrow::Decimal128(..))
}

fn single(args: &AggregateArgs, average: bool) -> Result<Box<dyn Accumulator>> {
    Ok(Box::new(ExactSum::new(args, average)?))
}

fn groups(args: &AggregateArgs, average: bool) -> Result<Box<dyn GroupsAccumulator>> {
    let exact = ExactSum::new(args, average)?;
    if exact.short {
        return Ok(Box::new(ShortSums {
            sums: PrimitiveGroupsAccumulator::new(args.return_type, |sum: &mut i128, value: i128| {
                *sum = sum.wrapping_add(value)
            }),
            exact,
        }));
    }
    Ok(Box::new(exact))
}

/// What a group's sum has come to.
#[derive(Clone, Copy, Default)]
struct Cell {
    sum: i128,
    /// Values added; [`OVERFLOWN`] once the sum no longer fits.
    count: i64,
}

const OVERFLOWN: i64 = -1;

impl Cell {
    /// Adds a value; false, and nothing is changed, if it does not fit or an earlier one did not.
    #[inline(always)]
    fn add(&mut self, value: i128) -> bool {
        let (sum, overflows) = self.sum.overflowing_add(value);
        if overflows || self.count == OVERFLOWN {
            return false;
        }
        self.sum = sum;
        self.count += 1;
        true
    }
}

/// Sums of unscaled integers, a cell for each group (one for the plain accumulator).
struct ExactSum {
    cells: Vec<Cell>,
    input: Arrow,
    output: Arrow,
    average: bool,
    /// Overflow is an error rather than null.
    strict: bool,
    /// The sum so far is all the state there is ([`never_overflows`]).
    short: bool,
}

impl ExactSum {
    fn new(args: &AggregateArgs, average: bool) -> Result<Self> {
        let Some(input) = args.arg_types.first().cloned() else { return internal_err!("a sum of nothing") };
        Ok(ExactSum {
            cells: Vec::new(),
            input,
            output: args.return_type.clone(),
            average,
            strict: args.options.ansi,
            short: !average && never_overflows(args),
        })
    }

    /// The same sum of other groups.
    fn over(&self, cells: Vec<Cell>) -> Self {
        ExactSum { cells, input: self.input.clone(), output: self.output.clone(), ..*self }
    }

    fn add(&mut self, group: usize, value: i128) -> Result<()> {
        if self.cells[group].add(value) { Ok(()) } else { self.refuse(group, value) }
    }

    /// What becomes of a group that a value could not be added to.
    #[cold]
    fn refuse(&mut self, group: usize, value: i128) -> Result<()> {
        let cell = &mut self.cells[group];
        if cell.count == OVERFLOWN {
            return Ok(());
        }
        if self.strict {
            let exact = i256::from_i128(cell.sum).wrapping_add(i256::from_i128(value));
            return fail(self.out_of_range(&exact.to_string()));
        }
        cell.count = OVERFLOWN;
        Ok(())
    }

    /// Calls `add` for every value that is not null and passes the filter.
    fn for_each(
        &mut self,
        values: &ArrayRef,
        group: impl Fn(usize) -> usize,
        keep: impl Fn(usize) -> bool,
    ) -> Result<()> {
        macro_rules! each {
            ($t:ty) => {{
                let values = values.as_primitive::<$t>();
                let nulls = values.nulls();
                for (i, v) in values.values().iter().enumerate() {
                    if nulls.is_none_or(|nulls| nulls.is_valid(i)) && keep(i) {
                        let (group, value) = (group(i), i128::from(*v));
                        if !self.cells[group].add(value) {
                            self.refuse(group, value)?;
                        }
                    }
                }
            }};
        }
        match &self.input {
            Arrow::Int64 => each!(Int64Type),
            Arrow::Decimal128(..) => each!(Decimal128Type),
            Arrow::Interval(IntervalUnit::YearMonth) => each!(IntervalYearMonthType),
            Arrow::Duration(TimeUnit::Microsecond) => each!(DurationMicrosecondType),
            other => return internal_err!("no exact sum of {other}"),
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], group: impl Fn(usize) -> usize) -> Result<()> {
        let [sums, counts] = states else { return internal_err!("a sum's state has two columns") };
        let sums = sums.as_primitive::<Decimal128Type>();
        let counts = counts.as_primitive::<Int64Type>();
        for i in 0..sums.len() {
            let (count, g) = (counts.value(i), group(i));
            if count == OVERFLOWN {
                self.cells[g].count = OVERFLOWN;
            } else if count > 0 {
                self.add(g, sums.value(i))?;
                if self.cells[g].count != OVERFLOWN {
                    self.cells[g].count += count - 1;
                }
            }
        }
        Ok(())
    }

    /// The results of these cells as an array of the output type.
    fn results(&self, cells: &[Cell]) -> Result<ArrayRef> {
        let values = cells.iter().map(|c| self.result(*c)).collect::<Result<Vec<Option<i128>>>>()?;
        Ok(match &self.output {
            Arrow::Int64 => Arc::new(Int64Array::from_iter(values.into_iter().map(|v| v.map(|v| v as i64)))),
            Arrow::Decimal128(p, s) => Arc::new(Decimal128Array::from_iter(values).with_precision_and_scale(*p, *s)?),
            Arrow::Interval(IntervalUnit::YearMonth) => Arc::new(arrow::array::IntervalYearMonthArray::from_iter(
                values.into_iter().map(|v| v.map(|v| v as i32)),
            )),
            Arrow::Duration(TimeUnit::Microsecond) => Arc::new(arrow::array::DurationMicrosecondArray::from_iter(
                values.into_iter().map(|v| v.map(|v| v as i64)),
            )),
            other => return internal_err!("no exact sum as {other}"),
        })
    }

    fn result(&self, cell: Cell) -> Result<Option<i128>> {
        if cell.count == 0 || (cell.count == OVERFLOWN && !self.strict) {
            return Ok(None);
        }
        if cell.count == OVERFLOWN {
            return fail(self.out_of_range(&cell.sum.to_string()));
        }
        if self.average && !self.sum_fits(cell.sum) {
            return if self.strict { fail(self.out_of_range(&cell.sum.to_string())) } else { Ok(None) };
        }
        let value = if self.average { self.divide(cell) } else { Some(cell.sum) };
        match value.filter(|v| self.fits(*v)) {
            Some(v) => Ok(Some(v)),
            None if self.strict => fail(self.out_of_range(&cell.sum.to_string())),
            None => Ok(None),
        }
    }

    /// `sum / count` at the output's scale, half up.
    fn divide(&self, cell: Cell) -> Option<i128> {
        let up = match (&self.input, &self.output) {
            (Arrow::Decimal128(_, from), Arrow::Decimal128(_, to)) => u32::try_from(*to - *from).unwrap_or(0),
            _ => 0,
        };
        let count = i128::from(cell.count);
        match cell.sum.checked_mul(10_i128.checked_pow(up)?) {
            Some(n) => Some(half_up(n, count)),
            None => {
                // Whole part and remainder apart: the scaled sum may need more than 128 bits.
                let scale = 10_i128.checked_pow(up)?;
                let whole = (cell.sum / count).checked_mul(scale)?;
                whole.checked_add(half_up((cell.sum % count).checked_mul(scale)?, count))
            }
        }
    }

    /// The sum of intervals behind an average must itself be an interval.
    fn sum_fits(&self, sum: i128) -> bool {
        match &self.input {
            Arrow::Interval(_) => i32::try_from(sum).is_ok(),
            Arrow::Duration(_) => i64::try_from(sum).is_ok(),
            _ => true,
        }
    }

    fn fits(&self, value: i128) -> bool {
        match &self.output {
            Arrow::Decimal128(p, _) => value.unsigned_abs() < 10_u128.pow(u32::from(*p)),
            Arrow::Interval(_) => i32::try_from(value).is_ok(),
            _ => i64::try_from(value).is_ok(),
        }
    }

    fn out_of_range(&self, unscaled: &str) -> Error {
        match &self.output {
            Arrow::Decimal128(38, _) if !self.average => overflow("Overflow in sum of decimals", "try_sum"),
            Arrow::Decimal128(p, s) => Error::arithmetic("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION")
                .param("value", point(unscaled, *s))
                .param("precision", p.to_string())
                .param("scale", s.to_string())
                .param("config", "\"spark.sql.ansi.enabled\"")
                .with_message(format!("{} does not fit DECIMAL({p}, {s}).", point(unscaled, *s))),
            Arrow::Interval(_) | Arrow::Duration(_) => {
                Error::arithmetic("INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION")
                    .param("functionName", "`try_add`")
                    .with_message("The sum of the intervals is too large.")
            }
            _ => overflow("overflow", if self.average { "try_avg" } else { "try_add" }),
        }
    }
}

/// `n / d` rounded half away from zero; `d` is positive.
pub(crate) fn half_up(n: i128, d: i128) -> i128 {
    let (q, r) = (n / d, n % d);
    if r.unsigned_abs() >= d.unsigned_abs() - r.unsigned_abs() { q + n.signum() } else { q }
}

/// An unscaled number with its decimal point.
fn point(unscaled: &str, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale == 0 {
        return unscaled.to_string();
    }
    let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |d| ("-", d));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

impl std::fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ExactSum({} → {})", self.input, self.output)
    }
}

fn states(cells: &[Cell]) -> Result<Vec<ArrayRef>> {
    let sums = Decimal128Array::from_iter_values(cells.iter().map(|c| c.sum)).with_data_type(Arrow::Decimal128(38, 0));
    let counts = Int64Array::from_iter_values(cells.iter().map(|c| c.count));
    Ok(vec![Arc::new(sums), Arc::new(counts)])
}

impl Accumulator for ExactSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.cells.resize(1, Cell::default());
        self.for_each(&values[0], |_| 0, |_| true)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let cell = self.cells.first().copied().unwrap_or_default();
        ScalarValue::try_from_array(&self.results(&[cell])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.cells.capacity() * size_of::<Cell>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if self.short {
            return Ok(vec![Accumulator::evaluate(self)?]);
        }
        let cell = self.cells.first().copied().unwrap_or_default();
        states(&[cell])?.iter().map(|a| ScalarValue::try_from_array(a, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if self.short {
            // Sums are added like values: how many there were matters to nobody.
            return Accumulator::update_batch(self, states);
        }
        self.cells.resize(1, Cell::default());
        self.merge(states, |_| 0)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut gone = self.over(vec![Cell::default()]);
        gone.for_each(&values[0], |_| 0, |_| true)?;
        self.cells.resize(1, Cell::default());
        self.cells[0].sum = self.cells[0].sum.wrapping_sub(gone.cells[0].sum);
        self.cells[0].count -= gone.cells[0].count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

impl GroupsAccumulator for ExactSum {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.cells.resize(total, Cell::default());
        match filter {
            None => self.for_each(&values[0], |i| group_indices[i], |_| true),
            Some(f) => self.for_each(&values[0], |i| group_indices[i], |i| f.is_valid(i) && f.value(i)),
        }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let cells = emit_to.take_needed(&mut self.cells);
        self.results(&cells)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        states(&emit_to.take_needed(&mut self.cells))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> Result<()> {
        self.cells.resize(total, Cell::default());
        self.merge(values, |i| group_indices[i])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut each = self.over(vec![Cell::default(); rows]);
        each.for_each(&values[0], |i| i, |i| filter.is_none_or(|f| f.is_valid(i) && f.value(i)))?;
        states(&each.cells)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.cells.capacity() * size_of::<Cell>()
    }
}

/// The sums of groups of short decimals ([`never_overflows`]): DataFusion's own, with Spark's check of the result.
struct ShortSums<F: Fn(&mut i128, i128) + Send + Sync + 'static> {
    sums: PrimitiveGroupsAccumulator<Decimal128Type, F>,
    /// Says what does not fit, and how.
    exact: ExactSum,
}

impl<F: Fn(&mut i128, i128) + Send + Sync + 'static> GroupsAccumulator for ShortSums<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sums.update_batch(values, group_indices, filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.sums.evaluate(emit_to)?;
        let values = sums.as_primitive::<Decimal128Type>();
        let (least, most) = values.values().iter().fold((0, 0), |(l, m), v| (l.min(*v), m.max(*v)));
        if self.exact.fits(least) && self.exact.fits(most) {
            return Ok(sums);
        }
        let cells: Vec<Cell> =
            values.iter().map(|v| Cell { sum: v.unwrap_or_default(), count: i64::from(v.is_some()) }).collect();
        self.exact.results(&cells)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.sums.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> Result<()> {
        self.sums.merge_batch(values, group_indices, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.sums.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_away_from_zero() {
        for (n, d, expect) in [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (7, 3, 2), (-4, 3, -1), (0, 3, 0)] {
            assert_eq!(half_up(n, d), expect, "{n}/{d}");
        }
    }

    #[test]
    fn places_the_point() {
        for (unscaled, scale, expect) in [("12345", 2, "123.45"), ("-5", 2, "-0.05"), ("7", 0, "7")] {
            assert_eq!(point(unscaled, scale), expect);
        }
    }

    /// Sums of short and of long decimals agree, in one step and through their states; a group of nulls is null.
    #[test]
    fn sums_of_groups_are_the_same_through_states() {
        let options = crate::kernel::Options::default();
        for (precision, state_columns) in [(18, 1), (19, 2)] {
            let input = Arrow::Decimal128(precision, 2);
            let output = Arrow::Decimal128(precision + 10, 2);
            let args = AggregateArgs {
                arg_types: vec![input.clone()],
                return_type: &output,
                options: &options,
                distinct: false,
                sliding: false,
            };
            let values = Decimal128Array::from(vec![Some(150), None, Some(-25), Some(7), None])
                .with_precision_and_scale(precision, 2)
                .expect("valid");
            let values: Vec<ArrayRef> = vec![Arc::new(values)];
            let of_groups = [0, 0, 1, 0, 2];
            let mut partial = groups(&args, false).expect("made");
            partial.update_batch(&values, &of_groups, None, 3).expect("added");
            let states = partial.state(EmitTo::All).expect("state");
            assert_eq!(states.iter().map(|s| s.data_type().clone()).collect::<Vec<_>>(), (KERNELS[0].state)(&args));
            assert_eq!(states.len(), state_columns, "precision {precision}");
            let mut whole = groups(&args, false).expect("made");
            whole.merge_batch(&states, &[2, 1, 0], 3).expect("merged");
            whole.merge_batch(&whole.convert_to_state(&values, None).expect("states"), &of_groups, 3).expect("merged");
            let sums = whole.evaluate(EmitTo::All).expect("sums");
            assert_eq!(sums.data_type(), &output);
            let sums: Vec<_> = sums.as_primitive::<Decimal128Type>().iter().collect();
            assert_eq!(sums, [Some(157), Some(-50), Some(157)], "precision {precision}");

            let mut one = single(&args, false).expect("made");
            one.update_batch(&values).expect("added");
            let state = one.state().expect("state");
            let state: Vec<ArrayRef> = state.iter().map(|s| s.to_array().expect("array")).collect();
            one.merge_batch(&state).expect("merged");
            assert_eq!(one.evaluate().expect("sum"), ScalarValue::Decimal128(Some(264), precision + 10, 2));
        }
    }
}
