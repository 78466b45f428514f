//! A schema as `df.printSchema()` shows it.

use spark::{DataType, StructType};

/// The tree of a schema, down to `level` levels if given.
pub fn tree_string(schema: &StructType, level: Option<i32>) -> String {
    let mut out = String::from("root\n");
    let depth = level.and_then(|l| usize::try_from(l).ok()).filter(|l| *l > 0).unwrap_or(usize::MAX);
    fields(schema, " |", depth, &mut out);
    out
}

fn fields(schema: &StructType, prefix: &str, depth: usize, out: &mut String) {
    if depth == 0 {
        return;
    }
    for field in &schema.fields {
        let name = field.name.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
        let shown = shown(&field.data_type);
        out.push_str(&format!("{prefix}-- {name}: {shown} (nullable = {})\n", field.nullable));
        inside(&field.data_type, &format!("{prefix}    |"), depth - 1, out);
    }
}

fn inside(data_type: &DataType, prefix: &str, depth: usize, out: &mut String) {
    if depth == 0 {
        return;
    }
    match data_type {
        DataType::Array { element, contains_null } => {
            out.push_str(&format!("{prefix}-- element: {} (containsNull = {contains_null})\n", shown(element)));
            inside(element, &format!("{prefix}    |"), depth - 1, out);
        }
        DataType::Map { key, value, value_contains_null } => {
            out.push_str(&format!("{prefix}-- key: {}\n", shown(key)));
            inside(key, &format!("{prefix}    |"), depth - 1, out);
            out.push_str(&format!("{prefix}-- value: {} (valueContainsNull = {value_contains_null})\n", shown(value)));
            inside(value, &format!("{prefix}    |"), depth - 1, out);
        }
        DataType::Struct(schema) => fields(schema, prefix, depth, out),
        DataType::Udt { sql_type, .. } => inside(sql_type, prefix, depth, out),
        _ => {}
    }
}

/// The type's name without what is inside it.
fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Udt { .. } => "udt".into(),
        DataType::Null => "void".into(),
        other => other.type_name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark::StructField;

    #[test]
    fn nested_types_are_indented() {
        let inner = StructType::new(vec![
            StructField::new("x", DataType::Integer, false),
            StructField::new("y", DataType::array(DataType::Integer, false), false),
        ]);
        let schema = StructType::new(vec![
            StructField::new("s", DataType::Struct(inner), false),
            StructField::new("m", DataType::map(DataType::STRING, DataType::Long, true), true),
        ]);
        let expected = "root
 |-- s: struct (nullable = false)
 |    |-- x: integer (nullable = false)
 |    |-- y: array (nullable = false)
 |    |    |-- element: integer (containsNull = false)
 |-- m: map (nullable = true)
 |    |-- key: string
 |    |-- value: long (valueContainsNull = true)
";
        assert_eq!(tree_string(&schema, None), expected);
        let first: String = expected.lines().filter(|l| !l.starts_with(" |    ")).map(|l| format!("{l}\n")).collect();
        assert_eq!(tree_string(&schema, Some(1)), first);
    }
}
