//! Statements: which kind the first words begin.

use spark::command::{Command, CreateView};
use spark::script::Block;
use spark::{Plan, Result};

use crate::keywords::Kw;
use crate::parser::Parser;

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    Query(Plan),
    Command(Command),
    Script(Block),
}

impl Parser<'_> {
    /// A statement without its end.
    pub fn statement(&mut self) -> Result<Statement> {
        if self.at_query() {
            return self.query_or_insert();
        }
        self.command().map(Statement::Command)
    }

    /// True if a query begins here.
    fn at_query(&self) -> bool {
        self.query_begins(0) || self.at_any(&[Kw::SELECT, Kw::FROM, Kw::VALUES, Kw::WITH])
    }

    /// A query, or an insert that begins like one.
    fn query_or_insert(&mut self) -> Result<Statement> {
        if let Some(command) = self.insert_behind_ctes()? {
            return Ok(Statement::Command(command));
        }
        self.query().map(Statement::Query)
    }

    /// A statement that is no query.
    pub fn command(&mut self) -> Result<Command> {
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        match keyword {
            Kw::CREATE => self.create(),
            Kw::INSERT => self.insert(),
            Kw::SET => self.set(),
            Kw::RESET => self.reset_conf(),
            Kw::SHOW => self.show(),
            Kw::DESC | Kw::DESCRIBE => self.describe(),
            Kw::EXPLAIN => self.explain(),
            Kw::DROP => self.drop_statement(),
            Kw::USE => self.use_statement(),
            _ => Err(self.syntax_error()),
        }
    }

    /// `EXPLAIN [mode] statement`.
    fn explain(&mut self) -> Result<Command> {
        self.advance();
        let modes = [Kw::LOGICAL, Kw::FORMATTED, Kw::EXTENDED, Kw::CODEGEN, Kw::COST];
        let mark = self.mark();
        let mode = match self.eat_any(&modes) {
            Some(Kw::LOGICAL) => {
                return Err(self
                    .error(mark, "_LEGACY_ERROR_TEMP_0035")
                    .param("message", "EXPLAIN LOGICAL")
                    .with_message("EXPLAIN has no mode LOGICAL"));
            }
            Some(keyword) => keyword.text().to_string(),
            None => "SIMPLE".to_string(),
        };
        Ok(match self.statement()? {
            Statement::Query(plan) => Command::Explain { mode, plan: Box::new(plan) },
            Statement::Command(command) => Command::ExplainCommand { mode, command: Box::new(command) },
            Statement::Script(_) => return Err(self.syntax_error()),
        })
    }

    /// `CREATE [OR REPLACE] [[GLOBAL] TEMPORARY] VIEW …` behind those words.
    pub fn create_view(&mut self, replace: bool, global: bool, temporary: bool) -> Result<Command> {
        let if_not_exists = self.eat_kws(&[Kw::IF, Kw::NOT, Kw::EXISTS]);
        let name = self.object_name()?;
        let columns = if self.at_sym("(") { self.paren_list(Self::view_column)? } else { Vec::new() };
        let mut view = CreateView {
            name,
            columns,
            comment: None,
            properties: Vec::new(),
            plan: spark::Node::OneRow.into(),
            text: None,
            temporary,
            global,
            replace,
            if_not_exists,
        };
        self.view_clauses(&mut view)?;
        self.expect_kw(Kw::AS)?;
        let start = self.mark();
        view.plan = self.query()?;
        view.text = Some(self.source_since(start).to_string());
        Ok(Command::CreateView(view))
    }

    fn view_column(&mut self) -> Result<(String, Option<String>)> {
        let name = self.identifier()?;
        let comment = if self.eat_kw(Kw::COMMENT) { Some(self.string()?) } else { None };
        Ok((name, comment))
    }

    fn view_clauses(&mut self, view: &mut CreateView) -> Result<()> {
        loop {
            if self.eat_kw(Kw::COMMENT) {
                view.comment = Some(self.string()?);
            } else if self.eat_kw(Kw::TBLPROPERTIES) {
                view.properties = self.properties()?;
            } else if self.eat_kws(&[Kw::WITH, Kw::SCHEMA]) {
                self.advance();
                self.eat_kw(Kw::EVOLUTION);
            } else if self.eat_kws(&[Kw::DEFAULT, Kw::COLLATION]) {
                let name = self.identifier()?;
                view.properties.push(("collation".into(), name));
            } else {
                return Ok(());
            }
        }
    }
}
