//! Where rows come from: tables, files, literals, ranges, table functions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema};
use arrow::ipc::reader::StreamReader;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, SubqueryAlias, TableScanBuilder, TableSource};
use datafusion::scalar::ScalarValue;
use functions::canonical::to_canonical;
use functions::error::from_datafusion;
use functions::families::collation::is_collated;
use functions::types::{schema_from_arrow, to_arrow};
use functions::{coerce, fold};
use spark::plan::{DataSource, Options};
use spark::types::{DataType, Metadata, StructField, StructType};
use spark::{Error, Expr, Plan, Result};

use crate::context::Analyzer;
use crate::expr::attribute::quoted;
use crate::expr::{Scope, char_padding};
use crate::scope::{Attr, METADATA, Made, Rel, project};
use crate::world::{Answer, Need, Query, Table};

/// The column of a scan of files that `input_file_name()` shows.
const FILE_NAME: &str = "#input_file_name";

impl Analyzer<'_> {
    /// A table, view or CTE by name.
    pub(super) fn table(&mut self, name: &[String], options: &Options, time_travel: bool, plan: &Plan) -> Result<Rel> {
        if let [single] = name {
            if let Some(rel) = self.cte(single)? {
                return Ok(rel);
            }
            if let Some(reference) = self.reference(single) {
                return self.relation(&reference);
            }
        }
        let travel = |name: &[String]| {
            Err(Error::analysis("UNSUPPORTED_FEATURE.TIME_TRAVEL").param("relationId", quoted(name)).nowhere())
        };
        let travels = |key: &str, default: &str| {
            let key = self.settings.conf.get(key).unwrap_or(default);
            options.iter().any(|(k, _)| k.eq_ignore_ascii_case(key))
        };
        let time_travel = time_travel
            || travels("spark.sql.timeTravelTimestampKey", "timestampAsOf")
            || travels("spark.sql.timeTravelVersionKey", "versionAsOf");
        match self.ask_relation(name, options)? {
            Answer::Table(table) => {
                let table = table.clone();
                let qualifier = if table.name.is_empty() { name.to_vec() } else { table.name.clone() };
                if time_travel {
                    return travel(&qualifier);
                }
                self.scan(&table, &qualifier)
            }
            Answer::View(view) => {
                let view = view.clone();
                if time_travel {
                    return travel(if view.name.is_empty() { name } else { &view.name });
                }
                self.view(&view, plan.origin.as_ref())
            }
            _ if name.len() > 2 && !self.same_name(&name[0], "spark_catalog") => {
                Err(Error::analysis("REQUIRES_SINGLE_PART_NAMESPACE")
                    .param("sessionCatalog", "spark_catalog")
                    .param("identifier", quoted(name))
                    .at(plan.origin.as_ref()))
            }
            _ => Err(Error::analysis("TABLE_OR_VIEW_NOT_FOUND")
                .param("relationName", quoted(name))
                .param("searchPath", self.search_path())
                .with_message(format!("There is no table or view {}.", quoted(name)))
                .at(plan.origin.as_ref())),
        }
    }

    /// A DataFrame that came with the query under an alias.
    fn reference(&self, alias: &str) -> Option<Plan> {
        self.references
            .iter()
            .rev()
            .flatten()
            .find(|p| match &p.node {
                spark::Node::SubqueryAlias { alias: a, .. } => a.len() == 1 && self.same_name(&a[0], alias),
                _ => false,
            })
            .cloned()
    }

    pub(super) fn data_source(&mut self, source: &DataSource) -> Result<Rel> {
        // Spark does not say where the files were asked for.
        match self.ask_found(Need::Source(source.clone())).map_err(Error::nowhere)? {
            Answer::Table(table) => {
                let table = table.clone();
                self.scan(&table, &table.name)
            }
            _ => {
                Err(Error::analysis("DATA_SOURCE_NOT_FOUND")
                    .param("provider", source.format.clone().unwrap_or_default()))
            }
        }
    }

    pub(super) fn range(&mut self, start: i64, end: i64, step: i64, partitions: Option<i32>) -> Result<Rel> {
        if step == 0 {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "INVALID_PARAMETER_VALUE.ZERO_INDEX")
                .with_message("The step of a range cannot be 0."));
        }
        match self.ask_found(Need::Range { start, end, step, partitions })? {
            Answer::Table(table) => {
                let table = table.clone();
                self.scan(&table, &[])
            }
            _ => Err(Error::internal("a range is a table")),
        }
    }

    pub(super) fn remote_relation(&mut self, id: &str) -> Result<Rel> {
        if let Some(rel) = self.at_hand.get(id) {
            return Ok(rel.clone());
        }
        match self.ask_found(Need::Remote(id.to_string()))? {
            Answer::Table(table) => {
                let table = table.clone();
                self.scan(&table, &[])
            }
            _ => Err(Error::analysis("CONNECT_INVALID_PLAN.NOT_FOUND_CACHED_REMOTE_RELATION")
                .with_message(format!("No checkpointed relation has the id {id}."))),
        }
    }

    pub(super) fn command_result(&mut self, plan: &Plan) -> Result<Rel> {
        match self.ask_found(Need::CommandResult(Query::new(plan.clone())))? {
            Answer::Table(table) => {
                let table = table.clone();
                self.scan(&table, &[])
            }
            _ => Err(Error::internal("the result of a command is a table")),
        }
    }

    /// A scan whose columns are attributes of the given qualifier.
    ///
    /// # Errors
    /// If the source does not have the columns its schema says: a defect.
    pub fn scan(&mut self, table: &Table, qualifier: &[String]) -> Result<Rel> {
        let label = table.name.last().cloned().unwrap_or_else(|| "source".into());
        self.scan_source(&label, table.source.clone(), &table.schema, qualifier)
    }

    fn scan_source(
        &mut self,
        label: &str,
        source: Arc<dyn TableSource>,
        schema: &StructType,
        qualifier: &[String],
    ) -> Result<Rel> {
        let source_schema = source.schema();
        let names: Vec<String> = source_schema.fields().iter().map(|f| f.name().clone()).collect();
        let reference = TableReference::bare(label);
        let rows = read(&reference, source)?;
        let output: Vec<Attr> = schema
            .fields
            .iter()
            .map(|f| Attr {
                id: self.fresh_id(),
                name: f.name.clone(),
                qualifier: qualifier.to_vec(),
                ty: f.data_type.clone(),
                nullable: f.nullable,
                metadata: f.metadata.clone(),
            })
            .collect();
        let column = |name: &str| DfExpr::Column(Column::new(Some(reference.clone()), name));
        let mut exprs: Vec<DfExpr> =
            output.iter().zip(&names).map(|(a, name)| self.as_read(column(name), a).alias(a.column_name())).collect();
        let arrow = source_schema.fields();
        let made = match arrow.get(output.len()..).filter(|b| b.iter().any(|f| f.name() == FILE_NAME)) {
            Some(behind) => self.file_columns(behind, qualifier, &column, &mut exprs)?,
            None => Made::Opaque,
        };
        let plan = project(exprs, &rows)?;
        Ok(Rel::new(plan, output, made, &[]))
    }

    /// A column of a table as queries see it.
    fn as_read(&self, column: DfExpr, attr: &Attr) -> DfExpr {
        match char_padding::length_of(&attr.metadata).filter(|_| char_padding::pads_on_read(&self.settings)) {
            Some(length) => functions::families::string::limit::padded(column, length),
            None => column,
        }
    }

    /// The columns behind those of a table that say which file a row is from; `exprs` gets what they are.
    fn file_columns(
        &mut self,
        fields: &[FieldRef],
        qualifier: &[String],
        column: &dyn Fn(&str) -> DfExpr,
        exprs: &mut Vec<DfExpr>,
    ) -> Result<Made> {
        let types = schema_from_arrow(&Schema::new(fields.to_vec()))?;
        let (mut names, mut values, mut file) = (Vec::new(), Vec::new(), None);
        for field in types.fields {
            let typed = functions::Typed::new(column(&field.name), field.data_type, false, field.name.as_str());
            match field.name.strip_prefix("#file_") {
                Some(short) => {
                    names.push(format!("file_{short}"));
                    values.push(typed);
                }
                None => file = Some(typed),
            }
        }
        let file = file.ok_or_else(|| Error::internal("a scan of files has their names"))?;
        let marks = serde_json::json!({ "__metadata_col": METADATA, "__file_source_metadata_col": true });
        let mut metadata = functions::families::structs::struct_of(names, values);
        metadata.metadata = Metadata::from_json(&marks);
        let mut attr = |name: &str, typed: functions::Typed| {
            let attr = Attr { qualifier: qualifier.to_vec(), ..self.fresh_attr(name.to_string(), &typed) };
            exprs.push(typed.expr.alias(attr.column_name()));
            attr
        };
        Ok(Made::Files { metadata: attr(METADATA, metadata), name: attr(FILE_NAME, file) })
    }

    /// Rows in memory; columns are of the canonical types of `schema`.
    ///
    /// # Errors
    /// If they are not.
    pub fn in_memory(&mut self, batches: Vec<RecordBatch>, schema: &StructType) -> Result<Rel> {
        let arrow = Arc::new(positional_schema(schema));
        let batches = batches
            .into_iter()
            .map(|b| {
                let options = RecordBatchOptions::new().with_row_count(Some(b.num_rows()));
                RecordBatch::try_new_with_options(arrow.clone(), b.columns().to_vec(), &options)
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|e| from_datafusion(e.into()))?;
        let table = MemTable::try_new(arrow, vec![batches]).map_err(from_datafusion)?;
        self.scan_source("local", provider_as_source(Arc::new(table)), schema, &[])
    }

    /// Rows a client sent as one Arrow IPC stream.
    pub(super) fn local_relation(&mut self, data: Option<&[u8]>, schema: Option<&str>) -> Result<Rel> {
        let declared = schema.map(|s| self.parse_schema(s).map_err(Error::nowhere)).transpose()?;
        let (batches, sent) = match data {
            Some(data) => read_ipc(data)?,
            None => (Vec::new(), None),
        };
        let schema = match (declared, sent) {
            (Some(declared), _) => declared,
            (None, Some(sent)) => sent,
            (None, None) => {
                return Err(Error::new(
                    spark::ErrorKind::InvalidPlan,
                    "CONNECT_INVALID_PLAN.LOCAL_RELATION_WITHOUT_SCHEMA",
                )
                .with_message("A local relation has neither data nor a schema."));
            }
        };
        let batches = batches.iter().map(|b| canonical_batch(b, &schema)).collect::<Result<Vec<_>>>()?;
        self.in_memory(batches, &schema)
    }

    /// `VALUES`; `names` are what an alias calls its columns, for errors.
    pub(super) fn inline_table(&mut self, rows: &[Vec<Expr>], names: &[String]) -> Result<Rel> {
        let empty = super::one_row();
        let width = rows.first().map_or(0, Vec::len);
        let mut columns: Vec<Vec<functions::Typed>> = vec![Vec::with_capacity(rows.len()); width];
        for (i, row) in rows.iter().enumerate() {
            if row.len() != width {
                return Err(Error::analysis("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH")
                    .param("expectedNumCols", width.to_string())
                    .param("actualNumCols", row.len().to_string())
                    .param("rowIndex", i.to_string()));
            }
            for (column, expr) in columns.iter_mut().zip(row) {
                column.push(self.inline_cell(expr, &empty)?);
            }
        }
        let mut fields = Vec::with_capacity(width);
        let mut arrays = Vec::with_capacity(width);
        for (i, cells) in columns.into_iter().enumerate() {
            let (field, array) = self.inline_column(i, cells, names.get(i))?;
            fields.push(field);
            arrays.push(array);
        }
        let schema = StructType::new(fields);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(Arc::new(positional_schema(&schema)), arrays, &options)
            .map_err(|e| from_datafusion(e.into()))?;
        self.in_memory(vec![batch], &schema)
    }

    fn inline_cell(&mut self, expr: &Expr, empty: &Rel) -> Result<functions::Typed> {
        let mut scope = Scope::new(empty, "VALUES");
        let typed = self.resolve(expr, &mut scope)?;
        if super::project::has_subquery(&typed.expr) {
            return Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.SCALAR_SUBQUERY_IN_VALUES"));
        }
        if !typed.foldable() {
            let error = Error::analysis("INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE")
                .param("expr", format!("\"{}\"", typed.name));
            return Err(match expr {
                Expr::At { origin, .. } => error.at(Some(origin)),
                _ => error,
            });
        }
        Ok(typed)
    }

    fn inline_column(
        &mut self,
        i: usize,
        cells: Vec<functions::Typed>,
        alias: Option<&String>,
    ) -> Result<(StructField, ArrayRef)> {
        let mut types: Vec<DataType> = Vec::new();
        for cell in &cells {
            if !types.contains(&cell.ty) {
                types.push(cell.ty.clone());
            }
        }
        let name = format!("col{}", i + 1);
        // Rows of a table are not made strings, nor strings what the other rows are.
        let strings = types.iter().filter(|t| t.is_string()).count();
        let collated = types.len() > 1 && types.iter().any(is_collated);
        let mixed =
            strings > 1 || collated || (strings == 1 && types.iter().any(|t| !t.is_string() && *t != DataType::Null));
        let common = if mixed { None } else { coerce::common_type(&types, &self.settings) };
        let Some(ty) = common else {
            return Err(Error::analysis("INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE")
                .param("colName", spark::types::quote_identifier(alias.unwrap_or(&name))));
        };
        let nullable = cells.iter().any(|c| c.nullable);
        let arrow = to_arrow(&ty);
        let mut scalars = Vec::with_capacity(cells.len());
        for cell in &cells {
            let cast = coerce::cast_implicitly(cell, &ty, &self.settings);
            let value = fold::evaluate(&cast).map_err(|_| {
                Error::analysis("INVALID_INLINE_TABLE.FAILED_SQL_EXPRESSION_EVALUATION")
                    .param("sqlExpr", format!("\"{}\"", cell.name))
                    .with_message(format!("{} cannot be computed for a row of a table.", cell.name))
            })?;
            scalars.push(if value.is_null() { ScalarValue::try_from(&arrow).map_err(from_datafusion)? } else { value });
        }
        let array = if scalars.is_empty() {
            arrow::array::new_empty_array(&arrow)
        } else {
            ScalarValue::iter_to_array(scalars).map_err(from_datafusion)?
        };
        Ok((StructField::new(name, ty, nullable), array))
    }

    /// A function in `FROM`.
    pub(super) fn table_function(&mut self, name: &[String], args: &[Expr]) -> Result<Rel> {
        if crate::expr::function::builtin_name(name).as_deref() == Some("range") {
            return self.range_function(args);
        }
        let empty = super::one_row();
        let call = spark::expr::UnresolvedFunction { name: name.to_vec(), args: args.to_vec(), ..Default::default() };
        if let Some(generator) = self.generator(&call, &mut Scope::new(&empty, "FROM"))? {
            let (rel, columns) = self.generate(&empty, generator, &[])?;
            return Ok(rel.renamed(columns));
        }
        match self.ask_function(name)? {
            Answer::SqlFunction(function) => {
                let function = function.clone();
                self.sql_table_function(&function, args)
            }
            _ if crate::expr::function::is_builtin(name) => {
                Err(Error::analysis("NOT_A_TABLE_FUNCTION").param("functionName", quoted(name)))
            }
            _ => Err(Error::analysis("UNRESOLVABLE_TABLE_VALUED_FUNCTION").param("name", quoted(name))),
        }
    }

    fn range_function(&mut self, args: &[Expr]) -> Result<Rel> {
        let empty = super::one_row();
        let mut values = Vec::new();
        for arg in args {
            let typed = self.resolve(arg, &mut Scope::new(&empty, "FROM"))?;
            // Spark counts the step before the end here.
            let at = if args.len() == 1 { 2 } else { values.len() + 1 };
            let unexpected = || {
                Error::analysis("UNEXPECTED_INPUT_TYPE")
                    .param("paramIndex", functions::call::ordinal(at))
                    .param("functionName", "`range`")
                    .param("requiredType", "\"BIGINT\"")
                    .param("inputSql", format!("\"{}\"", typed.name))
                    .param("inputType", format!("\"{}\"", typed.ty.sql()))
            };
            if typed.foldable() && !typed.ty.is_numeric() && !typed.ty.is_string() && typed.ty != DataType::Null {
                return Err(unexpected());
            }
            if !typed.foldable() {
                return Err(Error::analysis("NON_FOLDABLE_ARGUMENT")
                    .param("funcName", "`range`")
                    .param("paramName", if args.len() == 1 || values.len() == 1 { "`end`" } else { "`start`" })
                    .param("paramType", "\"BIGINT\""));
            }
            let cast = coerce::cast_implicitly(&typed, &DataType::Long, &self.settings);
            let number = functions::fold::evaluate(&cast)?;
            let value = (!number.is_null()).then(|| fold::integer(&cast)).flatten().ok_or_else(unexpected)?;
            values.push(value);
        }
        match values.as_slice() {
            [end] => self.range(0, *end, 1, None),
            [start, end] => self.range(*start, *end, 1, None),
            [_, _, 0] | [_, _, 0, _] => Err(Error::new(spark::ErrorKind::IllegalArgument, "FAILED_FUNCTION_CALL")
                .param("funcName", "`range`")
                .with_message("The step of a range cannot be 0.")),
            [start, end, step] => self.range(*start, *end, *step, None),
            [start, end, step, n] => self.range(*start, *end, *step, i32::try_from(*n).ok()),
            _ => Err(Error::analysis("WRONG_NUM_ARGS.WITHOUT_SUGGESTION")
                .param("functionName", "`range`")
                .param("expectedNum", "[1, 2, 3, 4]")
                .param("actualNum", values.len().to_string())
                .param("docroot", "https://spark.apache.org/docs/latest")),
        }
    }
}

/// The Arrow schema of in-memory rows: columns by position, as names may repeat.
fn positional_schema(schema: &StructType) -> Schema {
    let fields = schema
        .fields
        .iter()
        .enumerate()
        .map(|(i, f)| arrow::datatypes::Field::new(format!("c{i}"), to_arrow(&f.data_type), true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// The batches of an IPC stream and what their schema means in Spark.
fn read_ipc(data: &[u8]) -> Result<(Vec<RecordBatch>, Option<StructType>)> {
    let malformed = |e: arrow::error::ArrowError| {
        Error::new(spark::ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.CANNOT_PARSE")
            .param("errorMsg", e.to_string())
            .with_message(format!("The local relation is not an Arrow IPC stream: {e}"))
    };
    let reader = StreamReader::try_new(data, None).map_err(malformed)?;
    check_signed(reader.schema().fields())?;
    let schema = schema_from_arrow(&reader.schema())?;
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(malformed)?;
    Ok((batches, Some(schema)))
}

/// Refuses numbers without a sign, which clients do not send: files hold them, and they are widened there.
fn check_signed(fields: &arrow::datatypes::Fields) -> Result<()> {
    use arrow::datatypes::DataType as Arrow;
    fn check(ty: &Arrow) -> Result<()> {
        let bits = match ty {
            Arrow::UInt8 => 8,
            Arrow::UInt16 => 16,
            Arrow::UInt32 => 32,
            Arrow::UInt64 => 64,
            Arrow::List(f) | Arrow::LargeList(f) | Arrow::Map(f, _) => return check(f.data_type()),
            Arrow::Struct(fields) => return check_signed(fields),
            _ => return Ok(()),
        };
        let name = format!("Int({bits}, false)");
        Err(Error::new(spark::ErrorKind::Unsupported, "UNSUPPORTED_ARROWTYPE")
            .with_message(format!("Rows from a client cannot have the Arrow type {name}."))
            .param("typeName", name))
    }
    fields.iter().try_for_each(|f| check(f.data_type()))
}

/// The batch with columns of the canonical types of `schema`, by position.
fn canonical_batch(batch: &RecordBatch, schema: &StructType) -> Result<RecordBatch> {
    if batch.num_columns() != schema.fields.len() {
        return Err(Error::new(spark::ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.CANNOT_PARSE").with_message(
            format!("The local relation has {} columns but its schema {}.", batch.num_columns(), schema.fields.len()),
        ));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(&schema.fields)
        .map(|(c, f)| to_canonical(c, &f.data_type))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(positional_schema(schema)), columns, &options)
        .map_err(|e| from_datafusion(e.into()))
}

/// The rows of a source under a name: the plan behind it where there is one, to be optimized with all around it.
fn read(name: &TableReference, source: Arc<dyn TableSource>) -> Result<LogicalPlan> {
    match source.get_logical_plan() {
        Some(plan) => SubqueryAlias::try_new(Arc::new(plan.into_owned()), name.clone())
            .map(LogicalPlan::SubqueryAlias)
            .map_err(from_datafusion),
        None => {
            TableScanBuilder::new(name.clone(), source).build().map(LogicalPlan::TableScan).map_err(from_datafusion)
        }
    }
}
