//! `singleVariantColumn`: a whole record as one variant, instead of a column for each of its fields; and the
//! variants that single CSV fields are.

use functions::families::text_data::number::decimal_digits;
use functions::families::variant::encode::Node;
use functions::families::variant::json::stripped;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::builder::{Builders, ColumnBuilder, Scalar};
use super::{Readers, RowFormat, malformed};
use crate::source::Options;

/// The option that names the column.
const OPTION: &str = "singleVariantColumn";

/// The name of the column, if a read of `format` asks for one.
pub(super) fn column(format: &str, options: &Options) -> Option<String> {
    matches!(format, "csv" | "json" | "xml").then(|| options.get(OPTION).map(str::to_string)).flatten()
}

/// The schema of such a read where the user gives none.
pub(super) fn schema(name: &str) -> StructType {
    StructType::new(vec![StructField::new(name, DataType::Variant, true)])
}

/// Checks the schema that a user gave for such a read: the column, and at most that of corrupt records.
///
/// # Errors
/// `INVALID_SINGLE_VARIANT_COLUMN`.
pub(super) fn check(name: &str, corrupt: &str, schema: &StructType) -> Result<()> {
    let is_column = |f: &StructField| f.name == name && f.data_type == DataType::Variant;
    let is_corrupt = |f: &StructField| f.name == corrupt && f.data_type.is_string();
    let fits = match schema.fields.as_slice() {
        [only] => is_column(only),
        [a, b] => is_column(a) && is_corrupt(b) || is_corrupt(a) && is_column(b),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let shown = DataType::Struct(schema.clone()).sql();
    Err(Error::analysis("INVALID_SINGLE_VARIANT_COLUMN")
        .param("schema", format!("\"{shown}\""))
        .with_message(format!("A read with {OPTION} has that column alone, and maybe the corrupt one; not {shown}.")))
}

/// Adds a row of one variant. `whole`: everything of the record is in it; else the record is malformed.
///
/// # Errors
/// `MALFORMED_RECORD_IN_PARSING` in the mode `FAILFAST`.
pub(super) fn row(
    format: &RowFormat,
    record: &str,
    value: Option<(Vec<u8>, Vec<u8>)>,
    whole: bool,
    out: &mut Builders,
) -> Result<()> {
    let bad = !whole || value.is_none();
    if bad && !malformed(format, record)? {
        return Ok(());
    }
    for (column, &field) in out.columns.iter_mut().zip(&out.fields) {
        if format.schema.fields[field].data_type == DataType::Variant {
            append(column, value.clone());
        } else if bad {
            column.append_string(record);
        } else {
            column.append_null();
        }
    }
    out.rows += 1;
    Ok(())
}

/// Adds an encoded variant to a column of variants.
pub(super) fn append(column: &mut ColumnBuilder, value: Option<(Vec<u8>, Vec<u8>)>) {
    match value {
        Some(encoded) => column.append_struct(|columns| {
            for (column, bytes) in columns.iter_mut().zip(<[Vec<u8>; 2]>::from(encoded)) {
                column.append(Scalar::Bytes(bytes));
            }
        }),
        None => column.append_null(),
    }
}

/// What the values of a CSV column have been so far. A value that is none of that kind makes it the next one
/// that fits, and what comes later is tried from there on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Long,
    Decimal,
    Date,
    Timestamp,
    Boolean,
    Text,
}

impl Kind {
    fn next(self) -> Kind {
        match self {
            Kind::Long => Kind::Decimal,
            Kind::Decimal => Kind::Date,
            Kind::Date => Kind::Timestamp,
            Kind::Timestamp => Kind::Boolean,
            Kind::Boolean | Kind::Text => Kind::Text,
        }
    }

    fn node(self, token: &str, readers: &Readers) -> Option<Node> {
        let dated = |format| token.as_bytes().first().is_some_and(u8::is_ascii_digit) || readers.has_format(format);
        match self {
            Kind::Long => token.parse().ok().map(Node::int),
            Kind::Decimal => decimal(token),
            Kind::Date if !dated("dateFormat") || (token.len() != 10 && !readers.has_format("dateFormat")) => None,
            Kind::Date => i32::try_from(readers.date(token)?).ok().map(Node::date),
            Kind::Timestamp if !dated("timestampFormat") => None,
            Kind::Timestamp => readers.timestamp(token).map(Node::timestamp),
            Kind::Boolean if token.eq_ignore_ascii_case("true") => Some(Node::boolean(true)),
            Kind::Boolean if token.eq_ignore_ascii_case("false") => Some(Node::boolean(false)),
            Kind::Boolean => None,
            Kind::Text => Some(Node::text(token)),
        }
    }
}

fn decimal(token: &str) -> Option<Node> {
    let (digits, exponent) = decimal_digits(token)?;
    let unscaled = i128::try_from(digits).ok()?;
    let (unscaled, scale) = match i32::try_from(exponent).ok()? {
        up @ 0..=38 => (unscaled.checked_mul(10i128.checked_pow(up.unsigned_abs())?)?, 0),
        down @ -38..=-1 => stripped(unscaled, u8::try_from(down.unsigned_abs()).ok()?),
        _ => return None,
    };
    (unscaled.unsigned_abs().to_string().len() <= 38).then(|| Node::decimal(unscaled, scale))
}

/// The variant that a field of CSV is, in a column of such values so far.
pub(super) fn field(token: Option<&str>, so_far: &mut Kind, readers: &Readers) -> Node {
    let Some(token) = token else { return Node::null() };
    loop {
        match so_far.node(token, readers) {
            Some(node) => return node,
            None => *so_far = so_far.next(),
        }
    }
}

/// The fields of a CSV record as a variant object; `None` where two have the same name.
pub(super) fn object(
    header: &[String],
    tokens: &[Option<String>],
    kinds: &mut Vec<Kind>,
    readers: &Readers,
) -> Option<(Vec<u8>, Vec<u8>)> {
    kinds.resize(kinds.len().max(header.len()), Kind::default());
    let mut names = std::collections::HashSet::with_capacity(header.len());
    let mut fields = Vec::with_capacity(header.len());
    for ((name, token), kind) in header.iter().zip(tokens).zip(kinds) {
        if !names.insert(name) {
            return None;
        }
        fields.push((name.clone(), field(token.as_deref(), kind, readers)));
    }
    Some(Node::Object(fields).encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_their_column_was_or_more() {
        let readers = Readers::new(&Options::default(), "UTC");
        for (tokens, expect) in [
            (&["1", "2.50", "3"][..], Kind::Decimal),
            (&["1", "x", "3"], Kind::Text),
            (&["2020-01-01", "2020-01-01 00:00:00"], Kind::Timestamp),
            (&["true"], Kind::Boolean),
            (&["1e5"], Kind::Decimal),
            (&["NaN"], Kind::Text),
        ] {
            let mut kind = Kind::default();
            tokens.iter().for_each(|t| drop(field(Some(t), &mut kind, &readers)));
            assert_eq!(kind, expect, "{tokens:?}");
        }
        assert_eq!(decimal("1.50"), Some(Node::decimal(15, 1)));
        assert_eq!(decimal("1e2"), Some(Node::decimal(100, 0)));
    }

    #[test]
    fn schemas_have_the_column_and_the_corrupt_one() {
        for (ddl, fits) in [
            ("v VARIANT", true),
            ("c STRING, v VARIANT", true),
            ("v VARIANT, d STRING", false),
            ("v STRING", false),
            ("w VARIANT", false),
        ] {
            let schema = sql::parse_table_schema(ddl, &sql::ParseOptions::default()).expect("a schema");
            assert_eq!(check("v", "c", &schema).is_ok(), fits, "{ddl}");
        }
    }
}
