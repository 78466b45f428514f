//! CSV functions: `from_csv`, `to_csv`, `schema_of_csv`.

use arrow::array::{ArrayRef, AsArray};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, ErrorKind, Result as SparkResult};

use super::rows;
use super::text_data::cells::Cells;
use super::text_data::datum::Datum;
use super::text_data::forms::{self, WriteSpec};
use super::text_data::number::{write_decimal, write_double, write_float};
use super::text_data::options::{OptionMap, ParseMode, ReadSpec, malformed_record, schema_argument};
use super::text_data::scalars;
use super::text_data::stamp::Stamps;
use crate::call::Call;
use crate::cast::{Context, Mode, format};
use crate::error::fail;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "from_csv", build: Build::Scalar(from_csv) },
    Function { name: "to_csv", build: Build::Scalar(to_csv) },
    Function { name: "schema_of_csv", build: Build::Scalar(schema_of_csv) },
];

const FROM_CSV: Kernel = Kernel::new("from_csv", eval_from_csv);
const TO_CSV: Kernel = Kernel::new("to_csv", eval_to_csv);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[FROM_CSV, TO_CSV];

fn from_csv(mut call: Call) -> SparkResult<Typed> {
    call.arity(2..=3)?;
    let schema = schema_argument(&call, 1)?;
    let DataType::Struct(fields) = &schema else {
        return Err(Error::analysis("INVALID_SCHEMA.NON_STRUCT_TYPE")
            .param("inputSchema", format!("\"{}\"", call.args[1].name))
            .param("dataType", format!("\"{}\"", schema.sql()))
            .at(call.origin.as_ref()));
    };
    if let Some(field) = fields.fields.iter().find(|f| f.data_type.is_complex()) {
        return Err(Error::new(ErrorKind::Unsupported, "UNSUPPORTED_DATATYPE")
            .param("typeName", format!("\"{}\"", field.data_type.sql()))
            .nowhere());
    }
    let spec = forms::read_arguments(&mut call, &schema, "from_csv")?;
    let nullable = call.any_nullable();
    Ok(forms::reading(call, &FROM_CSV, spec, nullable))
}

fn to_csv(mut call: Call) -> SparkResult<Typed> {
    let spec = forms::write_arguments(&mut call)?;
    if spec.ty == DataType::Null {
        return Ok(Typed::null(DataType::STRING).named(call.display_name()));
    }
    if !matches!(spec.ty, DataType::Struct(_)) || spec.ty.any(&|t| *t == DataType::Variant) {
        return Err(call
            .mismatch("UNSUPPORTED_INPUT_TYPE")
            .param("functionName", "`to_csv`")
            .param("dataType", format!("\"{}\"", spec.ty.sql())));
    }
    Ok(forms::writing(call, &TO_CSV, &spec))
}

fn schema_of_csv(mut call: Call) -> SparkResult<Typed> {
    let (text, options) = forms::sample(&mut call, "csv")?;
    let stamps = Stamps::new(&options, &call.settings.time_zone, true).map_err(crate::error::from_datafusion)?;
    let (dates, ntz) = (options.flag("preferDate", true), call.settings.timestamp_ntz);
    let inference = Inference { stamps, dates, ntz };
    let fields = Dialect::of(&options)
        .split(&text)
        .into_iter()
        .enumerate()
        .map(|(i, token)| StructField::new(format!("_c{i}"), inference.of(token.as_deref()), true))
        .collect();
    Ok(forms::schema_text(call, &DataType::Struct(StructType::new(fields))))
}

/// How the types of values are found out.
struct Inference {
    stamps: Stamps,
    /// Dates are tried before timestamps.
    dates: bool,
    /// What says no zone is a wall clock.
    ntz: bool,
}

impl Inference {
    /// The type of one value.
    fn of(&self, token: Option<&str>) -> DataType {
        let Some(text) = token.filter(|t| !t.is_empty()) else { return DataType::STRING };
        if text.parse::<i32>().is_ok() {
            DataType::Integer
        } else if text.parse::<i64>().is_ok() {
            DataType::Long
        } else if text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 38 {
            DataType::decimal(text.len() as u8, 0)
        } else if is_double(text) {
            DataType::Double
        } else if self.dates && self.stamps.infers_date(text) {
            DataType::Date
        } else if self.ntz && self.stamps.parse_timestamp_ntz(text).is_some() {
            DataType::TimestampNtz
        } else if self.stamps.infers_timestamp(text) {
            DataType::Timestamp
        } else if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            DataType::Boolean
        } else {
            DataType::STRING
        }
    }
}

fn is_double(text: &str) -> bool {
    matches!(text, "NaN" | "Inf" | "-Inf")
        || text.bytes().any(|b| b.is_ascii_digit())
            && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
            && text.parse::<f64>().is_ok()
}

/// How records are written down.
struct Dialect {
    separator: String,
    quote: char,
    escape: char,
    null: String,
    empty: String,
    trim_start: bool,
    trim_end: bool,
    quote_all: bool,
}

impl Dialect {
    /// For reading; writers trim and write empty strings in quotes.
    fn of(options: &OptionMap) -> Dialect {
        let first = |name: &str, default: char| options.get(name).map_or(default, |v| v.chars().next().unwrap_or('\0'));
        let separator = options.get("sep").or_else(|| options.get("delimiter")).unwrap_or(",");
        Dialect {
            separator: separator.replace("\\t", "\t"),
            quote: first("quote", '"'),
            escape: first("escape", '\\'),
            null: options.get("nullValue").unwrap_or("").to_string(),
            empty: options.get("emptyValue").unwrap_or("").to_string(),
            trim_start: options.flag("ignoreLeadingWhiteSpace", false),
            trim_end: options.flag("ignoreTrailingWhiteSpace", false),
            quote_all: options.flag("quoteAll", false),
        }
    }

    fn for_writing(options: &OptionMap) -> Dialect {
        Dialect {
            empty: options.get("emptyValue").unwrap_or("\"\"").to_string(),
            trim_start: options.flag("ignoreLeadingWhiteSpace", true),
            trim_end: options.flag("ignoreTrailingWhiteSpace", true),
            ..Dialect::of(options)
        }
    }

    /// The values of one record; `None` for nulls.
    fn split(&self, text: &str) -> Vec<Option<String>> {
        let mut out = Vec::new();
        let mut rest = text;
        loop {
            let (value, after) = self.value(rest);
            out.push(value.filter(|v| *v != self.null || self.null.is_empty()));
            match after {
                Some(after) => rest = after,
                None => return out,
            }
        }
    }

    /// The first value, and what follows its separator.
    fn value<'a>(&self, text: &'a str) -> (Option<String>, Option<&'a str>) {
        if let Some(found) = text.strip_prefix(self.quote).and_then(|inner| self.quoted(inner)) {
            let (value, after) = found;
            return (Some(if value.is_empty() { self.empty.clone() } else { value }), after);
        }
        let (raw, after) = match text.find(self.separator.as_str()) {
            Some(at) => (&text[..at], Some(&text[at + self.separator.len()..])),
            None => (text, None),
        };
        let raw = if self.trim_start { raw.trim_start() } else { raw };
        let raw = if self.trim_end { raw.trim_end() } else { raw };
        (Some(raw.to_string()).filter(|v| !v.is_empty()), after)
    }

    /// After an opening quote; `None` if the closing one does not end the value, which then is not
    /// taken as quoted.
    fn quoted<'a>(&self, text: &'a str) -> Option<(String, Option<&'a str>)> {
        let mut value = String::new();
        let mut chars = text.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c == self.escape && chars.peek().is_some_and(|(_, n)| *n == self.quote || *n == self.escape) {
                value.extend(chars.next().map(|(_, c)| c));
            } else if c == self.quote {
                let after = &text[i + c.len_utf8()..];
                if after.is_empty() {
                    return Some((value, None));
                }
                return after.strip_prefix(self.separator.as_str()).map(|after| (value, Some(after)));
            } else {
                value.push(c);
            }
        }
        None
    }

    fn write(&self, value: Option<&str>, out: &mut String) {
        let Some(value) = value else {
            out.push_str(&self.null);
            return;
        };
        let value = if self.trim_start { value.trim_start_matches(|c| c <= ' ') } else { value };
        let value = if self.trim_end { value.trim_end_matches(|c| c <= ' ') } else { value };
        if value.is_empty() {
            out.push_str(&self.empty);
            return;
        }
        let special = |c: char| c == self.quote || matches!(c, '\n' | '\r');
        if !self.quote_all && !value.contains(special) && !value.contains(self.separator.as_str()) {
            out.push_str(value);
            return;
        }
        out.push(self.quote);
        for c in value.chars() {
            if c == self.quote {
                out.push(self.escape);
            }
            out.push(c);
        }
        out.push(self.quote);
    }
}

fn eval_from_csv(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: ReadSpec = forms::spec(args)?;
    let DataType::Struct(schema) = &spec.schema else {
        return datafusion::common::internal_err!("from_csv yields a struct");
    };
    let reader = Reader {
        dialect: Dialect::of(&spec.options),
        stamps: Stamps::new(&spec.options, args.time_zone()?, true)?,
        zone: args.time_zone()?,
        corrupt: schema.fields.iter().position(|f| f.name == spec.corrupt_record && f.data_type.is_string()),
        spec: &spec,
        schema,
    };
    forms::read_rows(args, &spec.schema, |text| reader.record(text))
}

struct Reader<'a> {
    dialect: Dialect,
    stamps: Stamps,
    zone: &'a str,
    corrupt: Option<usize>,
    spec: &'a ReadSpec,
    schema: &'a StructType,
}

impl Reader<'_> {
    fn record(&self, text: &str) -> Result<Datum> {
        let tokens = self.dialect.split(text);
        let mut bad = tokens.len() != self.schema.fields.len() - usize::from(self.corrupt.is_some());
        let mut tokens = tokens.into_iter();
        let mut parts = Vec::with_capacity(self.schema.fields.len());
        for (i, field) in self.schema.fields.iter().enumerate() {
            if self.corrupt == Some(i) {
                parts.push(Datum::Null);
                continue;
            }
            let token = tokens.next().flatten();
            parts.push(match token {
                None => Datum::Null,
                Some(token) => convert(&token, &field.data_type, &self.stamps, self.zone, &self.spec.options)
                    .unwrap_or_else(|| {
                        bad = true;
                        Datum::Null
                    }),
            });
        }
        if bad && self.spec.mode == ParseMode::FailFast {
            return fail(malformed_record(&scalars::show(&Datum::Row(parts))));
        }
        if let Some(i) = self.corrupt.filter(|_| bad) {
            parts[i] = Datum::Text(text.to_string());
        }
        Ok(Datum::Row(parts))
    }
}

/// A value by its text; `None` if it does not fit.
fn convert(text: &str, ty: &DataType, stamps: &Stamps, zone: &str, options: &OptionMap) -> Option<Datum> {
    match ty {
        t if t.is_string() => Some(Datum::Text(text.to_string())),
        DataType::Boolean => {
            let (yes, no) = (text.eq_ignore_ascii_case("true"), text.eq_ignore_ascii_case("false"));
            (yes || no).then_some(Datum::Bool(yes))
        }
        DataType::Float | DataType::Double => {
            let is = |name: &str, default: &str| options.get(name).unwrap_or(default) == text;
            let value = if is("nanValue", "NaN") {
                f64::NAN
            } else if is("positiveInf", "Inf") {
                f64::INFINITY
            } else if is("negativeInf", "-Inf") {
                f64::NEG_INFINITY
            } else {
                text.trim().parse().ok()?
            };
            Some(Datum::Float(if *ty == DataType::Float { f64::from(value as f32) } else { value }))
        }
        DataType::Binary => Some(Datum::Bytes(text.as_bytes().to_vec())),
        _ => scalars::parse_simple(text, ty, stamps).or_else(|| match ty {
            DataType::CalendarInterval
            | DataType::YearMonthInterval { .. }
            | DataType::DayTimeInterval { .. }
            | DataType::Time(_) => scalars::cast_text(text, ty, zone),
            _ => None,
        }),
    }
}

fn eval_to_csv(args: &KernelArgs) -> Result<ColumnarValue> {
    let spec: WriteSpec = forms::spec(args)?;
    let (dialect, stamps) =
        (Dialect::for_writing(&spec.options), Stamps::new(&spec.options, args.time_zone()?, false)?);
    stamps.check_writes(&spec.ty).map_err(crate::error::external)?;
    let array: ArrayRef = args.value(0)?.to_array(rows::row_count(args))?;
    let cells = Cells::new(&array, &spec.ty)?;
    let Cells::Row(parts, fields) = &cells else { return datafusion::common::internal_err!("to_csv takes a struct") };
    // What CSV has no form of its own for is written as casts write it.
    let context = Context::new(Mode::Try, args.time_zone()?)?;
    let mut as_text: Vec<Option<ArrayRef>> = Vec::with_capacity(fields.len());
    for (i, (field, _)) in fields.iter().enumerate() {
        let ty = &field.data_type;
        as_text.push(if ty.is_complex() || *ty == DataType::Variant || *ty == DataType::Binary {
            let style = format::Style { binary: spec.binary, ..format::Style::cast(&context) };
            Some(format::to_strings(parts.column(i), ty, &style)?)
        } else {
            None
        });
    }
    let mut value = String::new();
    rows::strings(args, |row, out| {
        if cells.is_null(row) {
            return Ok(false);
        }
        for (i, (_, cells)) in fields.iter().enumerate() {
            if i > 0 {
                out.push_str(&dialect.separator);
            }
            if cells.is_null(row) {
                dialect.write(None, out);
                continue;
            }
            value.clear();
            match &as_text[i] {
                Some(text) => value.push_str(text.as_string::<i32>().value(row)),
                None => write_simple(cells, row, &stamps, &mut value)?,
            }
            dialect.write(Some(&value), out);
        }
        Ok(true)
    })
}

/// A simple value as CSV and XML write it.
///
/// # Errors
/// For values that have no text.
pub fn write_simple(cells: &Cells, row: usize, stamps: &Stamps, out: &mut String) -> Result<()> {
    match cells {
        Cells::Bool(a) => out.push_str(if a.value(row) { "true" } else { "false" }),
        Cells::Int(a, _) => out.push_str(&a.value(row).to_string()),
        Cells::Float(a) => write_float(a.value(row), out),
        Cells::Double(a) => write_double(a.value(row), out),
        Cells::Decimal(a, _, scale) => write_decimal(a.value(row), *scale, out),
        Cells::Text(a) => out.push_str(a.value(row)),
        Cells::Bytes(a) => out.push_str(&String::from_utf8_lossy(a.value(row))),
        Cells::Date(a) => stamps.write_date(a.value(row), out),
        Cells::Timestamp(a) => stamps.write_timestamp(a.value(row), out),
        Cells::TimestampNtz(a) => stamps.write_timestamp_ntz(a.value(row), out),
        Cells::TimestampNanos(a, ltz) => stamps.write_nanos(a.value(row), *ltz, out),
        Cells::Null => {}
        other => out.push_str(&scalars::text(other, row)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let dialect = Dialect::of(&OptionMap::default());
        for (text, expected) in [
            ("1,abc", "1|abc"),
            ("\"a,b\",2", "a,b|2"),
            ("\"a\"\"b\",1", "\"a\"\"b\"|1"),
            ("\"a\\\"b\",1", "a\"b|1"),
            (",", "∅|∅"),
            ("", "∅"),
            (" 1 , x ", " 1 | x "),
        ] {
            let got: Vec<String> = dialect.split(text).into_iter().map(|v| v.unwrap_or("∅".into())).collect();
            assert_eq!(got.join("|"), expected, "{text}");
        }
    }

    #[test]
    fn infers() {
        let stamps = Stamps::new(&OptionMap::default(), "UTC", true).unwrap();
        let inference = Inference { stamps, dates: true, ntz: false };
        let types: Vec<String> = "1,abc,1.5,true,2020-01-01,2020-01-01 10:00:00,12345678901"
            .split(',')
            .map(|t| inference.of(Some(t)).sql())
            .collect();
        assert_eq!(types.join(" "), "INT STRING DOUBLE BOOLEAN DATE TIMESTAMP BIGINT");
    }

    #[test]
    fn infers_by_patterns() {
        for (key, pattern, text, expect) in [
            ("dateFormat", "dd/MM/yyyy", "01/02/2020", "DATE"),
            ("dateFormat", "dd/MM/yyyy", "2020-02-01", "TIMESTAMP"),
            ("timestampFormat", "dd/MM/yyyy HH:mm", "01/02/2020 10:11", "TIMESTAMP"),
            ("timestampFormat", "dd/MM/yyyy HH:mm", "2020-02-01 10:11", "STRING"),
        ] {
            let options = serde_json::json!([{ (key.to_lowercase()): pattern }, "Corrected"]);
            let options: OptionMap = serde_json::from_value(options).unwrap();
            let stamps = Stamps::new(&options, "UTC", true).unwrap();
            let inference = Inference { stamps, dates: true, ntz: false };
            assert_eq!(inference.of(Some(text)).sql(), expect, "{text} by {pattern}");
        }
    }
}
