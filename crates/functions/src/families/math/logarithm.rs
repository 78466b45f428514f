//! The natural logarithm as Java's `StrictMath` computes it, to the last digit.

/// `ln 2` in two parts; the first is exact when multiplied by an exponent.
const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// Coefficients of `(ln(1+s) - ln(1-s) - 2s) / s` in powers of `s²`.
const L: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

/// `ln x`: the exponent apart, a polynomial for the rest, which lies between `√½` and `√2`.
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return x.ln();
    }
    let (x, mut k) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(54), -54) } else { (x, 0) };
    let high = (x.to_bits() >> 32) as i32;
    let fraction = high & 0x000f_ffff;
    let up = (fraction + 0x95f64) & 0x10_0000;
    k += (high >> 20) - 1023 + (up >> 20);
    let reduced = (u64::from((fraction | (up ^ 0x3ff0_0000)) as u32) << 32) | (x.to_bits() & 0xffff_ffff);
    let f = f64::from_bits(reduced) - 1.0;
    let dk = f64::from(k);
    if (0x000f_ffff & (2 + fraction)) < 3 {
        return near_one(f, dk);
    }
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (L[1] + w * (L[3] + w * L[5]));
    let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
    let r = odd + even;
    let middle = (fraction - 0x6147a) | (0x6b851 - fraction);
    if middle > 0 {
        let half = 0.5 * f * f;
        let rest = s * (half + r);
        if k == 0 { f - (half - rest) } else { dk * LN2_HI - ((half - (rest + dk * LN2_LO)) - f) }
    } else {
        let rest = s * (f - r);
        if k == 0 { f - rest } else { dk * LN2_HI - ((rest - dk * LN2_LO) - f) }
    }
}

/// `ln(1 + f) + dk ln 2` for a tiny `f`.
fn near_one(f: f64, dk: f64) -> f64 {
    if f == 0.0 {
        return if dk == 0.0 { 0.0 } else { dk * LN2_HI + dk * LN2_LO };
    }
    let r = f * f * (0.5 - 0.333_333_333_333_333_3 * f);
    if dk == 0.0 { f - r } else { dk * LN2_HI - ((r - dk * LN2_LO) - f) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_digits() {
        for (x, expect) in [
            (3.0, 1.098_612_288_668_109_6),
            (5.0, 1.609_437_912_434_100_3),
            (7.0, 1.945_910_149_055_313_2),
            (11.0, 2.397_895_272_798_370_7),
            (0.7, -0.356_674_943_938_732_45),
            (123_456.789, 11.723_646_487_185_881),
            (1e-300, -690.775_527_898_213_7),
            (1.0, 0.0),
            (2.0, std::f64::consts::LN_2),
            (f64::INFINITY, f64::INFINITY),
            (0.0, f64::NEG_INFINITY),
        ] {
            assert_eq!(ln(x), expect, "ln({x})");
        }
        assert!(ln(f64::NAN).is_nan());
        assert!((ln(5e-324) - -744.440_071_921_381_2).abs() < 1e-12);
    }
}
