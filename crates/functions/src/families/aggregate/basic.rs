//! The everyday aggregates: `count`, `sum`, `avg`, `min`, `max`, `first`, `last`, `any_value`,
//! variances, and booleans.

use datafusion::functions_aggregate as df;
use datafusion::logical_expr::{Expr, cast, lit, when};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::{builtin, extreme, first, float_sum, kernel, sum};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::from_datafusion;
use crate::kernel::Options;
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "count", build: Build::Aggregate(count) },
    Function { name: "sum", build: Build::Aggregate(sum) },
    Function { name: "try_sum", build: Build::Aggregate(sum) },
    Function { name: "avg", build: Build::Aggregate(avg) },
    Function { name: "mean", build: Build::Aggregate(avg) },
    Function { name: "try_avg", build: Build::Aggregate(avg) },
    Function { name: "min", build: Build::Aggregate(min_max) },
    Function { name: "max", build: Build::Aggregate(min_max) },
    Function { name: "first", build: Build::Aggregate(first_last) },
    Function { name: "first_value", build: Build::Aggregate(first_last) },
    Function { name: "last", build: Build::Aggregate(first_last) },
    Function { name: "last_value", build: Build::Aggregate(first_last) },
    Function { name: "any_value", build: Build::Aggregate(first_last) },
    Function { name: "bool_and", build: Build::Aggregate(boolean) },
    Function { name: "every", build: Build::Aggregate(boolean) },
    Function { name: "bool_or", build: Build::Aggregate(boolean) },
    Function { name: "some", build: Build::Aggregate(boolean) },
    Function { name: "any", build: Build::Aggregate(boolean) },
    Function { name: "count_if", build: Build::Aggregate(count_if) },
];

fn count(call: Call) -> Result<Typed> {
    if call.args.is_empty() {
        return Err(Error::analysis("WRONG_NUM_ARGS.WITH_SUGGESTION")
            .param("functionName", "`count`")
            .param("expectedNum", " >= 1")
            .param("actualNum", "0")
            .param("legacyNum", "0")
            .param("legacyConfKey", "\"spark.sql.legacy.allowParameterlessCount\"")
            .param("legacyConfValue", "\"true\"")
            .with_message("count takes at least one argument.")
            .at(call.origin.as_ref()));
    }
    let arg = match (call.args.as_slice(), call.distinct) {
        ([one], _) if one.ty == DataType::Null => lit(ScalarValue::Boolean(None)),
        ([one], true) => crate::families::predicate::comparison_key(one),
        ([one], false) => one.expr.clone(),
        (_, distinct) => unless_null(&call.args, distinct)?,
    };
    let expr = builtin(&call, df::count::count_udaf(), vec![arg], false);
    Ok(call.finish(expr, DataType::Long, false))
}

/// Null if any of `args` is; otherwise the row of them, or 1 if only their number matters.
fn unless_null(args: &[Typed], as_row: bool) -> Result<Expr> {
    let there = args
        .iter()
        .filter(|a| !matches!(&a.expr, Expr::Literal(v, _) if !v.is_null()))
        .map(|a| a.expr.clone().is_not_null())
        .reduce(Expr::and);
    let value = if as_row {
        let fields = args
            .iter()
            .enumerate()
            .flat_map(|(i, a)| [lit(format!("c{i}")), crate::families::predicate::comparison_key(a)])
            .collect();
        datafusion::functions::core::named_struct().call(fields)
    } else {
        lit(1_i64)
    };
    match there {
        None => Ok(value),
        Some(there) => when(there, value).end().map_err(from_datafusion),
    }
}

/// `NUMERIC or ANSI INTERVAL`, with strings read as doubles and nulls as double.
fn numeric_or_interval(call: &mut Call) -> Result<()> {
    call.arity(1..=1)?;
    let arg = &call.args[0];
    match &arg.ty {
        t if t.is_numeric() || t.is_ansi_interval() => Ok(()),
        DataType::Null | DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) | DataType::Timestamp => {
            call.args[0] = coerce::cast_implicitly(arg, &DataType::Double, call.settings);
            Ok(())
        }
        _ => Err(call.unexpected_type(0, "\"NUMERIC\" or \"ANSI INTERVAL\"")),
    }
}

fn sum(mut call: Call) -> Result<Typed> {
    numeric_or_interval(&mut call)?;
    let ty = match call.args[0].ty.clone() {
        t if t.is_integral() => DataType::Long,
        DataType::Decimal { precision, scale } => DataType::decimal((precision + 10).min(38), scale),
        t if t.is_ansi_interval() => t,
        _ => DataType::Double,
    };
    let arg = match &ty {
        DataType::Long | DataType::Double => coerce::cast_implicitly(&call.args[0], &ty, call.settings).expr,
        _ => call.args[0].expr.clone(),
    };
    let tolerant = call.name == "try_sum";
    let wraps = ty == DataType::Long && !call.settings.ansi && !tolerant;
    let expr = if wraps {
        builtin(&call, df::sum::sum_udaf(), vec![arg], false)
    } else if ty == DataType::Double {
        kernel(&call, &float_sum::KERNELS[0], Options::default(), vec![arg], &ty)
    } else {
        kernel(&call, &sum::KERNELS[0], strictness(&call, &ty, tolerant), vec![arg], &ty)
    };
    Ok(call.finish(expr, ty, true))
}

/// Whether overflow is an error: always for intervals, in ANSI mode for numbers.
fn strictness(call: &Call, ty: &DataType, tolerant: bool) -> crate::kernel::Options {
    let mut options = call.options();
    options.ansi = !tolerant && (options.ansi || ty.is_ansi_interval());
    options
}

/// `avg`, of exact decimals for decimals.
pub(super) fn avg(mut call: Call) -> Result<Typed> {
    numeric_or_interval(&mut call)?;
    let ty = match &call.args[0].ty {
        DataType::Decimal { precision, scale } => DataType::decimal((precision + 4).min(38), (scale + 4).min(38)),
        DataType::YearMonthInterval { .. } => DataType::YearMonthInterval { start: 0, end: 1 },
        DataType::DayTimeInterval { .. } => DataType::DayTimeInterval { start: 0, end: 3 },
        _ => DataType::Double,
    };
    let tolerant = call.name == "try_avg";
    let expr = if ty == DataType::Double {
        let arg = coerce::cast_implicitly(&call.args[0], &ty, call.settings).expr;
        kernel(&call, &float_sum::KERNELS[1], Options::default(), vec![arg], &ty)
    } else {
        kernel(&call, &sum::KERNELS[1], strictness(&call, &ty, tolerant), call.exprs(), &ty)
    };
    Ok(call.finish(expr, ty, true))
}

fn min_max(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let ty = call.args[0].ty.clone();
    if !is_orderable(&ty) {
        return Err(call
            .mismatch("INVALID_ORDERING_TYPE")
            .param("functionName", spark::types::quote_identifier(&call.name))
            .param("dataType", format!("\"{}\"", ty.sql())));
    }
    let max = call.name == "max";
    if matches!(ty, DataType::Float | DataType::Double) {
        let expr = kernel(&call, &extreme::KERNELS[usize::from(max)], call.options(), call.exprs(), &ty);
        return Ok(call.finish(expr, ty, true));
    }
    if crate::families::collation::is_collated(&ty) {
        let args = vec![call.args[0].expr.clone(), crate::families::predicate::comparison_key(&call.args[0])];
        let expr = kernel(&call, &super::best::KERNELS[usize::from(!max)], call.options(), args, &ty);
        return Ok(call.finish(expr, ty, true));
    }
    if ty == DataType::Null {
        let expr = Expr::Literal(ScalarValue::Null, None);
        return Ok(call.finish(first_of(expr), ty, true));
    }
    let udaf = if max { df::min_max::max_udaf() } else { df::min_max::min_udaf() };
    let expr = builtin(&call, udaf, call.exprs(), false);
    Ok(call.finish(expr, ty, true))
}

/// The first value, nulls included.
fn first_of(expr: Expr) -> Expr {
    df::first_last::first_value_udaf().call(vec![expr])
}

/// Spark can order every type but maps, variants, calendar intervals and what contains them.
pub fn is_orderable(ty: &DataType) -> bool {
    match ty {
        DataType::Map { .. }
        | DataType::Variant
        | DataType::CalendarInterval
        | DataType::Geometry(_)
        | DataType::Geography(_) => false,
        DataType::Array { element, .. } => is_orderable(element),
        DataType::Struct(s) => s.fields.iter().all(|f| is_orderable(&f.data_type)),
        DataType::Udt { sql_type, .. } => is_orderable(sql_type),
        _ => true,
    }
}

fn first_last(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let mut ignore_nulls = call.ignore_nulls.unwrap_or(false);
    if call.args.len() == 2 {
        match call.args[1].literal() {
            Some(ScalarValue::Boolean(Some(v))) => ignore_nulls = *v,
            _ => {
                return Err(Error::analysis("_LEGACY_ERROR_TEMP_1210")
                    .param("funcName", call.name.trim_end_matches("_value"))
                    .with_message(format!("The second argument of {} is not a boolean literal.", call.name))
                    .at(call.origin.as_ref()));
            }
        }
        call.args.truncate(1);
    }
    let last = call.name.starts_with("last");
    if call.ignore_nulls == Some(true) {
        // The name under which it was called is lost once the clause is applied.
        call.name = call.name.trim_end_matches("_value").to_string();
        if call.name == "any" {
            call.name = "any_value".into();
        }
    }
    let ty = call.args[0].ty.clone();
    let options = call.options().with_extra(if ignore_nulls { "IGNORE NULLS" } else { "" });
    let expr = kernel(&call, &first::KERNELS[usize::from(last)], options, call.exprs(), &ty);
    Ok(call.finish(expr, ty, true))
}

fn boolean(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Boolean))?;
    let all = matches!(call.name.as_str(), "bool_and" | "every");
    // False is less than true; these accumulators also slide over window frames.
    let udaf = if all { df::min_max::min_udaf() } else { df::min_max::max_udaf() };
    let expr = builtin(&call, udaf, call.exprs(), false);
    Ok(call.finish(expr, DataType::Boolean, true))
}

fn count_if(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Boolean))?;
    let arg = when(call.args[0].expr.clone(), lit(true)).end().map_err(from_datafusion)?;
    let expr = builtin(&call, df::count::count_udaf(), vec![arg], false);
    Ok(call.finish(expr, DataType::Long, false))
}

/// `expr` cast to the canonical type of `ty`.
pub(crate) fn as_type(expr: Expr, ty: &DataType) -> Expr {
    cast(expr, to_arrow(ty))
}
