//! Commands: statements that do something rather than describe a relation.

use crate::expr::Expr;
use crate::plan::{Options, Plan};
use crate::types::StructType;

/// A statement with an effect, or one that reports on the session.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    CreateView(CreateView),
    /// `SET key`, `SET key=value`, `SET`, `SET -v`.
    Set { key: Option<String>, value: Option<String>, verbose: bool },
    Reset { key: Option<String> },
    /// `EXPLAIN [mode] query`; `mode` is `SIMPLE`, `EXTENDED`, `CODEGEN`, `COST` or `FORMATTED`.
    Explain { mode: String, plan: Box<Plan> },
    /// Written by the DataFrame writer.
    Write(WriteOperation),
}

/// `CREATE [OR REPLACE] [[GLOBAL] TEMPORARY] VIEW`, and `df.createTempView`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: Vec<String>,
    /// Column aliases with optional comments.
    pub columns: Vec<(String, Option<String>)>,
    pub comment: Option<String>,
    pub properties: Options,
    pub plan: Plan,
    /// The text of the query, for permanent views.
    pub text: Option<String>,
    pub temporary: bool,
    pub global: bool,
    pub replace: bool,
    pub if_not_exists: bool,
}

/// `df.write…`.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOperation {
    pub input: Plan,
    pub format: Option<String>,
    pub target: WriteTarget,
    /// `append`, `overwrite`, `error`, `ignore`.
    pub mode: String,
    pub options: Options,
    pub partition_by: Vec<String>,
    pub sort_by: Vec<String>,
    pub bucket_by: Option<(i32, Vec<String>)>,
    pub cluster_by: Vec<String>,
}

/// Where a write goes.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteTarget {
    Path(String),
    /// `saveAsTable`.
    SaveAsTable(Vec<String>),
    InsertInto(Vec<String>),
    /// No path: the format decides (`noop`).
    None,
}

/// A `spark.catalog` call.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogCall {
    CurrentDatabase,
    SetCurrentDatabase { name: String },
    ListDatabases { pattern: Option<String> },
    ListTables { database: Option<String>, pattern: Option<String> },
    ListFunctions { database: Option<String>, pattern: Option<String> },
    ListColumns { table: String, database: Option<String> },
    GetDatabase { name: String },
    GetTable { table: String, database: Option<String> },
    GetFunction { name: String, database: Option<String> },
    DatabaseExists { name: String },
    TableExists { table: String, database: Option<String> },
    FunctionExists { name: String, database: Option<String> },
    CreateTable { name: String, path: Option<String>, source: Option<String>, description: String, schema: Option<StructType>, options: Options },
    DropTempView { name: String },
    DropGlobalTempView { name: String },
    RecoverPartitions { table: String },
    IsCached { table: String },
    CacheTable { table: String, storage_level: Option<String> },
    UncacheTable { table: String },
    ClearCache,
    RefreshTable { table: String },
    RefreshByPath { path: String },
    CurrentCatalog,
    SetCurrentCatalog { name: String },
    ListCatalogs { pattern: Option<String> },
    /// One of the operations that this server refuses, by its name.
    Unsupported { what: String },
}

/// A literal argument list, kept as expressions until analysis.
pub type Arguments = Vec<Expr>;
