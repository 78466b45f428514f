//! Calls: arguments, higher-order functions, aggregates' modifiers, and the functions only the analyzer
//! can type (`grouping`, `struct` with its field names).

use std::borrow::Cow;
use std::collections::HashMap;

use datafusion::logical_expr::Expr as DfExpr;
use functions::families::collation::by_default;
use functions::registry::{self, LambdaArg, LambdaCall, TypedLambda};
use functions::{Build, Call, Generator, Typed};
use spark::expr::UnresolvedFunction;
use spark::types::DataType;
use spark::{Error, Expr, Result};

use crate::context::{Analyzer, LambdaVariable};
use crate::expr::Scope;
use crate::expr::attribute::quoted;
use crate::expr::list::is_bound;
use crate::relation::aggregate::contains_aggregate;
use crate::world::{Answer, Need};

impl<'w> Analyzer<'w> {
    /// Types a call.
    ///
    /// # Errors
    /// `UNRESOLVED_ROUTINE`, and whatever the function's own typing refuses.
    pub fn function(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let Some(name) = builtin_name(&f.name) else { return self.user_function(f, scope) };
        if let Some(path) = self.settings.path.clone()
            && let ([only], false) = (f.name.as_slice(), f.is_operator)
            && !self.builtin_comes_first(only, &path)?
        {
            return self.user_function(f, scope);
        }
        match name.as_str() {
            "struct" => return self.structure(f, scope),
            "measure" => return self.measure(f, scope),
            "grouping" | "grouping_id" => return self.grouping_call(&name, f, scope),
            "input_file_name" | "input_file_block_start" | "input_file_block_length" if f.args.is_empty() => {
                if let Some(typed) = self.input_file(&name, scope)? {
                    return Ok(typed.named(format!("{name}()")));
                }
            }
            _ => {}
        }
        let Some(function) = registry::function(&name) else {
            return match cast_target(&name) {
                Some(to) => self.cast_call(&name, &to, f, scope),
                None => self.user_function(f, scope),
            };
        };
        match &function.build {
            Build::Lambda(build) => self.lambda_call(&name, *build, f, scope),
            Build::Scalar(build) => {
                let mut call = self.call_of(&name, f, scope)?;
                super::char_padding::pad_operands(&name, &mut call.args, &self.settings);
                let plain = name != "collation" && call.args.iter().any(|a| a.ty == DataType::STRING);
                let mut typed = build_call(call, *build);
                if let Ok(typed) = &mut typed
                    && !plain
                {
                    typed.ty = by_default(&typed.ty, self.settings.default_collation.as_ref());
                }
                match refuse_modifiers(f, printed(&name, &typed)) {
                    Err(_) if typed.as_ref().is_err_and(is_of_number_of_arguments) => typed,
                    Err(refused) => Err(refused),
                    Ok(()) => typed,
                }
            }
            Build::Aggregate(build) => {
                let call = self.aggregate_call(&name, f, scope)?;
                let typed = build_call(call, *build)?;
                Ok(self.as_outer_aggregate(typed))
            }
            Build::Window(build) => {
                let is_over = std::mem::replace(&mut scope.in_window, false);
                let call = self.call_of(&name, f, scope);
                scope.in_window = is_over;
                let typed = build_call(call?, *build)?;
                if !is_over {
                    return Err(Error::analysis("WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE")
                        .param("funcName", format!("\"{}\"", typed.name))
                        .with_message(format!("{} is a window function and needs an OVER.", typed.name))
                        .at(scope.origin.as_ref()));
                }
                Ok(typed)
            }
            Build::Generator(_) => {
                let shown = self.call_of(&name, f, scope)?.display_name();
                if self.prints_generators {
                    return Ok(Typed::null(DataType::Null).named(shown));
                }
                let outside = matches!(scope.clause, "WHERE" | "ORDER BY" | "JOIN");
                let error = match outside {
                    _ if scope.clause == "VALUES" => {
                        Error::analysis("INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE")
                            .param("expr", format!("\"{shown}\""))
                    }
                    true => Error::analysis("UNSUPPORTED_GENERATOR.OUTSIDE_SELECT").param("plan", scope.clause),
                    false => {
                        let error = Error::analysis("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS");
                        return Err(error.param("expression", format!("\"{shown}\"")).nowhere());
                    }
                };
                Err(error.at(scope.origin.as_ref()))
            }
        }
    }

    /// What `input_file_name()` and its kin say of the file that a row is from; `None` if there is none.
    fn input_file(&mut self, name: &str, scope: &Scope) -> Result<Option<Typed>> {
        let Some((metadata, file)) = scope.rel.files() else { return Ok(None) };
        let typed = match name.strip_prefix("input_file_") {
            Some("name") | None => file.typed(),
            Some(block) => self.fields_of(metadata.typed(), &[format!("file_{block}")])?,
        };
        Ok(Some(typed))
    }

    /// The call of an aggregate, which has none inside its arguments or its filter.
    fn aggregate_call(&mut self, name: &str, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Call<'w>> {
        let is_over = std::mem::replace(&mut scope.in_window, false);
        let aliases = self.lateral_aliases.len();
        let call = self.call_of(name, f, scope);
        scope.in_window = is_over;
        let call = call.map_err(|e| not_a_filter(e, f))?;
        if let (false, Some(alias)) = (is_over, self.lateral_aliases.get(aliases)) {
            return Err(Error::analysis("UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_AGGREGATE_FUNC")
                .param("lca", spark::types::quote_identifier(alias))
                .param("aggFunc", format!("\"{}\"", call.display_name()))
                .at(scope.origin.as_ref()));
        }
        if f.ignore_nulls == Some(true) && !IGNORES_NULLS.contains(&name) {
            return Err(Error::analysis("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX")
                .param("prettyName", spark::types::quote_identifier(name))
                .param("syntax", "IGNORE NULLS")
                .at(scope.origin.as_ref()));
        }
        if !f.within_group.is_empty() && !TAKES_ORDER.contains(&name) {
            return Err(Error::analysis("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX")
                .param("prettyName", spark::types::quote_identifier(name))
                .param("syntax", "WITHIN GROUP (ORDER BY ...)")
                .at(scope.origin.as_ref()));
        }
        check_filter(&call).map_err(|e| e.at(scope.origin.as_ref()))?;
        if !is_over && call.args.iter().any(|a| crate::expr::window::contains_window(&a.expr)) {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1031")
                .with_message("A window function cannot stand inside an aggregate; compute it in a subquery."));
        }
        if !is_over && let Some(i) = call.args.iter().position(|a| contains_aggregate(&a.expr)) {
            let inner = f.args.get(i).and_then(aggregate_origin);
            return Err(Error::analysis("NESTED_AGGREGATE_FUNCTION")
                .with_message("An aggregate cannot stand inside another; compute the inner one in a subquery.")
                .at(inner.as_ref().or(scope.origin.as_ref())));
        }
        self.refuse_mixed(&call, scope)?;
        Ok(call)
    }

    /// An aggregate is over columns of this query or of the one around it, not both.
    fn refuse_mixed(&self, call: &Call, scope: &Scope) -> Result<()> {
        if self.outer.is_empty() {
            return Ok(());
        }
        let outer = call.args.iter().any(|a| crate::decorrelate::mentions_outer(&a.expr));
        if outer && call.args.iter().any(|a| !a.expr.column_refs().is_empty()) {
            return Err(Error::analysis(
                "UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.AGGREGATE_FUNCTION_MIXED_OUTER_LOCAL_REFERENCES",
            )
            .param("function", call.display_name())
            .at(scope.origin.as_ref()));
        }
        Ok(())
    }

    /// An aggregate over columns of the enclosing query alone, in a subquery of its `HAVING`, is one of
    /// that query: its value is a column of it.
    fn as_outer_aggregate(&mut self, typed: Typed) -> Typed {
        let Some(outer) = self.outer.last() else { return typed };
        if !outer.takes_aggregates || !crate::decorrelate::mentions_outer(&typed.expr) {
            return typed;
        }
        let own = crate::decorrelate::as_own(&typed.expr);
        let name = match self.outer_aggregates.iter().find(|(e, _)| *e == own) {
            Some((_, name)) => name.clone(),
            None => {
                let name = format!("#{}", self.fresh_id());
                self.outer_aggregates.push((own, name.clone()));
                name
            }
        };
        let column = datafusion::common::Column::new_unqualified(&name);
        let id = crate::scope::column_id(&column).unwrap_or_default();
        let shown = crate::decorrelate::without_outer(&typed.name);
        let attr = crate::scope::Attr { id, ..self.fresh_attr(shown, &typed) };
        if let Some(outer) = self.outer.last_mut()
            && !outer.used.iter().any(|u| u.id == id)
        {
            outer.used.push(attr);
        }
        let field = arrow_schema::Field::new(&name, functions::types::to_arrow(&typed.ty), true);
        Typed { expr: DfExpr::OuterReferenceColumn(field.into(), column), nullable: true, ..typed }
    }

    /// `int(x)`, `string(x)`, …: a cast under the name of its argument.
    fn cast_call(&mut self, name: &str, to: &DataType, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        refuse_modifiers(f, name)?;
        let call = self.call_of(name, f, scope)?;
        call.arity(1..=1)?;
        let arg = &call.args[0];
        let typed = functions::cast::explicit(arg, to, spark::expr::CastMode::Session, &self.settings)
            .map_err(|e| e.at(scope.origin.as_ref()))?;
        Ok(typed.named(arg.name.clone()))
    }

    /// Types a generator; `None` if `f` is not one.
    ///
    /// # Errors
    /// As [`Analyzer::function`].
    pub fn generator(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Option<Generator>> {
        let Some(name) = builtin_name(&f.name) else { return Ok(None) };
        let Some(Build::Generator(build)) = registry::function(&name).map(|f| &f.build) else { return Ok(None) };
        refuse_modifiers(f, &name).map_err(|e| e.at(scope.origin.as_ref()))?;
        let outer = std::mem::replace(&mut self.in_generator, true);
        let call = self.call_of(&name, f, scope);
        self.in_generator = outer;
        let call = call?;
        let origin = call.origin.clone();
        build(call).map(Some).map_err(|e| e.at(origin.as_ref()))
    }

    /// The settings, for as long as the world lives.
    fn world_settings(&self) -> &'w spark::Settings {
        let world = self.world;
        world.settings_in(self.settings.ansi)
    }

    /// The call with its arguments typed.
    pub fn call_of(&mut self, name: &str, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Call<'w>> {
        let args = by_position(name, self.expand_args(name, f, scope)?).map_err(|e| e.at(scope.origin.as_ref()))?;
        if let Some(error) = missing_parameter(name, &args) {
            return Err(error.at(scope.origin.as_ref()));
        }
        let mut typed = Vec::with_capacity(args.len());
        let mut names = Vec::with_capacity(args.len());
        for arg in args.iter() {
            match arg.unpositioned() {
                Expr::NamedArgument { name, value } => {
                    names.push(name.clone());
                    typed.push(self.resolve(value, scope)?);
                }
                _ => {
                    names.push(String::new());
                    typed.push(self.resolve(arg, scope)?);
                }
            }
        }
        let filter = f.filter.as_ref().map(|e| self.filter_condition(e, scope)).transpose()?;
        let mut order = Vec::new();
        for key in &f.within_group {
            let typed = self.resolve(&key.child, scope)?;
            order.push((typed, key.ascending, key.nulls_first.unwrap_or(key.ascending)));
        }
        let mut call = Call::new(name, typed, self.world_settings());
        call.arg_names = names;
        call.distinct = f.distinct;
        call.ignore_nulls = f.ignore_nulls;
        call.filter = filter;
        call.order = order;
        call.is_operator = f.is_operator;
        call.origin = scope.origin.clone();
        Ok(call)
    }

    /// Arguments with stars written out; `count(*)` counts rows.
    fn expand_args<'f>(&mut self, name: &str, f: &'f UnresolvedFunction, scope: &mut Scope) -> Result<Cow<'f, [Expr]>> {
        let names = crate::expr::takes_names(scope.clause);
        let is_written_out = |a: &Expr| match a {
            Expr::Text(_) => false,
            other if names && matches!(other.unpositioned(), Expr::Regex { .. }) => true,
            other => !matches!(other.unpositioned(), Expr::Star(_) | Expr::Regex { .. }),
        };
        if f.args.iter().all(is_written_out) {
            return Ok(Cow::Borrowed(&f.args));
        }
        // A star may come as text.
        let args = f.args.iter().map(|a| match a {
            Expr::Text(text) => self.parse_expression(text),
            _ => Ok(a.clone()),
        });
        let args = args.collect::<Result<Vec<Expr>>>()?;
        if !args.iter().any(|a| matches!(a.unpositioned(), Expr::Star(_) | Expr::Regex { .. })) {
            return Ok(args.into());
        }
        // A list of values takes several.
        if f.is_operator && name != "in" {
            return Err(Error::analysis("INVALID_USAGE_OF_STAR_OR_REGEX")
                .param("elem", "'*'")
                .param("prettyName", format!("expression `{}`", operator_class(name)))
                .with_message("A star stands for several columns and is no operand.")
                .nowhere());
        }
        if let [only] = args.as_slice()
            && name == "count"
            && !f.distinct
            && matches!(only.unpositioned(), Expr::Star(s) if s.target.is_empty() && s.except.is_empty())
        {
            return Ok(vec![Expr::Literal(spark::Literal::Integer(1))].into());
        }
        if name == "count" && args.iter().any(|a| matches!(a.unpositioned(), Expr::Star(s) if !s.target.is_empty())) {
            let table = args.iter().find_map(|a| match a.unpositioned() {
                Expr::Star(s) if !s.target.is_empty() => Some(quoted(&s.target)),
                _ => None,
            });
            return Err(Error::analysis("INVALID_USAGE_OF_STAR_WITH_TABLE_IDENTIFIER_IN_COUNT")
                .param("tableName", table.unwrap_or_default())
                .at(scope.origin.as_ref()));
        }
        let mut out = Vec::new();
        for arg in args {
            match self.star_columns(&arg, scope)? {
                Some(columns) => out.extend(columns.into_iter().map(|(_, attr, _)| self.bound(attr))),
                None => out.push(arg),
            }
        }
        Ok(out.into())
    }

    /// `(a, b)`: a struct, printed with its names.
    pub(super) fn row(&mut self, values: &[Expr], scope: &mut Scope) -> Result<Typed> {
        let f = UnresolvedFunction { name: vec!["struct".into()], args: values.to_vec(), ..Default::default() };
        self.named_structure(&f, scope).map(|(typed, _)| typed)
    }

    fn structure(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let (typed, printed) = self.named_structure(f, scope)?;
        Ok(typed.named(format!("struct({})", printed.join(", "))))
    }

    /// The struct under its full name, and its members' names as printed.
    fn named_structure(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<(Typed, Vec<String>)> {
        let mut args = Vec::new();
        let mut printed = Vec::new();
        let exprs = self.expand_args("struct", f, scope)?;
        for (i, arg) in exprs.iter().enumerate() {
            let (name, typed) = self.struct_member(arg, i, scope)?;
            printed.push(typed.name.clone());
            args.push(self.literal_string(&name));
            args.push(typed);
        }
        let mut call = Call::new("named_struct", args, &self.settings);
        call.origin = scope.origin.clone();
        match registry::function("named_struct").map(|f| &f.build) {
            Some(Build::Scalar(build)) => Ok((build(call)?, printed)),
            _ => Err(Error::unsupported("the function struct")),
        }
    }

    /// A member of `struct(…)`: named by its alias or column, else by position.
    fn struct_member(&mut self, arg: &Expr, i: usize, scope: &mut Scope) -> Result<(String, Typed)> {
        let name = match arg.unpositioned() {
            Expr::Alias { names, .. } => names.first().cloned(),
            Expr::NamedArgument { name, .. } => Some(name.clone()),
            Expr::Attribute(a) => a.parts.last().cloned(),
            Expr::LambdaVariable(parts) if !is_bound(arg) => parts.last().cloned(),
            Expr::ExtractValue { extraction, .. } => match extraction.unpositioned() {
                Expr::Literal(spark::Literal::String(s)) => Some(s.clone()),
                _ => None,
            },
            _ => None,
        };
        let typed = self.resolve(arg, scope)?;
        let name = match arg.unpositioned() {
            // A column keeps its own spelling.
            Expr::Attribute(a) if a.parts.len() == 1 && self.same_name(&a.parts[0], &typed.name) => typed.name.clone(),
            // A column of a star.
            _ if is_bound(arg) => typed.name.clone(),
            _ => name.unwrap_or_else(|| format!("col{}", i + 1)),
        };
        Ok((name, typed))
    }

    fn lambda_call(
        &mut self,
        name: &str,
        build: fn(LambdaCall) -> Result<Typed>,
        f: &UnresolvedFunction,
        scope: &mut Scope,
    ) -> Result<Typed> {
        let mut args = Vec::with_capacity(f.args.len());
        for arg in &f.args {
            args.push(match arg.unpositioned() {
                Expr::Lambda { .. } => LambdaArg::Lambda(arg),
                _ => LambdaArg::Value(self.resolve(arg, scope)?),
            });
        }
        let settings = self.world_settings();
        let origin = scope.origin.clone();
        let mut resolve = |lambda: &Expr, params: &[(DataType, bool)]| self.typed_lambda(lambda, params, scope);
        let call = LambdaCall { name: name.to_string(), args, settings, origin: origin.clone(), resolve: &mut resolve };
        let typed = build(call).map_err(|e| e.at(origin.as_ref()));
        let typed = typed.map_err(|e| self.with_written_lambdas(e, name, f, scope));
        if typed.as_ref().is_err_and(is_of_number_of_arguments) {
            return typed;
        }
        refuse_modifiers(f, name)?;
        typed
    }

    /// An error about a call whose lambdas were not typed: they are printed as they are written.
    fn with_written_lambdas(&mut self, error: Error, name: &str, f: &UnresolvedFunction, scope: &mut Scope) -> Error {
        const UNTYPED: &str = "lambdafunction()";
        let Some(mut shown) = error.data().parameters.get("sqlExpr").filter(|s| s.contains(UNTYPED)).cloned() else {
            return error;
        };
        for arg in &f.args {
            if let Expr::Lambda { body, params } = arg.unpositioned() {
                match self.written_lambda(body, params, scope) {
                    Ok(text) => shown = shown.replacen(UNTYPED, &text, 1),
                    Err(_) => return error,
                }
            }
        }
        if matches!(name, "aggregate" | "reduce")
            && f.args.len() == 3
            && let Some(start) = shown.strip_suffix(")\"")
        {
            shown = format!("{start}, lambdafunction(id, id))\"");
        }
        error.param("sqlExpr", shown)
    }

    /// A lambda as Spark prints it before its parameters have types.
    fn written_lambda(&mut self, body: &Expr, params: &[String], scope: &mut Scope) -> Result<String> {
        let variables = params.iter().map(|param| {
            let variable =
                LambdaVariable { unique: param.clone(), ty: DataType::Null, nullable: true, printed: param.clone() };
            (param.clone(), variable)
        });
        self.lambdas.push(variables.collect());
        let body = self.resolve(body, scope);
        self.lambdas.pop();
        let names: String = params.iter().map(|p| format!(", {p}")).collect();
        Ok(format!("lambdafunction({}{names})", body?.name))
    }

    /// Types a lambda's body for parameters of the given types.
    fn typed_lambda(&mut self, lambda: &Expr, types: &[(DataType, bool)], scope: &mut Scope) -> Result<TypedLambda> {
        let Expr::Lambda { body, params } = lambda.unpositioned() else {
            return Err(Error::internal("a lambda was expected"));
        };
        if params.len() > types.len() {
            return Err(Error::analysis("INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH")
                .param("expectedNumArgs", types.len().to_string())
                .param("actualNumArgs", params.len().to_string()));
        }
        let mut variables = HashMap::new();
        let mut unique = Vec::new();
        for (param, (ty, nullable)) in params.iter().zip(types) {
            let id = self.fresh_id();
            let name = format!("${id}");
            unique.push(name.clone());
            let variable = LambdaVariable {
                unique: name,
                ty: ty.clone(),
                nullable: *nullable,
                printed: "namedlambdavariable()".into(),
            };
            if variables.insert(param.clone(), variable).is_some() {
                return Err(Error::analysis("INVALID_LAMBDA_FUNCTION_CALL.DUPLICATE_ARG_NAMES")
                    .param("args", format!("'{}'", params.join("', '")))
                    .param("caseSensitiveConfig", "\"spark.sql.caseSensitive\""));
            }
        }
        self.lambdas.push(variables);
        let body = self.resolve(body, scope);
        self.lambdas.pop();
        let body = body?;
        let printed: String = unique.iter().map(|_| ", namedlambdavariable()").collect();
        Ok(TypedLambda {
            name: format!("lambdafunction({}{printed})", body.name),
            expr: DfExpr::Lambda(datafusion::logical_expr::expr::Lambda::new(unique.clone(), body.expr)),
            ty: body.ty,
            nullable: body.nullable,
            parameters: unique.len(),
        })
    }

    /// A function that is not built in: a user's SQL function, or none.
    fn user_function(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let found = self.ask_function(&f.name);
        match found.map_err(|e| e.at(scope.origin.as_ref()))? {
            Answer::SqlFunction(function) => {
                let function = function.clone();
                self.sql_function(&function, f, scope)
            }
            _ => Err(self.unresolved_routine(&f.name).at(scope.origin.as_ref())),
        }
    }

    /// True if an unqualified name means the built-in function on this search path.
    fn builtin_comes_first(&mut self, name: &str, path: &[Vec<String>]) -> Result<bool> {
        for schema in path {
            if spark::settings::is_system(schema, "builtin") && is_builtin(&[name.to_string()]) {
                return Ok(true);
            }
            let mut full = schema.clone();
            full.push(name.to_string());
            if let Answer::SqlFunction(_) = self.ask_found(Need::Function(full))? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Where unqualified names are looked for, as Spark prints it.
    pub fn search_path(&self) -> String {
        self.settings.search_path_shown()
    }

    /// `UNRESOLVED_ROUTINE`.
    pub fn unresolved_routine(&self, name: &[String]) -> Error {
        Error::analysis("UNRESOLVED_ROUTINE")
            .param("routineName", quoted(name))
            .param("searchPath", self.search_path())
            .with_message(format!("There is no function {}.", quoted(name)))
    }
}

/// The name of a built-in function, if `parts` could be one.
pub(crate) fn builtin_name(parts: &[String]) -> Option<String> {
    let name = match parts {
        [name] => name,
        [schema, name] if schema.eq_ignore_ascii_case("builtin") => name,
        [catalog, schema, name] if catalog.eq_ignore_ascii_case("system") && schema.eq_ignore_ascii_case("builtin") => {
            name
        }
        _ => return None,
    };
    Some(name.to_lowercase())
}

/// True for a name of a function that is built in.
pub(crate) fn is_builtin(parts: &[String]) -> bool {
    builtin_name(parts).is_some_and(|name| registry::function(&name).is_some() || cast_target(&name).is_some())
}

/// Parameters of the functions whose arguments can be named; how many of them have no default.
const SIGNATURES: &[(&str, usize, &[&str])] = &[
    ("mask", 1, &["str", "upperChar", "lowerChar", "digitChar", "otherChar"]),
    ("count_min_sketch", 3, &["column", "epsilon", "confidence", "seed"]),
    ("explode", 1, &["collection"]),
    ("explode_outer", 1, &["collection"]),
    ("posexplode", 1, &["collection"]),
    ("posexplode_outer", 1, &["collection"]),
    ("inline", 1, &["input"]),
    ("inline_outer", 1, &["input"]),
    ("variant_explode", 1, &["input"]),
    ("variant_explode_outer", 1, &["input"]),
];

/// Checks the named arguments of a built-in function; they stay named, for the function to place.
fn by_position<'f>(name: &str, args: Cow<'f, [Expr]>) -> Result<Cow<'f, [Expr]>> {
    let is_named = |e: &Expr| matches!(e.unpositioned(), Expr::NamedArgument { .. });
    if name == "struct" || !args.iter().any(is_named) {
        return Ok(args);
    }
    let routine = spark::types::quote_identifier(name);
    let Some((_, _, parameters)) = SIGNATURES.iter().find(|(n, _, _)| *n == name) else {
        return Err(Error::analysis("NAMED_PARAMETERS_NOT_SUPPORTED").param("functionName", routine));
    };
    check_named(&routine, parameters, &args)?;
    Ok(args)
}

/// Checks named arguments against the parameters there are.
///
/// # Errors
/// `UNEXPECTED_POSITIONAL_ARGUMENT`, `UNRECOGNIZED_PARAMETER_NAME`, `DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT.*`.
pub(crate) fn check_named(routine: &str, parameters: &[&str], args: &[Expr]) -> Result<()> {
    let is_named = |e: &Expr| matches!(e.unpositioned(), Expr::NamedArgument { .. });
    let positional = args.iter().take_while(|a| !is_named(a)).count();
    let mut seen: Vec<String> = Vec::new();
    for arg in args.iter().skip(positional) {
        let Expr::NamedArgument { name: given, .. } = arg.unpositioned() else {
            let before = seen.last().cloned().unwrap_or_default();
            return Err(Error::analysis("UNEXPECTED_POSITIONAL_ARGUMENT")
                .param("routineName", routine)
                .param("parameterName", spark::types::quote_identifier(&before)));
        };
        let Some(at) = parameters.iter().position(|p| p.eq_ignore_ascii_case(given)) else {
            let near = crate::expr::attribute::nearest(given, parameters);
            return Err(Error::analysis("UNRECOGNIZED_PARAMETER_NAME")
                .param("routineName", routine)
                .param("argumentName", spark::types::quote_identifier(given))
                .param("proposal", near.join(" ")));
        };
        let twice = if at < positional {
            Some("BOTH_POSITIONAL_AND_NAMED")
        } else if seen.iter().any(|s| s.eq_ignore_ascii_case(given)) {
            Some("DOUBLE_NAMED_ARGUMENT_REFERENCE")
        } else {
            None
        };
        if let Some(sub) = twice {
            return Err(Error::analysis(format!("DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT.{sub}"))
                .param("routineName", routine)
                .param("parameterName", spark::types::quote_identifier(given)));
        }
        seen.push(given.clone());
    }
    Ok(())
}

/// The argument that a function with named parameters cannot do without.
fn missing_parameter(name: &str, args: &[Expr]) -> Option<Error> {
    let (_, required, parameters) = SIGNATURES.iter().find(|(n, _, _)| *n == name)?;
    let is_there = |i: usize, p: &str| {
        args.get(i).is_some_and(|a| !matches!(a.unpositioned(), Expr::NamedArgument { .. }))
            || args
                .iter()
                .any(|a| matches!(a.unpositioned(), Expr::NamedArgument { name, .. } if name.eq_ignore_ascii_case(p)))
    };
    let (i, missing) = parameters.iter().take(*required).enumerate().find(|(i, p)| !is_there(*i, p))?;
    Some(
        Error::analysis("REQUIRED_PARAMETER_NOT_FOUND")
            .param("routineName", spark::types::quote_identifier(name))
            .param("parameterName", spark::types::quote_identifier(missing))
            .param("index", i.to_string()),
    )
}

/// The type that a function named after it casts to.
fn cast_target(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::Byte,
        "smallint" => DataType::Short,
        "int" => DataType::Integer,
        "bigint" => DataType::Long,
        "float" => DataType::Float,
        "double" => DataType::Double,
        "decimal" => DataType::decimal(10, 0),
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp,
        "time" => DataType::Time(6),
        "binary" => DataType::Binary,
        "string" => DataType::STRING,
        _ => return None,
    })
}

fn build_call(call: Call, build: fn(Call) -> Result<Typed>) -> Result<Typed> {
    let origin = call.origin.clone();
    build(call).map_err(|e| e.at(origin.as_ref()))
}

/// The name that the typed call is printed by: some functions are printed in capitals.
fn printed<'n>(name: &'n str, typed: &'n Result<Typed>) -> &'n str {
    let shown = typed.as_ref().ok().and_then(|t| t.name.split_once('(')).map(|(shown, _)| shown);
    shown.filter(|shown| shown.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// True for what Spark finds before it looks at `DISTINCT` and the like.
fn is_of_number_of_arguments(error: &Error) -> bool {
    let condition = error.condition();
    condition.starts_with("WRONG_NUM_ARGS") || condition == "REQUIRED_PARAMETER_NOT_FOUND"
}

/// What Spark calls an operator.
fn operator_class(name: &str) -> &str {
    match name {
        "+" => "add",
        "-" => "subtract",
        "*" => "multiply",
        "/" => "divide",
        "%" | "mod" => "remainder",
        "div" => "integraldivide",
        "=" | "==" => "equalto",
        "<=>" => "equalnullsafe",
        ">" => "greaterthan",
        ">=" => "greaterthanorequal",
        "<" => "lessthan",
        "<=" => "lessthanorequal",
        "negative" => "unaryminus",
        other => other,
    }
}

/// Aggregates that can leave nulls out when asked to.
const IGNORES_NULLS: &[&str] = &[
    "first",
    "first_value",
    "last",
    "last_value",
    "any_value",
    "nth_value",
    "array_agg",
    "collect_list",
    "collect_set",
];

/// Aggregates that take `WITHIN GROUP (ORDER BY …)`.
const TAKES_ORDER: &[&str] = &["listagg", "string_agg", "mode", "percentile_cont", "percentile_disc"];

/// A filter that is no condition has an error of its own.
fn not_a_filter(error: Error, f: &UnresolvedFunction) -> Error {
    if f.filter.is_none() || error.condition() != "DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN" {
        return error;
    }
    let shown = error.data().parameters.get("filter").cloned().unwrap_or_default();
    Error::analysis("INVALID_AGGREGATE_FILTER.NOT_BOOLEAN").param("filterExpr", shown)
}

/// What a filter of an aggregate must not hold.
fn check_filter(call: &Call) -> Result<()> {
    let Some(filter) = &call.filter else { return Ok(()) };
    let error = |sub: &str| {
        Error::analysis(format!("INVALID_AGGREGATE_FILTER.{sub}")).param("filterExpr", format!("\"{}\"", filter.name))
    };
    if contains_aggregate(&filter.expr) {
        return Err(
            error("CONTAINS_AGGREGATE").param("aggExpr", crate::relation::aggregate::aggregates_printed(filter))
        );
    }
    if crate::expr::window::contains_window(&filter.expr) {
        return Err(error("CONTAINS_WINDOW_FUNCTION")
            .param("windowExpr", crate::relation::group_check::windows_printed(&filter.name)));
    }
    if filter.expr.is_volatile() {
        return Err(error("NON_DETERMINISTIC"));
    }
    Ok(())
}

/// Where the first aggregate in an expression stands.
pub(crate) fn aggregate_origin(expr: &Expr) -> Option<std::sync::Arc<spark::Origin>> {
    let Expr::At { child, origin } = expr else {
        return match expr {
            Expr::Alias { child, .. } => aggregate_origin(child),
            Expr::Function(f) => f.args.iter().find_map(aggregate_origin),
            Expr::Cast { child, .. } => aggregate_origin(child),
            _ => None,
        };
    };
    if let Expr::Function(f) = child.as_ref() {
        let function = builtin_name(&f.name).and_then(|n| registry::function(&n));
        if function.is_some_and(|f| matches!(f.build, Build::Aggregate(_))) {
            return Some(origin.clone());
        }
    }
    aggregate_origin(child)
}

fn refuse_modifiers(f: &UnresolvedFunction, name: &str) -> Result<()> {
    let error = |sub: &str, syntax: &str| {
        Error::analysis(format!("INVALID_SQL_SYNTAX.{sub}"))
            .param("prettyName", spark::types::quote_identifier(name))
            .param("syntax", syntax)
    };
    if f.distinct || f.filter.is_some() {
        let syntax = if f.distinct { "DISTINCT" } else { "FILTER CLAUSE" };
        return Err(error("FUNCTION_WITH_UNSUPPORTED_SYNTAX", syntax));
    }
    if f.ignore_nulls == Some(true) {
        return Err(error("FUNCTION_WITH_UNSUPPORTED_SYNTAX", "IGNORE NULLS"));
    }
    if !f.within_group.is_empty() {
        return Err(error("FUNCTION_WITH_UNSUPPORTED_SYNTAX", "WITHIN GROUP (ORDER BY ...)"));
    }
    Ok(())
}
