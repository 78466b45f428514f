//! Every Spark function: signature, semantics and Arrow kernel, and the registry that names them.
//!
//! Add a function by adding it to the file of its family: a `Function` in the family's `FUNCTIONS`
//! slice (typing, at analysis) and, where DataFusion has none with Spark's meaning, a `Kernel` in its
//! `KERNELS` slice (values, at execution). Everything else (the registry, the wire form, `SHOW
//! FUNCTIONS`) follows from those slices.

pub mod aggregate;
pub mod call;
pub mod canonical;
pub mod cast;
pub mod coerce;
pub mod error;
pub mod fallible;
pub mod families;
pub mod fold;
pub mod hof;
pub mod kernel;
pub mod nanos;
pub mod observe;
pub mod operators;
pub mod parse_text;
pub mod recursion;
pub mod registry;
pub mod room;
pub mod scalar;
pub mod typed;
pub mod types;
pub mod values;
pub mod window_udf;
pub mod wire;

pub use call::Call;
pub use kernel::{Kernel, KernelArgs, KernelUdf, Options};
pub use registry::{Build, Function, Generator};
pub use typed::Typed;
