//! Percentiles: exact (`percentile`, `median`, `percentile_cont`, `percentile_disc`) and `mode`,
//! `histogram_numeric`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::collect::{Collect, Cost, Finished, one_list};
use super::kernel;
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::families::collation::Collation;
use crate::families::datetime::{numbers, typed};
use crate::families::rows::strict;
use crate::families::sketch::count_min::JavaRandom;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::values;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "percentile", build: Build::Aggregate(percentile) },
    Function { name: "median", build: Build::Aggregate(percentile) },
    Function { name: "percentile_cont", build: Build::Aggregate(within_group) },
    Function { name: "percentile_disc", build: Build::Aggregate(within_group) },
    Function { name: "mode", build: Build::Aggregate(mode) },
    Function { name: "histogram_numeric", build: Build::Aggregate(histogram) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "percentile",
        accumulator: |a| Collect::costly(a, Cost::SORTED, None, finish_percentile),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "mode",
        accumulator: |a| Collect::costly(a, Cost { copies: 4, per_row: 160 }, None, finish_mode),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "histogram_numeric",
        accumulator: |a| Collect::boxed(a, finish_histogram),
        state: Collect::state_types,
        groups: None,
    },
];

#[derive(Serialize, Deserialize)]
struct Wanted {
    fractions: Vec<f64>,
    /// The fractions came as an array.
    many: bool,
    discrete: bool,
    descending: bool,
    /// The frequencies as errors print them.
    #[serde(default)]
    frequency: String,
}

/// The constant fractions in place `i`, and whether they were an array.
///
/// # Errors
/// If they are not constants between 0 and 1.
pub(super) fn fractions(call: &Call, i: usize) -> Result<(Vec<f64>, bool)> {
    let arg = &call.args[i];
    let many = matches!(arg.ty, DataType::Array { .. });
    let fits = |t: &DataType| t.is_numeric() || t.is_string() || *t == DataType::Null;
    let taken = match &arg.ty {
        DataType::Array { element, contains_null } => fits(element) && !contains_null,
        ty => fits(ty),
    };
    if !taken {
        let required = match (call.name.contains("approx"), many) {
            (true, _) => "(\"DOUBLE\" or \"ARRAY<DOUBLE>\")",
            (false, true) => "\"ARRAY<DOUBLE>\"",
            (false, false) => "\"DOUBLE\"",
        };
        return Err(call.unexpected_type(i, required));
    }
    if !arg.foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`percentage`")
            .param("inputType", if many { "\"ARRAY<DOUBLE>\"" } else { "\"DOUBLE\"" })
            .param("inputExpr", format!("\"{}\"", arg.name)));
    }
    let target = if many { DataType::array(DataType::Double, false) } else { DataType::Double };
    let value = fold::evaluate(&coerce::cast_implicitly(arg, &target, call.settings))?;
    let array = match &value {
        ScalarValue::List(l) if l.is_valid(0) => l.value(0),
        other => other.to_array().map_err(crate::error::from_datafusion)?,
    };
    let array = array.as_primitive_opt::<Float64Type>().cloned().unwrap_or_else(|| Float64Array::from(vec![None; 1]));
    if array.null_count() > 0 {
        return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", "percentage"));
    }
    if array.values().iter().any(|p| !(0.0..=1.0).contains(p)) {
        let shown: Vec<String> = array.values().iter().map(|v| format!("{v:?}D")).collect();
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "percentage")
            .param("valueRange", "[0.0, 1.0]")
            .param("currentValue", shown.join(",")));
    }
    Ok((array.values().to_vec(), many))
}

/// The result's type for values of `ty`: double, or an interval with all its fields.
fn result_type(ty: &DataType) -> DataType {
    match ty {
        DataType::YearMonthInterval { .. } => DataType::YearMonthInterval { start: 0, end: 1 },
        DataType::DayTimeInterval { .. } => DataType::DayTimeInterval { start: 0, end: 3 },
        _ => DataType::Double,
    }
}

/// The value argument: an interval as it is, anything else as a double.
fn measured(call: &mut Call, i: usize) -> Result<()> {
    if call.args[i].ty.is_ansi_interval() {
        return Ok(());
    }
    if call.args[i].ty.is_numeric() {
        call.args[i] = coerce::cast_implicitly(&call.args[i], &DataType::Double, call.settings);
        return Ok(());
    }
    match coerce::implicit(&call.args[i], &Expected::Type(DataType::Double), call.settings) {
        Some(v) => {
            call.args[i] = v;
            Ok(())
        }
        None => {
            const REQUIRED: &str =
                "((\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\") or \"TIME\")";
            Err(call.unexpected_type(i, REQUIRED))
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal(e.to_string()))
}

fn percentile(mut call: Call) -> Result<Typed> {
    let median = call.name == "median";
    if !call.order.is_empty() {
        return Err(Error::analysis("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX")
            .param("prettyName", spark::types::quote_identifier(&call.name))
            .param("syntax", "\"WITHIN GROUP (ORDER BY ...)\"")
            .with_message(format!("{} takes no WITHIN GROUP.", call.name))
            .at(call.origin.as_ref()));
    }
    call.arity(if median { 1..=1 } else { 2..=3 })?;
    if call.args.len() == 2 {
        call.args.push(Typed::new(lit(1_i64), DataType::Long, false, "1"));
    }
    let name = call.display_name();
    let (fractions, many) = if median { (vec![0.5], false) } else { fractions(&call, 1)? };
    measured(&mut call, 0)?;
    let mut args = vec![call.args[0].expr.clone()];
    if !median {
        strict(&mut call, 2, Expected::Integral)?;
        args.push(coerce::cast_implicitly(&call.args[2], &DataType::Long, call.settings).expr);
    }
    let one = result_type(&call.args[0].ty);
    let ty = if many { DataType::array(one, false) } else { one };
    let frequency = match call.args.get(2) {
        Some(arg) if arg.foldable() => arg.name.clone(),
        _ => "boundreference()".into(),
    };
    let extra = json(&Wanted { fractions, many, discrete: false, descending: false, frequency })?;
    let expr = kernel(&call, &KERNELS[0], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

/// The error for a call with other sort keys than `expected` ones.
fn wrong_orderings(call: &Call, function: &str, expected: usize) -> Error {
    let function = spark::types::quote_identifier(function);
    if call.order.is_empty() {
        return Error::analysis("INVALID_WITHIN_GROUP_EXPRESSION.WITHIN_GROUP_MISSING")
            .param("funcName", function)
            .at(call.origin.as_ref());
    }
    Error::analysis("INVALID_WITHIN_GROUP_EXPRESSION.WRONG_NUM_ORDERINGS")
        .param("funcName", function)
        .param("expectedNum", expected.to_string())
        .param("actualNum", call.order.len().to_string())
        .at(call.origin.as_ref())
}

fn within_group(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if call.distinct {
        return Err(Error::analysis("INVALID_WITHIN_GROUP_EXPRESSION.DISTINCT_UNSUPPORTED")
            .param("funcName", spark::types::quote_identifier(&call.name))
            .at(call.origin.as_ref()));
    }
    let [(key, ascending, _)] = call.order.as_slice() else {
        return Err(wrong_orderings(&call, &call.name, 1));
    };
    let (key, descending) = (key.clone(), !*ascending);
    let filter = call.filter.as_ref().map(|f| format!(" FILTER (WHERE {})", f.name)).unwrap_or_default();
    let name = format!(
        "{}({}) WITHIN GROUP (ORDER BY {}{}){filter}",
        call.name,
        call.args[0].name,
        key.name,
        if descending { " DESC" } else { "" }
    );
    // Errors print the key as the first argument.
    call.args.insert(0, key);
    call.arg_names.push(String::new());
    let (fractions, many) = fractions(&call, 1)?;
    measured(&mut call, 0)?;
    let one = result_type(&call.args[0].ty);
    let ty = if many { DataType::array(one, false) } else { one };
    let discrete = call.name == "percentile_disc";
    let extra = json(&Wanted { fractions, many, discrete, descending, frequency: String::new() })?;
    let args = vec![call.args[0].expr.clone()];
    let expr = kernel(&call, &KERNELS[0], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

#[derive(Serialize, Deserialize)]
struct ModeRule {
    /// Among the most frequent: the least, the greatest, or any.
    order: Option<bool>,
    /// The collation in which values are one.
    #[serde(default)]
    collation: Option<String>,
}

/// Whether the least of the most frequent values is wanted: the constant in place 1.
fn deterministic(call: &Call) -> Result<bool> {
    let arg = &call.args[1];
    if !arg.foldable() {
        return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
            .param("funcName", "`mode`")
            .param("paramName", "`deterministic`")
            .param("paramType", "\"BOOLEAN\"")
            .at(call.origin.as_ref()));
    }
    match (fold::evaluate(arg)?, &arg.ty) {
        (value, _) if value.is_null() => Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_NULL")
            .param("exprName", "`deterministic`")
            .param("sqlExpr", format!("\"{}\"", arg.name))
            .at(call.origin.as_ref())),
        (ScalarValue::Boolean(Some(wanted)), _) => Ok(wanted),
        (_, ty) => Err(Error::analysis("UNEXPECTED_INPUT_TYPE")
            .param("functionName", "`mode`")
            .param("paramIndex", "second")
            .param("requiredType", "\"BOOLEAN\"")
            .param("inputSql", format!("\"{}\"", arg.name))
            .param("inputType", format!("\"{}\"", ty.sql()))
            .at(call.origin.as_ref())),
    }
}

fn mode(mut call: Call) -> Result<Typed> {
    call.arity(0..=2)?;
    if call.distinct {
        return Err(Error::analysis("INVALID_WITHIN_GROUP_EXPRESSION.DISTINCT_UNSUPPORTED")
            .param("funcName", "`mode`")
            .at(call.origin.as_ref()));
    }
    let mut order = None;
    let value = match (call.args.len(), call.order.as_slice()) {
        (0, [(key, ascending, _)]) => {
            order = Some(*ascending);
            key.clone()
        }
        (0, []) => return Err(wrong_orderings(&call, "mode", 1)),
        (0, _) => return Err(wrong_orderings(&call, "Mode", 1)),
        (_, [_, ..]) => return Err(wrong_orderings(&call, "mode", 0)),
        (n, []) => {
            if n == 2 && deterministic(&call)? {
                order = Some(true);
            }
            call.args[0].clone()
        }
    };
    if order.is_some() && matches!(value.ty, DataType::Map { .. } | DataType::Variant) {
        return Err(call.unexpected_type(0, "\"ORDERABLE\""));
    }
    let name = match order {
        None => format!("mode({})", value.name),
        Some(up) => format!("mode() WITHIN GROUP (ORDER BY {}{})", value.name, if up { " DESC" } else { "" }),
    };
    call.args.clear();
    let collation = match &value.ty {
        DataType::String { collation: Some(name) } => Some(name.to_string()),
        _ => None,
    };
    let extra = json(&ModeRule { order, collation })?;
    let expr = kernel(&call, &KERNELS[1], call.options().with_extra(extra), vec![value.expr], &value.ty);
    Ok(Typed::new(expr, value.ty, true, name))
}

fn histogram(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    if call.args[0].ty.is_string() {
        call.expect(0, Expected::Type(DataType::Double))?;
    } else if call.args[0].ty.is_timestamp_nanos() {
        call.expect(0, Expected::Type(DataType::Date))?;
    }
    let x = call.args[0].ty.clone();
    let ok = x.is_numeric() || x.is_ansi_interval() || x.is_datetime() || x == DataType::Null;
    if !ok {
        return Err(call.unexpected_type(
            0,
            "(\"NUMERIC\" or \"DATE\" or \"TIMESTAMP\" or \"TIMESTAMP_NTZ\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\" or \"TIME\")",
        ));
    }
    call.expect(1, Expected::Type(DataType::Integer))?;
    if !call.args[1].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`nb`")
            .param("inputType", "\"INT\"")
            .param("inputExpr", format!("\"{}\"", call.args[1].name)));
    }
    let Some(bins) = fold::integer(&call.args[1]) else {
        return Err(call.mismatch("UNEXPECTED_NULL").param("exprName", "nb"));
    };
    if bins < 2 {
        return Err(Error::analysis("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("exprName", "nb")
            .param("valueRange", "[2, 2147483647]")
            .param("currentValue", bins.to_string()));
    }
    let fields = vec![StructField::new("x", x, true), StructField::new("y", DataType::Double, true)];
    let ty = DataType::array(DataType::Struct(StructType::new(fields)), true);
    let args: Vec<Expr> = vec![call.args[0].expr.clone()];
    let expr = kernel(&call, &KERNELS[2], call.options().with_extra(bins.to_string()), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

/// Any numeric or temporal array as doubles.
pub(super) fn doubles(array: &ArrayRef) -> DfResult<Float64Array> {
    let plain: ArrayRef = match array.data_type() {
        Arrow::Float64 | Arrow::Float32 | Arrow::Decimal128(..) => cast(array, &Arrow::Float64)?,
        Arrow::Boolean => cast(array, &Arrow::Float64)?,
        _ => cast(&(Arc::new(numbers(array)?) as ArrayRef), &Arrow::Float64)?,
    };
    Ok(plain.as_primitive::<Float64Type>().clone())
}

/// Doubles as an array of a numeric or temporal type.
pub(super) fn from_doubles(values: Vec<f64>, ty: &Arrow) -> DfResult<ArrayRef> {
    match ty {
        Arrow::Float64 => Ok(Arc::new(Float64Array::from(values))),
        Arrow::Float32 | Arrow::Decimal128(..) => {
            let array: ArrayRef = Arc::new(Float64Array::from(values));
            Ok(cast(&array, ty)?)
        }
        Arrow::Int16 => {
            let array = typed(values.into_iter().map(|v| Some(v as i64)).collect(), &Arrow::Int64)?;
            Ok(cast(&array, ty)?)
        }
        _ => typed(values.into_iter().map(|v| Some(v as i64)).collect(), ty),
    }
}

/// Values with their counts, in order.
struct Counted {
    values: Vec<f64>,
    /// Rows up to and with each value.
    upto: Vec<i64>,
}

impl Counted {
    fn total(&self) -> i64 {
        self.upto.last().copied().unwrap_or(0)
    }

    /// The value of row `index`.
    fn at(&self, index: i64) -> f64 {
        let place = self.upto.partition_point(|n| *n <= index);
        self.values[place.min(self.values.len() - 1)]
    }

    fn continuous(&self, fraction: f64) -> f64 {
        let position = (self.total() - 1) as f64 * fraction;
        let (low, high) = (position.floor(), position.ceil());
        let (a, b) = (self.at(low as i64), self.at(high as i64));
        if low == high || a == b { a } else { (high - position) * a + (position - low) * b }
    }

    fn discrete(&self, fraction: f64) -> f64 {
        let index = (self.total() as f64 * fraction).ceil() as i64 - 1;
        self.at(index.max(0))
    }
}

fn finish_percentile(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let wanted: Wanted = context.parameters()?;
    let values = doubles(&columns[0])?;
    let weights = columns.get(1).map(|w| w.as_primitive::<Int64Type>());
    let mut rows: Vec<(f64, i64)> = (0..values.len())
        .filter(|i| values.is_valid(*i) && weights.is_none_or(|w| w.is_valid(*i)))
        .map(|i| (values.value(i), weights.map_or(1, |w| w.value(i))))
        .collect();
    if let Some((_, negative)) = rows.iter().find(|r| r.1 < 0) {
        return crate::error::fail(
            Error::runtime("NEGATIVE_VALUES_IN_FREQUENCY_EXPRESSION")
                .param("frequencyExpression", format!("\"{}\"", wanted.frequency))
                .param("negativeValue", format!("{negative}L"))
                .with_message("A percentile's frequencies are not negative."),
        );
    }
    rows.retain(|r| r.1 > 0);
    if rows.is_empty() || wanted.fractions.is_empty() {
        return context.null();
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    if wanted.descending {
        rows.reverse();
    }
    let mut total = 0;
    let upto = rows
        .iter()
        .map(|r| {
            total += r.1;
            total
        })
        .collect();
    let counted = Counted { values: rows.into_iter().map(|r| r.0).collect(), upto };
    let results: Vec<f64> = wanted
        .fractions
        .iter()
        .map(|f| if wanted.discrete { counted.discrete(*f) } else { counted.continuous(*f) })
        .collect();
    one_or_many(results, wanted.many, &context.return_type)
}

/// The results as one value or as a list.
pub(super) fn one_or_many(results: Vec<f64>, many: bool, return_type: &Arrow) -> DfResult<ScalarValue> {
    match (return_type, many) {
        (Arrow::List(field), true) => Ok(one_list(from_doubles(results, field.data_type())?)),
        (ty, false) => ScalarValue::try_from_array(&from_doubles(results, ty)?, 0),
        (other, true) => internal_err!("expected a list result, not {other}"),
    }
}

fn finish_mode(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let rule: ModeRule = context.parameters()?;
    let array = &columns[0];
    if array.data_type() == &Arrow::Null {
        return context.null();
    }
    let keys = match &rule.collation {
        Some(name) => {
            let collation = Collation::named(name).map_err(crate::error::external)?;
            crate::families::array::collated_rows(&collation, &[array])?.remove(0)
        }
        None => values::rows(std::slice::from_ref(array))?,
    };
    let mut counts: indexmap::IndexMap<arrow::row::Row, (usize, i64)> = indexmap::IndexMap::new();
    for i in (0..array.len()).filter(|i| array.is_valid(*i)) {
        counts.entry(keys.row(i)).or_insert((i, 0)).1 += 1;
    }
    let most = counts.values().map(|c| c.1).max();
    let best = counts.iter().filter(|(_, c)| Some(c.1) == most);
    let found = match rule.order {
        None => {
            let places = counts.values().map(|c| c.0).collect::<Vec<_>>();
            let order = hash_map_order(array, &places)?;
            return match order.into_iter().find(|i| counts.get_index(*i).is_some_and(|(_, c)| Some(c.1) == most)) {
                Some(i) => ScalarValue::try_from_array(array, places[i]),
                None => context.null(),
            };
        }
        Some(true) => best.min_by(|a, b| a.0.cmp(b.0)),
        Some(false) => best.max_by(|a, b| a.0.cmp(b.0)),
    };
    match found {
        Some((_, (row, _))) => ScalarValue::try_from_array(array, *row),
        None => context.null(),
    }
}

/// The order in which Spark's hash map lists distinct values, given by their rows in order of appearance.
fn hash_map_order(array: &ArrayRef, rows: &[usize]) -> DfResult<Vec<usize>> {
    let mut capacity = 64_usize;
    while rows.len() * 10 > capacity * 7 {
        capacity *= 2;
    }
    let mut slots: Vec<Option<usize>> = vec![None; capacity];
    for (i, row) in rows.iter().enumerate() {
        let mut at = spread(crate::families::sketch::java_hash(array, *row)?) as usize & (capacity - 1);
        let mut step = 1;
        while slots[at].is_some() {
            at = (at + step) & (capacity - 1);
            step += 1;
        }
        slots[at] = Some(i);
    }
    Ok(slots.into_iter().flatten().collect())
}

/// MurmurHash3 of one integer.
fn spread(code: i32) -> u32 {
    let k = (code as u32).wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut h = k.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

fn finish_histogram(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let limit: usize = context.parameters()?;
    if columns[0].data_type() == &Arrow::Null {
        return context.null();
    }
    let values = doubles(&columns[0])?;
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut random = JavaRandom::new(HISTOGRAM_SEED);
    for v in values.iter().flatten() {
        match bins.binary_search_by(|b| b.0.total_cmp(&v)) {
            Ok(i) => bins[i].1 += 1.0,
            Err(i) => {
                bins.insert(i, (v, 1.0));
                merge_closest(&mut bins, limit, &mut random);
            }
        }
    }
    if bins.is_empty() {
        return context.null();
    }
    let Arrow::List(field) = &context.return_type else { return internal_err!("a histogram is a list") };
    let Arrow::Struct(fields) = field.data_type() else { return internal_err!("a histogram's bins are structs") };
    let x = from_doubles(bins.iter().map(|b| b.0).collect(), fields[0].data_type())?;
    let y: ArrayRef = Arc::new(Float64Array::from(bins.iter().map(|b| b.1).collect::<Vec<_>>()));
    let structs = arrow::array::StructArray::try_new(fields.clone(), vec![x, y], None)?;
    Ok(one_list(Arc::new(structs)))
}

/// The seed with which Spark breaks ties between gaps.
const HISTOGRAM_SEED: i64 = 31_183;

/// Merges the two closest bins while there are more than `limit`; which of equal gaps is left to chance.
fn merge_closest(bins: &mut Vec<(f64, f64)>, limit: usize, random: &mut JavaRandom) {
    while bins.len() > limit {
        let (mut best, mut least, mut ties) = (0, bins[1].0 - bins[0].0, 1.0);
        for i in 1..bins.len() - 1 {
            let gap = bins[i + 1].0 - bins[i].0;
            if gap < least {
                (best, least, ties) = (i, gap, 1.0);
            } else if gap == least {
                ties += 1.0;
                if random.next_double() <= 1.0 / ties {
                    best = i;
                }
            }
        }
        let (a, b) = (bins[best], bins.remove(best + 1));
        let count = a.1 + b.1;
        bins[best] = (a.0 * (a.1 / count) + b.0 / count * b.1, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_values_as_sparks_hash_map_does() {
        for (values, expect) in
            [(vec![-10, 0, 10], 0), (vec![1, 2, 3, 4, 5], 4), (vec![0, 10], 0), (vec![100, 20, 3], 100)]
        {
            let array: ArrayRef = Arc::new(arrow::array::Int32Array::from(values.clone()));
            let rows: Vec<usize> = (0..values.len()).collect();
            assert_eq!(values[hash_map_order(&array, &rows).unwrap()[0]], expect, "{values:?}");
        }
    }

    #[test]
    fn interpolates_between_rows() {
        let counted = Counted { values: vec![0.0, 1.0, 2.0, 10.0], upto: vec![1, 2, 3, 4] };
        for (fraction, continuous, discrete) in [(0.0, 0.0, 0.0), (0.5, 1.5, 1.0), (1.0, 10.0, 10.0), (0.75, 4.0, 2.0)]
        {
            assert_eq!(counted.continuous(fraction), continuous, "{fraction}");
            assert_eq!(counted.discrete(fraction), discrete, "{fraction}");
        }
    }
}
