//! Expressions: from names and calls to typed DataFusion expressions.

pub(crate) mod attribute;
pub(crate) mod char_padding;
pub(crate) mod extract;
pub(crate) mod function;
pub(crate) mod list;
pub(crate) mod subquery;
pub(crate) mod window;

use std::sync::Arc;

use datafusion::logical_expr::Expr as DfExpr;
use functions::families::collation::by_default;
use functions::{Typed, cast, fold, scalar};
use spark::expr::{CastMode, Parameter, UnresolvedAttribute};
use spark::types::DataType;
use spark::{Error, Expr, Origin, Result};

use crate::context::Analyzer;
use crate::names;
use crate::scope::Rel;

/// What an expression may refer to.
pub(crate) struct Scope<'a> {
    pub rel: &'a Rel,
    /// Aliases defined earlier in the same select list; columns of the input come before them.
    pub aliases: Vec<(String, Typed)>,
    /// Names of a finished select list, which come before columns of the input (`HAVING`, `ORDER BY`).
    pub selected: Vec<(String, Typed)>,
    /// The clause, for errors.
    pub clause: &'static str,
    /// True inside the function of an `OVER`, which may be a window function.
    pub in_window: bool,
    /// Where the expression stands.
    pub origin: Option<Arc<Origin>>,
}

impl<'a> Scope<'a> {
    pub fn new(rel: &'a Rel, clause: &'static str) -> Self {
        Scope { rel, aliases: Vec::new(), selected: Vec::new(), clause, in_window: false, origin: None }
    }
}

impl Analyzer<'_> {
    /// Types `expr` against `scope`.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it, with its position.
    pub fn resolve(&mut self, expr: &Expr, scope: &mut Scope) -> Result<Typed> {
        stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || self.resolve_kind(expr, scope))
    }

    fn resolve_kind(&mut self, expr: &Expr, scope: &mut Scope) -> Result<Typed> {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Attribute(attribute) => {
                let typed = self.attribute(attribute, scope)?;
                self.refuse_measure(&typed)?;
                Ok(typed)
            }
            Expr::At { child, origin } => self.resolve_at(child, origin, scope),
            Expr::Function(f) => self.function(f, scope),
            Expr::Cast { child, to, mode } => self.cast(child, to, *mode, scope),
            Expr::Alias { child, names, metadata } => {
                let mut typed = self.resolve(child, scope)?;
                if let Some(metadata) = metadata.as_deref().filter(|m| !m.is_empty()) {
                    typed.metadata = list::parse_metadata(metadata)?;
                }
                let name = format!("{} AS {}", typed.name, names.join(", "));
                Ok(typed.named(name))
            }
            Expr::ExtractValue { child, extraction } => self.extract_value(child, extraction, scope),
            Expr::UpdateFields { child, field, value } => self.update_fields(child, field, value.as_deref(), scope),
            Expr::Subquery(_) if !self.lambdas.is_empty() => {
                Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.HIGHER_ORDER_FUNCTION")
                    .with_message("A lambda cannot hold a subquery.")
                    .nowhere())
            }
            Expr::Subquery(subquery) => self.subquery(subquery, scope),
            Expr::Window { function, window } => self.window(function, window, scope),
            Expr::LambdaVariable(parts) => self.lambda_variable(parts),
            Expr::Text(text) => {
                let parsed = self.parse_expression(text)?;
                self.resolve(&parsed, scope)
            }
            Expr::Parameter(parameter) => self.parameter(parameter, scope),
            Expr::NamedArgument { value, .. } => self.resolve(value, scope),
            Expr::SortOrder(order) => self.resolve(&order.child, scope),
            Expr::Identifier { name, args } => self.identifier(name, args.as_deref(), scope),
            Expr::Row(values) => self.row(values, scope),
            // Beyond select lists a quoted name is a name.
            Expr::Regex { pattern, .. } if takes_names(scope.clause) => {
                let parts = pattern.trim_matches('`').split("`.`").map(str::to_string).collect();
                self.attribute(&UnresolvedAttribute { parts, plan_id: None, is_metadata_column: false }, scope)
            }
            Expr::Star(_) | Expr::Regex { .. } => Err(Error::analysis("INVALID_USAGE_OF_STAR_OR_REGEX")
                .param("elem", "'*'")
                .param("prettyName", operator_of(scope.clause))
                .with_message("A star stands for several columns and cannot be used here.")
                .at(scope.origin.as_ref())),
            Expr::Lambda { .. } => Err(Error::analysis("INVALID_LAMBDA_FUNCTION_CALL.NON_HIGHER_ORDER_FUNCTION")
                .with_message("A lambda can only be an argument of a higher-order function.")),
            Expr::Default => Err(Error::analysis("DEFAULT_PLACEMENT_INVALID")
                .with_message("DEFAULT can only stand alone as a value to insert or assign.")),
            Expr::PythonUdf(udf) => Err(Error::unsupported(format!("the Python function {}", udf.name))),
            Expr::DirectShufflePartitionId(_) => Err(Error::unsupported("repartitionById in an expression")),
        }
    }

    fn resolve_at(&mut self, child: &Expr, origin: &Arc<Origin>, scope: &mut Scope) -> Result<Typed> {
        let outer = scope.origin.replace(origin.clone());
        let result = self.resolve(child, scope).map_err(|e| e.at(Some(origin)));
        scope.origin = outer;
        let mut typed = result?;
        typed.expr = functions::kernel::placed(typed.expr, origin);
        Ok(typed)
    }

    fn literal(&mut self, literal: &spark::Literal) -> Result<Typed> {
        let expr = scalar::literal_expr(literal)?;
        let ty = by_default(&literal.data_type(), self.settings.default_collation.as_ref());
        Ok(Typed::new(expr, ty, literal.is_null(), names::literal(literal, &self.settings)))
    }

    fn cast(&mut self, child: &Expr, to: &DataType, mode: CastMode, scope: &mut Scope) -> Result<Typed> {
        let typed = self.resolve(child, scope)?;
        let to = by_default(to, self.settings.default_collation.as_ref());
        cast::explicit(&typed, &to, mode, &self.settings).map_err(|e| e.at(scope.origin.as_ref()))
    }

    fn lambda_variable(&mut self, parts: &[String]) -> Result<Typed> {
        let name = parts.first().map(String::as_str).unwrap_or_default();
        if let Some(bound) = self.bound.get(name) {
            return Ok(bound.clone());
        }
        let base = self.lambda(name).ok_or_else(|| {
            Error::analysis("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION")
                .param("objectName", spark::types::quote_identifier(name))
                .with_message(format!("The lambda variable {name} is used outside its lambda."))
        })?;
        self.fields_of(base, parts.get(1..).unwrap_or_default())
    }

    /// The innermost lambda parameter of that name.
    pub fn lambda(&self, name: &str) -> Option<Typed> {
        let variable = self.lambdas.iter().rev().find_map(|scope| {
            scope.get(name).or_else(|| scope.iter().find(|(k, _)| self.same_name(k, name)).map(|(_, v)| v))
        })?;
        let field = arrow_schema::Field::new(&variable.unique, functions::types::to_arrow(&variable.ty), true);
        let expr = DfExpr::LambdaVariable(datafusion::logical_expr::expr::LambdaVariable::new(
            variable.unique.clone(),
            Some(Arc::new(field)),
        ));
        Some(Typed::new(expr, variable.ty.clone(), variable.nullable, variable.printed.clone()))
    }

    fn parameter(&mut self, parameter: &Parameter, scope: &Scope) -> Result<Typed> {
        let found = self.parameters.iter().rev().find_map(|p| match parameter {
            Parameter::Named(name) => p.named.get(name).cloned(),
            Parameter::Positional(i) => p.positional.get(*i).cloned(),
        });
        found.ok_or_else(|| {
            let name = match parameter {
                Parameter::Named(name) => name.clone(),
                // Spark names a question mark by its place in the text.
                Parameter::Positional(i) => match scope.origin.as_deref() {
                    Some(Origin::Sql(origin)) => format!("_{}", origin.start),
                    _ => format!("_{i}"),
                },
            };
            Error::analysis("UNBOUND_SQL_PARAMETER").param("name", &name)
        })
    }

    fn identifier(&mut self, name: &Expr, args: Option<&[Expr]>, scope: &mut Scope) -> Result<Typed> {
        let parts = self.identifier_parts_in(name, scope)?;
        match args {
            None => self.attribute(&UnresolvedAttribute { parts, plan_id: None, is_metadata_column: false }, scope),
            Some(args) => self.function(
                &spark::expr::UnresolvedFunction { name: parts, args: args.to_vec(), ..Default::default() },
                scope,
            ),
        }
    }

    /// The name that the constant expression of an `IDENTIFIER(…)` spells.
    ///
    /// # Errors
    /// `NOT_A_CONSTANT_STRING.*`.
    pub fn identifier_parts(&mut self, name: &Expr) -> Result<Vec<String>> {
        let rel = crate::relation::one_row();
        self.identifier_parts_in(name, &Scope::new(&rel, "IDENTIFIER"))
    }

    /// [`Analyzer::identifier_parts`] of an expression over `scope`, whose columns are no constants.
    fn identifier_parts_in(&mut self, name: &Expr, scope: &Scope) -> Result<Vec<String>> {
        let mut own = Scope::new(scope.rel, "IDENTIFIER");
        let typed = self.printed_qualified(|this| this.resolve(name, &mut own))?;
        let place = match name {
            Expr::At { origin, .. } => Some(origin),
            _ => None,
        };
        let not_constant = |sub: &str| {
            Error::analysis(format!("NOT_A_CONSTANT_STRING.{sub}"))
                .param("name", "IDENTIFIER")
                .param("expr", &typed.name)
                .at(place)
        };
        if !typed.foldable() {
            return Err(not_constant("NOT_CONSTANT"));
        }
        if !typed.ty.is_string() {
            return Err(not_constant("WRONG_TYPE").param("dataType", typed.ty.simple_string()));
        }
        let text = fold::string(&typed).ok_or_else(|| not_constant("NULL"))?;
        self.parse_identifier(&text)
    }

    /// A condition: boolean, or what Spark casts to boolean.
    ///
    /// # Errors
    /// `DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN`.
    pub fn condition(&mut self, expr: &Expr, scope: &mut Scope) -> Result<Typed> {
        let typed = self.resolve(expr, scope)?;
        self.as_condition(typed)
    }

    /// The condition of a filter, which unlike one of a join must be boolean itself: no bare null.
    ///
    /// # Errors
    /// As [`Analyzer::condition`].
    pub fn filter_condition(&mut self, expr: &Expr, scope: &mut Scope) -> Result<Typed> {
        let typed = self.resolve(expr, scope)?;
        if typed.ty == DataType::Null { Err(not_boolean(&typed)) } else { self.as_condition(typed) }
    }

    /// A resolved expression as a condition.
    ///
    /// # Errors
    /// As [`Analyzer::condition`].
    pub fn as_condition(&self, typed: Typed) -> Result<Typed> {
        match typed.ty {
            DataType::Boolean => Ok(typed),
            DataType::Null => Ok(functions::coerce::cast_implicitly(&typed, &DataType::Boolean, &self.settings)),
            _ => Err(not_boolean(&typed)),
        }
    }
}

/// A condition that is none.
fn not_boolean(typed: &Typed) -> Error {
    Error::analysis("DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN")
        .param("sqlExpr", format!("\"{}\"", typed.name))
        .param("filter", format!("\"{}\"", typed.name))
        .param("type", format!("\"{}\"", typed.ty.sql()))
}

/// The operator that Spark makes of a clause.
fn operator_of(clause: &str) -> &str {
    match clause {
        "SELECT" => "Project",
        "WHERE" => "Filter",
        "ORDER BY" => "Sort",
        "GROUP BY" => "Aggregate",
        "JOIN" => "Join",
        other => other,
    }
}

/// True for clauses where a quoted name is never a pattern.
pub(crate) fn takes_names(clause: &str) -> bool {
    matches!(clause, "WHERE" | "ORDER BY" | "GROUP BY" | "HAVING" | "JOIN")
}
