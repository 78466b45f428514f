//! `CREATE`, `DROP`, `ALTER`: what kind of object, and namespaces.

use spark::Result;
use spark::command::{AlterTableAction, Command};
use spark::plan::Options;

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

const NAMESPACE: [Kw; 3] = [Kw::NAMESPACE, Kw::DATABASE, Kw::SCHEMA];

impl Parser<'_> {
    /// `CREATE …`.
    pub fn create(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        if self.at_any(&NAMESPACE) {
            return self.create_namespace();
        }
        let replace = self.eat_kws(&[Kw::OR, Kw::REPLACE]);
        let global = self.eat_kw(Kw::GLOBAL);
        let temporary = self.eat_any(&[Kw::TEMPORARY, Kw::TEMP]).is_some();
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        if (global && !temporary) || (replace && temporary && keyword == Kw::TABLE) {
            return Err(self.syntax_error());
        }
        match keyword {
            Kw::VIEW => {
                self.advance();
                self.create_view(mark, replace, global, temporary)
            }
            Kw::FUNCTION => {
                self.advance();
                self.create_function(mark, replace, temporary)
            }
            Kw::TABLE | Kw::EXTERNAL => self.create_table(mark, replace, temporary),
            Kw::MACRO if temporary => Err(self.refused(mark, "CREATE TEMPORARY MACRO")),
            Kw::INDEX | Kw::ROLE => Err(self.native_command(mark)),
            Kw::MATERIALIZED | Kw::STREAMING if replace => Err(self.syntax_error()),
            Kw::MATERIALIZED | Kw::STREAMING => self.pipeline_dataset(),
            Kw::FLOW => Err(self.native_command(mark)),
            _ => Err(self.syntax_error()),
        }
    }

    /// A statement or clause that Spark knows and refuses, by its words.
    pub fn refused(&mut self, mark: usize, operation: &str) -> spark::Error {
        while !self.at_statement_end() {
            self.advance();
        }
        self.error(mark, "INVALID_STATEMENT_OR_CLAUSE")
            .param("operation", operation)
            .with_message(format!("{operation} is not supported"))
    }

    /// A statement of Hive's that Spark has no use for.
    pub fn native_command(&mut self, mark: usize) -> spark::Error {
        let words: Vec<&str> = (0..2).filter_map(|at| self.keyword_in(mark, at)).collect();
        let shown = words.join(" ");
        self.refused(mark, &shown)
    }

    /// What `result` is; but where a statement that begins with these words cannot be read, the words alone
    /// decide, as they do for the statements of Hive's that Spark only knows by their beginning.
    pub fn or_native<T>(&mut self, mark: usize, result: Result<T>, operation: &str) -> Result<T> {
        let unread = match &result {
            Ok(_) => !self.at_statement_end(),
            Err(e) => e.condition() == crate::error::SYNTAX_ERROR,
        };
        if !unread {
            return result;
        }
        self.rest_of_text();
        Err(self.refused(mark, operation))
    }

    /// The keyword `at` tokens after `mark`.
    fn keyword_in(&self, mark: usize, at: usize) -> Option<&'static str> {
        self.keyword_of(mark + at).map(Kw::text)
    }

    /// `CREATE MATERIALIZED VIEW` and `CREATE STREAMING TABLE`, which a pipeline runs and no session.
    fn pipeline_dataset(&mut self) -> Result<Command> {
        let (words, shown) = match self.keyword_at(0) {
            Some(Kw::MATERIALIZED) => ([Kw::MATERIALIZED, Kw::VIEW], "MATERIALIZED VIEW"),
            _ => ([Kw::STREAMING, Kw::TABLE], "STREAMING TABLE"),
        };
        self.expect_kws(&words)?;
        self.if_not_exists();
        self.object_name()?;
        self.rest_of_text();
        Err(spark::Error::analysis("UNSUPPORTED_FEATURE.CREATE_PIPELINE_DATASET_QUERY_EXECUTION")
            .param("pipelineDatasetType", shown)
            .with_message(format!("A {shown} belongs to a pipeline.")))
    }

    fn create_namespace(&mut self) -> Result<Command> {
        self.advance();
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        let (mut comment, mut location, mut properties, mut collation) = (None, None, Vec::new(), None);
        loop {
            if self.at_kw(Kw::COMMENT) {
                self.once("COMMENT", comment.is_some());
                self.advance();
                comment = Some(self.string()?);
            } else if self.at_kw(Kw::LOCATION) {
                self.once("LOCATION", location.is_some());
                self.advance();
                location = Some(self.string()?);
            } else if self.at_kw(Kw::WITH) && matches!(self.keyword_at(1), Some(Kw::DBPROPERTIES | Kw::PROPERTIES)) {
                self.advance();
                self.once("WITH PROPERTIES", !properties.is_empty());
                self.advance();
                properties = self.namespace_properties()?;
            } else if self.eat_kws(&[Kw::DEFAULT, Kw::COLLATION]) {
                self.once("DEFAULT COLLATION", collation.is_some());
                collation = Some(self.schema_collation()?);
            } else {
                return Ok(Command::CreateNamespace { name, if_not_exists, comment, location, properties, collation });
            }
        }
    }

    /// The name behind `DEFAULT COLLATION` of a schema.
    fn schema_collation(&mut self) -> Result<String> {
        let name = self.object_name()?.join(".");
        match self.options.schema_collations {
            true => Ok(name),
            false => Err(spark::Error::parse("UNSUPPORTED_FEATURE.SCHEMA_LEVEL_COLLATIONS")
                .with_message("A schema has no default collation")),
        }
    }

    /// Refuses a clause that was written before.
    pub fn once(&mut self, clause: &str, seen: bool) {
        if seen {
            self.later(
                spark::Error::parse("DUPLICATE_CLAUSES")
                    .param("clauseName", clause)
                    .with_message(format!("The clause {clause} is written twice")),
            );
        }
    }

    /// `DROP …`.
    pub fn drop_statement(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        if self.at_any(&NAMESPACE) {
            self.advance();
            let if_exists = self.if_exists();
            let name = self.object_name()?;
            let cascade = self.eat_any(&[Kw::RESTRICT, Kw::CASCADE]) == Some(Kw::CASCADE);
            return Ok(Command::DropNamespace { name, if_exists, cascade });
        }
        let temporary = self.eat_any(&[Kw::TEMPORARY, Kw::TEMP]).is_some();
        match self.keyword_at(0) {
            Some(Kw::VIEW) => {
                self.advance();
                let if_exists = self.if_exists();
                Ok(Command::DropView { name: self.object_name()?, if_exists })
            }
            Some(Kw::TABLE) => {
                self.advance();
                let if_exists = self.if_exists();
                let name = self.object_name()?;
                Ok(Command::DropTable { name, if_exists, purge: self.eat_kw(Kw::PURGE) })
            }
            Some(Kw::FUNCTION) => {
                self.advance();
                let if_exists = self.if_exists();
                let name = self.object_name()?;
                if temporary && !crate::name::is_of_session(&name) {
                    self.later(crate::error::qualified_temporary("FUNCTION", &name));
                }
                Ok(Command::DropFunction { name, if_exists, temporary })
            }
            Some(Kw::VARIABLE | Kw::VAR) if temporary => {
                self.advance();
                let if_exists = self.if_exists();
                Ok(Command::DropVariable { name: self.object_name()?, if_exists })
            }
            Some(Kw::INDEX | Kw::ROLE | Kw::MACRO) => Err(self.native_command(mark)),
            _ => Err(self.syntax_error()),
        }
    }

    /// `ALTER …`.
    pub fn alter(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        if self.at_any(&NAMESPACE) {
            self.advance();
            return self.alter_namespace();
        }
        match self.eat_any(&[Kw::TABLE, Kw::VIEW]) {
            Some(Kw::TABLE) => {
                let name = self.object_name()?;
                let action = self.alter_table_action(mark)?;
                Ok(Command::AlterTable { name, action })
            }
            Some(_) => {
                let name = self.object_name()?;
                let action = self.alter_view_action(mark)?;
                Ok(Command::AlterView { name, action })
            }
            None if self.at_kw(Kw::INDEX) => Err(self.native_command(mark)),
            None => Err(self.syntax_error()),
        }
    }

    fn alter_namespace(&mut self) -> Result<Command> {
        let name = self.object_name()?;
        if self.eat_kw(Kw::UNSET) {
            self.property_word()?;
            let keys = self.property_keys()?;
            return Ok(Command::UnsetNamespaceProperties { name, keys });
        }
        if self.eat_kws(&[Kw::DEFAULT, Kw::COLLATION]) {
            let collation = self.schema_collation()?;
            return Ok(Command::SetNamespaceCollation { name, collation });
        }
        self.expect_kw(Kw::SET)?;
        if self.eat_kw(Kw::LOCATION) {
            let location = self.string()?;
            return Ok(Command::SetNamespaceLocation { name, location });
        }
        self.property_word()?;
        Ok(Command::SetNamespaceProperties { name, properties: self.namespace_properties()? })
    }

    /// Properties of a namespace, without those that have a clause of their own.
    fn namespace_properties(&mut self) -> Result<Options> {
        let properties = self.properties()?;
        for (key, _) in &properties {
            let message = match key.as_str() {
                "location" => "please use the LOCATION clause to specify it",
                "owner" => "it will be set to the current user",
                _ => continue,
            };
            self.reserved_property("UNSUPPORTED_FEATURE.SET_NAMESPACE_PROPERTY", key, message);
        }
        Ok(properties)
    }

    /// Properties of a table, without those that have a clause of their own.
    pub fn table_properties(&mut self) -> Result<Options> {
        let properties = self.properties()?;
        for (key, _) in &properties {
            let message = match key.as_str() {
                "provider" => "please use the USING clause to specify it",
                "location" => "please use the LOCATION clause to specify it",
                "owner" => "it will be set to the current user",
                "external" => "please use CREATE EXTERNAL TABLE",
                _ => continue,
            };
            self.reserved_property("UNSUPPORTED_FEATURE.SET_TABLE_PROPERTY", key, message);
        }
        Ok(properties)
    }

    fn reserved_property(&mut self, condition: &str, key: &str, message: &str) {
        self.later(
            spark::Error::parse(condition)
                .param("property", key)
                .param("msg", message)
                .with_message(format!("The property {key} is reserved")),
        );
    }

    fn property_word(&mut self) -> Result<()> {
        if self.eat_any(&[Kw::DBPROPERTIES, Kw::PROPERTIES]).is_none() {
            return Err(self.syntax_error());
        }
        Ok(())
    }

    fn alter_view_action(&mut self, mark: usize) -> Result<AlterTableAction> {
        if self.eat_kws(&[Kw::WITH, Kw::SCHEMA]) {
            return self.schema_binding().map(AlterTableAction::SchemaBinding);
        }
        if self.at_kw(Kw::AS) || self.query_begins(0) {
            self.eat_kw(Kw::AS);
            let start = self.mark();
            let plan = self.query()?;
            let text = self.source_since(start).to_string();
            return Ok(AlterTableAction::SetQuery { plan, text });
        }
        self.alter_table_action(mark)
    }

    /// What follows `WITH SCHEMA`.
    pub fn schema_binding(&mut self) -> Result<String> {
        if self.eat_kws(&[Kw::TYPE, Kw::EVOLUTION]) {
            return Ok("TYPE EVOLUTION".into());
        }
        match self.eat_any(&[Kw::BINDING, Kw::COMPENSATION, Kw::EVOLUTION]) {
            Some(keyword) => Ok(keyword.text().to_string()),
            None => Err(self.syntax_error()),
        }
    }

    pub fn if_exists(&mut self) -> bool {
        self.eat_kws(&[Kw::IF, Kw::EXISTS])
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.eat_kws(&[Kw::IF, Kw::NOT, Kw::EXISTS])
    }

    /// `USE [NAMESPACE] name`.
    pub fn use_statement(&mut self) -> Result<Command> {
        self.advance();
        if self.at_any(&NAMESPACE) && self.name_at(1) {
            self.advance();
            return Ok(Command::UseNamespace { name: self.object_name()? });
        }
        Ok(Command::Use { name: self.object_name()? })
    }

    /// `COMMENT ON … IS …`.
    pub fn comment_on(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        self.expect_kw(Kw::ON)?;
        let Some(keyword) = self.eat_any(&[Kw::NAMESPACE, Kw::DATABASE, Kw::SCHEMA, Kw::TABLE, Kw::COLUMN]) else {
            return Err(self.syntax_error());
        };
        let mut name = self.object_name()?;
        self.expect_kw(Kw::IS)?;
        let comment = if self.eat_kw(Kw::NULL) { None } else { Some(self.string()?) };
        Ok(match keyword {
            Kw::TABLE => Command::CommentOnTable { name, comment },
            Kw::COLUMN => {
                let column = name.pop().unwrap_or_default();
                if name.is_empty() {
                    return Err(self
                        .error(mark, "INVALID_SQL_SYNTAX.COMMENT_ON_COLUMN_INCORRECT_IDENTIFIER")
                        .with_message("COMMENT ON COLUMN names the table and the column"));
                }
                Command::CommentOnColumn { table: name, column, comment }
            }
            _ => Command::CommentOnNamespace { name, comment },
        })
    }

    /// `('k' = 'v', k v, k)`.
    pub fn properties(&mut self) -> Result<Options> {
        let mark = self.mark();
        let pairs = self.paren_list(|p| {
            let key = p.property_key()?;
            let value = if p.eat_sym("=") { Some(p.property_text()?) } else { p.property_value()? };
            Ok((key, value))
        })?;
        let bare: Vec<&str> = pairs.iter().filter(|(_, v)| v.is_none()).map(|(k, _)| k.as_str()).collect();
        if !bare.is_empty() {
            let message = format!("Values must be specified for key(s): [{}]", bare.join(","));
            self.later(crate::error::not_allowed(message));
        }
        let pairs: Options = pairs.into_iter().map(|(k, v)| (k, v.unwrap_or_default())).collect();
        for (i, (key, _)) in pairs.iter().enumerate() {
            if pairs[..i].iter().any(|(other, _)| other == key) {
                return Err(self
                    .error(mark, "DUPLICATE_KEY")
                    .param("keyColumn", spark::types::quote_identifier(key))
                    .with_message(format!("The property {key} is written twice")));
            }
        }
        Ok(pairs)
    }

    /// `('k', 'l')`.
    pub fn property_keys(&mut self) -> Result<Vec<String>> {
        let pairs = self.paren_list(|p| {
            let key = p.property_key()?;
            p.eat_sym("=");
            Ok((key, p.property_value()?))
        })?;
        let valued: Vec<&str> = pairs.iter().filter(|(_, v)| v.is_some()).map(|(k, _)| k.as_str()).collect();
        if !valued.is_empty() {
            let message = format!("Values should not be specified for key(s): [{}]", valued.join(","));
            self.later(crate::error::not_allowed(message));
        }
        Ok(pairs.into_iter().map(|(k, _)| k).collect())
    }

    /// A property's key: a string, or words with dots.
    pub fn property_key(&mut self) -> Result<String> {
        if self.at_string() {
            return self.single_string();
        }
        Ok(self.dotted_name()?.join("."))
    }

    /// A property's value as text, if there is one.
    fn property_value(&mut self) -> Result<Option<String>> {
        if self.at_sym(",") || self.at_sym(")") {
            return Ok(None);
        }
        self.property_text().map(Some)
    }

    fn property_text(&mut self) -> Result<String> {
        if self.at_string() {
            return self.string();
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
            _ => {
                let mark = self.mark();
                let value = self.expression()?;
                let negated = if negative { spark::Expr::operator("negative", vec![value]) } else { value };
                crate::name::constant_value(&negated).ok_or_else(|| {
                    self.reset(mark);
                    self.syntax_error()
                })
            }
        }
    }
}
