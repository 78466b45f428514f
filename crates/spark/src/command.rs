//! Commands: statements that do something rather than describe a relation.

pub use crate::ddl::*;
use crate::expr::{Expr, PythonUdf};
use crate::plan::{Cte, Options, Plan};
use crate::types::{DataType, StructType};

/// A statement with an effect, or one that reports on the session.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    CreateView(CreateView),
    /// `SET key`, `SET key=value`, `SET`, `SET -v`.
    Set {
        key: Option<String>,
        value: Option<String>,
        verbose: bool,
    },
    Reset {
        key: Option<String>,
    },
    /// `SET TIME ZONE`: a zone's name or offset; `LOCAL` for the system's.
    SetTimeZone {
        zone: String,
    },
    /// `EXPLAIN [mode] query`; `mode` is `SIMPLE`, `EXTENDED`, `CODEGEN`, `COST` or `FORMATTED`.
    Explain {
        mode: String,
        plan: Box<Plan>,
    },
    /// `EXPLAIN` of a statement that is no query.
    ExplainCommand {
        mode: String,
        command: Box<Command>,
    },
    /// Written by the DataFrame writer.
    Write(WriteOperation),
    /// `df.writeTo(…)`.
    WriteV2(WriteOperationV2),
    /// `df.mergeInto(…)`.
    MergeInto(Box<MergeInto>),
    /// `spark.udf.register`; the function's `args` are empty.
    RegisterFunction(Box<PythonUdf>),
    /// `df.checkpoint`, `df.localCheckpoint`; the result is a relation held by the server.
    Checkpoint {
        input: Box<Plan>,
        local: bool,
        eager: bool,
    },
    /// The client no longer needs a checkpointed relation.
    RemoveCachedRemoteRelation {
        id: String,
    },

    // ---- session
    UseNamespace {
        name: Vec<String>,
    },
    /// `USE name`: a catalog or a namespace.
    Use {
        name: Vec<String>,
    },
    /// `SET PATH = …`.
    SetPath {
        entries: Vec<PathEntry>,
    },
    SetCatalog {
        name: String,
    },
    /// `DECLARE [OR REPLACE] [VARIABLE] a, b [type] [= default]`.
    DeclareVariables {
        names: Vec<Vec<String>>,
        replace: bool,
        data_type: Option<DataType>,
        default: Option<Expr>,
        default_text: String,
    },
    DropVariable {
        name: Vec<String>,
        if_exists: bool,
    },
    /// `SET VARIABLE a = x, b = y`; a value may be [`Expr::Default`].
    SetVariables {
        assignments: Vec<(Vec<String>, Expr)>,
    },
    /// `SET VARIABLE (a, b) = (query)`.
    SetVariablesFrom {
        names: Vec<Vec<String>>,
        query: Box<Plan>,
    },
    /// `EXECUTE IMMEDIATE text [INTO vars] [USING args]`; an argument may be an alias.
    ExecuteImmediate {
        text: Expr,
        into: Vec<Vec<String>>,
        using: Vec<Expr>,
    },
    Call {
        procedure: Vec<String>,
        args: Vec<Expr>,
    },

    // ---- namespaces
    CreateNamespace {
        name: Vec<String>,
        if_not_exists: bool,
        comment: Option<String>,
        location: Option<String>,
        properties: Options,
        /// `DEFAULT COLLATION`.
        collation: Option<String>,
    },
    DropNamespace {
        name: Vec<String>,
        if_exists: bool,
        cascade: bool,
    },
    SetNamespaceProperties {
        name: Vec<String>,
        properties: Options,
    },
    UnsetNamespaceProperties {
        name: Vec<String>,
        keys: Vec<String>,
    },
    SetNamespaceLocation {
        name: Vec<String>,
        location: String,
    },
    SetNamespaceCollation {
        name: Vec<String>,
        collation: String,
    },
    /// `COMMENT ON NAMESPACE`; `None` removes the comment.
    CommentOnNamespace {
        name: Vec<String>,
        comment: Option<String>,
    },

    // ---- tables and views
    CreateTable(Box<CreateTable>),
    CreateTableLike {
        name: Vec<String>,
        source: Vec<String>,
        if_not_exists: bool,
        provider: Option<String>,
        location: Option<String>,
        properties: Options,
        storage: Option<Storage>,
    },
    /// `CREATE TEMPORARY VIEW … USING format OPTIONS (…)`.
    CreateTempViewUsing {
        name: Vec<String>,
        schema: Option<StructType>,
        global: bool,
        replace: bool,
        provider: String,
        options: Options,
    },
    DropTable {
        name: Vec<String>,
        if_exists: bool,
        purge: bool,
    },
    DropView {
        name: Vec<String>,
        if_exists: bool,
    },
    AlterTable {
        name: Vec<String>,
        action: AlterTableAction,
    },
    AlterView {
        name: Vec<String>,
        action: AlterTableAction,
    },
    CommentOnTable {
        name: Vec<String>,
        comment: Option<String>,
    },
    CommentOnColumn {
        table: Vec<String>,
        column: String,
        comment: Option<String>,
    },
    TruncateTable {
        name: Vec<String>,
        partition: PartitionSpec,
    },
    /// `MSCK REPAIR TABLE` and its options.
    RepairTable {
        name: Vec<String>,
        add: bool,
        drop: bool,
    },
    LoadData {
        path: String,
        local: bool,
        overwrite: bool,
        table: Vec<String>,
        partition: PartitionSpec,
    },
    AnalyzeTable {
        name: Vec<String>,
        partition: PartitionSpec,
        scope: AnalyzeScope,
    },
    AnalyzeTables {
        namespace: Option<Vec<String>>,
        no_scan: bool,
    },
    CacheTable {
        name: Vec<String>,
        lazy: bool,
        options: Options,
        query: Option<Box<Plan>>,
        text: Option<String>,
    },
    UncacheTable {
        name: Vec<String>,
        if_exists: bool,
    },
    ClearCache,
    RefreshTable {
        name: Vec<String>,
    },
    RefreshFunction {
        name: Vec<String>,
    },
    /// `REFRESH path`.
    RefreshResource {
        path: String,
    },

    // ---- rows
    Insert(Box<Insert>),
    InsertDirectory(Box<InsertDirectory>),
    /// `FROM … INSERT … INSERT …`, or several statements in one: run in order.
    Sequence(Vec<Command>),
    Delete {
        table: Plan,
        condition: Option<Expr>,
    },
    Update {
        table: Plan,
        assignments: Vec<(Expr, Expr)>,
        condition: Option<Expr>,
    },
    Merge(Box<Merge>),

    // ---- functions and resources
    CreateFunction {
        name: Vec<String>,
        class: String,
        resources: Vec<(String, String)>,
        temporary: bool,
        replace: bool,
        if_not_exists: bool,
    },
    CreateSqlFunction(Box<SqlFunction>),
    DropFunction {
        name: Vec<String>,
        if_exists: bool,
        temporary: bool,
    },
    /// `ADD JAR|FILE|ARCHIVE`, and `LIST`, by the verb and the kind.
    Resource {
        verb: String,
        kind: String,
        paths: Vec<String>,
    },

    // ---- reports
    Show(Show),
    Describe(Describe),
    /// `WITH … INSERT …`: a statement in the scope of common table expressions.
    With {
        ctes: Vec<Cte>,
        recursive: bool,
        command: Box<Command>,
    },
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
    /// What a metric view is made of; `plan` then yields all its columns.
    pub metric_view: Option<Box<crate::plan::MetricView>>,
    /// `DEFAULT COLLATION`.
    pub collation: Option<String>,
    /// What `WITH SCHEMA` says.
    pub schema_mode: Option<String>,
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
    SetCurrentDatabase {
        name: String,
    },
    ListDatabases {
        pattern: Option<String>,
    },
    ListTables {
        database: Option<String>,
        pattern: Option<String>,
    },
    ListFunctions {
        database: Option<String>,
        pattern: Option<String>,
    },
    ListColumns {
        table: String,
        database: Option<String>,
    },
    GetDatabase {
        name: String,
    },
    GetTable {
        table: String,
        database: Option<String>,
    },
    GetFunction {
        name: String,
        database: Option<String>,
    },
    DatabaseExists {
        name: String,
    },
    TableExists {
        table: String,
        database: Option<String>,
    },
    FunctionExists {
        name: String,
        database: Option<String>,
    },
    CreateTable {
        name: String,
        path: Option<String>,
        source: Option<String>,
        description: String,
        schema: Option<StructType>,
        options: Options,
    },
    DropTempView {
        name: String,
    },
    DropGlobalTempView {
        name: String,
    },
    RecoverPartitions {
        table: String,
    },
    IsCached {
        table: String,
    },
    CacheTable {
        table: String,
        storage_level: Option<String>,
    },
    UncacheTable {
        table: String,
    },
    ClearCache,
    RefreshTable {
        table: String,
    },
    RefreshByPath {
        path: String,
    },
    CurrentCatalog,
    SetCurrentCatalog {
        name: String,
    },
    ListCatalogs {
        pattern: Option<String>,
    },
    DropTable {
        table: String,
        if_exists: bool,
        purge: bool,
    },
    DropView {
        view: String,
        if_exists: bool,
    },
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        properties: Options,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    ListPartitions {
        table: String,
    },
    ListViews {
        database: Option<String>,
        pattern: Option<String>,
    },
    GetTableProperties {
        table: String,
    },
    GetCreateTableString {
        table: String,
        as_serde: bool,
    },
    TruncateTable {
        table: String,
    },
    AnalyzeTable {
        table: String,
        no_scan: bool,
    },
    /// One of the operations that this server refuses, by its name.
    Unsupported {
        what: String,
    },
}

/// A literal argument list, kept as expressions until analysis.
pub type Arguments = Vec<Expr>;

/// A part of a search path as `SET PATH` writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum PathEntry {
    /// `DEFAULT_PATH`.
    Default,
    /// `SYSTEM_PATH`.
    System,
    /// `PATH`: what it was.
    Path,
    /// `CURRENT_SCHEMA` or `CURRENT_DATABASE`, whichever that is when a name is looked for.
    CurrentSchema,
    Schema(Vec<String>),
}
