//! Where rows go: `repartition`, `coalesce`, `DISTRIBUTE BY` and the hints that mean the same; hints to
//! joins.

use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, LogicalPlanBuilder, Subquery, cast, lit};
use functions::Typed;
use functions::error::from_datafusion;
use functions::families::collation::key_expr;
use functions::families::placement::{hash_bucket, range_bounds, range_bucket, sort_key_expr};
use functions::operators::{Exchange, JoinStrategy, Kind, Operator};
use spark::types::DataType;
use spark::{Error, ErrorKind, Expr, Literal, Node, Plan, Result};
use std::sync::Arc;

use crate::context::Analyzer;
use crate::scope::{Made, Rel, project};

/// A hint to the joins of the relation below it.
pub(crate) struct JoinHints {
    strategy: JoinStrategy,
    /// Tables it names, and whether each was found.
    tables: Vec<(Vec<String>, bool)>,
}

impl Analyzer<'_> {
    pub(super) fn repartition(&mut self, input: &Plan, partitions: i32, shuffle: bool) -> Result<Rel> {
        let rel = self.relation(input)?;
        let partitions = positive(partitions)?;
        Ok(if shuffle { exchange(&rel, None, partitions, false) } else { coalesce(&rel, partitions) })
    }

    pub(super) fn repartition_by(&mut self, input: &Plan, exprs: &[Expr], partitions: Option<i32>) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.repartition_rel(&rel, exprs, partitions)
    }

    /// `rel` by `exprs`: ranges where all of them are orderings, hashes otherwise.
    fn repartition_rel(&mut self, rel: &Rel, exprs: &[Expr], partitions: Option<i32>) -> Result<Rel> {
        let adaptive = partitions.is_none() && self.is_adaptive();
        let buckets = match partitions {
            Some(n) => positive(n)?,
            None => self.shuffle_partitions(),
        };
        let is_order = |e: &Expr| matches!(e.unpositioned(), Expr::SortOrder(_));
        match exprs {
            [] => Ok(exchange(rel, None, buckets, adaptive)),
            [id] if matches!(id.unpositioned(), Expr::DirectShufflePartitionId(_)) => self.by_id(rel, id, buckets),
            _ if exprs.iter().all(is_order) => self.by_range(rel, exprs, buckets, adaptive),
            _ if exprs.iter().any(is_order) => Err(Error::new(ErrorKind::IllegalArgument, "")
                .with_message("Rows go by ordered columns or by hashed ones, not by both.")),
            _ => self.by_hash(rel, exprs, buckets, adaptive),
        }
    }

    fn is_adaptive(&self) -> bool {
        let conf = &self.settings.conf;
        conf.get_bool("spark.sql.adaptive.enabled", true)
            && conf.get_bool("spark.sql.adaptive.coalescePartitions.enabled", true)
    }

    fn shuffle_partitions(&self) -> usize {
        let default = self.settings.conf.get_int("spark.sql.shuffle.partitions", 200);
        let initial = if self.is_adaptive() {
            self.settings.conf.get_int("spark.sql.adaptive.coalescePartitions.initialPartitionNum", default)
        } else {
            default
        };
        usize::try_from(initial).unwrap_or(1).max(1)
    }

    fn by_hash(&mut self, rel: &Rel, exprs: &[Expr], buckets: usize, adaptive: bool) -> Result<Rel> {
        let (keys, source) = self.resolve_reaching(rel, "DISTRIBUTE BY", |this, scope| {
            exprs.iter().map(|e| this.resolve(e, scope)).collect::<Result<Vec<Typed>>>()
        })?;
        let keys = keys.into_iter().map(|t| key_expr(t.expr, &t.ty)).collect();
        Ok(exchange_from(&source, rel, Some(hash_bucket(keys, buckets)), buckets, adaptive))
    }

    /// By a number the user computes.
    fn by_id(&mut self, rel: &Rel, id: &Expr, buckets: usize) -> Result<Rel> {
        let Expr::DirectShufflePartitionId(inner) = id.unpositioned() else {
            return Err(Error::internal("a partition's number was expected"));
        };
        let (typed, source) = self.resolve_reaching(rel, "REPARTITION", |this, scope| this.resolve(inner, scope))?;
        if !matches!(typed.ty, DataType::Integer | DataType::Null) {
            return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
                .param("sqlExpr", format!("\"direct_shuffle_partition_id({})\"", typed.name))
                .param("paramIndex", "first")
                .param("inputSql", format!("\"{}\"", typed.name))
                .param("inputType", format!("\"{}\"", typed.ty.sql()))
                .param("requiredType", "\"INT\"")
                .with_message("A partition's number is an INT."));
        }
        let n = lit(i64::try_from(buckets).unwrap_or(i64::MAX));
        let id = cast(typed.expr, arrow_schema::DataType::Int64);
        // The remainder that is not negative; a missing number counts as 0.
        let number = (id % n.clone() + n.clone()) % n;
        let number = datafusion::functions::core::expr_fn::coalesce(vec![number, lit(0i64)]);
        let bucket = cast(number, arrow_schema::DataType::Int32);
        Ok(exchange_from(&source, rel, Some(bucket), buckets, false))
    }

    /// By ranges of about equal size, whose bounds are drawn from the rows themselves.
    fn by_range(&mut self, rel: &Rel, exprs: &[Expr], buckets: usize, adaptive: bool) -> Result<Rel> {
        let keys: Vec<_> = exprs
            .iter()
            .filter_map(|e| match e.unpositioned() {
                Expr::SortOrder(order) => Some((**order).clone()),
                _ => None,
            })
            .collect();
        let (orders, source) = self.resolve_reaching(rel, "ORDER BY", |this, scope| this.orders(&keys, scope))?;
        let flags: Vec<(bool, bool)> = orders.iter().map(|o| (o.ascending, o.nulls_first)).collect();
        let keys = orders.iter().map(|o| key_expr(o.typed.expr.clone(), &o.typed.ty)).collect();
        let key = sort_key_expr(keys, &flags);
        let bounds = LogicalPlanBuilder::from(source.plan.clone())
            .aggregate(Vec::<DfExpr>::new(), vec![range_bounds(key.clone(), buckets).alias("#bounds")])
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_datafusion)?;
        let bounds = DfExpr::ScalarSubquery(Subquery {
            subquery: Arc::new(bounds),
            outer_ref_columns: Vec::new(),
            spans: Default::default(),
        });
        let number = format!("#{}", self.fresh_id());
        let mut columns = columns_of(&source.plan);
        columns.push(range_bucket(key, bounds).alias(number.clone()));
        let numbered = project(columns, &source.plan)?;
        let bucket = DfExpr::Column(datafusion::common::Column::new_unqualified(number));
        let moved = Operator::plan(Kind::Exchange(Exchange { bucket: Some(bucket), buckets, adaptive }), numbered);
        let plan = project(columns_of(&source.plan), &moved)?;
        let out = Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]);
        Ok(out.with_hidden(rel.hidden.clone()))
    }

    /// A hint: to the placement of rows, to joins, or one that is not known and does nothing.
    pub(super) fn hint(&mut self, input: &Plan, name: &str, params: &[Expr]) -> Result<Rel> {
        let upper = name.to_ascii_uppercase();
        if let Some(strategy) = JoinStrategy::named(&upper) {
            return self.join_hint(input, strategy, &upper, params);
        }
        let known = matches!(upper.as_str(), "COALESCE" | "REPARTITION" | "REPARTITION_BY_RANGE" | "REBALANCE");
        let rel = self.relation(input)?;
        if !known {
            tracing::warn!("The hint {} is not known and does nothing.", shown_hint(name, params));
            return Ok(rel);
        }
        if upper == "COALESCE" {
            return match params {
                [n] if number_of(n).is_some() => Ok(coalesce(&rel, positive(number_of(n).unwrap_or_default())?)),
                _ => Err(Error::analysis("_LEGACY_ERROR_TEMP_1048")
                    .param("hintName", "COALESCE")
                    .with_message("The hint COALESCE takes a number of partitions.")),
            };
        }
        let (partitions, columns) = placement_params(&upper, params)?;
        match upper.as_str() {
            "REBALANCE" if !self.is_adaptive() => Ok(rel),
            "REBALANCE" => {
                let buckets = partitions.map(positive).transpose()?.unwrap_or_else(|| self.shuffle_partitions());
                if columns.is_empty() {
                    return Ok(exchange(&rel, None, buckets, true));
                }
                self.by_hash(&rel, &columns, buckets, true)
            }
            "REPARTITION_BY_RANGE" => {
                let order = |child: Expr| {
                    Expr::SortOrder(Box::new(spark::expr::SortOrder { child, ascending: true, nulls_first: None }))
                };
                let columns: Vec<Expr> = columns.into_iter().map(order).collect();
                self.repartition_rel(&rel, &columns, partitions)
            }
            _ => self.repartition_rel(&rel, &columns, partitions),
        }
    }

    /// A hint to joins: about the tables it names, or about the whole input.
    fn join_hint(&mut self, input: &Plan, strategy: JoinStrategy, name: &str, params: &[Expr]) -> Result<Rel> {
        if params.is_empty() {
            let rel = self.relation(input)?;
            return Ok(self.hinted(rel, strategy));
        }
        let tables = params.iter().map(|p| table_name(p).map(|t| (t, false))).collect::<Option<Vec<_>>>();
        let Some(tables) = tables else {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1049")
                .param("hintName", name)
                .with_message(format!("The hint {name} takes names of tables.")));
        };
        self.join_hints.push(JoinHints { strategy, tables });
        let rel = self.relation(input);
        if let Some(hints) = self.join_hints.pop()
            && rel.is_ok()
        {
            for (table, _) in hints.tables.iter().filter(|(_, found)| !found) {
                let hint = shown_hint(name, params);
                tracing::warn!("The hint {hint} names {}, which is no table of the query.", table.join("."));
            }
        }
        rel
    }

    /// A relation with a hint, unless it is part of a subquery, whose joins DataFusion makes itself.
    fn hinted(&self, rel: Rel, strategy: JoinStrategy) -> Rel {
        if !self.outer.is_empty() {
            return rel;
        }
        let plan = Operator::plan(Kind::JoinHint(strategy), rel.plan.clone());
        Rel { plan, made: std::rc::Rc::new(Made::Pass { input: rel.clone() }), ..rel }
    }

    /// A table or aliased relation, with the hints that name it.
    pub(super) fn with_join_hints(&mut self, node: &Node, rel: Rel) -> Rel {
        let name = match node {
            Node::Table { name, .. } => name,
            Node::SubqueryAlias { alias, .. } => alias,
            _ => return rel,
        };
        let mut strategy = None;
        let mut hints = std::mem::take(&mut self.join_hints);
        for hint in &mut hints {
            for (table, found) in &mut hint.tables {
                if self.qualifies(table, name) {
                    *found = true;
                    // The first hint about a table is the one that counts.
                    strategy.get_or_insert(hint.strategy);
                }
            }
        }
        self.join_hints = hints;
        match strategy {
            Some(strategy) => self.hinted(rel, strategy),
            None => rel,
        }
    }

    /// A condition that depends on where a row is must be evaluated there: it becomes a column, past
    /// which DataFusion moves no filter.
    pub(super) fn pinned(&mut self, source: &Rel, condition: DfExpr) -> Result<(LogicalPlan, DfExpr)> {
        if !condition.is_volatile() || !has_exchange(&source.plan) {
            return Ok((source.plan.clone(), condition));
        }
        let name = format!("#{}", self.fresh_id());
        let mut columns = columns_of(&source.plan);
        columns.push(condition.alias(name.clone()));
        let flag = DfExpr::Column(datafusion::common::Column::new_unqualified(name));
        Ok((project(columns, &source.plan)?, flag))
    }

    /// `rel` with each partition sorted by `order`, instead of the whole.
    pub(super) fn sorted_within(&self, rel: Rel) -> Rel {
        let LogicalPlan::Sort(sort) = &rel.plan else { return rel };
        let input = sort.input.as_ref().clone();
        let plan = Operator::plan(Kind::SortWithin { order: sort.expr.clone() }, input);
        Rel { plan, ..rel }
    }
}

fn columns_of(plan: &LogicalPlan) -> Vec<DfExpr> {
    let columns = plan.schema().fields().iter();
    columns.map(|f| DfExpr::Column(datafusion::common::Column::new_unqualified(f.name()))).collect()
}

/// True if the rows of `plan` were moved by one of our operators, seen through operators of one input.
fn has_exchange(plan: &LogicalPlan) -> bool {
    let mut plan = plan;
    loop {
        if let LogicalPlan::Extension(e) = plan
            && e.node.as_any().downcast_ref::<Operator>().is_some_and(|o| !matches!(o.kind, Kind::JoinHint(_)))
        {
            return true;
        }
        match plan.inputs().as_slice() {
            [input] => plan = input,
            _ => return false,
        }
    }
}

fn exchange(rel: &Rel, bucket: Option<DfExpr>, buckets: usize, adaptive: bool) -> Rel {
    exchange_from(rel, rel, bucket, buckets, adaptive)
}

/// The rows of `source` moved, showing the columns of `shown`.
fn exchange_from(source: &Rel, shown: &Rel, bucket: Option<DfExpr>, buckets: usize, adaptive: bool) -> Rel {
    operator(source, shown, Kind::Exchange(Exchange { bucket, buckets, adaptive }))
}

fn coalesce(rel: &Rel, partitions: usize) -> Rel {
    operator(rel, rel, Kind::Coalesce { partitions })
}

fn operator(source: &Rel, shown: &Rel, kind: Kind) -> Rel {
    let input = match (&kind, &source.plan) {
        (Kind::Exchange(_), LogicalPlan::Extension(e)) => moved_rows(e.node.as_any()).unwrap_or(&source.plan),
        _ => &source.plan,
    };
    let plan = Operator::plan(kind, input.clone());
    let made = Made::Pass { input: source.clone() };
    Rel::new(plan, shown.output.clone(), made, &[shown]).with_hidden(shown.hidden.clone())
}

/// The rows before they were moved, which nobody sees if they are moved again.
fn moved_rows(node: &dyn std::any::Any) -> Option<&LogicalPlan> {
    let operator = node.downcast_ref::<Operator>()?;
    matches!(operator.kind, Kind::Exchange(_) | Kind::Coalesce { .. }).then_some(&operator.input)
}

fn positive(partitions: i32) -> Result<usize> {
    usize::try_from(partitions).ok().filter(|n| *n > 0).ok_or_else(|| {
        Error::new(ErrorKind::IllegalArgument, "")
            .with_message(format!("Rows cannot be put into {partitions} partitions."))
    })
}

fn number_of(expr: &Expr) -> Option<i32> {
    match expr.unpositioned() {
        Expr::Literal(Literal::Integer(n)) => Some(*n),
        Expr::Literal(Literal::Long(n)) => i32::try_from(*n).ok(),
        Expr::Function(f) if f.name == ["negative"] => match f.args.as_slice() {
            [arg] => number_of(arg).map(|n| -n),
            _ => None,
        },
        _ => None,
    }
}

/// The number of partitions and the columns of a hint.
fn placement_params(hint: &str, params: &[Expr]) -> Result<(Option<i32>, Vec<Expr>)> {
    let (partitions, columns) = match params {
        [first, rest @ ..] if number_of(first).is_some() => (number_of(first), rest),
        all => (None, all),
    };
    let mut out = Vec::new();
    let mut invalid = Vec::new();
    for column in columns {
        match column.unpositioned() {
            Expr::Attribute(_) => out.push(column.clone()),
            Expr::Literal(Literal::String(value)) => out.push(Expr::attribute([value.to_string()])),
            Expr::Text(_) => out.push(column.clone()),
            _ => invalid.push(shown_param(column)),
        }
    }
    if invalid.is_empty() {
        return Ok((partitions, out));
    }
    let invalid = invalid.iter().map(|p| format!("\"{p}\"")).collect::<Vec<_>>().join(", ");
    Err(Error::analysis("_LEGACY_ERROR_TEMP_1047")
        .param("hintName", hint)
        .param("invalidParams", &invalid)
        .with_message(format!("The hint {hint} takes a number of partitions and columns; {invalid} is neither.")))
}

fn table_name(param: &Expr) -> Option<Vec<String>> {
    match param.unpositioned() {
        Expr::Attribute(a) => Some(a.parts.clone()),
        Expr::Literal(Literal::String(value)) => Some(value.split('.').map(str::to_string).collect()),
        _ => None,
    }
}

fn shown_param(param: &Expr) -> String {
    match param.unpositioned() {
        Expr::Attribute(a) => a.parts.join("."),
        Expr::Literal(Literal::String(value)) => value.to_string(),
        Expr::Literal(Literal::Integer(n)) => n.to_string(),
        Expr::Literal(Literal::Long(n)) => n.to_string(),
        Expr::Function(f) => f.name.join("."),
        _ => "?".into(),
    }
}

fn shown_hint(name: &str, params: &[Expr]) -> String {
    let params: Vec<String> = params.iter().map(shown_param).collect();
    format!("{name}({})", params.join(", "))
}
