//! Data types.

use std::sync::Arc;

use proto::spark_connect as pb;
use proto::spark_connect::data_type::Kind;
use serde_json::{Value as Json, json};
use spark::{DataType, ErrorKind, Metadata, Result, StructField, StructType};

use super::errors::invalid;
use super::{Reader, level};

const MAX_PRECISION: i32 = 38;

impl Reader {
    /// A type message; one of no kind is refused.
    pub fn data_type(&self, message: &pb::DataType) -> Result<DataType> {
        level(|| self.data_type_kind(message.kind.as_ref()))
    }

    /// A type that must be there.
    pub fn required_type(&self, message: Option<&pb::DataType>) -> Result<DataType> {
        message.map_or_else(|| Err(unsupported("KIND_NOT_SET")), |m| self.data_type(m))
    }

    /// A struct type.
    pub fn struct_type(&self, message: &pb::DataType) -> Result<StructType> {
        match self.data_type(message)? {
            DataType::Struct(schema) => Ok(schema),
            other => Err(invalid("INVALID_SCHEMA_NON_STRUCT_TYPE", "A schema must be a struct type.")
                .param("inputSchema", other.simple_string())
                .param("dataType", other.sql())),
        }
    }

    fn data_type_kind(&self, kind: Option<&Kind>) -> Result<DataType> {
        Ok(match kind {
            None => return Err(unsupported("KIND_NOT_SET")),
            Some(Kind::Null(_)) => DataType::Null,
            Some(Kind::Boolean(_)) => DataType::Boolean,
            Some(Kind::Byte(_)) => DataType::Byte,
            Some(Kind::Short(_)) => DataType::Short,
            Some(Kind::Integer(_)) => DataType::Integer,
            Some(Kind::Long(_)) => DataType::Long,
            Some(Kind::Float(_)) => DataType::Float,
            Some(Kind::Double(_)) => DataType::Double,
            Some(Kind::Decimal(d)) => decimal(d)?,
            Some(Kind::String(s)) => string(s),
            Some(Kind::Char(c)) => DataType::Char(length(c.length)?),
            Some(Kind::VarChar(c)) => DataType::Varchar(length(c.length)?),
            Some(Kind::Binary(_)) => DataType::Binary,
            Some(Kind::Date(_)) => DataType::Date,
            Some(Kind::Timestamp(_)) => DataType::Timestamp,
            Some(Kind::TimestampNtz(_)) => DataType::TimestampNtz,
            Some(Kind::Time(t)) => time(t)?,
            Some(Kind::CalendarInterval(_)) => DataType::CalendarInterval,
            Some(Kind::YearMonthInterval(i)) => {
                let (start, end) = fields(i.start_field, i.end_field, 1)?;
                DataType::YearMonthInterval { start, end }
            }
            Some(Kind::DayTimeInterval(i)) => {
                let (start, end) = fields(i.start_field, i.end_field, 3)?;
                DataType::DayTimeInterval { start, end }
            }
            Some(Kind::Array(a)) => DataType::array(self.required_type(a.element_type.as_deref())?, a.contains_null),
            Some(Kind::Map(m)) => DataType::map(
                self.required_type(m.key_type.as_deref())?,
                self.required_type(m.value_type.as_deref())?,
                m.value_contains_null,
            ),
            Some(Kind::Struct(s)) => {
                DataType::Struct(StructType::new(s.fields.iter().map(|f| self.field(f)).collect::<Result<_>>()?))
            }
            Some(Kind::Variant(_)) => DataType::Variant,
            Some(Kind::Geometry(g)) => DataType::Geometry(srid(g.srid)),
            Some(Kind::Geography(g)) => DataType::Geography(srid(g.srid)),
            Some(Kind::Udt(udt)) => self.udt(udt)?,
            Some(Kind::Unparsed(text)) => self.text.data_type(&text.data_type_string)?,
            Some(Kind::TimestampNtzNanos(t)) => self.text.timestamp_nanos(false, t.precision)?,
            Some(Kind::TimestampLtzNanos(t)) => self.text.timestamp_nanos(true, t.precision)?,
        })
    }

    fn field(&self, field: &pb::data_type::StructField) -> Result<StructField> {
        let metadata = match field.metadata.as_deref() {
            None | Some("") => Metadata::default(),
            Some(text) => Metadata::from_json(&serde_json::from_str(text).map_err(|e| {
                invalid("ASSERTION_FAILURE", format!("The metadata of the field {} is not JSON: {e}.", field.name))
                    .param("message", e.to_string())
            })?),
        };
        Ok(StructField {
            name: field.name.clone(),
            data_type: self.required_type(field.data_type.as_ref())?,
            nullable: field.nullable,
            metadata,
        })
    }

    fn udt(&self, udt: &pb::data_type::Udt) -> Result<DataType> {
        let Some(sql_type) = udt.sql_type.as_deref() else {
            return Err(invalid(
                "PYTHON_UDT_MISSING_FIELDS",
                "A user-defined type must name the type it is stored as.",
            ));
        };
        let sql_type = self.data_type(sql_type)?;
        let mut described = json!({"type": "udt"});
        if let Json::Object(map) = &mut described {
            for (key, value) in [
                ("class", &udt.jvm_class),
                ("pyClass", &udt.python_class),
                ("serializedClass", &udt.serialized_python_class),
            ] {
                if let Some(value) = value {
                    map.insert(key.into(), Json::String(value.clone()));
                }
            }
            map.insert("sqlType".into(), sql_type.to_json());
        }
        Ok(DataType::Udt { json: described.to_string().into(), sql_type: Arc::new(sql_type) })
    }
}

fn unsupported(kind: &str) -> spark::Error {
    invalid("DATA_TYPE_UNSUPPORTED_PROTO_TO_CATALYST", format!("There is no type for {kind}.")).param("kindCase", kind)
}

fn decimal(message: &pb::data_type::Decimal) -> Result<DataType> {
    let precision = message.precision.unwrap_or(10);
    let scale = message.scale.unwrap_or(0);
    if scale < 0 {
        return Err(spark::Error::analysis("NEGATIVE_SCALE_DISALLOWED")
            .param("scale", scale.to_string())
            .param("sqlConf", "\"spark.sql.legacy.allowNegativeScaleOfDecimal\"")
            .with_message(format!("The scale of a decimal cannot be negative, as {scale} is.")));
    }
    if scale > precision {
        return Err(spark::Error::analysis("DECIMAL_SCALE_EXCEEDS_PRECISION")
            .param("scale", scale.to_string())
            .param("precision", precision.to_string())
            .with_message(format!("The scale {scale} of a decimal is above its precision {precision}.")));
    }
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(digits), Ok(scale)) if precision <= MAX_PRECISION => Ok(DataType::decimal(digits, scale)),
        _ => Err(spark::Error::new(ErrorKind::Arithmetic, "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")
            .param("precision", precision.to_string())
            .param("maxPrecision", MAX_PRECISION.to_string())
            .with_message(format!("A decimal has at most {MAX_PRECISION} digits, not {precision}."))),
    }
}

fn string(message: &pb::data_type::String) -> DataType {
    let collation = Some(message.collation.as_str()).filter(|c| !c.is_empty() && *c != "UTF8_BINARY");
    DataType::String { collation: collation.map(Arc::from) }
}

fn length(length: i32) -> Result<u32> {
    u32::try_from(length)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| invalid("ASSERTION_FAILURE", "A length must be positive.").param("message", "length"))
}

fn time(message: &pb::data_type::Time) -> Result<DataType> {
    let precision = message.precision.unwrap_or(6);
    u8::try_from(precision).ok().filter(|p| *p <= 9).map(DataType::Time).ok_or_else(|| {
        spark::Error::analysis("UNSUPPORTED_TIME_PRECISION")
            .param("precision", precision.to_string())
            .with_message(format!("A time has 0 to 9 fractional digits, not {precision}."))
    })
}

fn fields(start: Option<i32>, end: Option<i32>, last: u8) -> Result<(u8, u8)> {
    let (start, end) = match (start, end) {
        (None, None) => (0, i32::from(last)),
        (Some(s), None) => (s, s),
        (None, Some(e)) => (0, e),
        (Some(s), Some(e)) => (s, e),
    };
    match (u8::try_from(start), u8::try_from(end)) {
        (Ok(s), Ok(e)) if s <= e && e <= last => Ok((s, e)),
        _ => Err(invalid("ASSERTION_FAILURE", format!("An interval cannot go from field {start} to field {end}."))
            .param("message", format!("interval fields {start}, {end}"))),
    }
}

fn srid(srid: i32) -> Option<i32> {
    (srid >= 0).then_some(srid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_within_bounds() {
        for (precision, scale, expect) in [
            (None, None, Ok(DataType::decimal(10, 0))),
            (Some(38), Some(38), Ok(DataType::decimal(38, 38))),
            (Some(0), Some(0), Ok(DataType::decimal(0, 0))),
            (Some(39), Some(2), Err("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")),
            (Some(300), Some(300), Err("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION")),
            (Some(5), Some(6), Err("DECIMAL_SCALE_EXCEEDS_PRECISION")),
            (Some(-1), Some(0), Err("DECIMAL_SCALE_EXCEEDS_PRECISION")),
            (Some(5), Some(-300), Err("NEGATIVE_SCALE_DISALLOWED")),
        ] {
            let message = pb::data_type::Decimal { precision, scale, type_variation_reference: 0 };
            let found = decimal(&message);
            assert_eq!(found.as_ref().map_err(|e| e.condition()), expect.as_ref().map_err(|e| *e), "{message:?}");
        }
    }
}
