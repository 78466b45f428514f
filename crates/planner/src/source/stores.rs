//! Object stores by URL, configured from the environment and made when first asked for.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use parking_lot::Mutex;
use url::Url;

/// Stores kept open; the least recently made goes first.
const MAX_STORES: usize = 64;

/// The registry of scheduler and executors: both read the same environment.
#[derive(Debug)]
pub struct EnvironmentStores {
    local: Arc<LocalFileSystem>,
    made: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl Default for EnvironmentStores {
    fn default() -> Self {
        EnvironmentStores { local: Arc::new(LocalFileSystem::new()), made: Mutex::default() }
    }
}

impl ObjectStoreRegistry for EnvironmentStores {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.made.lock().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme() == "file" {
            return Ok(Arc::clone(&self.local) as _);
        }
        if let Some(store) = self.made.lock().get(&key(url)) {
            return Ok(Arc::clone(store));
        }
        let store = make(url)?;
        let mut made = self.made.lock();
        if made.len() >= MAX_STORES {
            made.clear();
        }
        made.insert(key(url), Arc::clone(&store));
        Ok(store)
    }
}

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), &url[url::Position::BeforeUsername..url::Position::AfterPort])
}

fn make(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    let text = url.as_str();
    Ok(match url.scheme() {
        "s3" | "s3a" => Arc::new(AmazonS3Builder::from_env().with_url(text).build()?),
        "gs" | "gcs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_url(text).build()?),
        "az" | "azure" | "abfs" | "abfss" | "adl" | "wasb" | "wasbs" => {
            Arc::new(MicrosoftAzureBuilder::from_env().with_url(text).build()?)
        }
        "http" | "https" => Arc::new(HttpBuilder::new().with_url(text).build()?),
        other => {
            return Err(DataFusionError::External(Box::new(
                spark::Error::new(spark::ErrorKind::Unsupported, "UNSUPPORTED_FEATURE.DEFAULT")
                    .with_message(format!("There is no file system for the scheme {other}.")),
            )));
        }
    })
}
