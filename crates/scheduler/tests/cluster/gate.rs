//! A file store whose reads wait: tests decide when a task may go on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

/// URL scheme of the store.
pub const SCHEME: &str = "gated";

/// Reads of files with this in their name wait for the gate.
pub const GATED: &str = "gated";

/// Local files; those with [`GATED`] in their name are readable once the gate's file exists.
#[derive(Debug)]
pub struct GatedStore {
    inner: LocalFileSystem,
    gate: Option<PathBuf>,
}

impl fmt::Display for GatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatedStore")
    }
}

/// A runtime with the store; without a gate nothing waits, as the planner needs it.
pub fn runtime(gate: Option<PathBuf>, spill: Option<PathBuf>) -> Arc<RuntimeEnv> {
    let mut builder = RuntimeEnvBuilder::new();
    if let Some(spill) = spill {
        builder = builder.with_temp_file_path(spill);
    }
    let runtime = builder.build_arc().expect("runtime");
    let url = url::Url::parse(&format!("{SCHEME}://test")).expect("url");
    let store = GatedStore { inner: LocalFileSystem::new(), gate };
    runtime.register_object_store(&url, Arc::new(store));
    runtime
}

#[async_trait]
impl ObjectStore for GatedStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(gate) = &self.gate
            && location.filename().is_some_and(|name| name.contains(GATED))
        {
            while !gate.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.inner.get_opts(location, options).await
    }

    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, what, how).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
