//! Types in the JSON form that `DataType.json` writes.

use serde_json::Value as Json;
use spark::{DataType, Metadata, StructField, StructType};

use crate::{ParseOptions, parse_data_type};

/// Reads the JSON form of a type; `None` if the text is none.
pub fn parse_json_type(text: &str, options: &ParseOptions) -> Option<DataType> {
    read(&serde_json::from_str(text).ok()?, options)
}

fn read(value: &Json, options: &ParseOptions) -> Option<DataType> {
    if let Some(name) = value.as_str() {
        return parse_data_type(name, options).ok();
    }
    let inner = |key: &str| read(value.get(key)?, options);
    let flag = |key: &str| value.get(key).and_then(Json::as_bool);
    match value.get("type")?.as_str()? {
        "array" => Some(DataType::array(inner("elementType")?, flag("containsNull")?)),
        "map" => Some(DataType::map(inner("keyType")?, inner("valueType")?, flag("valueContainsNull")?)),
        "udt" => Some(DataType::Udt { json: value.to_string().into(), sql_type: inner("sqlType")?.into() }),
        "struct" => {
            let fields = value.get("fields")?.as_array()?.iter().map(|f| {
                Some(StructField {
                    name: f.get("name")?.as_str()?.to_string(),
                    data_type: read(f.get("type")?, options)?,
                    nullable: f.get("nullable")?.as_bool()?,
                    metadata: Metadata::from_json(f.get("metadata").unwrap_or(&Json::Null)),
                })
            });
            Some(DataType::Struct(StructType::new(fields.collect::<Option<_>>()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_json() {
        for (text, expect) in [
            (r#""integer""#, Some("INT")),
            (r#"{"type":"array","elementType":"long","containsNull":true}"#, Some("ARRAY<BIGINT>")),
            (
                r#"{"type":"struct","fields":[{"name":"a","type":"integer","nullable":true,"metadata":{}}]}"#,
                Some("STRUCT<a: INT>"),
            ),
            (
                r#"{"type":"map","keyType":"string","valueType":"decimal(5,2)","valueContainsNull":true}"#,
                Some("MAP<STRING, DECIMAL(5,2)>"),
            ),
            (r#"{"type":"array"}"#, None),
            ("a INT", None),
        ] {
            let read = parse_json_type(text, &ParseOptions::default()).map(|t| t.sql());
            assert_eq!(read.as_deref(), expect, "{text}");
        }
    }
}
