//! Columns by name: plain names, qualified names, nested fields, and `df["x"]`.

use std::rc::Rc;

use datafusion::logical_expr::Expr as DfExpr;
use functions::Typed;
use spark::expr::UnresolvedAttribute;
use spark::types::quote_identifier;
use spark::{Error, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::scope::{Attr, METADATA, Rel, Tree};
use crate::world::{Answer, Need};

/// A name matched against columns: the column, and the rest of the name.
pub(crate) struct Match {
    pub attr: Attr,
    pub rest: Vec<String>,
}

impl Analyzer<'_> {
    /// Resolves a name: lambda parameters, then columns, then aliases of the select list, then columns
    /// of enclosing queries, then functions that are called without parentheses, then variables.
    ///
    /// # Errors
    /// `UNRESOLVED_COLUMN.*`, `AMBIGUOUS_REFERENCE`, and for `df["x"]` their DataFrame kin.
    pub fn attribute(&mut self, attribute: &UnresolvedAttribute, scope: &mut Scope) -> Result<Typed> {
        if let Some(plan_id) = attribute.plan_id {
            return self.attribute_of(attribute, plan_id, scope);
        }
        let parts = &attribute.parts;
        if let Some(variable) = parts.first().and_then(|p| self.lambda(p)) {
            return self.fields_of(variable, &parts[1..]);
        }
        if let Some(typed) = self.selected(parts, scope)? {
            return Ok(typed);
        }
        if let Some(found) = self.match_columns(parts, &scope.rel.output, scope)? {
            return self.matched(found);
        }
        if let Some(found) = self.match_columns(parts, &scope.rel.hidden, scope)? {
            return self.matched(found);
        }
        if let Some(typed) = self.file_metadata(parts, scope)? {
            return Ok(typed);
        }
        if let Some(typed) = self.lateral_alias(parts, scope)? {
            return Ok(typed);
        }
        if let Some(typed) = self.outer_reference(parts, scope)? {
            return Ok(typed);
        }
        if let Some(typed) = self.function_parameter(parts)? {
            return Ok(typed);
        }
        if let Some(typed) = self.function_without_parentheses(parts, scope)? {
            return Ok(typed);
        }
        if let Some(typed) = self.variable(parts)? {
            return Ok(typed);
        }
        Err(self.unresolved(parts, scope))
    }

    /// The value of a matched column with its nested fields.
    pub fn matched(&mut self, found: Match) -> Result<Typed> {
        let mut typed = found.attr.typed();
        if self.qualified {
            typed.name = attr_path(&found.attr);
        }
        self.fields_of(typed, &found.rest)
    }

    /// What `resolve` makes with columns printed with their qualifiers.
    ///
    /// # Errors
    /// As `resolve`.
    pub fn printed_qualified<T>(&mut self, resolve: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = std::mem::replace(&mut self.qualified, true);
        let out = resolve(self);
        self.qualified = before;
        out
    }

    /// `base.field.field…`.
    ///
    /// # Errors
    /// `FIELD_NOT_FOUND` and its kin.
    pub fn fields_of(&mut self, base: Typed, fields: &[String]) -> Result<Typed> {
        fields.iter().try_fold(base, |typed, field| self.field(typed, field))
    }

    /// Matches a name against columns, longest qualifier first.
    ///
    /// # Errors
    /// `AMBIGUOUS_REFERENCE`.
    pub fn match_columns(&self, parts: &[String], columns: &[Attr], scope: &Scope) -> Result<Option<Match>> {
        for qualifiers in (0..parts.len().min(4)).rev() {
            let (qualifier, rest) = parts.split_at(qualifiers);
            let Some((name, fields)) = rest.split_first() else { continue };
            let mut found: Vec<&Attr> = Vec::new();
            for attr in columns {
                if self.same_name(&attr.name, name)
                    && self.qualifies(qualifier, &attr.qualifier)
                    && !found.iter().any(|f| f.id == attr.id)
                {
                    found.push(attr);
                }
            }
            match found.as_slice() {
                [] => {}
                // A column goes by the spelling with which it was asked for.
                [attr] => {
                    let attr = Attr { name: name.clone(), ..(*attr).clone() };
                    return Ok(Some(Match { attr, rest: fields.to_vec() }));
                }
                many => return Err(ambiguous(parts, name, many).at(scope.origin.as_ref())),
            }
        }
        Ok(None)
    }

    /// True if `written` is a suffix of the column's qualifier.
    pub fn qualifies(&self, written: &[String], qualifier: &[String]) -> bool {
        written.len() <= qualifier.len()
            && written.iter().rev().zip(qualifier.iter().rev()).all(|(a, b)| self.same_name(a, b))
    }

    /// `_metadata` of the files below, alone or behind the name of the relation.
    pub fn file_metadata(&mut self, parts: &[String], scope: &Scope) -> Result<Option<Typed>> {
        let at = parts.iter().take(2).position(|p| self.same_name(p, METADATA));
        let Some((at, (metadata, _))) = at.zip(scope.rel.files()) else { return Ok(None) };
        let qualifier = &parts[..at];
        if at > 0 && !scope.rel.output.iter().any(|a| self.qualifies(qualifier, &a.qualifier)) {
            return Ok(None);
        }
        let found = Match { attr: metadata.clone(), rest: parts[at + 1..].to_vec() };
        self.matched(found).map(Some)
    }

    /// An output of the select list by name, where those come first.
    fn selected(&mut self, parts: &[String], scope: &Scope) -> Result<Option<Typed>> {
        let Some((first, fields)) = parts.split_first() else { return Ok(None) };
        let found = scope.selected.iter().find(|(name, _)| self.same_name(name, first)).map(|(_, t)| t.clone());
        found.map(|typed| self.fields_of(typed.named(first.clone()), fields)).transpose()
    }

    fn lateral_alias(&mut self, parts: &[String], scope: &Scope) -> Result<Option<Typed>> {
        if !self.settings.conf.get_bool("spark.sql.lateralColumnAlias.enableImplicitResolution", true) {
            return Ok(None);
        }
        let Some((first, fields)) = parts.split_first() else { return Ok(None) };
        let found: Vec<&Typed> =
            scope.aliases.iter().filter(|(name, _)| self.same_name(name, first)).map(|(_, t)| t).collect();
        match found.as_slice() {
            [] => Ok(None),
            [typed] => {
                self.lateral_aliases.push(first.clone());
                let shown = if fields.is_empty() { format!("lateralAliasReference({first})") } else { first.clone() };
                let typed = (*typed).clone().named(shown);
                self.fields_of(typed, fields).map(Some)
            }
            many => Err(Error::analysis("AMBIGUOUS_LATERAL_COLUMN_ALIAS")
                .param("name", quoted(parts))
                .param("n", many.len().to_string())
                .at(scope.origin.as_ref())),
        }
    }

    /// A column of an enclosing query, noted as used by the inner one.
    fn outer_reference(&mut self, parts: &[String], scope: &Scope) -> Result<Option<Typed>> {
        // Only the query right around this one is in reach.
        let Some(level) = self.outer.len().checked_sub(1).filter(|_| !self.hides_outer) else { return Ok(None) };
        let rel = self.outer[level].rel.clone();
        let found = match self.match_columns(parts, &rel.output, scope)? {
            None => self.match_columns(parts, &rel.hidden, scope)?,
            found => found,
        };
        let Some(found) = found else { return Ok(None) };
        let base = self.outer_attr(level, &found.attr);
        self.fields_of(base, &found.rest).map(Some)
    }

    /// A reference to a column of the enclosing query at `level`.
    pub(super) fn outer_attr(&mut self, level: usize, attr: &Attr) -> Typed {
        let used = &mut self.outer[level].used;
        if !used.iter().any(|u| u.id == attr.id) {
            used.push(attr.clone());
        }
        let field = arrow_schema::Field::new(attr.column_name(), functions::types::to_arrow(&attr.ty), true);
        let column = datafusion::common::Column::new_unqualified(attr.column_name());
        let mut typed = attr.typed();
        typed.name = format!("outer({})", attr_path(attr));
        typed.expr = DfExpr::OuterReferenceColumn(field.into(), column);
        typed
    }

    /// A parameter of the SQL function being expanded.
    fn function_parameter(&mut self, parts: &[String]) -> Result<Option<Typed>> {
        let Some(scope) = self.constants.last() else { return Ok(None) };
        let lower: Vec<String> = parts.iter().map(|p| p.to_lowercase()).collect();
        for taken in [2, 1] {
            if lower.len() >= taken
                && let Some(typed) = scope.get(&lower[..taken].join(".")).cloned()
            {
                let typed = self.argument_inside(typed);
                return self.fields_of(typed, &parts[taken..]).map(Some);
            }
        }
        Ok(None)
    }

    /// An argument of a SQL function where its body is inside a query of its own: the caller's columns
    /// are those of an outer query there.
    fn argument_inside(&mut self, typed: Typed) -> Typed {
        use datafusion::common::tree_node::{Transformed, TreeNode};
        let mut used = Vec::new();
        let outer = &self.outer;
        let moved = typed.expr.clone().transform(|e| {
            let DfExpr::Column(column) = &e else { return Ok(Transformed::no(e)) };
            let found = outer.iter().enumerate().rev().find_map(|(i, o)| {
                o.rel.output.iter().find(|a| a.column_name() == column.name).map(|a| (i, a.clone()))
            });
            let Some((at, attr)) = found else { return Ok(Transformed::no(e)) };
            let field = arrow_schema::Field::new(attr.column_name(), functions::types::to_arrow(&attr.ty), true);
            used.push((at, attr));
            Ok(Transformed::yes(DfExpr::OuterReferenceColumn(field.into(), column.clone())))
        });
        let Ok(moved) = moved else { return typed };
        for (at, attr) in used {
            let used = &mut self.outer[at].used;
            if !used.iter().any(|u| u.id == attr.id) {
                used.push(attr);
            }
        }
        Typed { expr: moved.data, ..typed }
    }

    fn function_without_parentheses(&mut self, parts: &[String], scope: &mut Scope) -> Result<Option<Typed>> {
        const NAMES: [&str; 12] = [
            "localtime",
            "current_date",
            "current_timestamp",
            "current_user",
            "user",
            "session_user",
            "current_catalog",
            "current_database",
            "current_path",
            "localtimestamp",
            "current_time",
            "grouping__id",
        ];
        let [name] = parts else { return Ok(None) };
        let lower = name.to_ascii_lowercase();
        if !NAMES.contains(&lower.as_str()) {
            return Ok(None);
        }
        let of_hive = lower == "grouping__id";
        let name = if of_hive { "grouping_id".to_string() } else { lower };
        let call = spark::expr::UnresolvedFunction { name: vec![name], ..Default::default() };
        let typed = self.function(&call, scope)?;
        Ok(Some(if of_hive { typed.named("grouping__id") } else { typed }))
    }

    /// A session variable, perhaps with fields behind its name.
    fn variable(&mut self, parts: &[String]) -> Result<Option<Typed>> {
        if self.in_view || (parts.len() == 1 && !self.settings.looks_in_session()) {
            return Ok(None);
        }
        let is = |i: usize, word: &str| parts.get(i).is_some_and(|p| p.eq_ignore_ascii_case(word));
        // A name before the variable's may also be the label of a script's block.
        let prefixes = [(is(0, "system") && is(1, "session")).then_some(3), (parts.len() > 1).then_some(2), Some(1)];
        for taken in prefixes.into_iter().flatten().filter(|n| *n <= parts.len()) {
            if let Answer::Variable(literal) = self.ask_found(Need::Variable(parts[..taken].to_vec()))? {
                let expr = functions::scalar::literal_expr(literal)?;
                let shown = crate::names::literal_sql(literal, &self.settings);
                let name = format!("variablereference(system.session.{}={shown})", parts[taken - 1].to_lowercase());
                let typed = Typed::new(expr, literal.data_type(), literal.is_null(), name);
                return self.fields_of(typed, &parts[taken..]).map(Some);
            }
        }
        Ok(None)
    }

    /// `UNRESOLVED_COLUMN` with all columns: what the functions of `df.na` and `df.stat` raise.
    pub fn no_such_field(&self, name: &str, columns: &[Attr]) -> Error {
        let names: Vec<String> = columns.iter().map(|a| spark::types::quote_identifier(&a.name)).collect();
        Error::analysis("UNRESOLVED_COLUMN.WITH_SUGGESTION")
            .param("objectName", spark::types::quote_identifier(name))
            .param("proposal", names.join(", "))
            .with_message(format!("There is no column {name} here."))
    }

    /// `UNRESOLVED_COLUMN` with the nearest names.
    pub fn unresolved(&self, parts: &[String], scope: &Scope) -> Error {
        let mut columns = scope.rel.output.clone();
        // A function's body has no names for its caller's columns.
        columns.retain(|a| !a.name.starts_with('\0'));
        columns.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let mut suggestions = suggestions(parts, &columns);
        if let (true, Some(parameters)) = (suggestions.is_empty(), self.constants.last()) {
            let mut names: Vec<&str> = parameters.keys().map(String::as_str).filter(|n| !n.contains('.')).collect();
            names.sort_unstable();
            suggestions = nearest(parts.last().map(String::as_str).unwrap_or_default(), &names);
        }
        let name = quoted(parts);
        let error = if suggestions.is_empty() {
            Error::analysis("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION").param("objectName", &name)
        } else {
            Error::analysis("UNRESOLVED_COLUMN.WITH_SUGGESTION")
                .param("objectName", &name)
                .param("proposal", suggestions.join(", "))
        };
        error
            .with_message(match suggestions.is_empty() {
                true => format!("There is no column, variable or function parameter named {name} here."),
                false => format!(
                    "There is no column, variable or function parameter named {name} here. Near it: {}.",
                    suggestions.join(", ")
                ),
            })
            .at(scope.origin.as_ref())
    }

    /// `df["x"]`: found where `df` is in the tree below, if it is still visible from here.
    fn attribute_of(&mut self, attribute: &UnresolvedAttribute, plan_id: i64, scope: &mut Scope) -> Result<Typed> {
        let mut matched = false;
        let found = self.searched(&scope.rel.tree.clone(), plan_id, &attribute.parts, scope, &mut matched)?;
        match least_deep(distinct(found), scope).as_slice() {
            [one] => return self.matched(Match { attr: one.0.attr.clone(), rest: one.0.rest.clone() }),
            [] => {}
            _ => return Err(ambiguous_dataframe_column(attribute, scope)),
        }
        for level in (0..self.outer.len()).rev() {
            let tree = self.outer[level].rel.tree.clone();
            let found = self.searched(&tree, plan_id, &attribute.parts, scope, &mut matched)?;
            if let Some((found, _)) = distinct(found).into_iter().next() {
                let base = self.outer_attr(level, &found.attr);
                return self.fields_of(base, &found.rest);
            }
        }
        if !matched
            && !scope.aliases.is_empty()
            && let Some(typed) = self.lateral_alias(&attribute.parts, scope)?
        {
            return Ok(typed);
        }
        if matched && let Some(typed) = self.file_metadata(&attribute.parts, scope)? {
            return Ok(typed);
        }
        let strict = self.settings.conf.get_bool("spark.sql.analyzer.strictDataFrameColumnResolution", true);
        if matched && !strict {
            let by_name = UnresolvedAttribute { plan_id: None, ..attribute.clone() };
            if let Ok(typed) = self.attribute(&by_name, scope) {
                return Ok(typed);
            }
        }
        Err(Error::analysis("CANNOT_RESOLVE_DATAFRAME_COLUMN")
            .param("name", as_expression(&attribute.parts))
            .with_message(match matched {
                true => format!("The DataFrame has no column {} here.", quoted(&attribute.parts)),
                false => format!(
                    "Column {} belongs to a DataFrame that is not part of this query.",
                    quoted(&attribute.parts)
                ),
            })
            .at(scope.origin.as_ref()))
    }

    /// Candidates for a name among the columns that every relation on the way shows, or else those that one
    /// hides.
    fn searched(
        &self,
        tree: &Rc<Tree>,
        plan_id: i64,
        parts: &[String],
        scope: &Scope,
        matched: &mut bool,
    ) -> Result<Vec<(Match, usize)>> {
        let shown = self.search(tree, plan_id, (parts, false), scope, 0, matched)?;
        if shown.is_empty() { self.search(tree, plan_id, (parts, true), scope, 0, matched) } else { Ok(shown) }
    }

    /// Candidates for a name in the relation with `plan_id` at or below `tree`, with their depth, as far
    /// as each relation on the way up still has them.
    fn search(
        &self,
        tree: &Rc<Tree>,
        plan_id: i64,
        (parts, with_hidden): (&[String], bool),
        scope: &Scope,
        depth: usize,
        matched: &mut bool,
    ) -> Result<Vec<(Match, usize)>> {
        let found = if tree.plan_id == Some(plan_id) {
            *matched = true;
            let direct = match self.match_columns(parts, &tree.output, scope)? {
                None if with_hidden => self.match_columns(parts, &tree.hidden, scope)?,
                found => found,
            };
            direct.map(|m| (m, depth)).into_iter().collect()
        } else {
            let mut all = Vec::new();
            for child in &tree.children {
                all.extend(stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
                    self.search(child, plan_id, (parts, with_hidden), scope, depth + 1, matched)
                })?);
            }
            all
        };
        let hidden = if with_hidden { tree.hidden.as_slice() } else { &[] };
        let visible = |id: u64| tree.output.iter().chain(hidden).any(|a| a.id == id);
        Ok(found.into_iter().filter(|(m, _)| visible(m.attr.id)).collect())
    }
}

/// Where a column of that name is asked for in an expression.
pub(crate) fn origin_of(expr: &spark::Expr, name: &str) -> Option<std::sync::Arc<spark::Origin>> {
    let mut found = None;
    expr.clone().visit_mut(&mut |e| {
        if let spark::Expr::At { child, origin } = e
            && let spark::Expr::Attribute(a) = child.as_ref()
            && a.parts.last().is_some_and(|p| p.eq_ignore_ascii_case(name))
        {
            found.get_or_insert(origin.clone());
        }
    });
    found
}

/// An error about an unresolved column, at the column in one of the expressions.
pub(crate) fn at_column<'e>(error: Error, exprs: impl IntoIterator<Item = &'e spark::Expr>) -> Error {
    if !error.condition().starts_with("UNRESOLVED_COLUMN") {
        return error;
    }
    let name = error.data().parameters.get("objectName").cloned().unwrap_or_default();
    let origin = exprs.into_iter().find_map(|e| origin_of(e, name.trim_matches('`')));
    error.at(origin.as_ref())
}

/// Candidates that differ as columns.
fn distinct(found: Vec<(Match, usize)>) -> Vec<(Match, usize)> {
    let mut out: Vec<(Match, usize)> = Vec::new();
    for candidate in found {
        if !out.iter().any(|o| o.0.attr.id == candidate.0.attr.id) {
            out.push(candidate);
        }
    }
    out
}

/// In the condition of a join a DataFrame that is on both sides is that of the side where it is less deep.
fn least_deep(found: Vec<(Match, usize)>, scope: &Scope) -> Vec<(Match, usize)> {
    match found.as_slice() {
        [a, b] if scope.clause == "JOIN" && a.1 != b.1 => {
            let least = a.1.min(b.1);
            found.into_iter().filter(|(_, depth)| *depth == least).collect()
        }
        _ => found,
    }
}

/// `` `a`.`b` ``.
pub(crate) fn quoted(parts: &[String]) -> String {
    parts.iter().map(|p| quote_identifier(p)).collect::<Vec<_>>().join(".")
}

/// A name as Spark prints expressions: `"a.b"`.
fn as_expression(parts: &[String]) -> String {
    format!("\"{}\"", parts.join("."))
}

/// The name with its qualifier, unquoted.
pub(crate) fn attr_path(attr: &Attr) -> String {
    attr.qualifier.iter().chain([&attr.name]).cloned().collect::<Vec<_>>().join(".")
}

fn ambiguous(parts: &[String], name: &String, found: &[&Attr]) -> Error {
    // The columns go by the spelling with which they were asked for.
    let names: Vec<String> =
        found.iter().map(|a| quoted(&a.qualifier.iter().chain([name]).cloned().collect::<Vec<_>>())).collect();
    Error::analysis("AMBIGUOUS_REFERENCE")
        .param("name", quoted(parts))
        .param("referenceNames", format!("[{}]", names.join(", ")))
        .with_message(format!("{} could be any of {}.", quoted(parts), names.join(", ")))
}

fn ambiguous_dataframe_column(attribute: &UnresolvedAttribute, scope: &Scope) -> Error {
    Error::analysis("AMBIGUOUS_COLUMN_REFERENCE")
        .param("name", as_expression(&attribute.parts))
        .with_message(format!(
            "Column {} is ambiguous: the DataFrame it was taken from occurs more than once here.",
            quoted(&attribute.parts)
        ))
        .at(scope.origin.as_ref())
}

/// Up to five columns by their edit distance from the name as it was written. What their qualifiers have
/// in common is left out.
pub(crate) fn suggestions(parts: &[String], columns: &[Attr]) -> Vec<String> {
    let wanted = parts.iter().map(|p| spark::types::quote_if_needed(p)).collect::<Vec<_>>().join(".");
    let paths: Vec<Vec<String>> =
        columns.iter().map(|a| a.qualifier.iter().chain([&a.name]).cloned().collect()).collect();
    let common = |kept: usize| {
        let mut heads = paths.iter().map(|p| &p[..p.len().saturating_sub(kept)]);
        let first = heads.next();
        heads.all(|head| Some(head) == first)
    };
    let kept = match parts.len() {
        1 if common(1) => 1,
        1 | 2 if common(2) => 2,
        _ => usize::MAX,
    };
    let mut scored: Vec<(usize, usize, String)> = paths
        .iter()
        .enumerate()
        .map(|(i, path)| {
            let name = quoted(&path[path.len().saturating_sub(kept)..]);
            (edit_distance(&wanted, &name), i, name)
        })
        .collect();
    scored.sort();
    scored.dedup_by(|a, b| a.2 == b.2);
    scored.into_iter().take(5).map(|(_, _, name)| name).collect()
}

/// Up to three names by their edit distance from `wanted`, quoted.
pub(crate) fn nearest(wanted: &str, names: &[&str]) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(usize, usize)> =
        names.iter().enumerate().map(|(i, n)| (edit_distance(&wanted, &n.to_lowercase()), i)).collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, i)| quote_identifier(names[i])).collect()
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut previous = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = previous + usize::from(ca != *cb);
            previous = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(previous + 1);
        }
    }
    row[b.len()]
}

/// Resolves against a relation and, failing that, against those it was made from: what `filter` and
/// `sort` may refer to although a projection left it out.
pub(crate) fn below(rel: &Rel) -> impl Iterator<Item = &Rel> {
    std::iter::successors(rel.below(), |r| r.below())
}
