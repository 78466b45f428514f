//! Pipe syntax: `query |> operator |> …`.

use spark::expr::UnresolvedStar;
use spark::plan::{Aggregate, GroupKind, SetOpKind};
use spark::{Error, Expr, Node, Plan, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

/// Clauses of one `|>` at most.
const ORDERINGS: [Kw; 4] = [Kw::ORDER, Kw::CLUSTER, Kw::DISTRIBUTE, Kw::SORT];

impl Parser<'_> {
    /// The pipe operators over `plan`.
    pub fn pipes(&mut self, mark: usize, mut plan: Plan) -> Result<Plan> {
        while self.at_pipe(0) {
            self.advance();
            plan = self.pipe(mark, plan)?;
            if !self.options.pipes {
                let refused = crate::error::not_allowed("Operator pipe SQL syntax using |>");
                return Err(refused.at(Some(&self.origin(mark))));
            }
            plan = self.set_operations(mark, plan)?;
        }
        Ok(plan)
    }

    /// True if the token `ahead` is a pipe: `|>`, or `|` before the keyword of an operator and its operand.
    pub fn at_pipe(&self, ahead: usize) -> bool {
        if self.sym_at(ahead, "|>") {
            return true;
        }
        let begins = |keyword| {
            matches!(
                keyword,
                Kw::SELECT
                    | Kw::EXTEND
                    | Kw::SET
                    | Kw::DROP
                    | Kw::AS
                    | Kw::WHERE
                    | Kw::AGGREGATE
                    | Kw::PIVOT
                    | Kw::UNPIVOT
                    | Kw::TABLESAMPLE
                    | Kw::UNION
                    | Kw::EXCEPT
                    | Kw::MINUS
                    | Kw::INTERSECT
                    | Kw::JOIN
                    | Kw::INNER
                    | Kw::LEFT
                    | Kw::RIGHT
                    | Kw::FULL
                    | Kw::CROSS
                    | Kw::NATURAL
                    | Kw::LATERAL
                    | Kw::LIMIT
                    | Kw::OFFSET
            ) || ORDERINGS.contains(&keyword)
        };
        let operand = || match self.peek_at(ahead + 2) {
            Tok::Eof => false,
            Tok::Sym(symbol) => matches!(symbol, "(" | "*" | "-" | "+" | "/*+"),
            _ => true,
        };
        self.options.short_pipes
            && self.sym_at(ahead, "|")
            && self.keyword_at(ahead + 1).is_some_and(begins)
            && operand()
    }

    fn pipe(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        let Some(keyword) = self.keyword_at(0) else {
            // Nothing after the pipe leaves the relation as it is.
            return if self.at_end_of_pipe() { Ok(input) } else { Err(self.extra_input()) };
        };
        match keyword {
            Kw::SELECT => self.pipe_select(mark, input),
            Kw::EXTEND => {
                self.advance();
                let exprs = self.comma_list(Self::named_expression)?;
                Ok(self.located(mark, Node::PipeExtend { input: Box::new(input), exprs }))
            }
            Kw::SET => self.pipe_set(mark, input),
            Kw::DROP => self.pipe_drop(mark, input),
            Kw::AS => {
                self.advance();
                let alias = vec![self.identifier()?];
                Ok(self.located(mark, Node::SubqueryAlias { input: Box::new(input), alias, columns: vec![] }))
            }
            Kw::WHERE => {
                self.advance();
                let condition = self.expression()?;
                if self.at_kw(Kw::WINDOW) && self.name_at(1) {
                    self.query_organization(Node::OneRow.into())?;
                    return Err(self
                        .error(mark, "NOT_ALLOWED_IN_PIPE_OPERATOR_WHERE.WINDOW_CLAUSE")
                        .with_message("WHERE of a pipe has no WINDOW clause"));
                }
                Ok(self.located(mark, Node::Filter { input: Box::new(input), condition }))
            }
            Kw::AGGREGATE => self.pipe_aggregate(mark, input),
            Kw::PIVOT => self.pivot(mark, input),
            Kw::UNPIVOT => self.unpivot(mark, input),
            Kw::TABLESAMPLE => self.sample(input),
            Kw::UNION | Kw::EXCEPT | Kw::MINUS | Kw::INTERSECT => self.pipe_set_operation(mark, input, keyword),
            _ if self.at_join() => self.join_relation(mark, input),
            _ => self.pipe_organization(input),
        }
    }

    fn at_end_of_pipe(&self) -> bool {
        matches!(self.peek(), Tok::Eof | Tok::Sym(")" | ";")) || self.at_pipe(0)
    }

    fn pipe_select(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        let clause = self.select_clause()?;
        if self.at_kw(Kw::FROM) {
            return Err(self.syntax_error());
        }
        if self.at_kws(&[Kw::GROUP, Kw::BY]) {
            return self.select_body(mark, clause, input);
        }
        self.select_items_over(mark, clause, input)
    }

    /// `SET a = 1, b = a + 1`: one after the other.
    fn pipe_set(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        self.advance();
        let assignments = self.comma_list(|p| {
            let at = p.mark();
            let mut name = p.dotted_name()?;
            p.expect_sym("=")?;
            let value = p.expression()?;
            if name.len() > 1 {
                let message =
                    "SQL pipe syntax |> SET operator with multi-part assignment key (only single-part keys are allowed)";
                return Err(p
                    .error(at, "_LEGACY_ERROR_TEMP_0035")
                    .param("message", message)
                    .with_message("SET takes plain column names"));
            }
            Ok((name.remove(0), value))
        })?;
        Ok(self.located(mark, Node::PipeSet { input: Box::new(input), assignments }))
    }

    fn pipe_drop(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        self.advance();
        let except = self.comma_list(Self::dotted_name)?;
        let star = Expr::Star(UnresolvedStar { except, ..Default::default() });
        Ok(self.located(mark, Node::Project { input: Box::new(input), exprs: vec![star] }))
    }

    /// `AGGREGATE items [GROUP BY items]`.
    fn pipe_aggregate(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        self.advance();
        if self.at_end_of_pipe() {
            let message = "The AGGREGATE clause requires a list of aggregate expressions or a list of grouping expressions, or both";
            return Err(crate::error::not_allowed(message).at(Some(&self.origin(mark))));
        }
        let grouped = self.at_kws(&[Kw::GROUP, Kw::BY]);
        let aggregates = if grouped { Vec::new() } else { self.comma_list(Self::named_expression)? };
        let mut grouping = Vec::new();
        if self.eat_kws(&[Kw::GROUP, Kw::BY]) {
            grouping = self.pipe_grouping(mark)?;
        }
        let kind = GroupKind::GroupBy;
        let aggregate = Aggregate { input, kind, grouping, aggregates, prepend_grouping: true };
        Ok(self.located(mark, Node::PipeAggregate(Box::new(aggregate))))
    }

    /// Grouping expressions, which may have names; analytic groupings are refused.
    fn pipe_grouping(&mut self, mark: usize) -> Result<Vec<Expr>> {
        let analytic = |p: &Self| match (p.keyword_at(0), p.keyword_at(1)) {
            (Some(Kw::ROLLUP), _) if p.sym_at(1, "(") => Some("GROUP BY ROLLUP"),
            (Some(Kw::CUBE), _) if p.sym_at(1, "(") => Some("GROUP BY CUBE"),
            (Some(Kw::GROUPING), Some(Kw::SETS)) => Some("GROUPING SETS"),
            (Some(Kw::ALL), _) if !matches!(p.peek_at(1), Tok::Sym("." | "(" | ",")) => Some("GROUP BY ALL"),
            (Some(Kw::WITH), Some(Kw::ROLLUP)) => Some("GROUP BY ROLLUP"),
            (Some(Kw::WITH), Some(Kw::CUBE)) => Some("GROUP BY CUBE"),
            _ => None,
        };
        let mut refused = None;
        let mut items = Vec::new();
        loop {
            refused = refused.or(analytic(self));
            if refused.is_some() {
                self.group_by_items()?;
                break;
            }
            items.push(self.named_expression()?);
            refused = refused.or(analytic(self));
            if refused.is_some() || !self.eat_sym(",") {
                break;
            }
        }
        refused = refused.or(analytic(self));
        match refused {
            None => Ok(items),
            Some(case) => {
                while !self.at_end() && !self.at_pipe(0) && !self.at_sym(")") {
                    self.advance();
                }
                Err(self
                    .error(mark, "UNSUPPORTED_FEATURE.PIPE_OPERATOR_AGGREGATE_UNSUPPORTED_CASE")
                    .param("case", case)
                    .with_message(format!("AGGREGATE of a pipe has no {case}")))
            }
        }
    }

    fn pipe_set_operation(&mut self, mark: usize, input: Plan, keyword: Kw) -> Result<Plan> {
        self.advance();
        let kind = match keyword {
            Kw::UNION => SetOpKind::Union,
            Kw::INTERSECT => SetOpKind::Intersect,
            _ => SetOpKind::Except,
        };
        let all = self.eat_any(&[Kw::ALL, Kw::DISTINCT]) == Some(Kw::ALL);
        let right = self.query_primary()?;
        Ok(self.set_operation(mark, input, right, kind, all))
    }

    /// One of `ORDER BY`, `LIMIT`, …: each has a pipe of its own.
    fn pipe_organization(&mut self, input: Plan) -> Result<Plan> {
        let mark = self.mark();
        let first = self.organization_clause();
        if self.at_kw(Kw::WINDOW) && self.name_at(1) {
            let plan = self.query_organization(input);
            plan?;
            return Err(self.window_in_pipe(mark));
        }
        let Some(first) = first else {
            return Err(if matches!(self.peek_at(1), Tok::Eof | Tok::Sym(")" | ";")) {
                self.extra_input()
            } else {
                self.syntax_error()
            });
        };
        let (plan, second) = self.one_organization(input, first)?;
        match second {
            None => Ok(plan),
            Some(second) => Err(self
                .error(mark, "MULTIPLE_QUERY_RESULT_CLAUSES_WITH_PIPE_OPERATORS")
                .param("clause1", first)
                .param("clause2", second)
                .with_message(format!("{first} and {second} each need a pipe of their own"))),
        }
    }

    fn window_in_pipe(&self, mark: usize) -> Error {
        self.error(mark, "UNSUPPORTED_FEATURE.CLAUSE_WITH_PIPE_OPERATORS")
            .param("clauses", "the WINDOW clause")
            .with_message("A pipe has no WINDOW clause")
    }

    /// The clauses from here on, and the name of a second one among them.
    fn one_organization(&mut self, input: Plan, first: &'static str) -> Result<(Plan, Option<&'static str>)> {
        let mut seen = Vec::new();
        let start = self.mark();
        let plan = self.query_organization(input)?;
        let end = self.mark();
        // The words of the clauses taken, outside parentheses.
        self.reset(start);
        let mut depth = 0usize;
        while self.mark() < end {
            if self.at_sym("(") {
                depth += 1;
            } else if self.at_sym(")") {
                depth = depth.saturating_sub(1);
            } else if depth == 0
                && let Some(clause) = self.organization_clause()
            {
                seen.push(clause);
            }
            self.advance();
        }
        Ok((plan, seen.into_iter().find(|clause| *clause != first && (first, *clause) != ("LIMIT", "OFFSET"))))
    }

    fn organization_clause(&self) -> Option<&'static str> {
        let keyword = self.keyword_at(0)?;
        if ORDERINGS.contains(&keyword) && self.keyword_at(1) == Some(Kw::BY) {
            return Some(match keyword {
                Kw::ORDER => "ORDER BY",
                Kw::CLUSTER => "CLUSTER BY",
                Kw::DISTRIBUTE => "DISTRIBUTE BY",
                _ => "SORT BY",
            });
        }
        match keyword {
            Kw::LIMIT => Some("LIMIT"),
            Kw::OFFSET => Some("OFFSET"),
            _ => None,
        }
    }
}
