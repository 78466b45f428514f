//! A file source whose files may be anything: its failures, panics included, become Spark's conditions
//! with the file's name. Everything else goes to the source inside.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::FutureExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::bad_files::{BadFiles, Blame};
use super::defaults::AddedDefaults;
use super::file_columns;

/// See the module.
pub struct GuardedSource {
    inner: Arc<dyn FileSource>,
    policy: BadFiles,
    defaults: Arc<AddedDefaults>,
}

impl GuardedSource {
    /// `inner`, guarded; files that lack some columns have `defaults` in them.
    pub fn wrap(inner: Arc<dyn FileSource>, policy: BadFiles, defaults: Arc<AddedDefaults>) -> Arc<dyn FileSource> {
        Arc::new(GuardedSource { inner, policy, defaults })
    }

    /// The source inside, what is passed over and what stands in for columns, for the wire.
    pub fn parts(&self) -> (&Arc<dyn FileSource>, BadFiles, &AddedDefaults) {
        (&self.inner, self.policy, &self.defaults)
    }

    /// Another source under the same guard.
    pub fn again(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Self::wrap(inner, self.policy, Arc::clone(&self.defaults))
    }

    /// The scan as the source inside is to see it.
    fn with_defaults<'a>(&self, config: &'a FileScanConfig) -> Cow<'a, FileScanConfig> {
        if self.defaults.is_empty() {
            return Cow::Borrowed(config);
        }
        let defaults: Arc<dyn PhysicalExprAdapterFactory> = Arc::clone(&self.defaults) as _;
        Cow::Owned(FileScanConfigBuilder::from(config.clone()).with_expr_adapter(Some(defaults)).build())
    }
}

impl FileSource for GuardedSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, &self.with_defaults(config), partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(Arc::clone(&store), &self.with_defaults(config), partition)?;
        let url = config.object_store_url.clone();
        Ok(Box::new(Guarded { inner, url, store, policy: self.policy }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.again(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_extra(t, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        min_size: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        self.inner.repartitioned(target_partitions, min_size, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation {
            filters: pushed.filters,
            updated_node: pushed.updated_node.map(|inner| self.again(inner)),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_sort(order, properties)?.map(|inner| self.again(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.again(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

#[derive(Debug)]
struct Guarded {
    inner: Box<dyn Morselizer>,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    policy: BadFiles,
}

/// Where a file is, or was.
#[derive(Debug, Clone)]
struct Place {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl Place {
    /// A failure to open the file; that it is gone if it is, which readers of footers say in prose only.
    async fn why(&self, error: DataFusionError) -> DataFusionError {
        match self.store.head(&self.path).await {
            Err(gone @ object_store::Error::NotFound { .. }) => DataFusionError::ObjectStore(Box::new(gone)),
            Ok(_) | Err(_) => error,
        }
    }
}

impl Morselizer for Guarded {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let path = file_columns::url(&self.url, file.object_meta.location.as_ref());
        let blame = Blame { path, policy: self.policy };
        let place = Place { store: Arc::clone(&self.store), path: file.object_meta.location.clone() };
        let planned = caught(&blame, || self.inner.plan_file(file))?;
        Ok(planner(planned, blame, place))
    }
}

/// Runs a step of a reader; `None` where its file is passed over.
fn caught<T>(blame: &Blame, step: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    let judged = match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => return Ok(Some(value)),
        Ok(Err(error)) => blame.judge(error),
        Err(panic) => blame.panicked(panic.as_ref()),
    };
    judged.map_or(Ok(None), Err)
}

/// The guarded planner, or one of nothing.
fn planner(inner: Option<Box<dyn MorselPlanner>>, blame: Blame, place: Place) -> Box<dyn MorselPlanner> {
    Box::new(GuardedPlanner { inner, blame, place })
}

#[derive(Debug)]
struct GuardedPlanner {
    /// `None`: the file is passed over.
    inner: Option<Box<dyn MorselPlanner>>,
    blame: Blame,
    place: Place,
}

impl MorselPlanner for GuardedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let GuardedPlanner { inner, blame, place } = *self;
        let Some(inner) = inner else { return Ok(None) };
        let Some(mut plan) = caught(&blame, || inner.plan())?.flatten() else { return Ok(None) };
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| Box::new(GuardedMorsel { inner, blame: blame.clone() }) as Box<dyn Morsel>);
        let ready =
            plan.take_ready_planners().into_iter().map(|inner| planner(Some(inner), blame.clone(), place.clone()));
        let mut guarded = MorselPlan::new().with_morsels(morsels.collect()).with_planners(ready.collect());
        if let Some(pending) = plan.take_pending_planner() {
            guarded.set_pending_planner(async move {
                let judged = match AssertUnwindSafe(pending).catch_unwind().await {
                    Ok(Ok(inner)) => return Ok(planner(Some(inner), blame, place)),
                    Ok(Err(error)) => blame.judge(place.why(error).await),
                    Err(panic) => blame.panicked(panic.as_ref()),
                };
                judged.map_or_else(|| Ok::<_, DataFusionError>(planner(None, blame, place)), Err)
            });
        }
        Ok(Some(guarded))
    }
}

#[derive(Debug)]
struct GuardedMorsel {
    inner: Box<dyn Morsel>,
    blame: Blame,
}

impl Morsel for GuardedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let GuardedMorsel { inner, blame } = *self;
        match caught(&blame, || Ok(inner.into_stream())) {
            Ok(Some(stream)) => blame.guard(stream),
            Ok(None) => Box::pin(futures::stream::empty()),
            Err(error) => Box::pin(futures::stream::once(async { Err(error) })),
        }
    }
}
