//! Sign operators: `-x`, `+x`, `abs`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, PrimitiveArray, StructArray};
use arrow::datatypes::{
    ArrowNativeTypeOp, DataType as Arrow, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
};
use datafusion::common::{DataFusionError, Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr};
use spark::types::DataType;
use spark::{Error, Result};

use super::arithmetic::{Op, arithmetic};
use crate::call::Call;
use crate::coerce::cast_implicitly;
use crate::error::{external, fail, overflow};
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

pub const NEGATIVE: Kernel = Kernel::new("negative", |a| sign_kernel(a, Sign::Negate));
pub const ABS: Kernel = Kernel::new("abs", |a| sign_kernel(a, Sign::Absolute));

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Negate,
    Absolute,
}

/// `l - r`, or `-x` for one operand.
pub fn minus(call: Call) -> Result<Typed> {
    if call.args.len() == 1 { negative(call) } else { arithmetic(call, Op::Subtract, false) }
}

/// `-x`; called by name it is printed so.
pub fn negative(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let operator = call.is_operator || call.name == "-";
    let name = if operator { format!("(- {})", call.args[0].name) } else { call.display_name() };
    signed(call, &name, Sign::Negate)
}

/// `+x`.
pub fn positive(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = format!("(+ {})", call.args[0].name);
    let arg = operand(&call, &name)?;
    // A cast to its own type keeps `+column` from being the column itself.
    let expr = datafusion::logical_expr::cast(arg.expr, to_arrow(&arg.ty));
    Ok(Typed::new(expr, arg.ty, arg.nullable, name))
}

/// `abs(x)`.
pub fn abs(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let taken = match &call.args[0].ty {
        DataType::Null => true,
        ty => ty.is_numeric() || ty.is_string() || ty.is_ansi_interval(),
    };
    if !taken {
        return Err(
            call.unexpected_type(0, "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\")")
        );
    }
    signed(call, &name, Sign::Absolute)
}

/// The operand as a number or interval.
fn operand(call: &Call, name: &str) -> Result<Typed> {
    let arg = &call.args[0];
    match &arg.ty {
        t if t.is_string() || *t == DataType::Null => Ok(cast_implicitly(arg, &DataType::Double, call.settings)),
        t if t.is_numeric() || t.is_ansi_interval() || *t == DataType::CalendarInterval => Ok(arg.clone()),
        t => Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("paramIndex", "first")
            .param(
                "requiredType",
                "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")",
            )
            .param("inputSql", format!("\"{}\"", arg.name))
            .param("inputType", format!("\"{}\"", t.sql()))
            .at(call.origin.as_ref())),
    }
}

fn signed(call: Call, name: &str, sign: Sign) -> Result<Typed> {
    let arg = operand(&call, name)?;
    let expr = match &arg.ty {
        DataType::Float | DataType::Double if sign == Sign::Negate => Expr::Negative(Box::new(arg.expr)),
        ty => {
            let kernel = if sign == Sign::Negate { &NEGATIVE } else { &ABS };
            // Spark does not say where these overflow.
            let options = Options { context: None, ..call.options() };
            KernelUdf::call(kernel, to_arrow(ty), options, vec![arg.expr])
        }
    };
    Ok(Typed::new(expr, arg.ty, arg.nullable, name))
}

/// The overflow of an interval.
fn of_intervals(_: DataFusionError) -> DataFusionError {
    external(crate::families::datetime::interval_overflow().nowhere())
}

fn sign_kernel(args: &KernelArgs, sign: Sign) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let strict = args.ansi();
    let out: ArrayRef = match array.data_type() {
        Arrow::Int8 => checked::<Int8Type>(&array, sign, strict)?,
        Arrow::Int16 => checked::<Int16Type>(&array, sign, strict)?,
        Arrow::Int32 => checked::<Int32Type>(&array, sign, strict)?,
        Arrow::Int64 => checked::<Int64Type>(&array, sign, strict)?,
        Arrow::Float32 => {
            Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(|v| float_sign(-v, v.abs(), sign)))
        }
        Arrow::Float64 => {
            Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(|v| float_sign(-v, v.abs(), sign)))
        }
        Arrow::Decimal128(p, s) => {
            let out: Decimal128Array =
                array.as_primitive::<Decimal128Type>().unary(|v| if sign == Sign::Negate { -v } else { v.abs() });
            Arc::new(out.with_precision_and_scale(*p, *s)?)
        }
        Arrow::Duration(_) => checked::<DurationMicrosecondType>(&array, sign, true).map_err(of_intervals)?,
        Arrow::Interval(_) => checked::<IntervalYearMonthType>(&array, sign, true).map_err(of_intervals)?,
        Arrow::Struct(_) if sign == Sign::Negate => negate_parts(&array)?,
        other => return internal_err!("no sign for {other}"),
    };
    Ok(ColumnarValue::Array(out))
}

/// A calendar interval with each part negated.
fn negate_parts(array: &ArrayRef) -> DfResult<ArrayRef> {
    let parts = array.as_struct();
    let columns = vec![
        checked::<Int32Type>(parts.column(0), Sign::Negate, true)?,
        checked::<Int32Type>(parts.column(1), Sign::Negate, true)?,
        checked::<Int64Type>(parts.column(2), Sign::Negate, true)?,
    ];
    Ok(Arc::new(StructArray::try_new(parts.fields().clone(), columns, parts.nulls().cloned())?))
}

fn float_sign<T>(negated: T, absolute: T, sign: Sign) -> T {
    if sign == Sign::Negate { negated } else { absolute }
}

fn checked<T>(array: &ArrayRef, sign: Sign, strict: bool) -> DfResult<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: ArrowNativeTypeOp,
{
    let array = array.as_primitive::<T>();
    let zero = T::Native::ZERO;
    let mut out = PrimitiveArray::<T>::builder(array.len());
    for i in 0..array.len() {
        if array.is_null(i) {
            out.append_null();
            continue;
        }
        let v = array.value(i);
        if sign == Sign::Absolute && v.is_ge(zero) {
            out.append_value(v);
            continue;
        }
        match zero.sub_checked(v) {
            Ok(v) => out.append_value(v),
            Err(_) if strict => return fail(overflow("overflow", "")),
            Err(_) => out.append_value(v),
        }
    }
    Ok(Arc::new(out.finish().with_data_type(array.data_type().clone())))
}
