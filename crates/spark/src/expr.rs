//! Unresolved expressions: what SQL text and protobuf messages both become.

use std::sync::Arc;

use crate::literal::Literal;
use crate::origin::Origin;
use crate::plan::Plan;
use crate::types::DataType;

/// An expression before analysis. Operators are functions under Spark's symbol or name: `+`, `=`,
/// `<=>`, `and`, `not`, `in`, `between`, `isnull`, `isnotnull`, `like` (2 or 3 arguments), `when`
/// (the `CASE` of SQL: condition, value, …, else), `negative` (`-x`), `positive` (`+x`), `~`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Literal(Literal),
    Attribute(UnresolvedAttribute),
    Star(UnresolvedStar),
    /// Columns by regular expression (`df.colRegex`).
    Regex {
        pattern: String,
        plan_id: Option<i64>,
    },
    Function(Box<UnresolvedFunction>),
    /// `child AS name` or, for generators, `AS (a, b)`.
    Alias {
        child: Box<Expr>,
        names: Vec<String>,
        metadata: Option<String>,
    },
    Cast {
        child: Box<Expr>,
        to: DataType,
        mode: CastMode,
    },
    /// An ordering inside a list of expressions (window, aggregate).
    SortOrder(Box<SortOrder>),
    Lambda {
        body: Box<Expr>,
        params: Vec<String>,
    },
    /// A reference to a lambda parameter, by the name in [`Expr::Lambda`].
    LambdaVariable(Vec<String>),
    Window {
        function: Box<Expr>,
        window: Box<WindowRef>,
    },
    /// `child[extraction]`, `child.field`.
    ExtractValue {
        child: Box<Expr>,
        extraction: Box<Expr>,
    },
    /// `withField` (value present) or `dropFields` (absent).
    UpdateFields {
        child: Box<Expr>,
        field: String,
        value: Option<Box<Expr>>,
    },
    Subquery(Box<Subquery>),
    NamedArgument {
        name: String,
        value: Box<Expr>,
    },
    /// `:name`, `?`.
    Parameter(Parameter),
    /// `IDENTIFIER(expr)` used as a column or function name; `args` set when it is called.
    Identifier {
        name: Box<Expr>,
        args: Option<Vec<Expr>>,
    },
    /// The `DEFAULT` keyword as a value.
    Default,
    /// SQL text to be parsed as an expression (`F.expr`, `selectExpr`).
    Text(String),
    /// A Python function sent inline.
    PythonUdf(Box<PythonUdf>),
    /// Positions in the source of the expression inside.
    At {
        child: Box<Expr>,
        origin: Arc<Origin>,
    },
    /// A grouping of values: `(a, b)` written as a row.
    Row(Vec<Expr>),
    /// The physical shuffle partition a row goes to (`repartitionById`).
    DirectShufflePartitionId(Box<Expr>),
}

/// A column by name.
#[derive(Debug, Clone, PartialEq)]
pub struct UnresolvedAttribute {
    /// Name parts, unquoted.
    pub parts: Vec<String>,
    /// The DataFrame the column was taken from (`df["x"]`).
    pub plan_id: Option<i64>,
    pub is_metadata_column: bool,
}

/// `*`, `t.*`, `struct_col.*`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnresolvedStar {
    pub target: Vec<String>,
    pub plan_id: Option<i64>,
    /// `* EXCEPT (a, b.c)`.
    pub except: Vec<Vec<String>>,
}

/// A call by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnresolvedFunction {
    pub name: Vec<String>,
    pub args: Vec<Expr>,
    pub distinct: bool,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// `WITHIN GROUP (ORDER BY …)`.
    pub within_group: Vec<SortOrder>,
    /// `IGNORE NULLS` (true) or `RESPECT NULLS` (false).
    pub ignore_nulls: Option<bool>,
    /// Spark's internal registry rather than the user's.
    pub is_internal: bool,
    /// Written as an operator or keyword in SQL rather than called (changes the printed name,
    /// e.g. `(- x)` and `negative(x)`).
    pub is_operator: bool,
}

/// How a cast treats values that do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CastMode {
    /// By `spark.sql.ansi.enabled`.
    Session,
    Legacy,
    Ansi,
    Try,
}

/// An ordering.
#[derive(Debug, Clone, PartialEq)]
pub struct SortOrder {
    pub child: Expr,
    pub ascending: bool,
    /// `None`: Spark's default (first when ascending, last when descending).
    pub nulls_first: Option<bool>,
}

/// The window of an `OVER`.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowRef {
    Named(String),
    Spec(WindowSpec),
}

/// A window definition. `base` is a named window it extends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowSpec {
    pub base: Option<String>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<SortOrder>,
    pub frame: Option<WindowFrame>,
    /// Where it is written.
    pub origin: Option<Arc<Origin>>,
}

/// A frame: `ROWS` or `RANGE` between two bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFrame {
    pub is_rows: bool,
    pub lower: FrameBound,
    pub upper: FrameBound,
}

/// One end of a frame. A `Value` is signed: negative is preceding.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    UnboundedPreceding,
    UnboundedFollowing,
    CurrentRow,
    Value(Box<Expr>),
    /// SQL's `expr PRECEDING`, kept apart as `expr` may be an interval.
    Preceding(Box<Expr>),
    Following(Box<Expr>),
}

/// A subquery used as an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    pub kind: SubqueryKind,
    pub plan: SubqueryPlan,
}

/// What the subquery stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum SubqueryKind {
    Scalar,
    Exists,
    /// `values IN (subquery)`.
    In(Vec<Expr>),
    /// A table argument of a table function.
    TableArg {
        partition_by: Vec<Expr>,
        order_by: Vec<SortOrder>,
        with_single_partition: bool,
    },
}

/// The subquery's plan, or the plan id of a reference of the enclosing `WithRelations`.
#[derive(Debug, Clone, PartialEq)]
pub enum SubqueryPlan {
    Plan(Box<Plan>),
    Ref(i64),
}

/// A parameter marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    Named(String),
    /// Zero-based position among the `?` of the statement.
    Positional(usize),
}

/// A Python function as the client pickled it.
#[derive(Debug, Clone, PartialEq)]
pub struct PythonUdf {
    pub name: String,
    pub args: Vec<Expr>,
    pub eval_type: i32,
    pub output_type: DataType,
    pub command: Vec<u8>,
    pub python_version: String,
    pub deterministic: bool,
}

impl Expr {
    /// A column by its parts.
    pub fn attribute(parts: impl IntoIterator<Item = impl Into<String>>) -> Expr {
        Expr::Attribute(UnresolvedAttribute {
            parts: parts.into_iter().map(Into::into).collect(),
            plan_id: None,
            is_metadata_column: false,
        })
    }

    /// A call as the API makes it.
    pub fn call(name: impl Into<String>, args: Vec<Expr>) -> Expr {
        Expr::Function(Box::new(UnresolvedFunction { name: vec![name.into()], args, ..Default::default() }))
    }

    /// An operator or keyword form written in SQL.
    pub fn operator(name: impl Into<String>, args: Vec<Expr>) -> Expr {
        Expr::Function(Box::new(UnresolvedFunction {
            name: vec![name.into()],
            args,
            is_operator: true,
            ..Default::default()
        }))
    }

    /// `self AS name`.
    pub fn alias(self, name: impl Into<String>) -> Expr {
        Expr::Alias { child: Box::new(self), names: vec![name.into()], metadata: None }
    }

    /// The expression below any [`Expr::At`].
    pub fn unpositioned(&self) -> &Expr {
        let mut expr = self;
        while let Expr::At { child, .. } = expr {
            expr = child;
        }
        expr
    }
}
