//! Attributes with identities, and analysed relations.
//!
//! A column of a plan is named `#<id>`; everything Spark knows about it (name, qualifier, nullability,
//! metadata) is in its [`Attr`]. Two references are the same column exactly if their ids are equal.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow_schema::FieldRef;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Projection};
use functions::Typed;
use functions::error::from_datafusion;
use functions::operators::{Kind, Operator};
use spark::types::{DataType, Metadata, StructField, StructType};
use spark::{Error, Result};

/// The name of the hidden column of a scan of files.
pub(crate) const METADATA: &str = "_metadata";

/// A column of an analysed relation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attr {
    pub id: u64,
    pub name: String,
    /// Table alias, or catalog, database and table.
    pub qualifier: Vec<String>,
    pub ty: DataType,
    pub nullable: bool,
    pub metadata: Metadata,
}

impl Attr {
    /// The column's name in the plan.
    pub fn column_name(&self) -> String {
        format!("#{}", self.id)
    }

    /// A reference to the column.
    pub fn expr(&self) -> Expr {
        Expr::Column(Column::new_unqualified(self.column_name()))
    }

    /// A reference with what Spark knows of the column.
    pub fn typed(&self) -> Typed {
        Typed {
            expr: self.expr(),
            ty: self.ty.clone(),
            nullable: self.nullable,
            name: self.name.clone(),
            metadata: self.metadata.clone(),
        }
    }

    /// The same column, nullable.
    pub fn as_nullable(&self) -> Attr {
        Attr { nullable: true, ..self.clone() }
    }
}

/// The id in a column name of ours.
pub(crate) fn column_id(column: &Column) -> Option<u64> {
    column.name.strip_prefix('#')?.parse().ok()
}

/// An analysed relation.
#[derive(Clone)]
pub(crate) struct Rel {
    /// Has at least the columns of `output`; others may be left over.
    pub plan: LogicalPlan,
    /// What users see, in order; an attribute may occur twice.
    pub output: Vec<Attr>,
    /// What users can name but `*` does not show: the sides of a `USING` join.
    pub hidden: Vec<Attr>,
    pub made: Rc<Made>,
    /// The tree of relations, for `df["x"]`.
    pub tree: Rc<Tree>,
}

/// How a relation came about, so that operators above can reach columns it left out.
pub(crate) enum Made {
    /// Its input's other columns are out of reach.
    Opaque,
    /// A scan of files, with the columns that say which file a row is from.
    Files { metadata: Attr, name: Attr },
    /// A projection: `exprs` make the columns of `plan`, in order.
    Project { input: Rel, exprs: Vec<Expr> },
    /// One input whose columns all pass through.
    Pass { input: Rel },
    /// The columns of a metric view, over which there is a plan only below an aggregation: `rows`.
    MetricView { rows: LogicalPlan },
    /// An aggregation: more aggregates can be computed for `HAVING` and `ORDER BY`.
    Aggregate(Box<crate::relation::aggregate::Grouped>),
}

/// A relation's place in the tree of the query, for resolution by DataFrame.
pub(crate) struct Tree {
    pub plan_id: Option<i64>,
    pub output: Vec<Attr>,
    pub hidden: Vec<Attr>,
    pub children: Vec<Rc<Tree>>,
}

impl Drop for Tree {
    fn drop(&mut self) {
        // A chain of thousands of operators must not be dropped by recursion.
        let mut stack = std::mem::take(&mut self.children);
        while let Some(child) = stack.pop() {
            if let Some(mut tree) = Rc::into_inner(child) {
                stack.append(&mut tree.children);
            }
        }
    }
}

impl Rel {
    /// A relation from a plan over `children`.
    pub fn new(plan: LogicalPlan, output: Vec<Attr>, made: Made, children: &[&Rel]) -> Rel {
        let tree = Tree {
            plan_id: None,
            output: output.clone(),
            hidden: Vec::new(),
            children: children.iter().map(|c| c.tree.clone()).collect(),
        };
        Rel { plan, output, hidden: Vec::new(), made: Rc::new(made), tree: Rc::new(tree) }
    }

    /// The relation with hidden columns.
    pub fn with_hidden(mut self, hidden: Vec<Attr>) -> Rel {
        self.tree = Rc::new(Tree {
            plan_id: None,
            output: self.output.clone(),
            hidden: hidden.clone(),
            children: self.tree.children.clone(),
        });
        self.hidden = hidden;
        self
    }

    /// Gives the relation the client's id.
    pub fn tagged(mut self, plan_id: Option<i64>) -> Rel {
        if plan_id.is_some() {
            let below = if self.tree.plan_id.is_none() { self.tree.children.clone() } else { vec![self.tree.clone()] };
            self.tree =
                Rc::new(Tree { plan_id, output: self.output.clone(), hidden: self.hidden.clone(), children: below });
        }
        self
    }

    /// The same rows with other names or qualifiers on the columns.
    pub fn renamed(&self, output: Vec<Attr>) -> Rel {
        Rel::new(self.plan.clone(), output, Made::Pass { input: self.clone() }, &[self])
    }

    /// The schema Spark reports.
    pub fn schema(&self) -> StructType {
        StructType::new(
            self.output
                .iter()
                .map(|a| StructField {
                    name: a.name.clone(),
                    data_type: a.ty.clone(),
                    nullable: a.nullable,
                    metadata: a.metadata.clone(),
                })
                .collect(),
        )
    }

    /// True if the plan's columns are exactly those of the output, in order and each once.
    fn is_exact(&self) -> bool {
        let fields = self.plan.schema().fields();
        fields.len() == self.output.len() && fields.iter().zip(&self.output).all(|(f, a)| f.name() == &a.column_name())
    }

    /// The plan with exactly the columns of the output, each once; `None` in place of what occurs twice.
    ///
    /// # Errors
    /// If a column is missing: a defect.
    pub fn exact_plan(&self) -> Result<LogicalPlan> {
        if self.is_exact() {
            return Ok(self.plan.clone());
        }
        let mut seen = std::collections::HashSet::new();
        let exprs = self.output.iter().filter(|a| seen.insert(a.id)).map(Attr::expr).collect();
        project(exprs, &self.plan)
    }

    /// True if the plan has column `id`.
    pub fn has_column(&self, id: u64) -> bool {
        let name = format!("#{id}");
        self.plan.schema().fields().iter().any(|f| f.name() == &name)
    }

    /// The columns of the plan, by their ids.
    fn columns(&self) -> impl Iterator<Item = u64> {
        self.plan.schema().fields().iter().filter_map(|f| f.name().strip_prefix('#')?.parse().ok())
    }

    /// The relation with the columns `ids` in its plan, if they can be carried up from below.
    pub fn with_columns(&self, ids: &[u64]) -> Option<Rel> {
        let there: std::collections::HashSet<u64> = self.columns().collect();
        let missing: Vec<u64> = ids.iter().copied().filter(|id| !there.contains(id)).collect();
        if missing.is_empty() {
            return Some(self.clone());
        }
        match &*self.made {
            Made::Project { input, exprs } => {
                let input = input.with_columns(&missing)?;
                let mut exprs = exprs.clone();
                exprs.extend(missing.iter().map(|id| Expr::Column(Column::new_unqualified(format!("#{id}")))));
                let plan = project(exprs.clone(), &input.plan).ok()?;
                Some(Rel { plan, made: Rc::new(Made::Project { input, exprs }), ..self.clone() })
            }
            Made::Pass { input } => {
                let input = input.with_columns(&missing)?;
                let plan = if self.plan.inputs().len() == 1 && !std::ptr::eq(&self.plan, &input.plan) {
                    rebase(&self.plan, &input)?
                } else {
                    input.plan.clone()
                };
                Some(Rel { plan, made: Rc::new(Made::Pass { input }), ..self.clone() })
            }
            Made::Opaque | Made::Files { .. } | Made::MetricView { .. } | Made::Aggregate(_) => None,
        }
    }

    /// The relation as an aggregation reads it: directly above a metric view there are rows.
    pub fn aggregated(&self) -> Rel {
        self.with_metrics().unwrap_or_else(|| self.clone())
    }

    /// The relation over the rows of the metric view that it shows, if it does.
    pub fn with_metrics(&self) -> Option<Rel> {
        match &*self.made {
            Made::MetricView { rows } => Some(Rel { plan: rows.clone(), made: Rc::new(Made::Opaque), ..self.clone() }),
            Made::Pass { input } => {
                // An alias has no operator of its own.
                let is_alias = is_metric_view(&self.plan);
                let input = input.with_metrics()?;
                let plan = if is_alias { input.plan.clone() } else { rebase(&self.plan, &input)? };
                Some(Rel { plan, made: Rc::new(Made::Pass { input }), ..self.clone() })
            }
            _ => None,
        }
    }

    /// Which file a row is from, if all rows come from one scan of files: `_metadata`, and the file's name.
    pub fn files(&self) -> Option<(&Attr, &Attr)> {
        let mut rel = self;
        loop {
            match &*rel.made {
                Made::Files { metadata, name } => return Some((metadata, name)),
                _ => rel = rel.below()?,
            }
        }
    }

    /// The relation below, if its columns can be reached from above.
    pub fn below(&self) -> Option<&Rel> {
        match &*self.made {
            Made::Project { input, .. } | Made::Pass { input } => Some(input),
            Made::Opaque | Made::Files { .. } | Made::MetricView { .. } | Made::Aggregate(_) => None,
        }
    }
}

/// True for the operator that stands for a metric view.
fn is_metric_view(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Extension(extension) = plan else { return false };
    extension.node.as_any().downcast_ref::<Operator>().is_some_and(|o| o.kind == Kind::MetricView)
}

/// `plan` (an operator that passes its input's columns through) over a wider input. A plan that is its
/// input's own plan (an alias, which has no operator) is replaced by the input's.
fn rebase(plan: &LogicalPlan, input: &Rel) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            plan.with_new_exprs(plan.expressions(), vec![input.plan.clone()]).ok()
        }
        LogicalPlan::Extension(e) if e.node.as_any().is::<Operator>() => {
            plan.with_new_exprs(plan.expressions(), vec![input.plan.clone()]).ok()
        }
        _ => Some(input.plan.clone()),
    }
}

/// The projection `exprs` over the projection that made `rel` as one projection, and what it is over:
/// columns added one at a time do not make a plan that is as deep as they are many.
///
/// `None` where they are not one: what is computed from computed columns needs them first, and columns
/// that are left out may still be asked for.
pub(crate) fn merged(rel: &Rel, exprs: &[Expr]) -> Option<(Rel, Vec<Expr>)> {
    let Made::Project { input, exprs: below } = &*rel.made else { return None };
    if !matches!(rel.plan, LogicalPlan::Projection(_)) || exprs.len() < below.len() {
        return None;
    }
    let named: HashMap<String, &Expr> = below.iter().map(|e| (e.schema_name().to_string(), e)).collect();
    let passes = |name: &str| matches!(named.get(name), Some(Expr::Column(_)));
    let mut kept = 0;
    let mut out = Vec::with_capacity(exprs.len());
    for expr in exprs {
        match expr {
            Expr::Column(column) => {
                out.push((*named.get(&column.name)?).clone());
                kept += 1;
            }
            computed if computed.column_refs().iter().all(|c| passes(&c.name)) && !has_subquery(computed) => {
                out.push(computed.clone());
            }
            _ => return None,
        }
    }
    (kept == named.len()).then(|| (input.clone(), out))
}

/// `SELECT exprs FROM input`, where columns of `known` by the same name are the same expression: their
/// types are not found out again.
///
/// # Errors
/// If two expressions have one name: a defect.
pub(crate) fn project_knowing(exprs: Vec<Expr>, input: &LogicalPlan, known: &DFSchema) -> Result<LogicalPlan> {
    let there: HashMap<&str, &FieldRef> = known.fields().iter().map(|f| (f.name().as_str(), f)).collect();
    let mut fields = Vec::with_capacity(exprs.len());
    for expr in &exprs {
        let field = match there.get(expr.schema_name().to_string().as_str()) {
            Some(field) => Arc::clone(field),
            None => expr.to_field(input.schema()).map_err(from_datafusion)?.1,
        };
        fields.push((None, field));
    }
    let schema = DFSchema::new_with_metadata(fields, known.metadata().clone()).map_err(from_datafusion)?;
    let projection =
        Projection::try_new_with_schema(exprs, Arc::new(input.clone()), Arc::new(schema)).map_err(from_datafusion)?;
    Ok(LogicalPlan::Projection(projection))
}

/// True if there is a query in `expr`, which may refer to columns by names of its own.
fn has_subquery(expr: &Expr) -> bool {
    let is_query = |e: &Expr| {
        matches!(e, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::OuterReferenceColumn(..))
    };
    expr.exists(|e| Ok(is_query(e))).unwrap_or(true)
}

/// `SELECT exprs FROM input`.
///
/// # Errors
/// If two expressions have one name: a defect.
pub(crate) fn project(exprs: Vec<Expr>, input: &LogicalPlan) -> Result<LogicalPlan> {
    // A column under its own name is the column: beside the column itself it would be there twice.
    let exprs = exprs.into_iter().map(|e| match e {
        Expr::Alias(alias) if alias.relation.is_none() && alias.metadata.is_none() => match *alias.expr {
            Expr::Column(column) if column.relation.is_none() && column.name == alias.name => Expr::Column(column),
            inner => Expr::Alias(datafusion::logical_expr::expr::Alias { expr: Box::new(inner), ..alias }),
        },
        other => other,
    });
    let exprs: Vec<Expr> = exprs.collect();
    let projection = Projection::try_new(exprs, Arc::new(input.clone())).map_err(from_datafusion)?;
    Ok(LogicalPlan::Projection(projection))
}

/// What is wrong with a plan that the analyzer made itself.
pub(crate) fn defect(what: impl Into<String>) -> Error {
    Error::internal(what)
}
