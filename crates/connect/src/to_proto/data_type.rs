//! Types of schema answers and literals.

use proto::spark_connect as pb;
use proto::spark_connect::data_type::Kind;
use serde_json::Value as Json;
use spark::{DataType, StructField, StructType};

/// The message of a type.
pub fn data_type(t: &DataType) -> pb::DataType {
    use proto::spark_connect::data_type as m;
    let kind = match t {
        DataType::Null => Kind::Null(m::Null::default()),
        DataType::Boolean => Kind::Boolean(m::Boolean::default()),
        DataType::Byte => Kind::Byte(m::Byte::default()),
        DataType::Short => Kind::Short(m::Short::default()),
        DataType::Integer => Kind::Integer(m::Integer::default()),
        DataType::Long => Kind::Long(m::Long::default()),
        DataType::Float => Kind::Float(m::Float::default()),
        DataType::Double => Kind::Double(m::Double::default()),
        DataType::Decimal { precision, scale } => Kind::Decimal(m::Decimal {
            precision: Some(i32::from(*precision)),
            scale: Some(i32::from(*scale)),
            ..Default::default()
        }),
        DataType::String { collation } => Kind::String(m::String {
            collation: collation.as_deref().unwrap_or_default().to_string(),
            ..Default::default()
        }),
        DataType::Char(n) => Kind::Char(m::Char { length: length(*n), ..Default::default() }),
        DataType::Varchar(n) => Kind::VarChar(m::VarChar { length: length(*n), ..Default::default() }),
        DataType::Binary => Kind::Binary(m::Binary::default()),
        DataType::Date => Kind::Date(m::Date::default()),
        DataType::Timestamp => Kind::Timestamp(m::Timestamp::default()),
        DataType::TimestampNtz => Kind::TimestampNtz(m::TimestampNtz::default()),
        DataType::TimestampNanos { ltz: true, precision } => Kind::TimestampLtzNanos(m::TimestampLtzNanos {
            precision: Some(i32::from(*precision)),
            ..Default::default()
        }),
        DataType::TimestampNanos { ltz: false, precision } => Kind::TimestampNtzNanos(m::TimestampNtzNanos {
            precision: Some(i32::from(*precision)),
            ..Default::default()
        }),
        DataType::Time(p) => Kind::Time(m::Time { precision: Some(i32::from(*p)), ..Default::default() }),
        DataType::CalendarInterval => Kind::CalendarInterval(m::CalendarInterval::default()),
        DataType::YearMonthInterval { start, end } => Kind::YearMonthInterval(m::YearMonthInterval {
            start_field: Some(i32::from(*start)),
            end_field: Some(i32::from(*end)),
            ..Default::default()
        }),
        DataType::DayTimeInterval { start, end } => Kind::DayTimeInterval(m::DayTimeInterval {
            start_field: Some(i32::from(*start)),
            end_field: Some(i32::from(*end)),
            ..Default::default()
        }),
        DataType::Array { element, contains_null } => Kind::Array(Box::new(m::Array {
            element_type: Some(Box::new(data_type(element))),
            contains_null: *contains_null,
            ..Default::default()
        })),
        DataType::Map { key, value, value_contains_null } => Kind::Map(Box::new(m::Map {
            key_type: Some(Box::new(data_type(key))),
            value_type: Some(Box::new(data_type(value))),
            value_contains_null: *value_contains_null,
            ..Default::default()
        })),
        DataType::Struct(s) => {
            Kind::Struct(m::Struct { fields: s.fields.iter().map(field).collect(), ..Default::default() })
        }
        DataType::Variant => Kind::Variant(m::Variant::default()),
        DataType::Geometry(srid) => Kind::Geometry(m::Geometry { srid: srid.unwrap_or(-1), ..Default::default() }),
        DataType::Geography(srid) => Kind::Geography(m::Geography { srid: srid.unwrap_or(-1), ..Default::default() }),
        DataType::Udt { json, sql_type } => Kind::Udt(Box::new(udt(json, sql_type))),
    };
    pb::DataType { kind: Some(kind) }
}

/// The message of a schema.
pub fn schema(schema: &StructType) -> pb::DataType {
    let fields = schema.fields.iter().map(field).collect();
    pb::DataType { kind: Some(Kind::Struct(pb::data_type::Struct { fields, ..Default::default() })) }
}

fn field(f: &StructField) -> pb::data_type::StructField {
    pb::data_type::StructField {
        name: f.name.clone(),
        data_type: Some(data_type(&f.data_type)),
        nullable: f.nullable,
        metadata: (!f.metadata.is_empty()).then(|| f.metadata.to_json().to_string()),
    }
}

fn udt(json: &str, sql_type: &DataType) -> pb::data_type::Udt {
    let described: Json = serde_json::from_str(json).unwrap_or(Json::Null);
    let text = |key: &str| described.get(key).and_then(Json::as_str).map(str::to_string);
    pb::data_type::Udt {
        r#type: "udt".into(),
        jvm_class: text("class"),
        python_class: text("pyClass"),
        serialized_python_class: text("serializedClass"),
        sql_type: Some(Box::new(data_type(sql_type))),
    }
}

fn length(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_proto::Reader;

    #[test]
    fn types_survive_both_ways() -> spark::Result<()> {
        let row = DataType::Struct(StructType::new(vec![
            StructField::new("a", DataType::Integer, false),
            StructField { metadata: spark::Metadata::auto_alias(), ..StructField::new("b c", DataType::STRING, true) },
        ]));
        let collated = DataType::String { collation: Some("UNICODE_CI".into()) };
        for t in [
            DataType::Null,
            DataType::decimal(10, 2),
            DataType::Char(3),
            DataType::Varchar(7),
            DataType::Time(6),
            DataType::CalendarInterval,
            DataType::YearMonthInterval { start: 0, end: 1 },
            DataType::DayTimeInterval { start: 1, end: 3 },
            DataType::array(DataType::map(DataType::STRING, row, true), false),
            DataType::Variant,
            DataType::Geometry(None),
            DataType::Geography(Some(4326)),
            collated,
        ] {
            assert_eq!(Reader::default().data_type(&data_type(&t))?, t);
        }
        Ok(())
    }
}
