//! `df.transpose`: rows become columns, named by the values of the index column.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use datafusion::scalar::ScalarValue;
use functions::error::from_datafusion;
use functions::types::to_arrow;
use functions::{coerce, scalar};
use spark::expr::{CastMode, SortOrder};
use spark::plan::SortKeys;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Expr, Literal, Node, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::scope::{Attr, Rel};
use crate::world::{Answer, Need, Query};

impl Analyzer<'_> {
    pub(super) fn transpose(&mut self, input: &Plan, index: &[Expr]) -> Result<Rel> {
        let rel = self.relation(input)?;
        let Some(index) = self.index_column(&rel, index)? else {
            return self.in_memory(Vec::new(), &StructType::default());
        };
        let others: Vec<(usize, Attr)> = rel
            .output
            .iter()
            .enumerate()
            .filter(|(_, a)| a.id != rel.output[index].id)
            .map(|(i, a)| (i, a.clone()))
            .collect();
        let ty = self.common_type_of(&others)?;
        let rows = self.rows_by_index(input, rel.output.len(), index, &others, &ty)?;
        let mut fields = vec![StructField::new("key", DataType::STRING, false)];
        let names = others.iter().map(|(_, a)| ScalarValue::Utf8(Some(a.name.clone())));
        let mut columns = vec![array(names, &DataType::STRING)?];
        for row in &rows {
            let (name, values) = row.split_first().ok_or_else(|| Error::internal("a row has an index"))?;
            let Literal::String(name) = name else { return Err(Error::internal("the index is text")) };
            fields.push(StructField::new(name, ty.clone(), true));
            let values = values.iter().map(scalar::to_scalar).collect::<Result<Vec<_>>>()?;
            columns.push(array(values.into_iter(), &ty)?);
        }
        let schema = StructType::new(fields);
        let arrow: Vec<_> = schema
            .fields
            .iter()
            .enumerate()
            .map(|(i, f)| arrow::datatypes::Field::new(format!("c{i}"), to_arrow(&f.data_type), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(others.len()));
        let batch = RecordBatch::try_new_with_options(arrow::datatypes::Schema::new(arrow).into(), columns, &options)
            .map_err(|e| from_datafusion(e.into()))?;
        self.in_memory(vec![batch], &schema)
    }

    /// The position of the column whose values name the new columns; `None` if there are no columns.
    fn index_column(&mut self, rel: &Rel, index: &[Expr]) -> Result<Option<usize>> {
        let refuse = |reason: String| Err(Error::analysis("TRANSPOSE_INVALID_INDEX_COLUMN").param("reason", reason));
        let position = match index {
            [] if rel.output.is_empty() => return Ok(None),
            [] => 0,
            [column] => {
                let mut scope = Scope::new(rel, "transpose");
                let typed = self.resolve(column, &mut scope)?;
                let found = rel.output.iter().position(|a| a.expr() == typed.expr);
                match found {
                    Some(position) => position,
                    None => return refuse("Index column must be an atomic attribute".into()),
                }
            }
            _ => return refuse("Multiple index columns are not supported".into()),
        };
        let ty = &rel.output[position].ty;
        if ty.is_complex() || matches!(ty, DataType::Variant | DataType::Null) {
            return refuse(format!("Index column must be of atomic type, but found: {}", printed(ty)));
        }
        Ok(Some(position))
    }

    fn common_type_of(&self, columns: &[(usize, Attr)]) -> Result<DataType> {
        let Some((_, first)) = columns.first() else { return Ok(DataType::STRING) };
        let mut common = first.ty.clone();
        for (_, attr) in &columns[1..] {
            let pair = [common.clone(), attr.ty.clone()];
            let mixed = common.is_string() != attr.ty.is_string() && !pair.contains(&DataType::Null);
            common = match coerce::common_type_without_strings(&pair, &self.settings) {
                Some(wider) if !mixed => wider,
                _ => {
                    return Err(Error::analysis("TRANSPOSE_NO_LEAST_COMMON_TYPE")
                        .param("dt1", format!("\"{}\"", common.sql()))
                        .param("dt2", format!("\"{}\"", attr.ty.sql())));
                }
            };
        }
        Ok(common)
    }

    /// The rows in the order of the index: its value as text, then the values of the other columns in
    /// their common type.
    fn rows_by_index(
        &mut self,
        input: &Plan,
        width: usize,
        index: usize,
        others: &[(usize, Attr)],
        ty: &DataType,
    ) -> Result<Vec<Vec<Literal>>> {
        const LIMIT: &str = "spark.sql.transposeMaxValues";
        let limit = self.settings.conf.get_int(LIMIT, 500);
        let column = |i: usize| Expr::attribute([format!("c{i}")]);
        let names = (0..width).map(|i| format!("c{i}")).collect();
        let named = Plan::boxed(Node::ToDf { input: Box::new(input.clone()), names });
        // Rows of one index keep their order.
        let number = Expr::call("monotonically_increasing_id", Vec::new()).alias("row");
        let named = Plan::boxed(Node::WithColumns { input: named, columns: vec![number] });
        let present = Expr::call("isnotnull", vec![column(index)]);
        let filtered = Plan::boxed(Node::Filter { input: named, condition: present });
        let key = |child| SortOrder { child, ascending: true, nulls_first: None };
        let keys = SortKeys::Keys(vec![key(column(index)), key(Expr::attribute(["row"]))]);
        let sorted = Plan::boxed(Node::Sort { input: filtered, order: keys, global: true });
        let cast =
            |child: Expr, to: &DataType| Expr::Cast { child: Box::new(child), to: to.clone(), mode: CastMode::Session };
        let mut exprs = vec![cast(column(index), &DataType::STRING)];
        exprs.extend(others.iter().map(|(i, _)| cast(column(*i), ty)));
        let exprs = exprs.into_iter().enumerate().map(|(i, e)| e.alias(format!("v{i}"))).collect();
        let projected = Plan::boxed(Node::Project { input: sorted, exprs });
        let most = Literal::Integer(i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX));
        let limited = Node::Limit { input: projected, limit: Expr::Literal(most) };
        match self.ask_found(Need::Query(Query::new(limited.into())))? {
            Answer::Rows(rows) if rows.len() as i64 > limit => Err(Error::analysis("TRANSPOSE_EXCEED_ROW_LIMIT")
                .param("maxValues", limit.to_string())
                .param("config", LIMIT)),
            Answer::Rows(rows) => Ok(rows.clone()),
            _ => Err(Error::internal("a query is answered with rows")),
        }
    }
}

fn array(values: impl Iterator<Item = ScalarValue>, ty: &DataType) -> Result<ArrayRef> {
    let arrow = to_arrow(ty);
    let mut typed = Vec::new();
    for value in values {
        let missing = value.is_null();
        typed.push(if missing { ScalarValue::try_from(&arrow).map_err(from_datafusion)? } else { value });
    }
    if typed.is_empty() {
        return Ok(new_empty_array(&arrow));
    }
    ScalarValue::iter_to_array(typed).map_err(from_datafusion)
}

/// A nested type as Spark's own text of it.
fn printed(ty: &DataType) -> String {
    match ty {
        DataType::Array { element, contains_null } => format!("ArrayType({},{contains_null})", printed(element)),
        DataType::Map { key, value, value_contains_null } => {
            format!("MapType({},{},{value_contains_null})", printed(key), printed(value))
        }
        DataType::Struct(fields) => {
            let fields = fields.fields.iter();
            let fields: Vec<String> =
                fields.map(|f| format!("StructField({},{},{})", f.name, printed(&f.data_type), f.nullable)).collect();
            format!("StructType({})", fields.join(","))
        }
        DataType::Integer => "IntegerType".into(),
        DataType::Decimal { precision, scale } => format!("DecimalType({precision},{scale})"),
        other => {
            let name = other.simple_string();
            let mut letters = name.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            match name.as_str() {
                "bigint" => "LongType".into(),
                "smallint" => "ShortType".into(),
                "tinyint" => "ByteType".into(),
                _ => format!("{first}{}Type", letters.as_str()),
            }
        }
    }
}
