//! Functions of real numbers by the recipes of Java's `StrictMath`, whose last digits are those of Spark.

use super::logarithm::ln;

/// Above it, and below its inverse, the shorter formulas are exact.
const HUGE: f64 = (1u64 << 28) as f64;

/// `asinh x`.
pub fn asinh(x: f64) -> f64 {
    let a = x.abs();
    if !a.is_finite() || a < 1.0 / HUGE {
        return x;
    }
    let square = a * a;
    let value = if a > HUGE {
        ln(a) + std::f64::consts::LN_2
    } else if a > 2.0 {
        ln(2.0 * a + 1.0 / ((square + 1.0).sqrt() + a))
    } else {
        (a + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    value.copysign(x)
}

/// `acosh x`.
pub fn acosh(x: f64) -> f64 {
    if x.is_nan() || x < 1.0 {
        f64::NAN
    } else if x >= HUGE {
        ln(x) + std::f64::consts::LN_2
    } else if x > 2.0 {
        ln(2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt()))
    } else {
        let over = x - 1.0;
        (over + (2.0 * over + over * over).sqrt()).ln_1p()
    }
}

/// `∛x`: a third of the exponent, a rational function for 23 bits, and one step of Newton's.
pub fn cbrt(x: f64) -> f64 {
    /// What a third of the exponent's bias leaves to add to the upper half of a number.
    const BIAS: u64 = 715_094_163;
    const BIAS_OF_TINY: u64 = 696_219_795;
    let a = x.abs();
    if a == 0.0 || !a.is_finite() {
        return x;
    }
    let upper = |v: f64| v.to_bits() >> 32;
    let rough = match a < f64::MIN_POSITIVE {
        true => upper(a * 2f64.powi(54)) / 3 + BIAS_OF_TINY,
        false => upper(a) / 3 + BIAS,
    };
    let t = f64::from_bits(rough << 32);
    let s = 19.0 / 35.0 + t * t / a * t;
    let t = t * (5.0 / 14.0 + (45.0 / 28.0) / (s + 99.0 / 70.0 + (-864.0 / 1225.0) / s));
    // Cut to the upper half, and made larger than the root.
    let t = f64::from_bits((upper(t) + 1) << 32);
    let r = a / (t * t);
    (t + t * ((r - t) / (t + t + r))).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_digits_are_those_of_java() {
        type Function = fn(f64) -> f64;
        for (function, x, expect) in [
            (asinh as Function, 1.0, 0.881373587019543),
            (asinh, -3.0, -1.8184464592320668),
            (asinh, 1e10, 23.7189981105004),
            (asinh, 0.1, 0.09983407889920758),
            (acosh, 100.0, 5.298292365610484),
            (acosh, 1.5, 0.9624236501192069),
            (cbrt, 2.5, 1.3572088082974532),
            (cbrt, -3.0, -1.4422495703074083),
            (cbrt, 27.0, 3.0),
            (cbrt, 5e-324, 1.7031839360032603e-108),
        ] {
            assert_eq!(function(x), expect, "{x}");
        }
        assert!(acosh(0.5).is_nan() && cbrt(f64::NAN).is_nan() && asinh(f64::NEG_INFINITY) == f64::NEG_INFINITY);
    }
}
