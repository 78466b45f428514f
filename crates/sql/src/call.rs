//! Calls: arguments, windows, and the functions with a syntax of their own.

use spark::expr::{CastMode, FrameBound, SortOrder, UnresolvedFunction, WindowFrame, WindowRef, WindowSpec};
use spark::{Error, Expr, Literal, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// A call of a function named by a keyword, which may have a form of its own.
    pub fn keyword_call(&mut self, keyword: Kw) -> Result<Expr> {
        let mark = self.mark();
        match keyword {
            Kw::CAST | Kw::TRY_CAST => self.cast(mark, keyword),
            Kw::EXTRACT if self.keyword_after_operand(2, Kw::FROM) => self.extract(mark),
            Kw::TRIM => self.trim(mark),
            Kw::SUBSTR | Kw::SUBSTRING => self.substring(mark),
            Kw::OVERLAY => self.overlay(mark),
            Kw::POSITION => self.position(mark),
            Kw::DATEADD | Kw::DATE_ADD | Kw::TIMESTAMPADD if self.unit_argument() => {
                self.unit_call(mark, "timestampadd")
            }
            Kw::DATEDIFF | Kw::DATE_DIFF | Kw::TIMESTAMPDIFF if self.unit_argument() => {
                self.unit_call(mark, "timestampdiff")
            }
            Kw::TIMEDIFF if self.unit_argument() => self.unit_call(mark, "timestampdiff"),
            Kw::FIRST | Kw::LAST | Kw::ANY_VALUE => self.first_or_last(mark),
            Kw::STRUCT => self.struct_call(mark),
            _ => self.name_primary(),
        }
    }

    /// `name(args)` with everything that may follow; the name is taken already.
    pub fn call(&mut self, mark: usize, name: Vec<String>) -> Result<Expr> {
        self.expect_sym("(")?;
        let mut function = UnresolvedFunction { name, ..Default::default() };
        if !self.at_sym(")") {
            function.distinct = self.set_quantifier() == Some(true);
            function.args = self.comma_list(Self::argument)?;
        }
        self.list_end()?;
        self.check_named_arguments(&function)?;
        self.call_suffix(mark, function)
    }

    /// Refuses `name => value` where named arguments are switched off.
    pub fn check_named_arguments(&self, function: &UnresolvedFunction) -> Result<()> {
        if self.options.named_arguments {
            return Ok(());
        }
        let named = function.args.iter().find_map(|a| match a.unpositioned() {
            Expr::NamedArgument { name, .. } => Some(name),
            _ => None,
        });
        named.map_or(Ok(()), |name| {
            Err(Error::analysis("NAMED_PARAMETER_SUPPORT_DISABLED")
                .param("functionName", spark::types::quote_identifier(&function.name.join(".")))
                .param("argument", spark::types::quote_identifier(name))
                .with_message(format!("{} cannot take arguments by name", function.name.join("."))))
        })
    }

    /// `DISTINCT` (true) or `ALL` (false), unless it is a name.
    pub fn set_quantifier(&mut self) -> Option<bool> {
        let is_name = matches!(self.peek_at(1), Tok::Eof | Tok::Sym("," | ")" | "." | "=" | "(" | "<" | ">" | "["))
            && !(self.sym_at(1, "(") && self.at_any(&[Kw::DISTINCT, Kw::ALL]));
        if is_name || self.keyword_at(1) == Some(Kw::AS) {
            return None;
        }
        self.eat_any(&[Kw::DISTINCT, Kw::ALL]).map(|k| k == Kw::DISTINCT)
    }

    /// An argument: a value, or `name => value`.
    pub fn argument(&mut self) -> Result<Expr> {
        let mark = self.mark();
        if self.name_at(0) && self.sym_at(1, "=>") {
            let name = self.identifier()?;
            self.advance();
            let value = Box::new(self.expression()?);
            return Ok(self.at(mark, Expr::NamedArgument { name, value }));
        }
        self.expression()
    }

    fn cast(&mut self, mark: usize, keyword: Kw) -> Result<Expr> {
        self.advance();
        self.expect_sym("(")?;
        let child = Box::new(self.expression()?);
        if !self.at_kw(Kw::AS) && (self.at_sym(",") || self.at_sym(")")) {
            return self.finish_call(mark, keyword.text().to_lowercase(), *child);
        }
        self.expect_kw(Kw::AS)?;
        let to = self.data_type()?;
        self.expect_sym(")")?;
        let mode = if keyword == Kw::TRY_CAST { CastMode::Try } else { CastMode::Session };
        Ok(self.at(mark, Expr::Cast { child, to, mode }))
    }

    /// True if the token after one word is `keyword`: `EXTRACT(YEAR FROM …`.
    fn keyword_after_operand(&self, ahead: usize, keyword: Kw) -> bool {
        (self.name_at(ahead) || self.string_at(ahead)) && self.keyword_at(ahead + 1) == Some(keyword)
    }

    fn extract(&mut self, mark: usize) -> Result<Expr> {
        self.advance();
        self.advance();
        let field = if self.at_string() { self.string()? } else { self.identifier()? };
        self.expect_kw(Kw::FROM)?;
        let source = self.value()?;
        self.expect_sym(")")?;
        let args = vec![Expr::Literal(Literal::String(field)), source];
        Ok(self.at(mark, Expr::call("extract", args)))
    }

    /// The rest of an ordinary call whose first argument was taken to look for a form of its own.
    fn finish_call(&mut self, mark: usize, name: String, first: Expr) -> Result<Expr> {
        self.rest_of_call(mark, name, vec![first])
    }

    fn rest_of_call(&mut self, mark: usize, name: String, mut args: Vec<Expr>) -> Result<Expr> {
        while self.eat_sym(",") {
            args.push(self.argument()?);
        }
        self.expect_sym(")")?;
        self.call_suffix(mark, UnresolvedFunction { name: vec![name], args, ..Default::default() })
    }

    fn trim(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        let side = if self.sym_at(1, ")") || self.sym_at(1, ",") { None } else { self.keyword_at(1) };
        let function = match side {
            Some(Kw::LEADING) => Some("ltrim"),
            Some(Kw::TRAILING) => Some("rtrim"),
            Some(Kw::BOTH) => Some("trim"),
            _ => None,
        };
        if self.sym_at(1, ")") {
            return self.call(mark, vec![name]);
        }
        self.advance();
        if function.is_some() {
            self.advance();
        }
        let mut args = Vec::new();
        let source_only = self.at_kw(Kw::FROM) && !matches!(self.peek_at(1), Tok::Sym(")" | "," | "."));
        if !source_only {
            let first = self.argument()?;
            if function.is_none() && !self.at_kw(Kw::FROM) {
                return self.finish_call(mark, name, first);
            }
            args.push(first);
        }
        self.expect_kw(Kw::FROM)?;
        args.push(self.value()?);
        self.expect_sym(")")?;
        Ok(self.at(mark, Expr::call(function.unwrap_or("trim"), args)))
    }

    fn substring(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        if self.sym_at(1, ")") {
            return self.call(mark, vec![name]);
        }
        self.advance();
        let value = self.argument()?;
        if !self.at_kw(Kw::FROM) && !self.at_sym(",") {
            return self.finish_call(mark, name, value);
        }
        let is_call = !self.eat_kw(Kw::FROM);
        if is_call {
            self.advance();
        }
        let mut args = vec![value, self.argument()?];
        if self.eat_kw(Kw::FOR) {
            args.push(self.value()?);
        } else if is_call {
            return self.rest_of_call(mark, name, args);
        }
        self.expect_sym(")")?;
        Ok(self.at(mark, Expr::call("substring", args)))
    }

    fn overlay(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        if self.sym_at(1, ")") {
            return self.call(mark, vec![name]);
        }
        self.advance();
        let input = self.argument()?;
        if !self.eat_kw(Kw::PLACING) {
            return self.finish_call(mark, name, input);
        }
        let mut args = vec![input, self.value()?];
        self.expect_kw(Kw::FROM)?;
        args.push(self.value()?);
        if self.eat_kw(Kw::FOR) {
            args.push(self.value()?);
        }
        self.expect_sym(")")?;
        Ok(self.at(mark, Expr::call("overlay", args)))
    }

    /// `POSITION(a IN b)`; otherwise an ordinary call.
    fn position(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        if self.sym_at(1, ")") || (self.name_at(1) && self.sym_at(2, "=>")) {
            return self.call(mark, vec![name]);
        }
        self.advance();
        let sought = self.value()?;
        if !self.eat_kw(Kw::IN) {
            return self.finish_call(mark, name, sought);
        }
        let within = self.value()?;
        self.expect_sym(")")?;
        Ok(self.at(mark, Expr::call("locate", vec![sought, within])))
    }

    /// True if the first argument is a unit of time (or a string in its place, which is refused) and
    /// two more follow: `DATEADD(DAY, 1, d)` but not `DATE_ADD(d, 1)`.
    fn unit_argument(&self) -> bool {
        if !self.sym_at(3, ",") {
            return false;
        }
        let Tok::Word(_) = self.peek_at(2) else { return self.string_at(2) && self.argument_count(2) == 3 };
        is_datetime_unit(self.text_of(self.token(2))) && self.argument_count(2) == 3
    }

    /// The number of arguments from the token `ahead` to the closing parenthesis.
    fn argument_count(&self, ahead: usize) -> usize {
        let (mut depth, mut count, mut at) = (0usize, 1, ahead);
        loop {
            match self.peek_at(at) {
                Tok::Eof => return count,
                Tok::Sym("(" | "[") => depth += 1,
                Tok::Sym(")" | "]") if depth == 0 => return count,
                Tok::Sym(")" | "]") => depth -= 1,
                Tok::Sym(",") if depth == 0 => count += 1,
                _ => {}
            }
            at += 1;
        }
    }

    fn unit_call(&mut self, mark: usize, name: &str) -> Result<Expr> {
        let function = self.next_text().to_string();
        self.advance();
        self.expect_sym("(")?;
        let unit = self.advance();
        let shown = self.text_of(unit).to_string();
        self.expect_sym(",")?;
        let first = self.value()?;
        self.expect_sym(",")?;
        let second = self.value()?;
        self.expect_sym(")")?;
        if !matches!(unit.tok, Tok::Word(_)) {
            return Err(self
                .error(mark, "INVALID_PARAMETER_VALUE.DATETIME_UNIT")
                .param("functionName", format!("`{function}`"))
                .param("parameter", "`unit`")
                .param("invalidValue", &shown)
                .with_message(format!("The unit of {function} is written without quotes, not {shown}")));
        }
        let unit = Expr::Literal(Literal::String(shown));
        Ok(self.at(mark, Expr::call(name, vec![unit, first, second])))
    }

    /// `FIRST(x [IGNORE NULLS])` and its kin: the option stands inside the parentheses.
    fn first_or_last(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        if self.sym_at(1, ")") {
            return self.call(mark, vec![name]);
        }
        self.advance();
        let distinct = self.set_quantifier() == Some(true);
        let arg = self.argument()?;
        let ignore_nulls = self.eat_kws(&[Kw::IGNORE, Kw::NULLS]).then_some(true);
        if ignore_nulls.is_none() && !distinct {
            return self.finish_call(mark, name, arg);
        }
        let mut args = vec![arg];
        if ignore_nulls.is_none() {
            while self.eat_sym(",") {
                args.push(self.argument()?);
            }
        }
        self.expect_sym(")")?;
        let function = UnresolvedFunction { name: vec![name], args, distinct, ignore_nulls, ..Default::default() };
        if ignore_nulls.is_some() {
            return Ok(self.at(mark, Expr::Function(Box::new(function))));
        }
        self.call_suffix(mark, function)
    }

    /// `STRUCT(a, b AS c)`: the arguments may have names.
    fn struct_call(&mut self, mark: usize) -> Result<Expr> {
        let name = self.identifier()?;
        self.expect_sym("(")?;
        let args = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::named_expression)? };
        self.expect_sym(")")?;
        self.call_suffix(mark, UnresolvedFunction { name: vec![name], args, ..Default::default() })
    }

    // ---- windows and orderings

    /// `expr [ASC|DESC] [NULLS FIRST|LAST]`.
    pub fn sort_item(&mut self) -> Result<SortOrder> {
        let mark = self.mark();
        let child = self.expression()?;
        let child = self.placed_position(mark, child);
        let ascending = self.direction();
        let nulls_first = self.null_order()?;
        Ok(SortOrder { child, ascending, nulls_first })
    }

    /// A literal with its place, which literals have nowhere else.
    pub fn placed_value(&self, mark: usize, child: Expr) -> Expr {
        match child {
            Expr::Literal(_) => self.at(mark, child),
            other => other,
        }
    }

    /// A literal that may be a position in the select list, with its place.
    pub fn placed_position(&self, mark: usize, child: Expr) -> Expr {
        match child {
            Expr::Literal(spark::Literal::Integer(_)) => self.at(mark, child),
            other => other,
        }
    }

    /// True unless `DESC`.
    pub fn direction(&mut self) -> bool {
        self.eat_any(&[Kw::ASC, Kw::DESC]) != Some(Kw::DESC)
    }

    pub fn null_order(&mut self) -> Result<Option<bool>> {
        if !self.eat_kw(Kw::NULLS) {
            return Ok(None);
        }
        match self.eat_any(&[Kw::FIRST, Kw::LAST]) {
            Some(keyword) => Ok(Some(keyword == Kw::FIRST)),
            None => Err(self.syntax_error()),
        }
    }

    /// What follows `OVER`.
    pub fn window_reference(&mut self) -> Result<WindowRef> {
        if !self.at_sym("(") {
            return self.identifier().map(WindowRef::Named);
        }
        let named = self.name_at(1) && self.sym_at(2, ")");
        if named {
            self.advance();
            let name = self.identifier()?;
            self.advance();
            return Ok(WindowRef::Named(name));
        }
        self.window_spec().map(WindowRef::Spec)
    }

    /// `([PARTITION BY …] [ORDER BY …] [frame])`.
    pub fn window_spec(&mut self) -> Result<WindowSpec> {
        let mark = self.mark();
        self.expect_sym("(")?;
        let mut spec = WindowSpec::default();
        if self.eat_kws(&[Kw::CLUSTER, Kw::BY]) {
            spec.partition_by = self.comma_list(Self::expression)?;
        } else {
            if self.at_any(&[Kw::PARTITION, Kw::DISTRIBUTE]) {
                self.advance();
                self.expect_kw(Kw::BY)?;
                spec.partition_by = self.comma_list(Self::expression)?;
            }
            if self.at_any(&[Kw::ORDER, Kw::SORT]) {
                self.advance();
                self.expect_kw(Kw::BY)?;
                spec.order_by = self.comma_list(Self::sort_item)?;
            }
        }
        if let Some(keyword) = self.eat_any(&[Kw::ROWS, Kw::RANGE]) {
            spec.frame = Some(self.window_frame(keyword == Kw::ROWS)?);
        }
        self.expect_sym(")")?;
        spec.origin = Some(self.origin(mark));
        Ok(spec)
    }

    fn window_frame(&mut self, is_rows: bool) -> Result<WindowFrame> {
        if self.eat_kw(Kw::BETWEEN) {
            let lower = self.frame_bound()?;
            self.expect_kw(Kw::AND)?;
            let upper = self.frame_bound()?;
            return Ok(WindowFrame { is_rows, lower, upper });
        }
        let lower = self.frame_bound()?;
        Ok(WindowFrame { is_rows, lower, upper: FrameBound::CurrentRow })
    }

    fn frame_bound(&mut self) -> Result<FrameBound> {
        if self.at_kw(Kw::UNBOUNDED) {
            self.advance();
            return match self.eat_any(&[Kw::PRECEDING, Kw::FOLLOWING]) {
                Some(Kw::PRECEDING) => Ok(FrameBound::UnboundedPreceding),
                Some(_) => Ok(FrameBound::UnboundedFollowing),
                None => Err(self.syntax_error()),
            };
        }
        if self.eat_kws(&[Kw::CURRENT, Kw::ROW]) {
            return Ok(FrameBound::CurrentRow);
        }
        let mark = self.mark();
        let value = Box::new(self.expression()?);
        let bound = match self.eat_any(&[Kw::PRECEDING, Kw::FOLLOWING]) {
            Some(Kw::PRECEDING) => FrameBound::Preceding(value.clone()),
            Some(_) => FrameBound::Following(value.clone()),
            None => return Err(self.syntax_error()),
        };
        if !is_constant(&value) {
            return Err(self
                .error(mark, "INVALID_SQL_SYNTAX.INVALID_WINDOW_FRAME_BOUND")
                .with_message("The bound of a window frame is a constant"));
        }
        Ok(bound)
    }
}

/// True if an expression is made of literals and operators alone.
fn is_constant(expr: &Expr) -> bool {
    match expr.unpositioned() {
        Expr::Literal(_) | Expr::Parameter(_) => true,
        Expr::Cast { child, .. } => is_constant(child),
        Expr::Function(function) => function.is_operator && function.args.iter().all(is_constant),
        _ => false,
    }
}

fn is_datetime_unit(word: &str) -> bool {
    matches!(
        word.to_ascii_uppercase().as_str(),
        "YEAR"
            | "QUARTER"
            | "MONTH"
            | "WEEK"
            | "DAY"
            | "DAYOFYEAR"
            | "HOUR"
            | "MINUTE"
            | "SECOND"
            | "MILLISECOND"
            | "MICROSECOND"
    )
}
