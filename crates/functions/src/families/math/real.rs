//! Functions of real numbers. Results are those of Java's `StrictMath`, which decides the last digit.

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, lit};
use datafusion::scalar::ScalarValue;
use spark::Result;
use spark::types::DataType;

use super::logarithm::ln;
use super::strict;
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "acos", build: Build::Scalar(upper) },
    Function { name: "acosh", build: Build::Scalar(upper) },
    Function { name: "asin", build: Build::Scalar(upper) },
    Function { name: "asinh", build: Build::Scalar(upper) },
    Function { name: "atan", build: Build::Scalar(upper) },
    Function { name: "atanh", build: Build::Scalar(upper) },
    Function { name: "cbrt", build: Build::Scalar(upper) },
    Function { name: "cos", build: Build::Scalar(upper) },
    Function { name: "cosh", build: Build::Scalar(upper) },
    Function { name: "cot", build: Build::Scalar(upper) },
    Function { name: "csc", build: Build::Scalar(upper) },
    Function { name: "degrees", build: Build::Scalar(upper) },
    Function { name: "exp", build: Build::Scalar(upper) },
    Function { name: "expm1", build: Build::Scalar(upper) },
    Function { name: "log10", build: Build::Scalar(upper) },
    Function { name: "log1p", build: Build::Scalar(upper) },
    Function { name: "log2", build: Build::Scalar(upper) },
    Function { name: "radians", build: Build::Scalar(upper) },
    Function { name: "sec", build: Build::Scalar(upper) },
    Function { name: "sin", build: Build::Scalar(upper) },
    Function { name: "sinh", build: Build::Scalar(upper) },
    Function { name: "sqrt", build: Build::Scalar(upper) },
    Function { name: "tan", build: Build::Scalar(upper) },
    Function { name: "tanh", build: Build::Scalar(upper) },
    Function { name: "ln", build: Build::Scalar(unary) },
    Function { name: "rint", build: Build::Scalar(unary) },
    Function { name: "sign", build: Build::Scalar(|c| sign(c, "sign")) },
    Function { name: "signum", build: Build::Scalar(|c| sign(c, "SIGNUM")) },
    Function { name: "log", build: Build::Scalar(log) },
    Function { name: "atan2", build: Build::Scalar(|c| binary(c, "ATAN2")) },
    Function { name: "hypot", build: Build::Scalar(|c| binary(c, "HYPOT")) },
    Function { name: "pow", build: Build::Scalar(|c| binary(c, "pow")) },
    Function { name: "power", build: Build::Scalar(|c| binary(c, "POWER")) },
    Function { name: "e", build: Build::Scalar(|c| constant(c, "E()", std::f64::consts::E)) },
    Function { name: "pi", build: Build::Scalar(|c| constant(c, "PI()", std::f64::consts::PI)) },
    Function { name: "width_bucket", build: Build::Scalar(width_bucket) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[UNARY, BINARY, WIDTH_BUCKET];

const UNARY: Kernel = Kernel::new("math", unary_kernel);
const BINARY: Kernel = Kernel::new("math2", binary_kernel);
const WIDTH_BUCKET: Kernel = Kernel::new("width_bucket", width_bucket_kernel);

/// A function of one double that is printed in upper case.
fn upper(call: Call) -> Result<Typed> {
    let name = call.name.to_uppercase();
    named(call, &name)
}

fn unary(call: Call) -> Result<Typed> {
    let name = call.name.clone();
    named(call, &name)
}

fn named(mut call: Call, name: &str) -> Result<Typed> {
    call.arity(1..=1)?;
    let function = std::mem::replace(&mut call.name, name.to_string());
    call.expect(0, Expected::Type(DataType::Double))?;
    let options = call.options().with_extra(function);
    Ok(call.kernel_with(&UNARY, options, DataType::Double, true))
}

fn sign(mut call: Call, name: &str) -> Result<Typed> {
    call.arity(1..=1)?;
    call.name = name.to_string();
    let interval = match call.args[0].ty {
        DataType::YearMonthInterval { .. } | DataType::DayTimeInterval { .. } => true,
        _ => {
            let expected = Expected::OneOf(vec![
                Expected::Type(DataType::Double),
                Expected::Type(DataType::YearMonthInterval { start: 0, end: 1 }),
                Expected::Type(DataType::DayTimeInterval { start: 0, end: 3 }),
            ]);
            call.expect(0, expected)?;
            false
        }
    };
    let options = call.options().with_extra(if interval { "sign_interval" } else { "sign" });
    Ok(call.kernel_with(&UNARY, options, DataType::Double, true))
}

/// `log(x)` or `log(base, x)`.
fn log(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        let e = Typed::new(lit(std::f64::consts::E), DataType::Double, false, "E()");
        call.args.insert(0, e);
        call.arg_names.insert(0, String::new());
    }
    call.name = "LOG".into();
    call.expect_all(&[Expected::Type(DataType::Double), Expected::Type(DataType::Double)])?;
    let options = call.options().with_extra("log");
    Ok(call.kernel_with(&BINARY, options, DataType::Double, true))
}

fn binary(mut call: Call, name: &str) -> Result<Typed> {
    call.arity(2..=2)?;
    let function = match std::mem::replace(&mut call.name, name.to_string()).as_str() {
        "power" => "pow".to_string(),
        other => other.to_string(),
    };
    call.expect_all(&[Expected::Type(DataType::Double), Expected::Type(DataType::Double)])?;
    let options = call.options().with_extra(function);
    let nullable = call.any_nullable();
    Ok(call.kernel_with(&BINARY, options, DataType::Double, nullable))
}

fn constant(call: Call, name: &str, value: f64) -> Result<Typed> {
    call.arity(0..=0)?;
    Ok(Typed::new(lit(ScalarValue::Float64(Some(value))), DataType::Double, false, name))
}

fn width_bucket(mut call: Call) -> Result<Typed> {
    call.arity(4..=4)?;
    let first = call.args[..3].iter().find(|a| a.ty.is_ansi_interval()).map(|a| a.ty.clone());
    let value = match first {
        Some(DataType::YearMonthInterval { .. }) => DataType::YearMonthInterval { start: 0, end: 1 },
        Some(DataType::DayTimeInterval { .. }) => DataType::DayTimeInterval { start: 0, end: 3 },
        _ => DataType::Double,
    };
    let value = Expected::Type(value);
    let refused = call.unexpected_type(0, "(\"DOUBLE\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\")");
    call.expect(0, value.clone()).map_err(|_| refused)?;
    let is_interval = |a: &Typed| a.ty.is_ansi_interval();
    if call.args[..3].iter().any(is_interval) && !call.args[..3].iter().all(is_interval) {
        let shown = call.args[..3].iter().map(|a| match &a.ty {
            t if t.is_numeric() || t.is_string() => "\"DOUBLE\"".to_string(),
            t => format!("\"{}\"", t.sql()),
        });
        let shown = shown.collect::<Vec<_>>().join(" or ");
        return Err(call
            .mismatch("DATA_DIFF_TYPES")
            .param("functionName", "`width_bucket`")
            .param("dataType", format!("({shown})")));
    }
    call.expect_all(&[value.clone(), value.clone(), value, Expected::Type(DataType::Long)])?;
    Ok(call.kernel(&WIDTH_BUCKET, DataType::Long, true))
}

/// The function of that name; `None` for no value.
fn real(name: &str) -> Option<fn(f64) -> Option<f64>> {
    Some(match name {
        "acos" => |x| Some(x.acos()),
        "acosh" => |x| Some(strict::acosh(x)),
        "asin" => |x| Some(x.asin()),
        "asinh" => |x| Some(strict::asinh(x)),
        "atan" => |x| Some(x.atan()),
        "atanh" => |x| Some(0.5 * (x.ln_1p() - (-x).ln_1p())),
        "cbrt" => |x| Some(strict::cbrt(x)),
        "cos" => |x| Some(x.cos()),
        "cosh" => |x| Some(cosh(x)),
        "cot" => |x| Some(1.0 / x.tan()),
        "csc" => |x| Some(1.0 / x.sin()),
        "degrees" => |x| Some(x * (180.0 / std::f64::consts::PI)),
        "exp" => |x| Some(exp(x)),
        "expm1" => |x| Some(x.exp_m1()),
        // There is a value for what is not a number, and none below the asymptote.
        "ln" => |x| above(x, 0.0).then(|| ln(x)),
        "log10" => |x| above(x, 0.0).then(|| x.log10()),
        "log1p" => |x| above(x, -1.0).then(|| x.ln_1p()),
        "log2" => |x| above(x, 0.0).then(|| ln(x) / ln(2.0)),
        "radians" => |x| Some(x * (std::f64::consts::PI / 180.0)),
        "rint" => |x| Some(x.round_ties_even()),
        "sec" => |x| Some(1.0 / x.cos()),
        "sign" => |x| Some(if x == 0.0 || x.is_nan() { x } else { x.signum() }),
        "sin" => |x| Some(x.sin()),
        "sinh" => |x| Some(x.sinh()),
        "sqrt" => |x| Some(x.sqrt()),
        "tan" => |x| Some(x.tan()),
        "tanh" => |x| Some(x.tanh()),
        _ => return None,
    })
}

fn above(x: f64, asymptote: f64) -> bool {
    x.is_nan() || x > asymptote
}

/// `e^x` as the C library behind `StrictMath` computes it: argument reduction and a rational
/// approximation on `[-ln 2 / 2, ln 2 / 2]`.
fn exp(x: f64) -> f64 {
    const LN2_HI: f64 = 6.931_471_803_691_238e-1;
    const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
    const HALF_LN2: f64 = 0.346_573_590_279_972_64;
    const P: [f64; 5] = [
        1.666_666_666_666_660_2e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238e-8,
    ];
    if !(-745.133_219_101_941_2..=709.782_712_893_384).contains(&x) {
        return x.exp();
    }
    if x.abs() < 2f64.powi(-28) {
        return 1.0 + x;
    }
    let (hi, lo, k) = if x.abs() <= HALF_LN2 {
        (x, 0.0, 0)
    } else if x.abs() < 3.0 * HALF_LN2 {
        let one = 1f64.copysign(x);
        (x - one * LN2_HI, one * LN2_LO, one as i32)
    } else {
        let k = (std::f64::consts::LOG2_E * x + 0.5f64.copysign(x)) as i32;
        (x - f64::from(k) * LN2_HI, f64::from(k) * LN2_LO, k)
    };
    let r = hi - lo;
    let t = r * r;
    let c = r - t * (P[0] + t * (P[1] + t * (P[2] + t * (P[3] + t * P[4]))));
    if k == 0 {
        return 1.0 - ((r * c) / (c - 2.0) - r);
    }
    let y = 1.0 - ((lo - (r * c) / (2.0 - c)) - hi);
    if k >= -1021 {
        y * 2f64.powi(k.min(1023)) * if k > 1023 { 2.0 } else { 1.0 }
    } else {
        y * 2f64.powi(k + 1000) * 2f64.powi(-1000)
    }
}

fn cosh(x: f64) -> f64 {
    let x = x.abs();
    if x <= 0.346_573_590_279_972_64 {
        let t = x.exp_m1();
        let w = 1.0 + t;
        return 1.0 + (t * t) / (w + w);
    }
    if x <= 22.0 {
        let t = exp(x);
        return 0.5 * t + 0.5 / t;
    }
    x.cosh()
}

fn unary_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    if args.extra() == "sign_interval" {
        let numbers = crate::families::datetime::numbers(&array)?;
        let out: Float64Array = numbers.iter().map(|v| v.map(|v| v.signum() as f64)).collect();
        return Ok(ColumnarValue::Array(Arc::new(out)));
    }
    let Some(function) = real(args.extra()) else {
        return internal_err!("no mathematical function {}", args.extra());
    };
    let values = array.as_primitive::<Float64Type>();
    let out: Float64Array = values.iter().map(|v| v.and_then(function)).collect();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

fn binary_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (a, b) = (args.array(0)?, args.array(1)?);
    let (a, b) = (a.as_primitive::<Float64Type>(), b.as_primitive::<Float64Type>());
    let function: fn(f64, f64) -> Option<f64> = match args.extra() {
        // Java's atan2 does not tell -0.0 from 0.0 once zero is added.
        "atan2" => |y, x| Some((y + 0.0).atan2(x + 0.0)),
        "hypot" => |x, y| Some(x.hypot(y)),
        "pow" => |x, y| Some(pow(x, y)),
        "log" => |base, x| (above(base, 0.0) && above(x, 0.0)).then(|| ln(x) / ln(base)),
        other => return internal_err!("no mathematical function {other}"),
    };
    let out: Float64Array = a.iter().zip(b).map(|(a, b)| function(a?, b?)).collect();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

/// Java has no value for one to the power of NaN or infinity.
fn pow(x: f64, y: f64) -> f64 {
    if y.is_nan() && x == 1.0 || x.abs() == 1.0 && y.is_infinite() { f64::NAN } else { x.powf(y) }
}

fn width_bucket_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let columns = (0..3).map(|i| real_values(args, i)).collect::<DfResult<Vec<_>>>()?;
    let counts = rows::Ints::of(args, 3)?;
    rows::longs(args, |row| {
        let part = |i: usize| columns.get(i).and_then(|c: &Vec<Option<f64>>| c.get(row).copied().flatten());
        let (Some(v), Some(lo), Some(hi), Some(n)) = (part(0), part(1), part(2), counts.get(row)) else {
            return Ok(None);
        };
        Ok(bucket(v, lo, hi, n))
    })
}

fn real_values(args: &KernelArgs, i: usize) -> DfResult<Vec<Option<f64>>> {
    let array = args.array(i)?;
    Ok(match array.as_primitive_opt::<Float64Type>() {
        Some(values) => values.iter().collect(),
        None => crate::families::datetime::numbers(&array)?.iter().map(|v| v.map(|v| v as f64)).collect(),
    })
}

/// The bucket of `v` among `n` equal ones from `lo` to `hi`, 0 before and `n + 1` after them.
fn bucket(v: f64, lo: f64, hi: f64, n: i64) -> Option<i64> {
    if n <= 0 || n == i64::MAX || v.is_nan() || lo == hi || !lo.is_finite() || !hi.is_finite() {
        return None;
    }
    let (low, high) = (lo.min(hi), lo.max(hi));
    let ascending = lo < hi;
    if ascending && v < low || !ascending && v > high {
        return Some(0);
    }
    if ascending && v >= high || !ascending && v <= low {
        return Some(n + 1);
    }
    let distance = if ascending { v - low } else { high - v };
    Some((n as f64 * distance / (high - low)) as i64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_digits() {
        for (name, x, expected) in [
            ("exp", 1.0, 2.718_281_828_459_045_5),
            ("cosh", 1.0, 1.543_080_634_815_244),
            ("asinh", -1e10, -23.718_998_110_500_4),
            ("cot", 1.0, 0.642_092_615_934_330_6),
            ("csc", 1.0, 1.188_395_105_778_121_2),
            ("expm1", 1.0, 1.718_281_828_459_045),
            ("degrees", std::f64::consts::PI, 180.0),
        ] {
            assert_eq!(real(name).and_then(|f| f(x)), Some(expected), "{name}({x})");
        }
        assert_eq!(real("ln").and_then(|f| f(0.0)), None);
        assert_eq!(real("log2").and_then(|f| f(3.0)), Some(1.584_962_500_721_156));
        for name in ["ln", "log2", "log10", "log1p"] {
            assert!(real(name).and_then(|f| f(f64::NAN)).is_some_and(f64::is_nan), "{name}");
        }
    }

    #[test]
    fn buckets() {
        for (v, lo, hi, n, expected) in [
            (5.3, 0.2, 10.6, 5, Some(3)),
            (-2.1, 1.3, 3.4, 3, Some(0)),
            (8.1, 0.0, 5.7, 4, Some(5)),
            (-0.9, 5.2, 0.5, 2, Some(3)),
            (5.0, 10.0, 1.0, 3, Some(2)),
            (5.3, 0.2, 10.6, 0, None),
            (5.0, 5.0, 5.0, 2, None),
        ] {
            assert_eq!(bucket(v, lo, hi, n), expected, "{v}");
        }
    }
}
