//! `ALTER TABLE` and `ALTER VIEW`.

use spark::Result;
use spark::command::{AlterColumn, AlterTableAction, ColumnDef, ColumnPosition};

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// What follows the table's name.
    pub fn alter_table_action(&mut self, mark: usize) -> Result<AlterTableAction> {
        let partition = self.full_partition()?;
        let Some(keyword) = self.keyword_at(0) else { return Err(self.syntax_error()) };
        match keyword {
            Kw::RENAME => self.alter_rename(partition),
            Kw::ADD => self.alter_add(),
            Kw::DROP => self.alter_drop(),
            Kw::SET => self.alter_set(mark, partition),
            Kw::UNSET => {
                self.advance();
                self.expect_kw(Kw::TBLPROPERTIES)?;
                let if_exists = self.if_exists();
                Ok(AlterTableAction::UnsetProperties { keys: self.property_keys()?, if_exists })
            }
            Kw::ALTER => self.alter_columns(mark),
            Kw::CHANGE => self.change_column(mark),
            Kw::REPLACE => {
                self.expect_kws(&[Kw::REPLACE, Kw::COLUMNS])?;
                let columns = self.added_columns();
                let columns = self.or_native(mark, columns, "ALTER TABLE REPLACE COLUMNS")?;
                Ok(AlterTableAction::ReplaceColumns { partition, columns })
            }
            Kw::RECOVER => {
                self.expect_kws(&[Kw::RECOVER, Kw::PARTITIONS])?;
                Ok(AlterTableAction::RecoverPartitions)
            }
            Kw::CLUSTER => {
                self.expect_kws(&[Kw::CLUSTER, Kw::BY])?;
                if self.eat_kw(Kw::NONE) {
                    return Ok(AlterTableAction::ClusterBy(None));
                }
                Ok(AlterTableAction::ClusterBy(Some(self.paren_list(Self::dotted_name)?)))
            }
            Kw::DEFAULT => {
                self.expect_kws(&[Kw::DEFAULT, Kw::COLLATION])?;
                Ok(AlterTableAction::SetCollation(self.object_name()?.join(".")))
            }
            Kw::TOUCH
            | Kw::ARCHIVE
            | Kw::UNARCHIVE
            | Kw::COMPACT
            | Kw::CONCATENATE
            | Kw::NOT
            | Kw::SKEWED
            | Kw::CLUSTERED
            | Kw::EXCHANGE => Err(self.refused_alteration(mark)),
            _ => Err(self.syntax_error()),
        }
    }

    /// An alteration of Hive's that Spark reads and refuses.
    fn refused_alteration(&mut self, mark: usize) -> spark::Error {
        let words: &[&str] = match (self.keyword_at(0), self.keyword_at(1)) {
            (Some(Kw::ARCHIVE), _) => &["ARCHIVE PARTITION"],
            (Some(Kw::UNARCHIVE), _) => &["UNARCHIVE PARTITION"],
            (Some(Kw::EXCHANGE), _) => &["EXCHANGE PARTITION"],
            (Some(Kw::CLUSTERED), _) => &["CLUSTERED BY"],
            (Some(Kw::SKEWED), _) => &["SKEWED BY"],
            (Some(Kw::NOT), Some(Kw::STORED)) => &["NOT STORED AS DIRECTORIES"],
            (Some(Kw::NOT), Some(second)) => &["NOT", second.text()],
            (Some(first), _) => &[first.text()],
            _ => &[],
        };
        let operation = format!("ALTER TABLE {}", words.join(" "));
        self.refused(mark, &operation)
    }

    fn alter_rename(&mut self, partition: spark::command::PartitionSpec) -> Result<AlterTableAction> {
        self.advance();
        if self.eat_kw(Kw::COLUMN) {
            let from = self.dotted_name()?;
            self.expect_kw(Kw::TO)?;
            return Ok(AlterTableAction::RenameColumn { from, to: self.identifier()? });
        }
        self.expect_kw(Kw::TO)?;
        if !partition.is_empty() {
            let to = self.full_partition()?;
            if to.is_empty() {
                return Err(self.syntax_error());
            }
            return Ok(AlterTableAction::RenamePartition { from: partition, to });
        }
        Ok(AlterTableAction::Rename(self.object_name()?))
    }

    fn alter_add(&mut self) -> Result<AlterTableAction> {
        self.advance();
        if self.eat_any(&[Kw::COLUMN, Kw::COLUMNS]).is_some() {
            return self.added_columns().map(AlterTableAction::AddColumns);
        }
        let if_not_exists = self.if_not_exists();
        if self.at_kw(Kw::PARTITION) {
            let mut partitions = Vec::new();
            while self.at_kw(Kw::PARTITION) {
                let spec = self.full_partition()?;
                if spec.is_empty() {
                    return Err(self.syntax_error());
                }
                let location = if self.eat_kw(Kw::LOCATION) { Some(self.string()?) } else { None };
                partitions.push((spec, location));
            }
            return Ok(AlterTableAction::AddPartitions { partitions, if_not_exists });
        }
        self.table_constraint().map(AlterTableAction::AddConstraint)
    }

    /// Columns with or without parentheses around them.
    fn added_columns(&mut self) -> Result<Vec<ColumnDef>> {
        let column = |p: &mut Self| {
            let mark = p.mark();
            let name = p.dotted_name()?;
            p.column_definition(mark, name)
        };
        if self.at_sym("(") { self.paren_list(column) } else { self.comma_list(column) }
    }

    fn alter_drop(&mut self) -> Result<AlterTableAction> {
        self.advance();
        if self.eat_any(&[Kw::COLUMN, Kw::COLUMNS]).is_some() {
            let if_exists = self.if_exists();
            let columns = if self.at_sym("(") {
                self.paren_list(Self::dotted_name)?
            } else {
                self.comma_list(Self::dotted_name)?
            };
            return Ok(AlterTableAction::DropColumns { columns, if_exists });
        }
        if self.eat_kw(Kw::CONSTRAINT) {
            let if_exists = self.if_exists();
            let name = self.identifier()?;
            let cascade = self.eat_any(&[Kw::RESTRICT, Kw::CASCADE]) == Some(Kw::CASCADE);
            return Ok(AlterTableAction::DropConstraint { name, if_exists, cascade });
        }
        let if_exists = self.if_exists();
        let partitions = self.comma_list(|p| {
            let spec = p.full_partition()?;
            if spec.is_empty() { Err(p.syntax_error()) } else { Ok(spec) }
        })?;
        let purge = self.eat_kw(Kw::PURGE);
        Ok(AlterTableAction::DropPartitions { partitions, if_exists, purge })
    }

    fn alter_set(&mut self, mark: usize, partition: spark::command::PartitionSpec) -> Result<AlterTableAction> {
        self.advance();
        if self.eat_kw(Kw::TBLPROPERTIES) {
            return Ok(AlterTableAction::SetProperties(self.table_properties()?));
        }
        if self.eat_kw(Kw::LOCATION) {
            return Ok(AlterTableAction::SetLocation { partition, location: self.string()? });
        }
        if self.at_kw(Kw::FILEFORMAT) {
            return Err(self.refused(mark, "ALTER TABLE SET FILEFORMAT"));
        }
        if self.eat_kw(Kw::SERDEPROPERTIES) {
            let properties = self.properties()?;
            return Ok(AlterTableAction::SetSerde { partition, serde: None, properties });
        }
        self.expect_kw(Kw::SERDE)?;
        let serde = Some(self.string()?);
        let properties = if self.eat_kws(&[Kw::WITH, Kw::SERDEPROPERTIES]) { self.properties()? } else { Vec::new() };
        Ok(AlterTableAction::SetSerde { partition, serde, properties })
    }

    /// `ALTER [COLUMN] a …, b …`.
    fn alter_columns(&mut self, mark: usize) -> Result<AlterTableAction> {
        self.advance();
        self.eat_kw(Kw::COLUMN);
        let specs = self.comma_list(|p| p.alter_column(mark))?;
        Ok(AlterTableAction::AlterColumns(specs))
    }

    fn alter_column(&mut self, mark: usize) -> Result<AlterColumn> {
        let mut change = AlterColumn { name: self.dotted_name()?, ..Default::default() };
        let Some(keyword) = self.keyword_at(0) else { return Err(self.alter_nothing(mark)) };
        match keyword {
            Kw::TYPE => {
                self.advance();
                change.data_type = Some(self.data_type()?);
            }
            Kw::COMMENT => {
                self.advance();
                change.comment = Some(self.string()?);
            }
            Kw::FIRST | Kw::AFTER => change.position = self.column_position()?,
            Kw::SET | Kw::DROP => {
                self.advance();
                if self.eat_kws(&[Kw::NOT, Kw::NULL]) {
                    change.nullable = Some(keyword == Kw::DROP);
                } else {
                    self.expect_kw(Kw::DEFAULT)?;
                    let default = if keyword == Kw::SET { Some(self.expression_with_text()?) } else { None };
                    change.default = Some(default);
                }
            }
            _ => return Err(self.alter_nothing(mark)),
        }
        Ok(change)
    }

    fn alter_nothing(&self, mark: usize) -> spark::Error {
        if !self.at_end() {
            return self.syntax_error();
        }
        self.error(mark, "_LEGACY_ERROR_TEMP_0035")
            .param("message", "ALTER TABLE table ALTER COLUMN requires a TYPE, a SET/DROP, a COMMENT, or a FIRST/AFTER")
            .with_message("ALTER COLUMN says what to change: TYPE, SET, DROP, COMMENT, FIRST or AFTER")
    }

    fn column_position(&mut self) -> Result<Option<ColumnPosition>> {
        match self.eat_any(&[Kw::FIRST, Kw::AFTER]) {
            Some(Kw::FIRST) => Ok(Some(ColumnPosition::First)),
            Some(_) => Ok(Some(ColumnPosition::After(self.identifier()?))),
            None => Ok(None),
        }
    }

    /// Hive's `CHANGE [COLUMN] a b type [COMMENT …]`, or Spark's `CHANGE COLUMN a TYPE …`.
    fn change_column(&mut self, mark: usize) -> Result<AlterTableAction> {
        self.advance();
        self.eat_kw(Kw::COLUMN);
        let start = self.mark();
        let name = self.dotted_name()?;
        let is_spark =
            matches!(self.keyword_at(0), Some(Kw::TYPE | Kw::SET | Kw::DROP | Kw::COMMENT | Kw::FIRST | Kw::AFTER))
                && !self.name_at_end(1);
        if is_spark {
            self.reset(start);
            return Ok(AlterTableAction::AlterColumns(vec![self.alter_column(mark)?]));
        }
        let new_name = self.identifier()?;
        if name.last().is_none_or(|last| !last.eq_ignore_ascii_case(&new_name)) {
            self.column_definition(mark, name)?;
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0034")
                .param("operation", "Renaming column")
                .param("command", "ALTER COLUMN")
                .param("msg", ", please run RENAME COLUMN instead")
                .with_message("CHANGE COLUMN does not rename; use RENAME COLUMN"));
        }
        let column = self.column_definition(mark, name)?;
        Ok(AlterTableAction::AlterColumns(vec![AlterColumn {
            name: column.name,
            data_type: Some(column.data_type),
            nullable: (!column.nullable).then_some(false),
            comment: column.comment,
            position: column.position,
            default: None,
        }]))
    }

    fn name_at_end(&self, ahead: usize) -> bool {
        !self.name_at(ahead) && !self.string_at(ahead)
    }
}
