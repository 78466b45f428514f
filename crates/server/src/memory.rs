//! Gives memory that was freed back to the system.
//!
//! The allocator notes when freed pages may go, but looks at its notes only while somebody allocates
//! or frees much: a process that went idle after a large statement would keep what that took for good.

use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// How often the allocator is asked. It gives back what has been free for a second.
const INTERVAL: Duration = Duration::from_secs(1);

#[allow(unsafe_code, reason = "declares a function of the allocator that is linked in; it takes no pointer")]
mod allocator {
    unsafe extern "C" {
        pub safe fn mi_collect(force: bool);
    }
}

/// Starts the thread that asks. It does nothing else, so that it ends with the process.
pub fn give_back() -> Result<()> {
    let ask = || {
        loop {
            thread::park_timeout(INTERVAL);
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
    use crate::limits::resident_memory;

    #[test]
    fn freed_memory_leaves() -> Result<()> {
        give_back()?;
        let before = resident_memory().0;
        for _ in 0..3 {
            drop(std::hint::black_box(vec![1u8; 64 << 20]));
        }
        let begun = Instant::now();
        while resident_memory().0 > before + (32 << 20) && begun.elapsed() < Duration::from_secs(20) {
            thread::park_timeout(Duration::from_millis(100));
        }
        let now = resident_memory().0;
        assert!(now <= before + (32 << 20), "{before} -> {now}");
        Ok(())
    }
}
