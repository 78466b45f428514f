//! SQL scripts: `BEGIN … END` and the statements that occur only inside.

use spark::script::{Block, Condition, Handler, HandlerTrigger, ScriptNode, ScriptStatement};
use spark::{Error, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;
use crate::statement::Statement;

/// A label and whether it names a loop, which alone can be iterated.
struct Label {
    name: String,
    is_loop: bool,
}

/// The names in scope while a script is read.
#[derive(Default)]
pub struct ScriptScope {
    labels: Vec<Label>,
    unnamed: usize,
    /// Conditions that the blocks around have declared.
    conditions: Vec<String>,
}

/// A declaration of variables.
fn is_declaration(statement: &ScriptStatement) -> bool {
    let ScriptNode::Command(command) = &statement.kind else { return false };
    matches!(**command, spark::command::Command::DeclareVariables { .. })
}

fn no_cursors() -> Error {
    Error::parse("UNSUPPORTED_FEATURE.SQL_CURSOR").with_message("Scripts have no cursors")
}

/// Variables of a script have plain names and are not replaced.
fn check_local(names: &[Vec<String>], replace: bool) -> Result<()> {
    let qualified = names.iter().find(|n| n.len() > 1);
    let (sub, name) = match (qualified, names.first()) {
        (Some(name), _) => ("QUALIFIED_LOCAL_VARIABLE", name),
        (None, Some(name)) if replace => ("REPLACE_LOCAL_VARIABLE", name),
        _ => return Ok(()),
    };
    let shown = crate::error::shown_name(name);
    Err(Error::parse(format!("INVALID_VARIABLE_DECLARATION.{sub}"))
        .param("varName", &shown)
        .with_message(format!("{shown} cannot be declared like this in a script")))
}

/// A handler names no condition and no SQLSTATE twice.
fn check_repeated(triggers: &[HandlerTrigger]) -> Result<()> {
    for (i, trigger) in triggers.iter().enumerate() {
        if !triggers[..i].contains(trigger) {
            continue;
        }
        let (sub, key, shown) = match trigger {
            HandlerTrigger::Condition(name) => ("DUPLICATE_CONDITION_IN_HANDLER_DECLARATION", "condition", name),
            HandlerTrigger::SqlState(state) => ("DUPLICATE_SQLSTATE_IN_HANDLER_DECLARATION", "sqlState", state),
            _ => continue,
        };
        return Err(Error::parse(format!("INVALID_HANDLER_DECLARATION.{sub}"))
            .param(key, shown)
            .with_message(format!("The handler names {shown} twice")));
    }
    Ok(())
}

/// A handler's condition is known, and no other handler of the block has it.
fn check_trigger(trigger: &HandlerTrigger, block: &Block, scope: &ScriptScope) -> Result<()> {
    let taken = block.handlers.iter().any(|h| h.triggers.contains(trigger));
    match trigger {
        HandlerTrigger::Condition(name) => {
            let main = name.split('.').next().unwrap_or(name);
            if !scope.conditions.contains(name) && spark::error::sql_state(main).is_none() {
                return Err(Error::parse("INVALID_HANDLER_DECLARATION.CONDITION_NOT_FOUND")
                    .param("condition", name)
                    .with_message(format!("There is no condition {name}")));
            }
            if taken {
                return Err(Error::parse("DUPLICATE_EXCEPTION_HANDLER.CONDITION")
                    .param("condition", name)
                    .with_message(format!("The block has two handlers for {name}")));
            }
        }
        HandlerTrigger::SqlState(state) if taken => {
            return Err(Error::parse("DUPLICATE_EXCEPTION_HANDLER.SQLSTATE")
                .param("sqlState", state)
                .with_message(format!("The block has two handlers for {state}")));
        }
        _ => {}
    }
    Ok(())
}

impl Parser<'_> {
    /// True if a script begins here.
    pub fn at_script(&self) -> bool {
        self.at_kw(Kw::BEGIN)
    }

    /// A whole script.
    pub fn script(&mut self) -> Result<Block> {
        if !self.options.scripts {
            return Err(Error::parse("UNSUPPORTED_FEATURE.SQL_SCRIPTING")
                .param("sqlScriptingEnabled", "\"spark.sql.scripting.enabled\"")
                .with_message("SQL scripts are switched off"));
        }
        let mut scope = ScriptScope::default();
        self.block(&mut scope, None)
    }

    /// `BEGIN [NOT ATOMIC] … END`, without its labels.
    fn block(&mut self, scope: &mut ScriptScope, label: Option<String>) -> Result<Block> {
        self.expect_kw(Kw::BEGIN)?;
        self.eat_kws(&[Kw::NOT, Kw::ATOMIC]);
        let label = scope.name(label);
        let conditions = scope.conditions.len();
        let body = self.body(scope, &[Kw::END], true)?;
        scope.conditions.truncate(conditions);
        self.expect_kw(Kw::END)?;
        Ok(Block { label, ..body })
    }

    /// Statements up to one of `ends`. Declarations come first, and only directly in a block.
    fn body(&mut self, scope: &mut ScriptScope, ends: &[Kw], is_block: bool) -> Result<Block> {
        let mut block = Block::default();
        while !self.at_body_end(ends) {
            if self.at_end() {
                return Err(self.syntax_error());
            }
            self.nested(|p| p.body_item(scope, &mut block, is_block))?;
            if !self.at_sym(";") && !self.sym_at(1, ";") && self.name_at(0) {
                return Err(self.missing("';'"));
            }
            self.expect_sym(";")?;
        }
        if !is_block && block.statements.is_empty() {
            // Only a block may be empty, so the word that ends this one begins a statement.
            self.advance();
            return Err(self.syntax_error());
        }
        Ok(block)
    }

    fn at_body_end(&self, ends: &[Kw]) -> bool {
        // `END` may be followed by what it ends, so it is always the end.
        self.at_any(ends)
    }

    fn body_item(&mut self, scope: &mut ScriptScope, block: &mut Block, is_block: bool) -> Result<()> {
        let mark = self.mark();
        if !self.at_kw(Kw::DECLARE) {
            let kind = self.script_statement(scope)?;
            block.statements.push(ScriptStatement { origin: self.origin(mark), kind });
            return Ok(());
        }
        if self.at_handler() {
            if !is_block || !block.statements.iter().all(is_declaration) {
                let error = Error::parse("INVALID_HANDLER_DECLARATION.WRONG_PLACE_OF_DECLARATION")
                    .with_message("Handlers are declared before the statements of their block");
                self.deferring(Err(error), ())?;
            }
            let handler = self.handler(scope, block)?;
            block.handlers.push(handler);
            return Ok(());
        }
        if self.keyword_at(2) == Some(Kw::CONDITION) {
            let condition = self.condition(block)?;
            scope.conditions.push(condition.name.clone());
            block.conditions.push(condition);
            return Ok(());
        }
        if self.keyword_at(2) == Some(Kw::CURSOR) || self.keyword_at(3) == Some(Kw::CURSOR) {
            return self.cursor_declaration();
        }
        let command = self.declare()?;
        let spark::command::Command::DeclareVariables { names, replace, .. } = &command else {
            return Err(self.syntax_error());
        };
        let local = check_local(names, *replace);
        self.deferring(local, ())?;
        let first = block.statements.iter().all(is_declaration) && block.handlers.is_empty();
        if !is_block || !first {
            let sub = if is_block { "ONLY_AT_BEGINNING" } else { "NOT_ALLOWED_IN_SCOPE" };
            let shown = names.first().map(|n| crate::error::shown_name(n)).unwrap_or_default();
            let error = Error::parse(format!("INVALID_VARIABLE_DECLARATION.{sub}"))
                .param("varName", &shown)
                .with_message(format!("The variable {shown} is declared at the beginning of a block"));
            self.deferring(Err(error), ())?;
        }
        let kind = ScriptNode::Command(Box::new(command));
        block.statements.push(ScriptStatement { origin: self.origin(mark), kind });
        Ok(())
    }

    fn at_handler(&self) -> bool {
        matches!(self.keyword_at(1), Some(Kw::EXIT | Kw::CONTINUE)) && self.keyword_at(2) == Some(Kw::HANDLER)
    }

    /// `DECLARE name CONDITION [FOR SQLSTATE [VALUE] '…']`.
    fn condition(&mut self, block: &Block) -> Result<Condition> {
        self.advance();
        let name = self.identifier()?.to_uppercase();
        self.expect_kw(Kw::CONDITION)?;
        let mut sql_state = "45000".to_string();
        if self.eat_kw(Kw::FOR) {
            sql_state = self.sql_state()?;
        }
        if block.conditions.iter().any(|c| c.name == name) {
            let error = Error::parse("DUPLICATE_CONDITION_IN_SCOPE")
                .param("condition", spark::types::quote_identifier(&name))
                .with_message(format!("The condition {name} is declared twice"));
            self.deferring(Err(error), ())?;
        }
        Ok(Condition { name, sql_state })
    }

    fn sql_state(&mut self) -> Result<String> {
        self.expect_kw(Kw::SQLSTATE)?;
        self.eat_kw(Kw::VALUE);
        let state = self.string()?.to_uppercase();
        let valid = state.len() == 5 && state.bytes().all(|b| b.is_ascii_alphanumeric()) && !state.starts_with("00");
        if !valid || state.starts_with("01") {
            let error = Error::parse("INVALID_SQLSTATE")
                .param("sqlState", &state)
                .with_message(format!("{state} is no SQLSTATE of an error"));
            self.deferring(Err(error), ())?;
        }
        Ok(state)
    }

    /// `DECLARE EXIT|CONTINUE HANDLER FOR triggers body`.
    fn handler(&mut self, scope: &mut ScriptScope, block: &Block) -> Result<Handler> {
        self.advance();
        let exit = self.eat_any(&[Kw::EXIT, Kw::CONTINUE]) == Some(Kw::EXIT);
        self.expect_kws(&[Kw::HANDLER, Kw::FOR])?;
        let triggers = self.comma_list(Self::handler_trigger)?;
        if !exit {
            let error = Error::parse("UNSUPPORTED_FEATURE.CONTINUE_EXCEPTION_HANDLER")
                .with_message("There are EXIT handlers, not CONTINUE handlers");
            self.deferring(Err(error), ())?;
        }
        let repeated = check_repeated(&triggers);
        self.deferring(repeated, ())?;
        let catches_all = |t: &HandlerTrigger| matches!(t, HandlerTrigger::SqlException | HandlerTrigger::NotFound);
        if triggers.iter().any(catches_all) && !triggers.iter().all(catches_all) {
            let error = Error::parse("INVALID_HANDLER_DECLARATION.INVALID_CONDITION_COMBINATION")
                .with_message("SQLEXCEPTION and NOT FOUND stand alone in a handler");
            self.deferring(Err(error), ())?;
        }
        for trigger in &triggers {
            let checked = check_trigger(trigger, block, scope);
            self.deferring(checked, ())?;
        }
        // A handler does not see the labels around it.
        let conditions = scope.conditions.clone();
        let mut inner = ScriptScope { labels: Vec::new(), unnamed: scope.unnamed, conditions };
        let body = if self.at_kw(Kw::BEGIN) {
            self.block(&mut inner, None)?
        } else {
            let mark = self.mark();
            let kind = self.script_statement(&mut inner)?;
            let statement = ScriptStatement { origin: self.origin(mark), kind };
            Block { label: inner.name(None), statements: vec![statement], ..Default::default() }
        };
        scope.unnamed = inner.unnamed;
        Ok(Handler { exit, triggers, body })
    }

    fn handler_trigger(&mut self) -> Result<HandlerTrigger> {
        if self.eat_kw(Kw::SQLEXCEPTION) {
            return Ok(HandlerTrigger::SqlException);
        }
        if self.eat_kws(&[Kw::NOT, Kw::FOUND]) {
            return Ok(HandlerTrigger::NotFound);
        }
        if self.at_kw(Kw::SQLSTATE) {
            return self.sql_state().map(HandlerTrigger::SqlState);
        }
        Ok(HandlerTrigger::Condition(self.dotted_name()?.join(".").to_uppercase()))
    }

    /// One statement of a script.
    fn script_statement(&mut self, scope: &mut ScriptScope) -> Result<ScriptNode> {
        if self.name_at(0) && self.sym_at(1, ":") && !self.at_kw(Kw::SELECT) {
            return self.labelled(scope);
        }
        match self.keyword_at(0) {
            Some(Kw::BEGIN) => {
                let block = self.block(scope, None)?;
                self.end_label(None)?;
                Ok(ScriptNode::Block(block))
            }
            Some(Kw::IF) => self.if_statement(scope),
            Some(Kw::CASE) => self.case_statement(scope),
            Some(Kw::WHILE | Kw::REPEAT | Kw::LOOP | Kw::FOR) => self.loop_statement(scope, None),
            Some(Kw::LEAVE) => self.jump(scope).map(ScriptNode::Leave),
            Some(Kw::ITERATE) => self.jump(scope).map(ScriptNode::Iterate),
            Some(Kw::SET) => {
                self.advance();
                self.variable_assignments().map(|c| ScriptNode::Command(Box::new(c)))
            }
            Some(Kw::OPEN | Kw::FETCH | Kw::CLOSE) if self.name_at(1) => self.cursor_statement(),
            Some(Kw::DROP)
                if matches!(self.keyword_at(1), Some(Kw::TEMPORARY | Kw::TEMP))
                    && matches!(self.keyword_at(2), Some(Kw::VARIABLE | Kw::VAR)) =>
            {
                Err(Error::parse("UNSUPPORTED_FEATURE.SQL_SCRIPTING_DROP_TEMPORARY_VARIABLE")
                    .with_message("A script does not drop variables"))
            }
            _ => self.plain_statement(),
        }
    }

    /// `DECLARE name [INSENSITIVE|ASENSITIVE] CURSOR FOR query [FOR READ ONLY]`, which Spark reads and refuses.
    fn cursor_declaration(&mut self) -> Result<()> {
        self.advance();
        self.identifier()?;
        self.eat_any(&[Kw::ASENSITIVE, Kw::INSENSITIVE]);
        self.expect_kws(&[Kw::CURSOR, Kw::FOR])?;
        self.query()?;
        if self.eat_kw(Kw::FOR) {
            self.expect_kws(&[Kw::READ, Kw::ONLY])?;
        }
        self.deferring(Err(no_cursors()), ())
    }

    /// `OPEN name [USING …]`, `FETCH [[NEXT] FROM] name INTO variables`, `CLOSE name`, which Spark reads and
    /// refuses.
    fn cursor_statement(&mut self) -> Result<ScriptNode> {
        let keyword = self.keyword_at(0);
        self.advance();
        if keyword == Some(Kw::FETCH) {
            let next = self.at_kws(&[Kw::NEXT, Kw::FROM]) && self.eat_kw(Kw::NEXT);
            if next || (self.at_kw(Kw::FROM) && self.name_at(1)) {
                self.expect_kw(Kw::FROM)?;
            }
        }
        self.dotted_name()?;
        if keyword == Some(Kw::FETCH) {
            self.expect_kw(Kw::INTO)?;
            self.comma_list(Self::object_name)?;
        } else if keyword == Some(Kw::OPEN) && self.eat_kw(Kw::USING) {
            self.comma_list(Self::named_expression)?;
        }
        self.deferring(Err(no_cursors()), ScriptNode::Block(Block::default()))
    }

    /// A statement that could stand outside a script too.
    fn plain_statement(&mut self) -> Result<ScriptNode> {
        let mark = self.mark();
        match self.statement() {
            Ok(Statement::Query(plan)) => Ok(ScriptNode::Query(Box::new(plan))),
            Ok(Statement::Command(command)) => Ok(ScriptNode::Command(Box::new(command))),
            Ok(Statement::Script(block)) => Ok(ScriptNode::Block(block)),
            // A name that begins no statement begins a label: what is wrong is the word after it.
            Err(error) if self.mark() == mark && self.name_at(0) && error.condition() == crate::error::SYNTAX_ERROR => {
                self.advance();
                Err(self.syntax_error())
            }
            Err(error) => Err(error),
        }
    }

    /// `label: BEGIN … END [label]` or a loop.
    fn labelled(&mut self, scope: &mut ScriptScope) -> Result<ScriptNode> {
        let label = self.identifier()?.to_lowercase();
        self.advance();
        if scope.labels.iter().any(|l| l.name == label) {
            let error = Error::parse("LABEL_OR_FOR_VARIABLE_ALREADY_EXISTS")
                .param("label", spark::types::quote_identifier(&label))
                .with_message(format!("The label {label} exists already"));
            self.deferring(Err(error), ())?;
        }
        let is_loop = self.at_any(&[Kw::WHILE, Kw::REPEAT, Kw::LOOP, Kw::FOR]);
        scope.labels.push(Label { name: label.clone(), is_loop });
        let node = if is_loop {
            self.loop_statement(scope, Some(label.clone()))
        } else {
            self.block(scope, Some(label.clone())).and_then(|block| {
                self.end_label(Some(&label))?;
                Ok(ScriptNode::Block(block))
            })
        };
        scope.labels.pop();
        node
    }

    /// The label after an `END`, which repeats the one before the beginning.
    fn end_label(&mut self, label: Option<&str>) -> Result<()> {
        if !self.name_at(0) {
            return Ok(());
        }
        let end = self.identifier()?.to_lowercase();
        let shown = spark::types::quote_identifier(&end);
        let matched = match label {
            Some(label) if label == end => Ok(()),
            Some(label) => Err(Error::parse("LABELS_MISMATCH")
                .param("beginLabel", spark::types::quote_identifier(label))
                .param("endLabel", &shown)
                .with_message(format!("The label {label} is closed as {end}"))),
            None => Err(Error::parse("END_LABEL_WITHOUT_BEGIN_LABEL")
                .param("endLabel", &shown)
                .with_message(format!("The label {end} is closed and was never opened"))),
        };
        self.deferring(matched, ())
    }

    fn if_statement(&mut self, scope: &mut ScriptScope) -> Result<ScriptNode> {
        self.advance();
        let ends = [Kw::ELSEIF, Kw::ELSE, Kw::END];
        let mut branches = Vec::new();
        loop {
            let condition = self.expression()?;
            self.expect_kw(Kw::THEN)?;
            branches.push((condition, self.body(scope, &ends, false)?));
            if !self.eat_kw(Kw::ELSEIF) {
                break;
            }
        }
        let otherwise = self.otherwise(scope)?;
        self.expect_kws(&[Kw::END, Kw::IF])?;
        Ok(ScriptNode::If { branches, otherwise })
    }

    fn otherwise(&mut self, scope: &mut ScriptScope) -> Result<Option<Block>> {
        if self.eat_kw(Kw::ELSE) { self.body(scope, &[Kw::END], false).map(Some) } else { Ok(None) }
    }

    fn case_statement(&mut self, scope: &mut ScriptScope) -> Result<ScriptNode> {
        self.advance();
        let value = if self.at_kw(Kw::WHEN) { None } else { Some(self.expression()?) };
        let mut branches = Vec::new();
        while self.eat_kw(Kw::WHEN) {
            let condition = self.expression()?;
            self.expect_kw(Kw::THEN)?;
            branches.push((condition, self.body(scope, &[Kw::WHEN, Kw::ELSE, Kw::END], false)?));
        }
        let otherwise = self.otherwise(scope)?;
        self.expect_kws(&[Kw::END, Kw::CASE])?;
        Ok(ScriptNode::Case { value, branches, otherwise })
    }

    fn loop_statement(&mut self, scope: &mut ScriptScope, written: Option<String>) -> Result<ScriptNode> {
        let label = scope.name(written.clone());
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        self.advance();
        let node = match keyword {
            Kw::WHILE => {
                let condition = self.expression()?;
                self.expect_kw(Kw::DO)?;
                ScriptNode::While { label, condition, body: self.body(scope, &[Kw::END], false)? }
            }
            Kw::REPEAT => {
                let body = self.body(scope, &[Kw::UNTIL], false)?;
                self.expect_kw(Kw::UNTIL)?;
                ScriptNode::Repeat { label, condition: self.expression()?, body }
            }
            Kw::LOOP => ScriptNode::Loop { label, body: self.body(scope, &[Kw::END], false)? },
            _ => {
                let named = self.name_at(0) && self.keyword_at(1) == Some(Kw::AS) && !self.query_begins(0);
                let mut variable = None;
                if named {
                    variable = Some(self.identifier()?);
                    self.advance();
                }
                let query = self.query()?;
                self.expect_kw(Kw::DO)?;
                ScriptNode::For { label, variable, query, body: self.body(scope, &[Kw::END], false)? }
            }
        };
        self.expect_kws(&[Kw::END, keyword])?;
        self.end_label(written.as_deref())?;
        Ok(node)
    }

    /// `LEAVE label` or `ITERATE label`.
    fn jump(&mut self, scope: &ScriptScope) -> Result<String> {
        let iterate = self.at_kw(Kw::ITERATE);
        let statement = if iterate { "ITERATE" } else { "LEAVE" };
        self.advance();
        let parts = self.dotted_name()?;
        let label = parts.join(".").to_lowercase();
        let refuse = |sub: &str| -> Error {
            let error = Error::parse(format!("INVALID_LABEL_USAGE.{sub}")).param("labelName", label.to_uppercase());
            let error = if sub == "DOES_NOT_EXIST" { error.param("statementType", statement) } else { error };
            error.with_message(format!("{statement} cannot go to the label {label} here"))
        };
        let refused = match scope.labels.iter().find(|l| l.name == label) {
            _ if parts.len() > 1 => Some(refuse("QUALIFIED_LABEL_NAME")),
            None => Some(refuse("DOES_NOT_EXIST")),
            Some(found) if iterate && !found.is_loop => Some(refuse("ITERATE_IN_COMPOUND")),
            Some(_) => None,
        };
        self.deferring(refused.map_or(Ok(()), Err), ())?;
        Ok(label)
    }

    /// True if the script's text ends here.
    pub fn at_statement_end(&self) -> bool {
        matches!(self.peek(), Tok::Eof | Tok::Sym(";"))
    }
}

impl ScriptScope {
    /// The label written, or one made up.
    fn name(&mut self, written: Option<String>) -> String {
        written.unwrap_or_else(|| {
            self.unnamed += 1;
            format!("__unnamed_{}", self.unnamed)
        })
    }
}
