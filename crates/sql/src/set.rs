//! `SET` and `RESET`.

use spark::command::Command;
use spark::Result;

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// `SET …`.
    pub fn set(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        self.set_conf(mark)
    }

    /// The raw text from here to the end of the statement; takes all of it.
    fn rest_of_text(&mut self) -> String {
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
        if self.at_sym("-") && self.sym_at(2, "") {
            self.advance();
        }
        let quoted = self.peek() == Tok::Quoted;
        if quoted {
            let key = self.identifier()?;
            if !self.eat_sym("=") {
                return if self.at_end() || self.at_sym(";") {
                    Ok(Command::Set { key: Some(key), value: None, verbose: false })
                } else {
                    Err(self.invalid_set(mark))
                };
            }
            let value = self.conf_value();
            return Ok(Command::Set { key: Some(key), value: Some(value), verbose: false });
        }
        let text = self.rest_of_text();
        let text = text.trim_end_matches(';').trim();
        if text.is_empty() {
            return Ok(Command::Set { key: None, value: None, verbose: false });
        }
        if text == "-v" {
            return Ok(Command::Set { key: None, value: None, verbose: true });
        }
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => (text, None),
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '/' | '\\');
        if key.is_empty() || !key.chars().all(plain) || value.is_some_and(|v| v.contains(';')) {
            return Err(self.invalid_set(mark));
        }
        let value = value.map(|v| v.strip_prefix('`').and_then(|v| v.strip_suffix('`')).unwrap_or(v).to_string());
        Ok(Command::Set { key: Some(key.to_string()), value, verbose: false })
    }

    /// What stands after `key=`: a quoted value, or raw text.
    fn conf_value(&mut self) -> String {
        if self.peek() == Tok::Quoted && matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";")) {
            let token = self.advance();
            return self.name_text(token);
        }
        self.rest_of_text().trim_end_matches(';').trim().to_string()
    }

    fn invalid_set(&self, mark: usize) -> spark::Error {
        self.error(mark, "INVALID_SET_SYNTAX")
            .with_message("SET takes nothing, a key, or key=value; quote what holds other characters")
    }

    /// `RESET [key]`.
    pub fn reset_conf(&mut self) -> Result<Command> {
        self.advance();
        let key = if self.peek() == Tok::Quoted { self.identifier()? } else { self.rest_of_text() };
        let key = key.trim_end_matches(';').trim();
        Ok(Command::Reset { key: (!key.is_empty()).then(|| key.to_string()) })
    }

    /// True at a keyword that begins a form of `SET` of its own.
    pub fn at_set_form(&self, keyword: Kw) -> bool {
        self.at_kw(keyword)
    }
}
