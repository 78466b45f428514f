//! `SHOW` and `DESCRIBE`.

use spark::command::{Command, Describe, Show};
use spark::{Error, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

impl Parser<'_> {
    /// `SHOW …`.
    pub fn show(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let Some(keyword) = self.keyword_at(0) else { return self.show_functions(mark).map(Command::Show) };
        let show = match keyword {
            Kw::TABLES | Kw::VIEWS | Kw::DATABASES | Kw::SCHEMAS | Kw::NAMESPACES => self.show_of_namespace(keyword)?,
            Kw::TABLE => self.show_table_extended()?,
            Kw::COLUMNS => self.show_columns()?,
            Kw::PARTITIONS => {
                self.advance();
                let table = self.object_name()?;
                let partition = self.full_partition()?;
                Show::Partitions { table, partition, as_json: self.eat_kws(&[Kw::AS, Kw::JSON]) }
            }
            Kw::TBLPROPERTIES => {
                self.advance();
                let table = self.object_name()?;
                let mut key = None;
                if self.eat_sym("(") {
                    key = Some(self.property_key()?);
                    self.expect_sym(")")?;
                }
                Show::TableProperties { table, key }
            }
            Kw::CREATE if self.keyword_at(1) == Some(Kw::TABLE) => {
                let show = self.show_create_table();
                self.or_native(mark, show, "SHOW CREATE TABLE")?
            }
            Kw::CURRENT => {
                self.advance();
                if self.eat_any(&[Kw::NAMESPACE, Kw::DATABASE, Kw::SCHEMA]).is_none() {
                    return Err(self.syntax_error());
                }
                Show::CurrentNamespace
            }
            Kw::CATALOGS => {
                self.advance();
                Show::Catalogs { pattern: self.like_pattern()? }
            }
            Kw::PROCEDURES => {
                self.advance();
                Show::Procedures { namespace: self.namespace_filter()? }
            }
            Kw::COLLATIONS => {
                self.advance();
                Show::Collations { pattern: self.like_pattern()? }
            }
            Kw::PRINCIPALS
            | Kw::ROLES
            | Kw::ROLE
            | Kw::GRANT
            | Kw::INDEX
            | Kw::INDEXES
            | Kw::LOCKS
            | Kw::TRANSACTIONS
            | Kw::COMPACTIONS => return Err(self.native_command(mark)),
            _ => self.show_functions(mark)?,
        };
        Ok(Command::Show(show))
    }

    fn show_create_table(&mut self) -> Result<Show> {
        self.expect_kws(&[Kw::CREATE, Kw::TABLE])?;
        let table = self.object_name()?;
        Ok(Show::CreateTable { table, as_serde: self.eat_kws(&[Kw::AS, Kw::SERDE]) })
    }

    fn show_of_namespace(&mut self, keyword: Kw) -> Result<Show> {
        self.advance();
        let namespace = self.namespace_filter()?;
        let pattern = self.like_pattern()?;
        Ok(match keyword {
            Kw::TABLES => Show::Tables { namespace, pattern, as_json: self.eat_kws(&[Kw::AS, Kw::JSON]) },
            Kw::VIEWS => Show::Views { namespace, pattern },
            _ => Show::Namespaces { parent: namespace, pattern },
        })
    }

    fn show_table_extended(&mut self) -> Result<Show> {
        self.expect_kws(&[Kw::TABLE, Kw::EXTENDED])?;
        let namespace = self.namespace_filter()?;
        self.expect_kw(Kw::LIKE)?;
        let pattern = self.string()?;
        let partition = self.optional_partition()?;
        let as_json = self.eat_kws(&[Kw::AS, Kw::JSON]);
        if as_json && !partition.is_empty() {
            return Err(Error::parse("UNSUPPORTED_FEATURE.SHOW_TABLE_EXTENDED_JSON_WITH_PARTITION")
                .with_message("SHOW TABLE EXTENDED … AS JSON takes no partition"));
        }
        Ok(Show::TableExtended { namespace, pattern, partition, as_json })
    }

    fn show_columns(&mut self) -> Result<Show> {
        self.advance();
        if self.eat_any(&[Kw::FROM, Kw::IN]).is_none() {
            return Err(self.syntax_error());
        }
        let table = self.object_name()?;
        Ok(Show::Columns { table, namespace: self.namespace_filter()? })
    }

    /// `SHOW [scope] FUNCTIONS [FROM ns] [[LIKE] pattern | name]`.
    fn show_functions(&mut self, mark: usize) -> Result<Show> {
        let mut scope = "ALL".to_string();
        if !self.at_kw(Kw::FUNCTIONS) {
            scope = self.identifier()?.to_uppercase();
        }
        self.expect_kw(Kw::FUNCTIONS)?;
        if !matches!(scope.as_str(), "ALL" | "USER" | "SYSTEM") {
            return Err(self
                .error(mark, "INVALID_SQL_SYNTAX.SHOW_FUNCTIONS_INVALID_SCOPE")
                .param("scope", spark::types::quote_identifier(&scope.to_lowercase()))
                .with_message("SHOW FUNCTIONS has the scopes USER, SYSTEM and ALL"));
        }
        let namespace = self.namespace_filter()?;
        let like = self.eat_kw(Kw::LIKE);
        let (mut pattern, mut name) = (None, None);
        if self.at_string() {
            pattern = Some(self.string()?);
        } else if like || self.name_at(0) {
            name = Some(self.object_name()?);
        }
        Ok(Show::Functions { scope, namespace, pattern, name })
    }

    /// `[FROM|IN] namespace`.
    pub fn namespace_filter(&mut self) -> Result<Option<Vec<String>>> {
        if self.eat_any(&[Kw::FROM, Kw::IN]).is_some() { self.object_name().map(Some) } else { Ok(None) }
    }

    /// `[LIKE] 'pattern'`.
    pub fn like_pattern(&mut self) -> Result<Option<String>> {
        if self.eat_kw(Kw::LIKE) || self.at_string() { self.string().map(Some) } else { Ok(None) }
    }

    /// `DESCRIBE …`.
    pub fn describe(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        let describe = match self.keyword_at(0) {
            Some(Kw::FUNCTION) if self.name_at(1) || matches!(self.peek_at(1), Tok::Str | Tok::Sym(_)) => {
                self.describe_function()?
            }
            Some(Kw::PROCEDURE) if self.name_at(1) => {
                self.advance();
                Describe::Procedure { name: self.object_name()? }
            }
            Some(Kw::NAMESPACE | Kw::DATABASE | Kw::SCHEMA) if self.name_at(1) => {
                self.advance();
                let extended = self.at_kw(Kw::EXTENDED) && self.name_at(1) && self.eat_kw(Kw::EXTENDED);
                Describe::Namespace { name: self.object_name()?, extended }
            }
            Some(Kw::QUERY) if self.query_begins(1) => {
                self.advance();
                Describe::Query(Box::new(self.query()?))
            }
            _ if self.query_begins(0) && !(self.at_kw(Kw::TABLE)) => Describe::Query(Box::new(self.query()?)),
            _ => self.describe_table(mark)?,
        };
        Ok(Command::Describe(describe))
    }

    fn describe_function(&mut self) -> Result<Describe> {
        self.advance();
        let extended = self.at_kw(Kw::EXTENDED)
            && !matches!(self.peek_at(1), Tok::Eof | Tok::Sym(";" | "."))
            && self.eat_kw(Kw::EXTENDED);
        let name = match self.peek() {
            Tok::Str | Tok::DoubleQuoted if self.at_string() => vec![self.string()?],
            Tok::Sym(_) => {
                // An operator; `>` and its doubles come as several tokens.
                let mut symbol = String::new();
                while let Tok::Sym(part) = self.peek() {
                    if part == ";" {
                        break;
                    }
                    symbol.push_str(part);
                    self.advance();
                }
                vec![symbol]
            }
            _ => self.object_name()?,
        };
        Ok(Describe::Function { name, extended })
    }

    fn describe_table(&mut self, mark: usize) -> Result<Describe> {
        if self.at_kw(Kw::TABLE) && (self.name_at(1)) {
            self.advance();
        }
        let extended = self.at_any(&[Kw::EXTENDED, Kw::FORMATTED]) && self.name_at(1);
        if extended {
            self.advance();
        }
        let name = self.object_name()?;
        let partition = self.optional_partition()?;
        if let Some(error) = crate::dml::empty_partition_value(&partition) {
            self.later(error);
        }
        let column =
            if self.name_at(0) && !self.at_kws(&[Kw::AS, Kw::JSON]) { Some(self.dotted_name()?) } else { None };
        let as_json = self.eat_kws(&[Kw::AS, Kw::JSON]);
        if let Some(column) = column {
            if !partition.is_empty() {
                let error = self
                    .error(mark, "UNSUPPORTED_FEATURE.DESC_TABLE_COLUMN_PARTITION")
                    .with_message("A column is described without a partition");
                self.deferring(Err(error), ())?;
            }
            if as_json {
                return Err(Error::parse("UNSUPPORTED_FEATURE.DESC_TABLE_COLUMN_JSON")
                    .with_message("A column is not described as JSON"));
            }
            return Ok(Describe::Column { table: name, column, extended });
        }
        if as_json && !extended {
            return Err(Error::parse("DESCRIBE_JSON_NOT_EXTENDED")
                .param("tableName", name.join("."))
                .with_message("AS JSON goes with EXTENDED or FORMATTED"));
        }
        Ok(Describe::Table { name, partition, extended, as_json })
    }
}
