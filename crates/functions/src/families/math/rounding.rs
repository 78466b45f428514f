//! `round`, `bround`, `ceil`, `floor`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as Arrow, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};
use spark::types::DataType;
use spark::{Error, Result};

use crate::call::Call;
use crate::cast::format::double_to_string;
use crate::cast::parse::parse_decimal;
use crate::coerce::{Expected, cast_implicitly, decimal_for};
use crate::error::{fail, overflow};
use crate::families::operators::power;
use crate::families::rows::{int_literal, push_default};
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "round", build: Build::Scalar(round) },
    Function { name: "bround", build: Build::Scalar(round) },
    Function { name: "ceil", build: Build::Scalar(|c| whole(c, "CEIL")) },
    Function { name: "ceiling", build: Build::Scalar(|c| whole(c, "ceiling")) },
    Function { name: "floor", build: Build::Scalar(|c| whole(c, "FLOOR")) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[ROUND];

const ROUND: Kernel = Kernel::new("round", round_kernel);

/// How a digit that is cut off counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    HalfUp,
    HalfEven,
    Ceiling,
    Floor,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::HalfUp => "half_up",
            Mode::HalfEven => "half_even",
            Mode::Ceiling => "ceiling",
            Mode::Floor => "floor",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "half_even" => Mode::HalfEven,
            "ceiling" => Mode::Ceiling,
            "floor" => Mode::Floor,
            _ => Mode::HalfUp,
        }
    }

    /// `n / d` as a whole number, `d` positive.
    fn divide(self, n: &BigInt, d: &BigInt) -> BigInt {
        let quotient = n / d;
        let rest = n % d;
        if rest.is_zero() {
            return quotient;
        }
        let away = if n.is_negative() { BigInt::from(-1) } else { BigInt::from(1) };
        let twice = rest.abs() * 2;
        let up = match self {
            Mode::HalfUp => twice >= *d,
            Mode::HalfEven => twice > *d || twice == *d && !(&quotient % 2i32).is_zero(),
            Mode::Ceiling => !n.is_negative(),
            Mode::Floor => n.is_negative(),
        };
        if up { quotient + away } else { quotient }
    }
}

fn round(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let mode = if call.name == "bround" { Mode::HalfEven } else { Mode::HalfUp };
    if call.args.len() == 1 {
        push_default(&mut call, int_literal(0));
    }
    let name = call.display_name();
    call.expect_all(&[Expected::Numeric, Expected::Type(DataType::Integer)])?;
    let scale = scale(&call, &name)?;
    let ty = match (&call.args[0].ty, scale) {
        (DataType::Decimal { precision, scale: s }, scale) => rounded_type(*precision, *s, scale.unwrap_or(0)),
        (other, _) => other.clone(),
    };
    Ok(rounded(&call, mode, scale, ty, name))
}

/// The scale, which must be constant; `None` if null.
fn scale(call: &Call, name: &str) -> Result<Option<i32>> {
    let arg = &call.args[1];
    if !arg.foldable() {
        return Err(Error::analysis("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT")
            .param("sqlExpr", format!("\"{name}\""))
            .param("inputName", "`scale`")
            .param("inputType", format!("\"{}\"", arg.ty.sql()))
            .param("inputExpr", format!("\"{}\"", arg.name))
            .at(call.origin.as_ref()));
    }
    // An error in the constant is the query's.
    crate::fold::evaluate(arg)?;
    Ok(crate::fold::integer(arg).and_then(|v| i32::try_from(v).ok()))
}

/// The type of a decimal rounded to `scale` digits.
fn rounded_type(p: u8, s: i8, scale: i32) -> DataType {
    let (p, s) = (i32::from(p), i32::from(s));
    let integral = p - s + 1;
    if scale < 0 {
        let precision = integral.max(-scale + 1);
        return DataType::decimal(precision.min(38) as u8, 0);
    }
    let kept = scale.min(s);
    DataType::decimal((integral + kept).min(38) as u8, kept as i8)
}

fn rounded(call: &Call, mode: Mode, scale: Option<i32>, ty: DataType, name: String) -> Typed {
    let Some(scale) = scale else {
        return Typed::null(ty).named(name);
    };
    let options = call.options().with_extra(format!("{} {scale}", mode.word()));
    let expr = KernelUdf::call(&ROUND, to_arrow(&ty), options, vec![call.args[0].expr.clone()]);
    Typed::new(expr, ty, true, name)
}

/// `ceil` and `floor`; with a scale they keep decimals.
fn whole(mut call: Call, name: &str) -> Result<Typed> {
    if call.args.len() > 2 {
        return Err(call.wrong_arity("2"));
    }
    call.arity(1..=2)?;
    let mode = if call.name == "floor" { Mode::Floor } else { Mode::Ceiling };
    if call.args.len() == 2 {
        return whole_with_scale(call, mode);
    }
    call.name = name.to_string();
    let name = call.display_name();
    if !matches!(call.args[0].ty, DataType::Decimal { .. } | DataType::Long) {
        let expected = vec![
            Expected::Type(DataType::Double),
            Expected::Type(DataType::decimal(38, 18)),
            Expected::Type(DataType::Long),
        ];
        if call.args[0].ty.is_integral() {
            call.expect(0, Expected::Type(DataType::Long))?;
        } else if call.args[0].ty == DataType::Null {
            call.expect(0, Expected::Type(DataType::Double))?;
        } else {
            let refused = call.unexpected_type(0, "(\"DOUBLE\" or \"DECIMAL\" or \"BIGINT\")");
            call.expect(0, Expected::OneOf(expected)).map_err(|_| refused)?;
        }
    }
    let ty = match &call.args[0].ty {
        DataType::Decimal { scale: 0, .. } => call.args[0].ty.clone(),
        DataType::Decimal { precision, scale } => {
            DataType::decimal((i32::from(*precision) - i32::from(*scale) + 1).clamp(1, 38) as u8, 0)
        }
        _ => DataType::Long,
    };
    Ok(rounded(&call, mode, Some(0), ty, name))
}

fn whole_with_scale(mut call: Call, mode: Mode) -> Result<Typed> {
    let name = call.display_name();
    if call.args[1].ty != DataType::Integer || !call.args[1].foldable() {
        return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
            .param("funcName", format!("`{}`", call.name))
            .param("paramName", "`scale`")
            .param("paramType", "\"INT\"")
            .with_message("The scale is an integer constant.")
            .at(call.origin.as_ref()));
    }
    let scale = scale(&call, &name)?;
    if !matches!(call.args[0].ty, DataType::Decimal { .. }) {
        let target = match decimal_for(&call.args[0].ty) {
            Some(decimal) => decimal,
            None => DataType::decimal(38, 18),
        };
        if call.args[0].ty.is_numeric() {
            call.args[0] = cast_implicitly(&call.args[0], &target, call.settings);
        } else {
            let refused = call.unexpected_type(0, "\"DECIMAL\"");
            call.expect(0, Expected::Type(target)).map_err(|_| refused)?;
        }
    }
    let DataType::Decimal { precision, scale: s } = call.args[0].ty else {
        return Err(call.unexpected_type(0, "\"DECIMAL\""));
    };
    let ty = rounded_type(precision, s, scale.unwrap_or(0));
    Ok(rounded(&call, mode, scale, ty, name))
}

fn round_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (mode, scale) = args.extra().split_once(' ').unwrap_or(("half_up", "0"));
    let (mode, scale) = (Mode::parse(mode), scale.parse::<i32>().unwrap_or(0));
    let array = args.array(0)?;
    let out: ArrayRef = match array.data_type() {
        Arrow::Int8 => integers::<Int8Type>(&array, mode, scale, args.ansi())?,
        Arrow::Int16 => integers::<Int16Type>(&array, mode, scale, args.ansi())?,
        Arrow::Int32 => integers::<Int32Type>(&array, mode, scale, args.ansi())?,
        Arrow::Int64 => integers::<Int64Type>(&array, mode, scale, args.ansi())?,
        Arrow::Float64 if *args.return_type() == Arrow::Int64 => longs(&array, mode, args.ansi())?,
        Arrow::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter();
            Arc::new(values.map(|v| v.map(|v| double(v, mode, scale))).collect::<Float64Array>())
        }
        Arrow::Float32 => {
            let values = array.as_primitive::<Float32Type>().iter();
            Arc::new(values.map(|v| v.map(|v| float(v, mode, scale))).collect::<Float32Array>())
        }
        Arrow::Decimal128(_, from) => decimals(args, &array, *from, mode, scale)?,
        other => return internal_err!("rounding of {other}"),
    };
    Ok(ColumnarValue::Array(out))
}

/// Floats as the whole number they are rounded to, `ceil` and `floor` without a scale.
fn longs(array: &ArrayRef, mode: Mode, strict: bool) -> DfResult<ArrayRef> {
    let mut out = Int64Array::builder(array.len());
    for v in array.as_primitive::<Float64Type>() {
        let whole = v.map(|v| if mode == Mode::Floor { v.floor() } else { v.ceil() });
        match whole {
            Some(w) if strict && !(-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&w) => {
                return fail(overflow("overflow", ""));
            }
            w => out.append_option(w.map(|w| w as i64)),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// A double by its shortest digits, as `BigDecimal(x.toString)` does.
fn double(v: f64, mode: Mode, scale: i32) -> f64 {
    if !v.is_finite() {
        return v;
    }
    round_text(&double_to_string(v), mode, scale).and_then(|t| t.parse().ok()).unwrap_or(v)
}

fn float(v: f32, mode: Mode, scale: i32) -> f32 {
    if !v.is_finite() {
        return v;
    }
    let text = crate::cast::format::float_to_string(v);
    round_text(&text, mode, scale).and_then(|t| t.parse().ok()).unwrap_or(v)
}

/// A number's text rounded to `scale`; `None` if it has no more digits than that.
fn round_text(text: &str, mode: Mode, scale: i32) -> Option<String> {
    let exact = parse_decimal(text)?;
    if exact.scale <= scale {
        return None;
    }
    let rounded = mode.divide(&exact.unscaled, &power(exact.scale - scale));
    Some(format!("{rounded}e{}", -scale))
}

fn integers<T>(array: &ArrayRef, mode: Mode, scale: i32, strict: bool) -> DfResult<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: num_traits::NumCast,
{
    if scale >= 0 {
        return Ok(array.clone());
    }
    let unit = power(scale.saturating_neg().min(30));
    let wide = cast(array, &Arrow::Int64)?;
    let mut out = PrimitiveArray::<T>::builder(array.len());
    for v in wide.as_primitive::<Int64Type>() {
        let Some(v) = v else {
            out.append_null();
            continue;
        };
        let rounded = mode.divide(&BigInt::from(v), &unit) * &unit;
        let fitting = rounded.to_i64().and_then(num_traits::cast::<i64, T::Native>);
        match fitting {
            Some(v) => out.append_value(v),
            None if strict => return fail(overflow("Overflow", "")),
            None => out.append_option(low_bits::<T>(&rounded)),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// The low bits of a number that does not fit, as Java narrows.
fn low_bits<T>(v: &BigInt) -> Option<T::Native>
where
    T: ArrowPrimitiveType,
    T::Native: num_traits::NumCast,
{
    let bits = v.to_i128().unwrap_or(0) as i64;
    match T::DATA_TYPE {
        Arrow::Int8 => num_traits::cast(bits as i8),
        Arrow::Int16 => num_traits::cast(bits as i16),
        Arrow::Int32 => num_traits::cast(bits as i32),
        _ => num_traits::cast(bits),
    }
}

fn decimals(args: &KernelArgs, array: &ArrayRef, from: i8, mode: Mode, scale: i32) -> DfResult<ArrayRef> {
    let Arrow::Decimal128(precision, to) = *args.return_type() else {
        return internal_err!("rounding of a decimal to {}", args.return_type());
    };
    let (from, to_scale) = (i32::from(from), i32::from(to));
    let mut out = Decimal128Array::builder(array.len());
    for v in array.as_primitive::<Decimal128Type>() {
        let rounded = v.map(|v| {
            let v = BigInt::from(v);
            let rounded = if from > scale { mode.divide(&v, &power(from - scale)) } else { v };
            let at = from.min(scale);
            if to_scale >= at { rounded * power(to_scale - at) } else { rounded / power(at - to_scale) }
        });
        let limit = power(i32::from(precision));
        match rounded {
            Some(v) if v.abs() >= limit && args.ansi() => return fail(overflow("Overflow", "")),
            Some(v) if v.abs() >= limit => out.append_null(),
            other => out.append_option(other.and_then(|v| v.to_i128())),
        }
    }
    Ok(Arc::new(out.finish().with_precision_and_scale(precision, to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (mode, n, expected) in [
            (Mode::HalfUp, 25, 3),
            (Mode::HalfUp, -25, -3),
            (Mode::HalfEven, 25, 2),
            (Mode::HalfEven, 35, 4),
            (Mode::Ceiling, 21, 3),
            (Mode::Ceiling, -29, -2),
            (Mode::Floor, -21, -3),
        ] {
            assert_eq!(mode.divide(&BigInt::from(n), &BigInt::from(10)), BigInt::from(expected), "{mode:?} {n}");
        }
    }

    #[test]
    fn doubles() {
        assert_eq!(double(-5.5, Mode::HalfUp, 0), -6.0);
        assert_eq!(double(1.005, Mode::HalfUp, 2), 1.01);
        assert_eq!(double(2.5, Mode::HalfEven, 0), 2.0);
        assert_eq!(double(1e300, Mode::HalfUp, 2), 1e300);
        assert_eq!(double(125.0, Mode::HalfUp, -1), 130.0);
    }

    #[test]
    fn types() {
        for (p, s, scale, expected) in [
            (2, 1, 0, (2, 0)),
            (4, 3, 2, (4, 2)),
            (2, 1, 5, (3, 1)),
            (6, 3, -2, (4, 0)),
            (5, 4, 3, (5, 3)),
            (5, 4, -3, (4, 0)),
        ] {
            assert_eq!(rounded_type(p, s, scale), DataType::decimal(expected.0, expected.1), "{p} {s} {scale}");
        }
    }
}
