//! `CREATE TABLE`: columns, constraints and the clauses after them.

use spark::command::{
    BucketSpec, ColumnDef, ColumnPosition, Command, ConstraintKind, CreateTable, PartitionTransform, Storage,
    TableConstraint,
};
use spark::types::{StructField, StructType};
use spark::{Error, Expr, Result};

use crate::keywords::Kw;
use crate::parser::Parser;

/// A column or a constraint of a table.
enum TableElement {
    Column(ColumnDef),
    Constraint(TableConstraint),
}

impl Parser<'_> {
    /// `CREATE [OR REPLACE] [TEMPORARY] [EXTERNAL] TABLE …` at the last two words.
    pub fn create_table(&mut self, mark: usize, replace: bool, temporary: bool) -> Result<Command> {
        let external = self.eat_kw(Kw::EXTERNAL);
        self.expect_kw(Kw::TABLE)?;
        let if_not_exists = self.if_not_exists();
        let name = self.object_name()?;
        if !replace && !external && !temporary && self.at_kw(Kw::LIKE) {
            return self.create_table_like(name, if_not_exists);
        }
        let table = CreateTable { name, if_not_exists, replace, create: true, external, ..Default::default() };
        let command = self.table_definition(mark, table)?;
        if !temporary {
            return Ok(command);
        }
        match command {
            Command::CreateTable(table) if table.query.is_some() => {
                let message = "CREATE TEMPORARY TABLE ... AS ..., use CREATE TEMPORARY VIEW instead";
                Err(crate::error::not_allowed(message).at(Some(&self.origin(mark))))
            }
            Command::CreateTable(table) if table.provider.is_some() => {
                temporary_table(*table).ok_or_else(|| self.no_temporary_tables(mark))
            }
            _ => Err(self.no_temporary_tables(mark)),
        }
    }

    fn no_temporary_tables(&self, mark: usize) -> Error {
        self.error(mark, "_LEGACY_ERROR_TEMP_0046")
            .with_message("There are temporary views, not temporary tables: CREATE TEMPORARY VIEW … USING …")
    }

    /// `REPLACE TABLE …`.
    pub fn replace_table(&mut self) -> Result<Command> {
        let mark = self.mark();
        self.advance();
        self.expect_kw(Kw::TABLE)?;
        let name = self.object_name()?;
        self.table_definition(mark, CreateTable { name, replace: true, ..Default::default() })
    }

    fn table_definition(&mut self, mark: usize, mut table: CreateTable) -> Result<Command> {
        if self.at_sym("(") && !self.query_begins(0) {
            for element in self.paren_list(Self::table_element)? {
                match element {
                    TableElement::Column(column) => table.columns.push(column),
                    TableElement::Constraint(constraint) => table.constraints.push(constraint),
                }
            }
        }
        if self.eat_kw(Kw::USING) {
            table.provider = Some(self.object_name()?.join("."));
        }
        while self.table_clause(mark, &mut table)? {}
        if self.at_kw(Kw::AS) || self.query_begins(0) {
            self.eat_kw(Kw::AS);
            if !table.columns.is_empty() {
                let message = "Schema may not be specified in a Create Table As Select (CTAS) statement";
                self.later(crate::error::not_allowed(message));
            }
            if !table.partition_columns.is_empty() {
                let message = "Partition column types may not be specified in Create Table As Select (CTAS)";
                self.later(crate::error::not_allowed(message));
            }
            table.query = Some(self.query()?);
        }
        Ok(Command::CreateTable(Box::new(table)))
    }

    /// One clause; false if none is next.
    fn table_clause(&mut self, mark: usize, table: &mut CreateTable) -> Result<bool> {
        let Some(keyword) = self.keyword_at(0) else { return Ok(false) };
        match keyword {
            Kw::OPTIONS => {
                self.once("OPTIONS", !table.options.is_empty());
                self.advance();
                table.options = self.properties()?;
            }
            Kw::TBLPROPERTIES => {
                self.once("TBLPROPERTIES", !table.properties.is_empty());
                self.advance();
                table.properties = self.table_properties()?;
            }
            Kw::PARTITIONED => {
                self.once("PARTITIONED BY", !table.partitioning.is_empty() || !table.partition_columns.is_empty());
                self.advance();
                self.expect_kw(Kw::BY)?;
                self.partitioned_by(table)?;
            }
            Kw::CLUSTERED => {
                self.once("CLUSTERED BY", table.bucket.is_some());
                table.bucket = Some(self.bucket_spec()?);
            }
            Kw::CLUSTER => {
                self.once("CLUSTER BY", !table.cluster_by.is_empty());
                self.advance();
                self.expect_kw(Kw::BY)?;
                table.cluster_by = self.paren_list(Self::dotted_name)?;
            }
            Kw::LOCATION => {
                self.once("LOCATION", table.location.is_some());
                self.advance();
                table.location = Some(self.string()?);
            }
            Kw::COMMENT => {
                self.once("COMMENT", table.comment.is_some());
                self.advance();
                table.comment = Some(self.string()?);
            }
            Kw::DEFAULT => {
                self.advance();
                self.expect_kw(Kw::COLLATION)?;
                table.collation = Some(self.object_name()?.join("."));
            }
            Kw::STORED | Kw::ROW => self.storage_clause(table.storage.get_or_insert_default())?,
            Kw::SKEWED => return Err(self.refused(mark, "CREATE TABLE ... SKEWED BY")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `STORED AS …`, `ROW FORMAT SERDE …`, `ROW FORMAT DELIMITED …`.
    pub fn storage_clause(&mut self, storage: &mut Storage) -> Result<()> {
        if self.eat_kw(Kw::STORED) {
            if self.eat_kw(Kw::BY) {
                let mark = self.mark() - 2;
                self.string()?;
                return Err(crate::error::refusal("STORED BY").at(Some(&self.origin(mark))));
            }
            self.expect_kw(Kw::AS)?;
            if self.eat_kw(Kw::INPUTFORMAT) {
                storage.input_format = Some(self.string()?);
                self.expect_kw(Kw::OUTPUTFORMAT)?;
                storage.output_format = Some(self.string()?);
            } else {
                storage.format = Some(self.identifier()?);
            }
            return Ok(());
        }
        self.expect_kws(&[Kw::ROW, Kw::FORMAT])?;
        if self.eat_kw(Kw::SERDE) {
            storage.serde = Some(self.string()?);
            if self.eat_kws(&[Kw::WITH, Kw::SERDEPROPERTIES]) {
                storage.serde_properties = self.properties()?;
            }
            return Ok(());
        }
        self.expect_kw(Kw::DELIMITED)?;
        self.row_delimiters(storage)
    }

    fn row_delimiters(&mut self, storage: &mut Storage) -> Result<()> {
        let mut put = |key: &str, value: String| storage.serde_properties.push((key.to_string(), value));
        loop {
            if self.eat_kws(&[Kw::FIELDS, Kw::TERMINATED, Kw::BY]) {
                put("field.delim", self.string()?);
                if self.eat_kws(&[Kw::ESCAPED, Kw::BY]) {
                    put("escape.delim", self.string()?);
                }
            } else if self.eat_kws(&[Kw::COLLECTION, Kw::ITEMS, Kw::TERMINATED, Kw::BY]) {
                put("colelction.delim", self.string()?);
            } else if self.eat_kws(&[Kw::MAP, Kw::KEYS, Kw::TERMINATED, Kw::BY]) {
                put("mapkey.delim", self.string()?);
            } else if self.eat_kws(&[Kw::LINES, Kw::TERMINATED, Kw::BY]) {
                put("line.delim", self.string()?);
            } else if self.eat_kws(&[Kw::NULL, Kw::DEFINED, Kw::AS]) {
                put("serialization.null.format", self.string()?);
            } else {
                return Ok(());
            }
        }
    }

    fn create_table_like(&mut self, name: Vec<String>, if_not_exists: bool) -> Result<Command> {
        self.advance();
        let source = self.object_name()?;
        let (mut provider, mut location, mut properties, mut storage) = (None, None, Vec::new(), None);
        loop {
            if self.at_kw(Kw::USING) {
                self.once("PROVIDER", provider.is_some());
                self.advance();
                provider = Some(self.object_name()?.join("."));
            } else if self.at_kw(Kw::LOCATION) {
                self.once("LOCATION", location.is_some());
                self.advance();
                location = Some(self.string()?);
            } else if self.at_kw(Kw::TBLPROPERTIES) {
                self.once("TBLPROPERTIES", !properties.is_empty());
                self.advance();
                properties = self.table_properties()?;
            } else if self.at_any(&[Kw::STORED, Kw::ROW]) {
                self.storage_clause(storage.get_or_insert_default())?;
            } else {
                return Ok(Command::CreateTableLike {
                    name,
                    source,
                    if_not_exists,
                    provider,
                    location,
                    properties,
                    storage,
                });
            }
        }
    }

    fn table_element(&mut self) -> Result<TableElement> {
        if self.at_constraint() {
            return self.table_constraint().map(TableElement::Constraint);
        }
        let mark = self.mark();
        let name = self.identifier()?;
        self.column_definition(mark, vec![name]).map(TableElement::Column)
    }

    fn at_constraint(&self) -> bool {
        match self.keyword_at(0) {
            Some(Kw::CONSTRAINT) => self.name_at(1) && !self.sym_at(2, ",") && !self.sym_at(2, ")"),
            Some(Kw::CHECK) => self.sym_at(1, "("),
            Some(Kw::PRIMARY | Kw::FOREIGN) => self.keyword_at(1) == Some(Kw::KEY),
            Some(Kw::UNIQUE) => self.sym_at(1, "("),
            _ => false,
        }
    }

    /// `[CONSTRAINT name] CHECK|PRIMARY KEY|UNIQUE|FOREIGN KEY … [ENFORCED] [RELY]`.
    pub fn table_constraint(&mut self) -> Result<TableConstraint> {
        let name = if self.eat_kw(Kw::CONSTRAINT) { Some(self.identifier()?) } else { None };
        let kind = match self.keyword_at(0) {
            Some(Kw::CHECK) => {
                self.advance();
                self.expect_sym("(")?;
                let start = self.mark();
                let condition = self.expression()?;
                let text = self.source_since(start).to_string();
                self.expect_sym(")")?;
                ConstraintKind::Check { condition, text }
            }
            Some(Kw::PRIMARY) => {
                self.expect_kws(&[Kw::PRIMARY, Kw::KEY])?;
                ConstraintKind::PrimaryKey(self.identifier_list()?)
            }
            Some(Kw::UNIQUE) => {
                self.advance();
                ConstraintKind::Unique(self.identifier_list()?)
            }
            Some(Kw::FOREIGN) => {
                self.expect_kws(&[Kw::FOREIGN, Kw::KEY])?;
                let columns = self.identifier_list()?;
                self.expect_kw(Kw::REFERENCES)?;
                let table = self.object_name()?;
                let referenced = if self.at_sym("(") { self.identifier_list()? } else { Vec::new() };
                ConstraintKind::ForeignKey { columns, table, referenced }
            }
            _ => return Err(self.syntax_error()),
        };
        self.constraint_characteristics(TableConstraint { name, kind, enforced: None, rely: None })
    }

    /// A constraint written after a column's type.
    fn column_constraint(&mut self, column: &[String]) -> Result<TableConstraint> {
        let start = self.mark();
        let name = if self.eat_kw(Kw::CONSTRAINT) { Some(self.identifier()?) } else { None };
        let kind = match self.keyword_at(0) {
            Some(Kw::PRIMARY) => {
                self.expect_kws(&[Kw::PRIMARY, Kw::KEY])?;
                ConstraintKind::PrimaryKey(column.to_vec())
            }
            Some(Kw::UNIQUE) => {
                self.advance();
                ConstraintKind::Unique(column.to_vec())
            }
            Some(Kw::REFERENCES) => {
                self.advance();
                let table = self.object_name()?;
                let referenced = if self.at_sym("(") { self.identifier_list()? } else { Vec::new() };
                ConstraintKind::ForeignKey { columns: column.to_vec(), table, referenced }
            }
            _ => {
                self.reset(start);
                return self.table_constraint();
            }
        };
        self.constraint_characteristics(TableConstraint { name, kind, enforced: None, rely: None })
    }

    /// `[NOT] ENFORCED`, `RELY`, `NORELY`.
    fn constraint_characteristics(&mut self, mut constraint: TableConstraint) -> Result<TableConstraint> {
        let (kind, refused) = match constraint.kind {
            ConstraintKind::Check { .. } => ("CHECK", Kw::NOT),
            ConstraintKind::PrimaryKey(_) => ("PRIMARY KEY", Kw::ENFORCED),
            ConstraintKind::Unique(_) => ("UNIQUE", Kw::ENFORCED),
            ConstraintKind::ForeignKey { .. } => ("FOREIGN KEY", Kw::ENFORCED),
        };
        loop {
            if self.at_kw(refused) && (refused == Kw::ENFORCED || self.keyword_at(1) == Some(Kw::ENFORCED)) {
                let shown = if refused == Kw::NOT { "NOT ENFORCED" } else { "ENFORCED" };
                self.later(
                    Error::parse("UNSUPPORTED_CONSTRAINT_CHARACTERISTIC")
                        .param("characteristic", shown)
                        .param("constraintType", kind)
                        .with_message(format!("A {kind} constraint is not {shown}")),
                );
            }
            let negated = self.at_kws(&[Kw::NOT, Kw::ENFORCED]);
            if negated {
                self.advance();
            }
            match self.eat_any(&[Kw::ENFORCED, Kw::RELY, Kw::NORELY]) {
                Some(Kw::ENFORCED) => constraint.enforced = Some(!negated),
                Some(keyword) => constraint.rely = Some(keyword == Kw::RELY),
                None => return Ok(constraint),
            }
        }
    }

    /// A column's type and options; its name is taken already.
    pub fn column_definition(&mut self, mark: usize, name: Vec<String>) -> Result<ColumnDef> {
        let mut column = ColumnDef {
            name,
            data_type: self.data_type()?,
            nullable: true,
            comment: None,
            default: None,
            generated: None,
            identity: None,
            position: None,
            constraints: Vec::new(),
        };
        let mut twice = None;
        while let Some(seen) = self.column_option(&mut column)? {
            twice = twice.or(seen);
        }
        if column.identity.is_some_and(|(_, step, _)| step == 0) {
            return Err(self
                .error(mark, "IDENTITY_COLUMNS_ILLEGAL_STEP")
                .with_message("An identity column does not step by 0"));
        }
        if let Some(option) = twice {
            let error = self
                .error(mark, "CREATE_TABLE_COLUMN_DESCRIPTOR_DUPLICATE")
                .param("columnName", column.name.join("."))
                .param("optionName", option)
                .with_message(format!("{option} of a column is written twice"));
            self.deferring(Err(error), ())?;
        }
        Ok(column)
    }

    /// One option of a column; inside, its name if it was written before. Nothing if none is next.
    #[allow(clippy::option_option)]
    fn column_option(&mut self, column: &mut ColumnDef) -> Result<Option<Option<&'static str>>> {
        let Some(keyword) = self.keyword_at(0) else { return Ok(None) };
        let seen = match keyword {
            Kw::NOT if !column.nullable => Some("NOT NULL"),
            Kw::DEFAULT if column.default.is_some() => Some("DEFAULT"),
            Kw::GENERATED if column.generated.is_some() => Some("GENERATED ALWAYS AS"),
            Kw::COMMENT if column.comment.is_some() => Some("COMMENT"),
            _ => None,
        };
        match keyword {
            Kw::NOT => {
                self.expect_kws(&[Kw::NOT, Kw::NULL])?;
                column.nullable = false;
            }
            Kw::DEFAULT => {
                self.advance();
                column.default = Some(self.expression_with_text()?);
            }
            Kw::GENERATED => {
                self.generated_column(column)?;
            }
            Kw::COMMENT => {
                self.advance();
                column.comment = Some(self.string()?);
            }
            Kw::FIRST => {
                self.advance();
                column.position = Some(ColumnPosition::First);
            }
            Kw::AFTER => {
                self.advance();
                column.position = Some(ColumnPosition::After(self.identifier()?));
            }
            Kw::CONSTRAINT | Kw::PRIMARY | Kw::UNIQUE | Kw::CHECK | Kw::REFERENCES => {
                let constraint = self.column_constraint(&column.name)?;
                column.constraints.push(constraint);
            }
            _ => return Ok(None),
        }
        Ok(Some(seen))
    }

    /// An expression and its text.
    pub fn expression_with_text(&mut self) -> Result<(Expr, String)> {
        let start = self.mark();
        let expr = self.expression()?;
        Ok((expr, self.source_since(start).to_string()))
    }

    /// `GENERATED ALWAYS AS (expr)`, `GENERATED ALWAYS|BY DEFAULT AS IDENTITY (…)`.
    fn generated_column(&mut self, column: &mut ColumnDef) -> Result<()> {
        self.advance();
        let by_default = self.eat_kws(&[Kw::BY, Kw::DEFAULT]);
        if !by_default {
            self.expect_kw(Kw::ALWAYS)?;
        }
        self.expect_kw(Kw::AS)?;
        if self.eat_kw(Kw::IDENTITY) {
            column.identity = Some(self.identity_options(by_default)?);
            return Ok(());
        }
        self.expect_sym("(")?;
        let (_, text) = self.expression_with_text()?;
        self.expect_sym(")")?;
        column.generated = Some(text);
        Ok(())
    }

    fn identity_options(&mut self, by_default: bool) -> Result<(i64, i64, bool)> {
        let (mut start, mut step) = (1, 1);
        if self.eat_sym("(") {
            loop {
                if self.eat_kw(Kw::START) {
                    self.expect_kw(Kw::WITH)?;
                    start = self.signed_integer()?;
                } else if self.eat_kw(Kw::INCREMENT) {
                    self.expect_kw(Kw::BY)?;
                    step = self.signed_integer()?;
                } else {
                    break;
                }
            }
            self.expect_sym(")")?;
        }
        Ok((start, step, by_default))
    }

    fn signed_integer(&mut self) -> Result<i64> {
        let negative = self.eat_sym("-");
        let value = self.integer()?;
        Ok(if negative { -value } else { value })
    }

    /// `(a, bucket(4, b), years(c), d INT)`.
    fn partitioned_by(&mut self, table: &mut CreateTable) -> Result<()> {
        self.expect_sym("(")?;
        loop {
            if self.name_at(0) && self.name_at(1) {
                let mark = self.mark();
                let name = self.identifier()?;
                table.partition_columns.push(self.column_definition(mark, vec![name])?);
            } else {
                table.partitioning.push(self.partition_transform()?);
            }
            if !self.eat_sym(",") {
                break;
            }
        }
        if !table.partitioning.is_empty() && !table.partition_columns.is_empty() {
            let expressions: Vec<String> = table.partitioning.iter().map(transform_text).collect();
            let columns: Vec<String> =
                table.partition_columns.iter().map(|c| format!("{} {}", c.name.join("."), c.data_type)).collect();
            self.later(crate::error::not_allowed(format!(
                "PARTITION BY: Cannot mix partition expressions and partition columns:\nExpressions: {}\nColumns: {}",
                expressions.join(", "),
                columns.join(", ")
            )));
        }
        self.expect_sym(")")
    }

    fn partition_transform(&mut self) -> Result<PartitionTransform> {
        let mark = self.mark();
        if self.name_at(0) && self.sym_at(1, "(") {
            let name = self.identifier()?;
            let args = self.paren_list(|p| {
                let at = p.mark();
                if p.name_at(0) {
                    let parts = p.dotted_name()?;
                    return Ok(p.at(at, Expr::attribute(parts)));
                }
                p.primary()
            })?;
            return Ok(PartitionTransform { name: name.to_lowercase(), args });
        }
        let parts = self.dotted_name()?;
        Ok(PartitionTransform { name: "identity".into(), args: vec![self.at(mark, Expr::attribute(parts))] })
    }

    /// `CLUSTERED BY (a) [SORTED BY (b)] INTO 4 BUCKETS`.
    fn bucket_spec(&mut self) -> Result<BucketSpec> {
        self.expect_kws(&[Kw::CLUSTERED, Kw::BY])?;
        let columns = self.identifier_list()?;
        let mut sort_columns = Vec::new();
        if self.eat_kws(&[Kw::SORTED, Kw::BY]) {
            sort_columns = self.paren_list(|p| {
                let name = p.identifier()?;
                if !p.direction() {
                    p.later(crate::error::not_allowed("Column ordering must be ASC, was 'DESC'"));
                }
                Ok(name)
            })?;
        }
        self.expect_kw(Kw::INTO)?;
        let buckets = self.integer()?.try_into().map_err(|_| self.syntax_error())?;
        self.expect_kw(Kw::BUCKETS)?;
        Ok(BucketSpec { columns, sort_columns, buckets })
    }
}

/// `CREATE TEMPORARY TABLE … USING`, an old spelling of a temporary view over a source.
fn temporary_table(table: CreateTable) -> Option<Command> {
    let provider = table.provider?;
    let fields = table.columns.into_iter().map(|c| StructField::new(c.name.join("."), c.data_type, c.nullable));
    let fields: Vec<StructField> = fields.collect();
    let schema = (!fields.is_empty()).then(|| StructType::new(fields));
    let (name, options) = (table.name, table.options);
    Some(Command::CreateTempViewUsing { name, schema, global: false, replace: false, provider, options })
}

/// A transform as errors show it.
fn transform_text(transform: &PartitionTransform) -> String {
    let args: Vec<String> = transform
        .args
        .iter()
        .map(|arg| match arg.unpositioned() {
            Expr::Attribute(a) => a.parts.join("."),
            other => crate::name::constant_value(other).unwrap_or_default(),
        })
        .collect();
    if transform.name == "identity" { args.join(", ") } else { format!("{}({})", transform.name, args.join(", ")) }
}
