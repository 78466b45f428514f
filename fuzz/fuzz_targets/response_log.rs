//! Any order of what a producer and a client do with a response log, against a plain list of what was
//! produced: a response is the one that was pushed, or was released; ids are told from made-up ones.

#![no_main]

use fuzz::response_log::{PENDING_BYTES, RETAINED_BYTES, ResponseLog};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

/// Larger than any real response, so that a few of them reach the bounds.
const LARGE: usize = PENDING_BYTES / 3;

fuzz_target!(|data: &[u8]| {
    let Some((&head, steps)) = data.split_first() else { return };
    let mut log = ResponseLog::new(Uuid::from_u128(0x1234_5678 << 64 | u128::from(head)), head & 1 == 1);
    let mut produced = 0u64;
    for step in steps.chunks_exact(2) {
        let number = u64::from(step[1]);
        match step[0] % 5 {
            0 => {
                log.push(log.next(), if step[1] > 250 { LARGE } else { usize::from(step[1]) });
                produced += 1;
            }
            1 => log.sent(number),
            2 => assert_eq!(log.release_until(&log.id(number).to_string()).is_ok(), (1..=produced).contains(&number)),
            3 => {
                let id = log.id(number).to_string();
                if let Ok(next) = log.cursor_after(Some(&id)) {
                    assert!((1..=produced).contains(&number));
                    assert_eq!(next, number + 1);
                }
            }
            // A made-up id is refused, whatever the log holds.
            _ => assert!(log.cursor_after(Some(&Uuid::from_u128(u128::from(step[1])).to_string())).is_err()),
        }
        assert_eq!(log.next(), produced + 1);
        match log.get(number) {
            Ok(Some(response)) => assert_eq!(response, number),
            Ok(None) => assert!(number > produced),
            Err(error) => assert!(error.condition().starts_with("INVALID_CURSOR"), "{error:?}"),
        }
    }
    assert!(RETAINED_BYTES < PENDING_BYTES);
});
