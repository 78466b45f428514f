//! Typed errors across a wire that keeps only a string.
//!
//! A task that fails reports a string, built by nesting `Debug` output. A typed error therefore
//! travels as an envelope inside it whose alphabet no amount of quoting changes:
//! `firesteel1:<length>:<hex of JSON>:1leetserif`. It is written on the executor, before the first
//! conversion to a string, and read in one place, when a job's failure reaches the scheduler.

use std::error::Error as StdError;
use std::io;

use ballista_core::error::BallistaError;
use datafusion::common::DataFusionError;

const OPEN: &str = "firesteel1:";
const CLOSE: &str = ":1leetserif";

/// The text form of an error.
pub fn encode(error: &spark::Error) -> String {
    // An error of plain values always has a JSON form; should that ever fail, the message still
    // arrives as prose.
    let Ok(json) = serde_json::to_string(error) else {
        return error.to_string();
    };
    let mut text = format!("{OPEN}{}:", json.len());
    for byte in json.bytes() {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text.push_str(CLOSE);
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The first intact envelope in a text.
pub fn decode(text: &str) -> Option<spark::Error> {
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        rest = &rest[at + OPEN.len()..];
        if let Some(error) = decode_at(rest) {
            return Some(error);
        }
    }
    None
}

/// Reads an envelope whose opening has been consumed.
fn decode_at(text: &str) -> Option<spark::Error> {
    let (length, rest) = text.split_once(':')?;
    let length: usize = length.parse().ok()?;
    let hex = rest.get(..length.checked_mul(2)?)?;
    rest[hex.len()..].starts_with(CLOSE).then_some(())?;
    let nibble = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    let json: Option<Vec<u8>> =
        hex.as_bytes().chunks_exact(2).map(|p| Some(nibble(p[0])? << 4 | nibble(p[1])?)).collect();
    serde_json::from_slice(&json?).ok()
}

/// The typed error inside an error of any layer, found by its structure.
pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a spark::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(typed) = error.downcast_ref::<spark::Error>() {
            return Some(typed);
        }
        if let Some(DataFusionError::Collection(errors)) = error.downcast_ref() {
            return errors.iter().find_map(|e| find(e));
        }
        if let Some(boxed) = error.downcast_ref::<Box<spark::Error>>() {
            return Some(boxed);
        }
        next = match error.downcast_ref::<BallistaError>() {
            // These tell nobody what they wrap.
            Some(BallistaError::DataFusionError(inner)) => Some(inner.as_ref()),
            Some(BallistaError::ArrowError(inner)) => Some(inner.as_ref()),
            Some(_) | None => error.source(),
        };
    }
    None
}

/// Replaces an error that holds a typed one, or stands for one, by its envelope; any other stays itself.
pub fn seal(error: DataFusionError) -> DataFusionError {
    if let Some(typed) = find(&error) {
        return DataFusionError::Execution(encode(typed));
    }
    if let Some(typed) = behind(&error, |e| e.downcast_ref().and_then(functions::error::full_disk)) {
        // The task may be run again where there is space.
        return DataFusionError::IoError(io::Error::other(encode(&typed)));
    }
    match behind(&error, |e| e.downcast_ref().and_then(functions::error::spark_error)) {
        Some(typed) => DataFusionError::Execution(encode(&typed)),
        None => error,
    }
}

/// What `look` finds first in the errors that are the reason for one another.
fn behind<T>(error: &(dyn StdError + 'static), look: impl Fn(&(dyn StdError + 'static)) -> Option<T>) -> Option<T> {
    let mut next = Some(error);
    while let Some(error) = next {
        let found = look(error);
        if found.is_some() {
            return found;
        }
        next = match error.downcast_ref::<BallistaError>() {
            Some(BallistaError::IoError(inner)) => Some(inner),
            Some(BallistaError::DataFusionError(inner)) => Some(inner.as_ref()),
            Some(BallistaError::ArrowError(inner)) => Some(inner.as_ref()),
            Some(_) | None => error.source(),
        };
    }
    None
}

/// The error that a job's failure text stands for.
pub fn open(text: &str) -> DataFusionError {
    match decode(text) {
        Some(typed) => DataFusionError::External(Box::new(typed)),
        None => DataFusionError::Execution(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn sample() -> spark::Error {
        spark::Error::runtime("DIVIDE_BY_ZERO").param("config", "\"quoted\" \\ back\n")
    }

    #[test]
    fn an_envelope_survives_any_quoting() {
        let mut text = encode(&sample());
        for _ in 0..4 {
            text = format!("Job failed: {text:?}");
            assert_eq!(decode(&text).as_ref(), Some(&sample()), "{text}");
        }
    }

    #[test]
    fn damaged_envelopes_are_not_read() {
        let whole = encode(&sample());
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode("firesteel1:9999999999999999999999:00:"), None);
        assert_eq!(decode(&format!("firesteel1:3: {whole}")).as_ref(), Some(&sample()));
    }

    #[test]
    fn a_full_disk_has_a_condition_and_may_be_tried_again() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let layers = [
            DataFusionError::IoError(full()),
            BallistaError::IoError(full()).into_datafusion(),
            DataFusionError::External(Box::new(BallistaError::IoError(full()))),
            DataFusionError::IoError(full()).context("while spilling"),
        ];
        for layer in layers {
            let sealed = seal(layer);
            assert!(matches!(sealed, DataFusionError::IoError(_)), "{sealed:?}");
            let condition = decode(&format!("{sealed:?}")).map(|e| e.condition().to_owned());
            assert_eq!(condition.as_deref(), Some("TASK_WRITE_FAILED"));
        }
        let exhausted = || DataFusionError::ResourcesExhausted("x".into());
        let nested = BallistaError::DataFusionError(Box::new(exhausted()));
        for layer in [exhausted(), DataFusionError::Shared(Arc::new(DataFusionError::External(Box::new(nested))))] {
            let condition = decode(&format!("{:?}", seal(layer))).map(|e| e.condition().to_owned());
            assert_eq!(condition.as_deref(), Some("UNABLE_TO_ACQUIRE_MEMORY"));
        }
    }

    #[test]
    fn the_typed_error_is_found_in_every_layer() {
        let typed = || DataFusionError::External(Box::new(sample()));
        let layers = [
            typed(),
            DataFusionError::Shared(Arc::new(BallistaError::DataFusionError(Box::new(typed())).into_datafusion())),
            typed().context("while reading"),
            DataFusionError::Shared(Arc::new(typed())),
            DataFusionError::Collection(vec![DataFusionError::Plan("x".into()), typed()]),
            DataFusionError::ArrowError(
                Box::new(datafusion::arrow::error::ArrowError::ExternalError(Box::new(sample()))),
                None,
            ),
        ];
        for layer in layers {
            assert_eq!(find(&layer), Some(&sample()), "{layer:?}");
            let sealed = format!("{:?}", seal(layer));
            assert_eq!(find(&open(&sealed)), Some(&sample()));
        }
        assert_eq!(find(&DataFusionError::Plan("x".into())), None);
    }
}
