//! Expressions: boolean logic, predicates and the operators, by precedence.

use std::sync::Arc;

use spark::expr::{Subquery, SubqueryKind, SubqueryPlan};
use spark::{Expr, Literal, Origin, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

/// Operators by how strongly they bind, weakest first.
const COMPARISON: u8 = 1;
const BIT_OR: u8 = 2;
const BIT_XOR: u8 = 3;
const BIT_AND: u8 = 4;
const SHIFT: u8 = 5;
const ADDITIVE: u8 = 6;
const MULTIPLICATIVE: u8 = 7;

impl Parser<'_> {
    /// Any expression.
    pub fn expression(&mut self) -> Result<Expr> {
        self.nested(Self::disjunction)
    }

    /// `expression [[AS] name | (names)]`.
    pub fn named_expression(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let child = self.item()?;
        let names = if self.eat_as() {
            if self.at_sym("(") { self.identifier_list()? } else { vec![self.identifier()?] }
        } else if self.at_sym("(") && self.name_at(1) {
            self.identifier_list()?
        } else if self.at_kw(Kw::AS) || self.at_bare_alias() {
            vec![self.identifier()?]
        } else {
            self.open_alias.1 = self.mark();
            return Ok(child);
        };
        Ok(self.at(mark, Expr::Alias { child: Box::new(child), names, metadata: None }))
    }

    /// Takes `AS` unless it is itself the alias (`SELECT 1 AS`).
    fn eat_as(&mut self) -> bool {
        // `SELECT a AS FROM t`: the alias is the word itself.
        let before_from =
            self.keyword_at(1) == Some(Kw::FROM) && self.name_at(2) && self.keyword_at(2) != Some(Kw::FROM);
        let reserved = self.options.reserved_keywords && self.keyword_at(1).is_some();
        let follows = (self.name_at(1) || reserved || self.sym_at(1, "(")) && !before_from;
        self.at_kw(Kw::AS) && follows && self.eat_kw(Kw::AS)
    }

    /// True if the next word is an alias rather than the beginning of a clause. Every word may be an
    /// alias; one that begins a clause is one only where nothing of a clause can follow.
    fn at_bare_alias(&self) -> bool {
        if !self.name_at(0) {
            return false;
        }
        !self.at_clause() || self.at_end_of_item(1) || self.keyword_at(0).is_some_and(never_follows_item)
    }

    /// True if the next word continues the query after an item of a list or a relation.
    pub fn at_clause(&self) -> bool {
        let Some(keyword) = self.keyword_at(0) else { return false };
        let next = self.keyword_at(1);
        match keyword {
            Kw::GROUP | Kw::ORDER | Kw::SORT | Kw::CLUSTER | Kw::DISTRIBUTE => next == Some(Kw::BY),
            Kw::INSERT => matches!(next, Some(Kw::INTO | Kw::OVERWRITE)),
            Kw::IS => self.is_predicate_follows(),
            Kw::IN => self.sym_at(1, "("),
            Kw::WINDOW => self.window_name_follows(),
            Kw::WITH => matches!(next, Some(Kw::ROLLUP | Kw::CUBE)),
            Kw::NOT => self.predicate_not(),
            _ => begins_clause(keyword),
        }
    }

    /// True if the name of a window follows the word `WINDOW`. A name that is no keyword cannot follow an alias.
    pub fn window_name_follows(&self) -> bool {
        let by_call = self.keyword_at(1) == Some(Kw::IDENTIFIER) && self.sym_at(2, "(");
        let plain = self.name_at(1) && self.keyword_at(1).is_none();
        plain || by_call || (self.name_at(1) && self.keyword_at(2) == Some(Kw::AS))
    }

    /// True if what `IS` asks for follows it.
    fn is_predicate_follows(&self) -> bool {
        self.sym_at(1, "!")
            || matches!(
                self.keyword_at(1),
                Some(Kw::NOT | Kw::NULL | Kw::TRUE | Kw::FALSE | Kw::UNKNOWN | Kw::DISTINCT)
            )
    }

    /// True if the token `ahead` cannot continue an item of a list.
    fn at_end_of_item(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Tok::Eof => true,
            Tok::Sym(symbol) => matches!(symbol, "," | ")" | ";") || self.at_pipe(ahead),
            _ => false,
        }
    }

    fn disjunction(&mut self) -> Result<Expr> {
        self.logical_chain("or", Kw::OR, Self::conjunction)
    }

    fn conjunction(&mut self) -> Result<Expr> {
        self.logical_chain("and", Kw::AND, Self::negation)
    }

    /// Operands of one logical operator as a balanced tree, as Spark builds it: long chains stay shallow.
    fn logical_chain(&mut self, name: &str, keyword: Kw, operand: fn(&mut Self) -> Result<Expr>) -> Result<Expr> {
        let mark = self.mark();
        let first = operand(self)?;
        if !self.at_operator_word(keyword) {
            return Ok(first);
        }
        let mut operands = vec![Some(first)];
        while self.at_operator_word(keyword) {
            self.advance();
            operands.push(Some(operand(self)?));
        }
        let last = operands.len() - 1;
        Ok(balanced(name, &mut operands, 0, last, &self.origin(mark)))
    }

    /// True if a word is used as an operator: an operand can follow it.
    fn at_operator_word(&self, keyword: Kw) -> bool {
        self.at_kw(keyword) && !self.at_end_of_item(1)
    }

    fn negation(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let negated = self.at_sym("!") || (self.at_kw(Kw::NOT) && self.starts_operand(1));
        if !negated {
            return self.predicated();
        }
        self.advance();
        let child = self.nested(Self::negation)?;
        Ok(self.at(mark, Expr::operator("not", vec![child])))
    }

    /// True if an operand can begin at the token `ahead` (else the word before it is a name).
    fn starts_operand(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Tok::Eof | Tok::Unknown => false,
            Tok::Sym(symbol) => matches!(symbol, "(" | "-" | "+" | "~" | "!" | "?" | ":" | "*"),
            Tok::Word(Some(keyword)) => {
                !matches!(keyword, Kw::FROM | Kw::AS | Kw::AND | Kw::OR | Kw::WHERE | Kw::IS | Kw::IN | Kw::THEN)
            }
            _ => true,
        }
    }

    /// A value, then perhaps one predicate about it.
    fn predicated(&mut self) -> Result<Expr> {
        let value = self.value()?;
        // Spark places a predicate where its word stands, behind the value.
        let mark = self.mark();
        let negated_by = self.predicate_not();
        let ahead = negated_by as usize;
        let Some(keyword) = self.keyword_at(ahead) else { return Ok(value) };
        if self.at_end_of_item(ahead + 1) {
            return Ok(value);
        }
        let predicate = match keyword {
            Kw::BETWEEN => Self::between,
            Kw::IN if self.sym_at(ahead + 1, "(") => Self::in_list,
            Kw::LIKE | Kw::ILIKE => Self::like,
            Kw::RLIKE | Kw::REGEXP => Self::rlike,
            Kw::IS if !negated_by && self.is_predicate_follows() => Self::is_predicate,
            _ => return Ok(value),
        };
        if negated_by {
            self.advance();
        }
        predicate(self, mark, value, negated_by)
    }

    /// True if `NOT` (or `!`) stands before a predicate.
    fn predicate_not(&self) -> bool {
        (self.at_kw(Kw::NOT) || self.at_sym("!"))
            && matches!(self.keyword_at(1), Some(Kw::BETWEEN | Kw::IN | Kw::LIKE | Kw::ILIKE | Kw::RLIKE | Kw::REGEXP))
    }

    /// The operator over `args`, negated if asked, positioned from `mark`.
    fn maybe_not(&self, mark: usize, expr: Expr, negated: bool) -> Expr {
        let expr = self.at(mark, expr);
        if negated { self.at(mark, Expr::operator("not", vec![expr])) } else { expr }
    }

    fn between(&mut self, mark: usize, value: Expr, negated: bool) -> Result<Expr> {
        self.advance();
        let lower = self.value()?;
        self.expect_kw(Kw::AND)?;
        let upper = self.value()?;
        Ok(self.maybe_not(mark, Expr::operator("between", vec![value, lower, upper]), negated))
    }

    fn in_list(&mut self, mark: usize, value: Expr, negated: bool) -> Result<Expr> {
        let word = self.mark() - negated as usize;
        self.advance();
        if self.sym_at(1, ")") {
            self.advance();
            self.advance();
            return Err(self
                .error(word, "INVALID_SQL_SYNTAX.EMPTY_IN_PREDICATE")
                .with_message("IN needs at least one value"));
        }
        if let Some(plan) = self.parenthesized_query()? {
            let values = match value.unpositioned() {
                Expr::Row(values) => values.clone(),
                _ => vec![value],
            };
            let plan = SubqueryPlan::Plan(Box::new(plan));
            let subquery = Expr::Subquery(Box::new(Subquery { kind: SubqueryKind::In(values), plan }));
            return Ok(self.maybe_not(mark, subquery, negated));
        }
        let mut args = vec![value];
        self.expect_sym("(")?;
        args.extend(self.comma_list(Self::expression)?);
        self.list_end()?;
        Ok(self.maybe_not(mark, Expr::operator("in", args), negated))
    }

    fn rlike(&mut self, mark: usize, value: Expr, negated: bool) -> Result<Expr> {
        self.advance();
        let pattern = self.value()?;
        Ok(self.maybe_not(mark, Expr::operator("rlike", vec![value, pattern]), negated))
    }

    fn like(&mut self, mark: usize, value: Expr, negated: bool) -> Result<Expr> {
        let word = self.mark() - negated as usize;
        let name = if self.at_kw(Kw::LIKE) { "like" } else { "ilike" };
        self.advance();
        if self.at_any(&[Kw::ANY, Kw::SOME, Kw::ALL]) && self.sym_at(1, "(") {
            return self.quantified_like(mark, name, value, negated);
        }
        let mut args = vec![value, self.value()?];
        let escape_word = self.mark();
        if self.eat_kw(Kw::ESCAPE) {
            let escape = self.string();
            let escape = self.or_extra(escape, escape_word)?;
            if escape.chars().count() != 1 {
                return Err(self
                    .error(word, "INVALID_ESC")
                    .param("invalidEscape", format!("'{escape}'"))
                    .with_message("The escape of LIKE is one character"));
            }
            args.push(Expr::Literal(Literal::String(escape)));
        }
        Ok(self.maybe_not(mark, Expr::operator(name, args), negated))
    }

    /// `LIKE ANY (…)`, `LIKE ALL (…)`. Spark has operators of their own for constant patterns and
    /// spells the rest out with `OR` and `AND`.
    fn quantified_like(&mut self, mark: usize, name: &str, value: Expr, negated: bool) -> Result<Expr> {
        let all = self.at_kw(Kw::ALL);
        self.advance();
        let list = self.mark().saturating_sub(2 + negated as usize);
        if self.sym_at(1, ")") {
            self.advance();
            self.advance();
            return Err(self
                .error(list, "INVALID_SQL_SYNTAX.EMPTY_QUANTIFIED_PATTERN")
                .with_message("LIKE ANY and LIKE ALL need at least one pattern"));
        }
        let patterns = self.paren_list(Self::expression)?;
        let constant = patterns.iter().all(|p| matches!(p.unpositioned(), Expr::Literal(Literal::String(_))));
        if constant {
            // Without regard to case: both sides in lower case.
            let (value, patterns) = if name == "like" { (value, patterns) } else { lower_case(value, patterns) };
            let name = match (negated, all) {
                (false, true) => "likeall",
                (false, false) => "likeany",
                (true, true) => "notlikeall",
                (true, false) => "notlikeany",
            };
            let args = std::iter::once(value).chain(patterns).collect();
            return Ok(self.at(mark, Expr::operator(name, args)));
        }
        let mut parts: Vec<Option<Expr>> = patterns
            .into_iter()
            .map(|pattern| Some(self.maybe_not(mark, Expr::operator(name, vec![value.clone(), pattern]), negated)))
            .collect();
        let last = parts.len() - 1;
        Ok(balanced(if all { "and" } else { "or" }, &mut parts, 0, last, &self.origin(mark)))
    }

    fn is_predicate(&mut self, mark: usize, value: Expr, _: bool) -> Result<Expr> {
        self.advance();
        let negated = self.eat_kw(Kw::NOT) || self.eat_sym("!");
        if self.eat_kw(Kw::DISTINCT) {
            self.expect_kw(Kw::FROM)?;
            let right = self.value()?;
            return Ok(self.maybe_not(mark, Expr::operator("<=>", vec![value, right]), !negated));
        }
        let Some(keyword) = self.eat_any(&[Kw::NULL, Kw::TRUE, Kw::FALSE, Kw::UNKNOWN]) else {
            return Err(self.syntax_error());
        };
        let expr = match (keyword, negated) {
            (Kw::NULL, false) => Expr::operator("isnull", vec![value]),
            (Kw::NULL, true) => Expr::operator("isnotnull", vec![value]),
            (Kw::UNKNOWN, false) => Expr::operator("is unknown", vec![value]),
            (Kw::UNKNOWN, true) => Expr::operator("is not unknown", vec![value]),
            (truth, _) => {
                let literal = Expr::Literal(Literal::Boolean(truth == Kw::TRUE));
                return Ok(self.maybe_not(mark, Expr::operator("<=>", vec![value, literal]), negated));
            }
        };
        Ok(self.at(mark, expr))
    }

    /// An expression without logic and predicates: the operands of both.
    pub fn value(&mut self) -> Result<Expr> {
        self.operators(COMPARISON)
    }

    /// Left-associative operators that bind at least as strongly as `least`.
    fn operators(&mut self, least: u8) -> Result<Expr> {
        let mark = self.mark();
        let mut left = self.unary()?;
        while let Some((name, strength, tokens)) = self.binary_operator() {
            if strength < least {
                break;
            }
            for _ in 0..tokens {
                self.advance();
            }
            let right = self.operators(strength + 1)?;
            left = self.binary(mark, name, left, right);
        }
        Ok(left)
    }

    fn binary(&self, mark: usize, name: &'static str, left: Expr, right: Expr) -> Expr {
        if name == "!=" {
            let equal = self.at(mark, Expr::operator("=", vec![left, right]));
            return self.at(mark, Expr::operator("not", vec![equal]));
        }
        self.at(mark, Expr::operator(name, vec![left, right]))
    }

    /// The operator at the position: its name, strength and number of tokens.
    fn binary_operator(&self) -> Option<(&'static str, u8, usize)> {
        let symbol = match self.peek() {
            Tok::Sym(symbol) => symbol,
            Tok::Word(Some(Kw::DIV)) if !self.at_end_of_item(1) && self.starts_operand(1) => {
                return Some(("div", MULTIPLICATIVE, 1));
            }
            _ => return None,
        };
        Some(match symbol {
            "=" | "==" => ("=", COMPARISON, 1),
            "!=" | "<>" => ("!=", COMPARISON, 1),
            "<=>" => ("<=>", COMPARISON, 1),
            "<" => ("<", COMPARISON, 1),
            "<=" => ("<=", COMPARISON, 1),
            ">=" => (">=", COMPARISON, 1),
            ">" if self.sym_at(1, ">") && self.touches(1) => {
                if self.sym_at(2, ">") && self.touches(2) {
                    (">>>", SHIFT, 3)
                } else {
                    (">>", SHIFT, 2)
                }
            }
            ">" => (">", COMPARISON, 1),
            "|" if self.at_pipe(0) => return None,
            "|" => ("|", BIT_OR, 1),
            "^" => ("^", BIT_XOR, 1),
            "&" => ("&", BIT_AND, 1),
            "<<" => ("<<", SHIFT, 1),
            "+" => ("+", ADDITIVE, 1),
            "-" => ("-", ADDITIVE, 1),
            "||" => ("||", ADDITIVE, 1),
            "*" => ("*", MULTIPLICATIVE, 1),
            "/" => ("/", MULTIPLICATIVE, 1),
            "%" => ("%", MULTIPLICATIVE, 1),
            _ => return None,
        })
    }

    /// Signs and `~` before a primary. A minus directly before a number is part of the number.
    fn unary(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let name = match self.peek() {
            Tok::Sym("-") if self.number_at(1) => return self.primary(),
            Tok::Sym("-") => "negative",
            Tok::Sym("+") => "positive",
            Tok::Sym("~") => "~",
            _ => return self.primary(),
        };
        self.advance();
        let child = self.nested(Self::unary)?;
        Ok(self.at(mark, Expr::operator(name, vec![child])))
    }
}

/// The value lowered by a call, the constant patterns at once.
fn lower_case(value: Expr, patterns: Vec<Expr>) -> (Expr, Vec<Expr>) {
    let lowered = patterns.into_iter().map(|pattern| match pattern.unpositioned() {
        Expr::Literal(Literal::String(text)) => Expr::Literal(Literal::String(text.to_lowercase())),
        other => other.clone(),
    });
    (Expr::call("lower", vec![value]), lowered.collect())
}

/// The operands from `low` to `high` as a tree of even depth.
fn balanced(name: &str, operands: &mut [Option<Expr>], low: usize, high: usize, origin: &Arc<Origin>) -> Expr {
    if low == high {
        return operands[low].take().unwrap_or(Expr::Default);
    }
    let middle = low + (high - low) / 2;
    let left = balanced(name, operands, low, middle, origin);
    let right = balanced(name, operands, middle + 1, high, origin);
    Expr::At { child: Box::new(Expr::operator(name, vec![left, right])), origin: origin.clone() }
}

/// Words that continue a query or an expression, but never after a whole item of a list.
fn never_follows_item(keyword: Kw) -> bool {
    use Kw::*;
    matches!(keyword, THEN | WHEN | ELSE | END | JOIN | ON | USING | INTO | ESCAPE | PRECEDING | FOLLOWING)
}

/// Words that always continue the query.
fn begins_clause(keyword: Kw) -> bool {
    use Kw::*;
    matches!(
        keyword,
        FROM | WHERE
            | SELECT
            | HAVING
            | LIMIT
            | OFFSET
            | UNION
            | EXCEPT
            | INTERSECT
            | MINUS
            | LATERAL
            | QUALIFY
            | INTO
            | PIVOT
            | UNPIVOT
            | ON
            | USING
            | JOIN
            | AS
            | THEN
            | END
            | WHEN
            | ELSE
            | AND
            | OR
            | BETWEEN
            | LIKE
            | ILIKE
            | RLIKE
            | REGEXP
            | DIV
            | COLLATE
            | FOR
            | ASC
            | DESC
            | NULLS
            | ESCAPE
            | DO
            | PRECEDING
            | FOLLOWING
    )
}
