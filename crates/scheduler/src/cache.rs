//! Results that are kept: `persist`, `cache`, `CACHE TABLE` and checkpoints.
//!
//! A kept result is a parquet-free copy of the rows: in memory while the cache's share of memory
//! lasts, else in an Arrow IPC file below the data folder.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use async_trait::async_trait;
use datafusion::catalog::{Session as DfSession, TableProvider};
use datafusion::common::Result as DfResult;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use spark::{Error, Node, Plan, Result};

use crate::engine::EngineConfig;
use crate::names::{Relation, unique_names};
use crate::naming::Place;
use crate::operation::OperationContext;
use crate::query;
use crate::reads::{self, Reads};
use crate::route::route;
use crate::session::Session;

/// The share of the engine's memory that kept results may fill, as a divisor.
const SHARE: usize = 4;

/// The share where the engine's memory is unbounded.
const UNBOUNDED_SHARE: usize = 1 << 30;

/// Kept plans; more are refused.
const MAX_ENTRIES: usize = 10_000;

/// How a result is kept, as Spark's storage levels say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StorageLevel {
    pub use_disk: bool,
    pub use_memory: bool,
    pub use_off_heap: bool,
    pub deserialized: bool,
    pub replication: i32,
}

impl StorageLevel {
    /// `MEMORY_AND_DISK_DESER`, the default.
    pub const DEFAULT: StorageLevel =
        StorageLevel { use_disk: true, use_memory: true, use_off_heap: false, deserialized: true, replication: 1 };
}

/// Everything an engine keeps.
pub struct Cache {
    used: Arc<AtomicUsize>,
    limit: usize,
    folder: PathBuf,
    tables: Mutex<HashMap<(String, String), Held>>,
}

/// The kept rows of a catalog's table or view.
struct Held {
    relation: Relation,
    state: State,
}

/// Whether kept rows are those that a query would find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    /// Something was written since.
    Stale,
    /// A reader computes them anew; the others read the table itself.
    Computing,
}

impl Cache {
    pub fn new(config: &EngineConfig) -> Self {
        let limit = config.memory_bytes.map_or(UNBOUNDED_SHARE, |m| m / SHARE);
        Cache { used: Arc::default(), limit, folder: config.data_dir.join("cache"), tables: Mutex::default() }
    }

    /// Room for rows that are to be kept.
    fn store(&self, schema: SchemaRef) -> Kept {
        Kept {
            schema,
            batches: Vec::new(),
            spilled: None,
            held: 0,
            used: Arc::clone(&self.used),
            limit: self.limit,
            folder: self.folder.clone(),
        }
    }
}

/// Rows that are kept.
struct Kept {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    spilled: Option<Spilled>,
    held: usize,
    used: Arc<AtomicUsize>,
    limit: usize,
    folder: PathBuf,
}

struct Spilled {
    path: tempfile::TempPath,
    writer: Option<StreamWriter<std::io::BufWriter<File>>>,
}

impl Kept {
    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let bytes = batch.get_array_memory_size();
        let fits = self.spilled.is_none()
            && self
                .used
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                    used.checked_add(bytes).filter(|sum| *sum <= self.limit)
                })
                .is_ok();
        if fits {
            self.held += bytes;
            self.batches.push(batch);
            return Ok(());
        }
        self.spill(&batch).map_err(|e| Error::internal(format!("a kept result cannot be spilled: {e}")))
    }

    fn spill(&mut self, batch: &RecordBatch) -> DfResult<()> {
        if self.spilled.is_none() {
            std::fs::create_dir_all(&self.folder)?;
            let file = tempfile::NamedTempFile::new_in(&self.folder)?;
            let (file, path) = file.into_parts();
            let writer = StreamWriter::try_new(std::io::BufWriter::new(file), &self.schema)?;
            self.spilled = Some(Spilled { path, writer: Some(writer) });
        }
        if let Some(Spilled { writer: Some(writer), .. }) = &mut self.spilled {
            writer.write(batch)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> DfResult<()> {
        if let Some(mut writer) = self.spilled.as_mut().and_then(|s| s.writer.take()) {
            writer.finish()?;
        }
        Ok(())
    }

    fn all(&self) -> DfResult<Vec<RecordBatch>> {
        let mut all = self.batches.clone();
        if let Some(spilled) = &self.spilled {
            let reader = StreamReader::try_new(std::io::BufReader::new(File::open(&spilled.path)?), None)?;
            for batch in reader {
                all.push(batch?);
            }
        }
        Ok(all)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.used.fetch_sub(self.held, Ordering::AcqRel);
    }
}

/// Kept rows as a table; they go when the last reference does.
pub(crate) struct KeptTable {
    rows: Kept,
    pub(crate) reads: Reads,
    /// The table of the catalog that these are the rows of.
    pub(crate) origin: Option<Place>,
}

impl std::fmt::Debug for KeptTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptTable").field("bytes", &self.rows.held).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for KeptTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.rows.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn DfSession,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let partitions = state.config().target_partitions().max(1);
        let batches = self.rows.all()?;
        let size = batches.len().div_ceil(partitions).max(1);
        let mut groups: Vec<Vec<RecordBatch>> = batches.chunks(size).map(<[RecordBatch]>::to_vec).collect();
        if groups.is_empty() {
            groups.push(Vec::new());
        }
        let plan: Arc<dyn ExecutionPlan> =
            MemorySourceConfig::try_new_exec(&groups, Arc::clone(&self.rows.schema), projection.cloned())?;
        Ok(plan)
    }
}

impl Session {
    /// Runs a plan and keeps its rows.
    pub(crate) async fn keep(self: &Arc<Self>, plan: &Plan) -> Result<Relation> {
        self.keep_of(plan, None).await
    }

    /// Keeps the rows of a table or view of the catalog.
    pub(crate) async fn keep_table(self: &Arc<Self>, place: &Place) -> Result<Relation> {
        let table = Node::Table { name: place.parts(), options: Vec::new(), is_streaming: false, time_travel: None };
        self.keep_of(&Plan::from(table), Some(place.clone())).await
    }

    async fn keep_of(self: &Arc<Self>, plan: &Plan, origin: Option<Place>) -> Result<Relation> {
        use futures::StreamExt;
        let analyzed = self.analyze(plan, self.settings()).await?;
        let prepared = route(self.engine(), &analyzed.plan, self.wish()?).await?;
        let mut rows = prepared.start("keep", &OperationContext::detached()).await?;
        let names = unique_names(&analyzed.schema);
        let arrow = planner::source::table::arrow_schema(&analyzed.schema);
        let fields: Vec<_> = arrow.fields().iter().zip(&names).map(|(f, n)| f.as_ref().clone().with_name(n)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(fields));
        let mut kept = self.engine().shared().cache.store(Arc::clone(&schema));
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(functions::error::from_datafusion)?;
            kept.push(query::project(&batch, &analyzed.columns, &schema)?)?;
        }
        kept.finish().map_err(functions::error::from_datafusion)?;
        let source = provider_as_source(Arc::new(KeptTable { rows: kept, reads: Reads::of(&analyzed.plan), origin }));
        Ok(Relation { schema: analyzed.schema, source, text: None, comment: None, kept: None })
    }

    /// Whether the rows of a catalog's table or view are kept.
    pub(crate) fn is_cached(&self, place: &Place) -> bool {
        self.engine().shared().cache.tables.lock().contains_key(&table_key(place))
    }

    /// The kept rows of a catalog's table or view, computed anew if they went stale.
    pub(crate) fn cached_table<'a>(self: &'a Arc<Self>, place: &'a Place) -> BoxFuture<'a, Option<Relation>> {
        Box::pin(async move {
            {
                let mut tables = self.engine().shared().cache.tables.lock();
                let held = tables.get_mut(&table_key(place))?;
                match held.state {
                    State::Fresh => return Some(held.relation.clone()),
                    State::Computing => return None,
                    State::Stale => held.state = State::Computing,
                }
            }
            let mut claim = Claim { session: self, place, relation: None };
            // A failure is the reader's to find, in the table itself.
            claim.relation = self.keep_table(place).await.ok();
            claim.relation.clone()
        })
    }

    /// Rows kept of files below `location` are stale: something was written there.
    pub(crate) fn rows_changed(&self, location: &str) {
        // Views have no files.
        if location.is_empty() {
            return;
        }
        let shared = self.engine().shared();
        for held in shared.cache.tables.lock().values_mut() {
            if held.state == State::Computing || reads::is_of(&held.relation.source, location) {
                held.state = State::Stale;
            }
        }
        // A view goes back to what it is of.
        let restore = |relation: &mut Relation| {
            if let Some(original) = &relation.kept
                && reads::is_of(&relation.source, location)
            {
                relation.source = Arc::clone(original);
            }
        };
        shared.global_views.write().values_mut().for_each(|(_, relation)| restore(relation));
        self.names.lock().temp_views.values_mut().for_each(|(_, relation)| restore(relation));
        self.recompute_persisted(location);
    }

    /// Keeps the rows of a catalog's table or view under its name.
    pub(crate) fn set_cached_table(&self, place: &Place, relation: Option<Relation>) -> Result<bool> {
        let mut tables = self.engine().shared().cache.tables.lock();
        match relation {
            None => Ok(tables.remove(&table_key(place)).is_some()),
            Some(_) if tables.len() >= MAX_ENTRIES => Err(Error::unsupported("keeping more tables")),
            Some(relation) => Ok(tables.insert(table_key(place), Held { relation, state: State::Fresh }).is_some()),
        }
    }

    /// A table is kept under its new name; its files may have moved, so its rows are computed anew.
    pub(crate) fn rename_cached_table(&self, from: &Place, to: &Place) {
        let mut tables = self.engine().shared().cache.tables.lock();
        if let Some(held) = tables.remove(&table_key(from)) {
            tables.insert(table_key(to), Held { state: State::Stale, ..held });
        }
    }

    /// Forgets the kept tables of a database.
    pub(crate) fn clear_cached_tables_in(&self, namespace: &str) {
        let namespace = namespace.to_lowercase();
        self.engine().shared().cache.tables.lock().retain(|(of, _), _| *of != namespace);
    }

    /// Forgets all kept tables.
    pub(crate) fn clear_cached_tables(&self) {
        self.engine().shared().cache.tables.lock().clear();
    }
}

/// The right to compute stale rows anew; given back if that fails, is cancelled or comes too late.
struct Claim<'a> {
    session: &'a Session,
    place: &'a Place,
    relation: Option<Relation>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut tables = self.session.engine().shared().cache.tables.lock();
        // It may have been written to, or uncached, meanwhile.
        let Some(held) = tables.get_mut(&table_key(self.place)) else { return };
        if held.state == State::Computing {
            held.state = match self.relation.take() {
                None => State::Stale,
                Some(relation) => {
                    held.relation = relation;
                    State::Fresh
                }
            };
        }
    }
}

fn table_key(place: &Place) -> (String, String) {
    (place.namespace.to_lowercase(), place.name.to_lowercase())
}
