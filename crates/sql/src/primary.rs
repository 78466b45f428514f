//! Primary expressions: constants, names, parentheses, `CASE`, casts, and what may follow any of them.

use spark::expr::{CastMode, Parameter, Subquery, SubqueryKind, SubqueryPlan, UnresolvedFunction, UnresolvedStar};
use spark::{Error, Expr, Literal, Plan, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// A primary with its suffixes.
    pub fn primary(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let mut expr = self.primary_head()?;
        loop {
            expr = match self.peek() {
                Tok::Sym(".") => {
                    self.advance();
                    let field = self.identifier()?;
                    self.at(mark, dereference(expr, field))
                }
                Tok::Sym("[") => {
                    self.advance();
                    let extraction = self.value()?;
                    self.expect_sym("]")?;
                    let (child, extraction) = (Box::new(expr), Box::new(extraction));
                    self.at(mark, Expr::ExtractValue { child, extraction })
                }
                Tok::Sym("::") => {
                    self.advance();
                    let to = self.data_type()?;
                    self.at(mark, Expr::Cast { child: Box::new(expr), to, mode: CastMode::Session })
                }
                Tok::Sym(":") if self.name_at(1) || self.sym_at(1, "[") => {
                    let path = self.json_path()?;
                    let args = vec![expr, Expr::Literal(Literal::String(path))];
                    self.at(mark, Expr::operator("semi_structured_extract", args))
                }
                Tok::Word(Some(Kw::COLLATE)) if self.name_at(1) => {
                    self.advance();
                    let name = self.object_name()?.join(".");
                    let args = vec![expr, Expr::Literal(Literal::String(name))];
                    self.at(mark, Expr::operator("collate", args))
                }
                _ => return Ok(expr),
            };
        }
    }

    fn primary_head(&mut self) -> Result<Expr> {
        let mark = self.mark();
        match self.peek() {
            Tok::Sym("(") => self.parenthesized(),
            Tok::Sym("*") => self.star(Vec::new()),
            Tok::Sym("?") => {
                self.advance();
                self.positional += 1;
                Ok(self.at(mark, Expr::Parameter(Parameter::Positional(self.positional - 1))))
            }
            Tok::Sym(":") => {
                self.advance();
                let name = self.identifier()?;
                Ok(self.at(mark, Expr::Parameter(Parameter::Named(name))))
            }
            Tok::Sym("-") if self.number_at(1) => self.number_literal(),
            _ if self.number_at(0) => self.number_literal(),
            _ if self.at_string() => self.string().map(|s| Expr::Literal(Literal::String(s))),
            Tok::Word(Some(keyword)) => self.keyword_primary(keyword),
            _ if self.name_at(0) => self.name_primary(),
            _ => Err(self.syntax_error()),
        }
    }

    fn number_literal(&mut self) -> Result<Expr> {
        let number = self.number();
        self.deferring(number, Literal::Null(spark::DataType::Null)).map(Expr::Literal)
    }

    /// A typed literal or an interval with its position.
    fn typed(&mut self, parse: fn(&mut Self) -> Result<Expr>) -> Result<Expr> {
        let mark = self.mark();
        let literal = parse(self);
        let literal = self.deferring(literal, Expr::Literal(Literal::Null(spark::DataType::Null)))?;
        Ok(self.at(mark, literal))
    }

    /// A form that begins with a keyword, or a name that happens to spell one: where the form cannot be read
    /// to its end, the keyword is a name.
    fn keyword_primary(&mut self, keyword: Kw) -> Result<Expr> {
        let (mark, positional) = (self.mark(), self.positional);
        if let Some(known) = self.no_form(mark) {
            return known.and_then(|error| self.as_name(mark, error));
        }
        let form = self.keyword_form(keyword);
        // `CASE x WHEN` can be nothing else.
        let simple_case = keyword == Kw::CASE
            && self.keyword_of(mark + 1) != Some(Kw::WHEN)
            && (mark + 2..self.failed_at()).any(|at| self.keyword_of(at) == Some(Kw::WHEN));
        let is_name = matches!(keyword, Kw::CASE | Kw::TRIM) && !simple_case;
        let Some(error) = form.as_ref().err().filter(|e| is_name && e.condition() == "PARSE_SYNTAX_ERROR") else {
            return form;
        };
        let error = error.clone();
        self.reset(mark);
        self.positional = positional;
        self.forget_farthest();
        self.note_no_form(mark, &error);
        self.as_name(mark, error)
    }

    /// A name that spells a keyword; `error` is why it is not the keyword.
    fn as_name(&mut self, mark: usize, error: Error) -> Result<Expr> {
        self.name_primary().map_err(|_| {
            self.note_no_name(mark);
            error
        })
    }

    fn keyword_form(&mut self, keyword: Kw) -> Result<Expr> {
        let called = self.sym_at(1, "(");
        match keyword {
            Kw::NULL if !called && !self.sym_at(1, ".") => {
                self.advance();
                Ok(Expr::Literal(Literal::Null(spark::DataType::Null)))
            }
            Kw::TRUE | Kw::FALSE if !called && !self.sym_at(1, ".") => {
                self.advance();
                Ok(Expr::Literal(Literal::Boolean(keyword == Kw::TRUE)))
            }
            Kw::INTERVAL if self.at_interval() => self.typed(Self::interval),
            Kw::CASE if self.string_at(1) => self.case(),
            _ if self.string_at(1) && matches!(self.peek(), Tok::Word(_)) && keyword != Kw::COLLATE => {
                self.typed(Self::typed_literal)
            }
            Kw::CASE if self.case_follows() => self.case(),
            Kw::IDENTIFIER if called => self.identifier_expression(),
            Kw::EXISTS if called && self.query_begins(2) => self.exists(),
            _ if called => self.keyword_call(keyword),
            _ => self.name_primary(),
        }
    }

    /// True if `CASE` begins a case expression.
    fn case_follows(&self) -> bool {
        match self.peek_at(1) {
            Tok::Sym(symbol) => matches!(symbol, "(" | "-" | "+" | "~" | "!" | "?" | ":"),
            Tok::Word(Some(Kw::FROM | Kw::AS | Kw::END)) | Tok::Eof | Tok::Unknown => false,
            _ => true,
        }
    }

    fn case(&mut self) -> Result<Expr> {
        let mark = self.mark();
        self.advance();
        let base = if self.at_kw(Kw::WHEN) { None } else { Some(self.expression()?) };
        let mut args = Vec::new();
        while self.eat_kw(Kw::WHEN) {
            let condition = self.expression()?;
            args.push(match &base {
                // Placed with the whole expression, as Spark does.
                Some(base) => Expr::operator("=", vec![base.clone(), condition]),
                None => condition,
            });
            self.expect_kw(Kw::THEN)?;
            args.push(self.expression()?);
        }
        if args.is_empty() {
            return Err(self.syntax_error());
        }
        if self.eat_kw(Kw::ELSE) {
            args.push(self.expression()?);
        }
        self.expect_kw(Kw::END)?;
        Ok(self.at(mark, Expr::operator("when", args)))
    }

    fn exists(&mut self) -> Result<Expr> {
        let mark = self.mark();
        self.advance();
        let plan = self.query_in_parens();
        let plan = self.or_stumble(plan, mark + 1)?;
        let subquery = Subquery { kind: SubqueryKind::Exists, plan: SubqueryPlan::Plan(Box::new(plan)) };
        Ok(self.at(mark, Expr::Subquery(Box::new(subquery))))
    }

    /// `IDENTIFIER(expr)`, called or not. A constant name is taken at once.
    fn identifier_expression(&mut self) -> Result<Expr> {
        let mark = self.mark();
        self.advance();
        self.expect_sym("(")?;
        let at = self.mark();
        let inner = self.expression()?;
        let inner = self.placed_value(at, inner);
        self.expect_sym(")")?;
        if let Expr::Literal(Literal::String(text)) = inner.unpositioned() {
            let parts = self.parse_name_text(mark, text)?;
            if self.at_sym("(") {
                return self.call(mark, parts);
            }
            // What follows a dot is a field, not more of the name.
            if !self.at_sym(".") {
                return Ok(self.at(mark, Expr::attribute(parts)));
            }
        }
        let args = if self.at_sym("(") { Some(self.plain_arguments()?) } else { None };
        Ok(self.at(mark, Expr::Identifier { name: Box::new(inner), args }))
    }

    fn plain_arguments(&mut self) -> Result<Vec<Expr>> {
        self.expect_sym("(")?;
        let args = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::argument)? };
        self.expect_sym(")")?;
        Ok(args)
    }

    /// `(…)`: a subquery, the parameters of a lambda, a row, or an expression in parentheses.
    fn parenthesized(&mut self) -> Result<Expr> {
        let mark = self.mark();
        if let Some(params) = self.lambda_parameters() {
            return self.lambda(mark, params);
        }
        if let Some(plan) = self.parenthesized_query()? {
            let plan = SubqueryPlan::Plan(Box::new(plan));
            let subquery = Subquery { kind: SubqueryKind::Scalar, plan };
            return Ok(self.at(mark, Expr::Subquery(Box::new(subquery))));
        }
        self.expect_sym("(")?;
        let first = self.named_expression()?;
        if self.at_sym(",") {
            let mut items = vec![first];
            while self.eat_sym(",") {
                items.push(self.named_expression()?);
            }
            self.list_end()?;
            return Ok(self.at(mark, Expr::Row(items)));
        }
        if matches!(first.unpositioned(), Expr::Alias { .. }) || self.at_end() {
            return Err(self.syntax_error());
        }
        self.expect_sym(")")?;
        Ok(first)
    }

    /// A query in parentheses, if that is what the parentheses hold. `((SELECT 1) + 1)` looks like one
    /// for a while, so the query is tried first.
    pub fn parenthesized_query(&mut self) -> Result<Option<Plan>> {
        if !self.query_begins(1) {
            return Ok(None);
        }
        if !self.sym_at(1, "(") {
            return self.query_in_parens().map(Some);
        }
        let mark = self.mark();
        let positional = self.positional;
        let deferred = self.take_deferred();
        let plan = self.trial(Self::query_in_parens);
        let inner = self.take_deferred();
        self.restore_deferred(deferred.or(inner.filter(|_| plan.is_ok())));
        match plan {
            Ok(plan) => Ok(Some(plan)),
            Err(_) => {
                self.reset(mark);
                self.positional = positional;
                Ok(None)
            }
        }
    }

    /// True if a query begins at the token `ahead`, perhaps in further parentheses.
    pub fn query_begins(&self, ahead: usize) -> bool {
        let mut ahead = ahead;
        while self.sym_at(ahead, "(") {
            ahead += 1;
        }
        match self.keyword_at(ahead) {
            Some(Kw::SELECT) => !matches!(self.peek_at(ahead + 1), Tok::Sym(")" | "," | "." | "=" | "[")),
            Some(Kw::WITH) => self.name_at(ahead + 1),
            Some(Kw::FROM) => self.name_at(ahead + 1) || self.sym_at(ahead + 1, "("),
            Some(Kw::VALUES) => !matches!(self.peek_at(ahead + 1), Tok::Sym(")" | "," | "." | "=" | "[") | Tok::Eof),
            Some(Kw::TABLE) => self.name_at(ahead + 1),
            Some(Kw::MAP | Kw::REDUCE) => self.name_at(ahead + 1) || self.number_at(ahead + 1),
            _ => false,
        }
    }

    /// `(query)`.
    pub fn query_in_parens(&mut self) -> Result<Plan> {
        self.read_once(|p| {
            p.expect_sym("(")?;
            let plan = p.query()?;
            p.expect_sym(")")?;
            Ok(plan)
        })
    }

    /// The names of `(x, y) ->`, taken with the arrow.
    fn lambda_parameters(&mut self) -> Option<Vec<String>> {
        let mut ahead = 1;
        while self.name_at(ahead) && self.sym_at(ahead + 1, ",") {
            ahead += 2;
        }
        if !self.name_at(ahead) || !self.sym_at(ahead + 1, ")") || !self.sym_at(ahead + 2, "->") {
            return None;
        }
        let names = (1..=ahead).step_by(2).map(|at| self.name_text(self.token(at))).collect();
        for _ in 0..ahead + 3 {
            self.advance();
        }
        Some(names)
    }

    /// The body of a lambda, after its arrow.
    fn lambda(&mut self, mark: usize, params: Vec<String>) -> Result<Expr> {
        let outer = self.lambda_params.len();
        self.lambda_params.extend(params.iter().cloned());
        let body = self.expression();
        self.lambda_params.truncate(outer);
        Ok(self.at(mark, Expr::Lambda { body: Box::new(body?), params }))
    }

    /// A name: a column, a call, a qualified star, a typed literal, or the parameter of a lambda.
    pub fn name_primary(&mut self) -> Result<Expr> {
        let mark = self.mark();
        if matches!(self.peek(), Tok::Word(_)) && self.string_at(1) {
            return self.typed(Self::typed_literal);
        }
        if self.sym_at(1, "->") {
            let name = self.identifier()?;
            self.advance();
            return self.lambda(mark, vec![name]);
        }
        let first = self.token(0);
        let mut parts = vec![self.identifier()?];
        while self.at_sym(".") {
            self.advance();
            if self.at_sym("*") {
                return self.star(parts);
            }
            parts.push(self.plain_identifier()?);
        }
        if self.at_sym("(") {
            return self.call(mark, parts);
        }
        let is_param = |name: &String| {
            if self.options.case_sensitive { *name == parts[0] } else { name.eq_ignore_ascii_case(&parts[0]) }
        };
        if self.lambda_params.iter().any(is_param) {
            return Ok(self.at(mark, Expr::LambdaVariable(parts)));
        }
        let quoted = match parts.len() {
            1 => first.tok == Tok::Quoted,
            2 => self.quoted_before(),
            _ => false,
        };
        let is_pattern = parts.last().is_some_and(|p| !p.chars().all(|c| c.is_alphanumeric() || c == '_'));
        if self.options.quoted_regex_column_names && quoted && is_pattern {
            let pattern = match parts.as_slice() {
                [table, pattern] => format!("`{table}`.`{pattern}`"),
                _ => parts.remove(0),
            };
            return Ok(self.at(mark, Expr::Regex { pattern, plan_id: None }));
        }
        Ok(self.at(mark, Expr::attribute(parts)))
    }

    /// `*` or `t.*`, with `EXCEPT (…)` perhaps.
    fn star(&mut self, target: Vec<String>) -> Result<Expr> {
        let mark = self.mark().saturating_sub(target.len() * 2);
        self.expect_sym("*")?;
        let except = if self.at_kw(Kw::EXCEPT) && self.column_list_at(1) {
            self.advance();
            self.paren_list(Self::dotted_name)?
        } else {
            Vec::new()
        };
        Ok(self.at(mark, Expr::Star(UnresolvedStar { target, plan_id: None, except })))
    }

    /// True if `(a, b.c)` is `ahead`.
    fn column_list_at(&self, ahead: usize) -> bool {
        let mut at = ahead;
        if !self.sym_at(at, "(") || !self.name_at(at + 1) {
            return false;
        }
        if self.keyword_at(at + 1) == Some(Kw::IDENTIFIER) && self.sym_at(at + 2, "(") {
            return true;
        }
        at += 2;
        while self.sym_at(at, ".") && self.name_at(at + 1) {
            at += 2;
        }
        self.sym_at(at, ",") || self.sym_at(at, ")")
    }

    /// `:path` of a variant as a JSON path.
    fn json_path(&mut self) -> Result<String> {
        self.expect_sym(":")?;
        let mut path = String::from("$");
        if !self.at_sym("[") {
            path.push_str(&self.path_field()?);
        }
        loop {
            if self.at_sym(".") && self.name_at(1) {
                self.advance();
                path.push_str(&self.path_field()?);
            } else if self.eat_sym("[") {
                if self.at_string() {
                    let key = self.string()?;
                    path.push_str(&format!("['{key}']"));
                } else if self.eat_sym("*") {
                    path.push_str("[*]");
                } else {
                    path.push_str(&format!("[{}]", self.integer()?));
                }
                self.expect_sym("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn path_field(&mut self) -> Result<String> {
        let quoted = self.peek() == Tok::Quoted;
        let name = self.identifier()?;
        Ok(if quoted { format!("['{name}']") } else { format!(".{name}") })
    }

    /// `FILTER (WHERE condition)`.
    fn filter_clause(&mut self) -> Result<Expr> {
        self.expect_kw(Kw::FILTER)?;
        self.expect_sym("(")?;
        self.expect_kw(Kw::WHERE)?;
        let condition = self.expression()?;
        self.expect_sym(")")?;
        Ok(condition)
    }

    /// The clauses after the arguments of a call.
    pub fn call_suffix(&mut self, mark: usize, mut function: UnresolvedFunction) -> Result<Expr> {
        if self.at_kws(&[Kw::WITHIN, Kw::GROUP]) && self.sym_at(2, "(") {
            self.expect_kws(&[Kw::WITHIN, Kw::GROUP])?;
            self.expect_sym("(")?;
            self.expect_kws(&[Kw::ORDER, Kw::BY])?;
            function.within_group = self.comma_list(Self::sort_item)?;
            self.expect_sym(")")?;
        }
        if self.at_kw(Kw::FILTER) && self.sym_at(1, "(") && self.keyword_at(2) == Some(Kw::WHERE) {
            let opening = self.mark() + 1;
            let filter = self.filter_clause();
            let unclear = self.failed_at() <= opening + 2;
            function.filter = Some(if unclear { self.or_stumble(filter, opening)? } else { filter? });
        }
        if self.at_any(&[Kw::IGNORE, Kw::RESPECT]) && self.keyword_at(1) == Some(Kw::NULLS) {
            function.ignore_nulls = Some(self.at_kw(Kw::IGNORE));
            self.advance();
            self.advance();
        }
        let named = self.name_at(1) && self.keyword_at(1) != Some(Kw::FROM);
        if self.at_kw(Kw::OVER) && (self.sym_at(1, "(") || named) {
            self.advance();
            let call = Box::new(Expr::Function(Box::new(function)));
            let over = self.mark() - 1;
            let window = self.window_reference();
            // Until the definition can be nothing else, `OVER` may be an alias.
            let window = if self.failed_at() <= over + 3 {
                self.or_stumble(window, over + self.in_item() as usize)?
            } else {
                window?
            };
            return Ok(self.at(mark, Expr::Window { function: call, window: Box::new(window) }));
        }
        Ok(self.at(mark, Expr::Function(Box::new(function))))
    }
}

/// `base.field`: one longer name if the base is a name, else a field of a value.
fn dereference(base: Expr, field: String) -> Expr {
    match base {
        Expr::At { child, origin } => match *child {
            Expr::Attribute(_) | Expr::LambdaVariable(_) => dereference(*child, field),
            other => extract_field(Expr::At { child: Box::new(other), origin }, field),
        },
        Expr::Attribute(mut attribute) => {
            attribute.parts.push(field);
            Expr::Attribute(attribute)
        }
        Expr::LambdaVariable(mut parts) => {
            parts.push(field);
            Expr::LambdaVariable(parts)
        }
        other => extract_field(other, field),
    }
}

fn extract_field(child: Expr, field: String) -> Expr {
    Expr::ExtractValue { child: Box::new(child), extraction: Box::new(Expr::Literal(Literal::String(field))) }
}
