//! What JSON, CSV, XML and variants share: values of any type read from and written to text.

pub mod cells;
pub mod datum;
pub mod forms;
pub mod number;
pub mod options;
pub mod scalars;
pub mod stamp;
