//! Records that are the values of a column of text (`spark.read.json(df)`), rather than lines of files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as DfResult, exec_err};
use serde::{Deserialize, Serialize};
use spark::Result;
use spark::types::{DataType, StructType};

use super::builder::Builders;
use super::{Kind, RowFormat};
use crate::source::{Options, ReadRequest};

/// Reads texts as rows; travels to executors as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TextRows {
    format: RowFormat,
    /// A text that is no row wherever it stands: the header of CSV.
    header: Option<String>,
}

impl TextRows {
    /// The format of texts.
    ///
    /// # Errors
    /// The conditions of bad options.
    pub fn format(name: &str, options: &[(String, String)], time_zone: &str) -> Result<RowFormat> {
        let mut format = RowFormat::new(&ReadRequest {
            format: name.to_string(),
            paths: Vec::new(),
            options: Options::new(options),
            schema: None,
            time_zone: time_zone.into(),
            case_sensitive: false,
            infer_partition_types: false,
            merge_parquet_schemas: false,
            partition_columns: None,
            allow_empty: true,
            registry: None,
            added_defaults: Default::default(),
            bad_files: crate::source::BadFiles::default(),
        })?;
        // A value is one record, however many lines it has.
        format.whole_file = false;
        Ok(format)
    }

    /// Texts of `format` as rows of `schema`.
    pub fn new(format: &RowFormat, schema: &StructType, header: Option<String>) -> Self {
        TextRows { format: format.with_schema(schema), header }
    }

    /// The rows of `texts`; `schema` is the Arrow schema of the columns.
    ///
    /// # Errors
    /// `MALFORMED_RECORD_IN_PARSING` in the mode `FAILFAST`.
    pub fn read(&self, texts: &ArrayRef, schema: &SchemaRef) -> DfResult<RecordBatch> {
        let Some(texts) = texts.as_string_opt::<i32>() else {
            return exec_err!("a column of text was expected, not {}", texts.data_type());
        };
        let types: Vec<DataType> = self.format.schema.fields.iter().map(|f| f.data_type.clone()).collect();
        let fields = (0..types.len()).collect();
        let mut out = Builders::new(Arc::clone(schema), types, fields);
        for row in 0..texts.len() {
            if texts.is_valid(row) {
                self.record(texts.value(row), &mut out).map_err(|e| DataFusionError::External(Box::new(e)))?;
            } else if matches!(self.format.kind, Kind::Json(_)) {
                out.columns.iter_mut().for_each(super::ColumnBuilder::append_null);
                out.rows += 1;
            }
        }
        out.finish()
    }

    fn record(&self, text: &str, out: &mut Builders) -> Result<()> {
        let skipped = matches!(&self.format.kind, Kind::Csv(csv) if csv.is_skipped(text));
        if skipped || self.header.as_deref() == Some(text) {
            return Ok(());
        }
        self.format.read(text, false, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;
    use arrow::datatypes::Schema;
    use spark::types::StructField;

    fn read(format: &str, options: &[(&str, &str)], texts: &[Option<&str>], header: Option<&str>) -> (String, usize) {
        let options: Vec<(String, String)> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let format = TextRows::format(format, &options, "UTC").expect("options");
        let schema = super::super::infer_texts(&format, texts.iter().flatten().copied()).expect("a schema");
        let fields = schema.fields.iter().map(|f: &StructField| {
            arrow::datatypes::Field::new(&f.name, functions::types::to_arrow(&f.data_type), true)
        });
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let rows = TextRows::new(&format, &schema, header.map(str::to_string)).read(&column, &arrow).expect("rows");
        (schema.to_ddl(), rows.num_rows())
    }

    #[test]
    fn texts_are_rows() {
        let json = [Some(r#"{"a":1,"b":"x"}"#), Some(r#"{"a":2.5}"#), None, Some("bad")];
        let csv = [Some("a,b"), Some("1,x"), Some(""), None, Some("a,b")];
        let header = [("header", "true"), ("inferSchema", "true")];
        for (got, expect) in [
            (read("json", &[], &json[..3], None), ("a DOUBLE,b STRING", 3)),
            (read("json", &[], &json, None), ("_corrupt_record STRING,a DOUBLE,b STRING", 4)),
            (read("json", &[("mode", "DROPMALFORMED")], &json, None), ("a DOUBLE,b STRING", 3)),
            (read("json", &[], &[Some(r#"[{"a":1},{"a":2}]"#)], None), ("a BIGINT", 2)),
            (read("csv", &[], &csv[1..4], None), ("_c0 STRING,_c1 STRING", 1)),
            (read("csv", &header, &csv[..4], Some("a,b")), ("a INT,b STRING", 1)),
        ] {
            assert_eq!((got.0.as_str(), got.1), expect);
        }
    }
}
