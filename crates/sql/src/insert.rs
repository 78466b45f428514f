//! `INSERT`.

use spark::command::{Command, Insert, InsertMode, PartitionSpec};
use spark::Result;

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// `WITH … INSERT …` or `FROM … INSERT …`, if that is what follows.
    pub fn insert_behind_ctes(&mut self) -> Result<Option<Command>> {
        if !self.at_kw(Kw::WITH) {
            return Ok(None);
        }
        let mark = self.mark();
        let Some((ctes, recursive)) = self.ctes()? else { return Ok(None) };
        if !self.at_any(&[Kw::INSERT, Kw::MERGE, Kw::DELETE, Kw::UPDATE]) {
            self.reset(mark);
            return Ok(None);
        }
        let command = Box::new(self.command()?);
        Ok(Some(Command::With { ctes, recursive, command }))
    }

    /// `INSERT INTO|OVERWRITE [TABLE] t …`.
    pub fn insert(&mut self) -> Result<Command> {
        self.advance();
        let schema_evolution = self.eat_kws(&[Kw::WITH, Kw::SCHEMA, Kw::EVOLUTION]);
        let overwrite = match self.eat_any(&[Kw::INTO, Kw::OVERWRITE]) {
            Some(keyword) => keyword == Kw::OVERWRITE,
            None => return Err(self.syntax_error()),
        };
        self.eat_kw(Kw::TABLE);
        let table = self.object_name()?;
        let partition = self.optional_partition()?;
        let if_partition_not_exists = self.eat_kws(&[Kw::IF, Kw::NOT, Kw::EXISTS]);
        let by_name = self.eat_kws(&[Kw::BY, Kw::NAME]);
        let columns = if self.at_sym("(") && !self.query_begins(0) { self.identifier_list()? } else { Vec::new() };
        let mode = if overwrite { InsertMode::Overwrite } else { InsertMode::Append };
        let query = self.query()?;
        Ok(Command::Insert(Box::new(Insert {
            table,
            options: Vec::new(),
            columns,
            by_name,
            partition,
            if_partition_not_exists,
            mode,
            schema_evolution,
            query,
        })))
    }

    /// `PARTITION (a = 1, b)`, if it is next.
    pub fn optional_partition(&mut self) -> Result<PartitionSpec> {
        if !(self.at_kw(Kw::PARTITION) && self.sym_at(1, "(")) {
            return Ok(Vec::new());
        }
        self.advance();
        self.paren_list(|p| {
            let name = p.identifier()?;
            let value = if p.eat_sym("=") || p.eat_sym("==") { Some(p.primary()?) } else { None };
            Ok((name, value))
        })
    }
}
