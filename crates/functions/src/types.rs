//! Spark type ↔ Arrow type, in the three places where they meet.
//!
//! - *inside plans* ([`to_arrow`]): one canonical Arrow type for each Spark type, everything nullable,
//!   so that two expressions of one Spark type always have the same Arrow type. Timestamps are
//!   microseconds UTC, those with more digits counts of nanoseconds ([`crate::nanos`]); calendar intervals a struct of months, days and microseconds (Arrow's own holds
//!   too small a range); variants a struct of their two buffers.
//! - *on the wire* ([`to_wire_field`]): what Spark Connect clients expect, with the analyzer's
//!   nullability and the session's time zone.
//! - *from files* ([`from_arrow`]): what a file's or a client's Arrow schema means in Spark.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType as Arrow, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit};
use spark::types::{DataType, Metadata, StructField, StructType};
use spark::{Error, Result};

/// The zone of every instant inside a plan.
pub const UTC: &str = "UTC";

/// Where a wire field says how many digits its timestamps of nanoseconds have.
const NANOS_PRECISION: &str = "SPARK::timestampNanos::precision";

/// The canonical Arrow type inside plans.
pub fn to_arrow(data_type: &DataType) -> Arrow {
    match data_type {
        DataType::Null => Arrow::Null,
        DataType::Boolean => Arrow::Boolean,
        DataType::Byte => Arrow::Int8,
        DataType::Short => Arrow::Int16,
        DataType::Integer => Arrow::Int32,
        DataType::Long => Arrow::Int64,
        DataType::Float => Arrow::Float32,
        DataType::Double => Arrow::Float64,
        DataType::Decimal { precision, scale } => Arrow::Decimal128(*precision, *scale),
        DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => Arrow::Utf8,
        DataType::Binary => Arrow::Binary,
        DataType::Date => Arrow::Date32,
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        DataType::TimestampNtz => Arrow::Timestamp(TimeUnit::Microsecond, None),
        DataType::TimestampNanos { ltz, precision } => crate::nanos::storage(*ltz, *precision),
        DataType::Time(_) => Arrow::Time64(TimeUnit::Nanosecond),
        DataType::CalendarInterval => Arrow::Struct(calendar_interval_fields()),
        DataType::YearMonthInterval { .. } => Arrow::Interval(IntervalUnit::YearMonth),
        DataType::DayTimeInterval { .. } => Arrow::Duration(TimeUnit::Microsecond),
        DataType::Array { element, .. } => Arrow::List(list_field(to_arrow(element))),
        DataType::Map { key, value, .. } => map_type(to_arrow(key), to_arrow(value)),
        DataType::Struct(s) => {
            Arrow::Struct(s.fields.iter().map(|f| Field::new(&f.name, to_arrow(&f.data_type), true)).collect())
        }
        DataType::Variant => Arrow::Struct(variant_fields()),
        DataType::Geometry(_) | DataType::Geography(_) => {
            Arrow::Struct(vec![Field::new("srid", Arrow::Int32, true), Field::new("wkb", Arrow::Binary, true)].into())
        }
        DataType::Udt { sql_type, .. } => to_arrow(sql_type),
    }
}

/// The element field of every list inside plans.
pub fn list_field(element: Arrow) -> FieldRef {
    Arc::new(Field::new_list_field(element, true))
}

/// The map type of every map inside plans.
pub fn map_type(key: Arrow, value: Arrow) -> Arrow {
    Arrow::Map(map_entries_field(key, value), false)
}

/// The entries field of every map inside plans.
pub fn map_entries_field(key: Arrow, value: Arrow) -> FieldRef {
    let fields: Fields = vec![Field::new("key", key, false), Field::new("value", value, true)].into();
    Arc::new(Field::new("entries", Arrow::Struct(fields), false))
}

/// Fields of a calendar interval: `months` and `days` (i32), `microseconds` (i64).
pub fn calendar_interval_fields() -> Fields {
    vec![
        Field::new("months", Arrow::Int32, true),
        Field::new("days", Arrow::Int32, true),
        Field::new("microseconds", Arrow::Int64, true),
    ]
    .into()
}

/// Fields of a variant: `value` and `metadata`, both binary.
pub fn variant_fields() -> Fields {
    vec![Field::new("value", Arrow::Binary, true), Field::new("metadata", Arrow::Binary, true)].into()
}

/// The Arrow schema that clients see: `struct<…>` with Spark's nullability; instants carry `time_zone`.
pub fn to_wire_schema(schema: &StructType, time_zone: &str) -> Schema {
    Schema::new(
        schema.fields.iter().map(|f| to_wire_field(&f.name, &f.data_type, f.nullable, time_zone)).collect::<Vec<_>>(),
    )
}

/// One field as clients see it.
pub fn to_wire_field(name: &str, data_type: &DataType, nullable: bool, time_zone: &str) -> Field {
    let field = Field::new(name, to_wire_type(data_type, time_zone), nullable);
    match data_type {
        DataType::Time(p) => {
            field.with_metadata(HashMap::from([("SPARK::time::precision".to_string(), p.to_string())]))
        }
        DataType::TimestampNanos { precision, .. } => {
            field.with_metadata(HashMap::from([(NANOS_PRECISION.to_string(), precision.to_string())]))
        }
        _ => field,
    }
}

fn to_wire_type(data_type: &DataType, tz: &str) -> Arrow {
    match data_type {
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, Some(tz.into())),
        DataType::TimestampNanos { ltz, .. } => {
            Arrow::Timestamp(TimeUnit::Nanosecond, if *ltz { Some(tz.into()) } else { None })
        }
        DataType::CalendarInterval => Arrow::Interval(IntervalUnit::MonthDayNano),
        DataType::Array { element, contains_null } => {
            Arrow::List(Arc::new(to_wire_field("element", element, *contains_null, tz)))
        }
        DataType::Map { key, value, value_contains_null } => {
            let entries = Arrow::Struct(
                vec![to_wire_field("key", key, false, tz), to_wire_field("value", value, *value_contains_null, tz)]
                    .into(),
            );
            Arrow::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        DataType::Struct(s) => {
            let fields = s.fields.iter().zip(distinct_names(s));
            Arrow::Struct(fields.map(|(f, name)| to_wire_field(&name, &f.data_type, f.nullable, tz)).collect())
        }
        DataType::Variant => Arrow::Struct(
            vec![
                Field::new("value", Arrow::Binary, false),
                Field::new("metadata", Arrow::Binary, false)
                    .with_metadata(HashMap::from([("variant".to_string(), "true".to_string())])),
            ]
            .into(),
        ),
        DataType::Geometry(srid) => Arrow::Struct(spatial_fields("geometry", *srid)),
        DataType::Geography(srid) => Arrow::Struct(spatial_fields("geography", *srid)),
        DataType::Udt { sql_type, .. } => to_wire_type(sql_type, tz),
        other => to_arrow(other),
    }
}

/// The parts of a spatial value as clients see it; the marks on the last tell them the type.
fn spatial_fields(kind: &str, srid: Option<i32>) -> Fields {
    let marks = [(kind.to_string(), "true".to_string()), ("srid".to_string(), srid.unwrap_or(-1).to_string())];
    let wkb = Field::new("wkb", Arrow::Binary, false).with_metadata(HashMap::from(marks));
    vec![Field::new("srid", Arrow::Int32, false), wkb].into()
}

/// The names of a nested struct's fields; those that share a name are numbered, as Arrow's readers ask.
pub fn distinct_names(fields: &StructType) -> Vec<String> {
    let of_name = |name: &str, among: &[StructField]| among.iter().filter(|f| f.name == name).count();
    let all = &fields.fields;
    let distinct: std::collections::HashSet<&str> = all.iter().map(|f| f.name.as_str()).collect();
    if distinct.len() == all.len() {
        return all.iter().map(|f| f.name.clone()).collect();
    }
    let numbered = |(i, f): (usize, &StructField)| match of_name(&f.name, all) {
        0 | 1 => f.name.clone(),
        _ => format!("{}_{}", f.name, of_name(&f.name, &all[..i])),
    };
    all.iter().enumerate().map(numbered).collect()
}

/// What an Arrow field of a file or a client means in Spark.
///
/// # Errors
/// `UNSUPPORTED_ARROWTYPE` for types Spark cannot read.
pub fn from_arrow(arrow: &Arrow) -> Result<DataType> {
    Ok(match arrow {
        Arrow::Null => DataType::Null,
        Arrow::Boolean => DataType::Boolean,
        Arrow::Int8 => DataType::Byte,
        Arrow::Int16 | Arrow::UInt8 => DataType::Short,
        Arrow::Int32 | Arrow::UInt16 => DataType::Integer,
        Arrow::Int64 | Arrow::UInt32 => DataType::Long,
        Arrow::UInt64 => DataType::decimal(20, 0),
        Arrow::Float16 | Arrow::Float32 => DataType::Float,
        Arrow::Float64 => DataType::Double,
        decimal if crate::nanos::of_storage(decimal).is_some() => {
            crate::nanos::of_storage(decimal).unwrap_or(DataType::Null)
        }
        Arrow::Decimal32(p, s) | Arrow::Decimal64(p, s) | Arrow::Decimal128(p, s) => DataType::decimal(*p, *s),
        Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => DataType::STRING,
        Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView | Arrow::FixedSizeBinary(_) => DataType::Binary,
        Arrow::Date32 | Arrow::Date64 => DataType::Date,
        Arrow::Timestamp(_, Some(_)) => DataType::Timestamp,
        Arrow::Timestamp(_, None) => DataType::TimestampNtz,
        Arrow::Time32(_) | Arrow::Time64(_) => DataType::Time(6),
        Arrow::Duration(_) => DataType::DayTimeInterval { start: 0, end: 3 },
        Arrow::Interval(IntervalUnit::YearMonth) => DataType::YearMonthInterval { start: 0, end: 1 },
        Arrow::Interval(IntervalUnit::MonthDayNano) => DataType::CalendarInterval,
        Arrow::List(f) | Arrow::LargeList(f) | Arrow::FixedSizeList(f, _) | Arrow::ListView(f) => {
            DataType::array(from_arrow(f.data_type())?, f.is_nullable())
        }
        Arrow::Map(entries, _) => map_from_arrow(entries)?,
        Arrow::Struct(fields) => struct_from_arrow(fields)?,
        Arrow::Dictionary(_, value) => from_arrow(value)?,
        other => {
            return Err(
                Error::new(spark::ErrorKind::Unsupported, "UNSUPPORTED_ARROWTYPE").param("typeName", other.to_string())
            );
        }
    })
}

fn map_from_arrow(entries: &Field) -> Result<DataType> {
    match entries.data_type() {
        Arrow::Struct(kv) if kv.len() == 2 => {
            Ok(DataType::map(from_arrow(kv[0].data_type())?, from_arrow(kv[1].data_type())?, kv[1].is_nullable()))
        }
        other => Err(Error::internal(format!("a map's entries must be a struct of two fields, not {other}"))),
    }
}

fn struct_from_arrow(fields: &Fields) -> Result<DataType> {
    let is_variant = fields.len() == 2
        && fields[0].name() == "value"
        && fields[1].name() == "metadata"
        && fields.iter().any(|f| f.metadata().get("variant").is_some_and(|v| v == "true"));
    if is_variant {
        return Ok(DataType::Variant);
    }
    Ok(DataType::Struct(StructType::new(fields.iter().map(|f| field_from_arrow(f)).collect::<Result<_>>()?)))
}

/// What an Arrow field means in Spark.
///
/// # Errors
/// As [`from_arrow`].
pub fn field_from_arrow(field: &Field) -> Result<StructField> {
    let mut data_type = from_arrow(field.data_type())?;
    if let (DataType::Time(_), Some(p)) = (&data_type, field.metadata().get("SPARK::time::precision")) {
        data_type = DataType::Time(p.parse().unwrap_or(6));
    }
    if let (Arrow::Timestamp(TimeUnit::Nanosecond, zone), Some(p)) =
        (field.data_type(), field.metadata().get(NANOS_PRECISION).and_then(|p| p.parse().ok()))
    {
        data_type = DataType::TimestampNanos { ltz: zone.is_some(), precision: p };
    }
    Ok(StructField {
        name: field.name().clone(),
        data_type,
        nullable: field.is_nullable(),
        metadata: Metadata::default(),
    })
}

/// What an Arrow schema means in Spark.
///
/// # Errors
/// As [`from_arrow`].
pub fn schema_from_arrow(schema: &Schema) -> Result<StructType> {
    Ok(StructType::new(schema.fields().iter().map(|f| field_from_arrow(f)).collect::<Result<_>>()?))
}
