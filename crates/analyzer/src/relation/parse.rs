//! `spark.read.json(df)`, `csv(df)`, `xml(df)`: the texts of a column as rows.

use functions::error::from_datafusion;
use functions::parse_text::ParseText;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Expr, Literal, Node, Plan, Result};

use crate::context::Analyzer;
use crate::expr::list::Bound;
use crate::relation::columns::all_columns;
use crate::scope::{Attr, Made, Rel};
use crate::world::{Answer, Need, Query};

type Pairs<'a> = &'a [(String, String)];

impl Analyzer<'_> {
    /// The only column, as records of a format.
    pub(super) fn parse_text(
        &mut self,
        input: &Plan,
        format: &str,
        schema: Option<&StructType>,
        options: Pairs,
    ) -> Result<Rel> {
        let rel = self.relation(input)?;
        let [column] = rel.output.as_slice() else {
            return Err(Error::analysis("DATAFRAME_INPUT_NOT_SINGLE_COLUMN")
                .param("numColumns", rel.output.len().to_string())
                .with_message("The texts to parse are the only column of a DataFrame."));
        };
        if !column.ty.is_string() {
            return Err(Error::analysis("DATAFRAME_INPUT_NOT_STRING_TYPE")
                .param("dataType", format!("\"{}\"", column.ty.sql()))
                .with_message("The texts to parse are a column of type STRING."));
        }
        let format = format.to_lowercase();
        let options = self.with_session_options(options);
        let schema = match schema {
            Some(schema) => all_nullable(schema),
            None => self.inferred(input, &format, &options)?,
        };
        if format == "xml" {
            return self.parse_xml(&rel, &schema, &options);
        }
        let header = match format.as_str() {
            "csv" if option(&options, "header").is_some_and(|h| h.eq_ignore_ascii_case("true")) => {
                self.first_text(input, option(&options, "comment"))?
            }
            _ => None,
        };
        let input = self.project_values(&rel, all_columns(&rel))?;
        let output: Vec<Attr> = schema
            .fields
            .iter()
            .map(|f| Attr {
                id: self.fresh_id(),
                name: f.name.clone(),
                qualifier: Vec::new(),
                ty: f.data_type.clone(),
                nullable: true,
                metadata: f.metadata.clone(),
            })
            .collect();
        let names: Vec<String> = output.iter().map(Attr::column_name).collect();
        let mut parse =
            ParseText::new(input.exact_plan()?, &format, &options, &schema, &names).map_err(from_datafusion)?;
        parse.header = header;
        parse.time_zone = self.settings.time_zone.clone();
        Ok(Rel::new(parse.plan(), output, Made::Opaque, &[&rel]))
    }

    fn with_session_options(&self, options: Pairs) -> Vec<(String, String)> {
        const CORRUPT: &str = "columnNameOfCorruptRecord";
        let mut options = options.to_vec();
        if option(&options, CORRUPT).is_none()
            && let Some(name) = self.settings.conf.get("spark.sql.columnNameOfCorruptRecord")
        {
            options.push((CORRUPT.into(), name.to_string()));
        }
        options
    }

    fn inferred(&mut self, input: &Plan, format: &str, options: Pairs) -> Result<StructType> {
        let texts = Query::new(input.clone());
        match self.ask_found(Need::TextSchema { texts, format: format.into(), options: options.to_vec() })? {
            Answer::Schema(schema) => Ok(schema.clone()),
            _ => Err(Error::internal("the schema of texts is a schema")),
        }
    }

    /// The first text that is neither empty nor a comment: the header.
    fn first_text(&mut self, input: &Plan, comment: Option<&str>) -> Result<Option<String>> {
        let text = |value: &str| Expr::Literal(Literal::String(value.into()));
        let named = Plan::boxed(Node::ToDf { input: Box::new(input.clone()), names: vec!["value".into()] });
        let value = || Expr::attribute(["value"]);
        let trimmed = Expr::call("trim", vec![value()]);
        let mut condition = Expr::call("!=", vec![trimmed, text("")]);
        if let Some(comment) = comment.filter(|c| !c.is_empty()) {
            let is_comment = Expr::call("startswith", vec![value(), text(comment)]);
            condition = Expr::call("and", vec![condition, Expr::call("not", vec![is_comment])]);
        }
        let filtered = Plan::boxed(Node::Filter { input: named, condition });
        let first = Node::Limit { input: filtered, limit: Expr::Literal(Literal::Integer(1)) };
        match self.ask_found(Need::Query(Query::new(first.into())))? {
            Answer::Rows(rows) => Ok(rows.first().and_then(|row| match row.as_slice() {
                [Literal::String(header)] => Some(header.clone()),
                _ => None,
            })),
            _ => Err(Error::internal("a query is answered with rows")),
        }
    }

    /// XML goes through the function that reads one element.
    fn parse_xml(&mut self, rel: &Rel, schema: &StructType, options: Pairs) -> Result<Rel> {
        let column = rel.output.first().ok_or_else(|| Error::internal("there is a column"))?;
        let text = self.bound(Bound { typed: column.typed(), attr: Some(column.clone()) });
        let mut args = vec![text, Expr::Literal(Literal::String(schema.to_ddl()))];
        // The row tag only matters where elements are looked for in a file.
        let members: Vec<Expr> = options
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("rowTag"))
            .flat_map(|(key, value)| [key, value])
            .map(|text| Expr::Literal(Literal::String(text.clone())))
            .collect();
        if !members.is_empty() {
            args.push(Expr::call("map", members));
        }
        let parsed = self.project_rel(rel, &[Expr::call("from_xml", args).alias("parsed")])?;
        let star = spark::expr::UnresolvedStar { target: vec!["parsed".into()], ..Default::default() };
        let fields = self.project_rel(&parsed, &[Expr::Star(star)])?;
        let output = fields.output.iter().map(Attr::as_nullable).collect();
        Ok(fields.renamed(output))
    }
}

fn option<'a>(options: Pairs<'a>, key: &str) -> Option<&'a str> {
    options.iter().rev().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_str())
}

/// Texts may lack anything.
fn all_nullable(schema: &StructType) -> StructType {
    let field = |f: &StructField| StructField { data_type: nullable(&f.data_type), nullable: true, ..f.clone() };
    StructType::new(schema.fields.iter().map(field).collect())
}

fn nullable(ty: &DataType) -> DataType {
    match ty {
        DataType::Struct(fields) => DataType::Struct(all_nullable(fields)),
        DataType::Array { element, .. } => DataType::array(nullable(element), true),
        DataType::Map { key, value, .. } => DataType::Map {
            key: std::sync::Arc::new(nullable(key)),
            value: std::sync::Arc::new(nullable(value)),
            value_contains_null: true,
        },
        other => other.clone(),
    }
}
