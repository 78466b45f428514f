//! Carries strings as views from the files to where something wants them plain.
//!
//! A dictionary page becomes an array of views without a byte being copied, most comparisons are decided
//! by the four bytes a view holds, and rows that stream through a join or into groups move sixteen bytes a
//! string. Spark's strings are plain arrays everywhere else here, so a view is copied into one where an
//! expression, an aggregate, a sort or the result wants it, or where rows wait in memory: for the rows
//! that are left by then.

mod expr;
mod scan;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{JoinSide, Result};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ExecutionPlan, Partitioning, ReplaceChildrenOptions};

use self::expr::over_views;
use self::scan::ScannedStrings;

/// The pass; see the module.
#[derive(Debug, Clone, Copy)]
pub struct StringViews;

impl PhysicalOptimizerRule for StringViews {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        lift(&plan, Keys::OfOneInput)?.plain(&plan)
    }

    fn name(&self) -> &str {
        "firesteel_string_views"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether something above has two inputs whose rows must be dealt out to partitions alike. A view has
/// another hash than the string it stands for, so keys of such inputs stay plain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    OfOneInput,
    Shared,
}

/// A plan in which strings may be views, column for column the one it was made from.
struct Lifted {
    plan: Arc<dyn ExecutionPlan>,
    /// The plan to use where views are not wanted, as long as nothing was gained by them; otherwise
    /// they are copied.
    without: Option<Arc<dyn ExecutionPlan>>,
}

impl Lifted {
    /// A plan without views.
    fn same(plan: Arc<dyn ExecutionPlan>) -> Self {
        Lifted { without: Some(Arc::clone(&plan)), plan }
    }

    /// A plan that gained by the views it has, if it has any.
    fn gained(plan: Arc<dyn ExecutionPlan>, original: &Arc<dyn ExecutionPlan>) -> Self {
        if views_of(&plan, original).is_empty() { Lifted::same(plan) } else { Lifted { plan, without: None } }
    }

    /// With the columns of `original`.
    fn plain(self, original: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        match self.without {
            Some(without) => Ok(without),
            None => copied(self.plan, original.schema().as_ref()),
        }
    }

    /// With those columns of `original` plain that `wanted` picks.
    fn plain_where(self, original: &Arc<dyn ExecutionPlan>, wanted: &HashSet<usize>) -> Result<Self> {
        if views_of(&self.plan, original).is_disjoint(wanted) {
            return Ok(self);
        }
        if let Some(without) = self.without {
            return Ok(Lifted::same(without));
        }
        let (found, plain) = (self.plan.schema(), original.schema());
        let pick = |i: usize| if wanted.contains(&i) { plain.field(i).clone() } else { found.field(i).clone() };
        let fields: Vec<_> = (0..found.fields().len()).map(pick).collect();
        Ok(Lifted::gained(copied(self.plan, &Schema::new(fields))?, original))
    }
}

/// The columns that are views in `plan`, and strings in the one it was made from.
fn views_of(plan: &Arc<dyn ExecutionPlan>, original: &Arc<dyn ExecutionPlan>) -> HashSet<usize> {
    let (found, plain) = (plan.schema(), original.schema());
    let pairs = found.fields().iter().zip(plain.fields()).enumerate();
    pairs.filter(|(_, (a, b))| a.data_type() != b.data_type()).map(|(i, _)| i).collect()
}

/// The plan with the types of `schema`: casts where it has views.
fn copied(plan: Arc<dyn ExecutionPlan>, schema: &Schema) -> Result<Arc<dyn ExecutionPlan>> {
    let found = plan.schema();
    if found.fields().iter().zip(schema.fields()).all(|(a, b)| a.data_type() == b.data_type()) {
        return Ok(plan);
    }
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

/// Reads strings as views as far up as operators take them.
fn lift(plan: &Arc<dyn ExecutionPlan>, keys: Keys) -> Result<Lifted> {
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        return lift_scan(plan, scan);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return lift_filter(plan, filter, keys);
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return lift_projection(plan, projection, keys);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        return lift_join(plan, join, keys);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return lift_aggregate(plan, aggregate, keys);
    }
    if let Some(repartition) = plan.downcast_ref::<RepartitionExec>() {
        return lift_repartition(plan, repartition, keys);
    }
    if plan.is::<CoalescePartitionsExec>() {
        let input = plan.children()[0];
        return over(plan, lift(input, keys)?);
    }
    let keys = if plan.children().len() > 1 { Keys::Shared } else { keys };
    let children = plan.children().into_iter().map(|child| lift(child, keys)?.plain(child));
    with_children(plan, children.collect::<Result<_>>()?).map(Lifted::same)
}

fn with_children(
    plan: &Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let same = plan.children().into_iter().zip(&children).all(|(old, new)| Arc::ptr_eq(old, new));
    if same {
        return Ok(Arc::clone(plan));
    }
    Arc::clone(plan).replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// An operator that hands on what its one input gives.
fn over(plan: &Arc<dyn ExecutionPlan>, input: Lifted) -> Result<Lifted> {
    let without = input.without.map(|without| with_children(plan, vec![without])).transpose()?;
    Ok(Lifted { plan: with_children(plan, vec![input.plan])?, without })
}

fn file_scan(scan: &DataSourceExec) -> Option<&FileScanConfig> {
    scan.data_source().as_ref().downcast_ref::<FileScanConfig>()
}

fn lift_scan(plan: &Arc<dyn ExecutionPlan>, scan: &DataSourceExec) -> Result<Lifted> {
    let views = match file_scan(scan) {
        Some(config) => match ScannedStrings::of(config, None) {
            Some(strings) => strings.read_as_views(config)?,
            None => None,
        },
        None => None,
    };
    Ok(match views {
        Some(views) => Lifted { plan: views, without: Some(Arc::clone(plan)) },
        None => Lifted::same(Arc::clone(plan)),
    })
}

/// The input of a filter; a scan right below it leaves plain what the filter does not only compare.
fn lift_filtered(filter: &FilterExec, keys: Keys) -> Result<Lifted> {
    let input = filter.input();
    let Some(config) = input.downcast_ref::<DataSourceExec>().and_then(file_scan) else {
        return lift(input, keys);
    };
    let views = match ScannedStrings::of(config, Some(filter)) {
        Some(strings) => strings.read_as_views(config)?,
        None => None,
    };
    Ok(views.map_or_else(|| Lifted::same(Arc::clone(input)), |views| Lifted::gained(views, input)))
}

fn lift_filter(plan: &Arc<dyn ExecutionPlan>, filter: &FilterExec, keys: Keys) -> Result<Lifted> {
    let input = lift_filtered(filter, keys)?;
    let views = views_of(&input.plan, filter.input());
    if views.is_empty() {
        return with_children(plan, vec![input.plan]).map(Lifted::same);
    }
    let predicate = over_views(filter.predicate(), &views, &input.plan.schema())?;
    let filtered = FilterExecBuilder::new(predicate, input.plan)
        .apply_projection(filter.projection().as_ref().map(|p| p.to_vec()))?
        .with_batch_size(filter.batch_size())
        .with_default_selectivity(filter.default_selectivity())
        .with_fetch(filter.fetch())
        .build()?;
    // Even a column that only the filter looks at was worth it.
    let filtered: Arc<dyn ExecutionPlan> = Arc::new(filtered);
    Ok(Lifted::gained(filtered, plan))
}

fn lift_projection(plan: &Arc<dyn ExecutionPlan>, projection: &ProjectionExec, keys: Keys) -> Result<Lifted> {
    let input = lift(projection.input(), keys)?;
    let views = views_of(&input.plan, projection.input());
    if views.is_empty() {
        return over(plan, input);
    }
    let schema = input.plan.schema();
    let exprs = projection.expr().iter().map(|p| {
        let expr = if p.expr.is::<Column>() { Arc::clone(&p.expr) } else { over_views(&p.expr, &views, &schema)? };
        Ok(ProjectionExpr { expr, alias: p.alias.clone() })
    });
    let projected: Arc<dyn ExecutionPlan> =
        Arc::new(ProjectionExec::try_new(exprs.collect::<Result<Vec<_>>>()?, input.plan)?);
    let without = input.without.map(|without| with_children(plan, vec![without])).transpose()?;
    Ok(Lifted { plan: projected, without })
}

/// A join moves views of the columns that it only hands on, of the rows that stream through it. The rows
/// it holds keep plain strings: a view keeps its whole page, and every batch of a page counts all of it
/// against the memory that there is.
fn lift_join(plan: &Arc<dyn ExecutionPlan>, join: &HashJoinExec, keys: Keys) -> Result<Lifted> {
    let below = if *join.partition_mode() == PartitionMode::Partitioned { Keys::Shared } else { keys };
    let mut read: HashSet<usize> = HashSet::new();
    for (_, right) in join.on() {
        read.extend(collect_columns(right).iter().map(Column::index));
    }
    let filtered = join.filter().into_iter().flat_map(|f| f.column_indices()).filter(|c| c.side == JoinSide::Right);
    read.extend(filtered.map(|c| c.index));
    let left = lift(join.left(), below)?.plain(join.left())?;
    let right = match join.right().downcast_ref::<RepartitionExec>() {
        Some(dealt) => lift_streamed(join.right(), dealt, below)?,
        None => lift(join.right(), below)?,
    };
    let right = right.plain_where(join.right(), &read)?;
    Ok(Lifted::gained(with_children(plan, vec![left, right.plan])?, plan))
}

/// An aggregate groups by views; what it computes, it computes of plain strings.
fn lift_aggregate(plan: &Arc<dyn ExecutionPlan>, aggregate: &AggregateExec, keys: Keys) -> Result<Lifted> {
    let input = aggregate.input();
    let groups = aggregate.group_expr();
    let mut plain = HashSet::new();
    if matches!(aggregate.mode(), AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned) {
        for function in aggregate.aggr_expr() {
            let all = function.all_expressions();
            let read = all.args.iter().chain(&all.order_by_exprs).flat_map(collect_columns);
            plain.extend(read.map(|c| c.index()));
        }
        let filters = aggregate.filter_expr().iter().flatten().flat_map(collect_columns);
        plain.extend(filters.map(|c| c.index()));
    }
    let as_views = keys == Keys::OfOneInput && groups.is_single();
    for (group, _) in groups.expr() {
        if !as_views || !group.is::<Column>() {
            plain.extend(collect_columns(group).iter().map(Column::index));
        }
    }
    let lifted = lift(input, keys)?.plain_where(input, &plain)?;
    let views = views_of(&lifted.plan, input);
    if groups.expr().iter().all(|(group, _)| collect_columns(group).iter().all(|c| !views.contains(&c.index()))) {
        return with_children(plan, vec![lifted.plan]).map(Lifted::same);
    }
    let grouped = AggregateExec::try_new(
        *aggregate.mode(),
        groups.clone(),
        aggregate.aggr_expr().to_vec(),
        aggregate.filter_expr().to_vec(),
        lifted.plan,
        aggregate.input_schema(),
    )?;
    let grouped: Arc<dyn ExecutionPlan> = Arc::new(grouped.with_limit_options(aggregate.limit_options()));
    Ok(Lifted::gained(grouped, plan))
}

/// Rows that are dealt out to a join that takes them as they come wait nowhere for long: all but what they are
/// dealt out by may be views.
fn lift_streamed(plan: &Arc<dyn ExecutionPlan>, repartition: &RepartitionExec, keys: Keys) -> Result<Lifted> {
    let input = repartition.input();
    let by: HashSet<usize> = match repartition.partitioning() {
        Partitioning::Hash(exprs, _) => exprs.iter().flat_map(collect_columns).map(|c| c.index()).collect(),
        _ => HashSet::new(),
    };
    over(plan, lift(input, keys)?.plain_where(input, &by)?)
}

/// Rows that are dealt out wait in memory, where views count too much (see [`lift_join`]); groups that
/// were made already are few, and have pages of their own.
fn lift_repartition(plan: &Arc<dyn ExecutionPlan>, repartition: &RepartitionExec, keys: Keys) -> Result<Lifted> {
    let input = lift(repartition.input(), keys)?;
    let by_columns = match repartition.partitioning() {
        Partitioning::Hash(exprs, _) => exprs.iter().all(|e| e.is::<Column>()),
        _ => true,
    };
    if keys == Keys::OfOneInput && by_columns && repartition.input().is::<AggregateExec>() {
        return over(plan, input);
    }
    with_children(plan, vec![input.plain(repartition.input())?]).map(Lifted::same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::dataframe::DataFrameWriteOptions;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::{collect, displayable};
    use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};

    /// Two tables with strings, longer and shorter than what a view holds itself, and nulls.
    async fn context(folder: &str) -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(3)
            // Filters right above scans, as over larger files.
            .set_usize("datafusion.optimizer.repartition_file_min_size", 0)
            .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
        let ctx = SessionContext::new_with_state(
            SessionStateBuilder::new().with_default_features().with_config(config).build(),
        );
        for (name, rows, parts) in [("t", 5000, 7), ("u", 40, 3)] {
            let path = format!("{folder}/{name}");
            let text = format!(
                "SELECT value AS k, concat('key ', value % {parts}) AS a, \
                 CASE WHEN value % 5 = 0 THEN NULL ELSE concat('a text longer than a view ', value % 11) END AS b \
                 FROM generate_series(1, {rows})"
            );
            let table = ctx.sql(&text).await.expect(name);
            table.write_parquet(&path, DataFrameWriteOptions::new(), None).await.expect("written");
            ctx.register_parquet(name, &path, ParquetReadOptions::default()).await.expect("registered");
        }
        ctx
    }

    async fn rows(ctx: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
        let batches = collect(plan, ctx.task_ctx()).await.expect("runs");
        let mut lines: Vec<String> =
            pretty_format_batches(&batches).expect("prints").to_string().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn answers_and_types_are_the_same_with_views() {
        let folder = tempfile::tempdir().expect("a folder");
        let ctx = context(folder.path().to_str().expect("a path")).await;
        for (text, viewed) in [
            ("SELECT a, b FROM t", false),
            ("SELECT upper(a) FROM t WHERE k > 10", true),
            ("SELECT b FROM t WHERE a = 'key 3' AND b IN ('a text longer than a view 4', 'x')", true),
            ("SELECT k FROM t WHERE concat(a, 'x') = 'key 3x'", false),
            ("SELECT a, b, count(*), sum(k) FROM t GROUP BY a, b", true),
            ("SELECT a, max(b) FROM t WHERE b > 'a' GROUP BY a ORDER BY a LIMIT 3", true),
            ("SELECT concat(a, b), count(*) FROM t WHERE k < 90 GROUP BY concat(a, b)", true),
            ("SELECT a, b, count(*) FROM t WHERE k < 90 GROUP BY ROLLUP (a, b)", true),
            ("SELECT x, count(*) FROM (SELECT a AS x, k FROM t) WHERE k < 90 GROUP BY x", true),
            ("SELECT DISTINCT b FROM t", true),
            ("SELECT t.a, u.b FROM t JOIN u ON t.k = u.k", true),
            ("SELECT t.b, u.b FROM t JOIN u ON t.a = u.a WHERE t.k < 50", true),
            ("SELECT t.a, u.b FROM t LEFT JOIN u ON t.k = u.k AND t.b < u.b", false),
            ("SELECT t.a, u.b FROM t LEFT JOIN u ON t.k = u.k AND t.b < u.b WHERE t.k < 90", true),
            ("SELECT u.a, count(*) FROM t JOIN u ON t.k = u.k WHERE t.b <> 'x' GROUP BY u.a", false),
            ("SELECT t.a, count(*) FROM t JOIN u ON t.k = u.k WHERE t.b <> 'x' GROUP BY t.a", true),
            ("SELECT x.a, y.n FROM u x JOIN (SELECT a, count(*) AS n FROM t GROUP BY a) y ON x.a = y.a", false),
            ("SELECT a FROM t UNION ALL SELECT b FROM u WHERE k > 3", true),
            ("SELECT a, row_number() OVER (PARTITION BY a ORDER BY k) FROM t WHERE k < 40", true),
        ] {
            for joins in ["1", "1000000000"] {
                ctx.sql(&format!("SET datafusion.optimizer.hash_join_single_partition_threshold = {joins}"))
                    .await
                    .expect("set");
                // Two plans: operators keep what they did.
                let plan = ctx.sql(text).await.expect(text).create_physical_plan().await.expect(text);
                let other = ctx.sql(text).await.expect(text).create_physical_plan().await.expect(text);
                let lifted = StringViews.optimize(other, &ConfigOptions::new()).expect(text);
                assert_eq!(lifted.schema(), plan.schema(), "{text}");
                let shown = displayable(lifted.as_ref()).indent(true).to_string();
                assert_eq!(shown.contains("AS Utf8"), viewed, "{text}\n{shown}");
                assert_eq!(rows(&ctx, lifted).await, rows(&ctx, plan).await, "{text}\n{shown}");
            }
        }
    }
}
