//! `INSERT`, `DELETE`, `UPDATE`, `MERGE`.

use spark::command::{
    Command, Insert, InsertDirectory, InsertMode, Merge, MergeChange, MergeClause, PartitionSpec, Storage,
};
use spark::{Error, Expr, Node, Plan, Result};

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// `WITH … INSERT …` or `FROM … INSERT …`, if that is what follows.
    pub fn insert_behind_ctes(&mut self) -> Result<Option<Command>> {
        let mark = self.mark();
        if self.at_kw(Kw::FROM) {
            return self.inserts_from(mark);
        }
        if !self.at_kw(Kw::WITH) || !self.statement_has_dml() {
            return Ok(None);
        }
        let Some((ctes, recursive)) = self.ctes()? else { return Ok(None) };
        let command = if self.at_kw(Kw::FROM) {
            let from = self.mark();
            self.inserts_from(from)?
        } else if self.at_any(&[Kw::INSERT, Kw::MERGE, Kw::DELETE, Kw::UPDATE]) {
            Some(self.command()?)
        } else {
            None
        };
        let Some(command) = command else {
            self.reset(mark);
            return Ok(None);
        };
        self.check_ctes(mark, &ctes)?;
        Ok(Some(Command::With { ctes, recursive, command: Box::new(command) }))
    }

    /// True if a word that changes rows occurs outside parentheses: only then is `WITH` read ahead.
    fn statement_has_dml(&self) -> bool {
        let (mut depth, mut ahead) = (0isize, 0);
        loop {
            match self.peek_at(ahead) {
                crate::lexer::Tok::Eof => return false,
                crate::lexer::Tok::Sym("(") => depth += 1,
                crate::lexer::Tok::Sym(")") => depth -= 1,
                crate::lexer::Tok::Word(Some(Kw::INSERT | Kw::MERGE | Kw::DELETE | Kw::UPDATE)) if depth == 0 => {
                    return true;
                }
                _ => {}
            }
            ahead += 1;
        }
    }

    /// `FROM … INSERT … SELECT … INSERT … SELECT …`.
    fn inserts_from(&mut self, mark: usize) -> Result<Option<Command>> {
        if !self.statement_has_dml() {
            return Ok(None);
        }
        let from = self.relations_clause()?;
        if !self.at_kw(Kw::INSERT) {
            self.reset(mark);
            return Ok(None);
        }
        let mut inserts = Vec::new();
        while self.at_kw(Kw::INSERT) {
            inserts.push(self.insert_from(Some(&from))?);
        }
        Ok(Some(if inserts.len() == 1 { inserts.remove(0) } else { Command::Sequence(inserts) }))
    }

    /// `INSERT …`.
    pub fn insert(&mut self) -> Result<Command> {
        self.insert_from(None)
    }

    fn insert_from(&mut self, from: Option<&Plan>) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let schema_evolution = self.eat_kws(&[Kw::WITH, Kw::SCHEMA, Kw::EVOLUTION]);
        let overwrite = match self.eat_any(&[Kw::INTO, Kw::OVERWRITE]) {
            Some(keyword) => keyword == Kw::OVERWRITE,
            None => return Err(self.syntax_error()),
        };
        if overwrite && (self.at_kw(Kw::DIRECTORY) || self.at_kws(&[Kw::LOCAL, Kw::DIRECTORY])) {
            return self.insert_directory(from);
        }
        if self.at_kw(Kw::TABLE) && self.name_at(1) {
            self.advance();
        }
        let mut insert = Insert {
            table: self.object_name()?,
            options: if self.at_kw(Kw::WITH) && self.sym_at(1, "(") {
                self.advance();
                self.properties()?
            } else {
                Vec::new()
            },
            columns: Vec::new(),
            by_name: false,
            partition: Vec::new(),
            if_partition_not_exists: false,
            mode: if overwrite { InsertMode::Overwrite } else { InsertMode::Append },
            schema_evolution,
            query: Node::OneRow.into(),
            origin: None,
        };
        self.insert_clauses(mark, &mut insert)?;
        insert.origin = Some(self.origin(mark));
        let dynamic = insert.partition.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str());
        let dynamic: Vec<&str> = dynamic.collect();
        if insert.if_partition_not_exists && !dynamic.is_empty() {
            let message = format!("IF NOT EXISTS with dynamic partitions: {}", dynamic.join(", "));
            self.later(crate::error::not_allowed(message));
        }
        if insert.if_partition_not_exists && !overwrite {
            let refused = crate::error::refusal("INSERT INTO ... IF NOT EXISTS");
            self.later(refused.at(Some(&self.origin(mark))));
        }
        insert.query = self.insert_source(from)?;
        Ok(Command::Insert(Box::new(insert)))
    }

    /// What stands between the table and the rows.
    fn insert_clauses(&mut self, mark: usize, insert: &mut Insert) -> Result<()> {
        if self.eat_kw(Kw::REPLACE) {
            let word = self.mark();
            let read = self.insert_replace(mark, insert).and_then(|()| match self.query_begins(0) {
                true => Ok(()),
                false => Err(self.syntax_error()),
            });
            return self.or_stumble(read, word);
        }
        insert.partition = self.optional_partition()?;
        insert.if_partition_not_exists = self.if_not_exists();
        if self.eat_kws(&[Kw::BY, Kw::NAME]) {
            insert.by_name = true;
        } else if self.at_sym("(") && !self.query_begins(0) {
            insert.columns = self.identifier_list()?;
        }
        if self.at_kw(Kw::REPLACE) && matches!(self.keyword_at(1), Some(Kw::WHERE | Kw::ON | Kw::USING)) {
            self.advance();
            self.insert_replace(mark, insert)?;
        }
        Ok(())
    }

    /// What follows `REPLACE`.
    fn insert_replace(&mut self, mark: usize, insert: &mut Insert) -> Result<()> {
        insert.mode = if self.eat_kw(Kw::USING) {
            InsertMode::ReplaceUsing(self.identifier_list()?)
        } else if self.eat_kw(Kw::ON) {
            InsertMode::ReplaceOn(self.expression()?)
        } else {
            self.expect_kw(Kw::WHERE)?;
            InsertMode::ReplaceWhere(self.expression()?)
        };
        self.check_replace(mark, &insert.mode)
    }

    /// Refuses `REPLACE ON` and `REPLACE USING` where they are switched off.
    fn check_replace(&self, mark: usize, mode: &InsertMode) -> Result<()> {
        let condition = match mode {
            InsertMode::ReplaceOn(_) if !self.options.replace_on => "INSERT_REPLACE_ON_NOT_ENABLED",
            InsertMode::ReplaceUsing(_) if !self.options.replace_using => "INSERT_REPLACE_USING_NOT_ENABLED",
            _ => return Ok(()),
        };
        Err(self.error(mark, condition).with_message("This form of INSERT is switched off"))
    }

    /// The rows: a query, or one over a relation written before.
    fn insert_source(&mut self, from: Option<&Plan>) -> Result<Plan> {
        let Some(from) = from else { return self.query() };
        let mark = self.mark();
        let plan = self.select_over(from.clone(), mark)?;
        self.query_organization(plan)
    }

    /// `[LOCAL] DIRECTORY ['path'] USING format [OPTIONS (…)] query`.
    fn insert_directory(&mut self, from: Option<&Plan>) -> Result<Command> {
        let mark = self.mark() - 2;
        let local = self.eat_kw(Kw::LOCAL);
        self.advance();
        let path = if self.at_string() { Some(self.string()?) } else { None };
        let (mut provider, mut options, mut storage) = (None, Vec::new(), None);
        if self.eat_kw(Kw::USING) {
            provider = Some(self.object_name()?.join("."));
            if self.eat_kw(Kw::OPTIONS) {
                options = self.properties()?;
            }
        }
        while self.at_any(&[Kw::STORED, Kw::ROW]) {
            self.storage_clause(storage.get_or_insert_with(Storage::default))?;
        }
        if path.is_none() && !options.iter().any(|(key, _)| key.eq_ignore_ascii_case("path")) {
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0049")
                .with_message("INSERT OVERWRITE DIRECTORY needs a path, or an option that gives it"));
        }
        let query = self.insert_source(from)?;
        Ok(Command::InsertDirectory(Box::new(InsertDirectory { local, path, provider, options, storage, query })))
    }

    /// `PARTITION (a = 1, b)`, if it is next.
    pub fn optional_partition(&mut self) -> Result<PartitionSpec> {
        if !self.at_kw_sym(Kw::PARTITION, "(") {
            return Ok(Vec::new());
        }
        let mark = self.mark();
        self.advance();
        let spec = self.paren_list(|p| {
            let name = p.identifier()?;
            if p.eat_sym("=") || p.eat_sym("==") {
                return Ok((name, Some(p.partition_value()?)));
            }
            // Comparisons are for dropping partitions, which Spark refuses too.
            Ok((name, None))
        })?;
        for (i, (name, _)) in spec.iter().enumerate() {
            if spec[..i].iter().any(|(other, _)| other == name) {
                return Err(self
                    .error(mark, "DUPLICATE_KEY")
                    .param("keyColumn", spark::types::quote_identifier(name))
                    .with_message(format!("The partition key {name} is written twice")));
            }
        }
        Ok(spec)
    }

    /// `PARTITION (a = 1)`, where every column needs a value.
    pub fn full_partition(&mut self) -> Result<PartitionSpec> {
        let mark = self.mark();
        let spec = self.optional_partition()?;
        if let Some(error) = empty_partition_value(&spec) {
            self.later(error.at(Some(&self.origin(mark))));
        }
        Ok(spec)
    }

    fn partition_value(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let value = self.value_or_default()?;
        let is_constant = |e: &Expr| matches!(e.unpositioned(), Expr::Literal(_) | Expr::Default | Expr::Parameter(_));
        let negated = match value.unpositioned() {
            Expr::Function(f) if f.is_operator && f.name == ["negative"] => f.args.iter().all(is_constant),
            _ => false,
        };
        if negated || is_constant(&value) || self.mark() <= mark + 1 {
            return Ok(value);
        }
        self.reset(mark + 1);
        Err(self.syntax_error())
    }

    /// A table that rows are changed in, with its alias.
    fn target_table(&mut self, statement: &str) -> Result<Plan> {
        let mark = self.mark();
        let name = self.object_name()?;
        let node = Node::Table { name, options: Vec::new(), is_streaming: false, time_travel: None };
        let plan = self.located(mark, node);
        let Some((alias, columns)) = self.table_alias()? else { return Ok(plan) };
        if !columns.is_empty() {
            self.later(
                Error::parse("COLUMN_ALIASES_NOT_ALLOWED")
                    .param("op", statement)
                    .with_message(format!("The table of {statement} takes no column aliases")),
            );
        }
        Ok(self.located(mark, Node::SubqueryAlias { input: Box::new(plan), alias: vec![alias], columns }))
    }

    fn where_condition(&mut self) -> Result<Option<Expr>> {
        if self.eat_kw(Kw::WHERE) { self.expression().map(Some) } else { Ok(None) }
    }

    /// `DELETE FROM t [WHERE …]`.
    pub fn delete(&mut self) -> Result<Command> {
        self.expect_kws(&[Kw::DELETE, Kw::FROM])?;
        let table = self.target_table("DELETE")?;
        Ok(Command::Delete { table, condition: self.where_condition()? })
    }

    /// `UPDATE t SET a = 1 [WHERE …]`.
    pub fn update(&mut self) -> Result<Command> {
        self.expect_kw(Kw::UPDATE)?;
        let table = self.target_table("UPDATE")?;
        self.expect_kw(Kw::SET)?;
        let assignments = self.comma_list(Self::assignment)?;
        Ok(Command::Update { table, assignments, condition: self.where_condition()? })
    }

    /// `column = value`.
    fn assignment(&mut self) -> Result<(Expr, Expr)> {
        let mark = self.mark();
        let parts = self.dotted_name()?;
        let column = self.at(mark, Expr::attribute(parts));
        if !self.eat_sym("=") && !self.eat_sym("==") {
            return Err(self.syntax_error());
        }
        Ok((column, self.value_or_default()?))
    }

    /// `MERGE INTO t USING s ON … WHEN …`.
    pub fn merge(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let schema_evolution = self.eat_kws(&[Kw::WITH, Kw::SCHEMA, Kw::EVOLUTION]);
        self.expect_kw(Kw::INTO)?;
        let target = self.target_table("MERGE")?;
        self.expect_kw(Kw::USING)?;
        let source = if self.at_sym("(") {
            let at = self.mark();
            let plan = self.query_in_parens()?;
            self.aliased(at, plan)?
        } else {
            self.relation_primary()?
        };
        self.expect_kw(Kw::ON)?;
        let condition = self.expression()?;
        let mut merge = Merge {
            target,
            source,
            condition,
            matched: Vec::new(),
            not_matched: Vec::new(),
            not_matched_by_source: Vec::new(),
            schema_evolution,
        };
        while self.at_kw(Kw::WHEN) {
            self.merge_clause(&mut merge)?;
        }
        if merge.matched.is_empty() && merge.not_matched.is_empty() && merge.not_matched_by_source.is_empty() {
            if !self.at_statement_end() {
                return Err(self.syntax_error());
            }
            return Err(self.error(mark, "MERGE_WITHOUT_WHEN").with_message("MERGE needs at least one WHEN clause"));
        }
        self.check_merge_order(mark, &merge)?;
        Ok(Command::Merge(Box::new(merge)))
    }

    /// Only the last clause of a kind may do without a condition.
    fn check_merge_order(&self, mark: usize, merge: &Merge) -> Result<()> {
        let kinds = [
            (&merge.matched, "NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION"),
            (&merge.not_matched, "NON_LAST_NOT_MATCHED_BY_TARGET_CLAUSE_OMIT_CONDITION"),
            (&merge.not_matched_by_source, "NON_LAST_NOT_MATCHED_BY_SOURCE_CLAUSE_OMIT_CONDITION"),
        ];
        for (clauses, condition) in kinds {
            let Some((_, before)) = clauses.split_last() else { continue };
            if before.iter().any(|clause| clause.condition.is_none()) {
                return Err(self
                    .error(mark, condition)
                    .with_message("Of the WHEN clauses of one kind only the last does without a condition"));
            }
        }
        Ok(())
    }

    fn merge_clause(&mut self, merge: &mut Merge) -> Result<()> {
        self.expect_kw(Kw::WHEN)?;
        let matched = !self.eat_kw(Kw::NOT);
        self.expect_kw(Kw::MATCHED)?;
        let by_source = !matched && self.eat_kws(&[Kw::BY, Kw::SOURCE]);
        if !matched && !by_source {
            self.eat_kws(&[Kw::BY, Kw::TARGET]);
        }
        let condition = if self.eat_kw(Kw::AND) { Some(self.expression()?) } else { None };
        self.expect_kw(Kw::THEN)?;
        let action = if matched || by_source { self.merge_change()? } else { self.merge_insert()? };
        let clause = MergeClause { condition, action };
        match (matched, by_source) {
            (true, _) => merge.matched.push(clause),
            (false, true) => merge.not_matched_by_source.push(clause),
            (false, false) => merge.not_matched.push(clause),
        }
        Ok(())
    }

    fn merge_change(&mut self) -> Result<MergeChange> {
        if self.eat_kw(Kw::DELETE) {
            return Ok(MergeChange::Delete);
        }
        self.expect_kws(&[Kw::UPDATE, Kw::SET])?;
        if self.eat_sym("*") {
            return Ok(MergeChange::UpdateAll);
        }
        self.comma_list(Self::assignment).map(MergeChange::Update)
    }

    fn merge_insert(&mut self) -> Result<MergeChange> {
        self.expect_kw(Kw::INSERT)?;
        if self.eat_sym("*") {
            return Ok(MergeChange::InsertAll);
        }
        let columns = self.paren_list(|p| {
            let at = p.mark();
            let parts = p.dotted_name()?;
            Ok(p.at(at, Expr::attribute(parts)))
        })?;
        self.expect_kw(Kw::VALUES)?;
        let values = self.paren_list(Self::value_or_default)?;
        if columns.len() != values.len() {
            self.later(
                Error::parse("MERGE_INSERT_VALUE_COUNT_MISMATCH")
                    .param("expectedCount", columns.len().to_string())
                    .param("actualCount", values.len().to_string())
                    .with_message("INSERT lists as many columns as values"),
            );
        }
        Ok(MergeChange::Insert(columns.into_iter().zip(values).collect()))
    }
}

/// The error about a partition column without a value, if there is one.
pub fn empty_partition_value(spec: &PartitionSpec) -> Option<Error> {
    let (key, _) = spec.iter().find(|(_, value)| value.is_none())?;
    Some(
        Error::parse("INVALID_SQL_SYNTAX.EMPTY_PARTITION_VALUE")
            .param("partKey", spark::types::quote_identifier(key))
            .with_message(format!("The partition key {key} needs a value")),
    )
}
