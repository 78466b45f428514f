//! Spark's implicit casts: which type several expressions have in common, and which argument types a
//! function accepts. ANSI and legacy rules.

use spark::types::{DataType, StructField, StructType};
use spark::{Result, Settings};

use crate::cast;
use crate::typed::Typed;

/// What a function accepts in one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    Any,
    Type(DataType),
    Numeric,
    Integral,
    /// String of any collation.
    String,
    StringOrBinary,
    /// Any array, map, struct.
    Array,
    Map,
    Struct,
    /// The first that fits, in order.
    OneOf(Vec<Expected>),
}

impl Expected {
    /// As Spark words it in `requiredType`, with quotes.
    pub fn describe(&self) -> String {
        match self {
            Expected::OneOf(all) => {
                let all: Vec<String> = all.iter().map(Expected::describe).collect();
                format!("({})", all.join(" or "))
            }
            Expected::Any => "\"ANY\"".into(),
            // Spark asks for a time of any precision.
            Expected::Type(DataType::Time(_)) => "\"TIME\"".into(),
            Expected::Type(t) => format!("\"{}\"", t.sql()),
            Expected::Numeric => "\"NUMERIC\"".into(),
            Expected::Integral => "\"INTEGRAL\"".into(),
            Expected::String => "\"STRING\"".into(),
            Expected::StringOrBinary => "(\"STRING\" or \"BINARY\")".into(),
            Expected::Array => "\"ARRAY\"".into(),
            Expected::Map => "\"MAP\"".into(),
            Expected::Struct => "\"STRUCT\"".into(),
        }
    }

    /// True if a value of the type is taken as it is.
    pub fn accepts(&self, ty: &DataType) -> bool {
        match self {
            Expected::Any => true,
            Expected::Type(DataType::String { .. }) | Expected::String => ty.is_string(),
            Expected::Type(t) => t.same_type(ty),
            Expected::Numeric => ty.is_numeric(),
            Expected::Integral => ty.is_integral(),
            Expected::StringOrBinary => ty.is_string() || *ty == DataType::Binary,
            Expected::Array => matches!(ty, DataType::Array { .. }),
            Expected::Map => matches!(ty, DataType::Map { .. }),
            Expected::Struct => matches!(ty, DataType::Struct(_)),
            Expected::OneOf(all) => all.iter().any(|e| e.accepts(ty)),
        }
    }
}

/// `typed` as `expected`, cast if Spark would; `None` if Spark would refuse.
pub fn implicit(typed: &Typed, expected: &Expected, settings: &Settings) -> Option<Typed> {
    if expected.accepts(&typed.ty) {
        return Some(typed.clone());
    }
    let target = implicit_target(&typed.ty, expected, settings.ansi)?;
    Some(cast_implicitly(typed, &target, settings))
}

/// The type that a value of type `from` is cast to for `expected`.
fn implicit_target(from: &DataType, expected: &Expected, ansi: bool) -> Option<DataType> {
    if let Expected::OneOf(all) = expected {
        return all.iter().find_map(|e| implicit_target(from, e, ansi));
    }
    if expected.accepts(from) {
        return Some(from.clone());
    }
    if *from == DataType::Null {
        return Some(default_type(expected));
    }
    match expected {
        Expected::Type(target) => implicit_to_type(from, target, ansi),
        Expected::Numeric if from.is_string() => Some(DataType::Double),
        Expected::Integral if from.is_string() && ansi => Some(DataType::Long),
        Expected::String | Expected::StringOrBinary if becomes_string(from, ansi) => Some(DataType::STRING),
        _ => None,
    }
}

/// The concrete type of an untyped null where `expected` is asked for.
fn default_type(expected: &Expected) -> DataType {
    match expected {
        Expected::Type(t) => t.clone(),
        Expected::Any => DataType::Null,
        Expected::Numeric => DataType::Double,
        Expected::Integral => DataType::Integer,
        Expected::String | Expected::StringOrBinary => DataType::STRING,
        Expected::Array => DataType::array(DataType::Null, true),
        Expected::Map => DataType::map(DataType::Null, DataType::Null, true),
        Expected::Struct => DataType::Struct(StructType::default()),
        Expected::OneOf(all) => all.first().map_or(DataType::Null, default_type),
    }
}

/// True for types without parts that take part in implicit casts from and to strings.
fn is_atomic(ty: &DataType) -> bool {
    !ty.is_complex()
        && !matches!(
            ty,
            DataType::Null
                | DataType::CalendarInterval
                | DataType::Geometry(_)
                | DataType::Geography(_)
                | DataType::Udt { .. }
        )
}

/// True for types whose values are printed where a function takes strings.
fn becomes_string(ty: &DataType, ansi: bool) -> bool {
    is_atomic(ty) || ansi && *ty == DataType::CalendarInterval
}

fn implicit_to_type(from: &DataType, target: &DataType, ansi: bool) -> Option<DataType> {
    match (from, target) {
        (DataType::Time(_), DataType::Time(_)) => Some(target.clone()),
        (f, t) if f.is_numeric() && t.is_numeric() => Some(target.clone()),
        (DataType::YearMonthInterval { .. }, DataType::YearMonthInterval { .. })
        | (DataType::DayTimeInterval { .. }, DataType::DayTimeInterval { .. }) => Some(target.clone()),
        (f, t) if f.is_string() && t.is_string() => Some(target.clone()),
        (f, t) if f.is_string() => implicit_from_string(t, ansi),
        (f, t) if t.is_string() && becomes_string(f, ansi) => Some(target.clone()),
        (DataType::Date, DataType::Timestamp | DataType::TimestampNtz) => Some(target.clone()),
        (DataType::TimestampNtz, DataType::Timestamp) => Some(target.clone()),
        (f, DataType::TimestampNanos { .. }) if f.is_datetime() => Some(target.clone()),
        (DataType::TimestampNanos { .. }, DataType::Date) => Some(DataType::Date),
        (DataType::TimestampNanos { .. }, t) if t.is_datetime() && !ansi => Some(target.clone()),
        (DataType::Timestamp, DataType::TimestampNtz) if !ansi => Some(target.clone()),
        (f, DataType::Date) if f.is_datetime() && !ansi => Some(DataType::Date),
        (DataType::Array { element: a, contains_null }, DataType::Array { element: b, contains_null: to_null }) => {
            let element = implicit_part(a, b, ansi)?;
            (!contains_null || *to_null || a.same_type(b)).then(|| DataType::array(element, *contains_null))
        }
        (DataType::Map { key: k1, value: v1, value_contains_null }, DataType::Map { key: k2, value: v2, .. }) => {
            Some(DataType::map(implicit_part(k1, k2, ansi)?, implicit_part(v1, v2, ansi)?, *value_contains_null))
        }
        _ => None,
    }
}

fn implicit_part(from: &DataType, to: &DataType, ansi: bool) -> Option<DataType> {
    implicit_target(from, &Expected::Type(to.clone()), ansi)
}

fn implicit_from_string(target: &DataType, ansi: bool) -> Option<DataType> {
    match target {
        DataType::CalendarInterval => (!ansi).then_some(DataType::CalendarInterval),
        t if t.is_ansi_interval() => (!ansi).then(|| t.clone()),
        DataType::Boolean => ansi.then_some(DataType::Boolean),
        t if is_atomic(t) => Some(t.clone()),
        _ => None,
    }
}

/// A cast that Spark inserts itself: it is not shown in names. No-op if the types agree.
pub fn cast_implicitly(typed: &Typed, to: &DataType, settings: &Settings) -> Typed {
    cast::implicit(typed, to, settings)
}

/// The type all of `types` are cast to in `CASE`, `coalesce`, `array`, set operations; `None` if there is
/// none.
pub fn common_type(types: &[DataType], settings: &Settings) -> Option<DataType> {
    if types.is_empty() {
        return None;
    }
    let fold = |acc: DataType, t: &DataType| wider_type(&acc, t, settings);
    if settings.ansi {
        return types.iter().try_fold(DataType::Null, fold);
    }
    // Strings first: string promotion is not associative.
    let (strings, others): (Vec<&DataType>, Vec<&DataType>) = types.iter().partition(|t| has_string(t));
    strings.into_iter().chain(others).try_fold(DataType::Null, fold)
}

/// [`common_type`] in which strings and other types have nothing in common (`greatest`, `least`).
pub fn common_type_without_strings(types: &[DataType], settings: &Settings) -> Option<DataType> {
    types.iter().try_fold(DataType::Null, |acc, t| wider_without_strings(&acc, t, settings))
}

fn wider_without_strings(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    tightest_type(a, b, settings)
        .or_else(|| wider_decimal(a, b))
        .or_else(|| complex_type(a, b, &|x, y| wider_without_strings(x, y, settings), settings))
}

fn has_string(ty: &DataType) -> bool {
    match ty {
        DataType::Map { key, value, .. } => has_string(key) || has_string(value),
        DataType::Array { element, .. } => has_string(element),
        DataType::Struct(s) => s.fields.iter().any(|f| has_string(&f.data_type)),
        other => other.is_string(),
    }
}

/// The type two expressions are cast to for a comparison or a set operation.
pub fn wider_type(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    tightest_type(a, b, settings)
        .or_else(|| wider_decimal(a, b))
        .or_else(|| if settings.ansi { promote_string(a, b) } else { promote_to_string(a, b) })
        .or_else(|| complex_type(a, b, &|x, y| wider_type(x, y, settings), settings))
}

/// The type that holds every value of both, without losing any: no strings, no rounding of decimals.
pub fn tightest_type(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    use DataType as T;
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (T::Null, t) | (t, T::Null) => Some(t.clone()),
        (a, b) if a.is_string() && b.is_string() => string_type(a, b),
        (t @ T::Decimal { .. }, i) | (i, t @ T::Decimal { .. }) if i.is_integral() => {
            is_wider_decimal(t, &decimal_for(i)?).then(|| t.clone())
        }
        (a, b) if a.is_numeric() && b.is_numeric() => wider_number(a, b, settings.ansi),
        (a, b) if a.is_datetime() && b.is_datetime() => Some(wider_datetime(a, b)),
        (n @ T::TimestampNanos { .. }, t) | (t, n @ T::TimestampNanos { .. }) => wider_nanos(n, t),
        (T::Time(p), T::Time(q)) => Some(T::Time(*p.max(q))),
        (T::YearMonthInterval { start: s1, end: e1 }, T::YearMonthInterval { start: s2, end: e2 }) => {
            Some(T::YearMonthInterval { start: *s1.min(s2), end: *e1.max(e2) })
        }
        (T::DayTimeInterval { start: s1, end: e1 }, T::DayTimeInterval { start: s2, end: e2 }) => {
            Some(T::DayTimeInterval { start: *s1.min(s2), end: *e1.max(e2) })
        }
        (T::Geometry(_), T::Geometry(_)) => Some(T::Geometry(None)),
        (T::Geography(_), T::Geography(_)) => Some(T::Geography(None)),
        _ => complex_type(a, b, &|x, y| tightest_type(x, y, settings), settings),
    }
}

/// The common type of two strings; char and varchar are strings. A collation beats none; two different
/// ones have nothing in common.
fn string_type(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (DataType::String { collation: Some(x) }, DataType::String { collation: Some(y) }) if x != y => None,
        (c @ DataType::String { collation: Some(_) }, _) | (_, c @ DataType::String { collation: Some(_) }) => {
            Some(c.clone())
        }
        _ => Some(DataType::STRING),
    }
}

fn number_rank(ty: &DataType) -> Option<usize> {
    [DataType::Byte, DataType::Short, DataType::Integer, DataType::Long, DataType::Float, DataType::Double]
        .iter()
        .position(|t| t == ty)
}

fn wider_number(a: &DataType, b: &DataType, ansi: bool) -> Option<DataType> {
    let (ra, rb) = (number_rank(a)?, number_rank(b)?);
    let wider = if ra >= rb { a } else { b };
    if ansi && *wider == DataType::Float && (a.is_integral() || b.is_integral()) {
        return Some(DataType::Double);
    }
    Some(wider.clone())
}

fn wider_datetime(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (DataType::Timestamp, _) | (_, DataType::Timestamp) => DataType::Timestamp,
        (DataType::TimestampNtz, _) | (_, DataType::TimestampNtz) => DataType::TimestampNtz,
        _ => DataType::Date,
    }
}

/// The type that holds the values of a timestamp with digits below the microsecond and of another type: as
/// many digits as the one with most, and with a zone if one has it.
fn wider_nanos(nanos: &DataType, other: &DataType) -> Option<DataType> {
    let DataType::TimestampNanos { ltz, precision } = nanos else { return None };
    let (other_ltz, other_precision) = match other {
        DataType::TimestampNanos { ltz, precision } => (*ltz, *precision),
        DataType::Timestamp => (true, 6),
        DataType::TimestampNtz | DataType::Date => (false, 6),
        _ => return None,
    };
    Some(DataType::TimestampNanos { ltz: *ltz || other_ltz, precision: *precision.max(&other_precision) })
}

/// The decimal type that holds every value of an integral or boolean type, a double's or a float's
/// digits, or a decimal itself.
pub fn decimal_for(ty: &DataType) -> Option<DataType> {
    Some(match ty {
        DataType::Byte => DataType::decimal(3, 0),
        DataType::Short => DataType::decimal(5, 0),
        DataType::Integer => DataType::decimal(10, 0),
        DataType::Long => DataType::decimal(20, 0),
        DataType::Float => DataType::decimal(14, 7),
        DataType::Double => DataType::decimal(30, 15),
        DataType::Decimal { .. } => ty.clone(),
        _ => return None,
    })
}

/// True if `a` holds every value of `b`, both decimals.
pub fn is_wider_decimal(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 }) => {
            i16::from(*p1) - i16::from(*s1) >= i16::from(*p2) - i16::from(*s2) && s1 >= s2
        }
        _ => false,
    }
}

/// The decimal type that values of two decimal types are compared in.
pub fn wider_decimal_of(p1: u8, s1: i8, p2: u8, s2: i8) -> DataType {
    let scale = i16::from(s1.max(s2));
    let range = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
    bounded(range + scale, scale)
}

/// A decimal type cut to 38 digits at the cost of the fraction.
fn bounded(precision: i16, scale: i16) -> DataType {
    if precision <= 38 {
        return DataType::decimal(precision as u8, scale as i8);
    }
    DataType::decimal(38, (scale - (precision - 38)).max(0) as i8)
}

fn wider_decimal(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType as T;
    match (a, b) {
        (T::Decimal { precision: p1, scale: s1 }, T::Decimal { precision: p2, scale: s2 }) => {
            Some(wider_decimal_of(*p1, *s1, *p2, *s2))
        }
        (T::Decimal { .. }, i) | (i, T::Decimal { .. }) if i.is_integral() => {
            wider_decimal(&decimal_for(a)?, &decimal_for(b)?)
        }
        (T::Decimal { .. }, T::Float | T::Double) | (T::Float | T::Double, T::Decimal { .. }) => Some(T::Double),
        _ => None,
    }
}

/// ANSI: the string becomes the other type; numbers grow to the widest of their kind.
pub fn promote_string(a: &DataType, b: &DataType) -> Option<DataType> {
    let other = match (a.is_string(), b.is_string()) {
        (true, false) => b,
        (false, true) => a,
        _ => return None,
    };
    match other {
        t if t.is_integral() => Some(DataType::Long),
        t if t.is_numeric() => Some(DataType::Double),
        t if t.is_ansi_interval() => None,
        t if is_atomic(t) => Some(t.clone()),
        _ => None,
    }
}

/// Legacy: the other type becomes a string.
fn promote_to_string(a: &DataType, b: &DataType) -> Option<DataType> {
    let other = match (a.is_string(), b.is_string()) {
        (true, false) => b,
        (false, true) => a,
        _ => return None,
    };
    (is_atomic(other) && !matches!(other, DataType::Binary | DataType::Boolean)).then_some(DataType::STRING)
}

fn complex_type(
    a: &DataType,
    b: &DataType,
    common: &dyn Fn(&DataType, &DataType) -> Option<DataType>,
    settings: &Settings,
) -> Option<DataType> {
    match (a, b) {
        (DataType::Array { element: x, contains_null: n1 }, DataType::Array { element: y, contains_null: n2 }) => {
            let element = common(x, y)?;
            let null = *n1 || *n2 || cast::force_nullable(x, &element) || cast::force_nullable(y, &element);
            Some(DataType::array(element, null))
        }
        (
            DataType::Map { key: k1, value: v1, value_contains_null: n1 },
            DataType::Map { key: k2, value: v2, value_contains_null: n2 },
        ) => {
            let key = common(k1, k2)?;
            if cast::force_nullable(k1, &key) || cast::force_nullable(k2, &key) {
                return None;
            }
            let value = common(v1, v2)?;
            let null = *n1 || *n2 || cast::force_nullable(v1, &value) || cast::force_nullable(v2, &value);
            Some(DataType::map(key, value, null))
        }
        (DataType::Struct(x), DataType::Struct(y)) if x.fields.len() == y.fields.len() => {
            let fields = x
                .fields
                .iter()
                .zip(&y.fields)
                .map(|(f, g)| common_field(f, g, common, settings))
                .collect::<Option<Vec<_>>>()?;
            Some(DataType::Struct(StructType::new(fields)))
        }
        _ => None,
    }
}

fn common_field(
    f: &StructField,
    g: &StructField,
    common: &dyn Fn(&DataType, &DataType) -> Option<DataType>,
    settings: &Settings,
) -> Option<StructField> {
    let same_name = if settings.case_sensitive { f.name == g.name } else { f.name.eq_ignore_ascii_case(&g.name) };
    if !same_name {
        return None;
    }
    let ty = common(&f.data_type, &g.data_type)?;
    let null =
        f.nullable || g.nullable || cast::force_nullable(&f.data_type, &ty) || cast::force_nullable(&g.data_type, &ty);
    Some(StructField::new(f.name.clone(), ty, null))
}

/// The type both sides of a comparison are cast to.
pub fn comparison_type(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    if a == b {
        return Some(a.clone());
    }
    if !settings.ansi
        && let Some(ty) = legacy_comparison(a, b, settings)
    {
        return Some(ty);
    }
    if let (DataType::Struct(x), DataType::Struct(y)) = (a, b) {
        return compared_structs(x, y, settings);
    }
    if a.is_ansi_interval() && b.is_string() || a.is_string() && b.is_ansi_interval() {
        return None;
    }
    wider_type(a, b, settings)
}

/// Structs are compared by position: names may differ.
fn compared_structs(x: &StructType, y: &StructType, settings: &Settings) -> Option<DataType> {
    if x.fields.len() != y.fields.len() {
        return None;
    }
    let fields = x.fields.iter().zip(&y.fields).map(|(f, g)| {
        Some(StructField::new(
            f.name.clone(),
            wider_without_strings(&f.data_type, &g.data_type, settings)?,
            f.nullable || g.nullable,
        ))
    });
    Some(DataType::Struct(StructType::new(fields.collect::<Option<Vec<_>>>()?)))
}

fn legacy_comparison(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    let other = match (a.is_string(), b.is_string()) {
        (true, false) => b,
        (false, true) => a,
        (true, true) => return None,
        (false, false) => return legacy_boolean_comparison(a, b),
    };
    if other.is_datetime() && settings.conf.get_bool("spark.sql.legacy.typeCoercion.datetimeToString.enabled", false) {
        return Some(DataType::STRING);
    }
    (is_atomic(other) && !other.is_ansi_interval()).then(|| other.clone())
}

fn legacy_boolean_comparison(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (DataType::Boolean, n) | (n, DataType::Boolean) if n.is_numeric() => Some(n.clone()),
        _ => None,
    }
}

/// Casts both sides to their wider type.
///
/// # Errors
/// Never at present; kept fallible for collation conflicts.
pub fn unify_pair(a: Typed, b: Typed, settings: &Settings) -> Result<Option<(Typed, Typed)>> {
    Ok(wider_type(&a.ty, &b.ty, settings)
        .map(|t| (cast_implicitly(&a, &t, settings), cast_implicitly(&b, &t, settings))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType as T;

    fn settings(ansi: bool) -> Settings {
        Settings { ansi, ..Settings::default() }
    }

    #[test]
    fn common_types() {
        let dec = DataType::decimal;
        for (a, b, ansi, legacy) in [
            (T::Integer, T::Long, Some(T::Long), Some(T::Long)),
            (T::Integer, T::Float, Some(T::Double), Some(T::Float)),
            (T::Integer, dec(12, 1), Some(dec(12, 1)), Some(dec(12, 1))),
            (T::Long, dec(2, 1), Some(dec(21, 1)), Some(dec(21, 1))),
            (dec(38, 10), dec(38, 18), Some(dec(38, 10)), Some(dec(38, 10))),
            (T::Integer, T::STRING, Some(T::Long), Some(T::STRING)),
            (T::Date, T::STRING, Some(T::Date), Some(T::STRING)),
            (T::Boolean, T::STRING, Some(T::Boolean), None),
            (T::Integer, T::Boolean, None, None),
            (T::Date, T::Timestamp, Some(T::Timestamp), Some(T::Timestamp)),
            (
                T::array(T::Integer, false),
                T::array(T::Long, true),
                Some(T::array(T::Long, true)),
                Some(T::array(T::Long, true)),
            ),
        ] {
            assert_eq!(common_type(&[a.clone(), b.clone()], &settings(true)), ansi, "ansi {a} {b}");
            assert_eq!(common_type(&[a.clone(), b.clone()], &settings(false)), legacy, "legacy {a} {b}");
        }
    }
}
