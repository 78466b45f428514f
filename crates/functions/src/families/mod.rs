//! The families of functions; a family is a file or a folder with its slices.

pub mod aggregate;
pub mod array;
pub mod binary_row;
pub mod bitwise;
pub mod casting;
pub mod collation;
pub mod conditional;
pub mod crypto;
pub mod csv;
pub mod datetime;
pub mod extract;
pub mod generator;
pub mod geo;
pub mod hash;
pub mod interval;
pub mod json;
pub mod lambda;
pub mod lists;
pub mod map;
pub mod math;
pub mod misc;
pub mod one_row;
pub mod operators;
pub mod placement;
pub mod predicate;
pub mod random;
pub mod reflect;
pub mod regex;
pub mod rows;
pub mod sample;
pub mod sketch;
pub mod string;
pub mod structs;
pub mod stubs;
pub mod text_data;
pub mod url;
pub mod variant;
pub mod vector;
pub mod window;
pub mod xml;

use crate::aggregate::AggregateKernel;
use crate::hof::HofKernel;
use crate::kernel::Kernel;
use crate::registry::Function;

/// All functions users can call.
pub const FUNCTIONS: &[&[Function]] = &[
    string::base::FUNCTIONS,
    string::case::FUNCTIONS,
    string::chars::FUNCTIONS,
    string::charset::FUNCTIONS,
    string::concat::FUNCTIONS,
    string::distance::FUNCTIONS,
    string::edit::FUNCTIONS,
    string::length::FUNCTIONS,
    string::mask::FUNCTIONS,
    string::pad::FUNCTIONS,
    string::search::FUNCTIONS,
    string::split_part::FUNCTIONS,
    string::substring::FUNCTIONS,
    string::trim::FUNCTIONS,
    string::utf8::FUNCTIONS,
    regex::extract::FUNCTIONS,
    regex::like::FUNCTIONS,
    regex::replace::FUNCTIONS,
    regex::rlike::FUNCTIONS,
    regex::split::FUNCTIONS,
    json::functions::FUNCTIONS,
    json::tuple::FUNCTIONS,
    variant::edit::FUNCTIONS,
    variant::explode::FUNCTIONS,
    variant::functions::FUNCTIONS,
    variant::schema::FUNCTIONS,
    string::format_number::FUNCTIONS,
    string::format_string::FUNCTIONS,
    string::sentences::FUNCTIONS,
    string::to_number::FUNCTIONS,
    url::FUNCTIONS,
    stubs::FUNCTIONS,
    csv::FUNCTIONS,
    xml::functions::FUNCTIONS,
    xml::xpath::FUNCTIONS,
    collation::FUNCTIONS,
    aggregate::basic::FUNCTIONS,
    window::FUNCTIONS,
    operators::FUNCTIONS,
    casting::FUNCTIONS,
    crypto::FUNCTIONS,
    geo::FUNCTIONS,
    hash::FUNCTIONS,
    vector::FUNCTIONS,
    misc::FUNCTIONS,
    random::FUNCTIONS,
    reflect::FUNCTIONS,
    sample::FUNCTIONS,
    math::extreme::FUNCTIONS,
    math::number::FUNCTIONS,
    math::real::FUNCTIONS,
    math::rounding::FUNCTIONS,
    predicate::FUNCTIONS,
    conditional::FUNCTIONS,
    bitwise::FUNCTIONS,
    datetime::arithmetic::FUNCTIONS,
    datetime::fields::FUNCTIONS,
    datetime::now::FUNCTIONS,
    datetime::trunc::FUNCTIONS,
    interval::FUNCTIONS,
    array::construct::FUNCTIONS,
    array::edit::FUNCTIONS,
    array::search::FUNCTIONS,
    array::sequence::FUNCTIONS,
    array::sets::FUNCTIONS,
    array::shuffle::FUNCTIONS,
    extract::FUNCTIONS,
    generator::FUNCTIONS,
    map::FUNCTIONS,
    structs::FUNCTIONS,
    lambda::FUNCTIONS,
    datetime::text::FUNCTIONS,
    datetime::make::FUNCTIONS,
    datetime::time::FUNCTIONS,
    datetime::bucket::FUNCTIONS,
    aggregate::approx::FUNCTIONS,
    aggregate::distinct::FUNCTIONS,
    aggregate::vector::FUNCTIONS,
    aggregate::best::FUNCTIONS,
    aggregate::lists::FUNCTIONS,
    aggregate::moments::FUNCTIONS,
    aggregate::pandas::FUNCTIONS,
    aggregate::regression::FUNCTIONS,
    aggregate::spread::FUNCTIONS,
    aggregate::percentile::FUNCTIONS,
    sketch::theta_functions::BUILDERS,
    sketch::theta_functions::COMBINERS,
    sketch::theta_functions::QUESTIONS,
    sketch::theta_functions::OPERATIONS,
    sketch::hll_functions::FUNCTIONS,
    sketch::kll_functions::AGGREGATES,
    sketch::kll_functions::FUNCTIONS,
    sketch::bitmap::FUNCTIONS,
    sketch::count_min::FUNCTIONS,
    sketch::top_k::FUNCTIONS,
];

/// All scalar kernels.
pub const KERNELS: &[&[Kernel]] = &[
    one_row::KERNELS,
    crate::cast::KERNELS,
    string::base::KERNELS,
    string::case::KERNELS,
    string::chars::KERNELS,
    string::charset::KERNELS,
    string::concat::KERNELS,
    string::distance::KERNELS,
    string::edit::KERNELS,
    string::length::KERNELS,
    string::limit::KERNELS,
    string::mask::KERNELS,
    string::pad::KERNELS,
    string::search::KERNELS,
    string::split_part::KERNELS,
    string::substring::KERNELS,
    string::trim::KERNELS,
    string::utf8::KERNELS,
    regex::extract::KERNELS,
    regex::like::KERNELS,
    regex::replace::KERNELS,
    regex::rlike::KERNELS,
    regex::split::KERNELS,
    json::functions::KERNELS,
    json::tuple::KERNELS,
    variant::edit::KERNELS,
    variant::explode::KERNELS,
    variant::functions::KERNELS,
    variant::schema::KERNELS,
    string::format_number::KERNELS,
    string::format_string::KERNELS,
    string::sentences::KERNELS,
    string::to_number::KERNELS,
    url::KERNELS,
    csv::KERNELS,
    xml::functions::KERNELS,
    xml::xpath::KERNELS,
    collation::KERNELS,
    window::KERNELS,
    operators::KERNELS,
    crypto::KERNELS,
    geo::KERNELS,
    hash::KERNELS,
    vector::KERNELS,
    misc::KERNELS,
    placement::KERNELS,
    random::KERNELS,
    reflect::KERNELS,
    sample::KERNELS,
    math::extreme::KERNELS,
    math::number::KERNELS,
    math::real::KERNELS,
    math::rounding::KERNELS,
    predicate::KERNELS,
    bitwise::KERNELS,
    datetime::arithmetic::KERNELS,
    datetime::fields::KERNELS,
    datetime::trunc::KERNELS,
    interval::KERNELS,
    array::construct::KERNELS,
    array::edit::KERNELS,
    array::search::KERNELS,
    array::sequence::KERNELS,
    array::sets::KERNELS,
    array::shuffle::KERNELS,
    extract::KERNELS,
    generator::KERNELS,
    map::KERNELS,
    structs::KERNELS,
    lambda::KERNELS,
    datetime::text::KERNELS,
    datetime::make::KERNELS,
    crate::nanos::KERNELS,
    datetime::time::KERNELS,
    datetime::bucket::KERNELS,
    sketch::theta_functions::KERNELS,
    sketch::hll_functions::KERNELS,
    sketch::kll_functions::KERNELS,
    sketch::top_k::KERNELS,
];

/// All aggregate kernels.
pub const AGGREGATE_KERNELS: &[&[AggregateKernel]] = &[
    variant::schema::AGGREGATE_KERNELS,
    aggregate::sum::KERNELS,
    aggregate::float_sum::KERNELS,
    aggregate::regression::KERNELS,
    aggregate::extreme::KERNELS,
    aggregate::approx::KERNELS,
    aggregate::distinct::KERNELS,
    aggregate::vector::KERNELS,
    aggregate::best::KERNELS,
    aggregate::lists::KERNELS,
    aggregate::moments::KERNELS,
    aggregate::spread::KERNELS,
    aggregate::percentile::KERNELS,
    sketch::theta_functions::AGGREGATE_KERNELS,
    sketch::hll_functions::AGGREGATE_KERNELS,
    sketch::kll_functions::AGGREGATE_KERNELS,
    sketch::bitmap::KERNELS,
    sketch::count_min::KERNELS,
    sketch::top_k::AGGREGATE_KERNELS,
    aggregate::first::KERNELS,
    aggregate::frequent::KERNELS,
    placement::AGGREGATE_KERNELS,
];

/// All higher-order kernels.
pub const HOF_KERNELS: &[&[HofKernel]] = &[lambda::eval::KERNELS];
