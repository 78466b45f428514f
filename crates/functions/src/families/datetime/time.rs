//! Functions of the TIME type.

use spark::{Error, ErrorKind, Result};

use crate::call::Call;

/// Refuses the TIME type where it is switched off.
///
/// # Errors
/// `UNSUPPORTED_TIME_TYPE`.
pub fn enabled(call: &Call) -> Result<()> {
    if call.settings.time_type {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Analysis, "UNSUPPORTED_TIME_TYPE")
        .with_message("The TIME type is switched off.")
        .at(call.origin.as_ref()))
}
