//! SQL text inside plans, its arguments, and SQL functions.

use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr as DfExpr;
use functions::{Typed, cast, coerce};
use spark::expr::{CastMode, UnresolvedFunction};
use spark::types::{DataType, StructType};
use spark::{Error, Expr, Node, Plan, Result};

use crate::context::{Analyzer, Parameters};
use crate::expr::Scope;
use crate::expr::attribute::quoted;
use crate::scope::Rel;
use crate::world::{SqlFunction, SqlFunctionBody};

/// How deep SQL functions may call each other.
const MAX_FUNCTION_DEPTH: usize = 64;

impl Analyzer<'_> {
    pub(super) fn sql(&mut self, text: &str, named: &[(String, Expr)], positional: &[Expr]) -> Result<Rel> {
        let statement = sql::parse_statement(text, &self.parse_options())?;
        let sql::Statement::Query(plan) = statement else {
            let plan: Plan =
                Node::Sql { text: text.to_string(), named_args: named.to_vec(), positional_args: positional.to_vec() }
                    .into();
            return self.command_result(&plan);
        };
        let parameters = self.arguments(named, positional)?;
        self.parameters.push(parameters);
        let rel = self.relation(&plan);
        self.parameters.pop();
        rel
    }

    /// The arguments of a parameterized query, which must be constants.
    fn arguments(&mut self, named: &[(String, Expr)], positional: &[Expr]) -> Result<Parameters> {
        let empty = super::one_row();
        let mut parameters = Parameters::default();
        for (name, expr) in named {
            let typed = self.resolve(expr, &mut Scope::new(&empty, "SQL arguments"));
            parameters.named.insert(name.clone(), typed.map_err(|e| no_constant(e, name))?);
        }
        for (at, expr) in positional.iter().enumerate() {
            let typed = self.resolve(expr, &mut Scope::new(&empty, "SQL arguments"));
            parameters.positional.push(typed.map_err(|e| no_constant(e, &format!("_pos_{at}")))?);
        }
        Ok(parameters)
    }

    pub(super) fn with_relations(&mut self, root: &Plan, references: &[Plan]) -> Result<Rel> {
        self.references.push(references.to_vec());
        let rel = self.relation(root);
        self.references.pop();
        rel
    }

    /// Settings of the parser in this session.
    pub fn parse_options(&self) -> sql::ParseOptions {
        sql::ParseOptions::from(&self.settings)
    }

    /// # Errors
    /// `PARSE_*`.
    pub fn parse_expression(&mut self, text: &str) -> Result<Expr> {
        sql::parse_expression(text, &self.parse_options())
    }

    /// # Errors
    /// `PARSE_*`.
    pub fn parse_identifier(&self, text: &str) -> Result<Vec<String>> {
        sql::parse_multipart_identifier(text, &self.parse_options())
    }

    /// # Errors
    /// `PARSE_*`.
    pub fn parse_schema(&self, text: &str) -> Result<StructType> {
        sql::parse_table_schema(text, &self.parse_options())
    }

    /// A call of a SQL function: its body with the parameters replaced by the arguments.
    pub fn sql_function(&mut self, function: &SqlFunction, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let SqlFunctionBody::Scalar { expr, returns } = &function.body else {
            return Err(Error::analysis("NOT_A_SCALAR_FUNCTION")
                .param("functionName", quoted(&function.name))
                .at(scope.origin.as_ref()));
        };
        self.refuse_usage(function, scope)?;
        let arguments = self.bind_arguments(function, &f.args, scope).map_err(|e| e.at(scope.origin.as_ref()))?;
        let values: Vec<DfExpr> = arguments.iter().map(|(_, t)| t.expr.clone()).collect();
        let known = self.grouped_calls.iter().find(|(name, args, _)| *name == function.name && *args == values);
        if let Some((_, _, typed)) = known {
            return Ok(typed.clone());
        }
        // Defaults at the end are not printed.
        let given = (0..arguments.len()).rev().find(|i| is_given(function, &f.args, *i)).map_or(0, |i| i + 1);
        let names: Vec<String> = arguments.iter().take(given).map(|(_, t)| t.name.clone()).collect();
        self.enter(&function.name)?;
        let caller = unnamed(scope.rel);
        let outside = std::mem::replace(&mut self.settings.default_collation, function.collation.clone());
        let result = self.in_parameters(arguments, function, &caller, |this, inner| this.resolve(expr, inner));
        self.settings.default_collation = outside;
        self.views.pop();
        let mut typed = result?;
        if let Some(returns) = returns {
            typed = self.cast_of_function(&typed, returns)?;
        }
        let typed = typed.named(format!("{}({})", function.name.join("."), names.join(", ")));
        if scope.clause == "VALUES" {
            return Err(Error::analysis("INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE")
                .param("expr", format!("\"{}\"", typed.name))
                .at(scope.origin.as_ref()));
        }
        if scope.clause == "GROUP BY" {
            self.grouped_calls.push((function.name.clone(), values, typed.clone()));
        }
        self.note_subqueries(&typed.expr);
        Ok(typed)
    }

    /// A function's argument or result under its declared type.
    ///
    /// # Errors
    /// `DATATYPE_MISMATCH.*` of the value alone, if there is no such cast.
    fn cast_of_function(&self, typed: &Typed, to: &DataType) -> Result<Typed> {
        cast::explicit(typed, to, CastMode::Session, &self.settings).map_err(|e| {
            match e.condition().starts_with("DATATYPE_MISMATCH.CAST_") {
                true => e.param("sqlExpr", format!("\"{}\"", typed.name)),
                false => e,
            }
        })
    }

    /// A subquery that is a function's body may stand beside aggregates where one of the query's own may not.
    fn note_subqueries(&mut self, expr: &DfExpr) {
        let _ = expr.apply(|e| {
            if let DfExpr::ScalarSubquery(s) = e {
                self.function_subqueries.push(s.subquery.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }

    /// Places where a function's body cannot be put.
    fn refuse_usage(&self, function: &SqlFunction, scope: &Scope) -> Result<()> {
        if !self.lambdas.is_empty() {
            return Err(Error::analysis("UNSUPPORTED_FEATURE.LAMBDA_FUNCTION_WITH_SQL_UDF")
                .param("funcName", function.name.join("."))
                .with_message("A lambda calls no function that is written in SQL.")
                .at(scope.origin.as_ref()));
        }
        let node = match scope.clause {
            _ if self.in_generator => "Generate",
            _ if scope.in_window => "Window",
            "ORDER BY" => "Sort",
            "LIMIT" => "GlobalLimit",
            "OFFSET" => "Offset",
            "DISTRIBUTE BY" => "RepartitionByExpression",
            _ => return Ok(()),
        };
        Err(Error::analysis("UNSUPPORTED_SQL_UDF_USAGE")
            .param("functionName", quoted(&function.name))
            .param("nodeName", node)
            .with_message("A function that is written in SQL cannot be called in this clause.")
            .at(scope.origin.as_ref()))
    }

    pub(super) fn sql_table_function(&mut self, function: &SqlFunction, args: &[Expr]) -> Result<Rel> {
        let SqlFunctionBody::Table { plan, returns } = &function.body else {
            return Err(Error::analysis("NOT_A_TABLE_FUNCTION").param("functionName", quoted(&function.name)));
        };
        let empty = super::one_row();
        let arguments = self.bind_arguments(function, args, &mut Scope::new(&empty, "FROM"))?;
        self.enter(&function.name)?;
        let values: Vec<(Typed, Option<crate::scope::Attr>, String)> =
            arguments.into_iter().map(|(name, typed)| (typed, None, name)).collect();
        let row = self.project_values(&empty, values)?;
        let plan = plan.clone();
        let outside = std::mem::replace(&mut self.settings.default_collation, function.collation.clone());
        let result = self.inner_of_row(&plan, &row);
        self.settings.default_collation = outside;
        self.views.pop();
        let rel = result?;
        if let Some(returns) = returns
            && returns.fields.len() != rel.output.len()
        {
            return Err(Error::analysis("USER_DEFINED_FUNCTIONS.RETURN_COLUMN_COUNT_MISMATCH")
                .param("outputSize", rel.output.len().to_string())
                .param("returnParamSize", returns.fields.len().to_string())
                .param("name", function.name.join(".")));
        }
        match returns {
            Some(returns) => self.as_schema(&rel, returns, &function.name),
            None => Ok(rel),
        }
    }

    /// A query that sees one constant row as its outer query; the row's values are put in place.
    fn inner_of_row(&mut self, plan: &Plan, row: &Rel) -> Result<Rel> {
        let scope = self.lambdas.len();
        let constants: HashMap<String, Typed> = row
            .output
            .iter()
            .zip(constant_exprs(row))
            .map(|(a, e)| (a.name.to_lowercase(), Typed { expr: e, ..a.typed() }))
            .collect();
        self.constants.push(constants);
        let result = self.relation(plan);
        self.constants.pop();
        self.lambdas.truncate(scope);
        result
    }

    /// The relation under another schema, by position.
    ///
    /// # Errors
    /// If the number of columns differs or a cast does not exist.
    pub fn as_schema(&mut self, rel: &Rel, schema: &StructType, name: &[String]) -> Result<Rel> {
        if rel.output.len() != schema.fields.len() {
            return Err(Error::analysis("INCOMPATIBLE_VIEW_SCHEMA_CHANGE")
                .param("viewName", quoted(name))
                .param("colName", "")
                .param("expectedNum", schema.fields.len().to_string())
                .param("actualCols", "")
                .param("suggestion", ""));
        }
        let mut values = Vec::new();
        for (attr, field) in rel.output.iter().zip(&schema.fields) {
            let mut typed = cast::explicit(&attr.typed(), &field.data_type, CastMode::Session, &self.settings)?;
            typed.metadata = field.metadata.clone();
            values.push((typed, None, field.name.clone()));
        }
        self.project_values(rel, values)
    }

    /// Arguments by parameter name, cast to the parameters' types, defaults filled in.
    fn bind_arguments(
        &mut self,
        function: &SqlFunction,
        args: &[Expr],
        scope: &mut Scope,
    ) -> Result<Vec<(String, Typed)>> {
        let required = function.parameters.iter().filter(|p| p.2.is_none()).count();
        let parameters: Vec<&str> = function.parameters.iter().map(|p| p.0.as_str()).collect();
        crate::expr::function::check_named(&quoted(&function.name), &parameters, args)?;
        if args.len() > function.parameters.len() || (args.len() < required && !args.iter().any(is_named)) {
            return Err(Error::analysis("WRONG_NUM_ARGS.WITHOUT_SUGGESTION")
                .param("functionName", quoted(&function.name))
                .param("expectedNum", function.parameters.len().to_string())
                .param("actualNum", args.len().to_string())
                .param("docroot", "https://spark.apache.org/docs/latest"));
        }
        let mut out: Vec<(String, Typed)> = Vec::new();
        for (i, (name, ty, default)) in function.parameters.iter().enumerate() {
            let by_name = args.iter().find_map(|a| match a.unpositioned() {
                Expr::NamedArgument { name: n, value } if self.same_name(n, name) => Some((**value).clone()),
                _ => None,
            });
            let positional = args.get(i).filter(|a| !matches!(a.unpositioned(), Expr::NamedArgument { .. })).cloned();
            let Some(expr) = by_name.or(positional).or_else(|| default.clone()) else {
                return Err(Error::analysis("REQUIRED_PARAMETER_NOT_FOUND")
                    .param("routineName", quoted(&function.name))
                    .param("parameterName", spark::types::quote_identifier(name))
                    .param("index", i.to_string()));
            };
            let typed = self.resolve(&expr, scope)?;
            let printed = typed.name.clone();
            self.cast_of_function(&typed, ty)?;
            let typed = coerce::cast_implicitly(&typed, ty, &self.settings).named(printed);
            out.push((name.clone(), typed));
        }
        Ok(out)
    }

    fn in_parameters<T>(
        &mut self,
        arguments: Vec<(String, Typed)>,
        function: &SqlFunction,
        caller: &Rel,
        f: impl FnOnce(&mut Self, &mut Scope) -> Result<T>,
    ) -> Result<T> {
        let mut constants: HashMap<String, Typed> = HashMap::new();
        for (name, typed) in arguments {
            let qualified = function.name.last().map(|f| format!("{f}.{name}").to_lowercase());
            constants.extend(qualified.map(|q| (q, typed.clone())));
            constants.insert(name.to_lowercase(), typed);
        }
        self.constants.push(constants);
        let result = f(self, &mut Scope::new(caller, "function body"));
        self.constants.pop();
        result
    }

    /// Notes that a view or function is being expanded.
    ///
    /// # Errors
    /// `RECURSIVE_VIEW`-like if it is inside itself.
    pub fn enter(&mut self, name: &[String]) -> Result<()> {
        if self.views.len() >= MAX_FUNCTION_DEPTH {
            return Err(Error::analysis("VIEW_EXCEED_MAX_NESTED_DEPTH")
                .param("viewName", quoted(name))
                .param("maxNestedDepth", MAX_FUNCTION_DEPTH.to_string()));
        }
        self.views.push(name.to_vec());
        Ok(())
    }
}

/// The caller's columns without names: a function's body reaches them by its parameters alone.
fn unnamed(rel: &Rel) -> Rel {
    let mut rel = rel.clone();
    rel.hidden.clear();
    for attr in &mut rel.output {
        attr.name = format!("\u{0}{}", attr.id);
        attr.qualifier.clear();
    }
    rel
}

fn is_named(arg: &Expr) -> bool {
    matches!(arg.unpositioned(), Expr::NamedArgument { .. })
}

/// True if a call gives parameter `i` a value.
fn is_given(function: &SqlFunction, args: &[Expr], i: usize) -> bool {
    args.get(i).is_some_and(|a| !is_named(a))
        || args.iter().any(|a| {
            matches!(a.unpositioned(), Expr::NamedArgument { name, .. }
                if function.parameters.get(i).is_some_and(|p| p.0.eq_ignore_ascii_case(name)))
        })
}

/// A name stands for no constant: the argument `name` of a query is none.
fn no_constant(error: Error, name: &str) -> Error {
    match error.condition().starts_with("UNRESOLVED_COLUMN") {
        false => error,
        true => Error::analysis("INVALID_SQL_ARG")
            .param("name", name)
            .with_message(format!("The argument {name} of a query is a constant or made of constants.")),
    }
}

/// The expressions that a one-row projection computes.
fn constant_exprs(row: &Rel) -> Vec<DfExpr> {
    match &row.plan {
        datafusion::logical_expr::LogicalPlan::Projection(p) => p.expr.iter().map(|e| e.clone().unalias()).collect(),
        _ => Vec::new(),
    }
}
