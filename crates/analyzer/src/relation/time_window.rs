//! `window`, `session_window` and `window_time`: a call of one of the first two stands for a column that
//! is computed below the operator it is written in, where rows without a time are left out, rows in
//! several windows are repeated, and sessions that overlap are merged for each group.

use datafusion::functions::core::expr_fn::{get_field, named_struct};
use datafusion::functions_aggregate::{min_max, sum};
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr as DfExpr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, lit, when,
};
use datafusion::scalar::ScalarValue;
use functions::Typed;
use functions::error::from_datafusion;
use functions::families::datetime::bucket::{SESSION_MARK, TimeWindow, WINDOW_MARK};
use spark::expr::UnresolvedFunction;
use spark::types::Metadata;
use spark::{Error, Expr, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::function::builtin_name;
use crate::expr::list::Bound;
use crate::scope::{Attr, Made, Rel, project};

/// What windows are called in a query: their columns, and themselves.
const WINDOW: &str = "window";
const SESSION: &str = "session_window";

/// A relation with the column of a window, and expressions that use it.
pub(crate) struct Windowed {
    pub rel: Rel,
    pub exprs: Vec<Expr>,
    pub attr: Attr,
    /// The windows are sessions, to be merged if the rows are grouped by them.
    pub is_session: bool,
}

impl Analyzer<'_> {
    /// Puts the window that `exprs` call for below them; `None` if they call for none.
    ///
    /// # Errors
    /// `_LEGACY_ERROR_TEMP_1039` for several windows, and what is wrong with one.
    pub(super) fn time_windows(&mut self, rel: &Rel, exprs: &[Expr]) -> Result<Option<Windowed>> {
        if !exprs.iter().any(mentions_window) {
            return Ok(None);
        }
        let mut exprs = exprs.to_vec();
        for expr in &mut exprs {
            self.spell_out(expr)?;
        }
        let mut calls = Vec::new();
        exprs.iter_mut().for_each(|e| find(e, &mut calls));
        let Some((first, rest)) = calls.split_first() else { return Ok(None) };
        let window = self.time_window(rel, first)?;
        for other in rest {
            let again = self.time_window(rel, other)?;
            if again.name != window.name || again.value.expr != window.value.expr {
                return Err(Error::analysis("_LEGACY_ERROR_TEMP_1039")
                    .with_message("Rows can be put into the windows of one window expression only.")
                    .at(first.origin.as_ref()));
            }
        }
        let is_session = window.name == SESSION;
        let (rel, attr) = self.with_window(rel, window)?;
        let bound = self.bound(Bound { typed: attr.typed(), attr: Some(attr.clone()) });
        exprs.iter_mut().for_each(|e| replace(e, &bound));
        Ok(Some(Windowed { rel, exprs, attr, is_session }))
    }

    /// Text that may call for a window, parsed.
    fn spell_out(&mut self, expr: &mut Expr) -> Result<()> {
        if let Expr::Text(text) = expr
            && text.to_ascii_lowercase().contains(WINDOW)
        {
            *expr = self.parse_expression(text)?;
        }
        let mut outcome = Ok(());
        expr.for_each_child_mut(&mut |e| {
            if outcome.is_ok() {
                outcome = stacker::maybe_grow(64 * 1024, 1024 * 1024, || self.spell_out(e));
            }
        });
        outcome
    }

    fn time_window(&mut self, rel: &Rel, call: &FoundCall) -> Result<Value> {
        let mut scope = Scope::new(rel, "GROUP BY");
        scope.origin = call.origin.clone();
        if builtin_name(&call.function.name).as_deref() == Some(SESSION) {
            let value = self.function(&call.function, &mut scope)?;
            return Ok(Value { name: SESSION, value, window: None });
        }
        let window = TimeWindow::of(self.call_of(WINDOW, &call.function, &mut scope)?)?;
        Ok(Value { name: WINDOW, value: window.first(), window: Some(window) })
    }

    /// `rel` with the window as a column that can be named and is not shown by `*`.
    fn with_window(&mut self, rel: &Rel, window: Value) -> Result<(Rel, Attr)> {
        let needed = super::project::needed_columns(std::slice::from_ref(&window.value.expr));
        let source = rel.with_columns(&needed).unwrap_or_else(|| rel.clone());
        let mark = if window.name == SESSION { SESSION_MARK } else { WINDOW_MARK };
        let metadata = Metadata::default().with(mark, serde_json::Value::Bool(true));
        let (plan, mut attr) = match window.window {
            Some(sliding) if !sliding.is_tumbling() => {
                let (generated, columns) = self.generate(&source, sliding.generator(), &[])?;
                let Some(attr) = columns.into_iter().next() else {
                    return Err(Error::internal("windows are one column"));
                };
                (generated.plan, Attr { nullable: true, ..attr })
            }
            _ => {
                let attr = self.fresh_attr(window.name, &Typed { nullable: false, ..window.value.clone() });
                let mut columns = columns_of(&source.plan);
                columns.push(window.value.expr.alias(attr.column_name()));
                let plan = project(columns, &source.plan)?;
                (self.only_windows(plan, &attr, window.name == SESSION)?, attr)
            }
        };
        attr.metadata = metadata;
        let mut hidden = rel.hidden.clone();
        hidden.push(attr.clone());
        let out = Rel::new(plan, rel.output.clone(), Made::Opaque, &[rel]).with_hidden(hidden);
        Ok((out, attr))
    }

    /// Rows with a window; a session must be longer than nothing.
    fn only_windows(&self, plan: LogicalPlan, attr: &Attr, is_session: bool) -> Result<LogicalPlan> {
        let column = attr.expr();
        let condition = match is_session {
            true => get_field(column.clone(), "end").gt(get_field(column, "start")),
            false => column.is_not_null(),
        };
        LogicalPlanBuilder::from(plan).filter(condition).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)
    }

    /// `rel` with the sessions of rows that are equal in `keys` merged where they overlap or touch.
    pub(super) fn merge_sessions(&mut self, rel: Rel, session: &Attr, keys: &[Typed]) -> Result<Rel> {
        let keys: Vec<DfExpr> = keys.iter().map(|k| k.expr.clone()).filter(|k| *k != session.expr()).collect();
        let columns = columns_of(&rel.plan);
        let mut name = || format!("#{}", self.fresh_id());
        let [start, end, before, opens, number, first, last] = [name(), name(), name(), name(), name(), name(), name()];
        let mut all = columns.clone();
        all.push(get_field(session.expr(), "start").alias(&start));
        all.push(get_field(session.expr(), "end").alias(&end));
        let plan = project(all, &rel.plan)?;
        let by_start = vec![Sort::new(column(&start), true, true)];

        // The latest end of the sessions before tells whether another one begins.
        let ended = over(min_max::max_udaf(), column(&end), &keys, &by_start, Frame::Before);
        let plan = self.add(plan, ended, &before)?;
        let begins =
            when(column(&start).gt(column(&before)), lit(1i64)).otherwise(lit(0i64)).map_err(from_datafusion)?;
        let mut all = columns_of(&plan);
        all.push(begins.alias(&opens));
        let plan = project(all, &plan)?;
        let plan = self.add(plan, over(sum::sum_udaf(), column(&opens), &keys, &by_start, Frame::UpToNow), &number)?;

        let mut groups = keys;
        groups.push(column(&number));
        let plan = self.add(plan, over(min_max::min_udaf(), column(&start), &groups, &[], Frame::All), &first)?;
        let plan = self.add(plan, over(min_max::max_udaf(), column(&end), &groups, &[], Frame::All), &last)?;
        let merged = named_struct(vec![lit("start"), column(&first), lit("end"), column(&last)]);
        let ty = session.expr().get_type(rel.plan.schema()).map_err(from_datafusion)?;
        let merged = datafusion::logical_expr::cast(merged, ty);
        let id = session.column_name();
        let columns = columns.into_iter().map(|c| if c == session.expr() { merged.clone().alias(&id) } else { c });
        Ok(Rel { plan: project(columns.collect(), &plan)?, ..rel })
    }

    /// `plan` with the value of a window function as a column of that name.
    fn add(&self, plan: LogicalPlan, function: DfExpr, name: &str) -> Result<LogicalPlan> {
        let before = columns_of(&plan);
        let computed = LogicalPlanBuilder::window_plan(plan, vec![function]).map_err(from_datafusion)?;
        // DataFusion names the columns of a window operator itself.
        let Some(last) = computed.schema().fields().last().map(|f| column(f.name())) else {
            return Err(Error::internal("a window function is a column"));
        };
        let mut columns = before;
        columns.push(last.alias(name));
        project(columns, &computed)
    }
}

/// A window as it is called for.
struct Value {
    name: &'static str,
    /// The window of a row, or the first one of several.
    value: Typed,
    /// Absent for sessions.
    window: Option<TimeWindow>,
}

/// The rows that a window function looks at.
enum Frame {
    Before,
    UpToNow,
    All,
}

fn over(
    function: std::sync::Arc<datafusion::logical_expr::AggregateUDF>,
    arg: DfExpr,
    partition_by: &[DfExpr],
    order_by: &[Sort],
    frame: Frame,
) -> DfExpr {
    let unbounded = ScalarValue::UInt64(None);
    let end = match frame {
        Frame::Before => WindowFrameBound::Preceding(ScalarValue::UInt64(Some(1))),
        Frame::UpToNow => WindowFrameBound::CurrentRow,
        Frame::All => WindowFrameBound::Following(unbounded.clone()),
    };
    let window_frame = WindowFrame::new_bounds(WindowFrameUnits::Rows, WindowFrameBound::Preceding(unbounded), end);
    DfExpr::WindowFunction(Box::new(WindowFunction {
        fun: WindowFunctionDefinition::AggregateUDF(function),
        params: WindowFunctionParams {
            args: vec![arg],
            partition_by: partition_by.to_vec(),
            order_by: order_by.to_vec(),
            window_frame,
            filter: None,
            null_treatment: None,
            distinct: false,
        },
    }))
}

fn column(name: &str) -> DfExpr {
    DfExpr::Column(datafusion::common::Column::new_unqualified(name))
}

fn columns_of(plan: &LogicalPlan) -> Vec<DfExpr> {
    plan.schema().fields().iter().map(|f| column(f.name())).collect()
}

/// A call and where it stands.
struct FoundCall {
    function: UnresolvedFunction,
    origin: Option<std::sync::Arc<spark::Origin>>,
}

fn is_window(f: &UnresolvedFunction) -> bool {
    // The rank functions' window is another syntax; a call of this name is always a time window.
    matches!(builtin_name(&f.name).as_deref(), Some(WINDOW | SESSION))
}

/// A cheap look for what may be a window.
fn mentions_window(expr: &Expr) -> bool {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || match expr {
        Expr::Text(text) => text.to_ascii_lowercase().contains(WINDOW),
        Expr::Function(f) => is_window(f) || f.args.iter().chain(&f.filter).any(mentions_window),
        Expr::At { child, .. } | Expr::Alias { child, .. } | Expr::Cast { child, .. } => mentions_window(child),
        Expr::SortOrder(order) => mentions_window(&order.child),
        Expr::ExtractValue { child, extraction } => mentions_window(child) || mentions_window(extraction),
        Expr::Row(values) => values.iter().any(mentions_window),
        Expr::Window { function, window } => {
            mentions_window(function)
                || matches!(&**window, spark::expr::WindowRef::Spec(spec)
                    if spec.partition_by.iter().chain(spec.order_by.iter().map(|o| &o.child)).any(mentions_window))
        }
        _ => false,
    })
}

fn find(expr: &mut Expr, calls: &mut Vec<FoundCall>) {
    find_at(expr, None, calls);
}

fn find_at(expr: &mut Expr, origin: Option<&std::sync::Arc<spark::Origin>>, calls: &mut Vec<FoundCall>) {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || match expr {
        Expr::Function(f) if is_window(f) => {
            calls.push(FoundCall { function: (**f).clone(), origin: origin.cloned() });
        }
        Expr::At { child, origin } => find_at(child, Some(&*origin), calls),
        other => other.for_each_child_mut(&mut |e| find_at(e, origin, calls)),
    });
}

fn replace(expr: &mut Expr, with: &Expr) {
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || match expr {
        Expr::Function(f) if is_window(f) => *expr = with.clone(),
        other => other.for_each_child_mut(&mut |e| replace(e, with)),
    });
}
