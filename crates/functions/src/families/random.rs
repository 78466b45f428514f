//! Random numbers: Spark's generators, so that a seeded call draws what Spark draws.
//!
//! A generator depends on the partition and runs on from row to row, neither of which a function sees.
//! The planner gives these kernels ([`POSITIONAL`]) two more arguments, the partition and the row's
//! number in it, from an operator that counts; without them (a constant relation) the partition is 0
//! and rows count from 0.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, Float64Array, Int32Array, Int64Array, StringBuilder};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, Operator, binary_expr};
use parking_lot::Mutex;
use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Error, Result};

use super::array::shuffle::MersenneTwister;
use crate::call::Call;
use crate::cast;
use crate::coerce::{Expected, cast_implicitly, tightest_type};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, KernelUdf};
use crate::registry::{Build, Function};
use crate::room::check_value;
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "rand", build: Build::Scalar(|c| rand(c, "rand", &RAND)) },
    Function { name: "random", build: Build::Scalar(|c| rand(c, "rand", &RAND)) },
    Function { name: "randn", build: Build::Scalar(|c| rand(c, "randn", &RANDN)) },
    Function { name: "uniform", build: Build::Scalar(uniform) },
    Function { name: "randstr", build: Build::Scalar(randstr) },
    Function { name: "uuid", build: Build::Scalar(uuid) },
    Function { name: "monotonically_increasing_id", build: Build::Scalar(increasing_id) },
    Function { name: "spark_partition_id", build: Build::Scalar(partition_id) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[RAND, RANDN, RANDSTR, UUID, INCREASING_ID, PARTITION_ID];

/// Kernels that take the partition and the row's number as their last two arguments.
pub const POSITIONAL: &[&str] = &[
    "rand",
    "randn",
    "randstr",
    "uuid",
    "monotonically_increasing_id",
    "spark_partition_id",
    "sample_number",
    "sample_count",
    "sample_run",
];

/// Those of them that draw from a generator whose seed is their first argument.
pub const SEEDED: &[&str] = &["rand", "randn", "randstr", "uuid"];

const RAND: Kernel = Kernel::volatile("rand", rand_kernel);
const RANDN: Kernel = Kernel::volatile("randn", randn_kernel);
const RANDSTR: Kernel = Kernel::volatile("randstr", randstr_kernel);
const UUID: Kernel = Kernel::volatile("uuid", uuid_kernel);
const INCREASING_ID: Kernel = Kernel::volatile("monotonically_increasing_id", increasing_id_kernel);
const PARTITION_ID: Kernel = Kernel::volatile("spark_partition_id", partition_id_kernel);

/// The seed in argument `i`, or the query's own; a null seed counts as 0.
fn seed(call: &Call, i: usize, name: &str) -> Result<i64> {
    let Some(arg) = call.args.get(i) else { return Ok(call.settings.seed) };
    if !arg.foldable() {
        return Err(Error::analysis("SEED_EXPRESSION_IS_UNFOLDABLE")
            .param("seedExpr", format!("\"{}\"", arg.name))
            .param("exprWithSeed", format!("\"{name}\""))
            .at(call.origin.as_ref()));
    }
    if !matches!(arg.ty, DataType::Null | DataType::Integer | DataType::Long) {
        return Err(call.unexpected_type(i, "(\"INT\" or \"BIGINT\")"));
    }
    Ok(fold::integer(arg).unwrap_or(0))
}

fn rand(mut call: Call, name: &str, kernel: &'static Kernel) -> Result<Typed> {
    call.arity(0..=1)?;
    call.name = name.to_string();
    let name = call.display_name();
    let seed = seed(&call, 0, &name)?;
    Ok(drawn(&call, kernel, seed, "", DataType::Double).named(name))
}

/// A call of a generator; the seed and `more` travel with it.
fn drawn(call: &Call, kernel: &'static Kernel, seed: i64, more: &str, ty: DataType) -> Typed {
    let options = call.options().with_extra(format!("{seed} {more}"));
    let name = call.display_name();
    Typed::new(KernelUdf::call(kernel, to_arrow(&ty), options, Vec::new()), ty, false, name)
}

/// A double drawn with the query's own seed.
pub fn query_double(call: &Call) -> Typed {
    drawn(call, &RAND, call.settings.seed, "", DataType::Double)
}

/// An identifier drawn with the query's own seed.
pub fn query_uuid(call: &Call) -> Typed {
    Typed { nullable: true, ..drawn(call, &UUID, call.settings.seed, "", DataType::STRING) }
}

/// A constant argument named `parameter`.
fn constant(call: &Call, i: usize, parameter: &str, kind: &str) -> Result<()> {
    let arg = &call.args[i];
    if arg.foldable() {
        return Ok(());
    }
    Err(call
        .mismatch("NON_FOLDABLE_INPUT")
        .param("inputName", format!("`{parameter}`"))
        .param("inputType", kind)
        .param("inputExpr", format!("\"{}\"", arg.name)))
}

/// `min + (max - min) * rand(seed)` in the type of the bounds.
fn uniform(mut call: Call) -> Result<Typed> {
    call.arity(2..=3)?;
    let name = call.display_name();
    for (i, parameter) in [(0, "min"), (1, "max")] {
        if !call.args[i].ty.is_numeric() && call.args[i].ty != DataType::Null {
            return Err(call.unexpected_type(i, "\"NUMERIC\""));
        }
        constant(&call, i, parameter, "integer or floating-point")?;
    }
    if call.args.len() == 3 {
        constant(&call, 2, "seed", "integer")?;
    }
    let seed = seed(&call, 2, &name)?;
    call.args.truncate(2);
    let ty = uniform_type(&call.args[0].ty, &call.args[1].ty, call.settings);
    if call.args.iter().any(|a| a.ty == DataType::Null) {
        return Ok(Typed { nullable: true, ..Typed::null(DataType::Double) }.named(name));
    }
    let bounds: Vec<Typed> = call.args.iter().map(|a| cast_implicitly(a, &DataType::Double, call.settings)).collect();
    let (min, max) = (bounds[0].expr.clone(), bounds[1].expr.clone());
    let drawn = drawn(&call, &RAND, seed, "", DataType::Double);
    let span = binary_expr(max, Operator::Minus, min.clone());
    let value = binary_expr(min, Operator::Plus, binary_expr(span, Operator::Multiply, drawn.expr));
    let value = Typed::new(value, DataType::Double, false, name.clone());
    let out = cast::explicit(&value, &ty, CastMode::Session, call.settings)?;
    Ok(Typed { nullable: false, ..out }.named(name))
}

fn uniform_type(a: &DataType, b: &DataType, settings: &spark::Settings) -> DataType {
    match (a, b) {
        (DataType::Null, _) | (_, DataType::Null) => DataType::Double,
        (DataType::Double, _) | (_, DataType::Double) => DataType::Double,
        (DataType::Float, _) | (_, DataType::Float) => DataType::Float,
        (DataType::Decimal { precision: p, .. }, DataType::Decimal { precision: q, .. }) => {
            if q >= p { b } else { a }.clone()
        }
        (DataType::Decimal { .. }, _) => a.clone(),
        (_, DataType::Decimal { .. }) => b.clone(),
        _ => tightest_type(a, b, settings).unwrap_or(DataType::Long),
    }
}

fn randstr(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let name = call.display_name();
    constant(&call, 0, "length", "integer")?;
    if call.args.len() == 2 {
        constant(&call, 1, "seed", "integer")?;
    }
    let seed = seed(&call, 1, &name)?;
    call.expect(0, Expected::Type(DataType::Integer))?;
    fold::evaluate(&call.args[0])?;
    let length = fold::integer(&call.args[0]).unwrap_or(0);
    if length < 0 {
        return Err(call
            .mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", "`length`")
            .param("valueRange", "[0, 2147483647]")
            .param("currentValue", length.to_string()));
    }
    Ok(drawn(&call, &RANDSTR, seed, &length.to_string(), DataType::STRING).named(name))
}

fn uuid(call: Call) -> Result<Typed> {
    call.arity(0..=1)?;
    let seed = match call.args.first() {
        None => call.settings.seed,
        Some(arg) => {
            let integral = matches!(arg.ty, DataType::Integer | DataType::Long | DataType::Null);
            if !integral || !arg.foldable() {
                return Err(Error::analysis("INVALID_PARAMETER_VALUE.LONG")
                    .param("parameter", "`seed`")
                    .param("functionName", "`UUID`")
                    .param("invalidValue", format!("\"{}\"", arg.name))
                    .at(call.origin.as_ref()));
            }
            fold::integer(arg).unwrap_or(0)
        }
    };
    Ok(drawn(&call, &UUID, seed, "", DataType::STRING).named("uuid()"))
}

fn increasing_id(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    Ok(drawn(&call, &INCREASING_ID, 0, "", DataType::Long))
}

fn partition_id(call: Call) -> Result<Typed> {
    call.arity(0..=0)?;
    Ok(drawn(&call, &PARTITION_ID, 0, "", DataType::Integer).named("SPARK_PARTITION_ID()"))
}

/// Where the rows of a batch stand: partition, and the first row's number in it.
pub struct Position {
    pub partition: i32,
    pub first_row: i64,
}

impl Position {
    /// From the kernel's last two arguments, if the planner gave them.
    ///
    /// # Errors
    /// If they cannot be expanded to arrays.
    pub fn of(args: &KernelArgs, own_args: usize) -> DfResult<Self> {
        let mut position = Position { partition: 0, first_row: 0 };
        if args.rows == 0 || args.args.len() < own_args + 2 {
            return Ok(position);
        }
        let (partition, row) = (args.array(own_args)?, args.array(own_args + 1)?);
        if let (Some(p), Some(r)) = (partition.as_primitive_opt::<Int32Type>(), row.as_primitive_opt::<Int64Type>())
            && !p.is_empty()
            && !r.is_empty()
        {
            position = Position { partition: p.value(0), first_row: r.value(0) };
        }
        Ok(position)
    }
}

/// Spark's generator: a 64-bit xorshift behind the interface of Java's `Random`.
#[derive(Debug, Clone, Copy)]
pub struct XorShift {
    state: i64,
    spare_gaussian: Option<f64>,
}

impl XorShift {
    /// The generator of a seed.
    pub fn new(seed: i64) -> Self {
        let bytes = seed.to_be_bytes();
        let low = murmur3_32(&bytes, 0x3c07_4a61);
        let high = murmur3_32(&bytes, low);
        let state = ((u64::from(high) << 32) | u64::from(low)).cast_signed();
        XorShift { state, spare_gaussian: None }
    }

    fn next(&mut self, bits: u32) -> i32 {
        let mut s = self.state ^ (self.state << 21);
        s ^= (s.cast_unsigned() >> 35).cast_signed();
        s ^= s << 4;
        self.state = s;
        (s & ((1i64 << bits) - 1)) as i32
    }

    /// From 0 to 1.
    pub fn next_double(&mut self) -> f64 {
        let high = i64::from(self.next(26)) << 27;
        (high + i64::from(self.next(27))) as f64 * (1.0 / (1i64 << 53) as f64)
    }

    /// Any 32 bits.
    pub fn next_int(&mut self) -> i32 {
        self.next(32)
    }

    /// From 0 to `bound`, which is left out.
    pub fn next_below(&mut self, bound: i32) -> i32 {
        let bound = bound.max(1);
        let mut bits = self.next(31);
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(bits)) >> 31) as i32;
        }
        // The last, incomplete round of numbers would favour the small ones.
        while i64::from(bits) - i64::from(bits % bound) + i64::from(bound - 1) > i64::from(i32::MAX) {
            bits = self.next(31);
        }
        bits % bound
    }

    /// From the normal distribution, by the polar method.
    pub fn next_gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare_gaussian.take() {
            return spare;
        }
        loop {
            let a = 2.0 * self.next_double() - 1.0;
            let b = 2.0 * self.next_double() - 1.0;
            let s = a * a + b * b;
            if s < 1.0 && s != 0.0 {
                let scale = (-2.0 * s.ln() / s).sqrt();
                self.spare_gaussian = Some(b * scale);
                return a * scale;
            }
        }
    }
}

/// The published 32-bit Murmur3.
fn murmur3_32(data: &[u8], seed: u32) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut h = seed;
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for w in words {
        h = (h ^ mix(u32::from_le_bytes([w[0], w[1], w[2], w[3]])))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        h ^= mix(rest.iter().rev().fold(0, |acc, b| acc << 8 | u32::from(*b)));
    }
    h ^= data.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// Where a generator stands before a row: kernel, its parameters, partition, row.
type Place = (&'static str, String, i32, i64);

/// Generators that have drawn the rows before a place; they only save drawing those again.
type Drawn<G> = LazyLock<Mutex<HashMap<Place, G>>>;

static XORSHIFTS: Drawn<XorShift> = LazyLock::new(Mutex::default);
static TWISTERS: Drawn<MersenneTwister> = LazyLock::new(Mutex::default);

/// Places remembered at a time.
const REMEMBERED: usize = 1024;

/// Draws a value for each row of the batch, the generator going on from the rows before.
fn draw_from<G: Clone, T>(
    args: &KernelArgs,
    drawn: &Drawn<G>,
    new: fn(i64) -> G,
    mut one: impl FnMut(&mut G) -> T,
) -> DfResult<Vec<T>> {
    let position = Position::of(args, 0)?;
    let kernel = args.udf.kernel.name;
    let place = |row: i64| (kernel, args.extra().to_string(), position.partition, row);
    let remembered = drawn.lock().get(&place(position.first_row)).cloned();
    let mut random = remembered.unwrap_or_else(|| {
        let mut random = new(parameters(args).0.wrapping_add(i64::from(position.partition)));
        for _ in 0..position.first_row {
            one(&mut random);
        }
        random
    });
    let values = (0..args.rows).map(|_| one(&mut random)).collect();
    if args.args.len() >= 2 {
        let mut drawn = drawn.lock();
        if drawn.len() >= REMEMBERED {
            drawn.clear();
        }
        drawn.insert(place(position.first_row + args.rows as i64), random);
    }
    Ok(values)
}

fn draw<T>(args: &KernelArgs, one: impl FnMut(&mut XorShift) -> T) -> DfResult<Vec<T>> {
    draw_from(args, &XORSHIFTS, XorShift::new, one)
}

/// The seed and the kernel's own number.
fn parameters(args: &KernelArgs) -> (i64, i64) {
    let (seed, more) = args.extra().split_once(' ').unwrap_or((args.extra(), ""));
    (seed.parse().unwrap_or(0), more.parse().unwrap_or(0))
}

fn rand_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = draw(args, XorShift::next_double)?;
    Ok(ColumnarValue::Array(Arc::new(Float64Array::from(values))))
}

fn randn_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = draw(args, XorShift::next_gaussian)?;
    Ok(ColumnarValue::Array(Arc::new(Float64Array::from(values))))
}

fn randstr_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    const LETTERS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let length = parameters(args).1;
    // What is drawn is copied once.
    let bytes = usize::try_from(length).unwrap_or(0).saturating_mul(args.rows.max(1)).saturating_mul(2);
    check_value(bytes)?;
    let values = draw(args, |random| {
        let letter = |_| char::from(LETTERS[(random.next_int() % 62).unsigned_abs() as usize]);
        (0..length).map(letter).collect::<String>()
    })?;
    let mut out = StringBuilder::new();
    values.iter().for_each(|v| out.append_value(v));
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

fn uuid_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = draw_from(args, &TWISTERS, MersenneTwister::new, |random| {
        let mut long = || (u64::from(random.next_bits()) << 32) | u64::from(random.next_bits());
        let most = (long() & 0xFFFF_FFFF_FFFF_0FFF) | 0x0000_0000_0000_4000;
        let least = (long() | 0x8000_0000_0000_0000) & 0xBFFF_FFFF_FFFF_FFFF;
        uuid::Uuid::from_u64_pair(most, least).to_string()
    })?;
    let mut out = StringBuilder::new();
    values.iter().for_each(|v| out.append_value(v));
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

fn increasing_id_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let position = Position::of(args, 0)?;
    let base = (i64::from(position.partition) << 33) + position.first_row;
    let values: Int64Array = (0..args.rows as i64).map(|row| base + row).collect::<Vec<_>>().into();
    Ok(ColumnarValue::Array(Arc::new(values)))
}

fn partition_id_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let position = Position::of(args, 0)?;
    Ok(ColumnarValue::Array(Arc::new(Int32Array::from(vec![position.partition; args.rows]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_what_spark_draws() {
        let mut r = XorShift::new(5);
        assert_eq!([r.next_double(), r.next_double()], [0.023_906_964_275_028_92, 0.095_097_677_440_844_52]);
        let mut r = XorShift::new(5);
        assert_eq!(r.next_gaussian(), 1.529_849_647_724_301_5);
        let mut r = XorShift::new(6);
        assert_eq!(r.next_double(), 0.070_398_367_163_417_74);
    }
}
