//! Data types and schemas as text.

use spark::types::{Metadata, StructField, StructType};
use spark::{DataType, Error, Result};

use crate::error;
use crate::interval;
use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

const MAX_PRECISION: i64 = 38;

impl Parser<'_> {
    /// A data type.
    pub fn data_type(&mut self) -> Result<DataType> {
        let data_type = self.nested(Self::data_type_inner);
        self.deferring(data_type, DataType::Null)
    }

    fn data_type_inner(&mut self) -> Result<DataType> {
        let mark = self.mark();
        if !self.name_at(0) {
            return Err(self.syntax_error());
        }
        match self.keyword_at(0) {
            Some(keyword @ (Kw::ARRAY | Kw::MAP | Kw::STRUCT)) if self.sym_at(1, "<") || self.sym_at(1, "<>") => {
                let nested = match keyword {
                    Kw::ARRAY => self.array_type(),
                    Kw::MAP => self.map_type(),
                    _ => self.struct_type(),
                };
                // Any word may be a type, after which this bracket is too much.
                self.or_stumble(nested, mark + 1)
            }
            Some(Kw::INTERVAL) => self.interval_type(mark),
            Some(Kw::TIMESTAMP) => {
                self.advance();
                self.timestamp_zone(mark)
            }
            _ => self.primitive(mark),
        }
    }

    fn array_type(&mut self) -> Result<DataType> {
        self.advance();
        self.expect_sym("<")?;
        let element = self.data_type()?;
        self.expect_sym(">")?;
        Ok(DataType::array(element, true))
    }

    fn map_type(&mut self) -> Result<DataType> {
        self.advance();
        self.expect_sym("<")?;
        let key = self.data_type()?;
        self.expect_sym(",")?;
        let value = self.data_type()?;
        self.expect_sym(">")?;
        Ok(DataType::map(key, value, true))
    }

    fn struct_type(&mut self) -> Result<DataType> {
        self.advance();
        if self.eat_sym("<>") {
            return Ok(DataType::Struct(StructType::default()));
        }
        self.expect_sym("<")?;
        let fields = if self.at_sym(">") { Vec::new() } else { self.comma_list(Self::struct_field)? };
        self.expect_sym(">")?;
        Ok(DataType::Struct(StructType::new(fields)))
    }

    /// `name[:] type [NOT NULL] [COMMENT text]`.
    fn struct_field(&mut self) -> Result<StructField> {
        let name = self.identifier()?;
        self.eat_sym(":");
        self.field_rest(name)
    }

    fn field_rest(&mut self, name: String) -> Result<StructField> {
        let data_type = self.data_type()?;
        let mut field = StructField::new(name, data_type, true);
        if self.eat_kws(&[Kw::NOT, Kw::NULL]) {
            field.nullable = false;
        }
        if self.eat_kw(Kw::COMMENT) {
            let comment = self.string()?;
            field.metadata = Metadata::default().with("comment", comment.into());
        }
        Ok(field)
    }

    /// `a INT, b STRING NOT NULL COMMENT 'x'`.
    pub fn table_schema(&mut self) -> Result<StructType> {
        let fields = self.comma_list(|p| {
            let name = p.identifier()?;
            p.eat_sym(":");
            p.field_rest(name)
        })?;
        Ok(StructType::new(fields))
    }

    fn interval_type(&mut self, mark: usize) -> Result<DataType> {
        self.advance();
        let unit = |p: &Self| match p.peek() {
            Tok::Word(Some(Kw::YEAR | Kw::MONTH | Kw::DAY | Kw::HOUR | Kw::MINUTE | Kw::SECOND)) => {
                Some(p.next_text().to_lowercase())
            }
            _ => None,
        };
        let Some(start) = unit(self) else { return Ok(DataType::CalendarInterval) };
        self.advance();
        let wider = self.at_kw(Kw::TO).then(|| self.token(1)).map(|token| self.text_of(token).to_lowercase());
        let wider = wider.filter(|end| *end != start).and_then(|end| interval::interval_type(&start, &end));
        if let Some(wider) = wider {
            self.advance();
            self.advance();
            return Ok(wider);
        }
        interval::interval_type(&start, &start).ok_or_else(|| self.unsupported_type(mark))
    }

    /// After `TIMESTAMP`: which of the two it is, and with how many digits.
    fn timestamp_zone(&mut self, mark: usize) -> Result<DataType> {
        let args = self.type_arguments()?;
        let ltz = if self.eat_kws(&[Kw::WITH, Kw::LOCAL, Kw::TIME, Kw::ZONE]) {
            true
        } else if self.eat_kws(&[Kw::WITHOUT, Kw::TIME, Kw::ZONE]) {
            false
        } else {
            !self.options.timestamp_ntz
        };
        match args.as_slice() {
            [] => self.timestamp_type(ltz, 6),
            [TypeArg::Number(precision)] => self.timestamp_type(ltz, *precision),
            _ => Err(self.unsupported_type(mark)),
        }
    }

    /// A timestamp with `precision` digits after the second.
    fn timestamp_type(&self, ltz: bool, precision: i64) -> Result<DataType> {
        match (precision, ltz) {
            (6, true) => Ok(DataType::Timestamp),
            (6, false) => Ok(DataType::TimestampNtz),
            (7..=9, _) if self.options.timestamp_nanos => {
                Ok(DataType::TimestampNanos { ltz, precision: precision as u8 })
            }
            (7..=9, _) => Err(error::timestamp_nanos_disabled()),
            _ => Err(error::timestamp_precision(if ltz { "TIMESTAMP_LTZ" } else { "TIMESTAMP_NTZ" }, precision)),
        }
    }

    fn primitive(&mut self, mark: usize) -> Result<DataType> {
        let token = self.advance();
        let name = self.name_text(token).to_lowercase();
        let args = self.type_arguments();
        let args = self.or_stumble(args, mark + 1)?;
        let simple = |t: DataType| Some(t);
        let found = match (name.as_str(), args.as_slice()) {
            ("boolean", []) => simple(DataType::Boolean),
            ("tinyint" | "byte", []) => simple(DataType::Byte),
            ("smallint" | "short", []) => simple(DataType::Short),
            ("int" | "integer", []) => simple(DataType::Integer),
            ("bigint" | "long", []) => simple(DataType::Long),
            ("float" | "real", []) => simple(DataType::Float),
            ("double", []) => simple(DataType::Double),
            ("date", []) => simple(DataType::Date),
            ("timestamp_ntz", []) => simple(DataType::TimestampNtz),
            ("timestamp_ltz", []) => simple(DataType::Timestamp),
            ("timestamp_ntz", [TypeArg::Number(p)]) => return self.timestamp_type(false, *p),
            ("timestamp_ltz", [TypeArg::Number(p)]) => return self.timestamp_type(true, *p),
            ("binary", []) => simple(DataType::Binary),
            ("void", []) => simple(DataType::Null),
            ("variant", []) => simple(DataType::Variant),
            ("string", []) => return self.collated_string(),
            ("time", _) => return self.time_type(mark, &args),
            ("char" | "character", [TypeArg::Number(n)]) => length(*n).map(DataType::Char),
            ("varchar", [TypeArg::Number(n)]) => length(*n).map(DataType::Varchar),
            ("decimal" | "dec" | "numeric", []) => simple(DataType::decimal(10, 0)),
            ("decimal" | "dec" | "numeric", [TypeArg::Number(p)]) => return decimal_type(*p, 0),
            ("decimal" | "dec" | "numeric", [TypeArg::Number(p), TypeArg::Number(s)]) => return decimal_type(*p, *s),
            ("geometry", [TypeArg::Number(n)]) if !matches!(n, 0 | 3857 | 4326) => {
                return Err(self
                    .error(mark, "ST_INVALID_SRID_VALUE")
                    .param("srid", n.to_string())
                    .with_message(format!("{n} is not a reference system of geometries")));
            }
            ("geometry", [arg]) => arg.srid().map(DataType::Geometry),
            ("geography", [arg]) => arg.srid().map(DataType::Geography),
            ("char" | "character" | "varchar", []) => {
                let shown = self.source_since(mark).to_uppercase();
                return Err(self
                    .error(mark, "DATATYPE_MISSING_SIZE")
                    .param("type", format!("\"{shown}\""))
                    .with_message(format!("{shown} needs a length, as in {shown}(10)")));
            }
            ("array" | "map" | "struct", []) => return Err(self.incomplete_type(mark, &name)),
            _ => None,
        };
        found.ok_or_else(|| self.unsupported_type(mark))
    }

    fn unsupported_type(&self, mark: usize) -> Error {
        let shown: String = self.source_since(mark).to_uppercase().split_whitespace().collect();
        self.error(mark, "UNSUPPORTED_DATATYPE")
            .param("typeName", format!("\"{shown}\""))
            .with_message(format!("There is no data type {shown}"))
    }

    fn incomplete_type(&self, mark: usize, name: &str) -> Error {
        let (sub, example) = match name {
            "array" => ("ARRAY", "ARRAY<INT>"),
            "map" => ("MAP", "MAP<STRING, INT>"),
            _ => ("STRUCT", "STRUCT<name: STRING>"),
        };
        let error = self.error(mark, &format!("INCOMPLETE_TYPE_DEFINITION.{sub}"));
        let error = if sub == "ARRAY" { error.param("elementType", "<INT>") } else { error };
        error.with_message(format!("{sub} needs the types inside, as in {example}"))
    }

    fn type_arguments(&mut self) -> Result<Vec<TypeArg>> {
        if !self.at_sym("(") {
            return Ok(Vec::new());
        }
        self.paren_list(|p| {
            if p.eat_kw(Kw::ANY) {
                return Ok(TypeArg::Any);
            }
            p.integer().map(TypeArg::Number)
        })
    }

    fn time_type(&self, mark: usize, args: &[TypeArg]) -> Result<DataType> {
        match args {
            [] => Ok(DataType::Time(6)),
            [TypeArg::Number(p @ 0..=9)] => Ok(DataType::Time(*p as u8)),
            [TypeArg::Number(p)] => Err(self
                .error(mark, "UNSUPPORTED_TIME_PRECISION")
                .param("precision", p.to_string())
                .with_message(format!("TIME has 0 to 9 digits after the second, not {p}"))
                .nowhere()),
            _ => Err(self.unsupported_type(mark)),
        }
    }

    /// After `STRING`.
    fn collated_string(&mut self) -> Result<DataType> {
        if !self.at_kw(Kw::COLLATE) {
            return Ok(DataType::STRING);
        }
        self.advance();
        let name = self.object_name()?.pop().unwrap_or_default().to_uppercase();
        Ok(DataType::String { collation: (name != "UTF8_BINARY").then(|| name.into()) })
    }
}

/// The length of a `CHAR` or `VARCHAR`, which Spark counts in 31 bits.
fn length(n: i64) -> Option<u32> {
    u32::try_from(n).ok().filter(|n| i32::try_from(*n).is_ok())
}

/// `DECIMAL(precision, scale)` within Spark's bounds.
fn decimal_type(precision: i64, scale: i64) -> Result<DataType> {
    if precision > MAX_PRECISION {
        return Err(Error::new(spark::ErrorKind::Arithmetic, "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")
            .param("precision", precision.to_string())
            .param("maxPrecision", MAX_PRECISION.to_string())
            .with_message(format!("A decimal has at most {MAX_PRECISION} digits, not {precision}")));
    }
    if scale > precision {
        return Err(Error::analysis("DECIMAL_SCALE_EXCEEDS_PRECISION")
            .param("scale", scale.to_string())
            .param("precision", precision.to_string())
            .with_message(format!("The scale {scale} of a decimal is above its precision {precision}")));
    }
    Ok(DataType::decimal(precision as u8, scale as i8))
}

enum TypeArg {
    Number(i64),
    Any,
}

impl TypeArg {
    fn srid(&self) -> Option<Option<i32>> {
        match self {
            TypeArg::Any => Some(None),
            TypeArg::Number(n) => i32::try_from(*n).ok().map(Some),
        }
    }
}

/// A schema as DDL, as a struct type or as JSON.
pub fn parse_schema(text: &str, options: &crate::ParseOptions) -> Result<StructType> {
    if text.trim().is_empty() {
        return Ok(StructType::default());
    }
    let failure = match crate::whole(text, options, Parser::table_schema) {
        Ok(schema) => return Ok(schema),
        Err(failure) => failure,
    };
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(DataType::Struct(schema)) = json_type(&json)
    {
        return Ok(schema);
    }
    match crate::whole(text, options, Parser::data_type) {
        Ok(DataType::Struct(schema)) => Ok(schema),
        _ => Err(failure),
    }
}

/// A data type in Spark's JSON form.
pub fn json_type(json: &serde_json::Value) -> Option<DataType> {
    use serde_json::Value;
    match json {
        Value::String(name) => named_type(name),
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str);
            let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(true);
            match text("type")? {
                "array" => Some(DataType::array(json_type(map.get("elementType")?)?, flag("containsNull"))),
                "map" => Some(DataType::map(
                    json_type(map.get("keyType")?)?,
                    json_type(map.get("valueType")?)?,
                    flag("valueContainsNull"),
                )),
                "struct" => {
                    let fields = map.get("fields")?.as_array()?;
                    fields.iter().map(json_field).collect::<Option<Vec<_>>>().map(StructType::new).map(DataType::Struct)
                }
                "udt" => Some(DataType::Udt {
                    json: json.to_string().into(),
                    sql_type: std::sync::Arc::new(json_type(map.get("sqlType")?)?),
                }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn json_field(json: &serde_json::Value) -> Option<StructField> {
    let map = json.as_object()?;
    let name = map.get("name")?.as_str()?.to_string();
    let metadata = map.get("metadata").map(Metadata::from_json).unwrap_or_default();
    let mut data_type = json_type(map.get("type")?)?;
    if let Some(serde_json::Value::Object(collations)) = metadata.get("__COLLATIONS") {
        data_type = with_collations(data_type, &name, collations);
    }
    let nullable = map.get("nullable").and_then(serde_json::Value::as_bool).unwrap_or(true);
    Some(StructField { name, data_type, nullable, metadata: metadata.without("__COLLATIONS") })
}

/// Puts the collations that the metadata lists by path back on the strings.
fn with_collations(
    data_type: DataType,
    path: &str,
    collations: &serde_json::Map<String, serde_json::Value>,
) -> DataType {
    match data_type {
        DataType::String { .. } => {
            let name = collations.get(path).and_then(|v| v.as_str());
            let name = name.and_then(|n| n.split_once('.')).map(|(_, name)| name.into());
            DataType::String { collation: name }
        }
        DataType::Array { element, contains_null } => {
            DataType::array(with_collations((*element).clone(), &format!("{path}.element"), collations), contains_null)
        }
        DataType::Map { key, value, value_contains_null } => DataType::map(
            with_collations((*key).clone(), &format!("{path}.key"), collations),
            with_collations((*value).clone(), &format!("{path}.value"), collations),
            value_contains_null,
        ),
        other => other,
    }
}

/// `geometry(SRID:0)`, `geography(OGC:CRS84, SPHERICAL)` and the like.
fn spatial_type(name: &str) -> Option<DataType> {
    let (kind, reference) = name.strip_suffix(')')?.split_once('(')?;
    let reference = reference.split(',').next()?.trim();
    let srid = match reference.to_ascii_uppercase().as_str() {
        "ANY" => None,
        "OGC:CRS84" => Some(4326),
        other => Some(other.rsplit(':').next()?.parse().ok()?),
    };
    match kind {
        "geometry" => Some(DataType::Geometry(srid)),
        "geography" => Some(DataType::Geography(srid)),
        _ => None,
    }
}

/// A type by the name that Spark's JSON uses.
fn named_type(name: &str) -> Option<DataType> {
    if let Some(spatial) = spatial_type(name) {
        return Some(spatial);
    }
    let simple = match name {
        "null" => "void",
        "interval" => return Some(DataType::CalendarInterval),
        "timestamp" => return Some(DataType::Timestamp),
        other => other,
    };
    let options = crate::ParseOptions::default();
    let mut parser = Parser::new(simple, &options).ok()?;
    let data_type = parser.data_type().ok()?;
    parser.expect_end().ok().map(|()| data_type)
}
