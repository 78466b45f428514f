//! Window functions. The analyzer fills in partitions, order and frame.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::kernels::numeric::sub;
use datafusion::common::Result as DfResult;
use datafusion::functions_window as df;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, WindowUDF, lit, when};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::aggregate::basic::as_type;
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::{fail, from_datafusion};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::values;
use crate::window_udf::DirectedWindow;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "row_number", build: Build::Window(row_number) },
    Function { name: "rank", build: Build::Window(rank) },
    Function { name: "dense_rank", build: Build::Window(rank) },
    Function { name: "percent_rank", build: Build::Window(rank) },
    Function { name: "cume_dist", build: Build::Window(cume_dist) },
    Function { name: "ntile", build: Build::Window(ntile) },
    Function { name: "lag", build: Build::Window(lead_lag) },
    Function { name: "lead", build: Build::Window(lead_lag) },
    Function { name: "nth_value", build: Build::Window(nth_value) },
    Function { name: "counter_diff", build: Build::Window(counter_diff) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::new("counter_diff", counter_step)];

fn window(udwf: Arc<WindowUDF>, args: Vec<Expr>) -> Expr {
    Expr::from(WindowFunction::new(udwf, args))
}

/// A call whose answer depends on the direction of the window, or on its nulls.
fn directed(udwf: Arc<WindowUDF>, args: Vec<Expr>, ignore_nulls: bool) -> Expr {
    window(DirectedWindow::udwf(udwf, ignore_nulls), args)
}

fn row_number(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    let expr = as_type(window(df::row_number::row_number_udwf(), vec![]), &DataType::Integer);
    Ok(call.finish(expr, DataType::Integer, false))
}

/// The ranks take (and ignore) the ordering columns as arguments.
fn rank(call: Call) -> Result<Typed> {
    let (udwf, ty) = match call.name.as_str() {
        "rank" => (df::rank::rank_udwf(), DataType::Integer),
        "dense_rank" => (df::rank::dense_rank_udwf(), DataType::Integer),
        _ => (df::rank::percent_rank_udwf(), DataType::Double),
    };
    let expr = as_type(window(udwf, vec![]), &ty);
    let name = format!("{}()", call.name.to_uppercase());
    Ok(Typed::new(expr, ty, false, name))
}

fn cume_dist(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    let expr = window(df::cume_dist::cume_dist_udwf(), vec![]);
    Ok(call.finish(expr, DataType::Double, false))
}

/// Argument `i` as a constant integer, or Spark's refusal.
fn constant(call: &Call, i: usize, name: &str, required: &DataType) -> Result<i64> {
    let arg = &call.args[i];
    if !arg.foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", spark::types::quote_identifier(name))
            .param("inputType", format!("\"{}\"", required.sql()))
            .param(
                "inputExpr",
                if call.name == "lag" { format!("\"(- {})\"", arg.name) } else { format!("\"{}\"", arg.name) },
            ));
    }
    fold::integer(arg).ok_or_else(|| without_constant(call, i, required))
}

/// What Spark says of a constant that is null: each function finds it out in its own way.
fn without_constant(call: &Call, i: usize, required: &DataType) -> Error {
    match call.name.as_str() {
        "ntile" => call
            .mismatch("UNEXPECTED_INPUT_TYPE")
            .param("paramIndex", "first")
            .param("requiredType", format!("\"{}\"", required.sql()))
            .param("inputSql", format!("\"{}\"", call.args[i].name))
            .param("inputType", "\"VOID\""),
        "nth_value" => out_of_range(call, "offset", "(0, 9223372036854775807]", "0L".into()),
        name => Error::analysis("_LEGACY_ERROR_TEMP_1035")
            .param("prettyName", name)
            .with_message(format!("{name} takes no offset of null.")),
    }
}

fn out_of_range(call: &Call, name: &str, range: &str, value: String) -> Error {
    call.mismatch("VALUE_OUT_OF_RANGE").param("exprName", name).param("valueRange", range).param("currentValue", value)
}

fn ntile(mut call: Call) -> Result<Typed> {
    call.arity(0..=1)?;
    if call.args.is_empty() {
        call.args.push(Typed::new(lit(1_i32), DataType::Integer, false, "1"));
    }
    if !matches!(call.args[0].ty, DataType::Integer | DataType::Null) && call.args[0].foldable() {
        return Err(call.unexpected_type(0, "\"INT\""));
    }
    call.expect(0, Expected::Type(DataType::Integer))?;
    let buckets = constant(&call, 0, "buckets", &DataType::Integer)?;
    if buckets <= 0 {
        return Err(out_of_range(&call, "buckets", "(0, 2147483647]", buckets.to_string()));
    }
    let expr = as_type(window(df::ntile::ntile_udwf(), vec![lit(buckets)]), &DataType::Integer);
    Ok(call.finish(expr, DataType::Integer, false))
}

fn lead_lag(mut call: Call) -> Result<Typed> {
    call.arity(1..=3)?;
    if call.args.len() < 2 {
        call.args.push(Typed::new(lit(1_i32), DataType::Integer, false, "1"));
    }
    if call.args.len() < 3 {
        call.args.push(Typed::null(DataType::Null));
    }
    call.expect(1, Expected::Type(DataType::Integer))?;
    call.collate(&[0, 2])?;
    let offset = constant(&call, 1, "offset", &DataType::Integer)?;
    let ty = call.args[0].ty.clone();
    if !call.args[2].ty.same_type(&ty) {
        call.expect(2, Expected::Type(ty.clone()))?;
    }
    let default = coerce::cast_implicitly(&call.args[2], &ty, call.settings);
    let ignore_nulls = call.ignore_nulls.unwrap_or(false);
    let udwf = if call.name == "lag" { df::lead_lag::lag_udwf() } else { df::lead_lag::lead_udwf() };
    let value = call.args[0].expr.clone();
    let shifted = |arg: Expr| directed(Arc::clone(&udwf), vec![arg, lit(offset)], ignore_nulls);
    let nullable = call.args[0].nullable || default.nullable;
    let expr = if call.args[2].is_null_literal() {
        shifted(value)
    } else {
        // The default may be any expression of the current row, so whether there is a row at the offset
        // is asked apart.
        let there = if ignore_nulls { value.clone() } else { lit(true) };
        when(shifted(there).is_not_null(), shifted(value)).otherwise(default.expr).map_err(from_datafusion)?
    };
    Ok(call.finish(expr, ty, nullable))
}

fn nth_value(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    let mut ignore_nulls = call.ignore_nulls.unwrap_or(false);
    if let Some(third) = call.args.get(2) {
        match third.literal() {
            Some(ScalarValue::Boolean(Some(v))) => ignore_nulls = *v,
            _ => {
                return Err(Error::analysis("INVALID_PARAMETER_VALUE.BOOLEAN")
                    .param("parameter", "`ignoreNulls`")
                    .param("functionName", "`nth_value`")
                    .param("invalidValue", format!("\"{}\"", third.name))
                    .at(call.origin.as_ref()));
            }
        }
        call.args.truncate(2);
    }
    let mut name = call.display_name();
    if ignore_nulls && !name.ends_with("ignore nulls") {
        name.push_str(" ignore nulls");
    }
    let required = call.args[1].ty.clone();
    call.expect(1, Expected::Type(DataType::Long))?;
    let n = constant(&call, 1, "offset", &required)?;
    if n <= 0 {
        return Err(out_of_range(&call, "offset", "(0, 9223372036854775807]", format!("{n}L")));
    }
    let ty = call.args[0].ty.clone();
    let args = vec![call.args[0].expr.clone(), lit(n)];
    Ok(Typed::new(directed(df::nth_value::nth_value_udwf(), args, ignore_nulls), ty, true, name))
}

fn counter_diff(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    call.expect(0, Expected::Numeric)?;
    let ty = call.args[0].ty.clone();
    let value = call.args[0].expr.clone();
    let mut fields = vec![lit("value"), value.clone()];
    if let Some(start) = call.args.get(1) {
        if !matches!(start.ty, DataType::Timestamp | DataType::TimestampNtz) {
            return Err(call.unexpected_type(1, "(\"TIMESTAMP\" or \"TIMESTAMP_NTZ\")"));
        }
        fields.extend([lit("start"), start.expr.clone()]);
    }
    let row = datafusion::functions::core::named_struct().call(fields);
    let row = when(value.is_not_null(), row).end().map_err(from_datafusion)?;
    let before = directed(df::lead_lag::lag_udwf(), vec![row.clone(), lit(1_i64)], true);
    let name = call.display_name();
    let options = call.options();
    let expr = crate::kernel::KernelUdf::call(&KERNELS[0], crate::types::to_arrow(&ty), options, vec![row, before]);
    Ok(Typed::new(expr, ty, true, name))
}

/// The step of a counter from the row before: null at the start and where the counter was reset.
fn counter_step(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (now, before) = (args.array(0)?, args.array(1)?);
    let (now, before) = (now.as_struct(), before.as_struct());
    let values = values::rows_of(&[now.column(0), before.column(0)])?;
    let zero = ScalarValue::new_zero(now.column(0).data_type())?.to_array()?;
    let zero = values::rows_of(&[now.column(0), &zero])?;
    let starts = match (now.columns().get(1), before.columns().get(1)) {
        (Some(a), Some(b)) => Some((a, b, values::rows_of(&[a, b])?)),
        _ => None,
    };
    let mut keep = Vec::with_capacity(args.rows);
    for i in 0..now.len() {
        if now.is_valid(i) && zero[0].row(i) < zero[1].row(0) {
            return fail(counter_error("COUNTER_DIFF_NEGATIVE_COUNTER_VALUE", "A counter must not be negative."));
        }
        let mut step = now.is_valid(i) && before.is_valid(i) && values[0].row(i) >= values[1].row(i);
        if let Some((a, b, rows)) = &starts
            && now.is_valid(i)
            && before.is_valid(i)
            && a.is_valid(i)
            && b.is_valid(i)
        {
            if rows[0].row(i) < rows[1].row(i) {
                return fail(counter_error(
                    "COUNTER_DIFF_START_TIME_DECREASED",
                    "A counter's start must not decrease.",
                ));
            }
            step &= rows[0].row(i) == rows[1].row(i);
        }
        keep.push(step);
    }
    let diff = sub(now.column(0), before.column(0))?;
    let mask = arrow::array::BooleanArray::from(keep.into_iter().map(|k| !k).collect::<Vec<_>>());
    let diff = arrow::compute::cast(&arrow::compute::nullif(&diff, &mask)?, args.return_type())?;
    Ok(ColumnarValue::Array(diff))
}

fn counter_error(condition: &str, message: &str) -> Error {
    Error::runtime(condition).with_message(message)
}
