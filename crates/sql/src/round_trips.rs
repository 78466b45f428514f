//! What is written as SQL and parsed again is what it was: names, literals and types.

use std::sync::Arc;

use proptest::prelude::*;
use spark::types::{DataType, StructField, StructType, quote_identifier};
use spark::{Expr, Literal};

use crate::{ParseOptions, parse_data_type, parse_expression, parse_multipart_identifier};

/// The expression of `text` without its place in it.
fn parsed(text: &str) -> Expr {
    match parse_expression(text, &ParseOptions::default()) {
        Ok(Expr::At { child, .. }) => *child,
        Ok(expr) => expr,
        Err(e) => panic!("{text}: {e}"),
    }
}

fn check_literal(text: &str, expect: Literal) {
    assert_eq!(parsed(text), Expr::Literal(expect), "{text}");
}

fn escaped(text: &str, quote: char) -> String {
    text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"))
}

fn leaf() -> impl Strategy<Value = DataType> {
    use DataType as T;
    let fixed = prop::sample::select(vec![
        T::Boolean,
        T::Byte,
        T::Short,
        T::Integer,
        T::Long,
        T::Float,
        T::Double,
        T::STRING,
        T::Binary,
        T::Date,
        T::Timestamp,
        T::TimestampNtz,
        T::Variant,
    ]);
    let interval = |last: u8| (0..=last).prop_flat_map(move |start| (Just(start), start..=last));
    prop_oneof![
        fixed,
        (1u8..=38).prop_flat_map(|p| (Just(p), 0..=p)).prop_map(|(p, s)| T::decimal(p, s as i8)),
        (1u32..1000).prop_map(T::Char),
        (1u32..1000).prop_map(T::Varchar),
        (0u8..=6).prop_map(T::Time),
        interval(1).prop_map(|(start, end)| T::YearMonthInterval { start, end }),
        interval(3).prop_map(|(start, end)| T::DayTimeInterval { start, end }),
    ]
}

fn any_type() -> impl Strategy<Value = DataType> {
    leaf().prop_recursive(3, 16, 4, |inner| {
        // Spark leaves a name such as `0s` without quotes, and reads a number there.
        let name = "\\PC{1,8}".prop_filter("a number", |name| !name.starts_with(|c: char| c.is_ascii_digit()));
        let field = (name, inner.clone(), any::<bool>());
        let field = field.prop_map(|(name, ty, nullable)| StructField::new(name, ty, nullable));
        prop_oneof![
            inner.clone().prop_map(|e| DataType::Array { element: Arc::new(e), contains_null: true }),
            (inner.clone(), inner).prop_map(|(key, value)| DataType::Map {
                key: Arc::new(key),
                value: Arc::new(value),
                value_contains_null: true,
            }),
            prop::collection::vec(field, 1..4).prop_map(|fields| DataType::Struct(StructType::new(fields))),
        ]
    })
}

proptest! {
    #[test]
    fn names(parts in prop::collection::vec("\\PC{1,12}", 1..4)) {
        let text = parts.iter().map(|p| quote_identifier(p)).collect::<Vec<_>>().join(".");
        prop_assert_eq!(parse_multipart_identifier(&text, &ParseOptions::default()).ok(), Some(parts.clone()));
        let found = parsed(&text);
        let Expr::Attribute(column) = found else { panic!("{text}: {found:?}") };
        prop_assert_eq!(column.parts, parts);
    }

    #[test]
    fn strings(text in any::<String>()) {
        for quote in ['\'', '"'] {
            check_literal(&format!("{quote}{}{quote}", escaped(&text, quote)), Literal::String(text.clone()));
        }
    }

    #[test]
    fn raw_strings(text in "[^']{0,20}") {
        // A reference to a setting is replaced before the text is read.
        prop_assume!(!text.contains("${"));
        check_literal(&format!("r'{text}'"), Literal::String(text));
    }

    #[test]
    fn integers(n in any::<i64>()) {
        check_literal(&format!("{n}L"), Literal::Long(n));
        check_literal(&n.to_string(), i32::try_from(n).map_or(Literal::Long(n), Literal::Integer));
        let short = n as i16;
        check_literal(&format!("{short}S"), Literal::Short(short));
        check_literal(&format!("{}Y", n as i8), Literal::Byte(n as i8));
    }

    #[test]
    fn doubles(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        check_literal(&format!("{value:e}D"), Literal::Double(value));
    }

    #[test]
    fn decimals(unscaled in 0i128..10i128.pow(30), scale in 1usize..10) {
        let digits = format!("{unscaled:0width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let found = parsed(&format!("{whole}.{fraction}"));
        let Expr::Literal(Literal::Decimal { unscaled: value, scale: places, .. }) = found else { panic!("{found:?}") };
        prop_assert_eq!((value, usize::try_from(places)), (unscaled, Ok(scale)));
    }

    #[test]
    fn binaries(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        check_literal(&format!("X'{digits}'"), Literal::Binary(bytes));
    }

    #[test]
    fn types(ty in any_type()) {
        prop_assert_eq!(parse_data_type(&ty.sql(), &ParseOptions::default()).ok(), Some(ty.clone()), "{}", ty.sql());
    }
}
