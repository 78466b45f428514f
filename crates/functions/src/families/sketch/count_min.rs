//! `count_min_sketch`, in the form of Spark's own class.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::aggregate::folding::{self, Fold};
use crate::families::aggregate::kernel as aggregate;
use crate::families::rows::{strict, too_large};
use crate::fold;
use crate::registry::{Build, Function};
use crate::room::check_value;
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "count_min_sketch", build: Build::Aggregate(count_min_sketch) }];

/// Aggregate kernels.
pub const KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "count_min_sketch",
    accumulator: |a| folding::boxed(Counts::new(folding::parameters(a)?)?),
    state: folding::state_types,
    groups: None,
}];

#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    depth: usize,
    width: usize,
    seed: i32,
}

fn count_min_sketch(mut call: Call) -> Result<Typed> {
    call.arity(4..=4)?;
    let name = call.display_name();
    match &call.args[0].ty {
        t if t.is_integral() || t.is_string() || *t == DataType::Binary => {}
        _ => return Err(call.unexpected_type(0, "(\"INTEGRAL\" or \"STRING\" or \"BINARY\")")),
    }
    strict(&mut call, 1, Expected::Type(DataType::Double))?;
    strict(&mut call, 2, Expected::Type(DataType::Double))?;
    call.expect(3, Expected::Integral)?;
    let number = |i: usize| match fold::evaluate(&call.args[i]) {
        Ok(ScalarValue::Float64(Some(v))) => Some(v),
        _ => None,
    };
    let out_of_range = |i: usize, name: &str, range: &str| {
        call.mismatch("VALUE_OUT_OF_RANGE")
            .param("exprName", name)
            .param("valueRange", range)
            .param("currentValue", &call.args[i].name)
    };
    let eps = number(1).filter(|v| *v > 0.0).ok_or_else(|| out_of_range(1, "eps", "(0.0, 1.7976931348623157E308]"))?;
    let confidence =
        number(2).filter(|v| *v > 0.0 && *v < 1.0).ok_or_else(|| out_of_range(2, "confidence", "(0.0, 1.0)"))?;
    let seed =
        fold::integer(&call.args[3]).ok_or_else(|| call.mismatch("UNEXPECTED_NULL").param("exprName", "seed"))? as i32;
    let shape = Shape {
        depth: (-(1.0 - confidence).ln() / 2_f64.ln()).ceil() as usize,
        width: (2.0 / eps).ceil() as usize,
        seed,
    };
    let extra = serde_json::to_string(&shape).map_err(|e| Error::internal(e.to_string()))?;
    let args = vec![call.args[0].expr.clone()];
    let expr = aggregate(&call, &KERNELS[0], call.options().with_extra(extra), args, &DataType::Binary);
    Ok(Typed::new(expr, DataType::Binary, false, name))
}

/// Java's generator of random numbers.
pub struct JavaRandom(i64);

impl JavaRandom {
    pub fn new(seed: i64) -> Self {
        JavaRandom((seed ^ 0x5_deec_e66d) & ((1 << 48) - 1))
    }

    fn bits(&mut self, n: u32) -> i32 {
        self.0 = self.0.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1);
        (self.0 >> (48 - n)) as i32
    }

    /// A number from 0 up to 1.
    pub fn next_double(&mut self) -> f64 {
        let high = i64::from(self.bits(26)) << 27;
        (high + i64::from(self.bits(27))) as f64 / (1_i64 << 53) as f64
    }

    fn below_max(&mut self) -> i32 {
        loop {
            let bits = self.bits(31);
            let value = bits % i32::MAX;
            if bits.wrapping_sub(value).wrapping_add(i32::MAX - 1) >= 0 {
                return value;
            }
        }
    }
}

/// MurmurHash3 of 32 bits with the bytes that are left over mixed one by one, as Spark does.
pub(super) fn murmur3(data: &[u8], seed: u32) -> i32 {
    let mix = |h: u32, k: u32| {
        let k = k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    };
    let mut chunks = data.chunks_exact(4);
    let mut h = seed;
    for c in &mut chunks {
        h = mix(h, u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
    }
    for b in chunks.remainder() {
        h = mix(h, *b as i8 as u32);
    }
    h ^= data.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    (h ^ (h >> 16)) as i32
}

/// The counts of a sketch, a row of `width` for each of its hashes.
#[derive(Debug)]
struct Counts {
    shape: Shape,
    factors: Vec<i64>,
    table: Vec<i64>,
    total: i64,
}

/// Bytes of what stands before the factors.
const HEADER: usize = 20;

impl Counts {
    fn new(shape: Shape) -> DfResult<Self> {
        let bytes = shape.depth.checked_mul(shape.width).and_then(|n| n.checked_mul(8));
        let Some(bytes) = bytes.filter(|n| i32::try_from(*n).is_ok()) else {
            return fail(too_large("count_min_sketch", shape.depth.saturating_mul(shape.width).saturating_mul(8)));
        };
        check_value(bytes)?;
        let mut random = JavaRandom::new(i64::from(shape.seed));
        let factors = (0..shape.depth).map(|_| i64::from(random.below_max())).collect();
        Ok(Counts { shape, factors, table: vec![0; bytes / 8], total: 0 })
    }

    /// The place of the hash number `i` of a text.
    fn place_of_text(&self, i: usize, bytes: &[u8]) -> usize {
        let first = murmur3(bytes, 0);
        let second = murmur3(bytes, first as u32);
        let hash = first.wrapping_add((i as i32).wrapping_mul(second)) % self.shape.width as i32;
        i * self.shape.width + hash.unsigned_abs() as usize
    }

    fn place_of_number(&self, i: usize, number: i64) -> usize {
        let hash = self.factors[i].wrapping_mul(number);
        let hash = hash.wrapping_add(hash >> 32) & 0x7fff_ffff;
        i * self.shape.width + hash as usize % self.shape.width
    }
}

impl Fold for Counts {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        let texts = matches!(columns[0].data_type(), Arrow::Utf8 | Arrow::Binary);
        let values = cast(&columns[0], if texts { &Arrow::Binary } else { &Arrow::Int64 })?;
        for row in (0..values.len()).filter(|i| values.is_valid(*i)) {
            self.total += 1;
            for i in 0..self.shape.depth {
                let place = if texts {
                    self.place_of_text(i, values.as_binary::<i32>().value(row))
                } else {
                    self.place_of_number(i, values.as_primitive::<Int64Type>().value(row))
                };
                self.table[place] += 1;
            }
        }
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        let start = HEADER + self.factors.len() * 8;
        let (Some(total), Some(table)) = (bytes.get(4..12), bytes.get(start..)) else {
            return internal_err!("the state of a sketch of counts is cut off");
        };
        let (total, table) = (total.as_chunks::<8>().0, table.as_chunks::<8>().0);
        self.total += total.iter().copied().map(i64::from_be_bytes).sum::<i64>();
        self.table.iter_mut().zip(table).for_each(|(mine, theirs)| *mine += i64::from_be_bytes(*theirs));
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + (self.factors.len() + self.table.len()) * 8);
        out.extend(1_i32.to_be_bytes());
        out.extend(self.total.to_be_bytes());
        out.extend((self.shape.depth as i32).to_be_bytes());
        out.extend((self.shape.width as i32).to_be_bytes());
        self.factors.iter().for_each(|f| out.extend(f.to_be_bytes()));
        self.table.iter().for_each(|c| out.extend(c.to_be_bytes()));
        out
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.table.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_sketch_of_the_whole() {
        let ids = |range: std::ops::Range<i64>| -> ArrayRef {
            std::sync::Arc::new(range.collect::<arrow::array::Int64Array>())
        };
        let make = || Counts::new(Shape { depth: 3, width: 20, seed: 1 }).expect("a shape");
        crate::families::aggregate::folding::tests::agrees_in_parts(make, [&[ids(0..5)], &[ids(3..900)]]);
        assert!(Counts::new(Shape { depth: 3, width: usize::MAX / 2, seed: 1 }).is_err());
    }

    #[test]
    fn draws_as_java_does() {
        assert_eq!(JavaRandom::new(1).below_max(), 0x5d8d_6ab9);
    }
}
