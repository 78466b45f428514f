//! The families of functions; a family is a file or a folder with its slices.

pub mod aggregate;
pub mod bitwise;
pub mod conditional;
pub mod operators;
pub mod predicate;
pub mod window;

use crate::aggregate::AggregateKernel;
use crate::kernel::Kernel;
use crate::registry::Function;

/// All functions users can call.
pub const FUNCTIONS: &[&[Function]] = &[
    aggregate::basic::FUNCTIONS,
    window::FUNCTIONS,
    operators::FUNCTIONS,
    predicate::FUNCTIONS,
    conditional::FUNCTIONS,
    bitwise::FUNCTIONS,
];

/// All scalar kernels.
pub const KERNELS: &[&[Kernel]] = &[
    crate::cast::KERNELS,
    window::KERNELS,
    operators::KERNELS,
    predicate::KERNELS,
    bitwise::KERNELS,
];

/// All aggregate kernels.
pub const AGGREGATE_KERNELS: &[&[AggregateKernel]] = &[
    aggregate::sum::KERNELS,
    aggregate::extreme::KERNELS,
];
