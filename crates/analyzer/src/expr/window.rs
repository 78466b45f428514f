//! `OVER`: window functions, aggregates as window functions, frames.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr as DfExpr, WindowFrame as DfFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;
use functions::error::from_datafusion;
use functions::families::collation::{is_collated, key_expr};
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
        Sort::new(key_expr(self.typed.expr.clone(), &self.typed.ty), self.ascending, self.nulls_first)
    }

    /// As Spark prints it.
    pub fn name(&self) -> String {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        format!("{} {direction} NULLS {nulls}", self.typed.name)
    }

    /// As Spark prints it in plans, where columns show their ids.
    fn name_with_id(&self) -> String {
        let printed = self.name();
        let DfExpr::Column(column) = &self.typed.expr else { return printed };
        let suffix = if self.typed.ty == DataType::Long { "L" } else { "" };
        let name = &self.typed.name;
        printed.replacen(name.as_str(), &format!("{name}{}{suffix}", column.name), 1)
    }
}

impl Analyzer<'_> {
    /// Types `function OVER window`.
    ///
    /// # Errors
    /// `MISSING_WINDOW_SPECIFICATION`, `DATATYPE_MISMATCH.*FRAME*`, and what is wrong inside.
    pub fn window(&mut self, function: &Expr, window: &WindowRef, scope: &mut Scope) -> Result<Typed> {
        let spec = self.window_spec(window).map_err(|e| match window {
            WindowRef::Named(_) => e.at(scope.origin.as_ref()),
            WindowRef::Spec(_) => e,
        })?;
        self.refuse_modifiers_of_windows(function)?;
        let aliases = self.lateral_aliases.len();
        let before = std::mem::replace(&mut scope.in_window, true);
        let typed = self.resolve(function, scope);
        scope.in_window = before;
        let typed = typed?;
        let mut partition = Vec::new();
        for expr in &spec.partition_by {
            let key = self.resolve(expr, scope)?;
            if !orderable(&key.ty) && !matches!(key.ty, DataType::CalendarInterval) {
                return Err(Error::analysis("EXPRESSION_TYPE_IS_NOT_ORDERABLE")
                    .param("expr", format!("\"{}\"", key.name))
                    .param("exprType", format!("\"{}\"", key.ty.sql()))
                    .at(match expr {
                        Expr::At { origin, .. } => Some(origin),
                        _ => None,
                    }));
            }
            partition.push(key);
        }
        let order = self.orders(&spec.order_by, scope)?;
        if let Some(alias) = self.lateral_aliases.get(aliases).cloned() {
            let frame = match &spec.frame {
                None => "unspecifiedframe$()".to_string(),
                Some(frame) => self.printed_frame(&frame.clone(), &order, scope)?,
            };
            return Err(Error::analysis("UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_WINDOW")
                .param("lca", spark::types::quote_identifier(&alias))
                .param("windowExpr", format!("\"{}\"", window_name(&typed, &partition, &order, &frame))));
        }
        let is_window = contains_window(&typed.expr);
        if is_window && order.is_empty() && needs_order(&typed.expr) {
            let printed = self.printed_qualified(|this| {
                let before = std::mem::replace(&mut scope.in_window, true);
                let typed = this.resolve(function, scope);
                scope.in_window = before;
                typed
            });
            let printed = printed.map_or_else(|_| typed.name.clone(), |t| t.name);
            return Err(Error::analysis("WINDOW_FUNCTION_FRAME_NOT_ORDERED")
                .param("wf_name", typed.name.split('(').next().unwrap_or_default().to_lowercase())
                .param("wf_expr", printed)
                .with_message(format!("{} needs an ORDER BY in its window.", typed.name)));
        }
        if let Some(frame) = &spec.frame {
            self.refuse_frame_of(&typed, &frame.clone(), scope)?;
        }
        let (frame, frame_name) = self
            .frame(spec.frame.as_ref(), &partition, &order, &typed, scope)
            .map_err(|e| e.at(spec.origin.as_ref()))?;
        let frame_name = fixed_frame(&typed).unwrap_or(frame_name);
        refuse_window_of(&typed, &order, spec.frame.as_ref())?;
        let name = window_name(&typed, &partition, &order, &frame_name);
        refuse_distinct(&typed, &name)?;
        let order_by = self.window_order(&order, &frame)?;
        let params = |p: WindowFunctionParams| WindowFunctionParams {
            partition_by: partition.iter().map(|t| key_expr(t.expr.clone(), &t.ty)).collect(),
            order_by: order_by.clone(),
            window_frame: frame.clone(),
            ..p
        };
        let expr = over(typed.expr.clone(), &params)?;
        if scope.clause == "SELECT" && !self.outer.is_empty() {
            refuse_outer(&expr, &name, &partition, &order)?;
        }
        if !contains_window(&expr) {
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_WINDOW")
                .param("sqlExpr", format!("\"{}\"", typed.name))
                .at(scope.origin.as_ref()));
        }
        Ok(Typed::new(expr, typed.ty, typed.nullable, name))
    }

    /// Window functions of their own take neither `FILTER` nor `DISTINCT`.
    fn refuse_modifiers_of_windows(&self, function: &Expr) -> Result<()> {
        let Expr::Function(f) = function.unpositioned() else { return Ok(()) };
        let Some(name) = crate::expr::function::builtin_name(&f.name) else { return Ok(()) };
        let is_window =
            functions::registry::function(&name).is_some_and(|f| matches!(f.build, functions::Build::Window(_)));
        let ignores = f.ignore_nulls == Some(true) && !matches!(name.as_str(), "lead" | "lag" | "nth_value");
        let syntax = match (f.distinct, f.filter.is_some()) {
            (true, _) => "DISTINCT",
            (_, true) => "FILTER CLAUSE",
            _ if ignores => "IGNORE NULLS",
            _ => return Ok(()),
        };
        if !is_window || (f.filter.is_some() && name == "nth_value") {
            return Ok(());
        }
        Err(Error::analysis("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX")
            .param("prettyName", spark::types::quote_identifier(&name))
            .param("syntax", syntax))
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
                let origin = match &o.child {
                    Expr::At { origin, .. } => Some(origin),
                    _ => scope.origin.as_ref(),
                };
                self.order(typed, o.ascending, o.nulls_first).map_err(|e| e.at(origin))
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
                        origin: spec.origin.clone(),
                    })
                }
            },
        }
    }

    fn named_window(&self, name: &str) -> Result<WindowSpec> {
        let found = self.windows.iter().rev().find_map(|w| w.get(name));
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
        partition: &[Typed],
        order: &[Order],
        function: &Typed,
        scope: &mut Scope,
    ) -> Result<(DfFrame, String)> {
        let Some(frame) = frame else { return Ok(default_frame(order, function)) };
        let units = if frame.is_rows { WindowFrameUnits::Rows } else { WindowFrameUnits::Range };
        let printed = self.printed_frame(frame, order, scope)?;
        self.check_bounds(frame, &printed, order, scope)?;
        let unbounded = matches!(frame.lower, FrameBound::UnboundedPreceding)
            && matches!(frame.upper, FrameBound::UnboundedFollowing);
        if !frame.is_rows && !unbounded {
            self.check_range(frame, &printed, partition, order, scope)?;
        }
        let start = self.bound_of(&frame.lower, frame.is_rows, order, scope)?;
        let end = self.bound_of(&frame.upper, frame.is_rows, order, scope)?;
        if is_empty_frame(&start, &end) {
            // No row is in such a frame.
            let never = WindowFrameBound::Following(ScalarValue::UInt64(Some(1 << 62)));
            return Ok((DfFrame::new_bounds(WindowFrameUnits::Rows, never.clone(), never), printed));
        }
        let mut frame = DfFrame::new_bounds(units, start, end);
        if order.is_empty() && units == WindowFrameUnits::Range {
            frame = DfFrame::new_bounds(
                WindowFrameUnits::Rows,
                WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
                WindowFrameBound::Following(ScalarValue::UInt64(None)),
            );
        }
        Ok((frame, printed))
    }

    /// `ROWS BETWEEN … AND …`.
    fn printed_frame(&mut self, frame: &WindowFrame, order: &[Order], scope: &mut Scope) -> Result<String> {
        let units = if frame.is_rows { "ROWS" } else { "RANGE" };
        let mut bound = |bound: &FrameBound| match (bound, order) {
            // Where the bound is cast to the type of the order, Spark shows what it casts.
            (FrameBound::Preceding(e), [one]) if !frame.is_rows => {
                let typed = self.resolve(e, scope)?;
                let cast = typed.ty.is_numeric() && (one.typed.ty.is_numeric() || one.typed.ty.is_string());
                match cast && typed.ty != one.typed.ty {
                    true => Ok(format!("(- {}) FOLLOWING", typed.name)),
                    false => Ok(format!("{} PRECEDING", typed.name)),
                }
            }
            _ => self.printed_bound(bound, scope),
        };
        let (lower, upper) = (bound(&frame.lower)?, bound(&frame.upper)?);
        Ok(format!("{units} BETWEEN {lower} AND {upper}"))
    }

    fn printed_bound(&mut self, bound: &FrameBound, scope: &mut Scope) -> Result<String> {
        Ok(match bound {
            FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".into(),
            FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".into(),
            FrameBound::CurrentRow => "CURRENT ROW".into(),
            FrameBound::Preceding(e) => format!("{} PRECEDING", self.resolve(e, scope)?.name),
            FrameBound::Following(e) => format!("{} FOLLOWING", self.resolve(e, scope)?.name),
            FrameBound::Value(e) => {
                let typed = self.resolve(e, scope)?;
                if !typed.foldable() {
                    return Ok(format!("{} FOLLOWING", typed.name));
                }
                format!("{} FOLLOWING", fold::evaluate(&typed)?)
            }
        })
    }

    /// What Spark asks of both bounds before it looks at the order.
    fn check_bounds(&mut self, frame: &WindowFrame, printed: &str, order: &[Order], scope: &mut Scope) -> Result<()> {
        let mut values = Vec::new();
        let mut types: Vec<DataType> = Vec::new();
        let over_text = !frame.is_rows && matches!(order, [one] if one.typed.ty.is_string());
        for (location, bound) in [("lower", &frame.lower), ("upper", &frame.upper)] {
            let (expr, negate) = match bound {
                FrameBound::Value(e) | FrameBound::Following(e) => (e, false),
                FrameBound::Preceding(e) => (e, true),
                _ => {
                    values.push(None);
                    continue;
                }
            };
            let typed = self.resolve(expr, scope)?;
            let mismatch = |sub: &str| {
                Error::analysis(format!("DATATYPE_MISMATCH.{sub}"))
                    .param("sqlExpr", format!("\"{printed}\""))
                    .param("location", location)
            };
            if !typed.foldable() {
                return Err(mismatch("SPECIFIED_WINDOW_FRAME_WITHOUT_FOLDABLE")
                    .param("expression", format!("\"{}\"", typed.name)));
            }
            let required = if frame.is_rows { ROW_BOUND } else { RANGE_BOUND };
            // A negated text is a number, and a number beside an order of texts is a text.
            let ty = match &typed.ty {
                DataType::String { .. } | DataType::Null if negate => DataType::Double,
                ty if over_text && ty.is_numeric() => order[0].typed.ty.clone(),
                ty => ty.clone(),
            };
            types.push(ty.clone());
            if !bound_type_fits(&ty, frame.is_rows) {
                return Err(mismatch("SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE")
                    .param("exprType", format!("\"{}\"", ty.sql()))
                    .param("expectedType", required));
            }
            let scalar = fold::evaluate(&typed)?;
            let number = scalar.cast_to(&arrow_schema::DataType::Float64).ok().and_then(|v| match v {
                ScalarValue::Float64(n) => n,
                _ => None,
            });
            values.push(number.map(|n| if negate { -n } else { n }));
        }
        let invalid = matches!(frame.lower, FrameBound::UnboundedFollowing)
            || matches!(frame.upper, FrameBound::UnboundedPreceding);
        if invalid {
            return Err(Error::analysis("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_INVALID_BOUND")
                .param("sqlExpr", format!("\"{printed}\""))
                .param("upper", format!("\"{}\"", self.signed_bound(&frame.upper, scope)?))
                .param("lower", format!("\"{}\"", self.signed_bound(&frame.lower, scope)?)));
        }
        if let ([lower, upper], false) = (types.as_slice(), matches!(order, [one] if one.typed.ty.is_numeric()))
            && lower != upper
            && !frame.is_rows
        {
            return Err(Error::analysis("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_DIFF_TYPES")
                .param("sqlExpr", format!("\"{printed}\""))
                .param("lower", format!("\"{}\"", self.signed_bound(&frame.lower, scope)?))
                .param("upper", format!("\"{}\"", self.signed_bound(&frame.upper, scope)?))
                .param("lowerType", format!("\"{}\"", lower.sql()))
                .param("upperType", format!("\"{}\"", upper.sql())));
        }
        if let [Some(lower), Some(upper)] = values.as_slice()
            && lower > upper
        {
            return Err(Error::analysis("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON")
                .param("sqlExpr", format!("\"{printed}\""))
                .param("comparison", "less than or equal"));
        }
        Ok(())
    }

    /// A bound as a value: what precedes is negative.
    fn signed_bound(&mut self, bound: &FrameBound, scope: &mut Scope) -> Result<String> {
        match bound {
            FrameBound::Preceding(e) => self.resolve(e, scope).map(|t| format!("(- {})", t.name)),
            FrameBound::Following(e) | FrameBound::Value(e) => self.resolve(e, scope).map(|t| t.name),
            other => self.printed_bound(other, scope),
        }
    }

    /// Whether a frame is the one row that `lag` or `lead` looks at.
    fn is_own_frame(&mut self, function: &Typed, name: &str, frame: &WindowFrame, scope: &mut Scope) -> bool {
        let mut offset = None;
        let _ = function.expr.apply(|e| {
            if let DfExpr::WindowFunction(w) = e
                && let Some(DfExpr::Literal(value, _)) = w.params.args.get(1)
            {
                offset = value.cast_to(&arrow::datatypes::DataType::Int64).ok();
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        let Some(ScalarValue::Int64(Some(offset))) = offset else { return false };
        let own = if name == "lag" { -offset } else { offset };
        let mut row = |bound: &FrameBound| match bound {
            FrameBound::CurrentRow => Some(0),
            FrameBound::Value(e) | FrameBound::Following(e) => {
                self.resolve(e, scope).ok().and_then(|t| fold::integer(&t))
            }
            FrameBound::Preceding(e) => self.resolve(e, scope).ok().and_then(|t| fold::integer(&t)).map(|n| -n),
            _ => None,
        };
        frame.is_rows && row(&frame.lower) == Some(own) && row(&frame.upper) == Some(own)
    }

    /// Functions with a frame of their own take no other.
    fn refuse_frame_of(&mut self, function: &Typed, frame: &WindowFrame, scope: &mut Scope) -> Result<()> {
        let required = match window_udf_name(&function.expr).as_deref() {
            Some(name @ ("lead" | "lag")) => {
                if self.is_own_frame(function, name, frame, scope) {
                    return Ok(());
                }
                return Err(Error::analysis("_LEGACY_ERROR_TEMP_1035")
                    .param("prettyName", name)
                    .with_message(format!("{name} takes no frame.")));
            }
            Some("row_number" | "rank" | "dense_rank" | "percent_rank" | "ntile") => "RowFrame",
            Some("cume_dist") => "RangeFrame",
            _ => return Ok(()),
        };
        let units = if frame.is_rows { "RowFrame" } else { "RangeFrame" };
        let same = units == required
            && matches!((&frame.lower, &frame.upper), (FrameBound::UnboundedPreceding, FrameBound::CurrentRow));
        if same {
            return Ok(());
        }
        let mut bound = |bound: &FrameBound| match bound {
            FrameBound::UnboundedPreceding => Ok("unboundedpreceding$()".to_string()),
            FrameBound::UnboundedFollowing => Ok("unboundedfollowing$()".to_string()),
            FrameBound::CurrentRow => Ok("currentrow$()".to_string()),
            FrameBound::Preceding(e) => self.resolve(e, scope).map(|t| format!("-{}", t.name)),
            FrameBound::Following(e) | FrameBound::Value(e) => self.resolve(e, scope).map(|t| t.name),
        };
        let wf = format!("specifiedwindowframe({units}, {}, {})", bound(&frame.lower)?, bound(&frame.upper)?);
        Err(Error::analysis("_LEGACY_ERROR_TEMP_1036")
            .with_message(format!("{} has a frame of its own.", function.name))
            .param("wf", wf)
            .param("required", format!("specifiedwindowframe({required}, unboundedpreceding$(), currentrow$())")))
    }

    /// The orderings of a window. DataFusion has no ranges of bytes, structs or durations, but of lists of them.
    fn window_order(&mut self, order: &[Order], frame: &DfFrame) -> Result<Vec<Sort>> {
        let mut sorts: Vec<Sort> = order.iter().map(Order::sort).collect();
        if let ([first, ..], [sort, ..]) = (order, sorts.as_mut_slice())
            && frame.units == WindowFrameUnits::Range
            && is_peers(&frame.start_bound)
            && is_peers(&frame.end_bound)
            && (is_collated(&first.typed.ty)
                || matches!(
                    first.typed.ty,
                    DataType::Binary
                        | DataType::Struct(_)
                        | DataType::YearMonthInterval { .. }
                        | DataType::DayTimeInterval { .. }
                ))
        {
            let ty = if is_collated(&first.typed.ty) { DataType::Binary } else { first.typed.ty.clone() };
            let key = Typed::new(sort.expr.clone(), ty, first.typed.nullable, first.typed.name.clone());
            sort.expr = self.call("array", vec![key])?.expr;
        }
        Ok(sorts)
    }

    /// A range frame needs one ordering of a type that its bounds can be added to.
    fn check_range(
        &mut self,
        frame: &WindowFrame,
        printed: &str,
        partition: &[Typed],
        order: &[Order],
        scope: &mut Scope,
    ) -> Result<()> {
        let spec = format!("\"({})\"", spec_name(partition, order, printed));
        let error = |sub: &str| Error::analysis(format!("DATATYPE_MISMATCH.{sub}")).param("sqlExpr", &spec);
        let mut bounds = Vec::new();
        for bound in [&frame.lower, &frame.upper] {
            if let FrameBound::Value(e) | FrameBound::Following(e) | FrameBound::Preceding(e) = bound {
                bounds.push(self.resolve(e, scope)?.ty);
            }
        }
        match order {
            [] => Err(error("RANGE_FRAME_WITHOUT_ORDER")),
            [_] if bounds.is_empty() => Ok(()),
            [one] if bounds.iter().any(|ty| bound_becomes(&one.typed.ty, ty, self.settings.ansi)) => {
                let location = match &frame.lower {
                    FrameBound::Value(_) | FrameBound::Following(_) | FrameBound::Preceding(_) => "lower",
                    _ => "upper",
                };
                Err(Error::analysis("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE")
                    .param("sqlExpr", format!("\"{printed}\""))
                    .param("location", location)
                    .param("exprType", format!("\"{}\"", one.typed.ty.sql()))
                    .param(
                        "expectedType",
                        "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")",
                    ))
            }
            [one] => match bounds.iter().find(|ty| !range_adds(&one.typed.ty, ty)) {
                None => Ok(()),
                Some(ty) => Err(error("RANGE_FRAME_INVALID_TYPE")
                    .param("orderSpecType", format!("\"{}\"", one.typed.ty.sql()))
                    .param("valueBoundaryType", format!("\"{}\"", ty.sql()))),
            },
            _ if bounds.is_empty() => Ok(()),
            many => Err(error("RANGE_FRAME_MULTI_ORDER")
                .param("orderSpec", many.iter().map(Order::name_with_id).collect::<Vec<_>>().join(","))),
        }
    }

    fn bound_of(
        &mut self,
        bound: &FrameBound,
        is_rows: bool,
        order: &[Order],
        scope: &mut Scope,
    ) -> Result<WindowFrameBound> {
        let (value, negate) = match bound {
            FrameBound::UnboundedPreceding => return Ok(WindowFrameBound::Preceding(ScalarValue::UInt64(None))),
            FrameBound::UnboundedFollowing => return Ok(WindowFrameBound::Following(ScalarValue::UInt64(None))),
            FrameBound::CurrentRow => return Ok(WindowFrameBound::CurrentRow),
            FrameBound::Value(e) | FrameBound::Following(e) => (e, false),
            FrameBound::Preceding(e) => (e, true),
        };
        let typed = self.resolve(value, scope)?;
        let scalar = fold::evaluate(&self.bound_type(typed, is_rows, order))?;
        let negative = is_negative(&scalar);
        let magnitude = if negative { scalar.arithmetic_negate().map_err(from_datafusion)? } else { scalar };
        let magnitude = if is_rows { to_u64(&magnitude) } else { magnitude };
        if is_zero(&magnitude) {
            return Ok(WindowFrameBound::CurrentRow);
        }
        Ok(match negative != negate {
            true => WindowFrameBound::Preceding(magnitude),
            false => WindowFrameBound::Following(magnitude),
        })
    }

    /// The bound's value in the type that the frame compares with.
    fn bound_type(&self, typed: Typed, is_rows: bool, order: &[Order]) -> Typed {
        let target = match (is_rows, order.first().map(|o| &o.typed.ty)) {
            (true, _) => DataType::Long,
            (false, Some(ty)) if ty.is_numeric() => ty.clone(),
            // A date is moved by days.
            (false, Some(DataType::Date)) if typed.ty.is_numeric() => {
                let days = coerce::cast_implicitly(&typed, &DataType::Integer, &self.settings);
                let days = fold::integer(&days).and_then(|n| i32::try_from(n).ok());
                let value = ScalarValue::IntervalDayTime(
                    days.map(|days| arrow::datatypes::IntervalDayTime { days, milliseconds: 0 }),
                );
                return Typed { expr: DfExpr::Literal(value, None), ..typed };
            }
            (false, Some(DataType::Date)) if matches!(typed.ty, DataType::DayTimeInterval { .. }) => {
                let micros = match fold::evaluate(&typed) {
                    Ok(ScalarValue::DurationMicrosecond(Some(micros))) => micros,
                    _ => return typed,
                };
                let days = i32::try_from(micros.div_euclid(86_400_000_000)).unwrap_or(i32::MAX);
                let value =
                    ScalarValue::IntervalDayTime(Some(arrow::datatypes::IntervalDayTime { days, milliseconds: 0 }));
                return Typed { expr: DfExpr::Literal(value, None), ..typed };
            }
            _ => return typed,
        };
        coerce::cast_implicitly(&typed, &target, &self.settings)
    }
}

/// A window inside a subquery has no columns of the enclosing query.
fn refuse_outer(expr: &DfExpr, name: &str, partition: &[Typed], order: &[Order]) -> Result<()> {
    use crate::decorrelate::{mentions_outer, without_outer};
    if !mentions_outer(expr) {
        return Ok(());
    }
    let mut shown = vec![format!("\"{} AS {}\"", without_outer(name), spark::types::quote_if_needed(name))];
    let keys = partition.iter().filter(|t| mentions_outer(&t.expr)).map(|t| t.name.clone());
    let orders = order.iter().filter(|o| mentions_outer(&o.typed.expr)).map(Order::name);
    shown.extend(keys.chain(orders).map(|n| format!("\"{}\"", without_outer(&n))));
    Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.CORRELATED_REFERENCE")
        .param("sqlExprs", shown.join(",")))
}

/// True for a frame that ends before it begins; two values of which that can be said were refused before.
fn is_empty_frame(start: &WindowFrameBound, end: &WindowFrameBound) -> bool {
    matches!(
        (start, end),
        (WindowFrameBound::CurrentRow, WindowFrameBound::Preceding(_))
            | (WindowFrameBound::Following(_), WindowFrameBound::CurrentRow)
    )
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

const ROW_BOUND: &str = "\"INT\"";
const RANGE_BOUND: &str = "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")";

/// True if a bound may have that type.
fn bound_type_fits(ty: &DataType, is_rows: bool) -> bool {
    match is_rows {
        true => matches!(ty, DataType::Integer | DataType::Short | DataType::Byte),
        false => {
            ty.is_numeric()
                || matches!(
                    ty,
                    DataType::CalendarInterval | DataType::DayTimeInterval { .. } | DataType::YearMonthInterval { .. }
                )
        }
    }
}

/// True if a bound of type `bound` can be added to an ordering of type `order`.
fn range_adds(order: &DataType, bound: &DataType) -> bool {
    let is_interval = matches!(
        bound,
        DataType::CalendarInterval | DataType::DayTimeInterval { .. } | DataType::YearMonthInterval { .. }
    );
    match order {
        DataType::Date => {
            matches!(bound, DataType::Integer | DataType::Short | DataType::Byte)
                || matches!(bound, DataType::YearMonthInterval { .. })
                || matches!(bound, DataType::DayTimeInterval { start, end }
                    if *start == 0 && *end == 0)
        }
        DataType::Timestamp | DataType::TimestampNtz => is_interval,
        DataType::DayTimeInterval { .. } => matches!(bound, DataType::DayTimeInterval { .. }),
        DataType::YearMonthInterval { .. } => matches!(bound, DataType::YearMonthInterval { .. }),
        order => order.is_numeric() && (bound.is_numeric() || bound.is_string()),
    }
}

/// True for the bounds of a range that are no distance from the current row.
fn is_peers(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::CurrentRow => true,
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => by.is_null(),
    }
}

/// True if a range frame's bound is cast to the type that its rows are ordered by, which is none to add.
fn bound_becomes(order: &DataType, bound: &DataType, ansi: bool) -> bool {
    let adds = order.is_numeric()
        || order.is_datetime()
        || order.is_ansi_interval()
        || matches!(order, DataType::CalendarInterval | DataType::Null | DataType::Time(_))
        || order.is_string();
    !adds && order != bound && functions::cast::can_cast(bound, order, ansi)
}

/// Aggregates whose value is that of all rows: their windows have neither order nor frame.
fn refuse_window_of(function: &Typed, order: &[Order], frame: Option<&WindowFrame>) -> Result<()> {
    let name = function.name.split('(').next().unwrap_or_default();
    let whole = matches!(name, "median" | "percentile_cont" | "percentile_disc" | "percentile" | "listagg" | "mode")
        && (function.name.contains(" WITHIN GROUP (") || name == "median")
        && name != "mode";
    let framed = frame.is_some_and(|f| {
        !matches!((&f.lower, &f.upper), (FrameBound::UnboundedPreceding, FrameBound::UnboundedFollowing))
    });
    if whole && (!order.is_empty() || framed) {
        return Err(Error::analysis("INVALID_WINDOW_SPEC_FOR_AGGREGATION_FUNC")
            .param("aggFunc", format!("\"{}\"", ordered_last(&function.name)))
            .with_message(format!("{} is over all rows of a partition: no ORDER BY and no frame.", function.name)));
    }
    Ok(())
}

/// `f(args) WITHIN GROUP (ORDER BY …)` as a call of which the ordering is an argument.
fn ordered_last(printed: &str) -> String {
    let parts = printed.split_once(") WITHIN GROUP (ORDER BY ");
    let Some(((name, args), orders)) =
        parts.and_then(|(call, orders)| Some((call.split_once('(')?, orders.strip_suffix(')').unwrap_or(orders))))
    else {
        return printed.to_string();
    };
    match name {
        "listagg" | "string_agg" => format!("{name}({args}, {orders})"),
        _ => format!("{name}({}, {args})", orders.split(" ASC").next().unwrap_or(orders)),
    }
}

/// Distinct aggregates have no windows.
fn refuse_distinct(function: &Typed, name: &str) -> Result<()> {
    let distinct = function.expr.exists(|e| Ok(matches!(e, DfExpr::AggregateFunction(f) if f.params.distinct)));
    let printed = function.name.split_once('(').is_some_and(|(_, rest)| rest.starts_with("DISTINCT "));
    if printed || distinct.unwrap_or(false) {
        return Err(Error::analysis("DISTINCT_WINDOW_FUNCTION_UNSUPPORTED")
            .param("windowExpr", format!("\"{name}\""))
            .with_message("A distinct aggregate cannot be computed over a window."));
    }
    Ok(())
}

/// The frame that Spark prints for `lead` and `lag`: the row at the offset.
fn fixed_frame(function: &Typed) -> Option<String> {
    let (name, rest) = function.name.split_once('(')?;
    if !matches!(name, "lead" | "lag") {
        return None;
    }
    let offset = lead_offset(&function.expr)?;
    let offset = if name == "lag" { offset.checked_neg()? } else { offset };
    let _ = rest;
    Some(format!("ROWS BETWEEN {offset} FOLLOWING AND {offset} FOLLOWING"))
}

/// The offset argument of a `lead` or `lag`.
fn lead_offset(expr: &DfExpr) -> Option<i64> {
    let mut offset = None;
    let _ = expr.apply(|e| {
        if let DfExpr::WindowFunction(w) = e
            && let Some(DfExpr::Literal(ScalarValue::Int64(n), _)) = w.params.args.get(1)
        {
            offset = *n;
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    offset
}

fn window_name(function: &Typed, partition: &[Typed], order: &[Order], frame: &str) -> String {
    format!("{} OVER ({})", function.name, spec_name(partition, order, frame))
}

/// `PARTITION BY … ORDER BY … frame`.
fn spec_name(partition: &[Typed], order: &[Order], frame: &str) -> String {
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
    parts.join(" ")
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
        Ok(match e {
            DfExpr::WindowFunction(w) => {
                // One that has its window already is an argument.
                if let (WindowFunctionDefinition::WindowUDF(f), true) = (&w.fun, is_open(w)) {
                    name = Some(f.name().to_string());
                }
                TreeNodeRecursion::Jump
            }
            DfExpr::AggregateFunction(_) => TreeNodeRecursion::Jump,
            _ => TreeNodeRecursion::Continue,
        })
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

fn is_zero(value: &ScalarValue) -> bool {
    ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero == *value)
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
