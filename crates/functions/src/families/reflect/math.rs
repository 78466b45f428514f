//! `java.lang.Math`.

use super::value::{Body, Draw, Method, method};

/// Its methods.
pub const METHODS: &[Method] = &[
    Method { name: "random", parameters: &[], body: Body::Drawn(Draw::Double) },
    method!("abs", |a: i32| a.wrapping_abs()),
    method!("abs", |a: i64| a.wrapping_abs()),
    method!("abs", |a: f32| a.abs()),
    method!("abs", |a: f64| a.abs()),
    method!("absExact", |a: i32| a.checked_abs()),
    method!("absExact", |a: i64| a.checked_abs()),
    method!("max", |a: i32, b: i32| a.max(b)),
    method!("max", |a: i64, b: i64| a.max(b)),
    method!("max", |a: f32, b: f32| greater(a.into(), b.into()) as f32),
    method!("max", |a: f64, b: f64| greater(a, b)),
    method!("min", |a: i32, b: i32| a.min(b)),
    method!("min", |a: i64, b: i64| a.min(b)),
    method!("min", |a: f32, b: f32| -greater((-a).into(), (-b).into()) as f32),
    method!("min", |a: f64, b: f64| -greater(-a, -b)),
    method!("addExact", |a: i32, b: i32| a.checked_add(b)),
    method!("addExact", |a: i64, b: i64| a.checked_add(b)),
    method!("subtractExact", |a: i32, b: i32| a.checked_sub(b)),
    method!("subtractExact", |a: i64, b: i64| a.checked_sub(b)),
    method!("multiplyExact", |a: i32, b: i32| a.checked_mul(b)),
    method!("multiplyExact", |a: i64, b: i64| a.checked_mul(b)),
    method!("multiplyExact", |a: i64, b: i32| a.checked_mul(b.into())),
    method!("multiplyFull", |a: i32, b: i32| i64::from(a) * i64::from(b)),
    method!("multiplyHigh", |a: i64, b: i64| ((i128::from(a) * i128::from(b)) >> 64) as i64),
    method!("incrementExact", |a: i32| a.checked_add(1)),
    method!("incrementExact", |a: i64| a.checked_add(1)),
    method!("decrementExact", |a: i32| a.checked_sub(1)),
    method!("decrementExact", |a: i64| a.checked_sub(1)),
    method!("negateExact", |a: i32| a.checked_neg()),
    method!("negateExact", |a: i64| a.checked_neg()),
    method!("toIntExact", |a: i64| i32::try_from(a).ok()),
    method!("floorDiv", |a: i32, b: i32| divided(a.into(), b.into()).map(|(q, _)| q as i32)),
    method!("floorDiv", |a: i64, b: i32| divided(a, b.into()).map(|(q, _)| q)),
    method!("floorDiv", |a: i64, b: i64| divided(a, b).map(|(q, _)| q)),
    method!("floorMod", |a: i32, b: i32| divided(a.into(), b.into()).map(|(_, r)| r as i32)),
    method!("floorMod", |a: i64, b: i32| divided(a, b.into()).map(|(_, r)| r as i32)),
    method!("floorMod", |a: i64, b: i64| divided(a, b).map(|(_, r)| r)),
    method!("round", |a: f64| rounded(a) as i64),
    method!("round", |a: f32| rounded(a.into()) as i32),
    method!("rint", |a: f64| a.round_ties_even()),
    method!("ceil", |a: f64| a.ceil()),
    method!("floor", |a: f64| a.floor()),
    method!("signum", |a: f64| if a == 0.0 || a.is_nan() { a } else { a.signum() }),
    method!("signum", |a: f32| if a == 0.0 || a.is_nan() { a } else { a.signum() }),
    method!("copySign", |a: f64, b: f64| a.copysign(b)),
    method!("copySign", |a: f32, b: f32| a.copysign(b)),
    method!("sqrt", |a: f64| a.sqrt()),
    method!("cbrt", |a: f64| a.cbrt()),
    method!("pow", |a: f64, b: f64| power(a, b)),
    method!("exp", |a: f64| a.exp()),
    method!("expm1", |a: f64| a.exp_m1()),
    method!("log", |a: f64| a.ln()),
    method!("log10", |a: f64| a.log10()),
    method!("log1p", |a: f64| a.ln_1p()),
    method!("hypot", |a: f64, b: f64| a.hypot(b)),
    method!("sin", |a: f64| a.sin()),
    method!("cos", |a: f64| a.cos()),
    method!("tan", |a: f64| a.tan()),
    method!("asin", |a: f64| a.asin()),
    method!("acos", |a: f64| a.acos()),
    method!("atan", |a: f64| a.atan()),
    method!("atan2", |a: f64, b: f64| a.atan2(b)),
    method!("sinh", |a: f64| a.sinh()),
    method!("cosh", |a: f64| a.cosh()),
    method!("tanh", |a: f64| a.tanh()),
    method!("toRadians", |a: f64| a.to_radians()),
    method!("toDegrees", |a: f64| a.to_degrees()),
    method!("fma", |a: f64, b: f64, c: f64| a.mul_add(b, c)),
    method!("fma", |a: f32, b: f32, c: f32| a.mul_add(b, c)),
    method!("nextUp", |a: f64| a.next_up()),
    method!("nextUp", |a: f32| a.next_up()),
    method!("nextDown", |a: f64| a.next_down()),
    method!("nextDown", |a: f32| a.next_down()),
    method!("nextAfter", |a: f64, b: f64| towards(a, b)),
    method!("ulp", |a: f64| unit(a)),
    method!("getExponent", |a: f64| exponent(a)),
    method!("scalb", |a: f64, b: i32| scaled(a, b)),
];

/// The greater of two numbers: NaN if one is, and 0.0 is greater than -0.0.
fn greater(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b { if a.is_sign_negative() { b } else { a } } else { a.max(b) }
}

/// Quotient and remainder, rounded towards negative infinity; `None` for a division by zero.
fn divided(a: i64, b: i64) -> Option<(i64, i64)> {
    if b == 0 {
        return None;
    }
    let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
    Some(if r != 0 && (r < 0) != (b < 0) { (q - 1, r + b) } else { (q, r) })
}

/// The nearest whole number, halves upwards.
fn rounded(a: f64) -> f64 {
    let floor = a.floor();
    if a - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// Where C has one to the power of anything be one, Java has NaN for NaN and infinities.
fn power(a: f64, b: f64) -> f64 {
    if b.is_nan() || (a.abs() == 1.0 && b.is_infinite()) { f64::NAN } else { a.powf(b) }
}

fn towards(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == b {
        b
    } else if a < b {
        a.next_up()
    } else {
        a.next_down()
    }
}

/// The distance to the next number.
fn unit(a: f64) -> f64 {
    let a = a.abs();
    if !a.is_finite() {
        return a;
    }
    if a == f64::MAX { a - a.next_down() } else { a.next_up() - a }
}

/// The unbiased exponent in the number's bits.
fn exponent(a: f64) -> i32 {
    (a.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// `a * 2^b` in steps that do not overflow before the result does.
fn scaled(a: f64, b: i32) -> f64 {
    let mut left = b.clamp(-2200, 2200);
    let mut a = a;
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        a *= 2f64.powi(step);
        left -= step;
    }
    a
}
