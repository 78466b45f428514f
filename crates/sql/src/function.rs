//! `CREATE FUNCTION`, of a class and in SQL.

use spark::command::{Command, FunctionBody, FunctionParam, FunctionReturn, SqlFunction};
use spark::types::{Metadata, StructField};
use spark::{Error, Result};

use crate::keywords::Kw;
use crate::parser::Parser;

impl Parser<'_> {
    /// `CREATE [OR REPLACE] [TEMPORARY] FUNCTION` behind those words.
    pub fn create_function(&mut self, mark: usize, replace: bool, temporary: bool) -> Result<Command> {
        let if_not_exists = self.if_not_exists();
        if replace && if_not_exists {
            self.later(
                Error::parse("INVALID_SQL_SYNTAX.CREATE_ROUTINE_WITH_IF_NOT_EXISTS_AND_REPLACE")
                    .with_message("OR REPLACE and IF NOT EXISTS do not go together"),
            );
        }
        let name = self.object_name()?;
        if temporary && if_not_exists {
            self.later(
                Error::parse("INVALID_SQL_SYNTAX.CREATE_TEMP_FUNC_WITH_IF_NOT_EXISTS")
                    .with_message("A temporary function has no IF NOT EXISTS"),
            );
        }
        if temporary && !crate::name::is_of_session(&name) {
            self.later(crate::error::qualified_temporary("FUNCTION", &name));
        }
        if self.eat_kw(Kw::AS) {
            return self.class_function(mark, name, temporary, replace, if_not_exists);
        }
        self.sql_function(mark, name, temporary, replace, if_not_exists)
    }

    /// `AS 'class' [USING JAR 'path', …]`.
    fn class_function(
        &mut self,
        mark: usize,
        name: Vec<String>,
        temporary: bool,
        replace: bool,
        if_not_exists: bool,
    ) -> Result<Command> {
        let class = self.string()?;
        let mut resources = Vec::new();
        if self.eat_kw(Kw::USING) {
            resources = self.comma_list(|p| {
                let kind = p.identifier()?.to_lowercase();
                Ok((kind, p.string()?))
            })?;
        }
        if let Some((kind, _)) = resources.iter().find(|(kind, _)| !matches!(kind.as_str(), "jar" | "file" | "archive"))
        {
            return Err(self
                .error(mark, "_LEGACY_ERROR_TEMP_0035")
                .param("message", format!("CREATE FUNCTION with resource type '{kind}'"))
                .with_message(format!("A function has no resource of the kind {kind}")));
        }
        Ok(Command::CreateFunction { name, class, resources, temporary, replace, if_not_exists })
    }

    /// `(params) [RETURNS type|TABLE(…)] characteristics RETURN expression|query`.
    fn sql_function(
        &mut self,
        mark: usize,
        name: Vec<String>,
        temporary: bool,
        replace: bool,
        if_not_exists: bool,
    ) -> Result<Command> {
        self.expect_sym("(")?;
        let params = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::function_parameter)? };
        self.expect_sym(")")?;
        let returns = if self.eat_kw(Kw::RETURNS) { Some(self.function_returns()?) } else { None };
        let mut function = SqlFunction {
            name,
            params,
            returns,
            body: FunctionBody::Expression(spark::Expr::Default),
            text: String::new(),
            statement: String::new(),
            deterministic: None,
            contains_sql: None,
            comment: None,
            collation: None,
            temporary,
            replace,
            if_not_exists,
        };
        self.function_characteristics(mark, &mut function)?;
        self.expect_kw(Kw::RETURN)?;
        let start = self.mark();
        function.body = if self.query_begins(0) && !self.at_sym("(") {
            FunctionBody::Query(Box::new(self.query()?))
        } else {
            FunctionBody::Expression(self.expression()?)
        };
        function.text = self.source_since(start).to_string();
        function.statement = self.source_since(mark).to_string();
        Ok(Command::CreateSqlFunction(Box::new(function)))
    }

    /// `name type [DEFAULT expr] [COMMENT text]`.
    fn function_parameter(&mut self) -> Result<FunctionParam> {
        let mark = self.mark();
        let name = self.identifier()?;
        let column = self.column_definition(mark, vec![name.clone()])?;
        if column.generated.is_some() || column.identity.is_some() {
            return Err(self
                .error(mark, "INVALID_SQL_SYNTAX.CREATE_FUNC_WITH_GENERATED_COLUMNS_AS_PARAMETERS")
                .with_message("A parameter of a function is not generated"));
        }
        if !column.constraints.is_empty() {
            return Err(self
                .error(mark, "INVALID_SQL_SYNTAX.CREATE_FUNC_WITH_COLUMN_CONSTRAINTS")
                .with_message("A parameter of a function has no constraints"));
        }
        if !column.nullable {
            let input = self.source_since(mark).to_string();
            self.later(
                Error::parse("USER_DEFINED_FUNCTIONS.NOT_NULL_ON_FUNCTION_PARAMETERS")
                    .param("input", input)
                    .with_message("A parameter of a function takes nulls"),
            );
        }
        let mut field = StructField::new(name, column.data_type, column.nullable);
        if let Some(comment) = column.comment {
            field.metadata = Metadata::default().with("comment", comment.into());
        }
        Ok(FunctionParam { field, default: column.default })
    }

    fn function_returns(&mut self) -> Result<FunctionReturn> {
        if !self.eat_kw(Kw::TABLE) {
            return self.data_type().map(FunctionReturn::Scalar);
        }
        let fields = if self.eat_sym("(") {
            let schema = self.table_schema()?;
            self.expect_sym(")")?;
            schema.fields
        } else {
            Vec::new()
        };
        Ok(FunctionReturn::Table(fields))
    }

    /// The kind of the characteristic that comes next, as errors name it.
    fn characteristic_ahead(&self) -> Option<&'static str> {
        let kinds: [(&[&[Kw]], &'static str); 8] = [
            (&[&[Kw::DEFAULT, Kw::COLLATION]], "DEFAULT COLLATION"),
            (&[&[Kw::LANGUAGE]], "LANGUAGE"),
            (&[&[Kw::SPECIFIC]], "SPECIFIC"),
            (&[&[Kw::DETERMINISTIC], &[Kw::NOT, Kw::DETERMINISTIC]], "DETERMINISTIC"),
            (&[&[Kw::CONTAINS], &[Kw::READS], &[Kw::NO], &[Kw::MODIFIES]], "SQL DATA ACCESS"),
            (&[&[Kw::COMMENT]], "COMMENT"),
            (&[&[Kw::CALLED]], "NULL CALL"),
            (&[&[Kw::SQL, Kw::SECURITY]], "SQL SECURITY RIGHTS"),
        ];
        kinds.into_iter().find(|(forms, _)| forms.iter().any(|words| self.at_kws(words))).map(|(_, kind)| kind)
    }

    fn function_characteristics(&mut self, mark: usize, function: &mut SqlFunction) -> Result<()> {
        let mut seen: Vec<&'static str> = Vec::new();
        loop {
            if let Some(clause) = self.characteristic_ahead() {
                if seen.contains(&clause) {
                    self.later(
                        Error::parse("DUPLICATE_CLAUSES")
                            .param("clauseName", clause)
                            .with_message(format!("{clause} stands twice in one function")),
                    );
                }
                seen.push(clause);
            }
            if self.eat_kw(Kw::LANGUAGE) {
                let language = self.identifier()?;
                if !language.eq_ignore_ascii_case("sql") && !self.at_kw(Kw::AS) {
                    let language = language.to_uppercase();
                    let message = format!("Unsupported language for user defined functions: {language}");
                    self.later(crate::error::not_allowed(message));
                }
            } else if self.eat_kw(Kw::SPECIFIC) {
                self.identifier()?;
            } else if self.eat_kw(Kw::DETERMINISTIC) {
                function.deterministic = Some(true);
            } else if self.eat_kws(&[Kw::NOT, Kw::DETERMINISTIC]) {
                function.deterministic = Some(false);
            } else if self.eat_kws(&[Kw::CONTAINS, Kw::SQL]) {
                function.contains_sql = Some(true);
            } else if self.eat_kws(&[Kw::READS, Kw::SQL, Kw::DATA]) {
                function.contains_sql = Some(false);
            } else if self.at_kw(Kw::NO) || self.at_kw(Kw::MODIFIES) {
                let words = if self.at_kw(Kw::NO) { "NO SQL" } else { "MODIFIES SQL DATA" };
                return Err(self
                    .error(mark, "_LEGACY_ERROR_TEMP_0035")
                    .param("message", format!("SQL function with {words} is not supported"))
                    .with_message(format!("A function with {words} is not supported")));
            } else if self.eat_kws(&[Kw::DEFAULT, Kw::COLLATION]) {
                function.collation = Some(self.object_name()?.join("."));
            } else if self.eat_kw(Kw::COMMENT) {
                function.comment = Some(self.string()?);
            } else if self.at_kw(Kw::CALLED) {
                self.expect_kws(&[Kw::CALLED, Kw::ON, Kw::NULL, Kw::INPUT])?;
            } else if self.at_kws(&[Kw::SQL, Kw::SECURITY]) {
                self.expect_kws(&[Kw::SQL, Kw::SECURITY])?;
                match self.eat_any(&[Kw::INVOKER, Kw::DEFINER]) {
                    Some(Kw::DEFINER) => {}
                    Some(_) => {
                        self.later(crate::error::not_allowed(
                            "SQL function with SQL SECURITY INVOKER is not supported",
                        ));
                    }
                    None => return Err(self.syntax_error()),
                }
            } else {
                return Ok(());
            }
        }
    }
}
