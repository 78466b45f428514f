//! `count_min_sketch`, in the form of Spark's own class.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Int64Type};
use datafusion::common::Result as DfResult;
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::aggregate::collect::{Collect, Finished};
use crate::families::aggregate::kernel as aggregate;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "count_min_sketch", build: Build::Aggregate(count_min_sketch) }];

/// Aggregate kernels.
pub const KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "count_min_sketch",
    accumulator: |a| Collect::boxed(a, finish),
    state: Collect::state_types,
    groups: None,
}];

#[derive(Serialize, Deserialize)]
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
    call.expect(1, Expected::Type(DataType::Double))?;
    call.expect(2, Expected::Type(DataType::Double))?;
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

fn finish(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let shape: Shape = context.parameters()?;
    let mut random = JavaRandom::new(i64::from(shape.seed));
    let factors: Vec<i64> = (0..shape.depth).map(|_| i64::from(random.below_max())).collect();
    let mut table = vec![vec![0_i64; shape.width]; shape.depth];
    let mut total = 0_i64;
    let texts = matches!(columns[0].data_type(), Arrow::Utf8 | Arrow::Binary);
    let values = cast(&columns[0], if texts { &Arrow::Binary } else { &Arrow::Int64 })?;
    for row in (0..values.len()).filter(|i| values.is_valid(*i)) {
        total += 1;
        for (i, counts) in table.iter_mut().enumerate() {
            let bucket = if texts {
                let bytes = values.as_binary::<i32>().value(row);
                let first = murmur3(bytes, 0);
                let second = murmur3(bytes, first as u32);
                (first.wrapping_add((i as i32).wrapping_mul(second)) % shape.width as i32).unsigned_abs() as usize
            } else {
                let hash = factors[i].wrapping_mul(values.as_primitive::<Int64Type>().value(row));
                let hash = hash.wrapping_add(hash >> 32) & 0x7fff_ffff;
                hash as usize % shape.width
            };
            counts[bucket] += 1;
        }
    }
    let mut out = Vec::new();
    out.extend(1_i32.to_be_bytes());
    out.extend(total.to_be_bytes());
    out.extend((shape.depth as i32).to_be_bytes());
    out.extend((shape.width as i32).to_be_bytes());
    factors.iter().for_each(|f| out.extend(f.to_be_bytes()));
    table.iter().flatten().for_each(|c| out.extend(c.to_be_bytes()));
    Ok(ScalarValue::Binary(Some(out)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_as_java_does() {
        assert_eq!(JavaRandom::new(1).below_max(), 0x5d8d_6ab9);
    }
}
