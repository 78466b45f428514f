//! What a session named: temporary views, relations it holds, variables, the current namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use analyzer::world::{SchemaMode, StoredColumns};
use analyzer::{Analyzed, Answer};
use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableSource};
use planner::source::ReadRequest;
use spark::plan;
use spark::types::StructType;
use spark::{Literal, Node, Result, Settings};

use crate::catalog::{TableEntry, ViewEntry};
use crate::naming::{Found, Place};
use crate::session::{Session, scannable};

/// A relation whose bindings are fixed.
#[derive(Clone)]
pub struct Relation {
    pub schema: StructType,
    pub source: Arc<dyn TableSource>,
    /// SQL text and comment, for `DESCRIBE` and `SHOW CREATE TABLE`.
    pub text: Option<String>,
    pub comment: Option<String>,
    /// The relation itself, while `source` holds its kept rows.
    pub kept: Option<Arc<dyn TableSource>>,
}

/// A session variable.
#[derive(Debug, Clone)]
pub struct Variable {
    pub value: Literal,
    pub data_type: spark::DataType,
    pub default: Option<String>,
}

/// The names of one session.
#[derive(Clone)]
pub struct Names {
    pub catalog: Arc<str>,
    pub database: Arc<str>,
    pub temp_views: BTreeMap<String, (String, Relation)>,
    pub remote: BTreeMap<String, Relation>,
    /// By key: the name in lower case; those that another one hides by [`hidden`].
    pub variables: BTreeMap<String, (String, Variable)>,
    /// What `SET PATH` said, if it is not the standard.
    pub path: Option<Vec<spark::command::PathEntry>>,
    /// Labels of the blocks of a script that run now.
    pub labels: Vec<String>,
    /// Plans whose results are kept.
    pub persisted: Vec<crate::persist::Persisted>,
    pub functions: BTreeMap<String, Arc<analyzer::world::SqlFunction>>,
    /// DataFrames (by the client's id) that are tables which making them has created.
    pub created: std::collections::BTreeSet<i64>,
}

impl Default for Names {
    fn default() -> Self {
        Names {
            catalog: "spark_catalog".into(),
            database: "default".into(),
            temp_views: BTreeMap::new(),
            remote: BTreeMap::new(),
            variables: BTreeMap::new(),
            path: None,
            labels: Vec::new(),
            persisted: Vec::new(),
            functions: BTreeMap::new(),
            created: Default::default(),
        }
    }
}

/// The key of a variable that another one of its name hides; `owner` is its block's label, or `session`.
pub fn hidden(owner: &str, key: &str) -> String {
    format!("\u{0}{}.{key}", owner.to_lowercase())
}

/// The key under which a name is kept.
pub fn key(name: &str, case_sensitive: bool) -> String {
    if case_sensitive { name.to_string() } else { name.to_lowercase() }
}

/// The relation of an analysed plan, with everything in it bound as it is now.
///
/// # Errors
/// If the plan does not have the columns that its analysis promised.
pub fn freeze(analyzed: &Analyzed) -> Result<Relation> {
    let schema = analyzed.plan.schema();
    let names = unique_names(&analyzed.schema);
    let exprs = analyzed.columns.iter().zip(names).map(|(&index, name)| {
        let (qualifier, field) = schema.qualified_field(index);
        Expr::Column(Column::from((qualifier, field))).alias(name)
    });
    // Every column is resolved: the plan builder would look each of them up again in the whole plan.
    let plan = Projection::try_new(exprs.collect::<Vec<_>>(), Arc::new(analyzed.plan.clone()))
        .map_err(functions::error::from_datafusion)?;
    let source = provider_as_source(Arc::new(ViewTable::new(LogicalPlan::Projection(plan), None)));
    Ok(Relation { schema: analyzed.schema.clone(), source, text: None, comment: None, kept: None })
}

/// The columns' names where they differ from each other, else names by position.
pub fn unique_names(schema: &StructType) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let unique = schema.fields.iter().all(|f| seen.insert(f.name.as_str()));
    schema.fields.iter().enumerate().map(|(i, f)| if unique { f.name.clone() } else { format!("c{i}") }).collect()
}

impl Session {
    /// The relation of a name as a query would find it.
    pub(crate) async fn find_relation(
        self: &Arc<Self>,
        name: &[String],
        options: &plan::Options,
        settings: &Settings,
    ) -> Result<Answer> {
        match self.find(name, settings)? {
            Found::Temp(shown, relation) => Ok(scannable(vec![shown], &self.relisted(relation, settings).await)),
            Found::Entry(place, entry) => {
                if let Some(held) = self.cached_table(&place).await {
                    return Ok(scannable(place.parts(), &held));
                }
                match &entry.view {
                    Some(view) => Ok(permanent_view(&place, &entry, view, settings)?),
                    None => Ok(self.open_table(&place, &entry, options, settings).await.unwrap_or_else(Answer::Failed)),
                }
            }
            Found::Nothing => Ok(Answer::NotFound),
        }
    }

    /// The files of a catalog's table.
    pub(crate) async fn open_table(
        &self,
        place: &Place,
        entry: &TableEntry,
        options: &plan::Options,
        settings: &Settings,
    ) -> Result<Answer> {
        let request = table_request(entry, options, settings)?;
        let mut opened = planner::source::open(&self.engine().shared().state, request).await?;
        if let Some(table) = Arc::get_mut(&mut opened.table)
            && options.is_empty()
        {
            table.set_origin(&place.namespace, &place.name);
        }
        Ok(Answer::Table(analyzer::world::Table {
            name: place.parts(),
            schema: opened.schema,
            source: provider_as_source(opened.table),
        }))
    }

    /// A relation the session holds by id.
    pub(crate) fn find_remote(&self, id: &str) -> Answer {
        match self.names.lock().remote.get(id) {
            Some(relation) => scannable(Vec::new(), relation),
            None => Answer::NotFound,
        }
    }

    pub(crate) fn find_variable(&self, name: &[String]) -> Answer {
        let Some(last) = name.last().map(|n| n.to_lowercase()) else { return Answer::NotFound };
        let names = self.names.lock();
        let owner = name.len().checked_sub(2).and_then(|at| name.get(at));
        let is_known =
            |o: &String| o.eq_ignore_ascii_case("session") || names.labels.iter().any(|l| l.eq_ignore_ascii_case(o));
        if !owner.is_none_or(is_known) {
            return Answer::NotFound;
        }
        let own = owner.and_then(|o| names.variables.get(&hidden(o, &last)));
        match own.or_else(|| names.variables.get(&last)) {
            Some((_, variable)) => Answer::Variable(variable.value.clone()),
            None => Answer::NotFound,
        }
    }
}

/// How a catalog's table is read.
///
/// # Errors
/// If its stored schema is damaged.
pub(crate) fn table_request(entry: &TableEntry, options: &plan::Options, settings: &Settings) -> Result<ReadRequest> {
    let mut all = entry.options.clone();
    all.extend(options.iter().cloned());
    all.push(("timeZone".into(), settings.time_zone.to_string()));
    let mut all = planner::source::Options::new(&all);
    all.set_time_parser(settings);
    Ok(ReadRequest {
        format: entry.provider.to_lowercase(),
        paths: vec![entry.location.clone()],
        options: all,
        schema: Some(entry.schema()?),
        time_zone: Arc::clone(&settings.time_zone),
        case_sensitive: settings.case_sensitive,
        infer_partition_types: true,
        merge_parquet_schemas: false,
        bad_files: crate::snapshot::bad_files(settings),
        partition_columns: Some(entry.partition_columns.clone()),
        allow_empty: true,
        registry: crate::command::known_partitions(entry, settings).cloned(),
        added_defaults: planner::source::AddedDefaults::from_texts(&entry.added_defaults)
            .map_err(functions::error::from_datafusion)?,
    })
}

fn permanent_view(place: &Place, entry: &TableEntry, view: &ViewEntry, settings: &Settings) -> Result<Answer> {
    let mut plan = view.plan(&sql::ParseOptions::from(settings))?;
    let schema = entry.schema()?;
    if let Node::MetricView(metrics) = &mut plan.node {
        let columns = metrics.dimensions.iter_mut().chain(&mut metrics.measures);
        for (column, stored) in columns.zip(&schema.fields) {
            (column.name, column.metadata) = (stored.name.clone(), stored.metadata.clone());
        }
    }
    let mode = if view.is_metrics() { SchemaMode::Evolution } else { SchemaMode::named(&view.schema_mode) };
    let names: Vec<String> = schema.fields.iter().map(|f| f.name.clone()).collect();
    let query_names = if view.query_columns.is_empty() { names.clone() } else { view.query_columns.clone() };
    let columns = if names == query_names { String::new() } else { format!(" ({})", names.join(", ")) };
    let statement = format!("CREATE OR REPLACE VIEW {}{columns} AS {}", place.parts().join("."), view.text);
    Ok(Answer::View(analyzer::world::View {
        name: place.parts(),
        plan: Arc::new(plan),
        catalog: Some((view.catalog.as_str().into(), view.database.as_str().into())),
        path: view.path.clone().map(Into::into),
        ansi: view.ansi,
        collation: functions::families::collation::of_types(entry.collation.as_deref())?,
        stored: StoredColumns { schema, query_names, mode, statement },
    }))
}
