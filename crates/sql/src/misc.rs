//! Statements about caches, statistics, partitions, resources and procedures.

use spark::Result;
use spark::command::{AnalyzeScope, Command};

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// `CACHE [LAZY] TABLE name [OPTIONS (…)] [[AS] query]`.
    pub fn cache(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let lazy = self.eat_kw(Kw::LAZY);
        self.expect_kw(Kw::TABLE)?;
        let name = self.object_name()?;
        let options = if self.eat_kw(Kw::OPTIONS) { self.properties()? } else { Vec::new() };
        let (mut query, mut text) = (None, None);
        if self.at_kw(Kw::AS) || self.query_begins(0) {
            self.eat_kw(Kw::AS);
            let start = self.mark();
            query = Some(Box::new(self.query()?));
            text = Some(self.source_since(start).to_string());
            if name.len() > 1 {
                let database = name[..name.len() - 1]
                    .iter()
                    .map(|p| spark::types::quote_if_needed(p))
                    .collect::<Vec<_>>()
                    .join(".");
                return Err(self
                    .error(mark, "_LEGACY_ERROR_TEMP_0037")
                    .param("quoted", database)
                    .with_message("A query is cached under a name without a database"));
            }
        }
        Ok(Command::CacheTable { name, lazy, options, query, text })
    }

    /// `UNCACHE TABLE [IF EXISTS] name`.
    pub fn uncache(&mut self) -> Result<Command> {
        self.expect_kws(&[Kw::UNCACHE, Kw::TABLE])?;
        let if_exists = self.if_exists();
        Ok(Command::UncacheTable { name: self.object_name()?, if_exists })
    }

    /// `REFRESH [TABLE|FUNCTION] name`, `REFRESH path`.
    pub fn refresh(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let object = match self.keyword_at(0) {
            Some(Kw::TABLE | Kw::FUNCTION) if self.name_at(1) => self.refreshed_object().ok(),
            _ if self.at_string() => self.string().ok().map(|path| Command::RefreshResource { path }),
            _ => None,
        };
        // What goes on behind the object is a path from the beginning.
        match object {
            Some(command) if self.at_statement_end() => Ok(command),
            _ => {
                self.reset(mark + 1);
                self.resource_path(mark)
            }
        }
    }

    fn refreshed_object(&mut self) -> Result<Command> {
        let table = self.at_kw(Kw::TABLE);
        self.advance();
        let name = self.object_name()?;
        Ok(if table { Command::RefreshTable { name } } else { Command::RefreshFunction { name } })
    }

    /// What follows `REFRESH` if it is no object.
    fn resource_path(&mut self, mark: usize) -> Result<Command> {
        let path = self.rest_of_text();
        let refuse = |condition: &str, message: &str| Err(self.error(mark, condition).with_message(message));
        if path.is_empty() {
            return refuse("INVALID_SQL_SYNTAX.EMPTY_REFRESH_RESOURCE_PATH", "REFRESH needs a path");
        }
        if path.contains(char::is_whitespace) {
            return refuse("INVALID_SQL_SYNTAX.INVALID_REFRESH_RESOURCE_PATH", "A path with blanks is quoted");
        }
        Ok(Command::RefreshResource { path })
    }

    /// `TRUNCATE TABLE name [PARTITION (…)]`.
    pub fn truncate(&mut self) -> Result<Command> {
        self.expect_kws(&[Kw::TRUNCATE, Kw::TABLE])?;
        let name = self.object_name()?;
        Ok(Command::TruncateTable { name, partition: self.full_partition()? })
    }

    /// `ANALYZE TABLE …`, `ANALYZE TABLES …`.
    pub fn analyze(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        if self.eat_kw(Kw::TABLES) {
            let namespace = self.namespace_filter()?;
            self.expect_kws(&[Kw::COMPUTE, Kw::STATISTICS])?;
            let no_scan = self.no_scan(mark)?;
            return Ok(Command::AnalyzeTables { namespace, no_scan });
        }
        if !self.eat_kw(Kw::TABLE) {
            return Err(self.syntax_error());
        }
        let name = self.object_name()?;
        let partition = self.optional_partition()?;
        self.expect_kws(&[Kw::COMPUTE, Kw::STATISTICS])?;
        let scope = if self.eat_kws(&[Kw::FOR, Kw::ALL, Kw::COLUMNS]) {
            AnalyzeScope::AllColumns
        } else if self.eat_kws(&[Kw::FOR, Kw::COLUMNS]) {
            AnalyzeScope::Columns(self.comma_list(Self::identifier)?)
        } else {
            AnalyzeScope::Table { no_scan: self.no_scan(mark)? }
        };
        Ok(Command::AnalyzeTable { name, partition, scope })
    }

    fn no_scan(&mut self, mark: usize) -> Result<bool> {
        if !self.name_at(0) {
            return Ok(false);
        }
        let word = self.identifier()?;
        if word.eq_ignore_ascii_case("noscan") {
            return Ok(true);
        }
        Err(self
            .error(mark, "INVALID_SQL_SYNTAX.ANALYZE_TABLE_UNEXPECTED_NOSCAN")
            .param("ctx", word.to_uppercase())
            .with_message(format!("After COMPUTE STATISTICS stands NOSCAN, not {word}")))
    }

    /// `[MSCK] REPAIR TABLE name [ADD|DROP|SYNC PARTITIONS]`.
    pub fn repair(&mut self) -> Result<Command> {
        self.eat_kw(Kw::MSCK);
        self.expect_kws(&[Kw::REPAIR, Kw::TABLE])?;
        let name = self.object_name()?;
        let option = self.eat_any(&[Kw::ADD, Kw::DROP, Kw::SYNC]);
        if option.is_some() {
            self.expect_kw(Kw::PARTITIONS)?;
        }
        let add = option != Some(Kw::DROP);
        let drop = matches!(option, Some(Kw::DROP | Kw::SYNC));
        Ok(Command::RepairTable { name, add, drop })
    }

    /// `LOAD DATA [LOCAL] INPATH path [OVERWRITE] INTO TABLE name [PARTITION (…)]`.
    pub fn load_data(&mut self) -> Result<Command> {
        self.expect_kws(&[Kw::LOAD, Kw::DATA])?;
        let local = self.eat_kw(Kw::LOCAL);
        self.expect_kw(Kw::INPATH)?;
        let path = self.string()?;
        let overwrite = self.eat_kw(Kw::OVERWRITE);
        self.expect_kws(&[Kw::INTO, Kw::TABLE])?;
        let table = self.object_name()?;
        let partition = self.full_partition()?;
        Ok(Command::LoadData { path, local, overwrite, table, partition })
    }

    /// `ADD JAR path…`, `LIST FILE`.
    pub fn resource(&mut self) -> Result<Command> {
        let mark = self.mark();
        let verb = self.next_text().to_uppercase();
        self.advance();
        let kind_word = self.identifier()?;
        let kind = kind_word.to_uppercase();
        let kind = kind.strip_suffix('S').unwrap_or(&kind).to_string();
        if !matches!(kind.as_str(), "JAR" | "FILE" | "ARCHIVE") {
            let word = kind_word.to_lowercase();
            self.rest_of_text();
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0035")
                .param("message", format!("{verb} with resource type '{word}'"))
                .with_message(format!("There is no {verb} {word}; resources are JAR, FILE and ARCHIVE")));
        }
        let mut paths = Vec::new();
        while self.at_string() {
            paths.push(self.single_string()?);
        }
        if paths.is_empty() {
            let rest = self.rest_of_text();
            let rest = rest.trim_end_matches(';').trim();
            if !rest.is_empty() {
                paths.push(rest.to_string());
            }
        }
        Ok(Command::Resource { verb, kind, paths })
    }

    /// `CALL procedure(args)`.
    pub fn call_procedure(&mut self) -> Result<Command> {
        self.advance();
        let procedure = self.object_name()?;
        self.expect_sym("(")?;
        let args = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::argument)? };
        self.expect_sym(")")?;
        Ok(Command::Call { procedure, args })
    }
}
