//! Which calls may raise an error for some rows, so that what guards them must be evaluated first.

use spark::types::DataType;

use crate::cast::convert::{CAST, Spec};
use crate::kernel::KernelUdf;

/// Kernels that raise by design, in any mode.
const ALWAYS: &[&str] = &["assert_true", "raise_error", "aes_decrypt", "aes_encrypt"];

/// Kernels that raise in ANSI mode for values that are common in data. Sums and products, which
/// overflow only at the limits of their type, are left out: guards cost.
const IN_ANSI_MODE: &[&str] = &[
    "cast",
    "divide",
    "integral_divide",
    "interval_integral_divide",
    "remainder",
    "pmod",
    "float_remainder",
    "float_pmod",
    "decimal_divide",
    "decimal_integral_divide",
    "decimal_remainder",
    "decimal_pmod",
    "element_at",
    "get_array_item",
    "elt",
    "conv",
    "to_number",
    "to_binary",
    "make_date",
    "make_timestamp",
    "make_interval",
    "parse_timestamp",
    "unix_timestamp",
    "parse_url",
    "url_decode",
];

/// True if evaluating the call may raise an error that a condition beside it is there to prevent.
pub fn may_fail(udf: &KernelUdf) -> bool {
    let name = udf.kernel.name;
    let by_mode = ALWAYS.contains(&name) || udf.options.ansi && IN_ANSI_MODE.contains(&name);
    !udf.options.tolerant && (by_mode || name == CAST.name && is_from_binary(udf))
}

/// A cast of binary, which may be no text in any mode.
fn is_from_binary(udf: &KernelUdf) -> bool {
    let spec = udf.options.extra.as_deref().and_then(Spec::of);
    spec.is_some_and(|spec| spec.is_from(&DataType::Binary))
}
