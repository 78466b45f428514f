//! Queries: `WITH`, set operations, `SELECT` and its clauses.

use spark::expr::{SortOrder, WindowSpec};
use spark::plan::{Aggregate, Cte, GroupKind, LateralView, SetOp, SetOpKind, SortKeys};
use spark::{Expr, Node, Plan, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

/// A set operation and whether it keeps duplicates.
type SetOperator = (SetOpKind, bool);

/// `SELECT [hints] [DISTINCT] items`.
pub struct SelectClause {
    hints: Vec<(String, Vec<Expr>)>,
    distinct: bool,
    pub items: Vec<Expr>,
}

impl Parser<'_> {
    /// `[WITH …] term [ORDER BY …] [LIMIT …] [|> …]`.
    pub fn query(&mut self) -> Result<Plan> {
        self.nested(|p| {
            let mark = p.mark();
            let ctes = p.ctes()?;
            let term = p.query_term()?;
            let piped = p.pipes(mark, term)?;
            let plan = p.query_organization(piped)?;
            Ok(match ctes {
                Some((ctes, recursive)) => {
                    p.check_ctes(mark, &ctes)?;
                    p.located(mark, Node::With { ctes, recursive, input: Box::new(plan) })
                }
                None => plan,
            })
        })
    }

    /// A plan positioned over everything taken since `mark`.
    pub fn located(&self, mark: usize, node: Node) -> Plan {
        Plan { plan_id: None, origin: Some(self.origin(mark)), node }
    }

    /// The `WITH` clause, if there is one.
    pub fn ctes(&mut self) -> Result<Option<(Vec<Cte>, bool)>> {
        if !self.at_kw(Kw::WITH) {
            return Ok(None);
        }
        self.advance();
        let recursive = self.at_kw(Kw::RECURSIVE)
            && !self.sym_at(1, "(")
            && self.keyword_at(1) != Some(Kw::AS)
            && self.eat_kw(Kw::RECURSIVE);
        Ok(Some((self.comma_list(Self::cte)?, recursive)))
    }

    /// Refuses names that `WITH` defines twice.
    pub fn check_ctes(&self, mark: usize, ctes: &[Cte]) -> Result<()> {
        for (i, cte) in ctes.iter().enumerate() {
            if ctes[..i].iter().any(|other| other.name.eq_ignore_ascii_case(&cte.name)) {
                let name = spark::types::quote_identifier(&cte.name);
                return Err(self
                    .error(mark, "DUPLICATED_CTE_NAMES")
                    .param("duplicateNames", &name)
                    .with_message(format!("WITH defines {name} more than once")));
            }
        }
        Ok(())
    }

    fn cte(&mut self) -> Result<Cte> {
        let name = self.identifier()?;
        let columns = if self.at_sym("(") && !self.query_begins(0) { self.identifier_list()? } else { Vec::new() };
        let max_recursion = if self.eat_kws(&[Kw::MAX, Kw::RECURSION, Kw::LEVEL]) {
            Some(self.integer()?.try_into().map_err(|_| self.syntax_error())?)
        } else {
            None
        };
        self.eat_kw(Kw::AS);
        let plan = self.query_in_parens()?;
        Ok(Cte { name, columns, plan, max_recursion })
    }

    /// Set operations: `INTERSECT` binds more strongly, the rest go from left to right.
    fn query_term(&mut self) -> Result<Plan> {
        let mark = self.mark();
        let left = self.intersections()?;
        self.set_operations(mark, left)
    }

    /// What is joined to `left` by set operations.
    pub fn set_operations(&mut self, mark: usize, mut left: Plan) -> Result<Plan> {
        let word = |p: &Self| {
            (p.mark(), p.open_alias.1 == p.mark() && !matches!(p.keyword_at(1), Some(Kw::ALL | Kw::DISTINCT)))
        };
        let (mut at, mut alias) = word(self);
        while let Some((kind, all)) = self.set_operator(false)? {
            let right = self.intersections();
            // `SELECT 1 UNION`: the word may be an alias.
            let right = match alias {
                true => {
                    let ended = self.at_clause() || matches!(self.peek(), Tok::Eof | Tok::Sym(_));
                    let read = right.and_then(|plan| if ended { Ok(plan) } else { Err(self.syntax_error()) });
                    self.or_extra(read, at + 1)?
                }
                false => right?,
            };
            (at, alias) = word(self);
            left = self.set_operation(mark, left, right, kind, all);
        }
        Ok(left)
    }

    fn intersections(&mut self) -> Result<Plan> {
        let mark = self.mark();
        let mut left = self.query_primary()?;
        while let Some((kind, all)) = self.set_operator(true)? {
            let right = self.query_primary()?;
            left = self.set_operation(mark, left, right, kind, all);
        }
        Ok(left)
    }

    pub fn set_operation(&self, mark: usize, left: Plan, right: Plan, kind: SetOpKind, all: bool) -> Plan {
        let op = SetOp { left, right, kind, all, by_name: false, allow_missing_columns: false };
        self.located(mark, Node::SetOp(Box::new(op)))
    }

    /// Takes a set operator of the strength asked for.
    fn set_operator(&mut self, intersect: bool) -> Result<Option<SetOperator>> {
        let strong = intersect && !self.options.legacy_set_operations;
        let kind = match self.keyword_at(0) {
            Some(Kw::INTERSECT) if strong || (!intersect && self.options.legacy_set_operations) => SetOpKind::Intersect,
            Some(Kw::UNION) if !intersect => SetOpKind::Union,
            Some(Kw::EXCEPT | Kw::MINUS) if !intersect => SetOpKind::Except,
            _ => return Ok(None),
        };
        self.advance();
        let all = self.eat_any(&[Kw::ALL, Kw::DISTINCT]) == Some(Kw::ALL);
        Ok(Some((kind, all)))
    }

    /// One operand of set operations.
    pub fn query_primary(&mut self) -> Result<Plan> {
        let mark = self.mark();
        match self.keyword_at(0) {
            Some(Kw::SELECT) => self.select(None, mark),
            Some(Kw::FROM) => self.relation_first(mark),
            Some(Kw::VALUES) => self.inline_table(),
            Some(Kw::TABLE) if self.sym_at(1, "(") => {
                self.advance();
                self.query_in_parens()
            }
            Some(Kw::TABLE) => {
                self.advance();
                let at = self.mark();
                let name = self.object_name()?;
                Ok(self.located(at, Node::Table { name, options: vec![], is_streaming: false, time_travel: None }))
            }
            Some(Kw::MAP | Kw::REDUCE) if self.name_at(1) => Err(self.script_transform(mark)),
            _ if self.at_sym("(") => self.nested(Self::query_in_parens),
            _ => Err(self.syntax_error()),
        }
    }

    /// `ORDER BY`, `SORT BY`, `DISTRIBUTE BY`, `CLUSTER BY`, `WINDOW`, `LIMIT`, `OFFSET` over `plan`.
    pub fn query_organization(&mut self, plan: Plan) -> Result<Plan> {
        let mark = self.mark();
        let mut plan = self.ordering(plan)?;
        let ordered = self.mark();
        const ORDERINGS: [Kw; 4] = [Kw::ORDER, Kw::CLUSTER, Kw::DISTRIBUTE, Kw::SORT];
        let place = |keyword: Option<Kw>| ORDERINGS.iter().position(|k| Some(*k) == keyword);
        let first = self.tokens_keyword(mark);
        let mut others = 0;
        while self.mark() > mark
            && self.keyword_at(1) == Some(Kw::BY)
            && place(self.keyword_at(0)).zip(place(first)).is_some_and(|(now, first)| now > first)
        {
            self.ordering(Node::OneRow.into())?;
            others += 1;
        }
        if others > 0 {
            return Err(self
                .error(mark, "UNSUPPORTED_FEATURE.COMBINATION_QUERY_RESULT_CLAUSES")
                .with_message("ORDER BY, SORT BY, DISTRIBUTE BY and CLUSTER BY exclude one another"));
        }
        if self.at_window_clause() {
            let windows = self.window_clause()?;
            plan = Node::WithWindows { input: Box::new(plan), windows }.into();
        }
        let mut limit = None;
        if self.at_kw(Kw::LIMIT) && !self.clause_word_is_name() {
            self.advance();
            if !(self.at_kw(Kw::ALL) && !self.sym_at(1, "(") && self.eat_kw(Kw::ALL)) {
                let at = self.mark();
                let count = self.expression();
                let count = self.or_stumble(count, at - 1)?;
                limit = Some(self.placed_value(at, count));
            }
        }
        if self.at_kw(Kw::OFFSET) && !self.clause_word_is_name() {
            self.advance();
            let at = self.mark();
            let offset = self.expression()?;
            let offset = self.placed_value(at, offset);
            plan = self.located(mark, Node::Offset { input: Box::new(plan), offset });
        }
        if let Some(limit) = limit {
            plan = self.located(mark, Node::Limit { input: Box::new(plan), limit });
        }
        if ordered > mark && self.mark() > ordered {
            place_ordering(&mut plan, &self.origin(mark));
        }
        Ok(plan)
    }

    fn clause_word_is_name(&self) -> bool {
        matches!(self.peek_at(1), Tok::Eof | Tok::Sym(")" | "," | ";"))
    }

    /// A clause that begins at `mark` with a word and, if `by`, `BY`: where it cannot be read, the word may
    /// be the alias of the relation before it.
    fn clause_or_alias<T>(&self, clause: Result<T>, mark: usize, by: bool) -> Result<T> {
        let alias = by && self.open_alias.0 == mark && clause.is_err() && self.failed_at() <= mark + 2;
        if alias { self.or_extra(clause, mark + 1) } else { self.or_stumble(clause, mark) }
    }

    /// `ORDER BY`, `SORT BY`, `DISTRIBUTE BY`, `CLUSTER BY`, if one is next.
    fn ordering(&mut self, plan: Plan) -> Result<Plan> {
        let mark = self.mark();
        let ordered = self.ordering_clauses(plan);
        self.clause_or_alias(ordered, mark, true)
    }

    fn ordering_clauses(&mut self, plan: Plan) -> Result<Plan> {
        let mark = self.mark();
        let input = Box::new(plan);
        if self.eat_kws(&[Kw::ORDER, Kw::BY]) {
            let order = self.sort_keys()?;
            return Ok(self.located(mark, Node::Sort { input, order, global: true }));
        }
        if self.eat_kws(&[Kw::CLUSTER, Kw::BY]) {
            let exprs = self.comma_list(Self::expression)?;
            let key = |child: &Expr| SortOrder { child: child.clone(), ascending: true, nulls_first: None };
            let order = SortKeys::Keys(exprs.iter().map(key).collect());
            let input = Box::new(self.located(mark, Node::RepartitionBy { input, exprs, partitions: None }));
            return Ok(self.located(mark, Node::Sort { input, order, global: false }));
        }
        let mut plan = *input;
        if self.eat_kws(&[Kw::DISTRIBUTE, Kw::BY]) {
            let exprs = self.comma_list(Self::expression)?;
            plan = self.located(mark, Node::RepartitionBy { input: Box::new(plan), exprs, partitions: None });
        }
        if self.eat_kws(&[Kw::SORT, Kw::BY]) {
            let order = self.sort_keys()?;
            plan = self.located(mark, Node::Sort { input: Box::new(plan), order, global: false });
        }
        Ok(plan)
    }

    /// Sort items, or `ALL`.
    fn sort_keys(&mut self) -> Result<SortKeys> {
        let all = self.at_kw(Kw::ALL)
            && match self.peek_at(1) {
                Tok::Word(_) => true,
                Tok::Sym(symbol) => matches!(symbol, ")" | ";" | "|>"),
                Tok::Eof => true,
                _ => false,
            };
        if all {
            self.advance();
            let ascending = self.direction();
            return Ok(SortKeys::All { ascending, nulls_first: self.null_order()? });
        }
        self.comma_list(Self::sort_item).map(SortKeys::Keys)
    }

    /// `FROM … SELECT …`: the relation first. Several selects over it are a union.
    fn relation_first(&mut self, mark: usize) -> Result<Plan> {
        let from = self.relations_clause()?;
        if !self.at_kw(Kw::SELECT) {
            if self.at_any(&[Kw::MAP, Kw::REDUCE]) {
                return Err(self.script_transform(mark));
            }
            // A pipe's `FROM t |> …`, or `FROM t` alone.
            return Ok(from);
        }
        let mut plans = Vec::new();
        while self.at_kw(Kw::SELECT) {
            let body = self.select(Some(from.clone()), mark)?;
            plans.push(body);
            if self.at_kw(Kw::SELECT) || plans.len() > 1 {
                let last = plans.pop();
                plans.extend(last.map(|body| self.query_organization(body)).transpose()?);
            }
        }
        let union = |left: Plan, right: Plan| self.set_operation(mark, left, right, SetOpKind::Union, true);
        plans.into_iter().reduce(union).ok_or_else(|| self.syntax_error())
    }

    /// `SELECT … [FROM …] [WHERE …] …`; `from` is given where it was written first.
    fn select(&mut self, from: Option<Plan>, mark: usize) -> Result<Plan> {
        let clause = self.select_clause()?;
        let from = match from {
            Some(plan) => plan,
            None if self.at_kw(Kw::FROM) => self.relations_clause()?,
            None => self.located(mark, Node::OneRow),
        };
        self.select_body(mark, clause, from)
    }

    pub fn select_clause(&mut self) -> Result<SelectClause> {
        let mark = self.mark();
        self.expect_kw(Kw::SELECT)?;
        let hints = self.hints()?;
        if self.at_kw(Kw::TRANSFORM) && self.transform_follows() {
            return Err(self.script_transform(mark));
        }
        let distinct = self.set_quantifier() == Some(true);
        let items = self.comma_list(Self::select_item)?;
        Ok(SelectClause { hints, distinct, items })
    }

    /// An entry of a select list. What looks like a column `FROM` with an alias is a comma too many.
    fn select_item(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let is_clause = self.at_kw(Kw::FROM)
            && self.name_at(1)
            && !matches!(self.keyword_at(1), Some(Kw::FROM | Kw::AS))
            && !matches!(self.keyword_at(2), Some(Kw::FROM))
            && !self.sym_at(2, ",");
        if is_clause && mark > 0 && self.symbol_before(",") {
            self.advance();
            self.advance();
            let error = spark::Error::analysis("TRAILING_COMMA_IN_SELECT")
                .with_message("There is a comma before FROM")
                .at(Some(&self.origin(mark)));
            self.reset(mark);
            return self.deferring(Err(error), Expr::Default);
        }
        self.named_expression()
    }

    /// `SELECT` of a pipe: the items and `WINDOW` over `input`.
    pub fn select_items_over(&mut self, mark: usize, clause: SelectClause, input: Plan) -> Result<Plan> {
        let plan = self.located(mark, Node::Project { input: Box::new(input), exprs: clause.items });
        self.select_end(mark, plan, clause.distinct, clause.hints)
    }

    /// What ends every `SELECT`: `DISTINCT`, the `WINDOW` clause and the hints, outermost last.
    fn select_end(
        &mut self,
        mark: usize,
        mut plan: Plan,
        distinct: bool,
        hints: Vec<(String, Vec<Expr>)>,
    ) -> Result<Plan> {
        if distinct {
            plan = self.located(mark, Node::Distinct { input: Box::new(plan) });
        }
        if self.at_window_clause() {
            let windows = self.window_clause()?;
            plan = self.located(mark, Node::WithWindows { input: Box::new(plan), windows });
        }
        for (name, params) in hints.into_iter().rev() {
            plan = self.located(mark, Node::Hint { input: Box::new(plan), name, params });
        }
        Ok(plan)
    }

    /// `SELECT …` over a relation written before it.
    pub fn select_over(&mut self, from: Plan, mark: usize) -> Result<Plan> {
        self.select(Some(from), mark)
    }

    /// True if `TRANSFORM (…) … USING 'script'` is next rather than the function.
    fn transform_follows(&self) -> bool {
        let (mut depth, mut ahead) = (0usize, 1);
        loop {
            match self.peek_at(ahead) {
                Tok::Sym("(") => depth += 1,
                Tok::Sym(")") if depth <= 1 => break,
                Tok::Sym(")") => depth -= 1,
                Tok::Eof => return false,
                _ => {}
            }
            ahead += 1;
        }
        matches!(self.keyword_at(ahead + 1), Some(Kw::USING | Kw::ROW | Kw::RECORDWRITER))
    }

    /// Scripts over rows run outside the engine; Spark without Hive refuses most of them too.
    fn script_transform(&self, mark: usize) -> spark::Error {
        self.error(mark, "UNSUPPORTED_FEATURE.TRANSFORM_NON_HIVE")
            .with_message("TRANSFORM with a script is not supported by this server")
    }

    /// The clauses after the relation.
    pub fn select_body(&mut self, mark: usize, clause: SelectClause, from: Plan) -> Result<Plan> {
        let mut plan = self.lateral_views(from)?;
        let condition = match self.at_kw(Kw::WHERE) && !self.clause_word_is_name() {
            true => {
                self.advance();
                Some(self.expression()?)
            }
            false => None,
        };
        let at_group = self.mark();
        let group = self.group_by_clause()?;
        let group_origin = self.origin(at_group);
        let having = if self.at_kw(Kw::HAVING) && !self.clause_word_is_name() {
            self.advance();
            Some(self.expression()?)
        } else {
            None
        };
        if let Some(condition) = condition {
            // Spark places the filter at the whole `SELECT`.
            plan = self.located(mark, Node::Filter { input: Box::new(plan), condition });
        }
        let mut plan = match group {
            Some((kind, grouping)) => {
                let items = clause.items;
                let aggregate = Aggregate { input: plan, kind, grouping, aggregates: items, prepend_grouping: false };
                let mut plan = self.located(mark, Node::Aggregate(Box::new(aggregate)));
                plan.origin = Some(group_origin);
                plan
            }
            None if having.is_some() && !self.options.having_as_where => {
                let kind = GroupKind::GroupBy;
                let aggregate = Aggregate {
                    input: plan,
                    kind,
                    grouping: vec![],
                    aggregates: clause.items,
                    prepend_grouping: false,
                };
                self.located(mark, Node::Aggregate(Box::new(aggregate)))
            }
            None => self.located(mark, Node::Project { input: Box::new(plan), exprs: clause.items }),
        };
        if let Some(condition) = having {
            let input = Box::new(plan);
            // A filter that may name what the list gives and what it was made of.
            let filters = matches!(input.node, Node::Project { .. });
            let node = if filters { Node::Filter { input, condition } } else { Node::Having { input, condition } };
            plan = self.located(mark, node);
        }
        if self.at_kw(Kw::QUALIFY) && !self.clause_word_is_name() {
            self.advance();
            let condition = self.expression()?;
            plan = self.located(mark, Node::Qualify { input: Box::new(plan), condition });
        }
        self.select_end(mark, plan, clause.distinct, clause.hints)
    }

    fn lateral_views(&mut self, mut plan: Plan) -> Result<Plan> {
        while self.at_kws(&[Kw::LATERAL, Kw::VIEW]) {
            let mark = self.mark();
            self.expect_kws(&[Kw::LATERAL, Kw::VIEW])?;
            let outer = self.at_kw(Kw::OUTER) && !self.sym_at(1, "(") && self.eat_kw(Kw::OUTER);
            let at = self.mark();
            let name = self.object_name()?;
            let generator = self.call(at, name)?;
            if self.at_end() || self.at_sym(")") {
                return Err(self.syntax_error());
            }
            let named = self.name_at(0) && !self.at_clause();
            let table = if named { Some(self.identifier()?) } else { None };
            let named = self.eat_kw(Kw::AS) || (self.name_at(0) && !self.at_clause());
            let columns = if named { self.comma_list(Self::identifier)? } else { Vec::new() };
            let view = LateralView { input: plan, generator, outer, table, columns };
            plan = self.located(mark, Node::LateralView(Box::new(view)));
        }
        Ok(plan)
    }

    /// `/*+ name(params), … */`, repeated.
    pub fn hints(&mut self) -> Result<Vec<(String, Vec<Expr>)>> {
        let mut hints = Vec::new();
        while self.eat_sym("/*+") {
            if self.at_sym("*/") {
                return Err(self.syntax_error());
            }
            while !self.at_sym("*/") {
                let name = self.identifier()?;
                let mut params = Vec::new();
                if self.eat_sym("(") {
                    params = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::primary)? };
                    self.expect_sym(")")?;
                }
                hints.push((name, params));
                self.eat_sym(",");
            }
            self.advance();
        }
        Ok(hints)
    }

    // ---- grouping

    /// `GROUP BY …`, if it is next.
    pub fn group_by_clause(&mut self) -> Result<Option<(GroupKind, Vec<Expr>)>> {
        let mark = self.mark();
        if !self.eat_kws(&[Kw::GROUP, Kw::BY]) {
            return Ok(None);
        }
        let items = self.group_by_items();
        // Before the first item, `GROUP` may still be an alias.
        if self.open_alias.0 == mark && self.failed_at() <= mark + 2 {
            return self.or_extra(items, mark + 1).map(Some);
        }
        items.map(Some)
    }

    /// What follows `GROUP BY`.
    pub fn group_by_items(&mut self) -> Result<(GroupKind, Vec<Expr>)> {
        if self.at_kw(Kw::ALL) && !matches!(self.peek_at(1), Tok::Sym("." | "(" | "," | "+" | "[")) {
            self.advance();
            return Ok((GroupKind::All, Vec::new()));
        }
        let mut grouping = self.comma_list(Self::grouping_item)?;
        if self.eat_kws(&[Kw::WITH, Kw::ROLLUP]) {
            return Ok((GroupKind::Rollup, grouping));
        }
        if self.eat_kws(&[Kw::WITH, Kw::CUBE]) {
            return Ok((GroupKind::Cube, grouping));
        }
        if self.at_kws(&[Kw::GROUPING, Kw::SETS]) {
            self.expect_kws(&[Kw::GROUPING, Kw::SETS])?;
            let sets = self.paren_list(Self::grouping_set)?.into_iter().map(row_items).collect();
            return Ok((GroupKind::GroupingSets(sets), grouping));
        }
        if let [only] = grouping.as_mut_slice()
            && let Some(kind) = sole_analytic(only)
        {
            return Ok(match kind {
                (kind @ GroupKind::GroupingSets(_), _) => (kind, Vec::new()),
                (kind, items) => (kind, items),
            });
        }
        Ok((GroupKind::GroupBy, grouping))
    }

    /// An expression, or `ROLLUP(…)`, `CUBE(…)`, `GROUPING SETS(…)` as a function over rows.
    fn grouping_item(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let name = match self.keyword_at(0) {
            Some(Kw::ROLLUP) if self.sym_at(1, "(") => "rollup",
            Some(Kw::CUBE) if self.sym_at(1, "(") => "cube",
            Some(Kw::GROUPING) if self.keyword_at(1) == Some(Kw::SETS) && self.sym_at(2, "(") => "grouping_sets",
            _ => {
                let child = self.expression()?;
                return Ok(self.placed_position(mark, child));
            }
        };
        self.advance();
        if name == "grouping_sets" {
            self.advance();
        }
        if name != "grouping_sets" && self.sym_at(1, ")") {
            self.advance();
            self.advance();
            return Ok(self.at(mark, Expr::operator(name, Vec::new())));
        }
        let sets = self.paren_list(|p| match p.keyword_at(0) {
            Some(Kw::ROLLUP | Kw::CUBE | Kw::GROUPING) if name == "grouping_sets" => p.nested(Self::grouping_item),
            _ => p.grouping_set(),
        })?;
        Ok(self.at(mark, Expr::operator(name, sets)))
    }

    /// `(a, b)`, `()` or one expression, always as a row.
    fn grouping_set(&mut self) -> Result<Expr> {
        if self.at_sym("(") && self.sym_at(1, ")") {
            self.advance();
            self.advance();
            return Ok(Expr::Row(Vec::new()));
        }
        let expr = self.expression()?;
        Ok(if matches!(expr.unpositioned(), Expr::Row(_)) { expr } else { Expr::Row(vec![expr]) })
    }

    // ---- named windows

    /// True if a `WINDOW` clause is next.
    fn at_window_clause(&self) -> bool {
        self.at_kw(Kw::WINDOW) && self.window_name_follows()
    }

    fn window_clause(&mut self) -> Result<Vec<(String, WindowSpec)>> {
        let mark = self.mark();
        let windows = self.named_windows();
        let windows = self.or_stumble(windows, mark)?;
        self.check_windows(mark, &windows)?;
        Ok(windows)
    }

    fn named_windows(&mut self) -> Result<Vec<(String, WindowSpec)>> {
        self.expect_kw(Kw::WINDOW)?;
        self.comma_list(|p| {
            let name = p.identifier()?;
            p.expect_kw(Kw::AS)?;
            let spec = match p.window_reference()? {
                spark::expr::WindowRef::Spec(spec) => spec,
                spark::expr::WindowRef::Named(base) => WindowSpec { base: Some(base), ..Default::default() },
            };
            Ok((name, spec))
        })
    }

    /// Refuses names that are defined twice, or refer to no definition.
    fn check_windows(&self, mark: usize, windows: &[(String, WindowSpec)]) -> Result<()> {
        for (i, (name, spec)) in windows.iter().enumerate() {
            let same = |other: &str| other.eq_ignore_ascii_case(name);
            let shown = spark::types::quote_identifier(name);
            if windows[..i].iter().any(|(other, _)| same(other)) {
                return Err(self
                    .error(mark, "INVALID_SQL_SYNTAX.REPETITIVE_WINDOW_DEFINITION")
                    .param("windowName", &shown)
                    .with_message(format!("The window {shown} is defined twice")));
            }
            if let Some(base) = &spec.base {
                let found = windows.iter().find(|(other, _)| other.eq_ignore_ascii_case(base));
                let condition = match found {
                    None => "INVALID_SQL_SYNTAX.UNRESOLVED_WINDOW_REFERENCE",
                    Some((_, spec)) if spec.base.is_some() => "INVALID_SQL_SYNTAX.INVALID_WINDOW_REFERENCE",
                    Some(_) => continue,
                };
                let shown = spark::types::quote_identifier(base);
                return Err(self
                    .error(mark, condition)
                    .param("windowName", &shown)
                    .with_message(format!("The window {shown} names no window definition")));
            }
        }
        Ok(())
    }
}

/// Places the outermost ordering of `plan` at all the clauses it stands among, as Spark does.
fn place_ordering(plan: &mut Plan, origin: &std::sync::Arc<spark::Origin>) {
    match &mut plan.node {
        Node::Limit { input, .. } | Node::Offset { input, .. } | Node::WithWindows { input, .. } => {
            place_ordering(input, origin);
        }
        Node::Sort { .. } => plan.origin = Some(origin.clone()),
        _ => {}
    }
}

/// The items of a row.
fn row_items(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::At { child, .. } => row_items(*child),
        Expr::Row(items) => items,
        other => vec![other],
    }
}

/// A single `ROLLUP`, `CUBE` or `GROUPING SETS` over plain sets, as a kind of grouping.
fn sole_analytic(item: &Expr) -> Option<(GroupKind, Vec<Expr>)> {
    let Expr::Function(function) = item.unpositioned() else { return None };
    if !function.is_operator {
        return None;
    }
    let rows: Option<Vec<Vec<Expr>>> = function
        .args
        .iter()
        .map(|arg| match arg.unpositioned() {
            Expr::Row(items) => Some(items.clone()),
            _ => None,
        })
        .collect();
    let rows = rows?;
    let kind = match function.name[0].as_str() {
        "grouping_sets" => return Some((GroupKind::GroupingSets(rows), Vec::new())),
        "rollup" => GroupKind::Rollup,
        "cube" => GroupKind::Cube,
        _ => return None,
    };
    let singles: Option<Vec<Expr>> =
        rows.into_iter().map(|mut row| if row.len() == 1 { row.pop() } else { None }).collect();
    Some((kind, singles?))
}
