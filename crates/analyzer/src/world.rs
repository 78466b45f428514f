//! What the analyzer knows of the world: answers gathered by the scheduler, by need.
//!
//! Analysis is pure. Where it needs something it does not have (a table's schema, a view's text, a
//! file listing), it says so with a [`Need`]; the scheduler finds the answer and asks again.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use datafusion::logical_expr::TableSource;
use spark::plan::{DataSource, Options};
use spark::types::StructType;
use spark::{Error, Literal, Plan, Settings};

/// Something analysis must be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// A table or view by the name as written (1 to n parts), with the options of the read.
    Relation { name: Vec<String>, options: Options },
    /// Files or another source.
    Source(DataSource),
    /// `spark.range` and SQL's `range`.
    Range { start: i64, end: i64, step: i64, partitions: Option<i32> },
    /// A checkpointed relation.
    Remote(String),
    /// A user's function (`CREATE FUNCTION`, `spark.udf.register`) that is not built in.
    Function(Vec<String>),
    /// A session variable.
    Variable(Vec<String>),
    /// The distinct values of a pivot column, or the result of another query that decides the shape of
    /// this one. Keyed by [`Query::key`].
    Query(Query),
    /// The schema of texts in a format; the query yields them.
    TextSchema { texts: Query, format: String, options: Options },
    /// Result of a command used as a relation, or of a catalog call.
    CommandResult(Query),
}

/// A query to be run during analysis, compared by its debug text.
#[derive(Debug, Clone)]
pub struct Query {
    pub plan: Arc<Plan>,
    pub key: String,
}

impl Query {
    pub fn new(plan: Plan) -> Self {
        let key = format!("{plan:?}");
        Query { plan: Arc::new(plan), key }
    }
}
impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Query {}
impl std::hash::Hash for Query {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// What the scheduler found.
#[derive(Clone)]
pub enum Answer {
    /// Something that can be scanned.
    Table(Table),
    /// A view: its plan is analysed in place. Temp views hold a frozen plan.
    View(View),
    /// There is no such thing; analysis turns it into Spark's error for the place.
    NotFound,
    /// Looking it up failed (a corrupt file, a missing path).
    Failed(Error),
    /// A session variable's value.
    Variable(Literal),
    /// Rows of a query, column by column typed as literals.
    Rows(Vec<Vec<Literal>>),
    /// The schema that was asked for.
    Schema(StructType),
    /// A user-defined SQL function.
    SqlFunction(Arc<SqlFunction>),
}

/// A scannable relation.
#[derive(Clone)]
pub struct Table {
    /// Fully qualified (`spark_catalog`, `default`, `t`); empty for files and other anonymous sources.
    pub name: Vec<String>,
    /// Spark's schema; the source's Arrow schema is `functions::types::to_arrow` of it, field by field.
    pub schema: StructType,
    pub source: Arc<dyn TableSource>,
}

/// A view.
#[derive(Clone)]
pub struct View {
    /// Fully qualified, or the bare name of a temporary view.
    pub name: Vec<String>,
    pub plan: Arc<Plan>,
    /// What unqualified names inside mean.
    pub catalog: Option<(Arc<str>, Arc<str>)>,
    /// The search path it was made with, if that was not the standard.
    pub path: Option<Arc<[Vec<String>]>>,
    /// Whether its query is in ANSI mode, where that was kept.
    pub ansi: Option<bool>,
    /// The collation of its strings that have no other.
    pub collation: Option<Arc<str>>,
    /// The columns the catalog has of it.
    pub stored: StoredColumns,
}

/// A view's columns as they were when it was made.
#[derive(Debug, Clone)]
pub struct StoredColumns {
    pub schema: StructType,
    /// The names of the query's columns in the order of the schema.
    pub query_names: Vec<String>,
    pub mode: SchemaMode,
    /// The statement that would make the view anew.
    pub statement: String,
}

/// What becomes of a view's columns when its query yields others than it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaMode {
    /// The types stay; a value must fit its column's type without loss.
    Binding,
    /// The types stay; values are cast.
    Compensation,
    /// The types follow the query.
    TypeEvolution,
    /// The columns are the query's.
    Evolution,
}

impl SchemaMode {
    /// The mode as `WITH SCHEMA` writes it; a view without one binds.
    pub fn named(name: &str) -> Self {
        match name {
            "COMPENSATION" => SchemaMode::Compensation,
            "TYPE EVOLUTION" => SchemaMode::TypeEvolution,
            "EVOLUTION" => SchemaMode::Evolution,
            _ => SchemaMode::Binding,
        }
    }
}

/// `CREATE FUNCTION … RETURN …`.
#[derive(Debug)]
pub struct SqlFunction {
    pub name: Vec<String>,
    /// Parameters: name, type, default.
    pub parameters: Vec<(String, spark::DataType, Option<spark::Expr>)>,
    pub body: SqlFunctionBody,
    /// The collation of its strings that have no other.
    pub collation: Option<Arc<str>>,
    pub about: AboutFunction,
}

/// What is said of a SQL function and not needed to call it.
#[derive(Debug, Clone, Default)]
pub struct AboutFunction {
    pub comment: Option<String>,
    pub deterministic: bool,
    /// Whether it reads tables.
    pub reads_data: bool,
    /// The text of the body.
    pub text: String,
    /// The texts of the parameters' defaults, and their comments.
    pub parameters: Vec<(Option<String>, Option<String>)>,
    pub created_micros: i64,
}

/// The body of a SQL function.
#[derive(Debug)]
pub enum SqlFunctionBody {
    Scalar { expr: spark::Expr, returns: Option<spark::DataType> },
    Table { plan: Plan, returns: Option<StructType> },
}

/// Settings and the answers so far.
#[derive(Clone)]
pub struct World {
    pub settings: Settings,
    pub answers: HashMap<Need, Answer>,
    /// The settings in the other mode, for views that were made in it.
    in_other_mode: OnceLock<Settings>,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        World { settings, answers: HashMap::new(), in_other_mode: OnceLock::new() }
    }

    /// The settings with ANSI mode on or off.
    pub fn settings_in(&self, ansi: bool) -> &Settings {
        if self.settings.ansi == ansi {
            return &self.settings;
        }
        self.in_other_mode.get_or_init(|| Settings { ansi, ..self.settings.clone() })
    }
}
