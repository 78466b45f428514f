//! What the catalog holds, in the form in which it is stored.

use std::collections::BTreeMap;

use planner::source::Registry;
use serde::{Deserialize, Serialize};
use spark::plan::Options;
use spark::types::StructType;
use spark::{Node, Plan, Result};
use sql::ParseOptions;

/// The property that keeps what `CLUSTER BY` names.
pub const CLUSTERING: &str = "clusteringColumns";

/// A namespace with everything in it; keys of the maps are names in lower case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NamespaceEntry {
    pub name: String,
    pub comment: Option<String>,
    pub location: String,
    pub properties: Options,
    pub owner: String,
    /// The collation of strings in new tables and views.
    #[serde(default)]
    pub collation: Option<String>,
    pub tables: BTreeMap<String, TableEntry>,
    #[serde(default)]
    pub functions: BTreeMap<String, FunctionEntry>,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Managed,
    External,
    View,
}

/// A table or a view.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TableEntry {
    pub name: String,
    pub kind: Kind,
    /// `parquet` and the like; empty for views.
    pub provider: String,
    /// The schema in Spark's JSON form, partition columns last.
    pub schema_json: String,
    pub partition_columns: Vec<String>,
    pub bucket: Option<(Vec<String>, Vec<String>, i32)>,
    pub location: String,
    pub options: Options,
    pub properties: Options,
    pub comment: Option<String>,
    pub created_micros: i64,
    pub owner: String,
    pub view: Option<ViewEntry>,
    /// Bytes and rows as `ANALYZE TABLE` found them.
    #[serde(default)]
    pub statistics: Option<(u64, Option<u64>)>,
    /// What `ANALYZE TABLE … FOR COLUMNS` found, by the column's name in lower case.
    #[serde(default)]
    pub column_statistics: BTreeMap<String, ColumnStatistics>,
    #[serde(default)]
    pub collation: Option<String>,
    /// The partitions of a partitioned table; none where they are what folders there are.
    #[serde(default)]
    pub registry: Option<Registry>,
    /// Values of columns in files that were written before the columns were added, in the form of
    /// [`planner::source::defaults::to_text`], by the column's name.
    #[serde(default)]
    pub added_defaults: BTreeMap<String, String>,
}

/// What makes a view of a table entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ViewEntry {
    pub text: String,
    /// New names with comments, empty where the view keeps the query's.
    pub columns: Vec<(String, Option<String>)>,
    pub catalog: String,
    pub database: String,
    /// As `WITH SCHEMA` writes it; empty for none.
    pub schema_mode: String,
    /// The names of the query's columns; empty where they are the schema's.
    #[serde(default)]
    pub query_columns: Vec<String>,
    /// The search path it was made with, if that was not the standard.
    #[serde(default)]
    pub path: Option<Vec<Vec<String>>>,
    /// Whether the session was in ANSI mode when the view was made.
    #[serde(default)]
    pub ansi: Option<bool>,
    /// The language of the text of a metric view; none where it is a query.
    #[serde(default)]
    pub language: Option<String>,
}

impl ViewEntry {
    /// True for a view of metrics.
    pub fn is_metrics(&self) -> bool {
        self.language.is_some()
    }

    /// What the view's text says.
    ///
    /// # Errors
    /// If the text cannot be read, which it could when the view was made.
    pub fn plan(&self, options: &ParseOptions) -> Result<Plan> {
        if self.is_metrics() {
            let view = sql::parse_metric_view(&self.text, options, None)?;
            return Ok(Plan::from(Node::MetricView(Box::new(view))));
        }
        sql::parse_query(&self.text, options)
    }
}

/// Statistics of one column.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ColumnStatistics {
    pub min: Option<String>,
    pub max: Option<String>,
    pub null_count: Option<u64>,
    pub distinct_count: Option<u64>,
    pub avg_len: Option<u64>,
    pub max_len: Option<u64>,
}

/// A permanent function: written in SQL its statement, which is parsed when it is used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FunctionEntry {
    pub name: String,
    pub statement: String,
    /// The class that it was said to be, if it is none in SQL.
    #[serde(default)]
    pub class: Option<String>,
    #[serde(default)]
    pub created_micros: i64,
    #[serde(default)]
    pub deterministic: Option<bool>,
    /// The type that its body had when it was made.
    #[serde(default)]
    pub returns: Option<String>,
}

impl TableEntry {
    /// Spark's schema of the table.
    ///
    /// # Errors
    /// If the stored form is damaged.
    pub fn schema(&self) -> Result<StructType> {
        crate::snapshot::parse_json_schema(&self.schema_json)
    }

    /// The value of a table property.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The columns that `CLUSTER BY` names.
    pub fn clustering(&self) -> Vec<Vec<String>> {
        self.property(CLUSTERING).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    pub fn is_view(&self) -> bool {
        self.kind == Kind::View
    }

    /// Spark's word for what this is.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Managed => "MANAGED",
            Kind::External => "EXTERNAL",
            Kind::View if self.view.as_ref().is_some_and(ViewEntry::is_metrics) => "METRIC_VIEW",
            Kind::View => "VIEW",
        }
    }
}
