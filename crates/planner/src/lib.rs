//! Logical to physical to stages: optimizer rules, operators of ours with their wire form, sources,
//! writes, the lowering and the linter of distributed plans, the codec.

mod arrival;
pub mod block_pool;
pub mod cluster_rules;
pub mod codec;
pub mod coercion;
pub mod error_envelope;
pub mod exchange;
pub mod finer_scans;
mod gathered;
pub mod hinted_join;
pub mod in_order;
pub mod kept_order;
pub mod observe;
mod one_input;
pub mod operator_metrics;
mod outer_side;
mod parse_text;
mod probe_side;
pub mod recursion;
pub mod row_position;
pub mod short_circuit;
pub mod small_aggregate;
pub mod small_join;
pub mod source;
pub mod stage_lint;
mod stages;
pub mod string_views;
pub mod task_probe;
pub mod text;
pub mod write;

pub use codec::FiresteelCodec;
