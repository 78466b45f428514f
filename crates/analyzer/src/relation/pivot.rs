//! `PIVOT` and `UNPIVOT`.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr as DfExpr;
use functions::error::from_datafusion;
use functions::{Typed, coerce, fold};
use spark::expr::{CastMode, SortOrder};
use spark::plan::{Aggregate, SortKeys, SqlPivot, Unpivot};
use spark::types::DataType;
use spark::{Error, Expr, Literal, Node, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::list::{Bound, Item};
use crate::relation::aggregate::contains_aggregate;
use crate::scope::{Attr, Rel};
use crate::world::{Answer, Need, Query};

/// A value of the pivot column, with the name it gives to its columns.
struct PivotValue {
    typed: Typed,
    name: String,
}

/// A column of `UNPIVOT`, with what it refers to.
type Column = (Typed, Option<Attr>);

/// Columns that become one row, and its name.
type Group = (Vec<Column>, Option<String>);

impl Analyzer<'_> {
    pub(super) fn sql_pivot(&mut self, pivot: &SqlPivot) -> Result<Rel> {
        let rel = self.relation(&pivot.input)?;
        let mut scope = Scope::new(&rel, "PIVOT");
        let columns = pivot.columns.iter().map(|c| self.resolve(c, &mut scope)).collect::<Result<Vec<_>>>()?;
        if let Some(column) = columns.iter().find(|c| !crate::expr::window::orderable(&c.ty)) {
            return Err(Error::analysis("INCOMPARABLE_PIVOT_COLUMN")
                .param("columnName", spark::types::quote_identifier(&column.name))
                .nowhere());
        }
        let mut values = Vec::new();
        for value in &pivot.values {
            values.push(self.pivot_value(value, &rel)?);
        }
        let aggregates = self.pivot_aggregates(&pivot.aggregates, &mut scope)?;
        let mut used: Vec<DfExpr> = columns.iter().map(|c| c.expr.clone()).collect();
        used.extend(aggregates.iter().map(|(t, _)| t.expr.clone()));
        let used = super::project::needed_columns(&used);
        let keys: Vec<Typed> = rel.output.iter().filter(|a| !used.contains(&a.id)).map(Attr::typed).collect();
        let column = match columns.as_slice() {
            [one] => one.clone(),
            many => {
                let mut args = Vec::new();
                for value in many {
                    args.push(self.literal_string(&value.name));
                    args.push(value.clone());
                }
                self.call("named_struct", args)?
            }
        };
        self.pivoted(rel, keys, column, values, aggregates)
    }

    pub(super) fn api_pivot(&mut self, aggregate: &Aggregate, column: &Expr, values: &[Literal]) -> Result<Rel> {
        let rel = self.relation(&aggregate.input)?;
        let mut scope = Scope::new(&rel, "pivot");
        let typed = self.resolve(column, &mut scope)?;
        let values = if values.is_empty() { self.distinct_values(&aggregate.input, column)? } else { values.to_vec() };
        let mut named = Vec::new();
        for value in values {
            let value = self.constant(value)?;
            named.push(self.named_pivot_value(value, None)?);
        }
        let mut keys = Vec::new();
        for item in self.select_list(&aggregate.grouping, &mut scope)? {
            if let Item::Value { typed, name, .. } = item {
                keys.push(typed.named(name));
            }
        }
        let aggregates = self.pivot_aggregates(&aggregate.aggregates, &mut scope)?;
        self.pivoted(rel, keys, typed, named, aggregates)
    }

    /// The values of a pivot column that were not given, in order.
    fn distinct_values(&mut self, input: &Plan, column: &Expr) -> Result<Vec<Literal>> {
        let limit = self.settings.conf.get_int("spark.sql.pivotMaxValues", 10_000);
        let project = Node::Project { input: Box::new(input.clone()), exprs: vec![column.clone().alias("v")] };
        let distinct = Node::Distinct { input: Plan::boxed(project) };
        let key = SortOrder { child: Expr::attribute(["v"]), ascending: true, nulls_first: None };
        let sort = Node::Sort { input: Plan::boxed(distinct), order: SortKeys::Keys(vec![key]), global: true };
        let limited = Node::Limit {
            input: Plan::boxed(sort),
            limit: Expr::Literal(Literal::Integer(i32::try_from(limit + 1).unwrap_or(i32::MAX))),
        };
        match self.ask_found(Need::Query(Query::new(limited.into())))? {
            Answer::Rows(rows) if rows.len() as i64 > limit => Err(Error::analysis("_LEGACY_ERROR_TEMP_1324")
                .param("pivotColumn", "v")
                .param("maxValues", limit.to_string())
                .with_message(format!("The pivot column has more than {limit} distinct values."))),
            Answer::Rows(rows) => Ok(rows.iter().filter_map(|r| r.first().cloned()).collect()),
            _ => Err(Error::internal("a query is answered with rows")),
        }
    }

    fn pivot_aggregates(&mut self, exprs: &[Expr], scope: &mut Scope) -> Result<Vec<(Typed, Option<String>)>> {
        exprs
            .iter()
            .map(|e| {
                let alias = match e.unpositioned() {
                    Expr::Alias { names, .. } => names.first().cloned(),
                    _ => None,
                };
                let inner = match e.unpositioned() {
                    Expr::Alias { child, .. } => child,
                    _ => e,
                };
                let typed = self.resolve(inner, scope)?;
                if !contains_aggregate(&typed.expr) {
                    let used = super::project::needed_columns(std::slice::from_ref(&typed.expr));
                    let column = scope.rel.output.iter().find(|a| used.contains(&a.id));
                    let shown = column.map_or_else(|| typed.name.clone(), crate::expr::attribute::attr_path);
                    return Err(Error::analysis("_LEGACY_ERROR_TEMP_1006")
                        .param("sql", shown)
                        .with_message(format!("{} is not an aggregate, as PIVOT needs.", typed.name))
                        .nowhere());
                }
                Ok((typed, alias))
            })
            .collect()
    }

    fn pivot_value(&mut self, value: &Expr, rel: &Rel) -> Result<PivotValue> {
        let mut scope = Scope::new(rel, "PIVOT");
        let (expr, alias) = match value.unpositioned() {
            Expr::Alias { child, names, .. } => (&**child, names.first().cloned()),
            _ => (value, None),
        };
        let typed = self.resolve(expr, &mut scope)?;
        if !typed.foldable() {
            let error = Error::analysis("NON_LITERAL_PIVOT_VALUES");
            return Err(error.param("expression", format!("\"{}\"", typed.name)).nowhere());
        }
        self.named_pivot_value(typed, alias)
    }

    fn named_pivot_value(&mut self, typed: Typed, alias: Option<String>) -> Result<PivotValue> {
        let name = match alias {
            Some(alias) => alias,
            None => {
                let text = functions::cast::explicit(&typed, &DataType::STRING, CastMode::Legacy, &self.settings)?;
                fold::string(&text).unwrap_or_else(|| "null".into())
            }
        };
        Ok(PivotValue { typed, name })
    }

    /// The aggregation with one set of aggregates for each value of the pivot column.
    fn pivoted(
        &mut self,
        rel: Rel,
        keys: Vec<Typed>,
        column: Typed,
        values: Vec<PivotValue>,
        aggregates: Vec<(Typed, Option<String>)>,
    ) -> Result<Rel> {
        // Spark leaves out combinations without rows only where every aggregate is a plain number.
        let sparse = aggregates.iter().all(|(a, _)| a.ty.is_numeric() || a.ty == DataType::Boolean);
        let mut items: Vec<Item> = Vec::new();
        for key in &keys {
            let attr = rel.output.iter().find(|a| a.expr() == key.expr).cloned();
            items.push(Item::Value { typed: key.clone(), attr, name: key.name.clone() });
        }
        for value in &values {
            // Values become what the column is.
            let cast = functions::cast::explicit(&value.typed, &column.ty, CastMode::Session, &self.settings);
            let right = cast.map_err(|_| {
                Error::analysis("PIVOT_VALUE_DATA_TYPE_MISMATCH")
                    .param("value", value.typed.name.clone())
                    .param("valueType", value.typed.ty.simple_string())
                    .param("pivotType", column.ty.simple_string())
            })?;
            let is_value = self.call("<=>", vec![column.clone(), right])?;
            for (aggregate, alias) in &aggregates {
                let name = match (aggregates.len(), alias) {
                    (1, _) => value.name.clone(),
                    (_, Some(alias)) => format!("{}_{alias}", value.name),
                    (_, None) => format!("{}_{}", value.name, aggregate.name),
                };
                let typed = self.only_where(aggregate, &is_value, sparse)?;
                items.push(Item::Value { typed, attr: None, name });
            }
        }
        let grouped = self.group_items(rel, keys, None, items)?;
        self.build_grouped(grouped)
    }

    /// The aggregate over the rows where `condition` holds; where it is `sparse`, null if there are none.
    fn only_where(&mut self, aggregate: &Typed, condition: &Typed, sparse: bool) -> Result<Typed> {
        let filtered = aggregate
            .expr
            .clone()
            .transform_down(|e| match e {
                DfExpr::AggregateFunction(mut f) => {
                    let filter = match f.params.filter.take() {
                        Some(before) => before.and(condition.expr.clone()),
                        None => condition.expr.clone(),
                    };
                    f.params.filter = Some(Box::new(filter));
                    Ok(Transformed::new(DfExpr::AggregateFunction(f), true, TreeNodeRecursion::Jump))
                }
                other => Ok(Transformed::no(other)),
            })
            .map_err(from_datafusion)?
            .data;
        if !sparse {
            return Ok(Typed { expr: filtered, ..aggregate.clone() });
        }
        let mut count = datafusion::functions_aggregate::count::count(datafusion::logical_expr::lit(1i64));
        if let DfExpr::AggregateFunction(f) = &mut count {
            f.params.filter = Some(Box::new(condition.expr.clone()));
        }
        let any = count.gt(datafusion::logical_expr::lit(0i64));
        let expr = datafusion::logical_expr::when(any, filtered).end().map_err(from_datafusion)?;
        Ok(Typed::new(expr, aggregate.ty.clone(), true, aggregate.name.clone()))
    }

    pub(super) fn unpivot(&mut self, unpivot: &Unpivot) -> Result<Rel> {
        let rel = self.relation(&unpivot.input)?;
        let mut scope = Scope::new(&rel, "UNPIVOT");
        let ids = match &unpivot.ids {
            Some(ids) => Some(self.unpivot_columns(ids, &mut scope)?),
            None => None,
        };
        let groups = match &unpivot.values {
            Some(groups) => groups
                .iter()
                .map(|(columns, alias)| Ok((self.unpivot_columns(columns, &mut scope)?, alias.clone())))
                .collect::<Result<Vec<_>>>()?,
            None => {
                let used: Vec<u64> = ids.iter().flatten().filter_map(|(_, a)| a.as_ref().map(|a| a.id)).collect();
                rel.output
                    .iter()
                    .filter(|a| !used.contains(&a.id))
                    .map(|a| (vec![(a.typed(), Some(a.clone()))], None))
                    .collect()
            }
        };
        let ids = match ids {
            Some(ids) => ids,
            None => {
                let used: Vec<u64> =
                    groups.iter().flat_map(|(g, _)| g).filter_map(|(_, a)| a.as_ref().map(|a| a.id)).collect();
                let rest = rel.output.iter().filter(|a| !used.contains(&a.id));
                rest.map(|a| (a.typed(), Some(a.clone()))).collect()
            }
        };
        if groups.is_empty() {
            return Err(Error::analysis("UNPIVOT_REQUIRES_VALUE_COLUMNS"));
        }
        self.unpivoted(&rel, unpivot, ids, groups)
    }

    fn unpivot_columns(&mut self, exprs: &[Expr], scope: &mut Scope) -> Result<Vec<Column>> {
        let mut out = Vec::new();
        for item in self.select_list(exprs, scope)? {
            match item {
                Item::Value { typed, attr: Some(attr), .. } => out.push((typed, Some(attr))),
                Item::Value { typed, .. } => {
                    return Err(Error::analysis("UNPIVOT_REQUIRES_ATTRIBUTES")
                        .param("given", "value")
                        .param("empty", "id")
                        .param("expressions", format!("\"{}\"", typed.name)));
                }
                Item::Generator { .. } => return Err(Error::unsupported("a generator in UNPIVOT")),
            }
        }
        Ok(out)
    }

    fn unpivoted(&mut self, rel: &Rel, unpivot: &Unpivot, ids: Vec<Column>, groups: Vec<Group>) -> Result<Rel> {
        let width = unpivot.value_columns.len();
        if let Some((group, _)) = groups.iter().find(|(g, _)| g.len() != width) {
            let names: Vec<String> = unpivot.value_columns.iter().map(|n| spark::types::quote_identifier(n)).collect();
            return Err(Error::analysis("UNPIVOT_VALUE_SIZE_MISMATCH")
                .param("names", names.join(", "))
                .param("actual", group.len().to_string()));
        }
        let types: Vec<DataType> = (0..width).map(|i| self.unpivot_type(&groups, i)).collect::<Result<_>>()?;
        let rows = groups
            .into_iter()
            .map(|(group, alias)| self.unpivot_row(&group, alias, &types))
            .collect::<Result<Vec<_>>>()?;
        let array = Expr::call("array", rows);
        let call =
            spark::expr::UnresolvedFunction { name: vec!["inline".into()], args: vec![array], ..Default::default() };
        let Some(generator) = self.generator(&call, &mut Scope::new(rel, "UNPIVOT"))? else {
            return Err(Error::unsupported("UNPIVOT"));
        };
        let mut names = vec![unpivot.variable_column.clone()];
        names.extend(unpivot.value_columns.iter().cloned());
        let (mut generated, columns) = self.generate(rel, generator, &names)?;
        if !unpivot.include_nulls
            && let Some(keep) = self.any_present(columns.get(1..).unwrap_or_default())?
        {
            generated = self.filter_typed(&generated.clone(), keep, &generated)?;
        }
        let mut values: Vec<(Typed, Option<Attr>, String)> =
            ids.into_iter().map(|(t, a)| (t.clone(), a, t.name)).collect();
        values.extend(columns.into_iter().map(|a| (a.typed(), Some(a.clone()), a.name)));
        self.project_values(&generated, values)
    }

    /// The type that column `i` of all groups has in common.
    fn unpivot_type(&self, groups: &[Group], i: usize) -> Result<DataType> {
        let column: Vec<DataType> = groups.iter().map(|(g, _)| g[i].0.ty.clone()).collect();
        // Text and what is no text have nothing in common here, whatever a cast would make of it.
        let mut present = column.iter().filter(|t| **t != DataType::Null).map(DataType::is_string);
        let first = present.next();
        let mixed = present.any(|is_string| Some(is_string) != first);
        let common = if mixed { None } else { coerce::common_type(&column, &self.settings) };
        common.ok_or_else(|| {
            let mut names: Vec<String> = groups
                .iter()
                .map(|(g, _)| format!("\"{}\" ({})", g[i].0.ty.sql(), spark::types::quote_identifier(&g[i].0.name)))
                .collect();
            names.sort();
            Error::analysis("UNPIVOT_VALUE_DATA_TYPE_MISMATCH").param("types", names.join(", "))
        })
    }

    /// The row that a group of columns becomes: its name and its values.
    fn unpivot_row(&mut self, group: &[Column], alias: Option<String>, types: &[DataType]) -> Result<Expr> {
        let name = alias.unwrap_or_else(|| group.iter().map(|(t, _)| t.name.clone()).collect::<Vec<_>>().join("_"));
        let mut args = vec![self.literal_string("variable"), self.literal_string(&name)];
        for (i, ((typed, _), ty)) in group.iter().zip(types).enumerate() {
            args.push(self.literal_string(&format!("v{i}")));
            args.push(coerce::cast_implicitly(typed, ty, &self.settings));
        }
        let row = self.call("named_struct", args)?;
        Ok(self.bound(Bound { typed: row, attr: None }))
    }

    /// Whether any of the columns is not null; `None` if there are none.
    fn any_present(&mut self, columns: &[Attr]) -> Result<Option<Typed>> {
        let mut any: Option<Typed> = None;
        for column in columns {
            let present = self.call("isnotnull", vec![column.typed()])?;
            any = Some(match any {
                None => present,
                Some(before) => self.call("or", vec![before, present])?,
            });
        }
        Ok(any)
    }
}
