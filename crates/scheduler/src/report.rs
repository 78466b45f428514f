//! Small tables that commands answer with.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder};
use spark::Result;
use spark::types::{DataType, StructField, StructType};

use crate::operation::Table;
use crate::session::wire_table;

/// A value of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Text(String),
    Bool(bool),
    Int(i32),
    Long(i64),
    Texts(Vec<String>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_string())
    }
}
impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}
impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        text.map_or(Cell::Null, Cell::Text)
    }
}
impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Cell::Bool(value)
    }
}

/// A column of a report.
pub fn column(name: &str, data_type: DataType, nullable: bool) -> StructField {
    StructField::new(name, data_type, nullable)
}

/// A text column.
pub fn text(name: &str, nullable: bool) -> StructField {
    column(name, DataType::STRING, nullable)
}

/// A text column that says what it holds.
pub fn commented(name: &str, nullable: bool, comment: &str) -> StructField {
    let metadata = spark::types::Metadata::from_json(&serde_json::json!({ "comment": comment }));
    StructField { metadata, ..text(name, nullable) }
}

/// A table of `rows`.
///
/// # Errors
/// If a row does not fit the columns: a defect of the command.
pub fn table(columns: Vec<StructField>, rows: Vec<Vec<Cell>>) -> Result<Table> {
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(i, field)| array(&field.data_type, rows.iter().map(|r| r.get(i).unwrap_or(&Cell::Null))))
        .collect();
    wire_table(StructType::new(columns), arrays)
}

fn array<'a>(ty: &DataType, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    match ty {
        DataType::Boolean => {
            Arc::new(cells.map(|c| if let Cell::Bool(b) = c { Some(*b) } else { None }).collect::<BooleanArray>())
        }
        DataType::Integer => {
            Arc::new(cells.map(|c| if let Cell::Int(n) = c { Some(*n) } else { None }).collect::<Int32Array>())
        }
        DataType::Long => {
            Arc::new(cells.map(|c| if let Cell::Long(n) = c { Some(*n) } else { None }).collect::<Int64Array>())
        }
        DataType::Array { .. } => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                if let Cell::Texts(texts) = cell {
                    lists.append_value(texts.iter().map(Some));
                } else {
                    lists.append_null();
                }
            }
            Arc::new(lists.finish())
        }
        _ => Arc::new(
            cells.map(|c| if let Cell::Text(t) = c { Some(t.as_str()) } else { None }).collect::<StringArray>(),
        ),
    }
}

/// Whether a name passes a pattern of `SHOW`: `*` for anything, `|` between alternatives, and no
/// regard to case.
pub fn matches(pattern: Option<&str>, name: &str) -> bool {
    let Some(pattern) = pattern else { return true };
    let name = name.to_lowercase();
    pattern.trim().split('|').any(|alternative| like(&alternative.trim().to_lowercase(), &name))
}

/// `*` matches any text, `.` and the rest stand for themselves but `.*` counts as `*`.
fn like(pattern: &str, name: &str) -> bool {
    let pattern = pattern.replace(".*", "*");
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else { return name.is_empty() };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let tail: Vec<&str> = parts.collect();
    let Some((last, middle)) = tail.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expect) in [
            ("*", "x", true),
            ("a*", "Abc", true),
            ("a*|b", "b", true),
            ("a*c", "abd", false),
            ("abc", "abcd", false),
            ("*b*d", "abcd", true),
            ("t.*", "tx", true),
        ] {
            assert_eq!(matches(Some(pattern), name), expect, "{pattern} {name}");
        }
    }
}
