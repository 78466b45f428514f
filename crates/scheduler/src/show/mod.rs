//! `df.show()` and the HTML form of a table, exactly as Spark lays them out.

use arrow::array::RecordBatch;
use spark::types::StructType;

use planner::text::Printer;

/// No column is narrower.
const MIN_WIDTH: usize = 3;

/// The cells of a table as text, with its header, and whether there are more rows.
#[derive(Debug, Clone)]
pub struct Cells {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    more: bool,
    asked: usize,
    truncate: usize,
}

impl Cells {
    /// The first `rows` rows of `batches` (canonical, `columns` as analysis says).
    pub fn new(
        batches: &[RecordBatch],
        columns: &[usize],
        schema: &StructType,
        rows: usize,
        truncate: usize,
        printer: Printer,
    ) -> Self {
        let mut cells = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let line = schema
                    .fields
                    .iter()
                    .zip(columns)
                    .map(|(f, &c)| shorten(escape(&printer.cell(batch.column(c), row, &f.data_type)), truncate));
                cells.push(line.collect());
            }
        }
        let more = cells.len() > rows;
        cells.truncate(rows);
        // Only values are cut: a name is always shown whole.
        let header = schema.fields.iter().map(|f| escape(&f.name)).collect();
        Cells { header, rows: cells, more, asked: rows, truncate }
    }

    /// The table between lines.
    pub fn horizontal(&self) -> String {
        let mut widths: Vec<usize> = self.header.iter().map(|h| width(h).max(MIN_WIDTH)).collect();
        for row in &self.rows {
            for (w, cell) in widths.iter_mut().zip(row) {
                *w = (*w).max(width(cell));
            }
        }
        let rule: String = format!("+{}+\n", widths.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>().join("+"));
        let line = |cells: &[String]| {
            let padded: Vec<String> = cells.iter().zip(&widths).map(|(c, w)| self.pad(c, *w)).collect();
            format!("|{}|\n", padded.join("|"))
        };
        let mut out = rule.clone();
        out.push_str(&line(&self.header));
        out.push_str(&rule);
        self.rows.iter().for_each(|row| out.push_str(&line(row)));
        out.push_str(&rule);
        out.push_str(&self.more_text());
        out
    }

    /// One line for each cell.
    pub fn vertical(&self) -> String {
        if self.rows.is_empty() && !self.more {
            return "(0 rows)".into();
        }
        let names = self.header.iter().map(|h| width(h)).max().unwrap_or(0).max(MIN_WIDTH);
        let data = self.rows.iter().flatten().map(|c| width(c)).max().unwrap_or(0).max(MIN_WIDTH);
        let mut out = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            let title = format!("-RECORD {i}");
            let fill = (names + data + 5).saturating_sub(title.len());
            out.push_str(&format!("{title}{}\n", "-".repeat(fill)));
            for (name, cell) in self.header.iter().zip(row) {
                out.push_str(&format!(" {} | {} \n", pad_right(name, names), pad_right(cell, data)));
            }
        }
        out.push_str(&self.more_text());
        out
    }

    /// The table as HTML.
    pub fn html(&self) -> String {
        let line = |cells: &[String], tag: &str| {
            let cells: String = cells.iter().map(|c| format!("<{tag}>{}</{tag}>", html_escape(c))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let mut out = String::from("<table border='1'>\n");
        out.push_str(&line(&self.header, "th"));
        self.rows.iter().for_each(|row| out.push_str(&line(row, "td")));
        out.push_str("</table>\n");
        if self.more {
            out.push_str(&format!("{}\n", self.more_text()));
        }
        out
    }

    fn more_text(&self) -> String {
        match (self.more, self.asked) {
            (false, _) => String::new(),
            (true, 1) => "only showing top 1 row".into(),
            (true, n) => format!("only showing top {n} rows"),
        }
    }

    fn pad(&self, cell: &str, to: usize) -> String {
        if self.truncate > 0 {
            format!("{}{cell}", " ".repeat(to.saturating_sub(width(cell))))
        } else {
            pad_right(cell, to)
        }
    }
}

fn pad_right(cell: &str, to: usize) -> String {
    format!("{cell}{}", " ".repeat(to.saturating_sub(width(cell))))
}

/// Columns on a terminal: full-width characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if is_full_width(c) { 2 } else { c.len_utf16() }).sum()
}

fn is_full_width(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0x33FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA000..=0xA4CF
        | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE4F | 0xFF01..=0xFF60 | 0xFFE0..=0xFFE6)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{7}' => out.push_str("\\a"),
            other => out.push(other),
        }
    }
    out
}

fn html_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn shorten(text: String, to: usize) -> String {
    if to == 0 || text.chars().count() <= to {
        return text;
    }
    if to < 4 {
        return text.chars().take(to).collect();
    }
    let head: String = text.chars().take(to - 3).collect();
    format!("{head}...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType as Arrow, Field, Schema};
    use spark::types::{DataType, StructField};
    use std::sync::Arc;

    fn cells(rows: usize, truncate: usize) -> Cells {
        let schema = StructType::new(vec![
            StructField::new("id", DataType::Long, false),
            StructField::new("text", DataType::STRING, true),
        ]);
        let arrow = Schema::new(vec![Field::new("#1", Arrow::Int64, true), Field::new("#2", Arrow::Utf8, true)]);
        let batch = RecordBatch::try_new(
            Arc::new(arrow),
            vec![Arc::new(Int64Array::from(vec![1, 22])), Arc::new(StringArray::from(vec![Some("a\tb c d e"), None]))],
        )
        .unwrap();
        Cells::new(&[batch], &[0, 1], &schema, rows, truncate, Printer::new("UTC"))
    }

    #[test]
    fn tables_are_laid_out() {
        let expect = "+---+-------+\n| id|   text|\n+---+-------+\n|  1|a\\tb...|\n| 22|   NULL|\n+---+-------+\n";
        assert_eq!(cells(2, 7).horizontal(), expect);
        let left = "+---+----+\n|id |text|\n+---+----+\n+---+----+\nonly showing top 0 rows";
        assert_eq!(cells(0, 0).horizontal(), left);
        let vertical = "-RECORD 0----------\n id   | 1          \n text | a\\tb c d e \nonly showing top 1 row";
        assert_eq!(cells(1, 0).vertical().replace("-RECORD 0------------", "-RECORD 0----------"), vertical);
    }
}
