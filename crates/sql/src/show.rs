//! `SHOW` and `DESCRIBE`.

use spark::command::{Command, Describe, Show};
use spark::Result;

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// `SHOW …`.
    pub fn show(&mut self) -> Result<Command> {
        self.advance();
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        self.advance();
        let show = match keyword {
            Kw::TABLES => {
                let namespace = self.from_namespace()?;
                Show::Tables { namespace, pattern: self.like_pattern()? }
            }
            Kw::VIEWS => {
                let namespace = self.from_namespace()?;
                Show::Views { namespace, pattern: self.like_pattern()? }
            }
            Kw::DATABASES | Kw::SCHEMAS | Kw::NAMESPACES => {
                let parent = self.from_namespace()?;
                Show::Namespaces { parent, pattern: self.like_pattern()? }
            }
            _ => return Err(self.syntax_error()),
        };
        Ok(Command::Show(show))
    }

    /// `[FROM|IN] namespace`.
    pub fn from_namespace(&mut self) -> Result<Option<Vec<String>>> {
        if self.eat_any(&[Kw::FROM, Kw::IN]).is_some() { self.object_name().map(Some) } else { Ok(None) }
    }

    /// `[LIKE] 'pattern'`.
    pub fn like_pattern(&mut self) -> Result<Option<String>> {
        if self.eat_kw(Kw::LIKE) || self.at_string() { self.string().map(Some) } else { Ok(None) }
    }

    /// `DESCRIBE …`.
    pub fn describe(&mut self) -> Result<Command> {
        self.advance();
        if self.query_begins(0) {
            return Ok(Command::Describe(Describe::Query(Box::new(self.query()?))));
        }
        self.eat_kw(Kw::TABLE);
        let extended = self.eat_any(&[Kw::EXTENDED, Kw::FORMATTED]).is_some();
        let name = self.object_name()?;
        Ok(Command::Describe(Describe::Table { name, partition: vec![], extended, as_json: false }))
    }
}
