//! Lists of expressions as a `SELECT` has them: stars written out, output names given, generators and
//! aliases set apart.

use functions::{Generator, Typed};
use spark::expr::{UnresolvedFunction, UnresolvedStar};
use spark::types::{DataType, Metadata};
use spark::{Error, Expr, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::attribute::quoted;
use crate::expr::extract::struct_field;
use crate::expr::function::builtin_name;
use crate::scope::{Attr, column_id};

/// One entry of a select list.
pub(crate) enum Item {
    /// A value under its output name. `attr` if it is a column as it is, which keeps its identity.
    Value { typed: Typed, attr: Option<Attr>, name: String },
    /// A generator with the names given to its columns, if any.
    Generator { generator: Generator, names: Vec<String> },
}

impl Analyzer<'_> {
    /// Types a select list. Aliases are visible to the entries after them.
    ///
    /// # Errors
    /// As the expressions; `UNSUPPORTED_GENERATOR.MULTI_GENERATOR` is left to the caller.
    pub fn select_list(&mut self, exprs: &[Expr], scope: &mut Scope) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(exprs.len());
        for expr in exprs {
            self.select_item(expr, scope, &mut items).map_err(|e| self.with_whole_entry(e, expr, scope))?;
        }
        Ok(items)
    }

    /// A generator inside an expression is told of with the whole entry.
    fn with_whole_entry(&mut self, error: Error, expr: &Expr, scope: &mut Scope) -> Error {
        if error.condition() != "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS" {
            return error;
        }
        let inner = match expr.unpositioned() {
            Expr::Alias { child, .. } => child,
            _ => expr,
        };
        let before = std::mem::replace(&mut self.prints_generators, true);
        let shown = self.resolve(inner, scope);
        self.prints_generators = before;
        match shown {
            Ok(typed) => error.param("expression", format!("\"{}\"", typed.name)),
            Err(_) => error,
        }
    }

    fn select_item(&mut self, expr: &Expr, scope: &mut Scope, items: &mut Vec<Item>) -> Result<()> {
        match expr {
            Expr::At { child, origin } => {
                let outer = scope.origin.replace(origin.clone());
                let before = items.len();
                let result = self.select_item(child, scope, items).map_err(|e| e.at(Some(origin)));
                scope.origin = outer;
                for item in items.iter_mut().skip(before) {
                    if let Item::Value { typed, .. } = item {
                        typed.expr = functions::kernel::placed(std::mem::take(&mut typed.expr), origin);
                    }
                }
                result
            }
            Expr::Text(text) => {
                let parsed = self.parse_expression(text)?;
                self.select_item(&parsed, scope, items)
            }
            Expr::Star(_) | Expr::Regex { .. } => {
                for (typed, attr, name) in self.star_columns(expr, scope)?.unwrap_or_default() {
                    items.push(Item::Value { typed, attr: attr.attr, name });
                }
                Ok(())
            }
            Expr::Alias { child, names, metadata } => self.aliased(child, names, metadata.as_deref(), scope, items),
            Expr::Function(f) => self.select_call(expr, f, scope, items),
            _ => {
                let typed = self.resolve(expr, scope)?;
                items.push(self.unnamed(expr, typed, scope));
                Ok(())
            }
        }
    }

    fn select_call(
        &mut self,
        expr: &Expr,
        f: &UnresolvedFunction,
        scope: &mut Scope,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        refuse_table_function(f, scope)?;
        if let Some(generator) = self.generator(f, scope)? {
            items.push(Item::Generator { generator, names: Vec::new() });
            return Ok(());
        }
        let typed = self.resolve(expr, scope)?;
        items.push(self.unnamed(expr, typed, scope));
        Ok(())
    }

    fn aliased(
        &mut self,
        child: &Expr,
        names: &[String],
        metadata: Option<&str>,
        scope: &mut Scope,
        items: &mut Vec<Item>,
    ) -> Result<()> {
        if let Expr::Star(_) | Expr::Regex { .. } = child.unpositioned() {
            let elem = match child.unpositioned() {
                Expr::Regex { pattern, .. } => format!("regular expression '{pattern}'"),
                _ => "'*'".to_string(),
            };
            return Err(Error::analysis("INVALID_USAGE_OF_STAR_OR_REGEX")
                .param("elem", elem)
                .param("prettyName", "expression `alias`")
                .with_message("A star stands for several columns and takes no alias.")
                .nowhere());
        }
        if let Expr::Function(f) = child.unpositioned()
            && let Some(generator) = self.generator(f, scope)?
        {
            items.push(Item::Generator { generator, names: names.to_vec() });
            return Ok(());
        }
        let [name] = names else {
            return Err(Error::analysis("MULTI_ALIAS_WITHOUT_GENERATOR")
                .param("expr", format!("\"{}\"", self.resolve(child, scope)?.name))
                .param("names", names.join(", "))
                .at(scope.origin.as_ref()));
        };
        let mut typed = self.resolve(child, scope)?;
        if let Some(metadata) = metadata.filter(|m| !m.is_empty()) {
            typed.metadata = parse_metadata(metadata)?;
        }
        typed.metadata = typed.metadata.without("__autoGeneratedAlias");
        scope.aliases.push((name.clone(), typed.clone()));
        items.push(Item::Value { typed, attr: None, name: name.clone() });
        Ok(())
    }

    /// An entry without an alias: a column keeps its name and identity, a field or the cast of a column
    /// takes that name, everything else is printed and marked as named by Spark.
    fn unnamed(&mut self, expr: &Expr, mut typed: Typed, scope: &Scope) -> Item {
        if let Some(name) = extracted_name(expr) {
            return Item::Value { typed, attr: None, name };
        }
        let cast_column = cast_column(expr, &typed);
        // A function that gives a column back as it is has a name of its own nevertheless.
        let renamed = |attr: &Attr| matches!(expr.unpositioned(), Expr::Function(_)) && typed.name != attr.name;
        if let Some(attr) = self.plain_column(&typed, scope).filter(|a| cast_column.is_none() && !renamed(a)) {
            let name = match expr.unpositioned() {
                Expr::Attribute(a) if typed.name.starts_with("lateralAliasReference(") => {
                    a.parts.last().cloned().unwrap_or_default()
                }
                _ => typed.name.clone(),
            };
            return Item::Value { typed, attr: Some(attr), name };
        }
        let (name, auto) = match expr.unpositioned() {
            // A function that is called without parentheses.
            Expr::Attribute(a) if a.parts.len() == 1 && typed.name.ends_with("()") => (typed.name.clone(), true),
            Expr::Attribute(a) => (a.parts.last().cloned().unwrap_or_default(), false),
            Expr::Cast { .. } => match cast_column {
                Some(name) => (name, false),
                None => (typed.name.clone(), true),
            },
            Expr::ExtractValue { .. } | Expr::Literal(_) => (typed.name.clone(), false),
            Expr::Window { .. } => (typed.name.clone(), true),
            // The time of a window is a column to Spark.
            Expr::Function(f) if builtin_name(&f.name).as_deref() == Some("window_time") => (typed.name.clone(), false),
            // Arguments are literals, most of them.
            Expr::Parameter(_) => {
                (typed.name.clone(), !matches!(typed.expr, datafusion::logical_expr::Expr::Literal(..)))
            }
            _ => (typed.name.clone(), true),
        };
        typed.metadata = if auto { Metadata::auto_alias() } else { typed.metadata.without("__autoGeneratedAlias") };
        Item::Value { typed, attr: None, name }
    }

    /// The attribute behind an expression that is just a column of the input.
    pub fn plain_column(&self, typed: &Typed, scope: &Scope) -> Option<Attr> {
        let datafusion::logical_expr::Expr::Column(column) = &typed.expr else { return None };
        let id = column_id(column)?;
        scope.rel.output.iter().chain(&scope.rel.hidden).find(|a| a.id == id).cloned().or_else(|| {
            Some(Attr {
                id,
                name: typed.name.clone(),
                qualifier: Vec::new(),
                ty: typed.ty.clone(),
                nullable: typed.nullable,
                metadata: typed.metadata.clone(),
            })
        })
    }

    /// The columns that a star or pattern stands for; `None` if `expr` is neither.
    ///
    /// # Errors
    /// `CANNOT_RESOLVE_STAR_EXPAND` and its kin.
    #[allow(clippy::type_complexity)]
    pub fn star_columns(&mut self, expr: &Expr, scope: &mut Scope) -> Result<Option<Vec<(Typed, Bound, String)>>> {
        match expr.unpositioned() {
            Expr::Star(star) => self.star(star, scope).map(Some),
            Expr::Regex { pattern, .. } => self.matching(pattern, scope).map(Some),
            _ => Ok(None),
        }
    }

    fn star(&mut self, star: &UnresolvedStar, scope: &mut Scope) -> Result<Vec<(Typed, Bound, String)>> {
        let columns = match star.plan_id {
            Some(plan_id) => self.columns_of_dataframe(plan_id, scope)?,
            None => scope.rel.output.clone(),
        };
        let columns = if star.target.is_empty() {
            columns
        } else {
            // A table's own copy of a USING key is hidden from `*`, not from `t.*`.
            let mut seen = std::collections::HashSet::new();
            let found: Vec<Attr> = scope
                .rel
                .hidden
                .iter()
                .cloned()
                .chain(columns)
                .filter(|a| self.qualifies(&star.target, &a.qualifier) && seen.insert(a.id))
                .collect();
            if found.is_empty() {
                if let Some(columns) = self.outer_star(star, scope) {
                    return Ok(columns);
                }
                return self.struct_star(star, scope);
            }
            found
        };
        let mut out: Vec<(Typed, Bound, String)> = columns
            .into_iter()
            .map(|a| (a.typed(), Bound { typed: a.typed(), attr: Some(a.clone()) }, a.name))
            .collect();
        self.without(&mut out, &star.except, scope)?;
        Ok(out)
    }

    /// `t.*` of a table of the enclosing query.
    fn outer_star(&mut self, star: &UnresolvedStar, scope: &Scope) -> Option<Vec<(Typed, Bound, String)>> {
        let outer = self.outer.last()?.rel.output.clone();
        let is_column = |a: &Attr| star.target.last().is_some_and(|n| self.same_name(&a.name, n));
        if scope.rel.output.iter().any(is_column) {
            return None;
        }
        let found: Vec<Attr> = outer.into_iter().filter(|a| self.qualifies(&star.target, &a.qualifier)).collect();
        if found.is_empty() || !star.except.is_empty() {
            return None;
        }
        let level = self.outer.len() - 1;
        let column = |a: Attr| {
            let typed = self.outer_attr(level, &a);
            (typed.clone(), Bound { typed, attr: None }, a.name)
        };
        Some(found.into_iter().map(column).collect())
    }

    fn columns_of_dataframe(&self, plan_id: i64, scope: &Scope) -> Result<Vec<Attr>> {
        let mut stack = vec![scope.rel.tree.clone()];
        while let Some(tree) = stack.pop() {
            if tree.plan_id == Some(plan_id) {
                return Ok(tree.output.clone());
            }
            stack.extend(tree.children.iter().cloned());
        }
        Err(Error::analysis("CANNOT_RESOLVE_DATAFRAME_COLUMN").param("name", "*"))
    }

    /// `struct_column.*`.
    fn struct_star(&mut self, star: &UnresolvedStar, scope: &mut Scope) -> Result<Vec<(Typed, Bound, String)>> {
        let base = match self.match_columns(&star.target, &scope.rel.output, scope)? {
            Some(found) => Some(self.matched(found)?),
            None => self.file_metadata(&star.target, scope)?,
        };
        let Some(base) = base else {
            let columns: Vec<String> =
                scope.rel.output.iter().map(|a| spark::types::quote_identifier(&a.name)).collect();
            return Err(Error::analysis("CANNOT_RESOLVE_STAR_EXPAND")
                .param("targetString", quoted(&star.target))
                .param("columns", columns.join(", "))
                .with_message(format!("{}.* matches neither a table nor a struct column.", quoted(&star.target)))
                .at(scope.origin.as_ref()));
        };
        let DataType::Struct(fields) = base.ty.clone() else {
            return Err(Error::analysis("_LEGACY_ERROR_TEMP_1050")
                .param("attributes", format!("List({})", star.target.join(", ")))
                .with_message(format!("{}.* needs a struct.", quoted(&star.target)))
                .at(scope.origin.as_ref()));
        };
        let mut out: Vec<(Typed, Bound, String)> = fields
            .fields
            .iter()
            .map(|f| {
                let typed = struct_field(&base, f);
                (typed.clone(), Bound { typed, attr: None }, f.name.clone())
            })
            .collect();
        self.without(&mut out, &star.except, scope)?;
        Ok(out)
    }

    /// Takes columns, and fields of columns, away.
    fn without(
        &mut self,
        columns: &mut Vec<(Typed, Bound, String)>,
        excepts: &[Vec<String>],
        scope: &Scope,
    ) -> Result<()> {
        if excepts.is_empty() {
            return Ok(());
        }
        let attrs: Vec<Attr> = columns
            .iter()
            .enumerate()
            .map(|(i, (typed, bound, name))| Attr {
                id: i as u64,
                name: name.clone(),
                qualifier: bound.attr.as_ref().map(|a| a.qualifier.clone()).unwrap_or_default(),
                ..self.fresh_attr(name.clone(), typed)
            })
            .collect();
        let mut paths: Vec<(usize, Vec<String>)> = Vec::new();
        for except in excepts {
            let Some(found) = self.match_columns(except, &attrs, scope)? else {
                return Err(self.unresolved(except, scope));
            };
            let column = found.attr.id as usize;
            // A field that does not exist is refused as any other would be.
            self.fields_of(columns[column].0.clone(), &found.rest)?;
            paths.push((column, found.rest));
        }
        let covers = |a: &(usize, Vec<String>), b: &(usize, Vec<String>)| {
            a.0 == b.0 && a.1.len() <= b.1.len() && a.1.iter().zip(&b.1).all(|(x, y)| self.same_name(x, y))
        };
        let overlap = (0..paths.len()).any(|i| (0..paths.len()).any(|j| i != j && covers(&paths[i], &paths[j])));
        if overlap {
            let shown: Vec<String> = excepts.iter().map(|e| e.join(".")).collect();
            return Err(Error::analysis("EXCEPT_OVERLAPPING_COLUMNS")
                .param("columns", shown.join(", "))
                .at(scope.origin.as_ref()));
        }
        let mut out = Vec::new();
        for (i, (typed, bound, name)) in columns.drain(..).enumerate() {
            let own: Vec<&[String]> = paths.iter().filter(|(c, _)| *c == i).map(|(_, rest)| rest.as_slice()).collect();
            match own.as_slice() {
                [] => out.push((typed, bound, name)),
                [[]] => {}
                fields => {
                    let typed = self.without_fields(&typed, fields)?;
                    out.push((typed.clone(), Bound { typed, attr: None }, name));
                }
            }
        }
        *columns = out;
        Ok(())
    }

    /// A struct with the fields that are in none of the paths.
    fn without_fields(&mut self, base: &Typed, paths: &[&[String]]) -> Result<Typed> {
        let DataType::Struct(fields) = base.ty.clone() else {
            return Err(Error::internal("a path goes through structs"));
        };
        let mut args = Vec::new();
        for field in &fields.fields {
            let own: Vec<&[String]> =
                paths.iter().filter(|p| self.same_name(&p[0], &field.name)).map(|p| &p[1..]).collect();
            let value = struct_field(base, field);
            let value = match own.as_slice() {
                [] => value,
                [[]] => continue,
                deeper => self.without_fields(&value, deeper)?,
            };
            args.push(self.literal_string(&field.name));
            args.push(value);
        }
        self.call("named_struct", args)
    }

    /// Columns whose whole name matches a pattern.
    fn matching(&mut self, pattern: &str, scope: &Scope) -> Result<Vec<(Typed, Bound, String)>> {
        let inner = pattern.trim_matches('`');
        let (qualifier, inner) = match inner.rsplit_once("`.`") {
            Some((q, p)) => (vec![q.to_string()], p),
            None => (Vec::new(), inner),
        };
        let case = if self.settings.case_sensitive { "" } else { "(?i)" };
        let regex = fancy_regex::Regex::new(&format!("^{case}(?:{inner})$")).map_err(|_| {
            Error::new(spark::ErrorKind::IllegalArgument, "INVALID_REGEXP_REPLACE")
                .with_message(format!("{inner} is not a regular expression."))
        })?;
        Ok(scope
            .rel
            .output
            .iter()
            .filter(|a| regex.is_match(&a.name).unwrap_or(false) && self.qualifies(&qualifier, &a.qualifier))
            .map(|a| (a.typed(), Bound { typed: a.typed(), attr: Some(a.clone()) }, a.name.clone()))
            .collect())
    }

    /// An expression that stands for something already typed, to be passed where names are expected.
    pub fn bound(&mut self, bound: Bound) -> Expr {
        let id = self.fresh_id();
        let name = format!("\u{0}{id}");
        let scope = std::collections::HashMap::from([(name.clone(), bound.typed)]);
        self.bound.extend(scope);
        Expr::LambdaVariable(vec![name])
    }
}

/// Whether an expression stands for something already typed.
pub(crate) fn is_bound(expr: &Expr) -> bool {
    matches!(expr.unpositioned(), Expr::LambdaVariable(parts) if parts.first().is_some_and(|p| p.starts_with('\u{0}')))
}

/// A column of an expanded star.
#[derive(Clone)]
pub(crate) struct Bound {
    pub typed: Typed,
    pub attr: Option<Attr>,
}

/// Column metadata as the client sends it: a JSON object.
///
/// # Errors
/// If it is not one.
pub(super) fn parse_metadata(text: &str) -> Result<Metadata> {
    serde_json::from_str::<serde_json::Value>(text).map(|json| Metadata::from_json(&json)).map_err(|e| {
        Error::new(spark::ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.CANNOT_PARSE")
            .param("errorMsg", format!("alias metadata: {e}"))
    })
}

/// The name of the column that `expr` casts, if it casts one; fields of columns have no such name.
fn cast_column(expr: &Expr, typed: &Typed) -> Option<String> {
    let Expr::Cast { child, .. } = expr.unpositioned() else { return None };
    let Expr::Attribute(attribute) = child.unpositioned() else { return None };
    let name = attribute.parts.last()?;
    let printed = typed.name.strip_prefix("TRY_").unwrap_or(&typed.name).strip_prefix("CAST(")?;
    let is_column = printed.get(..name.len()).is_some_and(|p| p.eq_ignore_ascii_case(name));
    (is_column && printed[name.len()..].starts_with(" AS ")).then(|| name.clone())
}

/// What a field of a variant that is extracted with `:`, cast or not, is called.
fn extracted_name(expr: &Expr) -> Option<String> {
    match expr.unpositioned() {
        Expr::Cast { child, .. } => extracted_name(child),
        Expr::Function(f) if f.name == ["semi_structured_extract"] => match f.args.get(1)?.unpositioned() {
            Expr::Literal(spark::Literal::String(path)) => functions::families::variant::functions::last_key(path),
            _ => None,
        },
        _ => None,
    }
}

/// Refuses a generator that only `FROM` takes.
fn refuse_table_function(f: &UnresolvedFunction, scope: &Scope) -> Result<()> {
    match builtin_name(&f.name).as_deref() {
        Some("variant_explode" | "variant_explode_outer") => Err(Error::analysis("NOT_A_SCALAR_FUNCTION")
            .param("functionName", crate::expr::attribute::quoted(&f.name))
            .at(scope.origin.as_ref())),
        _ => Ok(()),
    }
}
