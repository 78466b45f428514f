//! Commands: statements that do something rather than describe a relation.

use crate::expr::{Expr, PythonUdf};
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
    /// `df.writeTo(…)`.
    WriteV2(WriteOperationV2),
    /// `df.mergeInto(…)`.
    MergeInto(Box<MergeInto>),
    /// `spark.udf.register`; the function's `args` are empty.
    RegisterFunction(Box<PythonUdf>),
    /// `df.checkpoint`, `df.localCheckpoint`; the result is a relation held by the server.
    Checkpoint { input: Box<Plan>, local: bool, eager: bool },
    /// The client no longer needs a checkpointed relation.
    RemoveCachedRemoteRelation { id: String },
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

/// `df.writeTo(table)…`.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOperationV2 {
    pub input: Plan,
    pub table: Vec<String>,
    pub format: Option<String>,
    /// `create`, `replace`, `create_or_replace`, `append`, `overwrite`, `overwrite_partitions`.
    pub mode: String,
    pub overwrite_condition: Option<Expr>,
    pub partition_by: Vec<Expr>,
    pub cluster_by: Vec<String>,
    pub options: Options,
    pub properties: Options,
    pub schema_evolution: bool,
}

/// `df.mergeInto(table, condition)…`.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeInto {
    pub target: Vec<String>,
    pub source: Plan,
    pub condition: Expr,
    pub matched: Vec<MergeAction>,
    pub not_matched: Vec<MergeAction>,
    pub not_matched_by_source: Vec<MergeAction>,
    pub schema_evolution: bool,
}

/// What a merge does with the rows of one clause.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeAction {
    pub condition: Option<Expr>,
    pub kind: MergeActionKind,
}

/// Kinds of merge actions; assignments are pairs of target column and value.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeActionKind {
    Delete,
    Insert(Vec<(Expr, Expr)>),
    InsertStar,
    Update(Vec<(Expr, Expr)>),
    UpdateStar,
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
    DropTable { table: String, if_exists: bool, purge: bool },
    DropView { view: String, if_exists: bool },
    CreateDatabase { name: String, if_not_exists: bool, properties: Options },
    DropDatabase { name: String, if_exists: bool, cascade: bool },
    ListPartitions { table: String },
    ListViews { database: Option<String>, pattern: Option<String> },
    GetTableProperties { table: String },
    GetCreateTableString { table: String, as_serde: bool },
    TruncateTable { table: String },
    AnalyzeTable { table: String, no_scan: bool },
    /// One of the operations that this server refuses, by its name.
    Unsupported { what: String },
}

/// A literal argument list, kept as expressions until analysis.
pub type Arguments = Vec<Expr>;
