//! Operators: arithmetic and its `try_` forms. Comparisons and logic are in `predicate`, bits in
//! `bitwise`.

mod arithmetic;
mod decimal;
mod decimal_kernels;
mod float_kernels;
mod int_kernels;
mod unary;

pub use arithmetic::decimal_operand;
pub use decimal_kernels::{big_half_up, out_of_range, plain_string, power, rescale, round_half_up};

use crate::kernel::Kernel;
use crate::registry::{Build, Function};

use arithmetic::{Op, arithmetic};

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "+", build: Build::Scalar(|c| arithmetic(c, Op::Add, false)) },
    Function { name: "-", build: Build::Scalar(unary::minus) },
    Function { name: "*", build: Build::Scalar(|c| arithmetic(c, Op::Multiply, false)) },
    Function { name: "/", build: Build::Scalar(|c| arithmetic(c, Op::Divide, false)) },
    Function { name: "%", build: Build::Scalar(|c| arithmetic(c, Op::Remainder, false)) },
    Function { name: "mod", build: Build::Scalar(|c| arithmetic(c, Op::Remainder, false)) },
    Function { name: "div", build: Build::Scalar(|c| arithmetic(c, Op::IntegralDivide, false)) },
    Function { name: "pmod", build: Build::Scalar(|c| arithmetic(c, Op::Pmod, false)) },
    Function { name: "try_add", build: Build::Scalar(|c| arithmetic(c, Op::Add, true)) },
    Function { name: "try_subtract", build: Build::Scalar(|c| arithmetic(c, Op::Subtract, true)) },
    Function { name: "try_multiply", build: Build::Scalar(|c| arithmetic(c, Op::Multiply, true)) },
    Function { name: "try_divide", build: Build::Scalar(|c| arithmetic(c, Op::Divide, true)) },
    Function { name: "try_mod", build: Build::Scalar(|c| arithmetic(c, Op::Remainder, true)) },
    Function { name: "negative", build: Build::Scalar(unary::negative) },
    Function { name: "positive", build: Build::Scalar(unary::positive) },
    Function { name: "abs", build: Build::Scalar(unary::abs) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[
    int_kernels::ADD,
    int_kernels::SUBTRACT,
    int_kernels::MULTIPLY,
    int_kernels::INTEGRAL_DIVIDE,
    int_kernels::INTERVAL_DIVIDE,
    int_kernels::REMAINDER,
    int_kernels::PMOD,
    float_kernels::DIVIDE,
    float_kernels::REMAINDER,
    float_kernels::PMOD,
    decimal_kernels::ADD,
    decimal_kernels::SUBTRACT,
    decimal_kernels::MULTIPLY,
    decimal_kernels::DIVIDE,
    decimal_kernels::INTEGRAL_DIVIDE,
    decimal_kernels::REMAINDER,
    decimal_kernels::PMOD,
    unary::NEGATIVE,
    unary::ABS,
];
