//! Relations: the dispatch, and the operators over one input.

use std::sync::Arc;

use proto::spark_connect as pb;
use proto::spark_connect::aggregate::GroupType;
use proto::spark_connect::parse::ParseFormat;
use proto::spark_connect::relation::RelType;
use spark::plan::{Aggregate, GroupKind, Sample, SortKeys, Unpivot};
use spark::{Error, Expr, Literal, Node, Plan, Result};

use super::errors::{bad_enum, extension, invalid, not_set};
use super::leaf;
use super::{Reader, level, sorted};

type Input = Option<Box<pb::Relation>>;

impl Reader {
    /// A relation message.
    pub fn relation(&self, message: pb::Relation) -> Result<Plan> {
        level(|| {
            let common = message.common.unwrap_or_default();
            let Some(kind) = message.rel_type else {
                return Err(not_set("spark.connect.Relation", "RELTYPE_NOT_SET"));
            };
            Ok(Plan {
                plan_id: common.plan_id,
                origin: common.origin.and_then(super::expression::origin).map(Arc::new),
                node: self.node(kind)?,
            })
        })
    }

    /// A relation that must be there: an absent message is one of no kind.
    pub(super) fn required_relation(&self, message: Input) -> Result<Plan> {
        self.relation(*message.unwrap_or_default())
    }

    pub(super) fn input(&self, message: Input) -> Result<Box<Plan>> {
        self.required_relation(message).map(Box::new)
    }

    fn node(&self, kind: RelType) -> Result<Node> {
        match kind {
            RelType::Read(m) => self.read(m),
            RelType::Project(m) => self.project(*m),
            RelType::Filter(m) => self.filter(*m),
            RelType::Join(m) => self.join(*m),
            RelType::SetOp(m) => self.set_operation(*m),
            RelType::Sort(m) => self.sort(*m),
            RelType::Limit(m) => self.limit(*m),
            RelType::Aggregate(m) => self.aggregate(*m),
            RelType::Sql(m) => self.sql(m),
            RelType::LocalRelation(m) => leaf::local_relation(m),
            RelType::Sample(m) => self.sample(*m),
            RelType::Offset(m) => self.offset(*m),
            RelType::Deduplicate(m) => self.deduplicate(*m),
            RelType::Range(m) => self.range(&m),
            RelType::SubqueryAlias(m) => self.subquery_alias(*m),
            RelType::Repartition(m) => self.repartition(*m),
            RelType::ToDf(m) => Ok(Node::ToDf { input: self.input(m.input)?, names: m.column_names }),
            RelType::WithColumnsRenamed(m) => self.with_columns_renamed(*m),
            RelType::ShowString(m) => self.show_string(*m),
            RelType::Drop(m) => self.drop_columns(*m),
            RelType::Tail(m) => Ok(Node::Tail { input: self.input(m.input)?, limit: m.limit }),
            RelType::WithColumns(m) => self.with_columns(*m),
            RelType::Hint(m) => self.hint(*m),
            RelType::Unpivot(m) => self.unpivot(*m),
            RelType::ToSchema(m) => self.to_schema(*m),
            RelType::RepartitionByExpression(m) => self.repartition_by(*m),
            RelType::MapPartitions(m) => self.map_partitions(*m),
            RelType::CollectMetrics(m) => self.collect_metrics(*m),
            RelType::Parse(m) => self.parse(*m),
            RelType::GroupMap(m) => self.group_map(*m),
            RelType::CoGroupMap(m) => self.co_group_map(*m),
            RelType::WithWatermark(m) => self.with_watermark(*m),
            RelType::ApplyInPandasWithState(_) => Err(Error::unsupported("applyInPandasWithState")),
            RelType::HtmlString(m) => self.html_string(*m),
            RelType::CachedLocalRelation(m) => self.cached_local_relation(&m),
            RelType::CachedRemoteRelation(m) => Ok(Node::CachedRemoteRelation { id: m.relation_id }),
            RelType::CommonInlineUserDefinedTableFunction(m) => {
                Err(Error::unsupported(format!("Python table function {}", m.function_name)))
            }
            RelType::AsOfJoin(m) => self.as_of_join(*m),
            RelType::CommonInlineUserDefinedDataSource(m) => leaf::user_data_source(&m),
            RelType::WithRelations(m) => self.with_relations(*m),
            RelType::Transpose(m) => {
                Ok(Node::Transpose { input: self.input(m.input)?, index: self.exprs(m.index_columns)? })
            }
            RelType::UnresolvedTableValuedFunction(m) => self.table_function(m),
            RelType::LateralJoin(m) => self.lateral_join(*m),
            RelType::ChunkedCachedLocalRelation(m) => self.chunked_local_relation(&m),
            RelType::RelationChanges(m) => Err(Error::unsupported(format!("changes of {}", m.unparsed_identifier))),
            RelType::NearestByJoin(m) => self.nearest_by_join(*m),
            RelType::Zip(m) => self.zip(*m),
            RelType::FillNa(m) => self.fill_na(*m),
            RelType::DropNa(m) => self.drop_na(*m),
            RelType::Replace(m) => self.replace(*m),
            RelType::Summary(m) => self.summary(*m),
            RelType::Crosstab(m) => self.crosstab(*m),
            RelType::Describe(m) => self.describe(*m),
            RelType::Cov(m) => self.cov(*m),
            RelType::Corr(m) => self.corr(*m),
            RelType::ApproxQuantile(m) => self.approx_quantile(*m),
            RelType::FreqItems(m) => self.freq_items(*m),
            RelType::SampleBy(m) => self.sample_by(*m),
            RelType::Catalog(m) => self.catalog(m).map(|call| Node::Catalog(Box::new(call))),
            RelType::MlRelation(_) => Err(Error::unsupported("machine learning")),
            RelType::Extension(any) => Err(extension(&any.type_url)),
            RelType::Unknown(_) => Err(not_set("spark.connect.Relation", "UNKNOWN")),
        }
    }

    fn project(&self, message: pb::Project) -> Result<Node> {
        let input = match message.input {
            Some(input) => Box::new(self.relation(*input)?),
            None => Plan::boxed(Node::OneRow),
        };
        Ok(Node::Project { input, exprs: self.exprs(message.expressions)? })
    }

    fn filter(&self, message: pb::Filter) -> Result<Node> {
        let input = self.input(message.input)?;
        Ok(Node::Filter { input, condition: self.expr(message.condition.unwrap_or_default())? })
    }

    fn sort(&self, message: pb::Sort) -> Result<Node> {
        Ok(Node::Sort {
            input: self.input(message.input)?,
            order: SortKeys::Keys(self.sort_orders(message.order)?),
            global: message.is_global.unwrap_or(true),
        })
    }

    fn limit(&self, message: pb::Limit) -> Result<Node> {
        Ok(Node::Limit { input: self.input(message.input)?, limit: int(message.limit) })
    }

    fn offset(&self, message: pb::Offset) -> Result<Node> {
        Ok(Node::Offset { input: self.input(message.input)?, offset: int(message.offset) })
    }

    fn aggregate(&self, message: pb::Aggregate) -> Result<Node> {
        let Some(input) = message.input else {
            return Err(invalid("AGGREGATE_NEEDS_PLAN_INPUT", "An aggregation needs an input."));
        };
        let input = self.relation(*input)?;
        let kind = match GroupType::try_from(message.group_type) {
            Ok(GroupType::Groupby) => GroupKind::GroupBy,
            Ok(GroupType::Rollup) => GroupKind::Rollup,
            Ok(GroupType::Cube) => GroupKind::Cube,
            Ok(GroupType::Pivot) => self.pivot(message.pivot)?,
            Ok(GroupType::GroupingSets) => GroupKind::GroupingSets(
                message.grouping_sets.into_iter().map(|s| self.exprs(s.grouping_set)).collect::<Result<_>>()?,
            ),
            Ok(GroupType::Unspecified) | Err(_) => {
                return Err(bad_enum("spark.connect.Aggregate", "group_type", message.group_type));
            }
        };
        Ok(Node::Aggregate(Box::new(Aggregate {
            input,
            kind,
            grouping: self.exprs(message.grouping_expressions)?,
            aggregates: self.exprs(message.aggregate_expressions)?,
            prepend_grouping: true,
        })))
    }

    fn pivot(&self, message: Option<pb::aggregate::Pivot>) -> Result<GroupKind> {
        let Some(pivot) = message else {
            return Err(invalid("AGGREGATE_WITH_PIVOT_REQUIRES_PIVOT", "A pivot must say over which column."));
        };
        Ok(GroupKind::Pivot {
            column: self.expr(pivot.col.unwrap_or_default())?,
            values: pivot.values.into_iter().map(|v| self.literal(v)).collect::<Result<_>>()?,
        })
    }

    fn sample(&self, message: pb::Sample) -> Result<Node> {
        Ok(Node::Sample(Box::new(Sample {
            input: self.required_relation(message.input)?,
            lower: message.lower_bound,
            upper: message.upper_bound,
            with_replacement: message.with_replacement.unwrap_or(false),
            seed: message.seed,
            deterministic_order: message.deterministic_order,
        })))
    }

    fn deduplicate(&self, message: pb::Deduplicate) -> Result<Node> {
        let Some(input) = message.input else {
            return Err(invalid("DEDUPLICATE_NEEDS_INPUT", "Deduplication needs an input."));
        };
        let all_columns = message.all_columns_as_keys.unwrap_or(false);
        match (all_columns, message.column_names.is_empty()) {
            (true, false) => {
                return Err(invalid("DEDUPLICATE_ALL_COLUMNS_AND_SUBSET", "Either all columns are keys or some are."));
            }
            (false, true) => {
                return Err(invalid("DEDUPLICATE_REQUIRES_COLUMNS_OR_ALL", "Deduplication needs its key columns."));
            }
            _ => {}
        }
        Ok(Node::Deduplicate {
            input: Box::new(self.relation(*input)?),
            columns: message.column_names,
            all_columns,
            within_watermark: message.within_watermark.unwrap_or(false),
        })
    }

    fn subquery_alias(&self, message: pb::SubqueryAlias) -> Result<Node> {
        let mut alias = message.qualifier;
        alias.push(message.alias);
        Ok(Node::SubqueryAlias { input: self.input(message.input)?, alias, columns: Vec::new() })
    }

    fn repartition(&self, message: pb::Repartition) -> Result<Node> {
        Ok(Node::Repartition {
            input: self.input(message.input)?,
            partitions: positive(message.num_partitions)?,
            shuffle: message.shuffle.unwrap_or(false),
        })
    }

    fn repartition_by(&self, message: pb::RepartitionByExpression) -> Result<Node> {
        Ok(Node::RepartitionBy {
            input: self.input(message.input)?,
            exprs: self.exprs(message.partition_exprs)?,
            partitions: message.num_partitions.map(positive).transpose()?,
        })
    }

    fn with_columns_renamed(&self, message: pb::WithColumnsRenamed) -> Result<Node> {
        #[allow(deprecated)]
        let mut renames = sorted(message.rename_columns_map);
        renames.extend(message.renames.into_iter().map(|r| (r.col_name, r.new_col_name)));
        Ok(Node::WithColumnsRenamed { input: self.input(message.input)?, renames })
    }

    fn with_columns(&self, message: pb::WithColumns) -> Result<Node> {
        let input = self.input(message.input)?;
        let mut columns = Vec::with_capacity(message.aliases.len());
        for alias in message.aliases {
            if alias.name.len() != 1 {
                return Err(invalid("WITH_COLUMNS_REQUIRE_SINGLE_NAME_PART", "A new column has one name.")
                    .param("got", alias.name.join(", ")));
            }
            columns.push(Expr::Alias {
                child: Box::new(self.required_expr(alias.expr)?),
                names: alias.name,
                metadata: alias.metadata,
            });
        }
        Ok(Node::WithColumns { input, columns })
    }

    fn show_string(&self, message: pb::ShowString) -> Result<Node> {
        Ok(Node::ShowString {
            input: self.input(message.input)?,
            rows: message.num_rows,
            truncate: message.truncate,
            vertical: message.vertical,
        })
    }

    fn html_string(&self, message: pb::HtmlString) -> Result<Node> {
        Ok(Node::HtmlString { input: self.input(message.input)?, rows: message.num_rows, truncate: message.truncate })
    }

    fn drop_columns(&self, message: pb::Drop) -> Result<Node> {
        Ok(Node::Drop {
            input: self.input(message.input)?,
            columns: self.exprs(message.columns)?,
            names: message.column_names,
            must_exist: false,
        })
    }

    fn hint(&self, message: pb::Hint) -> Result<Node> {
        Ok(Node::Hint {
            input: self.input(message.input)?,
            name: message.name,
            params: self.exprs(message.parameters)?,
        })
    }

    fn unpivot(&self, message: pb::Unpivot) -> Result<Node> {
        let input = self.required_relation(message.input)?;
        let values = match message.values {
            Some(values) => Some(self.exprs(values.values)?.into_iter().map(|e| (vec![e], None)).collect::<Vec<_>>()),
            None => None,
        };
        Ok(Node::Unpivot(Box::new(Unpivot {
            input,
            ids: Some(self.exprs(message.ids)?),
            values,
            variable_column: message.variable_column_name,
            value_columns: vec![message.value_column_name],
            include_nulls: true,
        })))
    }

    fn to_schema(&self, message: pb::ToSchema) -> Result<Node> {
        let input = self.input(message.input)?;
        Ok(Node::ToSchema { input, schema: self.struct_type(&message.schema.unwrap_or_default())? })
    }

    fn map_partitions(&self, message: pb::MapPartitions) -> Result<Node> {
        if message.profile_id.is_some() {
            return Err(Error::unsupported("resource profile of mapInPandas or mapInArrow"));
        }
        Ok(Node::MapPartitions {
            input: self.input(message.input)?,
            function: self.required_function(message.func)?,
            is_barrier: message.is_barrier.unwrap_or(false),
        })
    }

    fn group_map(&self, message: pb::GroupMap) -> Result<Node> {
        let stateful = message.initial_input.is_some()
            || message.is_map_groups_with_state.is_some()
            || message.state_schema.is_some()
            || message.transform_with_state_info.is_some();
        if stateful {
            return Err(Error::unsupported("transformWithState"));
        }
        Ok(Node::GroupMap {
            input: self.input(message.input)?,
            grouping: self.exprs(message.grouping_expressions)?,
            function: self.required_function(message.func)?,
            sorting: self.exprs(message.sorting_expressions)?,
        })
    }

    fn co_group_map(&self, message: pb::CoGroupMap) -> Result<Node> {
        if !message.input_sorting_expressions.is_empty() || !message.other_sorting_expressions.is_empty() {
            return Err(Error::unsupported("sorted cogroup of a JVM client"));
        }
        Ok(Node::CoGroupMap {
            left: self.input(message.input)?,
            left_grouping: self.exprs(message.input_grouping_expressions)?,
            right: self.input(message.other)?,
            right_grouping: self.exprs(message.other_grouping_expressions)?,
            function: self.required_function(message.func)?,
        })
    }

    fn collect_metrics(&self, message: pb::CollectMetrics) -> Result<Node> {
        Ok(Node::CollectMetrics {
            input: self.input(message.input)?,
            name: message.name,
            metrics: self.exprs(message.metrics)?,
        })
    }

    fn parse(&self, message: pb::Parse) -> Result<Node> {
        let format = match ParseFormat::try_from(message.format) {
            Ok(ParseFormat::Csv) => "csv",
            Ok(ParseFormat::Json) => "json",
            Ok(ParseFormat::Xml) => "xml",
            Ok(ParseFormat::Unspecified) | Err(_) => {
                return Err(bad_enum("spark.connect.Parse", "format", message.format));
            }
        };
        Ok(Node::Parse {
            input: self.input(message.input)?,
            format: format.into(),
            schema: message.schema.map(|s| self.struct_type(&s)).transpose()?,
            options: sorted(message.options),
        })
    }

    fn with_watermark(&self, message: pb::WithWatermark) -> Result<Node> {
        Ok(Node::WithWatermark {
            input: self.input(message.input)?,
            column: message.event_time,
            delay: message.delay_threshold,
        })
    }
}

fn int(value: i32) -> Expr {
    Expr::Literal(Literal::Integer(value))
}

fn positive(partitions: i32) -> Result<i32> {
    if partitions > 0 { Ok(partitions) } else { Err(super::errors::assertion("a number of partitions is positive")) }
}
