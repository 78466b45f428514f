//! Tells whether this process itself has slept: what it did not hear meanwhile proves nothing.
//!
//! An executor is given up when it has been silent for too long. On a machine that is overloaded or
//! was suspended it is the scheduler that did not listen, for all executors at once. A clock that is
//! wound up several times a second shows it: where it was not, nothing else ran either.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the clock is wound up.
const TICK: Duration = Duration::from_millis(250);

/// A pause between two ticks that counts as sleep.
const SLEEP: Duration = Duration::from_millis(1250);

/// The clock.
#[derive(Debug)]
pub(super) struct AwakeClock(Mutex<Times>);

#[derive(Debug)]
struct Times {
    ticked: Instant,
    /// When this process woke up the last time, in seconds since 1970.
    woke: u64,
}

impl Default for AwakeClock {
    fn default() -> Self {
        AwakeClock(Mutex::new(Times { ticked: Instant::now(), woke: 0 }))
    }
}

impl AwakeClock {
    /// Winds the clock up.
    pub(super) fn tick(&self) {
        self.at(Instant::now(), seconds_now());
    }

    /// Since when this process has been awake: nothing that is older could be heard later.
    pub(super) fn since(&self) -> u64 {
        // Asking counts: the sleep may have ended right now.
        self.at(Instant::now(), seconds_now())
    }

    fn at(&self, now: Instant, seconds: u64) -> u64 {
        let mut times = self.0.lock();
        if now.saturating_duration_since(times.ticked) > SLEEP {
            times.woke = seconds;
        }
        times.ticked = times.ticked.max(now);
        times.woke
    }

    /// Winds the clock up until `stop`.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.tick(),
            }
        }
    }
}

/// Seconds since 1970.
pub(super) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_noticed_by_whoever_comes_first() {
        let clock = AwakeClock::default();
        let start = Instant::now();
        let at = |millis: u64| clock.at(start + Duration::from_millis(millis), millis / 1000);
        assert_eq!(at(250), 0);
        assert_eq!(at(1000), 0);
        assert_eq!(at(9000), 9, "eight seconds without a tick");
        assert_eq!(at(9250), 9);
        assert_eq!(at(9000), 9, "threads may overtake each other");
        assert_eq!(at(12_000), 12);
    }
}
