//! `CREATE`, `DROP`, `USE` and the clauses they share.

use spark::command::Command;
use spark::plan::Options;
use spark::Result;

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// `CREATE …`.
    pub fn create(&mut self) -> Result<Command> {
        self.advance();
        let replace = self.eat_kws(&[Kw::OR, Kw::REPLACE]);
        let global = self.eat_kw(Kw::GLOBAL);
        let temporary = self.eat_any(&[Kw::TEMPORARY, Kw::TEMP]).is_some();
        if self.eat_kw(Kw::VIEW) {
            return self.create_view(replace, global, temporary);
        }
        Err(self.syntax_error())
    }

    /// `DROP …`.
    pub fn drop_statement(&mut self) -> Result<Command> {
        self.advance();
        if self.eat_kw(Kw::VIEW) {
            let if_exists = self.if_exists();
            return Ok(Command::DropView { name: self.object_name()?, if_exists });
        }
        self.expect_kw(Kw::TABLE)?;
        let if_exists = self.if_exists();
        let name = self.object_name()?;
        Ok(Command::DropTable { name, if_exists, purge: self.eat_kw(Kw::PURGE) })
    }

    pub fn if_exists(&mut self) -> bool {
        self.eat_kws(&[Kw::IF, Kw::EXISTS])
    }

    /// `USE [NAMESPACE] name`.
    pub fn use_statement(&mut self) -> Result<Command> {
        self.advance();
        let spelled = self.at_any(&[Kw::NAMESPACE, Kw::DATABASE, Kw::SCHEMA]) && self.name_at(1);
        if spelled {
            self.advance();
            return Ok(Command::UseNamespace { name: self.object_name()? });
        }
        Ok(Command::Use { name: self.object_name()? })
    }

    /// `('k' = 'v', k v, k)`.
    pub fn properties(&mut self) -> Result<Options> {
        self.paren_list(|p| {
            let key = p.property_key()?;
            p.eat_sym("=");
            Ok((key, p.property_value()?))
        })
    }

    /// A property's key: a string, or words with dots.
    pub fn property_key(&mut self) -> Result<String> {
        if self.at_string() {
            return self.single_string();
        }
        Ok(self.dotted_name()?.join("."))
    }

    /// A property's value as text; empty if there is none.
    fn property_value(&mut self) -> Result<String> {
        if self.at_string() {
            return self.string();
        }
        if self.at_sym(",") || self.at_sym(")") {
            return Ok(String::new());
        }
        let negative = self.eat_sym("-");
        match self.peek() {
            Tok::Word(Some(Kw::TRUE | Kw::FALSE)) => {
                let token = self.advance();
                Ok(self.text_of(token).to_lowercase())
            }
            _ if self.number_at(0) => {
                let token = self.advance();
                Ok(format!("{}{}", if negative { "-" } else { "" }, self.text_of(token)))
            }
            _ => Err(self.syntax_error()),
        }
    }
}
