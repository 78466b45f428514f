//! `OVER`: window functions, aggregates as window functions, frames.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr as DfExpr, WindowFrame as DfFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;
use functions::error::from_datafusion;
use functions::{Typed, coerce, fold};
use spark::expr::{FrameBound, SortOrder, WindowFrame, WindowRef, WindowSpec};
use spark::types::DataType;
use spark::{Error, Expr, Result};

use crate::context::Analyzer;
use crate::expr::Scope;

/// A typed ordering.
pub(crate) struct Order {
    pub typed: Typed,
    pub ascending: bool,
    pub nulls_first: bool,
}

impl Order {
    /// As DataFusion sorts.
    pub fn sort(&self) -> Sort {
        Sort::new(self.typed.expr.clone(), self.ascending, self.nulls_first)
    }

    /// As Spark prints it.
    pub fn name(&self) -> String {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        format!("{} {direction} NULLS {nulls}", self.typed.name)
    }
}

impl Analyzer<'_> {
    /// Types `function OVER window`.
    ///
    /// # Errors
    /// `MISSING_WINDOW_SPECIFICATION`, `DATATYPE_MISMATCH.*FRAME*`, and what is wrong inside.
    pub fn window(&mut self, function: &Expr, window: &WindowRef, scope: &mut Scope) -> Result<Typed> {
        let spec = self.window_spec(window)?;
        let typed = self.resolve(function, scope)?;
        let mut partition = Vec::new();
        for expr in &spec.partition_by {
            partition.push(self.resolve(expr, scope)?);
        }
        let order = self.orders(&spec.order_by, scope)?;
        let is_window = contains_window(&typed.expr);
        if is_window && order.is_empty() && needs_order(&typed.expr) {
            return Err(Error::analysis("WINDOW_FUNCTION_AND_FRAME_MISMATCH")
                .with_message(format!("{} needs an ORDER BY in its window.", typed.name)));
        }
        let (frame, frame_name) = self.frame(spec.frame.as_ref(), &order, &typed, scope)?;
        let name = window_name(&typed, &partition, &order, &frame_name);
        let params = |p: WindowFunctionParams| WindowFunctionParams {
            partition_by: partition.iter().map(|t| t.expr.clone()).collect(),
            order_by: order.iter().map(Order::sort).collect(),
            window_frame: frame.clone(),
            ..p
        };
        let expr = over(typed.expr.clone(), &params)?;
        if !contains_window(&expr) {
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_WINDOW")
                .param("sqlExpr", format!("\"{}\"", typed.name))
                .at(scope.origin.as_ref()));
        }
        Ok(Typed::new(expr, typed.ty, typed.nullable, name))
    }

    /// Types a list of orderings.
    ///
    /// # Errors
    /// As the expressions; `DATATYPE_MISMATCH.INVALID_ORDERING_TYPE` for what has no order.
    pub fn orders(&mut self, orders: &[SortOrder], scope: &mut Scope) -> Result<Vec<Order>> {
        orders
            .iter()
            .map(|o| {
                let typed = self.resolve(&o.child, scope)?;
                self.order(typed, o.ascending, o.nulls_first).map_err(|e| e.at(scope.origin.as_ref()))
            })
            .collect()
    }

    /// An ordering by a typed expression.
    ///
    /// # Errors
    /// `DATATYPE_MISMATCH.INVALID_ORDERING_TYPE`.
    pub fn order(&self, typed: Typed, ascending: bool, nulls_first: Option<bool>) -> Result<Order> {
        if !orderable(&typed.ty) {
            return Err(Error::analysis("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE")
                .param(
                    "sqlExpr",
                    format!("\"{} {}\"", typed.name, if ascending { "ASC NULLS FIRST" } else { "DESC NULLS LAST" }),
                )
                .param("functionName", "`sortorder`")
                .param("dataType", format!("\"{}\"", typed.ty.sql())));
        }
        Ok(Order { typed, ascending, nulls_first: nulls_first.unwrap_or(ascending) })
    }

    fn window_spec(&self, window: &WindowRef) -> Result<WindowSpec> {
        match window {
            WindowRef::Named(name) => self.named_window(name),
            WindowRef::Spec(spec) => match &spec.base {
                None => Ok(spec.clone()),
                Some(base) => {
                    let base = self.named_window(base)?;
                    Ok(WindowSpec {
                        base: None,
                        partition_by: base.partition_by,
                        order_by: if spec.order_by.is_empty() { base.order_by } else { spec.order_by.clone() },
                        frame: spec.frame.clone().or(base.frame),
                    })
                }
            },
        }
    }

    fn named_window(&self, name: &str) -> Result<WindowSpec> {
        let found = self
            .windows
            .iter()
            .rev()
            .find_map(|w| w.get(name).or_else(|| w.iter().find(|(k, _)| self.same_name(k, name)).map(|(_, v)| v)));
        match found {
            Some(spec) => self.window_spec(&WindowRef::Spec(spec.clone())),
            None => Err(Error::analysis("MISSING_WINDOW_SPECIFICATION")
                .param("windowName", name)
                .param("docroot", "https://spark.apache.org/docs/latest")),
        }
    }

    /// The frame and its printed form.
    fn frame(
        &mut self,
        frame: Option<&WindowFrame>,
        order: &[Order],
        function: &Typed,
        scope: &mut Scope,
    ) -> Result<(DfFrame, String)> {
        let Some(frame) = frame else { return Ok(default_frame(order, function)) };
        let units = if frame.is_rows { WindowFrameUnits::Rows } else { WindowFrameUnits::Range };
        let (start, start_name) = self.bound_of(&frame.lower, frame.is_rows, true, order, scope)?;
        let (end, end_name) = self.bound_of(&frame.upper, frame.is_rows, false, order, scope)?;
        let unbounded = matches!(frame.lower, FrameBound::UnboundedPreceding)
            && matches!(frame.upper, FrameBound::UnboundedFollowing);
        if !frame.is_rows && order.is_empty() && !unbounded {
            return Err(Error::analysis("DATATYPE_MISMATCH.RANGE_FRAME_WITHOUT_ORDER")
                .param("sqlExpr", format!("\"(RANGE BETWEEN {start_name} AND {end_name})\"")));
        }
        let units_name = if frame.is_rows { "ROWS" } else { "RANGE" };
        let mut frame = DfFrame::new_bounds(units, start, end);
        if order.is_empty() && units == WindowFrameUnits::Range {
            frame = DfFrame::new_bounds(
                WindowFrameUnits::Rows,
                WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
                WindowFrameBound::Following(ScalarValue::UInt64(None)),
            );
        }
        Ok((frame, format!("{units_name} BETWEEN {start_name} AND {end_name}")))
    }

    fn bound_of(
        &mut self,
        bound: &FrameBound,
        is_rows: bool,
        is_lower: bool,
        order: &[Order],
        scope: &mut Scope,
    ) -> Result<(WindowFrameBound, String)> {
        let (value, negate, printed) = match bound {
            FrameBound::UnboundedPreceding => {
                return Ok((WindowFrameBound::Preceding(ScalarValue::UInt64(None)), "UNBOUNDED PRECEDING".into()));
            }
            FrameBound::UnboundedFollowing => {
                return Ok((WindowFrameBound::Following(ScalarValue::UInt64(None)), "UNBOUNDED FOLLOWING".into()));
            }
            FrameBound::CurrentRow => return Ok((WindowFrameBound::CurrentRow, "CURRENT ROW".into())),
            FrameBound::Value(e) => (e, false, None),
            FrameBound::Preceding(e) => (e, true, Some("PRECEDING")),
            FrameBound::Following(e) => (e, false, Some("FOLLOWING")),
        };
        let typed = self.resolve(value, scope)?;
        if !typed.foldable() {
            return Err(Error::analysis("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WITHOUT_FOLDABLE")
                .param("sqlExpr", format!("\"{}\"", typed.name))
                .param("location", if is_lower { "lower" } else { "upper" })
                .param("expression", format!("\"{}\"", typed.name)));
        }
        let scalar = fold::evaluate(&self.bound_type(typed.clone(), is_rows, order))?;
        let negative = is_negative(&scalar);
        let preceding = negative != negate;
        let magnitude = if negative { scalar.arithmetic_negate().map_err(from_datafusion)? } else { scalar };
        let name = match printed {
            Some(word) => format!("{} {word}", typed.name),
            None => {
                let word = if preceding { "PRECEDING" } else { "FOLLOWING" };
                format!("{magnitude} {word}")
            }
        };
        let magnitude = if is_rows { to_u64(&magnitude) } else { magnitude };
        let bound = match preceding {
            true => WindowFrameBound::Preceding(magnitude),
            false => WindowFrameBound::Following(magnitude),
        };
        Ok((bound, name))
    }

    /// The bound's value in the type that the frame compares with.
    fn bound_type(&self, typed: Typed, is_rows: bool, order: &[Order]) -> Typed {
        let target = match (is_rows, order.first().map(|o| &o.typed.ty)) {
            (true, _) => DataType::Long,
            (false, Some(ty)) if ty.is_numeric() => ty.clone(),
            _ => return typed,
        };
        coerce::cast_implicitly(&typed, &target, &self.settings)
    }
}

/// The frame of a window without one: everything without an order, up to the current row's peers with.
fn default_frame(order: &[Order], function: &Typed) -> (DfFrame, String) {
    let rows_only = ranks_rows(&function.expr);
    if rows_only {
        let frame = DfFrame::new_bounds(
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
            WindowFrameBound::CurrentRow,
        );
        return (frame, "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".into());
    }
    if order.is_empty() {
        let frame = DfFrame::new_bounds(
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
            WindowFrameBound::Following(ScalarValue::UInt64(None)),
        );
        return (frame, "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING".into());
    }
    let frame = DfFrame::new_bounds(
        WindowFrameUnits::Range,
        WindowFrameBound::Preceding(ScalarValue::Null),
        WindowFrameBound::CurrentRow,
    );
    (frame, "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".into())
}

fn window_name(function: &Typed, partition: &[Typed], order: &[Order], frame: &str) -> String {
    let mut parts = Vec::new();
    if !partition.is_empty() {
        let names: Vec<&str> = partition.iter().map(|t| t.name.as_str()).collect();
        parts.push(format!("PARTITION BY {}", names.join(", ")));
    }
    if !order.is_empty() {
        let names: Vec<String> = order.iter().map(Order::name).collect();
        parts.push(format!("ORDER BY {}", names.join(", ")));
    }
    parts.push(frame.to_string());
    format!("{} OVER ({})", function.name, parts.join(" "))
}

/// Puts the window into every aggregate and window function of `expr` that has none yet.
fn over(expr: DfExpr, params: &dyn Fn(WindowFunctionParams) -> WindowFunctionParams) -> Result<DfExpr> {
    expr.transform_down(|e| match e {
        DfExpr::AggregateFunction(f) => {
            let p = f.params;
            // DataFusion's window aggregates take their order from the window.
            let inner = WindowFunctionParams {
                args: p.args,
                filter: p.filter,
                null_treatment: p.null_treatment,
                distinct: p.distinct,
                partition_by: vec![],
                order_by: vec![],
                window_frame: DfFrame::new(None),
            };
            let fun = WindowFunctionDefinition::AggregateUDF(f.func);
            let window = WindowFunction { fun, params: params(inner) };
            Ok(Transformed::new(
                DfExpr::WindowFunction(Box::new(window)),
                true,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            ))
        }
        DfExpr::WindowFunction(w) if is_open(&w) => {
            let window = WindowFunction { fun: w.fun, params: params(w.params) };
            Ok(Transformed::new(
                DfExpr::WindowFunction(Box::new(window)),
                true,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            ))
        }
        other => Ok(Transformed::no(other)),
    })
    .map(|t| t.data)
    .map_err(from_datafusion)
}

/// True for a window function as the registry makes it: without partition and order.
fn is_open(w: &WindowFunction) -> bool {
    w.params.partition_by.is_empty() && w.params.order_by.is_empty()
}

/// True if there is a window function in `expr`.
pub(crate) fn contains_window(expr: &DfExpr) -> bool {
    expr.exists(|e| Ok(matches!(e, DfExpr::WindowFunction(_)))).unwrap_or(false)
}

fn window_udf_name(expr: &DfExpr) -> Option<String> {
    let mut name = None;
    let _ = expr.apply(|e| {
        if let DfExpr::WindowFunction(w) = e
            && let WindowFunctionDefinition::WindowUDF(f) = &w.fun
        {
            name = Some(f.name().to_string());
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    name
}

/// True for functions that only make sense over ordered rows.
fn needs_order(expr: &DfExpr) -> bool {
    matches!(
        window_udf_name(expr).as_deref(),
        Some("row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile" | "lag" | "lead")
    )
}

/// True for functions whose frame is fixed by themselves.
fn ranks_rows(expr: &DfExpr) -> bool {
    matches!(window_udf_name(expr).as_deref(), Some("row_number" | "rank" | "dense_rank" | "percent_rank" | "ntile"))
}

fn is_negative(value: &ScalarValue) -> bool {
    let zero = ScalarValue::new_zero(&value.data_type());
    matches!(zero.map(|z| value.partial_cmp(&z)), Ok(Some(std::cmp::Ordering::Less)))
}

fn to_u64(value: &ScalarValue) -> ScalarValue {
    value.cast_to(&arrow_schema::DataType::UInt64).unwrap_or(ScalarValue::UInt64(None))
}

/// True if values of the type have an order.
pub(crate) fn orderable(ty: &DataType) -> bool {
    match ty {
        DataType::Map { .. } | DataType::Variant | DataType::CalendarInterval => false,
        DataType::Geometry(_) | DataType::Geography(_) => false,
        DataType::Array { element, .. } => orderable(element),
        DataType::Struct(s) => s.fields.iter().all(|f| orderable(&f.data_type)),
        DataType::Udt { sql_type, .. } => orderable(sql_type),
        _ => true,
    }
}
