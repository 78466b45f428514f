//! Comparison and keys: two strings are equal in a collation exactly if their keys are equal bytes,
//! and order as their keys do.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, ListArray, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use icu_collator::options::{CaseLevel, CollatorOptions, Strength};
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use parking_lot::RwLock;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::name::{CollationName, parse};
use crate::error::external;
use crate::families::rows::{self, Text};
use crate::families::text_data::forms::spec;
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::types::to_arrow;

/// The key of a string in the collation named in the options.
pub const KEY: Kernel = Kernel::new("collation_key", eval_key);

/// An array or a struct with the keys of its strings; its type is in the options.
pub const NESTED_KEY: Kernel = Kernel::new("collation_nested_key", eval_nested_key);

/// A collation that can compare.
#[derive(Clone)]
pub struct Collation {
    pub name: CollationName,
    collator: Option<Arc<CollatorBorrowed<'static>>>,
}

static COLLATORS: LazyLock<RwLock<HashMap<String, Arc<CollatorBorrowed<'static>>>>> = LazyLock::new(RwLock::default);

impl Collation {
    /// The default collation.
    pub fn binary() -> Self {
        let name =
            CollationName { base: "UTF8_BINARY", case_insensitive: false, accent_insensitive: false, rtrim: false };
        Collation { name, collator: None }
    }

    /// The collation of that name.
    ///
    /// # Errors
    /// `COLLATION_INVALID_NAME`.
    pub fn named(text: &str) -> SparkResult<Self> {
        let name = parse(text)?;
        let collator = if name.is_utf8() { None } else { Some(collator(&name)?) };
        Ok(Collation { name, collator })
    }

    /// The collation of a string type.
    ///
    /// # Errors
    /// As [`Collation::named`].
    pub fn of_type(ty: &DataType) -> SparkResult<Self> {
        match ty {
            DataType::String { collation: Some(name) } => Collation::named(name),
            _ => Ok(Collation::binary()),
        }
    }

    /// The collation that analysis put into a kernel's options; the default if there is none.
    ///
    /// # Errors
    /// As [`Collation::named`].
    pub fn of(args: &KernelArgs) -> Result<Self> {
        match args.extra() {
            "" => Ok(Collation::binary()),
            name => Collation::named(name).map_err(external),
        }
    }

    /// True if equality is equality of bytes.
    pub fn is_plain(&self) -> bool {
        self.name.is_binary() && !self.name.rtrim
    }

    /// The part of `s` that counts.
    pub fn significant<'a>(&self, s: &'a str) -> &'a str {
        if self.name.rtrim { s.trim_end_matches(' ') } else { s }
    }

    /// Writes the key of `s`.
    pub fn write_key(&self, s: &str, out: &mut Vec<u8>) {
        let s = self.significant(s);
        match &self.collator {
            Some(collator) => {
                let Ok(()) = collator.write_sort_key_to(s, out);
            }
            None if self.name.is_lcase() => {
                let mut buffer = [0; 4];
                for c in s.chars() {
                    lower_chars(c, |l| out.extend_from_slice(l.encode_utf8(&mut buffer).as_bytes()));
                }
            }
            None => out.extend_from_slice(s.as_bytes()),
        }
    }

    /// The key of `s`.
    pub fn key(&self, s: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(s.len());
        self.write_key(s, &mut out);
        out
    }

    /// Orders two strings.
    pub fn compare(&self, a: &str, b: &str) -> Ordering {
        let (a, b) = (self.significant(a), self.significant(b));
        match &self.collator {
            Some(collator) => collator.compare(a, b),
            None if self.name.is_lcase() => self.key(a).cmp(&self.key(b)),
            None => a.cmp(b),
        }
    }

    /// True if the strings are the same in this collation.
    pub fn equal(&self, a: &str, b: &str) -> bool {
        a == b || (!self.is_plain() && self.compare(a, b) == Ordering::Equal)
    }
}

/// The lower-case form of one character as `UTF8_LCASE` has it: both sigmas are one.
pub fn lower_chars(c: char, mut push: impl FnMut(char)) {
    match c {
        'ς' => push('σ'),
        _ if c.is_ascii() => push(c.to_ascii_lowercase()),
        _ => c.to_lowercase().for_each(push),
    }
}

fn collator(name: &CollationName) -> SparkResult<Arc<CollatorBorrowed<'static>>> {
    let text = name.text();
    if let Some(found) = COLLATORS.read().get(&text) {
        return Ok(found.clone());
    }
    let locale = if name.base == "UNICODE" { "und".to_string() } else { bcp47(name.base) };
    let locale: icu_locale_core::Locale =
        locale.parse().map_err(|_| Error::internal(format!("{locale} is not a locale")))?;
    let mut options = CollatorOptions::default();
    options.strength = Some(match (name.case_insensitive, name.accent_insensitive) {
        (false, false) => Strength::Tertiary,
        (true, false) => Strength::Secondary,
        (_, true) => Strength::Primary,
    });
    if name.accent_insensitive && !name.case_insensitive {
        options.case_level = Some(CaseLevel::On);
    }
    let made = CollatorBorrowed::try_new(CollatorPreferences::from(&locale), options)
        .map_err(|e| Error::internal(format!("no collation data for {text}: {e}")))?;
    let made = Arc::new(made);
    COLLATORS.write().insert(text, made.clone());
    Ok(made)
}

/// Locale names here have three-letter countries; BCP 47 has two.
fn bcp47(name: &str) -> String {
    const COUNTRIES: [(&str, &str); 19] = [
        ("SAU", "SA"),
        ("AUT", "AT"),
        ("USA", "US"),
        ("AFG", "AF"),
        ("CAN", "CA"),
        ("ISR", "IL"),
        ("IDN", "ID"),
        ("NOR", "NO"),
        ("IND", "IN"),
        ("BIH", "BA"),
        ("MNE", "ME"),
        ("SRB", "RS"),
        ("CHN", "CN"),
        ("SGP", "SG"),
        ("HKG", "HK"),
        ("MAC", "MO"),
        ("TWN", "TW"),
        ("DEU", "DE"),
        ("GBR", "GB"),
    ];
    let parts: Vec<&str> = name
        .split('_')
        .map(|part| COUNTRIES.iter().find(|(three, _)| *three == part).map_or(part, |(_, two)| two))
        .collect();
    parts.join("-")
}

/// True for strings that are not compared byte by byte, and for arrays and structs of them.
pub fn is_collated(ty: &DataType) -> bool {
    match ty {
        DataType::String { collation } => collation.is_some(),
        DataType::Array { element, .. } => is_collated(element),
        DataType::Struct(s) => s.fields.iter().any(|f| is_collated(&f.data_type)),
        _ => false,
    }
}

/// `expr` of type `ty` as what comparisons, grouping, joining and sorting must use: the expression
/// itself where strings are compared byte by byte, else with the keys of its strings in their place.
pub fn key_expr(expr: Expr, ty: &DataType) -> Expr {
    match ty {
        DataType::String { collation: Some(name) } => {
            let options = Options::default().with_extra(name.clone());
            KernelUdf::call(&KEY, Arrow::Binary, options, vec![expr])
        }
        ty if is_collated(ty) => {
            let options = Options::default().with_extra(serde_json::to_string(ty).unwrap_or_default());
            KernelUdf::call(&NESTED_KEY, keyed_type(&to_arrow(ty), ty), options, vec![expr])
        }
        _ => expr,
    }
}

/// `arrow`, the Arrow type of `ty`, with keys where strings with a collation are.
fn keyed_type(arrow: &Arrow, ty: &DataType) -> Arrow {
    match (arrow, ty) {
        (_, DataType::String { collation: Some(_) }) => Arrow::Binary,
        (Arrow::List(field), DataType::Array { element, .. }) => {
            let inner = keyed_type(field.data_type(), element);
            Arrow::List(Arc::new(field.as_ref().clone().with_data_type(inner)))
        }
        (Arrow::Struct(fields), DataType::Struct(s)) => {
            let keyed = fields.iter().zip(s.fields.iter()).map(|(field, inner)| {
                field.as_ref().clone().with_data_type(keyed_type(field.data_type(), &inner.data_type))
            });
            Arrow::Struct(keyed.collect())
        }
        _ => arrow.clone(),
    }
}

/// `array`, of type `ty`, with keys where strings with a collation are.
fn keyed(array: &ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    if !is_collated(ty) {
        return Ok(Arc::clone(array));
    }
    match ty {
        DataType::String { .. } => keys(&Collation::of_type(ty).map_err(external)?, array),
        DataType::Array { element, .. } => {
            let list = array.as_list::<i32>();
            let values = keyed(list.values(), element)?;
            let Arrow::List(field) = keyed_type(array.data_type(), ty) else { return Ok(Arc::clone(array)) };
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        DataType::Struct(s) => {
            let parts = array.as_struct();
            let columns = parts.columns().iter().zip(s.fields.iter()).map(|(c, f)| keyed(c, &f.data_type));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let Arrow::Struct(fields) = keyed_type(array.data_type(), ty) else { return Ok(Arc::clone(array)) };
            Ok(Arc::new(StructArray::try_new(fields, columns, parts.nulls().cloned())?))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// The keys of an array of strings.
pub(crate) fn keys(collation: &Collation, array: &ArrayRef) -> Result<ArrayRef> {
    let texts = arrow::compute::cast(array, &Arrow::Utf8)?;
    let mut out = BinaryBuilder::new();
    let mut key = Vec::new();
    for text in texts.as_string::<i32>() {
        key.clear();
        match text {
            Some(text) => {
                collation.write_key(text, &mut key);
                out.append_value(&key);
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn eval_nested_key(args: &KernelArgs) -> Result<ColumnarValue> {
    let ty: DataType = spec(args)?;
    let rows_here = rows::row_count(args);
    let array = args.value(0)?.to_array(rows_here)?;
    Ok(ColumnarValue::Array(keyed(&array, &ty)?))
}

fn eval_key(args: &KernelArgs) -> Result<ColumnarValue> {
    let collation = Collation::of(args)?;
    let text = Text::of(args, 0)?;
    rows::binaries(args, |row, out| {
        let Some(s) = text.get(row) else { return Ok(false) };
        collation.write_key(s, out);
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_keys() {
        let text = DataType::String { collation: Some("UTF8_LCASE".into()) };
        let ty = DataType::array(text, true);
        let array = |texts: &[&str]| -> ArrayRef {
            let mut out = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
            texts.iter().for_each(|t| out.values().append_value(t));
            out.append(true);
            Arc::new(out.finish())
        };
        let Ok(a) = keyed(&array(&["aB", "c"]), &ty) else { panic!("keys of a list") };
        let Ok(b) = keyed(&array(&["Ab", "C"]), &ty) else { panic!("keys of a list") };
        assert_eq!(&a, &b);
        assert_eq!(a.data_type(), &keyed_type(&to_arrow(&ty), &ty));
    }

    #[test]
    fn comparisons() {
        for (name, a, b, expected) in [
            ("UTF8_BINARY", "a", "A", Ordering::Greater),
            ("UTF8_LCASE", "aBc", "AbC", Ordering::Equal),
            ("UTF8_LCASE", "ΣΑΣ", "σας", Ordering::Equal),
            ("UTF8_BINARY_RTRIM", "a ", "a", Ordering::Equal),
            ("UNICODE", "a", "A", Ordering::Less),
            ("UNICODE_CI", "a", "A", Ordering::Equal),
            ("UNICODE_AI", "a", "å", Ordering::Equal),
            ("UNICODE_AI", "a", "A", Ordering::Less),
            ("UNICODE_CI_AI", "a", "Å", Ordering::Equal),
            ("sv", "Kypper", "Köpfe", Ordering::Less),
            ("de", "Kypper", "Köpfe", Ordering::Greater),
            ("tr_CI", "I", "ı", Ordering::Equal),
        ] {
            let collation = Collation::named(name).map_err(|e| e.text());
            let Ok(collation) = collation else { panic!("{name}") };
            assert_eq!(collation.compare(a, b), expected, "{a} {b} in {name}");
            assert_eq!(collation.key(a).cmp(&collation.key(b)), expected, "keys of {a} {b} in {name}");
        }
    }
}
