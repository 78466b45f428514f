//! How much memory kernels may fill with values that their arguments only describe, such as
//! `repeat('x', 2000000000)`: a bound for the whole process, because no operator accounts for them.

use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};

/// Of the memory that the process was given, kernels may hold a fourth at a time: what they make is
/// copied on its way to the client.
const SHARE: usize = 4;

/// What is reserved at a time, so that short values cost no more than an addition.
const STEP: usize = 1 << 20;

static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static USED: AtomicUsize = AtomicUsize::new(0);

/// Bounds kernels by the memory that the process may use.
pub fn set_memory(bytes: usize) {
    LIMIT.store((bytes / SHARE).max(STEP), Ordering::Relaxed);
}

/// Asks whether a value of `bytes` may be made at all, before it is; short ones are not asked about.
///
/// # Errors
/// If kernels would hold more than they may.
pub fn check_value(bytes: usize) -> Result<()> {
    if bytes < STEP { Ok(()) } else { Room::new().take(bytes) }
}

/// What one call of a kernel has reserved; it is given back with this value.
#[derive(Debug, Default)]
pub struct Room {
    wanted: usize,
    reserved: usize,
}

impl Room {
    /// Nothing yet.
    pub fn new() -> Room {
        Room::default()
    }

    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// If kernels would hold more than they may.
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        self.take_below(bytes, LIMIT.load(Ordering::Relaxed))
    }

    /// Reserves what is missing to `bytes` in all.
    ///
    /// # Errors
    /// If kernels would hold more than they may.
    pub fn take_up_to(&mut self, bytes: usize) -> Result<()> {
        if bytes <= self.wanted { Ok(()) } else { self.take(bytes - self.wanted) }
    }

    fn take_below(&mut self, bytes: usize, limit: usize) -> Result<()> {
        self.wanted = self.wanted.saturating_add(bytes);
        if self.wanted <= self.reserved {
            return Ok(());
        }
        let more = (self.wanted - self.reserved).max(STEP);
        let grown = USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|total| *total <= limit)
        });
        match grown {
            Ok(_) => {
                self.reserved += more;
                Ok(())
            }
            Err(used) => Err(DataFusionError::ResourcesExhausted(format!(
                "a function would make values of {} bytes where {} are left to functions; --memory sets how much there is",
                self.wanted,
                limit.saturating_sub(used)
            ))),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        USED.fetch_sub(self.reserved, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        const GIB: usize = 1 << 30;
        for _ in 0..3 {
            let mut room = Room::new();
            assert!(room.take_below(10, GIB).is_ok());
            assert!(room.take_below(GIB / 4, GIB).is_ok());
            let refused = room.take_below(GIB, GIB);
            assert!(matches!(&refused, Err(DataFusionError::ResourcesExhausted(why)) if why.contains("--memory")));
        }
        assert!(Room::new().take_below(GIB / 2, GIB).is_ok());
    }
}
