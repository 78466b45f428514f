//! The unresolved plan: what SQL text and protobuf messages both become, and the only thing the
//! analyzer reads.

use std::sync::Arc;

use crate::command::Command;
use crate::expr::{Expr, SortOrder, WindowSpec};
use crate::literal::Literal;
use crate::origin::Origin;
use crate::types::{DataType, StructType};

/// Key and value pairs in the order written.
pub type Options = Vec<(String, String)>;

/// A relation before analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The client's id of the DataFrame, by which `df["x"]` finds it.
    pub plan_id: Option<i64>,
    pub origin: Option<Arc<Origin>>,
    pub node: Node,
}

impl From<Node> for Plan {
    fn from(node: Node) -> Self {
        Plan { plan_id: None, origin: None, node }
    }
}

impl Plan {
    /// A boxed plan without an id.
    pub fn boxed(node: Node) -> Box<Plan> {
        Box::new(node.into())
    }
}

/// The kinds of relations.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    // ---- leaves
    /// One row without columns (`SELECT 1`).
    OneRow,
    /// A table, view or CTE by name.
    Table {
        name: Vec<String>,
        options: Options,
        is_streaming: bool,
        time_travel: Option<Box<TimeTravel>>,
    },
    /// The query of a metric view.
    MetricView(Box<MetricView>),
    /// `IDENTIFIER(expr)` in place of a table name.
    TableByIdentifier {
        name: Box<Expr>,
        options: Options,
    },
    /// `spark.read.format(…).load(…)`, or `` parquet.`path` `` in SQL.
    DataSource(DataSource),
    /// Rows sent by the client as one Arrow IPC stream; `data` is empty for a relation without rows.
    LocalRelation {
        data: Option<Arc<[u8]>>,
        schema: Option<SchemaText>,
    },
    /// Local relation by content hash; resolved to [`Node::LocalRelation`] before analysis.
    CachedLocalRelation {
        hash: String,
    },
    /// Local relation in chunks by content hash.
    ChunkedLocalRelation {
        data_hashes: Vec<String>,
        schema_hash: Option<String>,
    },
    /// A checkpointed relation held by the server.
    CachedRemoteRelation {
        id: String,
    },
    /// `VALUES (…), (…)`.
    InlineTable {
        rows: Vec<Vec<Expr>>,
    },
    /// `spark.range`; `start` inclusive, `end` exclusive.
    Range {
        start: i64,
        end: i64,
        step: i64,
        partitions: Option<i32>,
    },
    /// A table function: `range(…)`, `explode(…)`, a user's.
    TableFunction {
        name: Vec<String>,
        args: Vec<Expr>,
    },
    /// SQL text with its arguments.
    Sql {
        text: String,
        named_args: Vec<(String, Expr)>,
        positional_args: Vec<Expr>,
    },
    /// A command whose result is a relation (`SHOW TABLES` used as a DataFrame).
    Command(Box<Command>),
    /// A `spark.catalog` call; its result is a relation.
    Catalog(Box<crate::command::CatalogCall>),

    // ---- operators
    Project {
        input: Box<Plan>,
        exprs: Vec<Expr>,
    },
    Filter {
        input: Box<Plan>,
        condition: Expr,
    },
    /// `HAVING`; `input` is the aggregate.
    Having {
        input: Box<Plan>,
        condition: Expr,
    },
    /// `QUALIFY`.
    Qualify {
        input: Box<Plan>,
        condition: Expr,
    },
    Join(Box<Join>),
    AsOfJoin(Box<AsOfJoin>),
    NearestByJoin(Box<NearestByJoin>),
    Zip {
        left: Box<Plan>,
        right: Box<Plan>,
    },
    SetOp(Box<SetOp>),
    Aggregate(Box<Aggregate>),
    /// SQL's `PIVOT`, over `input` as it is; implicit grouping by the other columns.
    Pivot(Box<SqlPivot>),
    Unpivot(Box<Unpivot>),
    Sort {
        input: Box<Plan>,
        order: SortKeys,
        global: bool,
    },
    Limit {
        input: Box<Plan>,
        limit: Expr,
    },
    Offset {
        input: Box<Plan>,
        offset: Expr,
    },
    Tail {
        input: Box<Plan>,
        limit: i32,
    },
    Distinct {
        input: Box<Plan>,
    },
    Deduplicate {
        input: Box<Plan>,
        columns: Vec<String>,
        all_columns: bool,
        within_watermark: bool,
    },
    /// `AS alias(columns)`; `columns` may be empty.
    SubqueryAlias {
        input: Box<Plan>,
        alias: Vec<String>,
        columns: Vec<String>,
    },
    With {
        ctes: Vec<Cte>,
        recursive: bool,
        input: Box<Plan>,
    },
    /// `WINDOW w AS (…)` in scope of `input`.
    WithWindows {
        input: Box<Plan>,
        windows: Vec<(String, WindowSpec)>,
    },
    LateralView(Box<LateralView>),
    Sample(Box<Sample>),
    Repartition {
        input: Box<Plan>,
        partitions: i32,
        shuffle: bool,
    },
    /// `DISTRIBUTE BY`, `repartition(n, cols)`, `repartitionByRange` (all `exprs` are sort orders).
    RepartitionBy {
        input: Box<Plan>,
        exprs: Vec<Expr>,
        partitions: Option<i32>,
    },
    ToDf {
        input: Box<Plan>,
        names: Vec<String>,
    },
    WithColumns {
        input: Box<Plan>,
        columns: Vec<Expr>,
    },
    WithColumnsRenamed {
        input: Box<Plan>,
        renames: Vec<(String, String)>,
    },
    Drop {
        input: Box<Plan>,
        columns: Vec<Expr>,
        names: Vec<String>,
        must_exist: bool,
    },
    Hint {
        input: Box<Plan>,
        name: String,
        params: Vec<Expr>,
    },
    ToSchema {
        input: Box<Plan>,
        schema: StructType,
    },
    WithWatermark {
        input: Box<Plan>,
        column: String,
        delay: String,
    },
    CollectMetrics {
        input: Box<Plan>,
        name: String,
        metrics: Vec<Expr>,
    },
    Transpose {
        input: Box<Plan>,
        index: Vec<Expr>,
    },
    /// JSON, CSV or XML text in the only column of `input`.
    Parse {
        input: Box<Plan>,
        format: String,
        schema: Option<StructType>,
        options: Options,
    },
    FillNa {
        input: Box<Plan>,
        columns: Vec<String>,
        values: Vec<Literal>,
    },
    DropNa {
        input: Box<Plan>,
        columns: Vec<String>,
        min_non_nulls: Option<i32>,
    },
    Replace {
        input: Box<Plan>,
        columns: Vec<String>,
        replacements: Vec<(Literal, Literal)>,
    },
    Summary {
        input: Box<Plan>,
        statistics: Vec<String>,
    },
    Describe {
        input: Box<Plan>,
        columns: Vec<String>,
    },
    Crosstab {
        input: Box<Plan>,
        col1: String,
        col2: String,
    },
    Cov {
        input: Box<Plan>,
        col1: String,
        col2: String,
    },
    Corr {
        input: Box<Plan>,
        col1: String,
        col2: String,
        method: Option<String>,
    },
    ApproxQuantile {
        input: Box<Plan>,
        columns: Vec<String>,
        probabilities: Vec<f64>,
        relative_error: f64,
    },
    FreqItems {
        input: Box<Plan>,
        columns: Vec<String>,
        support: Option<f64>,
    },
    SampleBy {
        input: Box<Plan>,
        column: Expr,
        fractions: Vec<(Literal, f64)>,
        seed: Option<i64>,
    },
    /// `|> EXTEND`: the columns of `input` and these; no aggregate functions.
    PipeExtend {
        input: Box<Plan>,
        exprs: Vec<Expr>,
    },
    /// `|> SET`: columns that exist are replaced in place, one assignment after the other; no
    /// aggregate functions.
    PipeSet {
        input: Box<Plan>,
        assignments: Vec<(String, Expr)>,
    },
    /// `|> AGGREGATE`: every one of `aggregates` has an aggregate function, and the grouping comes first.
    PipeAggregate(Box<Aggregate>),
    /// The table as text, as `df.show()` prints it: one string cell.
    ShowString {
        input: Box<Plan>,
        rows: i32,
        truncate: i32,
        vertical: bool,
    },
    HtmlString {
        input: Box<Plan>,
        rows: i32,
        truncate: i32,
    },
    /// `root` with other relations that its subquery expressions name by plan id, or its SQL by alias.
    WithRelations {
        root: Box<Plan>,
        references: Vec<Plan>,
    },
    /// Python code over partitions or groups; kept whole until the Python runner takes it.
    MapPartitions {
        input: Box<Plan>,
        function: Expr,
        is_barrier: bool,
    },
    GroupMap {
        input: Box<Plan>,
        grouping: Vec<Expr>,
        function: Expr,
        sorting: Vec<Expr>,
    },
    CoGroupMap {
        left: Box<Plan>,
        left_grouping: Vec<Expr>,
        right: Box<Plan>,
        right_grouping: Vec<Expr>,
        function: Expr,
    },
    /// A message that this server knows of and cannot run yet; analysis refuses it by name.
    Unsupported {
        what: String,
    },
}

/// A schema as text: DDL or JSON.
pub type SchemaText = String;

/// `TIMESTAMP AS OF` / `VERSION AS OF`.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeTravel {
    Timestamp(Expr),
    Version(String),
}

/// Files (or another source) to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DataSource {
    /// `None`: `spark.sql.sources.default`.
    pub format: Option<String>,
    pub schema: Option<SchemaText>,
    pub options: Options,
    pub paths: Vec<String>,
    pub predicates: Vec<String>,
    pub is_streaming: bool,
}

/// Kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinType {
    Inner,
    FullOuter,
    LeftOuter,
    RightOuter,
    LeftAnti,
    LeftSemi,
    Cross,
}

/// How the sides of a join match.
#[derive(Debug, Clone, PartialEq)]
pub enum JoinCriteria {
    None,
    On(Expr),
    Using(Vec<String>),
    Natural,
}

/// A join; `lateral`: the right side may refer to columns of the left.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub left: Plan,
    pub right: Plan,
    pub join_type: JoinType,
    pub criteria: JoinCriteria,
    pub lateral: bool,
    /// `joinWith`: each side becomes one column, a struct of its columns where this says so.
    pub tupled: Option<Tupled>,
}

/// Which sides of a `joinWith` are structs; the others have one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tupled {
    pub left: bool,
    pub right: bool,
}

/// `joinAsOf`.
#[derive(Debug, Clone, PartialEq)]
pub struct AsOfJoin {
    pub left: Plan,
    pub right: Plan,
    pub left_as_of: Expr,
    pub right_as_of: Expr,
    pub condition: Option<Expr>,
    pub using: Vec<String>,
    pub join_type: String,
    pub tolerance: Option<Expr>,
    pub allow_exact_matches: bool,
    pub direction: String,
}

/// `nearestByJoin`.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestByJoin {
    pub left: Plan,
    pub right: Plan,
    pub ranking: Expr,
    pub num_results: i32,
    pub join_type: String,
    pub mode: String,
    pub direction: String,
}

/// Set operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetOpKind {
    Union,
    Intersect,
    Except,
}

/// `UNION`, `INTERSECT`, `EXCEPT`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetOp {
    pub left: Plan,
    pub right: Plan,
    pub kind: SetOpKind,
    pub all: bool,
    pub by_name: bool,
    pub allow_missing_columns: bool,
}

/// Kinds of grouping.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupKind {
    GroupBy,
    Rollup,
    Cube,
    /// The sets, each a list of grouping expressions.
    GroupingSets(Vec<Vec<Expr>>),
    /// `GROUP BY ALL`: by every output expression without an aggregate.
    All,
    Pivot {
        column: Expr,
        values: Vec<Literal>,
    },
}

/// A metric view: rows of `source` under dimensions, and aggregates over them that queries ask for by
/// `measure(name)`.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricView {
    /// The rows, filtered.
    pub source: Plan,
    pub dimensions: Vec<MetricColumn>,
    pub measures: Vec<MetricColumn>,
    /// What the source is said to be: a table's name or a query.
    pub from: String,
    pub is_from_query: bool,
    /// The text of the filter.
    pub filter: Option<String>,
}

/// A dimension or measure of a metric view.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricColumn {
    pub name: String,
    pub expr: Expr,
    /// What Spark says of the column beside its type.
    pub metadata: crate::types::Metadata,
}

/// An aggregation.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub input: Plan,
    pub kind: GroupKind,
    /// For SQL, may hold ordinals and select-list aliases, and analytic groupings as functions
    /// (`rollup(…)`, `cube(…)`, `grouping_sets(row, row, …)`) to be combined.
    pub grouping: Vec<Expr>,
    /// The output. For the DataFrame API the grouping columns come first (`retain_grouping`).
    pub aggregates: Vec<Expr>,
    /// True for the API, where the grouping expressions are put before `aggregates`.
    pub prepend_grouping: bool,
}

/// SQL's `PIVOT (aggregates FOR columns IN (values))`.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlPivot {
    pub input: Plan,
    pub aggregates: Vec<Expr>,
    /// One column, or several for `FOR (a, b)`.
    pub columns: Vec<Expr>,
    /// Values, possibly aliased; rows for several columns.
    pub values: Vec<Expr>,
}

/// `UNPIVOT`. `values` are groups of columns; each group has an optional alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpivot {
    pub input: Plan,
    /// `None`: every column that is not a value column.
    pub ids: Option<Vec<Expr>>,
    /// `None`: every column that is not an id.
    pub values: Option<Vec<(Vec<Expr>, Option<String>)>>,
    pub variable_column: String,
    pub value_columns: Vec<String>,
    pub include_nulls: bool,
}

/// Sort keys, or all columns (`ORDER BY ALL`).
#[derive(Debug, Clone, PartialEq)]
pub enum SortKeys {
    Keys(Vec<SortOrder>),
    All { ascending: bool, nulls_first: Option<bool> },
}

/// One `name(columns) AS (plan)` of a `WITH`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cte {
    pub name: String,
    pub columns: Vec<String>,
    pub plan: Plan,
    /// `MAX RECURSION LEVEL n`.
    pub max_recursion: Option<i32>,
}

/// `LATERAL VIEW [OUTER] generator(args) table AS columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct LateralView {
    pub input: Plan,
    pub generator: Expr,
    pub outer: bool,
    pub table: Option<String>,
    pub columns: Vec<String>,
}

/// A sample of rows between two fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub input: Plan,
    pub lower: f64,
    pub upper: f64,
    pub with_replacement: bool,
    pub seed: Option<i64>,
    pub deterministic_order: bool,
}

/// A type by its text, for places where the parser defers to the analyzer.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeRef {
    Type(DataType),
    Text(String),
}
