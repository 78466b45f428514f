//! Sessions, catalog, commands, the two runners, results; embeds Ballista's scheduler.

pub mod analysis;
pub mod boundary;
pub mod cache;
pub mod catalog;
pub mod cluster;
pub mod command;
pub mod conf;
pub mod depth;
pub mod engine;
mod inspect;
pub mod literals;
pub mod local;
mod locate;
pub mod names;
pub mod naming;
pub mod operation;
mod persist;
pub mod query;
pub mod report;
pub mod route;
pub mod runner;
pub mod script;
pub mod session;
pub mod show;
pub mod snapshot;
pub mod statement;
pub mod tasks;

pub use cache::StorageLevel;
pub use cluster::{Cluster, ClusterConfig};
pub use command::CommandOutcome;
pub use conf::SessionConf;
pub use engine::{Engine, EngineConfig};
pub use operation::{Metrics, Observed, OperationContext, QueryResult, SqlOutcome, Table};
pub use runner::Progress;
pub use session::Session;
