//! Work on the engine's threads: every task has an owner and stops when the owner goes.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::task::Poll;

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
    if is_on(runtime) {
        return AssertUnwindSafe(stack.with(work)).catch_unwind().await.unwrap_or_else(|panic| Err(broke(&*panic)));
    }
    Owned::spawn(runtime, stack.with(work)).join().await?
}

/// Whether the caller is on the threads of `runtime`.
fn is_on(runtime: &Handle) -> bool {
    Handle::try_current().is_ok_and(|here| here.id() == runtime.id())
}

/// The error for work that panicked.
fn broke(panic: &(dyn Any + Send)) -> Error {
    let said = functions::error::panic_text(panic).unwrap_or("it gave no reason");
    Error::internal(format!("a task of the engine broke: {said}"))
}

/// Items that the reader of a driven stream may take from it in place.
const NEAR_ITEMS: usize = 2;

/// Drives `stream` on the engine's threads, a few items ahead of the reader.
///
/// A reader on those threads takes the first items in place, as long as they come without waiting:
/// the whole of a small result, which a thread of its own would only delay.
pub fn drive<T: Send + 'static>(
    runtime: &Handle,
    stack: Stack,
    stream: impl Stream<Item = Result<T>> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    let stream: BoxStream<'static, Result<T>> = stream.boxed();
    if stack.is_own() {
        return drive_apart(runtime, stack, stream);
    }
    let near = Near { runtime: runtime.clone(), stack, stream, taken: 0 };
    futures::stream::unfold(Reader::Near(near), Reader::next).boxed()
}

/// Who polls a driven stream.
enum Reader<T> {
    Near(Near<T>),
    Apart(BoxStream<'static, Result<T>>),
    Over,
}

struct Near<T> {
    runtime: Handle,
    stack: Stack,
    stream: BoxStream<'static, Result<T>>,
    taken: usize,
}

impl<T: Send + 'static> Reader<T> {
    async fn next(self) -> Option<(Result<T>, Self)> {
        let mut apart = match self {
            Reader::Over => return None,
            Reader::Apart(stream) => stream,
            Reader::Near(mut near) => match near.look().await {
                Some(Ok(None)) => return None,
                Some(Ok(Some(item))) => {
                    near.taken += 1;
                    return Some((item, Reader::Near(near)));
                }
                Some(Err(e)) => return Some((Err(e), Reader::Over)),
                None => drive_apart(&near.runtime, near.stack, near.stream),
            },
        };
        let item = apart.next().await?;
        Some((item, Reader::Apart(apart)))
    }
}

impl<T> Near<T> {
    /// The next item or the end, if this is the place for it and it is there; a panic is an error.
    async fn look(&mut self) -> Option<Result<Option<Result<T>>>> {
        if self.taken >= NEAR_ITEMS || !is_on(&self.runtime) {
            return None;
        }
        let polled = AssertUnwindSafe(futures::future::poll_fn(|cx| Poll::Ready(self.stream.poll_next_unpin(cx))));
        match polled.catch_unwind().await {
            Ok(Poll::Ready(item)) => Some(Ok(item)),
            Ok(Poll::Pending) => None,
            Err(panic) => Some(Err(broke(&*panic))),
        }
    }
}

/// Drives `stream` in a task of its own.
fn drive_apart<T: Send + 'static>(
    runtime: &Handle,
    stack: Stack,
    stream: BoxStream<'static, Result<T>>,
) -> BoxStream<'static, Result<T>> {
    let (tx, rx) = mpsc::channel(STREAM_BUFFER);
    let driver = Owned::spawn(
        runtime,
        stack.with(async move {
            let mut stream = stream;
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    async fn items(stream: BoxStream<'static, Result<usize>>) -> Vec<std::result::Result<usize, String>> {
        stream.map(|item| item.map_err(|e| e.condition().to_string())).collect().await
    }

    #[tokio::test]
    async fn driven_streams_lose_nothing_wherever_they_are_polled() {
        let here = Handle::current();
        let count = |n: usize| stream::iter((0..n).map(Ok));
        for n in [0, 1, NEAR_ITEMS, NEAR_ITEMS + 1, 50] {
            let expected: Vec<_> = (0..n).map(Ok).collect();
            assert_eq!(items(drive(&here, Stack::default(), count(n))).await, expected, "{n} at once");
            let slow = count(n).then(|item| async move {
                tokio::task::yield_now().await;
                item
            });
            assert_eq!(items(drive(&here, Stack::default(), slow)).await, expected, "{n} in time");
        }
    }

    #[tokio::test]
    async fn a_stream_that_panics_ends_with_an_error() {
        let here = Handle::current();
        for fatal in [0, NEAR_ITEMS + 1] {
            let broken = stream::iter(0..10).map(move |n| if n == fatal { panic!("no {n}") } else { Ok(n) });
            let got = items(drive(&here, Stack::default(), broken)).await;
            let mut expected: Vec<_> = (0..fatal).map(Ok).collect();
            expected.push(Err("INTERNAL_ERROR".to_owned()));
            assert_eq!(got, expected);
        }
    }
}
