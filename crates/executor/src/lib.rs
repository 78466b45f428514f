//! A Ballista executor with our codec, functions and memory limits, which drains before it leaves
//! and serves its shuffle files over Arrow Flight.

mod config;
mod engine;
mod flight;
mod health;
mod in_turn;
mod process;
mod runtime;
mod stop;
mod whole;
mod work_dir;

pub use config::{ExecutorConfig, RuntimeProducer};
pub use process::{ExecutorError, run};
