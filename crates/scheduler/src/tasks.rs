//! Work on the engine's threads: every task has an owner and stops when the owner goes.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use spark::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::depth::Stack;

/// Batches between the engine's threads and the reader of a stream.
const STREAM_BUFFER: usize = 2;

/// A task that is aborted when this is dropped.
pub struct Owned<T>(JoinHandle<T>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Send + 'static> Owned<T> {
    /// Starts `work` on the threads of `runtime`.
    pub fn spawn(runtime: &Handle, work: impl Future<Output = T> + Send + 'static) -> Self {
        Owned(runtime.spawn(work))
    }

    /// The value of the task; a panic inside is an internal error.
    pub async fn join(mut self) -> Result<T> {
        (&mut self.0).await.map_err(|e| Error::internal(format!("a task of the engine broke: {e}")))
    }
}

/// Runs `work` on the engine's threads and waits for it; it stops if the caller goes away. `stack` is
/// what [`crate::depth`] says the work needs. A caller on those threads does the work itself: handing
/// it to another thread and back takes as long as planning a small query.
pub async fn on<T: Send + 'static>(
    runtime: &Handle,
    stack: Stack,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    if Handle::try_current().is_ok_and(|here| here.id() == runtime.id()) {
        return AssertUnwindSafe(stack.with(work)).catch_unwind().await.unwrap_or_else(|panic| Err(broke(&*panic)));
    }
    Owned::spawn(runtime, stack.with(work)).join().await?
}

/// The error for work that panicked.
fn broke(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("a task of the engine broke: {}", said.unwrap_or("it gave no reason")))
}

/// Drives `stream` on the engine's threads, a few items ahead of the reader.
pub fn drive<T: Send + 'static>(
    runtime: &Handle,
    stack: Stack,
    stream: impl Stream<Item = Result<T>> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    let (tx, rx) = mpsc::channel(STREAM_BUFFER);
    let driver = Owned::spawn(
        runtime,
        stack.with(async move {
            let mut stream = std::pin::pin!(stream);
            while let Some(item) = stream.next().await {
                let failed = item.is_err();
                if tx.send(item).await.is_err() || failed {
                    break;
                }
            }
        }),
    );
    futures::stream::unfold((rx, Some(driver)), |(mut rx, driver)| async move {
        if let Some(item) = rx.recv().await {
            return Some((item, (rx, driver)));
        }
        // A driver that broke must not look like the end of the rows.
        match driver?.join().await {
            Ok(()) => None,
            Err(e) => Some((Err(e), (rx, None))),
        }
    })
    .boxed()
}
