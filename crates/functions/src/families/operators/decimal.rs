//! Precision and scale of the results of decimal arithmetic.

use spark::Settings;
use spark::types::DataType;

/// An operation on two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add,
    Multiply,
    Divide,
    Remainder,
}

const MAX: i16 = 38;
/// Digits of the fraction that survive when the integral part needs room.
const MIN_ADJUSTED_SCALE: i16 = 6;

/// `spark.sql.decimalOperations.allowPrecisionLoss`.
pub fn allows_precision_loss(settings: &Settings) -> bool {
    settings.conf.get("spark.sql.decimalOperations.allowPrecisionLoss").is_none_or(|v| !v.eq_ignore_ascii_case("false"))
}

/// The type of `decimal(p1, s1) op decimal(p2, s2)`.
pub fn result_type(op: Operation, (p1, s1): (u8, i8), (p2, s2): (u8, i8), allow_loss: bool) -> DataType {
    let (p1, s1, p2, s2) = (i16::from(p1), i16::from(s1), i16::from(p2), i16::from(s2));
    let (precision, scale) = match op {
        Operation::Add => {
            let scale = s1.max(s2);
            ((p1 - s1).max(p2 - s2) + scale + 1, scale)
        }
        Operation::Multiply => (p1 + p2 + 1, s1 + s2),
        Operation::Divide if allow_loss => {
            let scale = MIN_ADJUSTED_SCALE.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        }
        Operation::Divide => {
            let mut integral = MAX.min(p1 - s1 + s2);
            let mut fraction = MAX.min(MIN_ADJUSTED_SCALE.max(s1 + p2 + 1));
            let excess = integral + fraction - MAX;
            if excess > 0 {
                fraction -= excess / 2 + 1;
                integral = MAX - fraction;
            }
            (integral + fraction, fraction)
        }
        Operation::Remainder => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
    };
    if allow_loss {
        adjust(precision, scale)
    } else {
        DataType::decimal(precision.min(MAX) as u8, scale.min(MAX) as i8)
    }
}

fn adjust(precision: i16, scale: i16) -> DataType {
    if precision <= MAX {
        return DataType::decimal(precision as u8, scale as i8);
    }
    let integral = precision - scale;
    let scale = (MAX - integral).max(scale.min(MIN_ADJUSTED_SCALE));
    DataType::decimal(MAX as u8, scale as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_types() {
        for (op, a, b, loss, expected) in [
            (Operation::Add, (10, 0), (2, 1), true, (12, 1)),
            (Operation::Add, (38, 10), (38, 18), true, (38, 9)),
            (Operation::Multiply, (10, 0), (2, 1), true, (13, 1)),
            (Operation::Multiply, (38, 10), (38, 10), true, (38, 6)),
            (Operation::Divide, (10, 0), (2, 1), true, (17, 6)),
            (Operation::Divide, (38, 10), (38, 10), true, (38, 6)),
            (Operation::Remainder, (10, 0), (2, 1), true, (2, 1)),
            (Operation::Add, (38, 10), (38, 18), false, (38, 18)),
        ] {
            assert_eq!(result_type(op, a, b, loss), DataType::decimal(expected.0, expected.1), "{op:?} {a:?} {b:?}");
        }
    }
}
