//! Relations: from unresolved nodes to DataFusion plans. The match here only dispatches; each family of
//! nodes has its file.

pub(crate) mod aggregate;
mod columns;
mod cte;
mod generate;
pub(crate) mod group_check;
mod join;
mod leaf;
mod metric_view;
mod na;
mod nearest;
mod observe;
mod parse;
pub(crate) mod partitioning;
mod pipe;
mod pivot;
mod project;
mod sample;
mod set_op;
mod sort;
mod sql;
mod stat;
mod tail;
mod time_window;
mod transpose;
mod view;
mod zip;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use spark::{DataType, Error, Node, Plan, Result};

use crate::context::Analyzer;
use crate::scope::{Attr, Made, Rel};

/// One row without columns.
pub(crate) fn one_row() -> Rel {
    let plan = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema: Arc::new(DFSchema::empty()) });
    Rel::new(plan, Vec::new(), Made::Opaque, &[])
}

impl Analyzer<'_> {
    /// Analyses a relation.
    ///
    /// # Errors
    /// Spark's condition for what is wrong with it, with its position.
    pub fn relation(&mut self, plan: &Plan) -> Result<Rel> {
        stacker::maybe_grow(256 * 1024, 8 * 1024 * 1024, || {
            let rel = self.node(&plan.node, plan).map_err(|e| e.at_operator(plan.origin.as_ref()))?;
            self.check_types(&plan.node, &rel)?;
            let rel = self.with_join_hints(&plan.node, rel);
            Ok(rel.tagged(plan.plan_id))
        })
    }

    /// Refuses what was made while there were timestamps with digits below the microsecond, once they are
    /// switched off. Expressions that would make such a value are refused where they are read.
    fn check_types(&self, node: &Node, rel: &Rel) -> Result<()> {
        let is_source = matches!(
            node,
            Node::Table { .. }
                | Node::TableByIdentifier { .. }
                | Node::DataSource(_)
                | Node::LocalRelation { .. }
                | Node::CachedRemoteRelation { .. }
        );
        let has_nanos = |attr: &Attr| attr.ty.any(&DataType::is_timestamp_nanos);
        if is_source && !self.settings.timestamp_nanos && rel.output.iter().any(has_nanos) {
            return Err(::sql::timestamp_nanos_disabled().nowhere());
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, plan: &Plan) -> Result<Rel> {
        match node {
            Node::OneRow => Ok(one_row()),
            Node::Table { name, options, time_travel, .. } => self.table(name, options, time_travel.is_some(), plan),
            Node::MetricView(view) => self.metric_view(view),
            Node::TableByIdentifier { name, options } => {
                let parts = self.identifier_parts(name)?;
                self.table(&parts, options, false, plan)
            }
            Node::DataSource(source) => self.data_source(source),
            Node::LocalRelation { data, schema } => self.local_relation(data.as_deref(), schema.as_deref()),
            Node::CachedRemoteRelation { id } => self.remote_relation(id),
            Node::InlineTable { rows } => self.inline_table(rows, &[]),
            Node::Range { start, end, step, partitions } => self.range(*start, *end, *step, *partitions),
            Node::TableFunction { name, args } => self.table_function(name, args),
            Node::Sql { text, named_args, positional_args } => self.sql(text, named_args, positional_args),
            Node::Command(_) | Node::Catalog(_) => self.command_result(plan),
            Node::WithRelations { root, references } => self.with_relations(root, references),
            Node::Project { input, exprs } => self.project(input, exprs),
            Node::Filter { input, condition } => self.filter(input, condition),
            Node::Having { input, condition } => self.having(input, condition),
            Node::Qualify { input, condition } => self.qualify(input, condition),
            Node::Join(join) => self.join(join),
            Node::SetOp(op) => self.set_op(op, plan.origin.as_ref()),
            Node::Aggregate(aggregate) => self.aggregate(aggregate),
            Node::Pivot(pivot) => self.sql_pivot(pivot),
            Node::Unpivot(unpivot) => self.unpivot(unpivot),
            Node::Sort { input, order, global } => self.sort(input, order, *global),
            Node::Limit { input, limit } => self.limit(input, limit),
            Node::Offset { input, offset } => self.offset(input, offset),
            Node::Distinct { input } => self.distinct(input),
            Node::Deduplicate { within_watermark: true, .. } => {
                let what = "dropDuplicatesWithinWatermark is not supported with batch DataFrames/DataSets";
                Err(Error::analysis("_LEGACY_ERROR_TEMP_3102").param("msg", what).with_message(what))
            }
            Node::Deduplicate { input, columns, all_columns, .. } => self.deduplicate(input, columns, *all_columns),
            Node::SubqueryAlias { input, alias, columns } => self.subquery_alias(input, alias, columns),
            Node::With { ctes, recursive, input } => self.with(ctes, *recursive, input, plan.origin.as_ref()),
            Node::WithWindows { input, windows } => self.with_windows(input, windows),
            Node::LateralView(view) => self.lateral_view(view),
            Node::Sample(sample) => self.sample(sample),
            Node::Repartition { input, partitions, shuffle } => self.repartition(input, *partitions, *shuffle),
            Node::RepartitionBy { input, exprs, partitions } => self.repartition_by(input, exprs, *partitions),
            Node::ToDf { input, names } => self.with_names(input, names),
            Node::WithColumns { input, columns } => self.with_columns(input, columns),
            Node::WithColumnsRenamed { input, renames } => self.with_columns_renamed(input, renames),
            Node::Drop { input, columns, names, must_exist } => self.drop_columns(input, columns, names, *must_exist),
            Node::Hint { input, name, params } => self.hint(input, name, params),
            Node::ToSchema { input, schema } => self.with_schema(input, schema),
            Node::WithWatermark { input, delay, .. } => self.with_watermark(input, delay),
            Node::CollectMetrics { input, name, metrics } => self.collect_metrics(input, name, metrics, plan.plan_id),
            Node::FillNa { input, columns, values } => self.fill_na(input, columns, values),
            Node::DropNa { input, columns, min_non_nulls } => self.drop_na(input, columns, *min_non_nulls),
            Node::Replace { input, columns, replacements } => self.replace(input, columns, replacements),
            Node::Describe { input, columns } => self.describe(input, columns),
            Node::Summary { input, statistics } => self.summary(input, statistics),
            Node::Cov { input, col1, col2 } => self.two_columns(input, "covar_samp", "cov", col1, col2),
            Node::Corr { input, col1, col2, .. } => self.two_columns(input, "corr", "corr", col1, col2),
            Node::SampleBy { input, column, fractions, seed } => self.sample_by(input, column, fractions, *seed),
            Node::ApproxQuantile { input, columns, probabilities, relative_error } => {
                self.approx_quantile(input, columns, probabilities, *relative_error)
            }
            Node::Parse { input, format, schema, options } => self.parse_text(input, format, schema.as_ref(), options),
            Node::AsOfJoin(join) => self.as_of_join(join),
            Node::NearestByJoin(join) => self.nearest_by_join(join),
            Node::Zip { left, right } => self.zip(left, right),
            Node::Transpose { input, index } => self.transpose(input, index),
            Node::Tail { input, limit } => self.tail(input, *limit),
            Node::FreqItems { input, columns, support } => self.freq_items(input, columns, *support),
            Node::Crosstab { input, col1, col2 } => self.crosstab(input, col1, col2),
            Node::PipeExtend { input, exprs } => self.pipe_extend(input, exprs),
            Node::PipeSet { input, assignments } => self.pipe_set(input, assignments),
            Node::PipeAggregate(aggregate) => self.pipe_aggregate(aggregate),
            Node::ShowString { input, rows, .. } | Node::HtmlString { input, rows, .. } => self.show(input, *rows),
            other => Err(unsupported(other)),
        }
    }
}

/// A node that this server knows of and does not run yet, refused by name.
fn unsupported(node: &Node) -> Error {
    let what = match node {
        Node::Unsupported { what } => what.clone(),
        Node::MapPartitions { .. } | Node::GroupMap { .. } | Node::CoGroupMap { .. } => {
            "Python code over partitions".into()
        }
        Node::CachedLocalRelation { .. } | Node::ChunkedLocalRelation { .. } => {
            "a local relation that was not uploaded".into()
        }
        other => {
            let text = format!("{other:?}");
            text.split([' ', '(', '{']).next().unwrap_or_default().to_string()
        }
    };
    Error::unsupported(what)
}
