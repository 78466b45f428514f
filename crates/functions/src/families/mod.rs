//! The families of functions; a family is a file or a folder with its slices.

pub mod rows;
pub mod interval;
pub mod datetime;
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
    datetime::arithmetic::FUNCTIONS,
    datetime::fields::FUNCTIONS,
    datetime::now::FUNCTIONS,
    datetime::trunc::FUNCTIONS,
    interval::FUNCTIONS,
];

/// All scalar kernels.
pub const KERNELS: &[&[Kernel]] = &[
    crate::cast::KERNELS,
    window::KERNELS,
    operators::KERNELS,
    predicate::KERNELS,
    bitwise::KERNELS,
    datetime::arithmetic::KERNELS,
    datetime::fields::KERNELS,
    datetime::trunc::KERNELS,
    interval::KERNELS,
];

/// All aggregate kernels.
pub const AGGREGATE_KERNELS: &[&[AggregateKernel]] = &[
    aggregate::sum::KERNELS,
    aggregate::extreme::KERNELS,
];
