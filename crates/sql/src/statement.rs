//! Statements: which kind the first words begin.

use spark::command::{Command, CreateView};

use crate::metric_view::MetricClauses;
use spark::script::Block;
use spark::{Error, Plan, Result};

use crate::error::refusal;
use crate::keywords::Kw;
use crate::parser::Parser;

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // One value a statement, taken apart at once.
pub enum Statement {
    Query(Plan),
    Command(Command),
    Script(Block),
}

impl Parser<'_> {
    /// A statement without its end.
    pub fn statement(&mut self) -> Result<Statement> {
        if self.at_script() {
            return self.script().map(Statement::Script);
        }
        if self.at_query() {
            return self.query_or_insert();
        }
        self.command().map(Statement::Command)
    }

    /// True if a query begins here.
    fn at_query(&self) -> bool {
        self.query_begins(0)
            || self.at_any(&[Kw::SELECT, Kw::FROM, Kw::VALUES, Kw::WITH, Kw::TABLE])
            || self.at_sym("(")
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
        let mark = self.mark();
        let command = self.command_body(mark)?;
        match self.take_late(mark) {
            Some(error) => self.deferring(Err(error), command),
            None => Ok(command),
        }
    }

    fn command_body(&mut self, mark: usize) -> Result<Command> {
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        match keyword {
            Kw::CREATE => self.create(),
            Kw::REPLACE => self.replace_table(),
            Kw::ALTER => self.alter(),
            Kw::DROP => self.drop_statement(),
            Kw::INSERT => self.insert(),
            Kw::DELETE => self.delete(),
            Kw::UPDATE => self.update(),
            Kw::MERGE => self.merge(),
            Kw::SET => self.set(),
            Kw::RESET => self.reset_conf(),
            Kw::DECLARE => self.declare(),
            Kw::EXECUTE => self.execute_immediate(),
            Kw::SHOW => self.show(),
            Kw::DESC | Kw::DESCRIBE => self.describe(),
            Kw::EXPLAIN => self.explain(),
            Kw::USE => self.use_statement(),
            Kw::COMMENT => self.comment_on(),
            Kw::CACHE => self.cache(),
            Kw::UNCACHE => self.uncache(),
            Kw::CLEAR => self.expect_kws(&[Kw::CLEAR, Kw::CACHE]).map(|()| Command::ClearCache),
            Kw::REFRESH => self.refresh(),
            Kw::TRUNCATE => self.truncate(),
            Kw::ANALYZE => self.analyze(),
            Kw::MSCK | Kw::REPAIR => self.repair(),
            Kw::LOAD => self.load_data(),
            Kw::ADD | Kw::LIST => self.resource(),
            Kw::CALL => self.call_procedure(),
            Kw::GRANT | Kw::REVOKE => Err(self.refused(mark, keyword.text())),
            Kw::EXPORT | Kw::IMPORT | Kw::LOCK | Kw::UNLOCK | Kw::START | Kw::COMMIT | Kw::ROLLBACK | Kw::DFS => {
                Err(self.native_command(mark))
            }
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
                self.statement()?;
                return Err(self
                    .error(mark.saturating_sub(1), "INVALID_STATEMENT_OR_CLAUSE")
                    .param("operation", "EXPLAIN LOGICAL")
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

    /// `CREATE [OR REPLACE] [[GLOBAL] TEMPORARY] VIEW` behind those words.
    pub fn create_view(&mut self, mark: usize, replace: bool, global: bool, temporary: bool) -> Result<Command> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        let typed = self.at_sym("(") && self.name_at(1) && self.name_at(2) && self.keyword_at(2) != Some(Kw::COMMENT);
        if temporary && (typed || self.at_kw(Kw::USING)) {
            return self.temp_view_using(name, replace, global);
        }
        let columns = if self.at_sym("(") { self.paren_list(Self::view_column)? } else { Vec::new() };
        let mut view = CreateView {
            name,
            columns,
            comment: None,
            properties: Vec::new(),
            plan: spark::Node::OneRow.into(),
            text: None,
            metric_view: None,
            collation: None,
            schema_mode: None,
            temporary,
            global,
            replace,
            if_not_exists,
        };
        let metrics = self.view_clauses(&mut view)?;
        self.expect_kw(Kw::AS)?;
        if metrics.is_named() {
            self.metric_view(mark, &mut view, metrics)?;
            return Ok(Command::CreateView(view));
        }
        let start = self.mark();
        view.plan = self.query()?;
        view.text = Some(self.source_since(start).to_string());
        self.check_view(mark, &view)?;
        Ok(Command::CreateView(view))
    }

    /// Combinations of words that contradict each other.
    fn check_view(&self, mark: usize, view: &CreateView) -> Result<()> {
        let Some((_, qualifier)) = view.name.split_last() else { return Ok(()) };
        if view.if_not_exists && view.temporary {
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0053")
                .with_message("A temporary view has no IF NOT EXISTS"));
        }
        if view.if_not_exists && view.replace {
            return Err(self
                .error(mark, "CREATE_VIEW_WITH_IF_NOT_EXISTS_AND_REPLACE")
                .param("viewName", view.name.join("."))
                .with_message("OR REPLACE and IF NOT EXISTS do not go together"));
        }
        let session = matches!(qualifier, [a] if a.eq_ignore_ascii_case("session"))
            || matches!(qualifier, [a, b] if a.eq_ignore_ascii_case("system") && b.eq_ignore_ascii_case("session"));
        if view.temporary && !view.global && !qualifier.is_empty() && !session {
            return Err(crate::error::qualified_temporary("VIEW", &view.name).at(Some(&self.origin(mark))));
        }
        Ok(())
    }

    /// `name [(columns)] USING format [OPTIONS (…)]`.
    fn temp_view_using(&mut self, name: Vec<String>, replace: bool, global: bool) -> Result<Command> {
        let mut schema = None;
        if self.eat_sym("(") {
            schema = Some(self.table_schema()?);
            self.expect_sym(")")?;
        }
        self.expect_kw(Kw::USING)?;
        let provider = self.object_name()?.join(".");
        let options = if self.eat_kw(Kw::OPTIONS) { self.properties()? } else { Vec::new() };
        Ok(Command::CreateTempViewUsing { name, schema, global, replace, provider, options })
    }

    fn view_column(&mut self) -> Result<(String, Option<String>)> {
        let name = self.identifier()?;
        let comment = if self.eat_kw(Kw::COMMENT) { Some(self.string()?) } else { None };
        Ok((name, comment))
    }

    fn view_clauses(&mut self, view: &mut CreateView) -> Result<MetricClauses> {
        let mut metrics = MetricClauses::default();
        loop {
            if !view.temporary && self.at_kws(&[Kw::WITH, Kw::METRICS]) {
                self.once("WITH METRICS", metrics.with_metrics);
                self.expect_kws(&[Kw::WITH, Kw::METRICS])?;
                metrics.with_metrics = true;
            } else if !view.temporary && self.at_kw(Kw::LANGUAGE) {
                self.once("LANGUAGE", metrics.language.is_some());
                self.advance();
                metrics.language = Some(self.identifier()?);
            } else if self.at_kw(Kw::COMMENT) {
                self.once("COMMENT", view.comment.is_some());
                self.advance();
                view.comment = Some(self.string()?);
            } else if self.at_kw(Kw::TBLPROPERTIES) {
                self.once("TBLPROPERTIES", !view.properties.is_empty());
                self.advance();
                view.properties = self.properties()?;
            } else if self.eat_kws(&[Kw::WITH, Kw::SCHEMA]) {
                let mode = self.schema_binding()?;
                if view.temporary {
                    self.later(
                        Error::parse("UNSUPPORTED_FEATURE.TEMPORARY_VIEW_WITH_SCHEMA_BINDING_MODE")
                            .with_message("A temporary view has no WITH SCHEMA"),
                    );
                }
                view.schema_mode = Some(mode);
            } else if self.eat_kws(&[Kw::PARTITIONED, Kw::ON]) {
                self.identifier_list()?;
                self.later(refusal("CREATE VIEW ... PARTITIONED ON"));
            } else if self.eat_kws(&[Kw::DEFAULT, Kw::COLLATION]) {
                let name = self.object_name()?.join(".");
                view.collation = Some(name);
            } else {
                return Ok(metrics);
            }
        }
    }
}
