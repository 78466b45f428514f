//! Reads strings that only a filter looks at as views.
//!
//! A dictionary page becomes an array of views without a byte being copied, and most comparisons are
//! decided by the four bytes a view holds. Spark's strings are plain arrays everywhere else here, so a
//! column that the filter hands on is copied into one, for the rows that passed.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use functions::kernel::KernelUdf;

use crate::source::guarded::GuardedSource;

/// Kernels that look at their first argument in whatever layout it comes.
const LAYOUT_BLIND: &[&str] = &["like"];

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct StringViews;

impl PhysicalOptimizerRule for StringViews {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(filter) = node.downcast_ref::<FilterExec>() else {
                return Ok(Transformed::no(node));
            };
            Ok(match with_views(filter)? {
                Some(filter) => Transformed::yes(filter),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "firesteel_string_views"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The filter over a scan of views, under casts of what it hands on.
fn with_views(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(scan) = filter.input().downcast_ref::<DataSourceExec>() else {
        return Ok(None);
    };
    let Some(config) = scan.data_source().as_ref().downcast_ref::<FileScanConfig>() else {
        return Ok(None);
    };
    let Some(scanned) = ScannedStrings::of(config, filter) else {
        return Ok(None);
    };
    let Some(input) = scanned.read_as_views(config)? else {
        return Ok(None);
    };
    let predicate = viewed(filter.predicate(), &scanned.outputs, &input.schema())?;
    let filtered = FilterExecBuilder::new(predicate, input)
        .apply_projection(filter.projection().as_ref().map(|p| p.to_vec()))?
        .with_batch_size(filter.batch_size())
        .with_default_selectivity(filter.default_selectivity())
        .with_fetch(filter.fetch())
        .build()?;
    plain_again(Arc::new(filtered), &filter.schema()).map(Some)
}

/// The plan with the columns of `schema`, casts where it has views.
fn plain_again(plan: Arc<dyn ExecutionPlan>, schema: &Schema) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.schema().fields() == schema.fields() {
        return Ok(plan);
    }
    let found = plan.schema();
    let columns = schema.fields().iter().zip(found.fields()).enumerate().map(|(i, (wanted, found))| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(found.name(), i));
        let expr = match wanted.data_type() == found.data_type() {
            true => column,
            false => Arc::new(CastExpr::new(column, wanted.data_type().clone(), None)),
        };
        ProjectionExpr { expr, alias: wanted.name().clone() }
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), plan)?))
}

/// String columns of a scan of parquet files that can be views.
struct ScannedStrings {
    /// By their place in the table.
    table: BTreeSet<usize>,
    /// By their place in the output of the scan.
    outputs: HashSet<usize>,
}

impl ScannedStrings {
    /// Those that the filter only compares, and the scan only hands on.
    fn of(config: &FileScanConfig, filter: &FilterExec) -> Option<Self> {
        let source = parquet(&config.file_source)?;
        let file_schema = config.file_source.table_schema().file_schema();
        let projection = source.projection()?;
        let mut found = ScannedStrings { table: BTreeSet::new(), outputs: HashSet::new() };
        for column in collect_columns(filter.predicate()) {
            let output = projection.as_ref().get(column.index())?;
            let Some(read) = output.expr.downcast_ref::<Column>().map(Column::index) else {
                continue;
            };
            let is_string = file_schema.fields().get(read).is_some_and(|f| f.data_type() == &DataType::Utf8);
            let uses = projection.iter().flat_map(|p| collect_columns(&p.expr)).filter(|c| c.index() == read).count();
            let pruned = source.predicate().is_none_or(|p| only_compared(p, read));
            if is_string && uses == 1 && pruned && only_compared(filter.predicate(), column.index()) {
                found.table.insert(read);
                found.outputs.insert(column.index());
            }
        }
        (!found.table.is_empty()).then_some(found)
    }

    /// The scan with views.
    fn read_as_views(&self, config: &FileScanConfig) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(source) = parquet(&config.file_source) else {
            return Ok(None);
        };
        let table = config.file_source.table_schema();
        let fields = table.file_schema().fields().iter().enumerate().map(|(i, field)| match self.table.contains(&i) {
            true => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
            false => Arc::clone(field),
        });
        let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), table.file_schema().metadata().clone());
        let table = TableSchema::builder(Arc::new(schema))
            .with_table_partition_cols(table.table_partition_cols().iter().cloned().collect::<Vec<_>>())
            .with_virtual_columns(table.virtual_columns().clone())
            .build();
        let table_schema = Arc::clone(table.table_schema());
        let mut views = ParquetSource::new(table).with_table_parquet_options(source.table_parquet_options().clone());
        if let Some(factory) = source.parquet_file_reader_factory() {
            views = views.with_parquet_file_reader_factory(Arc::clone(factory));
        }
        if let Some(predicate) = source.predicate() {
            views = views.with_predicate(viewed(predicate, &self.table.iter().copied().collect(), &table_schema)?);
        }
        let projected = match source.projection() {
            Some(projection) => views.try_pushdown_projection(projection)?,
            None => return Ok(None),
        };
        let Some(mut file_source) = projected else {
            return Ok(None);
        };
        if let Some(guard) = config.file_source.downcast_ref::<GuardedSource>() {
            file_source = GuardedSource::wrap(file_source, guard.parts().1);
        }
        let groups = config.file_groups.iter().map(|group| self.without_statistics(group)).collect();
        let statistics = self.forgotten(&config.statistics());
        let config = FileScanConfigBuilder::from(config.clone())
            .with_source(file_source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }

    /// The files, with nothing known about the values of the views: what is known has the old type.
    fn without_statistics(&self, group: &FileGroup) -> FileGroup {
        let files = group.iter().map(|file| {
            let mut file = file.clone();
            file.statistics = file.statistics.as_deref().map(|known| Arc::new(self.forgotten(known)));
            file
        });
        FileGroup::new(files.collect())
    }

    fn forgotten(&self, known: &Statistics) -> Statistics {
        let mut known = known.clone();
        for &column in &self.table {
            if let Some(column) = known.column_statistics.get_mut(column) {
                column.min_value = Precision::Absent;
                column.max_value = Precision::Absent;
            }
        }
        known
    }
}

/// The reader of parquet files behind a source.
fn parquet(source: &Arc<dyn FileSource>) -> Option<&ParquetSource> {
    match source.downcast_ref::<GuardedSource>() {
        Some(guard) => guard.parts().0.downcast_ref::<ParquetSource>(),
        None => source.downcast_ref::<ParquetSource>(),
    }
}

fn is_column(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    expr.downcast_ref::<Column>().is_some_and(|c| c.index() == index)
}

fn is_string(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<Literal>().is_some_and(|l| matches!(l.value(), ScalarValue::Utf8(_)))
}

fn uses(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    collect_columns(expr).iter().any(|c| c.index() == index)
}

fn is_comparison(op: &Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The call's arguments, if its kernel does not mind the layout of the first.
fn layout_blind(expr: &Arc<dyn PhysicalExpr>) -> Option<&[Arc<dyn PhysicalExpr>]> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let udf = call.fun().inner().downcast_ref::<KernelUdf>()?;
    LAYOUT_BLIND.contains(&udf.kernel.name).then(|| call.args())
}

/// Whether all that `expr` does with a column works on views, once [`viewed`] has seen to it.
fn only_compared(expr: &Arc<dyn PhysicalExpr>, index: usize) -> bool {
    if !uses(expr, index) {
        return true;
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (l, r) = (binary.left(), binary.right());
        return match binary.op() {
            Operator::And | Operator::Or => only_compared(l, index) && only_compared(r, index),
            op if is_comparison(op) => (is_column(l, index) && is_string(r)) || (is_string(l) && is_column(r, index)),
            _ => false,
        };
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return only_compared(not.arg(), index);
    }
    if let Some(null) = expr.downcast_ref::<IsNullExpr>() {
        return is_column(null.arg(), index);
    }
    if let Some(null) = expr.downcast_ref::<IsNotNullExpr>() {
        return is_column(null.arg(), index);
    }
    if let Some(among) = expr.downcast_ref::<InListExpr>() {
        return is_column(among.expr(), index) && among.list().iter().all(is_string);
    }
    if let Some(args) = layout_blind(expr) {
        return is_column(&args[0], index) && args[1..].iter().all(|arg| !uses(arg, index));
    }
    false
}

/// The expression with strings that are compared with these columns as views; `schema` has them so.
fn viewed(expr: &Arc<dyn PhysicalExpr>, columns: &HashSet<usize>, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    let is_view = |e: &Arc<dyn PhysicalExpr>| columns.iter().any(|c| is_column(e, *c));
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        let (l, r) = (binary.left(), binary.right());
        let (l, r) = match binary.op() {
            Operator::And | Operator::Or => (viewed(l, columns, schema)?, viewed(r, columns, schema)?),
            op if is_comparison(op) && is_view(l) => (Arc::clone(l), as_view(r)),
            op if is_comparison(op) && is_view(r) => (as_view(l), Arc::clone(r)),
            _ => return Ok(Arc::clone(expr)),
        };
        return Ok(Arc::new(BinaryExpr::new(l, *binary.op(), r)));
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return Ok(Arc::new(NotExpr::new(viewed(not.arg(), columns, schema)?)));
    }
    match expr.downcast_ref::<InListExpr>().filter(|among| is_view(among.expr())) {
        Some(among) => {
            let list = among.list().iter().map(as_view).collect();
            Ok(Arc::new(InListExpr::try_new(Arc::clone(among.expr()), list, among.negated(), schema)?))
        }
        None => Ok(Arc::clone(expr)),
    }
}

fn as_view(expr: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    match expr.downcast_ref::<Literal>().map(Literal::value) {
        Some(ScalarValue::Utf8(text)) => Arc::new(Literal::new(ScalarValue::Utf8View(text.clone()))),
        _ => Arc::clone(expr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::physical_expr::expressions::{col, lit};

    fn compare(op: Operator, l: Arc<dyn PhysicalExpr>, r: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(l, op, r))
    }

    #[test]
    fn only_comparisons_with_constants_take_views() {
        let field = |name: &str, ty: DataType| Field::new(name, ty, true);
        let plain = Schema::new(vec![field("a", DataType::Utf8), field("b", DataType::Utf8)]);
        let views = Schema::new(vec![field("a", DataType::Utf8View), field("b", DataType::Utf8)]);
        let a = || col("a", &plain).expect("column");
        let b = || col("b", &plain).expect("column");
        let among = || -> Arc<dyn PhysicalExpr> {
            Arc::new(InListExpr::try_new(a(), vec![lit("x"), lit("y")], true, &plain).expect("list"))
        };
        let check = |expr: Arc<dyn PhysicalExpr>, taken: bool| {
            assert_eq!(only_compared(&expr, 0), taken, "{expr}");
            if taken {
                let viewed = viewed(&expr, &HashSet::from([0]), &views).expect("views");
                assert_eq!(viewed.data_type(&views).expect("types agree"), DataType::Boolean, "{expr}");
            }
        };
        check(compare(Operator::Eq, a(), lit("x")), true);
        check(compare(Operator::Lt, lit("x"), a()), true);
        check(
            compare(Operator::Or, compare(Operator::NotEq, a(), lit("x")), compare(Operator::Eq, b(), lit("y"))),
            true,
        );
        check(Arc::new(NotExpr::new(among())), true);
        check(Arc::new(IsNullExpr::new(a())), true);
        check(compare(Operator::Eq, a(), b()), false);
        check(compare(Operator::And, compare(Operator::Eq, a(), lit("x")), compare(Operator::Lt, a(), b())), false);
        check(compare(Operator::StringConcat, a(), lit("x")), false);
    }
}
