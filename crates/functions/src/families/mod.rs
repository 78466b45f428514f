//! The families of functions; a family is a file or a folder with its slices.

use crate::aggregate::AggregateKernel;
use crate::kernel::Kernel;
use crate::registry::Function;

/// All functions users can call.
pub const FUNCTIONS: &[&[Function]] = &[];

/// All scalar kernels.
pub const KERNELS: &[&[Kernel]] = &[crate::cast::KERNELS];

/// All aggregate kernels.
pub const AGGREGATE_KERNELS: &[&[AggregateKernel]] = &[];
