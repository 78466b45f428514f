//! The numbered responses of one execution, kept until they are released: a pure value, without
//! clock, lock or socket. [`crate::operation`] wraps it.
//!
//! Responses are numbered from 1. A response id names the log and the number, so ids of released
//! responses are still told from unknown ones without remembering them.

use std::collections::VecDeque;

use spark::{Error, ErrorKind, Result};
use uuid::Uuid;

/// Bytes of sent responses that stay for a client that may come back for them.
pub const RETAINED_BYTES: usize = 10 << 20;

/// Bytes of responses that were not sent yet, beyond which the producer waits.
pub const PENDING_BYTES: usize = 32 << 20;

/// The responses of one execution.
#[derive(Debug)]
pub struct ResponseLog<T> {
    key: (u64, u64),
    /// Sent responses stay until released.
    reattachable: bool,
    entries: VecDeque<Entry<T>>,
    /// Number of the first entry.
    first: u64,
    /// Number after the highest one ever sent.
    unsent: u64,
    sent_bytes: usize,
    pending_bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    bytes: usize,
    response: T,
}

impl<T: Clone> ResponseLog<T> {
    /// An empty log; `key` is random.
    pub fn new(key: Uuid, reattachable: bool) -> Self {
        ResponseLog {
            key: key.as_u64_pair(),
            reattachable,
            entries: VecDeque::new(),
            first: 1,
            unsent: 1,
            sent_bytes: 0,
            pending_bytes: 0,
        }
    }

    /// The id of response `number`.
    pub fn id(&self, number: u64) -> Uuid {
        Uuid::from_u64_pair(self.key.0, self.key.1 ^ number)
    }

    /// The number the next response will get.
    pub fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Appends a response of about `bytes` bytes.
    pub fn push(&mut self, response: T, bytes: usize) {
        self.entries.push_back(Entry { bytes, response });
        self.pending_bytes += bytes;
    }

    /// Whether the producer may append more.
    pub fn has_room(&self) -> bool {
        self.pending_bytes < PENDING_BYTES
    }

    /// Response `number`, if it was produced; an error if it was released.
    pub fn get(&self, number: u64) -> Result<Option<T>> {
        if number < self.first {
            return Err(self.not_available(number));
        }
        Ok(self.entries.get((number - self.first) as usize).map(|e| e.response.clone()))
    }

    /// Notes that response `number` went out. Old sent responses leave: all of them if the client
    /// cannot come back, else those beyond [`RETAINED_BYTES`].
    pub fn sent(&mut self, number: u64) {
        while self.unsent <= number && self.unsent < self.next() {
            let bytes = self.bytes_of(self.unsent);
            self.pending_bytes -= bytes;
            self.sent_bytes += bytes;
            self.unsent += 1;
        }
        let keep = if self.reattachable { RETAINED_BYTES } else { 0 };
        while self.sent_bytes > keep && self.first + 1 < self.unsent {
            self.drop_first();
        }
        if !self.reattachable && self.first < self.unsent {
            self.drop_first();
        }
    }

    /// Forgets every response up to and with the one called `id`.
    pub fn release_until(&mut self, id: &str) -> Result<()> {
        let number = self.number_of(id)?;
        while self.first <= number && !self.entries.is_empty() {
            self.drop_first();
        }
        Ok(())
    }

    /// The number after the response that the client saw last; the first one if it saw none.
    pub fn cursor_after(&self, last_response_id: Option<&str>) -> Result<u64> {
        let next = match last_response_id {
            Some(id) => self.number_of(id)? + 1,
            None => 1,
        };
        if next < self.first { Err(self.not_available(next)) } else { Ok(next) }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.sent_bytes + self.pending_bytes
    }

    fn number_of(&self, id: &str) -> Result<u64> {
        let unknown = || {
            Error::new(ErrorKind::Handle, "INVALID_CURSOR.POSITION_NOT_FOUND")
                .param("responseId", id)
                .with_message(format!("The cursor is invalid: there is no response {id}."))
        };
        let (high, low) = Uuid::try_parse(id).map_err(|_| unknown())?.as_u64_pair();
        let number = low ^ self.key.1;
        if high != self.key.0 || number == 0 || number >= self.next() {
            return Err(unknown());
        }
        Ok(number)
    }

    fn not_available(&self, number: u64) -> Error {
        let id = self.id(number).to_string();
        Error::new(ErrorKind::Handle, "INVALID_CURSOR.POSITION_NOT_AVAILABLE")
            .with_message(format!("The cursor is invalid: response {id} at index {number} was released."))
            .param("index", number.to_string())
            .param("responseId", id)
    }

    fn bytes_of(&self, number: u64) -> usize {
        self.entries.get((number - self.first) as usize).map_or(0, |e| e.bytes)
    }

    fn drop_first(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        if self.first < self.unsent {
            self.sent_bytes -= entry.bytes;
        } else {
            self.pending_bytes -= entry.bytes;
            self.unsent = self.first + 1;
        }
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(reattachable: bool, responses: u64) -> ResponseLog<u64> {
        let mut log = ResponseLog::new(Uuid::from_u128(0x1234_5678_9abc_def0_1111_2222_3333_4444), reattachable);
        for n in 1..=responses {
            log.push(n, 10);
        }
        log
    }

    fn condition<T>(result: Result<T>) -> String {
        result.err().map(|e| e.condition().to_string()).unwrap_or_default()
    }

    #[test]
    fn cursors_name_what_is_kept() -> Result<()> {
        let mut log = log(true, 5);
        let ids: Vec<String> = (1..=6).map(|n| log.id(n).to_string()).collect();
        assert_eq!(log.cursor_after(None)?, 1);
        assert_eq!(log.cursor_after(Some(&ids[2]))?, 4);
        assert_eq!(condition(log.cursor_after(Some(&ids[5]))), "INVALID_CURSOR.POSITION_NOT_FOUND");
        assert_eq!(condition(log.cursor_after(Some("x"))), "INVALID_CURSOR.POSITION_NOT_FOUND");
        log.release_until(&ids[1])?;
        assert_eq!(condition(log.cursor_after(None)), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
        assert_eq!(log.cursor_after(Some(&ids[1]))?, 3);
        assert_eq!(condition(log.get(2)), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
        assert_eq!(log.get(3)?, Some(3));
        assert_eq!(log.get(6)?, None);
        Ok(())
    }

    #[test]
    fn without_reattach_nothing_sent_is_kept() {
        let mut log = log(false, 3);
        log.sent(2);
        assert_eq!(log.bytes(), 10);
        log.sent(3);
        assert_eq!(log.bytes(), 0);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Send,
        Release(u64),
    }

    proptest! {
        /// Against a plain list: what was neither released nor outdated is always there, in order,
        /// and the count of bytes never drifts.
        #[test]
        fn behaves_as_a_list(steps in proptest::collection::vec(prop_oneof![
            (0usize..4 << 20).prop_map(Step::Push),
            Just(Step::Send),
            (0u64..40).prop_map(Step::Release),
        ], 0..120)) {
            let mut log: ResponseLog<u64> = ResponseLog::new(Uuid::from_u128(7), true);
            let mut sizes: Vec<usize> = Vec::new();
            let mut sent = 0u64;
            let mut released = 0u64;
            for step in steps {
                match step {
                    Step::Push(bytes) => {
                        sizes.push(bytes);
                        log.push(sizes.len() as u64, bytes);
                    }
                    Step::Send => {
                        if let Ok(Some(value)) = log.get(sent + 1) {
                            prop_assert_eq!(value, sent + 1);
                            sent += 1;
                            log.sent(sent);
                        }
                    }
                    Step::Release(n) => {
                        let known = n >= 1 && n <= sizes.len() as u64;
                        let id = log.id(n).to_string();
                        prop_assert_eq!(log.release_until(&id).is_ok(), known);
                        if known {
                            released = released.max(n);
                            sent = sent.max(released);
                        }
                    }
                }
                let kept: Vec<u64> = (1..=sizes.len() as u64).filter(|n| log.get(*n).is_ok()).collect();
                let bytes: usize = kept.iter().map(|n| sizes[*n as usize - 1]).sum();
                prop_assert_eq!(log.bytes(), bytes);
                // Nothing unsent and unreleased is ever lost.
                for n in sent + 1..=sizes.len() as u64 {
                    prop_assert!(log.get(n).is_ok());
                }
                prop_assert!(kept.iter().all(|n| *n > released));
            }
        }
    }
}
