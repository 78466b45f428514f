//! The parts of statements that define, change and describe objects.

use std::sync::Arc;

use crate::Origin;
use crate::expr::Expr;
use crate::plan::{Options, Plan};
use crate::types::{DataType, StructField};

/// `PARTITION (a = 1, b)`: columns with a value where one is written.
pub type PartitionSpec = Vec<(String, Option<Expr>)>;

/// A column of `CREATE TABLE` or `ALTER TABLE … ADD COLUMNS`.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Several parts for a nested column.
    pub name: Vec<String>,
    pub data_type: DataType,
    pub nullable: bool,
    pub comment: Option<String>,
    /// The `DEFAULT` expression with its text.
    pub default: Option<(Expr, String)>,
    /// `GENERATED ALWAYS AS (expr)`: the text.
    pub generated: Option<String>,
    /// `GENERATED … AS IDENTITY`: start, step, and whether values may be given.
    pub identity: Option<(i64, i64, bool)>,
    pub position: Option<ColumnPosition>,
    /// Constraints written after the type.
    pub constraints: Vec<TableConstraint>,
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnPosition {
    First,
    After(String),
}

/// How a table is partitioned: by a column or a transform of one.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionTransform {
    /// `identity`, `bucket`, `years`, `months`, `days`, `hours`, `truncate` or another name.
    pub name: String,
    /// Columns and constants.
    pub args: Vec<Expr>,
}

/// `CREATE [OR REPLACE] TABLE`, `REPLACE TABLE`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTable {
    pub name: Vec<String>,
    pub if_not_exists: bool,
    /// `CREATE OR REPLACE`, or `REPLACE`.
    pub replace: bool,
    /// False for `REPLACE TABLE`, which needs the table to exist.
    pub create: bool,
    pub external: bool,
    pub columns: Vec<ColumnDef>,
    pub constraints: Vec<TableConstraint>,
    /// `USING format`.
    pub provider: Option<String>,
    pub options: Options,
    pub properties: Options,
    pub partitioning: Vec<PartitionTransform>,
    /// Columns with a type in `PARTITIONED BY`, added after the others.
    pub partition_columns: Vec<ColumnDef>,
    pub bucket: Option<BucketSpec>,
    pub cluster_by: Vec<Vec<String>>,
    pub location: Option<String>,
    pub comment: Option<String>,
    pub collation: Option<String>,
    /// `STORED AS`/`ROW FORMAT`.
    pub storage: Option<Storage>,
    /// `AS query`.
    pub query: Option<Plan>,
}

/// `CLUSTERED BY (…) [SORTED BY (…)] INTO n BUCKETS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSpec {
    pub columns: Vec<String>,
    pub sort_columns: Vec<String>,
    pub buckets: i32,
}

/// Hive's storage clauses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    /// `STORED AS parquet`.
    pub format: Option<String>,
    pub input_format: Option<String>,
    pub output_format: Option<String>,
    /// `ROW FORMAT SERDE`.
    pub serde: Option<String>,
    pub serde_properties: Options,
}

/// A constraint of a table, as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct TableConstraint {
    pub name: Option<String>,
    pub kind: ConstraintKind,
    pub enforced: Option<bool>,
    pub rely: Option<bool>,
}

/// Kinds of constraints.
#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    Check { condition: Expr, text: String },
    PrimaryKey(Vec<String>),
    Unique(Vec<String>),
    ForeignKey { columns: Vec<String>, table: Vec<String>, referenced: Vec<String> },
}

/// `ALTER TABLE`, `ALTER VIEW`: one change.
#[derive(Debug, Clone, PartialEq)]
pub enum AlterTableAction {
    Rename(Vec<String>),
    RenamePartition {
        from: PartitionSpec,
        to: PartitionSpec,
    },
    AddColumns(Vec<ColumnDef>),
    ReplaceColumns {
        partition: PartitionSpec,
        columns: Vec<ColumnDef>,
    },
    DropColumns {
        columns: Vec<Vec<String>>,
        if_exists: bool,
    },
    RenameColumn {
        from: Vec<String>,
        to: String,
    },
    AlterColumns(Vec<AlterColumn>),
    SetProperties(Options),
    UnsetProperties {
        keys: Vec<String>,
        if_exists: bool,
    },
    SetLocation {
        partition: PartitionSpec,
        location: String,
    },
    SetSerde {
        partition: PartitionSpec,
        serde: Option<String>,
        properties: Options,
    },
    AddPartitions {
        partitions: Vec<(PartitionSpec, Option<String>)>,
        if_not_exists: bool,
    },
    DropPartitions {
        partitions: Vec<PartitionSpec>,
        if_exists: bool,
        purge: bool,
    },
    RecoverPartitions,
    /// `None`: `CLUSTER BY NONE`.
    ClusterBy(Option<Vec<Vec<String>>>),
    SetCollation(String),
    AddConstraint(TableConstraint),
    DropConstraint {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    /// `ALTER VIEW … AS query`.
    SetQuery {
        plan: Plan,
        text: String,
    },
    /// `ALTER VIEW … WITH SCHEMA mode`.
    SchemaBinding(String),
}

/// `ALTER COLUMN`: what changes of one column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterColumn {
    pub name: Vec<String>,
    pub data_type: Option<DataType>,
    pub nullable: Option<bool>,
    pub comment: Option<String>,
    pub position: Option<ColumnPosition>,
    /// `Some(None)`: `DROP DEFAULT`.
    pub default: Option<Option<(Expr, String)>>,
}

/// `CREATE FUNCTION … RETURN`: a function in SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlFunction {
    pub name: Vec<String>,
    pub params: Vec<FunctionParam>,
    /// `None` where `RETURNS` is left out.
    pub returns: Option<FunctionReturn>,
    pub body: FunctionBody,
    /// The text of the body.
    pub text: String,
    /// The text of the whole statement.
    pub statement: String,
    pub deterministic: Option<bool>,
    pub contains_sql: Option<bool>,
    pub comment: Option<String>,
    /// `DEFAULT COLLATION`.
    pub collation: Option<String>,
    pub temporary: bool,
    pub replace: bool,
    pub if_not_exists: bool,
}

/// A parameter of a SQL function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionParam {
    pub field: StructField,
    /// The `DEFAULT` expression with its text.
    pub default: Option<(Expr, String)>,
}

/// What a SQL function returns.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionReturn {
    Scalar(DataType),
    /// `RETURNS TABLE (…)`; no columns for `RETURNS TABLE`.
    Table(Vec<StructField>),
}

/// The body of a SQL function.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionBody {
    Expression(Expr),
    Query(Box<Plan>),
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    pub table: Vec<String>,
    pub options: Options,
    /// `INSERT INTO t (a, b)`.
    pub columns: Vec<String>,
    pub by_name: bool,
    pub partition: PartitionSpec,
    pub if_partition_not_exists: bool,
    pub mode: InsertMode,
    pub schema_evolution: bool,
    pub query: Plan,
    /// What stands before the rows.
    pub origin: Option<Arc<Origin>>,
}

/// What an insert does with the rows that are there.
#[derive(Debug, Clone, PartialEq)]
pub enum InsertMode {
    Append,
    Overwrite,
    /// `REPLACE WHERE condition`.
    ReplaceWhere(Expr),
    /// `REPLACE ON condition`.
    ReplaceOn(Expr),
    /// `REPLACE USING (columns)`.
    ReplaceUsing(Vec<String>),
}

/// `INSERT OVERWRITE DIRECTORY`.
#[derive(Debug, Clone, PartialEq)]
pub struct InsertDirectory {
    pub local: bool,
    pub path: Option<String>,
    pub provider: Option<String>,
    pub options: Options,
    pub storage: Option<Storage>,
    pub query: Plan,
}

/// `MERGE INTO`.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    pub target: Plan,
    pub source: Plan,
    pub condition: Expr,
    pub matched: Vec<MergeClause>,
    pub not_matched: Vec<MergeClause>,
    pub not_matched_by_source: Vec<MergeClause>,
    pub schema_evolution: bool,
}

/// One `WHEN …` of a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeClause {
    pub condition: Option<Expr>,
    pub action: MergeChange,
}

/// What a merge does with a row. Assignments pair a column with its value.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeChange {
    Delete,
    UpdateAll,
    Update(Vec<(Expr, Expr)>),
    InsertAll,
    Insert(Vec<(Expr, Expr)>),
}

/// `SHOW …`.
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    Catalogs {
        pattern: Option<String>,
    },
    Namespaces {
        parent: Option<Vec<String>>,
        pattern: Option<String>,
    },
    Tables {
        namespace: Option<Vec<String>>,
        pattern: Option<String>,
        as_json: bool,
    },
    /// `SHOW TABLE EXTENDED … LIKE pattern [PARTITION …] [AS JSON]`.
    TableExtended {
        namespace: Option<Vec<String>>,
        pattern: String,
        partition: PartitionSpec,
        as_json: bool,
    },
    Views {
        namespace: Option<Vec<String>>,
        pattern: Option<String>,
    },
    Columns {
        table: Vec<String>,
        namespace: Option<Vec<String>>,
    },
    Partitions {
        table: Vec<String>,
        partition: PartitionSpec,
        as_json: bool,
    },
    TableProperties {
        table: Vec<String>,
        key: Option<String>,
    },
    CreateTable {
        table: Vec<String>,
        as_serde: bool,
    },
    /// `scope`: `USER`, `SYSTEM`, `ALL`.
    Functions {
        scope: String,
        namespace: Option<Vec<String>>,
        pattern: Option<String>,
        name: Option<Vec<String>>,
    },
    CurrentNamespace,
    Procedures {
        namespace: Option<Vec<String>>,
    },
    CachedTables,
    Collations {
        pattern: Option<String>,
    },
}

/// `DESCRIBE …`.
#[derive(Debug, Clone, PartialEq)]
pub enum Describe {
    Table { name: Vec<String>, partition: PartitionSpec, extended: bool, as_json: bool },
    Column { table: Vec<String>, column: Vec<String>, extended: bool },
    Namespace { name: Vec<String>, extended: bool },
    Function { name: Vec<String>, extended: bool },
    Procedure { name: Vec<String> },
    Query(Box<Plan>),
}

/// `ANALYZE TABLE … COMPUTE STATISTICS`: for what.
#[derive(Debug, Clone, PartialEq)]
pub enum AnalyzeScope {
    Table { no_scan: bool },
    AllColumns,
    Columns(Vec<String>),
}
