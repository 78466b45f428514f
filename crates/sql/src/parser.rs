//! The parser's cursor over the tokens: looking, taking, positions, names.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use spark::{Error, Expr, Origin, Plan, Result, SqlOrigin};

use crate::error;
use crate::keywords::Kw;
use crate::lexer::{Positions, Tok, Token, tokenize};
use crate::options::ParseOptions;

/// How deep expressions, queries and types may nest. Spark's parser overflows its stack far earlier.
const MAX_DEPTH: usize = 3000;
/// Stack kept free below, and taken anew, when nesting goes deep.
const RED_ZONE: usize = 256 * 1024;
const STACK_PIECE: usize = 4 * 1024 * 1024;

static NO_NAME: LazyLock<Arc<str>> = LazyLock::new(|| "".into());

/// The state of one parse.
pub struct Parser<'a> {
    pub text: Arc<str>,
    tokens: Vec<Token>,
    pos: usize,
    positions: Positions,
    pub options: &'a ParseOptions,
    /// Parameters of the lambdas around the current expression.
    pub lambda_params: Vec<String>,
    /// `?` seen so far.
    pub positional: usize,
    depth: usize,
    /// The depth of the item of a list being read, where it may end in an alias.
    item_depth: usize,
    /// The first error of meaning. It is raised once the text is known to have no error of syntax,
    /// which Spark reports first wherever it is.
    deferred: Option<Error>,
    /// An error about the whole of the command being read, raised at its end.
    late: Option<Error>,
    /// The farthest token that some alternative came to and could not take: what an error is shown at.
    farthest: Cell<usize>,
    /// The token of the last error of syntax.
    failed: Cell<usize>,
    /// Where an alias of a relation could have stood, and where one of an item of a list could.
    pub open_alias: (usize, usize),
    /// Names of objects with their positions, if somebody wants to know.
    noted: Option<Vec<(Vec<String>, Arc<Origin>)>>,
    /// How many readings are being tried that may be given up for others.
    trying: usize,
    /// What trials read between parentheses, by the token of the first: the next one goes on behind it.
    /// Without this the time would double with every pair of parentheses.
    tried: HashMap<usize, Tried>,
    /// Where the form of a keyword cannot be read: why, and whether the keyword is no name either.
    no_form: HashMap<usize, (Error, bool)>,
}

/// What a trial came to at a parenthesis.
enum Tried {
    Query(Box<TriedQuery>),
    /// The error, the token it is about, and the farthest one.
    Failed(Error, usize, usize),
}

/// A query in parentheses, and the state of the parser behind it.
struct TriedQuery {
    plan: Plan,
    end: usize,
    positional: usize,
    deferred: Option<Error>,
    late: Option<Error>,
    open_alias: (usize, usize),
}

impl<'a> Parser<'a> {
    pub fn new(text: &str, options: &'a ParseOptions) -> Result<Self> {
        let text: Arc<str> = match &options.variables {
            Some(conf) => crate::substitute::variables(text, conf).into(),
            None => text.into(),
        };
        Ok(Parser {
            tokens: tokenize(&text)?,
            positions: Positions::new(&text),
            text,
            pos: 0,
            options,
            lambda_params: Vec::new(),
            positional: 0,
            depth: 0,
            item_depth: usize::MAX,
            deferred: None,
            late: None,
            farthest: Cell::new(0),
            failed: Cell::new(0),
            open_alias: (usize::MAX, usize::MAX),
            noted: None,
            trying: 0,
            tried: HashMap::new(),
            no_form: HashMap::new(),
        })
    }

    /// Notes the names of objects from now on.
    pub fn note_names(&mut self) {
        self.noted = Some(Vec::new());
    }

    /// The names noted so far.
    pub fn take_names(&mut self) -> Vec<(Vec<String>, Arc<Origin>)> {
        self.noted.take().unwrap_or_default()
    }

    /// Holds an error of meaning back and goes on with `placeholder`; syntax errors pass.
    pub fn deferring<T>(&mut self, result: Result<T>, placeholder: T) -> Result<T> {
        match result {
            Err(e) if e.condition() != error::SYNTAX_ERROR => {
                self.deferred.get_or_insert(e);
                Ok(placeholder)
            }
            other => other,
        }
    }

    /// Notes an error about the whole of the command being read; the first one counts.
    pub fn later(&mut self, error: Error) {
        self.late.get_or_insert(error);
    }

    /// The error noted by [`Parser::later`], positioned over what was taken since `mark`.
    pub fn take_late(&mut self, mark: usize) -> Option<Error> {
        self.late.take().map(|e| e.at(Some(&self.origin(mark))))
    }

    /// The error held back, if there is one.
    pub fn take_deferred(&mut self) -> Option<Error> {
        self.deferred.take()
    }

    /// Puts back what [`Parser::take_deferred`] took.
    pub fn restore_deferred(&mut self, deferred: Option<Error>) {
        self.deferred = deferred;
    }

    /// Why the keyword at `mark` does not begin its form, if that was tried; an error if it is no name either.
    pub fn no_form(&self, mark: usize) -> Option<Result<Error>> {
        let (error, is_nothing) = self.no_form.get(&mark)?;
        Some(if *is_nothing { Err(error.clone()) } else { Ok(error.clone()) })
    }

    /// Notes why the keyword at `mark` does not begin its form.
    pub fn note_no_form(&mut self, mark: usize, error: &Error) {
        self.no_form.insert(mark, (error.clone(), false));
    }

    /// Notes that the keyword at `mark`, which does not begin its form, is no name either.
    pub fn note_no_name(&mut self, mark: usize) {
        if let Some((_, is_nothing)) = self.no_form.get_mut(&mark) {
            *is_nothing = true;
        }
    }

    /// Runs `f`, whose outcome may be given up for another reading of the same text.
    pub fn trial<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        self.trying += 1;
        let outcome = f(self);
        self.trying -= 1;
        outcome
    }

    /// What `read` makes of the query in parentheses that begins here: of trials only the first one reads.
    pub fn read_once(&mut self, read: impl FnOnce(&mut Self) -> Result<Plan>) -> Result<Plan> {
        let start = self.pos;
        match self.tried.get(&start) {
            Some(Tried::Failed(error, failed, farthest)) => {
                self.failed.set(*failed);
                self.farthest.set(self.farthest.get().max(*farthest));
                return Err(error.clone());
            }
            Some(Tried::Query(query)) => {
                (self.pos, self.positional, self.open_alias) = (query.end, query.positional, query.open_alias);
                self.deferred = self.deferred.take().or_else(|| query.deferred.clone());
                self.late = self.late.take().or_else(|| query.late.clone());
                return Ok(query.plan.clone());
            }
            None if self.trying == 0 => return read(self),
            None => {}
        }
        let (deferred, late) = (self.deferred.take(), self.late.take());
        let result = read(self);
        let (inner, inner_late) = (self.deferred.take(), self.late.take());
        match &result {
            Err(error) => {
                let failed = Tried::Failed(error.clone(), self.failed.get(), self.farthest.get());
                self.tried.insert(start, failed);
            }
            // Those around it are quickly read again with this one at hand, and would hold it once more each.
            Ok(_) if self.tokens.get(start + 1).is_some_and(|t| t.tok == Tok::Sym("(")) => {}
            Ok(plan) => {
                let query = TriedQuery {
                    plan: plan.clone(),
                    end: self.pos,
                    positional: self.positional,
                    deferred: inner.clone(),
                    late: inner_late.clone(),
                    open_alias: self.open_alias,
                };
                self.tried.insert(start, Tried::Query(Box::new(query)));
            }
        }
        self.deferred = deferred.or(inner);
        self.late = late.or(inner_late);
        result
    }

    /// Runs `f` one level deeper, on a stack that grows.
    pub fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(error::too_complex());
        }
        self.depth += 1;
        let result = stacker::maybe_grow(RED_ZONE, STACK_PIECE, || f(self));
        self.depth -= 1;
        result
    }

    /// An item of a list, which may end in an alias.
    pub fn item(&mut self) -> Result<Expr> {
        let outer = std::mem::replace(&mut self.item_depth, self.depth + 1);
        let item = self.expression();
        self.item_depth = outer;
        item
    }

    /// True if what is being read could end here and be followed by an alias.
    pub fn in_item(&self) -> bool {
        self.depth == self.item_depth
    }

    // ---- looking

    pub fn token(&self, ahead: usize) -> Token {
        let at = (self.pos + ahead).min(self.tokens.len() - 1);
        self.tokens[at]
    }

    pub fn peek(&self) -> Tok {
        self.token(0).tok
    }

    pub fn peek_at(&self, ahead: usize) -> Tok {
        self.token(ahead).tok
    }

    /// The keyword `ahead` tokens on, if it is one.
    pub fn keyword_at(&self, ahead: usize) -> Option<Kw> {
        match self.peek_at(ahead) {
            Tok::Word(keyword) => keyword,
            _ => None,
        }
    }

    /// The keyword of a token by its place in the text.
    pub fn keyword_of(&self, at: usize) -> Option<Kw> {
        match self.tokens.get(at)?.tok {
            Tok::Word(keyword) => keyword,
            _ => None,
        }
    }

    pub fn at_kw(&self, keyword: Kw) -> bool {
        self.keyword_at(0) == Some(keyword)
    }

    /// True if the next tokens are these keywords.
    pub fn at_kws(&self, keywords: &[Kw]) -> bool {
        let taken = keywords.iter().enumerate().take_while(|(ahead, k)| self.keyword_at(*ahead) == Some(**k)).count();
        if taken > 0 && taken < keywords.len() {
            self.came_to(taken);
        }
        taken == keywords.len()
    }

    /// Notes that an alternative took `ahead` tokens and could not go on.
    pub fn came_to(&self, ahead: usize) {
        self.farthest.set(self.farthest.get().max(self.pos + ahead));
    }

    /// True if `keyword` is next and `symbol` follows it, without which the keyword says nothing here.
    pub fn at_kw_sym(&self, keyword: Kw, symbol: &str) -> bool {
        let begun = self.at_kw(keyword);
        if begun && !self.sym_at(1, symbol) {
            self.came_to(1);
        }
        begun && self.sym_at(1, symbol)
    }

    pub fn at_any(&self, keywords: &[Kw]) -> bool {
        self.keyword_at(0).is_some_and(|k| keywords.contains(&k))
    }

    pub fn at_sym(&self, symbol: &str) -> bool {
        self.sym_at(0, symbol)
    }

    pub fn sym_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead), Tok::Sym(s) if s == symbol)
    }

    pub fn at_end(&self) -> bool {
        self.peek() == Tok::Eof
    }

    /// True if no blank separates the token `ahead` from the one before it.
    pub fn touches(&self, ahead: usize) -> bool {
        ahead > 0 && self.token(ahead - 1).end == self.token(ahead).start
    }

    pub fn text_of(&self, token: Token) -> &str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The text of the next token.
    pub fn next_text(&self) -> &str {
        self.text_of(self.token(0))
    }

    // ---- taking

    pub fn advance(&mut self) -> Token {
        let token = self.token(0);
        if token.tok != Tok::Eof {
            self.pos += 1;
        }
        token
    }

    pub fn eat_kw(&mut self, keyword: Kw) -> bool {
        let found = self.at_kw(keyword);
        if found {
            self.pos += 1;
        }
        found
    }

    /// Takes the keywords if all of them are next.
    pub fn eat_kws(&mut self, keywords: &[Kw]) -> bool {
        let found = self.at_kws(keywords);
        if found {
            self.pos += keywords.len();
        }
        found
    }

    /// Takes one of the keywords.
    pub fn eat_any(&mut self, keywords: &[Kw]) -> Option<Kw> {
        let keyword = self.keyword_at(0).filter(|k| keywords.contains(k))?;
        self.pos += 1;
        Some(keyword)
    }

    pub fn eat_sym(&mut self, symbol: &str) -> bool {
        let found = self.at_sym(symbol);
        if found {
            self.pos += 1;
        }
        found
    }

    pub fn expect_kw(&mut self, keyword: Kw) -> Result<()> {
        if self.eat_kw(keyword) {
            return Ok(());
        }
        Err(self.missing_keyword(keyword))
    }

    /// A keyword that is not there: where what comes next could follow it, Spark says that it is missing.
    pub fn missing_keyword(&self, keyword: Kw) -> Error {
        let plain = matches!(self.peek(), Tok::Word(None) | Tok::Quoted);
        let name = matches!(self.peek(), Tok::Word(_) | Tok::Quoted);
        let value = name || matches!(self.peek(), Tok::Int | Tok::Dec | Tok::Str | Tok::Sym("("));
        let follows = match keyword {
            Kw::CACHE | Kw::STATISTICS | Kw::PARTITIONS | Kw::ENFORCED => self.at_end(),
            Kw::FUNCTIONS => true,
            Kw::TABLE | Kw::DO | Kw::DATA => name,
            Kw::FROM | Kw::TO | Kw::EXISTS => plain,
            Kw::JOIN => plain && self.pos > 0 && self.keyword_of(self.pos - 1) == Some(Kw::NATURAL),
            Kw::FOR => name,
            Kw::IN => self.at_sym("("),
            Kw::IF | Kw::LOOP | Kw::WHILE | Kw::REPEAT | Kw::CASE => self.at_sym(";"),
            Kw::THEN | Kw::RETURN | Kw::UNTIL => value,
            Kw::END => self.at_kw(Kw::FROM) || self.at_end(),
            Kw::IS => self.at_kw(Kw::NULL) || matches!(self.peek(), Tok::Str),
            Kw::IMMEDIATE => matches!(self.peek(), Tok::Str),
            _ => false,
        };
        match follows {
            true if self.keyword_at(1) == Some(keyword) => self.extra_input(),
            true => self.missing(&format!("'{}'", keyword.text())),
            false => self.syntax_error(),
        }
    }

    pub fn expect_kws(&mut self, keywords: &[Kw]) -> Result<()> {
        for (i, &keyword) in keywords.iter().enumerate() {
            let next = keywords.get(i + 1);
            if !self.at_kw(keyword) && next.is_some_and(|n| self.at_kw(*n)) {
                return Err(self.missing(&format!("'{}'", keyword.text())));
            }
            self.expect_kw(keyword)?;
        }
        Ok(())
    }

    pub fn expect_sym(&mut self, symbol: &str) -> Result<()> {
        if self.eat_sym(symbol) {
            return Ok(());
        }
        // One token too many: what is wanted comes right after it.
        let opens = matches!(self.peek(), Tok::Sym("(" | ")" | "," | ";" | "[" | "]"));
        if self.sym_at(1, symbol) && !opens {
            Err(self.extra_input())
        } else if symbol == "(" && matches!(self.peek(), Tok::Word(_) | Tok::Quoted | Tok::Str) {
            Err(self.missing("'('"))
        } else if self.at_end() && matches!(symbol, ")" | "]") && self.depth_of_brackets() == 1 {
            Err(self.missing(&format!("'{symbol}'")))
        } else {
            Err(self.syntax_error())
        }
    }

    /// How many brackets are open at the next token.
    fn depth_of_brackets(&self) -> usize {
        self.tokens[..self.pos].iter().fold(0, |depth: usize, token| match token.tok {
            Tok::Sym("(" | "[") => depth + 1,
            Tok::Sym(")" | "]") => depth.saturating_sub(1),
            _ => depth,
        })
    }

    /// The end of a statement: semicolons, then nothing.
    pub fn expect_end(&mut self) -> Result<()> {
        let mut semicolon = false;
        while self.eat_sym(";") {
            semicolon = true;
        }
        if self.at_end() {
            return Ok(());
        }
        let one_too_many = semicolon || matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";"));
        Err(if one_too_many { self.extra_input() } else { self.syntax_error() })
    }

    /// One or more, separated by commas.
    pub fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_sym(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// One or more in parentheses.
    pub fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.expect_sym("(")?;
        let items = self.comma_list(item)?;
        self.expect_sym(")")?;
        Ok(items)
    }

    /// The parenthesis behind a list, where anything else is too much of the list.
    pub fn list_end(&mut self) -> Result<()> {
        match self.at_sym(")") || self.at_end() {
            true => self.expect_sym(")"),
            false => Err(self.extra_input()),
        }
    }

    /// A position to come back to.
    pub fn mark(&self) -> usize {
        self.pos
    }

    pub fn reset(&mut self, mark: usize) {
        self.pos = mark;
    }

    // ---- positions

    /// The origin of what was taken since `mark`.
    pub fn origin(&self, mark: usize) -> Arc<Origin> {
        let last = self.pos.saturating_sub(1).max(mark).min(self.tokens.len() - 1);
        self.origin_of(self.tokens[mark.min(last)].start, self.tokens[last].end)
    }

    /// The origin of all tokens but a closing semicolon.
    pub fn whole_origin(&self) -> Arc<Origin> {
        let is_text = |t: &&Token| !matches!(t.tok, Tok::Eof | Tok::Sym(";"));
        let start = self.tokens.iter().find(is_text).map_or(0, |t| t.start);
        let end = self.tokens.iter().rfind(is_text).map_or(0, |t| t.end);
        self.origin_of(start, end)
    }

    /// The origin of a span of bytes.
    pub fn origin_of(&self, start: u32, end: u32) -> Arc<Origin> {
        let (line, column) = self.positions.line_column(start);
        let begin = self.positions.utf16(start);
        let (object_type, object_name) =
            self.options.object.clone().unwrap_or_else(|| (NO_NAME.clone(), NO_NAME.clone()));
        Arc::new(Origin::Sql(SqlOrigin {
            text: self.text.clone(),
            start: begin,
            stop: self.positions.utf16(end).saturating_sub(1).max(begin),
            line,
            column,
            object_type,
            object_name,
        }))
    }

    /// The expression with the position of everything taken since `mark`.
    pub fn at(&self, mark: usize, child: Expr) -> Expr {
        Expr::At { child: Box::new(child), origin: self.origin(mark) }
    }

    /// The text of everything taken since `mark`.
    pub fn source_since(&self, mark: usize) -> &str {
        if self.pos <= mark {
            return "";
        }
        &self.text[self.tokens[mark].start as usize..self.tokens[self.pos - 1].end as usize]
    }

    /// The text from `mark` to the next token, blanks included.
    pub fn start_of(&self, mark: usize) -> usize {
        self.tokens[mark.min(self.tokens.len() - 1)].start as usize
    }

    // ---- errors

    /// A syntax error at the next token.
    pub fn syntax_error(&self) -> Error {
        self.syntax_error_at(self.pos, |_| String::new())
    }

    /// A syntax error at the next token, which only is too many.
    pub fn extra_input(&self) -> Error {
        self.syntax_error_at(self.pos, |shown| format!(": extra input {shown}"))
    }

    /// A syntax error at the next token, before which something is missing.
    pub fn missing(&self, what: &str) -> Error {
        self.syntax_error_at(self.pos, |_| format!(": missing {what}"))
    }

    /// A syntax error at the token `at`, or at a later one that some other reading came to.
    fn syntax_error_at(&self, at: usize, hint: impl FnOnce(&str) -> String) -> Error {
        let last = self.tokens.len() - 1;
        let farthest = self.farthest.get().min(last);
        self.failed.set(farthest.max(at));
        let token = self.tokens[self.failed.get().min(last)];
        let (line, column) = self.positions.line_column(token.start);
        let shown =
            if token.tok == Tok::Eof { "end of input".to_string() } else { error::token_text(self.text_of(token)) };
        let hint = if farthest > at { String::new() } else { hint(&shown) };
        error::syntax(&shown, &hint, line, column)
    }

    /// Forgets how far other readings came: the one that counts is chosen.
    pub fn forget_farthest(&self) {
        self.farthest.set(0);
    }

    /// The token of the last error of syntax.
    pub fn failed_at(&self) -> usize {
        self.failed.get()
    }

    /// What `result` is, but with an error of syntax moved to the token `at`: the words before it can be
    /// read as names, and that reading is left when the other one fails.
    pub fn or_stumble<T>(&self, result: Result<T>, at: usize) -> Result<T> {
        result.map_err(|e| {
            if e.condition() != error::SYNTAX_ERROR {
                return e;
            }
            self.farthest.set(0);
            self.syntax_error_at(at, |_| String::new())
        })
    }

    /// Like [`Parser::or_stumble`], where the token `at` itself is no more than too many.
    pub fn or_extra<T>(&self, result: Result<T>, at: usize) -> Result<T> {
        let error = match self.or_stumble(result, at) {
            Err(e) if e.condition() == error::SYNTAX_ERROR => e,
            other => return other,
        };
        let ends = matches!(self.tokens.get(at + 1).map(|t| t.tok), Some(Tok::Eof | Tok::Sym(";")));
        Err(if ends { self.syntax_error_at(at, |shown| format!(": extra input {shown}")) } else { error })
    }

    /// A parse error about everything taken since `mark`.
    pub fn error(&self, mark: usize, condition: &str) -> Error {
        Error::parse(condition).at(Some(&self.origin(mark)))
    }

    // ---- names

    /// The keyword of the token at `mark`.
    pub fn tokens_keyword(&self, mark: usize) -> Option<Kw> {
        match self.tokens.get(mark)?.tok {
            Tok::Word(keyword) => keyword,
            _ => None,
        }
    }

    /// True if the last token taken is a quoted name.
    pub fn quoted_before(&self) -> bool {
        let before = self.pos.checked_sub(1).and_then(|i| self.tokens.get(i));
        before.is_some_and(|t| t.tok == Tok::Quoted)
    }

    /// True if the last token taken is `symbol`.
    pub fn symbol_before(&self, symbol: &str) -> bool {
        let before = self.pos.checked_sub(1).and_then(|i| self.tokens.get(i));
        before.is_some_and(|t| matches!(t.tok, Tok::Sym(s) if s == symbol))
    }

    /// True if a keyword may not be a name here.
    fn is_reserved_at(&self, ahead: usize, keyword: Kw) -> bool {
        if !self.options.reserved_keywords || !keyword.is_reserved() || self.sym_at(ahead + 1, "(") {
            return false;
        }
        // What has a value without parentheses is no alias.
        let before = (self.pos + ahead).checked_sub(1).and_then(|mark| self.tokens_keyword(mark));
        !keyword.is_value() || before == Some(Kw::AS)
    }

    /// True if the token `ahead` can be a name.
    pub fn name_at(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Tok::Word(Some(keyword)) if self.is_reserved_at(ahead, keyword) => false,
            Tok::Word(_) | Tok::Quoted => true,
            Tok::DoubleQuoted => self.options.double_quoted_identifiers,
            _ => false,
        }
    }

    /// True if the token `ahead` can be a name where the words around joins cannot.
    pub fn strict_name_at(&self, ahead: usize) -> bool {
        self.name_at(ahead) && !self.keyword_at(ahead).is_some_and(Kw::is_strict_non_reserved)
    }

    /// A name, unquoted.
    pub fn identifier(&mut self) -> Result<String> {
        if self.at_kw(Kw::IDENTIFIER) && self.sym_at(1, "(") && matches!(self.peek_at(2), Tok::Str | Tok::DoubleQuoted)
        {
            let mark = self.mark();
            let mut parts = self.identifier_clause()?;
            if parts.len() > 1 {
                return Err(Error::parse("IDENTIFIER_TOO_MANY_NAME_PARTS")
                    .param("identifier", crate::error::shown_name(&parts))
                    .param("limit", "1")
                    .with_message("One name is needed here, without a qualifier")
                    .at(Some(&self.origin(mark))));
            }
            return parts.pop().ok_or_else(|| self.syntax_error());
        }
        self.plain_identifier()
    }

    /// A name, unquoted, that is no `IDENTIFIER(…)`.
    pub fn plain_identifier(&mut self) -> Result<String> {
        if !self.name_at(0) {
            return Err(self.syntax_error());
        }
        let token = self.advance();
        let name = self.name_text(token);
        if matches!(token.tok, Tok::Word(_)) && !name.is_ascii() {
            return self.deferring(Err(error::invalid_identifier(&name)), name);
        }
        Ok(name)
    }

    pub fn name_text(&self, token: Token) -> String {
        let text = self.text_of(token);
        match token.tok {
            Tok::Quoted => text[1..text.len() - 1].replace("``", "`"),
            Tok::DoubleQuoted => text[1..text.len() - 1].replace("\"\"", "\""),
            _ => text.to_string(),
        }
    }

    /// `a.b.c`, without `IDENTIFIER(…)`.
    pub fn dotted_name(&mut self) -> Result<Vec<String>> {
        let mark = self.mark();
        let mut parts = vec![self.identifier()?];
        while self.at_sym(".") {
            self.advance();
            parts.push(self.identifier()?);
        }
        self.refuse_hyphen(mark)?;
        Ok(parts)
    }

    /// `a-b` needs quotes; Spark says so rather than complain about the hyphen.
    fn refuse_hyphen(&self, mark: usize) -> Result<()> {
        let before = self.tokens[self.pos - 1];
        if !self.at_sym("-") || before.end != self.token(0).start || !self.touches(1) || !self.name_at(1) {
            return Ok(());
        }
        let mut name = self.tokens[self.pos - 1];
        name.end = self.token(1).end;
        let mut ahead = 2;
        while self.sym_at(ahead, "-") && self.name_at(ahead + 1) {
            name.end = self.token(ahead + 1).end;
            ahead += 2;
        }
        let start = self.tokens[mark].start;
        Err(error::invalid_identifier(self.text_of(name)).at(Some(&self.origin_of(start, name.end))))
    }

    /// A name of an object: `a.b.c` or `IDENTIFIER(…)`.
    pub fn object_name(&mut self) -> Result<Vec<String>> {
        let mark = self.mark();
        let parts = self.object_name_parts()?;
        let origin = self.noted.is_some().then(|| self.origin(mark));
        if let (Some(noted), Some(origin)) = (&mut self.noted, origin) {
            noted.push((parts.clone(), origin));
        }
        Ok(parts)
    }

    fn object_name_parts(&mut self) -> Result<Vec<String>> {
        if self.at_kw(Kw::IDENTIFIER) && self.sym_at(1, "(") {
            let mut parts = self.identifier_clause()?;
            while self.at_sym(".") && self.name_at(1) {
                self.advance();
                parts.push(self.identifier()?);
            }
            return Ok(parts);
        }
        self.dotted_name()
    }

    /// `(a, b, c)`.
    pub fn identifier_list(&mut self) -> Result<Vec<String>> {
        self.expect_sym("(")?;
        let names = self.comma_list(Self::identifier)?;
        self.expect_sym(")")?;
        Ok(names)
    }
}
