//! Gives memory that was freed back to the system.
//!
//! The allocator notes when freed pages may go, but looks at its notes only while somebody allocates
//! or frees much: a process that went idle after a large statement would keep what that took for good.
//! Each thread looks after pages of its own, so that what another thread freed in them stays until the
//! owner looks.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::limits::resident_memory;

/// How often the allocator is asked. Pages that the next query wants must be fetched and cleared anew, so
/// that a pause between two queries is not worth it.
const INTERVAL: Duration = Duration::from_secs(5);

/// The allocator gives back what has been free for a second.
const FREE: Duration = Duration::from_millis(1200);

/// Bytes by which resident memory may change before the threads of the runtimes are asked, too.
const NOTICED: u64 = 4 << 20;

/// For so long a thread that was asked takes no other task, so that the next task finds another thread.
const HELD: Duration = Duration::from_millis(1);

/// Runtimes whose threads are asked.
static RUNTIMES: Mutex<Vec<Handle>> = Mutex::new(Vec::new());

#[allow(unsafe_code, reason = "declares a function of the allocator that is linked in; it takes no pointer")]
mod allocator {
    unsafe extern "C" {
        pub safe fn mi_collect(force: bool);
    }
}

/// Has the threads of a runtime asked for as long as the process lives.
pub fn ask_threads_of(runtime: &Handle) {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner).push(runtime.clone());
}

/// Asks every thread of a runtime that has nothing better to do: a task each, which end by themselves.
fn ask(runtime: &Handle) {
    for _ in 0..runtime.metrics().num_workers() {
        drop(runtime.spawn(async {
            allocator::mi_collect(false);
            thread::park_timeout(HELD);
        }));
    }
}

/// Starts the thread that asks. It does nothing else, so that it ends with the process.
pub fn give_back() -> Result<()> {
    let ask = || {
        let mut settled = 0;
        loop {
            thread::park_timeout(INTERVAL);
            let resident = resident_memory().0;
            if resident.abs_diff(settled) > NOTICED {
                RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(ask);
                settled = resident;
                thread::park_timeout(FREE);
            }
            allocator::mi_collect(false);
        }
    };
    thread::Builder::new()
        .name("memory".to_owned())
        .spawn(ask)
        .map(drop)
        .map_err(|e| Error::system(format!("cannot start a thread: {e}")))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Waits until no more is resident than `before`, but for what always varies.
    fn left(before: u64) -> bool {
        let begun = Instant::now();
        while resident_memory().0 > before + (32 << 20) && begun.elapsed() < Duration::from_secs(40) {
            thread::park_timeout(Duration::from_millis(100));
        }
        resident_memory().0 <= before + (32 << 20)
    }

    #[test]
    fn freed_memory_leaves() -> Result<()> {
        give_back()?;
        let before = resident_memory().0;
        for _ in 0..3 {
            drop(std::hint::black_box(vec![1u8; 64 << 20]));
        }
        assert!(left(before), "{before} -> {}", resident_memory().0);

        // What a thread of a runtime took, and another one freed: of many sizes, and of each less than a page, as
        // full pages are nobody's.
        let runtime = crate::runtime::query(2)?;
        let sizes = (0..24).map(|step: u32| 66_000 + 18_000 * step as usize);
        let take = sizes.flat_map(|size| std::iter::repeat_n(size, (7 << 19) / size).map(|size| vec![1u8; size]));
        let taken: Vec<Vec<u8>> =
            runtime.block_on(runtime.spawn(async { take.collect() })).map_err(|e| Error::system(e.to_string()))?;
        drop(std::hint::black_box(taken));
        assert!(left(before), "{before} -> {}", resident_memory().0);
        Ok(())
    }
}
