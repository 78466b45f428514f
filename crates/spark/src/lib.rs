//! Spark's vocabulary as plain values: types, literals, the unresolved plan, configuration, error
//! conditions. No I/O, no engine.

pub mod canonical;
pub mod command;
pub mod conf;
pub mod ddl;
pub mod error;
pub mod expr;
pub mod literal;
pub mod origin;
pub mod plan;
pub mod script;
pub mod settings;
pub mod types;
pub mod visit;

pub use error::{Error, ErrorKind, Result};
pub use expr::Expr;
pub use literal::Literal;
pub use origin::{Origin, SqlOrigin};
pub use plan::{Node, Plan};
pub use settings::Settings;
pub use types::{DataType, Metadata, StructField, StructType};
