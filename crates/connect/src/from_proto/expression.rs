//! Expressions other than functions and literals.

use std::sync::Arc;

use proto::spark_connect as pb;
use proto::spark_connect::expression::cast::{CastToType, EvalMode};
use proto::spark_connect::expression::sort_order::{NullOrdering, SortDirection};
use proto::spark_connect::expression::window::window_frame::{FrameType, frame_boundary::Boundary};
use proto::spark_connect::expression::{self, ExprType};
use proto::spark_connect::subquery_expression::SubqueryType;
use spark::expr::{
    CastMode, FrameBound, SortOrder, Subquery, SubqueryKind, SubqueryPlan, UnresolvedAttribute, UnresolvedStar,
    WindowFrame, WindowRef, WindowSpec,
};
use spark::{Error, Expr, Origin, Result};

use super::errors::{bad_enum, extension, invalid, not_set};
use super::names::attribute_parts;
use super::{Reader, level};

impl Reader {
    /// An expression message.
    pub fn expr(&self, message: pb::Expression) -> Result<Expr> {
        level(|| {
            let origin = message.common.and_then(|c| c.origin).and_then(origin);
            let Some(kind) = message.expr_type else {
                return Err(not_set("spark.connect.Expression", "EXPRTYPE_NOT_SET"));
            };
            // Only what can fail by itself is worth a position; wrapping all would double the tree.
            let positioned = match &kind {
                ExprType::UnresolvedFunction(_)
                | ExprType::CallFunction(_)
                | ExprType::UnresolvedAttribute(_)
                | ExprType::Cast(_)
                | ExprType::UnresolvedExtractValue(_)
                | ExprType::UpdateFields(_)
                | ExprType::SubqueryExpression(_)
                | ExprType::Window(_) => true,
                ExprType::Alias(alias) => alias.name.len() > 1,
                ExprType::UnresolvedStar(star) => star.unparsed_target.is_some(),
                _ => false,
            };
            let mut expr = self.expr_kind(kind)?;
            if let Expr::Window { window, .. } = &mut expr
                && let WindowRef::Spec(spec) = window.as_mut()
            {
                spec.origin = origin.clone().map(Arc::new);
            }
            Ok(match origin.filter(|_| positioned) {
                Some(origin) => Expr::At { child: Box::new(expr), origin: Arc::new(origin) },
                None => expr,
            })
        })
    }

    fn expr_kind(&self, kind: ExprType) -> Result<Expr> {
        match kind {
            ExprType::Literal(m) => self.literal(m).map(Expr::Literal),
            ExprType::UnresolvedAttribute(m) => attribute(m),
            ExprType::UnresolvedFunction(m) => self.function(m),
            ExprType::ExpressionString(m) => Ok(Expr::Text(m.expression)),
            ExprType::UnresolvedStar(m) => star(m),
            ExprType::Alias(m) => self.alias(*m),
            ExprType::Cast(m) => self.cast(*m),
            ExprType::UnresolvedRegex(m) => Ok(Expr::Regex { pattern: m.col_name, plan_id: m.plan_id }),
            ExprType::SortOrder(m) => self.sort_order(*m).map(|o| Expr::SortOrder(Box::new(o))),
            ExprType::LambdaFunction(m) => self.lambda(*m),
            ExprType::Window(m) => self.window(*m),
            ExprType::UnresolvedExtractValue(m) => self.extract_value(*m),
            ExprType::UpdateFields(m) => self.update_fields(*m),
            ExprType::UnresolvedNamedLambdaVariable(m) => lambda_name(m).map(|n| Expr::LambdaVariable(vec![n])),
            ExprType::CommonInlineUserDefinedFunction(m) => self.user_function(m),
            ExprType::CallFunction(m) => self.call_function(m),
            ExprType::NamedArgumentExpression(m) => self.named_argument(*m),
            ExprType::SubqueryExpression(m) => self.subquery(m),
            ExprType::DirectShufflePartitionId(m) => {
                self.required_expr(m.child).map(|c| Expr::DirectShufflePartitionId(Box::new(c)))
            }
            ExprType::MergeAction(_) => {
                Err(invalid("INVALID_ONE_OF_FIELD_NOT_SUPPORTED", "A merge action is no expression outside a merge.")
                    .param("fullName", "spark.connect.Expression")
                    .param("name", "merge_action")
                    .param("number", "19"))
            }
            ExprType::TypedAggregateExpression(_) => Err(Error::unsupported("typed aggregate of a JVM client")),
            ExprType::Extension(any) => Err(extension(&any.type_url)),
        }
    }

    fn alias(&self, message: expression::Alias) -> Result<Expr> {
        let child = self.required_expr(message.expr)?;
        if message.name.len() > 1 && message.metadata.is_some() {
            return Err(invalid(
                "ALIAS_WITH_MULTIPLE_IDENTIFIERS_AND_METADATA",
                "An alias of several names carries no metadata.",
            ));
        }
        Ok(Expr::Alias { child: Box::new(child), names: message.name, metadata: message.metadata })
    }

    fn cast(&self, message: expression::Cast) -> Result<Expr> {
        let mode = match EvalMode::try_from(message.eval_mode) {
            Ok(EvalMode::Unspecified) => CastMode::Session,
            Ok(EvalMode::Legacy) => CastMode::Legacy,
            Ok(EvalMode::Ansi) => CastMode::Ansi,
            Ok(EvalMode::Try) => CastMode::Try,
            Err(_) => return Err(bad_enum("spark.connect.Expression.Cast", "eval_mode", message.eval_mode)),
        };
        let child = Box::new(self.required_expr(message.expr)?);
        let to = match message.cast_to_type {
            Some(CastToType::Type(t)) => self.data_type(&t)?,
            Some(CastToType::TypeStr(text)) => self.text.data_type(&text)?,
            None => return Err(not_set("spark.connect.Expression.Cast", "CASTTOTYPE_NOT_SET")),
        };
        Ok(Expr::Cast { child, to, mode })
    }

    /// A sort order with its child.
    pub(super) fn sort_order(&self, message: expression::SortOrder) -> Result<SortOrder> {
        let ascending = message.direction() != SortDirection::Descending;
        let nulls_first = match message.null_ordering() {
            NullOrdering::SortNullsFirst => Some(true),
            NullOrdering::SortNullsLast => Some(false),
            NullOrdering::SortNullsUnspecified => None,
        };
        Ok(SortOrder { child: self.required_expr(message.child)?, ascending, nulls_first })
    }

    pub(super) fn sort_orders(&self, messages: Vec<expression::SortOrder>) -> Result<Vec<SortOrder>> {
        messages.into_iter().map(|m| self.sort_order(m)).collect()
    }

    fn lambda(&self, message: expression::LambdaFunction) -> Result<Expr> {
        let count = message.arguments.len();
        if !(1..=3).contains(&count) {
            return Err(invalid(
                "LAMBDA_FUNCTION_ARGUMENT_COUNT_INVALID",
                format!("A lambda function takes one to three arguments, not {count}."),
            )
            .param("got", count.to_string()));
        }
        let params = message.arguments.into_iter().map(lambda_name).collect::<Result<_>>()?;
        Ok(Expr::Lambda { body: Box::new(self.required_expr(message.function)?), params })
    }

    fn window(&self, message: expression::Window) -> Result<Expr> {
        let Some(function) = message.window_function else {
            return Err(invalid("WINDOW_FUNCTION_REQUIRED", "A window must say what to compute."));
        };
        let spec = WindowSpec {
            base: None,
            partition_by: self.exprs(message.partition_spec)?,
            order_by: self.sort_orders(message.order_spec)?,
            frame: message.frame_spec.map(|f| self.frame(*f)).transpose()?,
            origin: None,
        };
        Ok(Expr::Window { function: Box::new(self.expr(*function)?), window: Box::new(WindowRef::Spec(spec)) })
    }

    fn frame(&self, message: expression::window::WindowFrame) -> Result<WindowFrame> {
        let is_rows = match message.frame_type() {
            FrameType::Row => true,
            FrameType::Range => false,
            FrameType::Undefined => {
                return Err(bad_enum("spark.connect.Expression.Window.WindowFrame", "frame_type", message.frame_type));
            }
        };
        let lower = message.lower.and_then(|b| b.boundary).ok_or_else(|| {
            invalid("LOWER_BOUND_REQUIRED_IN_WINDOW_FRAME", "A window frame must say where it begins.")
        })?;
        let upper = message
            .upper
            .and_then(|b| b.boundary)
            .ok_or_else(|| invalid("UPPER_BOUND_REQUIRED_IN_WINDOW_FRAME", "A window frame must say where it ends."))?;
        Ok(WindowFrame {
            is_rows,
            lower: self.bound(lower, FrameBound::UnboundedPreceding)?,
            upper: self.bound(upper, FrameBound::UnboundedFollowing)?,
        })
    }

    fn bound(&self, boundary: Boundary, unbounded: FrameBound) -> Result<FrameBound> {
        match boundary {
            Boundary::CurrentRow(_) => Ok(FrameBound::CurrentRow),
            Boundary::Unbounded(_) => Ok(unbounded),
            Boundary::Value(expr) => Ok(FrameBound::Value(Box::new(self.expr(*expr)?))),
        }
    }

    fn extract_value(&self, message: expression::UnresolvedExtractValue) -> Result<Expr> {
        Ok(Expr::ExtractValue {
            child: Box::new(self.required_expr(message.child)?),
            extraction: Box::new(self.required_expr(message.extraction)?),
        })
    }

    fn update_fields(&self, message: expression::UpdateFields) -> Result<Expr> {
        Ok(Expr::UpdateFields {
            child: Box::new(self.required_expr(message.struct_expression)?),
            field: message.field_name,
            value: self.optional_expr(message.value_expression)?.map(Box::new),
        })
    }

    fn named_argument(&self, message: pb::NamedArgumentExpression) -> Result<Expr> {
        Ok(Expr::NamedArgument { name: message.key, value: Box::new(self.required_expr(message.value)?) })
    }

    fn subquery(&self, message: pb::SubqueryExpression) -> Result<Expr> {
        let kind = match message.subquery_type() {
            SubqueryType::Scalar => SubqueryKind::Scalar,
            SubqueryType::Exists => SubqueryKind::Exists,
            SubqueryType::In => SubqueryKind::In(self.exprs(message.in_subquery_values)?),
            SubqueryType::TableArg => {
                let options = message.table_arg_options.unwrap_or_default();
                SubqueryKind::TableArg {
                    partition_by: self.exprs(options.partition_spec)?,
                    order_by: self.sort_orders(options.order_spec)?,
                    with_single_partition: options.with_single_partition.unwrap_or(false),
                }
            }
            SubqueryType::Unknown => {
                return Err(bad_enum("spark.connect.SubqueryExpression", "subquery_type", message.subquery_type));
            }
        };
        Ok(Expr::Subquery(Box::new(Subquery { kind, plan: SubqueryPlan::Ref(message.plan_id) })))
    }
}

fn attribute(message: expression::UnresolvedAttribute) -> Result<Expr> {
    Ok(Expr::Attribute(UnresolvedAttribute {
        parts: attribute_parts(&message.unparsed_identifier)?,
        plan_id: message.plan_id,
        is_metadata_column: message.is_metadata_column.unwrap_or(false),
    }))
}

fn star(message: expression::UnresolvedStar) -> Result<Expr> {
    let target = match (message.unparsed_target, message.plan_id) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "UNRESOLVED_STAR_WITH_BOTH_TARGET_AND_PLAN_ID",
                "A star names either its target or its DataFrame.",
            ));
        }
        (Some(target), None) => {
            let Some(name) = target.strip_suffix(".*") else {
                return Err(invalid("UNRESOLVED_STAR_TARGET_INVALID", format!("'{target}' does not end with .*"))
                    .param("target", target));
            };
            attribute_parts(name)?
        }
        (None, _) => Vec::new(),
    };
    Ok(Expr::Star(UnresolvedStar { target, plan_id: message.plan_id, except: Vec::new() }))
}

fn lambda_name(message: expression::UnresolvedNamedLambdaVariable) -> Result<String> {
    if message.name_parts.is_empty() {
        return Err(invalid("UNRESOLVED_NAMED_LAMBDA_VARIABLE_REQUIRES_NAME_PART", "A lambda variable needs a name."));
    }
    Ok(message.name_parts.join("."))
}

/// Where the client made an expression or a relation, if it said so.
pub(super) fn origin(message: pb::Origin) -> Option<Origin> {
    match message.function? {
        pb::origin::Function::PythonOrigin(o) => {
            Some(Origin::DataFrame { fragment: o.fragment, call_site: o.call_site })
        }
        pb::origin::Function::JvmOrigin(o) => {
            // The method of the client's own that was called comes first, then who called it.
            let mut frames = o.stack_trace.into_iter();
            let called = frames.next()?.method_name;
            let fragment = called.strip_prefix('$').filter(|rest| !rest.is_empty()).unwrap_or(&called).to_string();
            let call_site = frames.map(|frame| printed_frame(&frame)).collect::<Vec<_>>().join("\n");
            Some(Origin::DataFrame { fragment, call_site })
        }
    }
}

/// A frame of a stack as Java prints it.
fn printed_frame(frame: &pb::StackTraceElement) -> String {
    const NATIVE: i32 = -2;
    let loader = frame.class_loader_name.as_deref().unwrap_or_default();
    let module = frame.module_name.as_deref().unwrap_or_default();
    let version = frame.module_version.as_deref().unwrap_or_default();
    let mut place = String::new();
    if !loader.is_empty() {
        place = format!("{loader}/");
    }
    if !module.is_empty() {
        place.push_str(module);
        if !version.is_empty() {
            place.push_str(&format!("@{version}"));
        }
    }
    if !place.is_empty() {
        place.push('/');
    }
    let line = match (&frame.file_name, frame.line_number) {
        (_, NATIVE) => "Native Method".to_string(),
        (Some(file), line) if line >= 0 => format!("{file}:{line}"),
        (Some(file), _) => file.clone(),
        (None, _) => "Unknown Source".to_string(),
    };
    format!("{place}{}.{}({line})", frame.declaring_class, frame.method_name)
}
