//! `SET`, `RESET`, and session variables.

use spark::command::{Command, PathEntry};
use spark::{Error, Expr, Literal, Result};

use crate::datetime::Zone;
use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// `SET …`.
    pub fn set(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let body = self.mark();
        let special = match self.keyword_at(0) {
            Some(Kw::VARIABLE | Kw::VAR) if !self.sym_at(1, "=") && !self.sym_at(1, ".") => self.set_variable(),
            Some(Kw::PATH) if self.sym_at(1, "=") => self.set_path(),
            Some(Kw::CATALOG) if self.name_at(1) || self.string_at(1) => self.set_catalog(),
            Some(Kw::TIME) if self.keyword_at(1) == Some(Kw::ZONE) => return self.set_time_zone(mark),
            Some(Kw::ROLE) if !self.sym_at(1, "=") && !self.sym_at(1, ".") => {
                return Err(self.refused(mark, "SET ROLE"));
            }
            _ => return self.set_conf(mark),
        };
        // What is none of these is a malformed `SET key=value`.
        let finished = special.is_ok() && (self.at_end() || self.at_sym(";"));
        match special {
            Ok(command) if finished => Ok(command),
            Err(e) if e.condition() != "PARSE_SYNTAX_ERROR" => Err(e),
            _ => {
                self.reset(body);
                self.set_conf(mark)
            }
        }
    }

    /// `SET PATH = schema, …`.
    fn set_path(&mut self) -> Result<Command> {
        self.expect_kw(Kw::PATH)?;
        self.expect_sym("=")?;
        Ok(Command::SetPath { entries: self.path()? })
    }

    /// The schemas of a search path.
    pub fn path(&mut self) -> Result<Vec<PathEntry>> {
        self.comma_list(Self::path_entry)
    }

    fn path_entry(&mut self) -> Result<PathEntry> {
        let name = self.object_name()?;
        let entry = match name.as_slice() {
            [only] => match only.to_uppercase().as_str() {
                "DEFAULT_PATH" => PathEntry::Default,
                "SYSTEM_PATH" => PathEntry::System,
                "PATH" => PathEntry::Path,
                "CURRENT_SCHEMA" | "CURRENT_DATABASE" => PathEntry::CurrentSchema,
                _ => {
                    return Err(Error::parse("INVALID_SQL_PATH_SCHEMA_REFERENCE")
                        .param("qualifiedName", only)
                        .with_message(format!("A path has schemas with their catalogs, and {only} is none")));
                }
            },
            _ => PathEntry::Schema(name),
        };
        Ok(entry)
    }

    fn set_catalog(&mut self) -> Result<Command> {
        self.advance();
        let name = if self.at_string() { self.string()? } else { self.object_name()?.join(".") };
        Ok(Command::SetCatalog { name })
    }

    /// `SET TIME ZONE LOCAL | 'zone' | INTERVAL …`.
    fn set_time_zone(&mut self, mark: usize) -> Result<Command> {
        self.expect_kws(&[Kw::TIME, Kw::ZONE])?;
        if self.at_interval() {
            let interval = self.interval()?;
            let zone = offset_of(&interval).ok_or_else(|| {
                self.error(mark, "INVALID_INTERVAL_FORMAT.TIMEZONE_INTERVAL_OUT_OF_RANGE")
                    .param("input", hours_of(&interval))
                    .with_message("The offset of a time zone is an interval of whole seconds up to 18 hours")
            })?;
            return Ok(Command::SetTimeZone { zone });
        }
        if self.at_string() && matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";")) {
            return Ok(Command::SetTimeZone { zone: self.string()? });
        }
        if self.at_kw(Kw::LOCAL) && matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";")) {
            self.advance();
            return Ok(Command::SetTimeZone { zone: "LOCAL".into() });
        }
        while !self.at_end() {
            self.advance();
        }
        Err(self.error(mark, "_LEGACY_ERROR_TEMP_0045").with_message("This is no time zone"))
    }

    /// `SET VARIABLE a = 1, b = 2` or `SET VARIABLE (a, b) = (query)`.
    pub fn set_variable(&mut self) -> Result<Command> {
        self.advance();
        self.variable_assignments()
    }

    /// What follows `SET VARIABLE`, or `SET` in a script.
    pub fn variable_assignments(&mut self) -> Result<Command> {
        if self.at_sym("(") {
            let names = self.paren_list(Self::object_name)?;
            self.expect_sym("=")?;
            let query = Box::new(self.query_in_parens()?);
            return Ok(Command::SetVariablesFrom { names, query });
        }
        let assignments = self.comma_list(|p| {
            let name = p.object_name()?;
            if !p.eat_sym("=") && !p.eat_sym("==") {
                return Err(p.syntax_error());
            }
            Ok((name, p.value_or_default()?))
        })?;
        Ok(Command::SetVariables { assignments })
    }

    /// An expression, or the word `DEFAULT`.
    pub fn value_or_default(&mut self) -> Result<Expr> {
        let alone = matches!(self.peek_at(1), Tok::Eof | Tok::Sym("," | ")" | ";")) || self.keyword_at(1).is_some();
        if self.at_kw(Kw::DEFAULT) && alone {
            self.advance();
            return Ok(Expr::Default);
        }
        self.expression()
    }

    /// `DECLARE [OR REPLACE] [VARIABLE] names [type] [DEFAULT|= expr]`.
    pub fn declare(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let replace = self.eat_kws(&[Kw::OR, Kw::REPLACE]);
        if self.at_any(&[Kw::VARIABLE, Kw::VAR]) && self.name_at(1) {
            self.advance();
        }
        let names = self.comma_list(Self::object_name)?;
        let data_type = if self.name_at(0) && !self.at_kw(Kw::DEFAULT) { Some(self.data_type()?) } else { None };
        let mut default = None;
        let mut default_text = "null".to_string();
        if self.eat_kw(Kw::DEFAULT) || self.eat_sym("=") {
            let (expr, text) = self.expression_with_text()?;
            default = Some(expr);
            default_text = text;
        }
        if data_type.is_none() && default.is_none() {
            let error = self
                .error(mark, "INVALID_SQL_SYNTAX.VARIABLE_TYPE_OR_DEFAULT_REQUIRED")
                .with_message("A variable needs a data type, or a default that has one");
            self.deferring(Err(error), ())?;
        }
        Ok(Command::DeclareVariables { names, replace, data_type, default, default_text })
    }

    /// `EXECUTE IMMEDIATE text [INTO a, b] [USING x, y AS name]`.
    pub fn execute_immediate(&mut self) -> Result<Command> {
        self.expect_kws(&[Kw::EXECUTE, Kw::IMMEDIATE])?;
        let text = self.expression()?;
        let into = if self.eat_kw(Kw::INTO) { self.comma_list(Self::object_name)? } else { Vec::new() };
        let mark = self.mark();
        let mut using = Vec::new();
        if self.eat_kw(Kw::USING) {
            using = if self.at_sym("(") && self.parenthesized_arguments() && !self.query_begins(1) {
                self.paren_list(Self::named_expression)?
            } else {
                self.comma_list(Self::named_expression)?
            };
        }
        self.refuse_duplicate_aliases(mark, &using)?;
        Ok(Command::ExecuteImmediate { text, into, using })
    }

    /// True if the parentheses here enclose all that is left of the statement.
    fn parenthesized_arguments(&self) -> bool {
        let (mut depth, mut ahead) = (0usize, 0);
        loop {
            match self.peek_at(ahead) {
                Tok::Sym("(") => depth += 1,
                Tok::Sym(")") if depth == 1 => return matches!(self.peek_at(ahead + 1), Tok::Eof | Tok::Sym(";")),
                Tok::Sym(")") => depth -= 1,
                Tok::Eof => return false,
                _ => {}
            }
            ahead += 1;
        }
    }

    fn refuse_duplicate_aliases(&self, mark: usize, using: &[Expr]) -> Result<()> {
        let alias = |e: &Expr| match e.unpositioned() {
            Expr::Alias { names, .. } => names.first().cloned(),
            _ => None,
        };
        let names: Vec<String> = using.iter().filter_map(alias).collect();
        let duplicates: Vec<String> = names
            .iter()
            .enumerate()
            .filter(|(i, name)| names[..*i].contains(name))
            .map(|(_, name)| spark::types::quote_identifier(name))
            .collect();
        if duplicates.is_empty() {
            return Ok(());
        }
        let shown = duplicates.join(", ");
        Err(self
            .error(mark, "EXEC_IMMEDIATE_DUPLICATE_ARGUMENT_ALIASES")
            .param("aliases", &shown)
            .with_message(format!("USING gives two arguments the same name: {shown}")))
    }

    // ---- configuration

    /// The raw text from here to the end of the statement; takes all of it.
    pub fn rest_of_text(&mut self) -> String {
        let start = self.start_of(self.mark());
        let mut end = start;
        while !self.at_end() {
            let token = self.advance();
            end = token.end as usize;
        }
        self.text[start..end].trim().to_string()
    }

    /// `SET`, `SET -v`, `SET key`, `SET key=value`; key and value are raw text.
    fn set_conf(&mut self, mark: usize) -> Result<Command> {
        let set = |key: String, value: Option<String>| Ok(Command::Set { key: Some(key), value, verbose: false });
        if self.peek() == Tok::Quoted {
            let token = self.advance();
            let key = self.name_text(token);
            if self.at_end() || self.at_sym(";") {
                self.rest_of_text();
                return set(key, None);
            }
            if !self.eat_sym("=") {
                self.rest_of_text();
                return Err(self.invalid_set(mark));
            }
            let value = self.conf_value();
            return set(key, Some(value));
        }
        let text = self.rest_of_text();
        let text = text.trim_end_matches(';').trim();
        match text {
            "" => return Ok(Command::Set { key: None, value: None, verbose: false }),
            "-v" => return Ok(Command::Set { key: None, value: None, verbose: true }),
            _ => {}
        }
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => (text, None),
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/' | '\\');
        if key.is_empty() || !key.chars().all(plain) || value.is_some_and(|v| v.contains(';')) {
            return Err(self.invalid_set(mark));
        }
        let unquoted = |v: &str| v.strip_prefix('`').and_then(|v| v.strip_suffix('`')).unwrap_or(v).to_string();
        set(key.to_string(), value.map(unquoted))
    }

    /// What stands after `key=`: a quoted value, or raw text.
    fn conf_value(&mut self) -> String {
        if self.peek() == Tok::Quoted && matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";")) {
            let token = self.advance();
            return self.name_text(token);
        }
        self.rest_of_text().trim_end_matches(';').trim().to_string()
    }

    fn invalid_set(&self, mark: usize) -> Error {
        self.error(mark, "INVALID_SET_SYNTAX")
            .with_message("SET takes nothing, a key, or key=value; quote what holds other characters")
    }

    /// `RESET [key]`.
    pub fn reset_conf(&mut self) -> Result<Command> {
        self.advance();
        let mark = self.mark() - 1;
        let quoted = self.peek() == Tok::Quoted;
        let key = if quoted { self.identifier()? } else { self.rest_of_text() };
        let key = key.trim_end_matches(';').trim();
        if !quoted && key.contains(char::is_whitespace) {
            return Err(self
                .error(mark, "INVALID_RESET_COMMAND_FORMAT")
                .with_message("RESET takes nothing or one key; quote a key that holds other characters"));
        }
        Ok(Command::Reset { key: (!key.is_empty()).then(|| key.to_string()) })
    }
}

/// The whole hours of an interval, as the error about them shows.
fn hours_of(interval: &Expr) -> String {
    match interval.unpositioned() {
        Expr::Literal(Literal::DayTimeInterval { micros, .. }) => (micros / 3_600_000_000).to_string(),
        _ => String::new(),
    }
}

/// The offset of a time zone given as an interval.
fn offset_of(interval: &Expr) -> Option<String> {
    let micros = match interval.unpositioned() {
        Expr::Literal(Literal::DayTimeInterval { micros, .. }) => *micros,
        Expr::Literal(Literal::CalendarInterval { months: 0, days, micros }) => {
            *days as i64 * crate::interval::MICROS_PER_DAY + micros
        }
        _ => return None,
    };
    if micros % 1_000_000 != 0 {
        return None;
    }
    let seconds = micros / 1_000_000;
    if seconds.abs() > 18 * 3600 {
        return None;
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
    let mut zone = format!("{sign}{hours:02}:{minutes:02}");
    if rest != 0 {
        zone.push_str(&format!(":{rest:02}"));
    }
    Zone::parse(&zone).map(|_| if seconds == 0 { "Z".into() } else { zone })
}
