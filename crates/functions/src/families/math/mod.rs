//! Mathematical functions.

pub mod extreme;
pub mod logarithm;
pub mod number;
pub mod real;
pub mod rounding;
mod strict;
