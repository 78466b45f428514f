//! `shuffle`, with the generator that makes a seeded shuffle the same as Spark's.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::logical_expr::ColumnarValue;
use spark::Result;
use spark::types::DataType;

use super::super::lists::{ListPicks, Lists, element_type};
use super::super::rows::row_count;
use super::expect_array;
use crate::call::Call;
use crate::coerce::Expected;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[Function { name: "shuffle", build: Build::Scalar(shuffle) }];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[Kernel::volatile("shuffle", eval_shuffle)];

fn shuffle(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    call.typed_null(0, Expected::Array)?;
    expect_array(&call, 0)?;
    let mut seed = call.settings.seed;
    if call.args.len() == 2 {
        call.expect(1, Expected::Type(DataType::Long))?;
        if !call.args[1].foldable() {
            return Err(call
                .mismatch("NON_FOLDABLE_INPUT")
                .param("inputName", "`seed`")
                .param("inputType", "\"BIGINT\"")
                .param("inputExpr", format!("\"{}\"", call.args[1].name)));
        }
        seed = fold::integer(&call.args[1]).unwrap_or(0);
        call.args.truncate(1);
    }
    let ty = call.args[0].ty.clone();
    let nullable = call.args[0].nullable;
    let options = call.options().with_extra(seed.to_string());
    Ok(call.kernel_with(&KERNELS[0], options, ty, nullable))
}

fn eval_shuffle(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let mut random = MersenneTwister::new(args.extra().parse().unwrap_or(0));
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    // A constant array is shuffled anew for each row.
    for row in 0..if args.all_scalar() { args.rows } else { row_count(args) } {
        let Some(range) = lists.get(row) else {
            out.close_null();
            continue;
        };
        for i in random.permutation(range.len()) {
            out.push(0, range.start + i);
        }
        out.close();
    }
    Ok(ColumnarValue::Array(out.array()?))
}

/// The Mersenne Twister (MT19937) seeded with 64 bits.
#[derive(Clone)]
pub struct MersenneTwister {
    state: [u32; 624],
    index: usize,
}

impl MersenneTwister {
    pub fn new(seed: i64) -> Self {
        let key = [(seed as u64 >> 32) as u32, seed as u32];
        let mut state = [0_u32; 624];
        state[0] = 19_650_218;
        for i in 1..624 {
            state[i] = 1_812_433_253_u32.wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30)).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..624 {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed).wrapping_add(key[j]).wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        for _ in 0..623 {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ mixed).wrapping_sub(i as u32);
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        MersenneTwister { state, index: 624 }
    }

    /// 32 random bits.
    pub fn next_bits(&mut self) -> u32 {
        if self.index >= 624 {
            for k in 0..624 {
                let y = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % 624] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[k] = self.state[(k + 397) % 624] ^ (y >> 1) ^ odd;
            }
            self.index = 0;
        }
        let mut y = self.state[self.index];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// The numbers below `n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut out = vec![0; n];
        for i in 0..n {
            let j = self.next_below(i as i32 + 1) as usize;
            out[i] = out[j];
            out[j] = i;
        }
        out
    }

    /// A number from 0 to `n` - 1.
    pub fn next_below(&mut self, n: i32) -> i32 {
        if n & -n == n {
            return ((i64::from(n) * i64::from(self.next_bits() >> 1)) >> 31) as i32;
        }
        loop {
            let bits = (self.next_bits() >> 1) as i32;
            let value = bits % n;
            if bits.wrapping_sub(value).wrapping_add(n - 1) >= 0 {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffles_as_spark_does() {
        for (seed, n, expect) in [(42, 5, vec![4, 2, 1, 0, 3]), (0, 3, vec![2, 0, 1])] {
            let mut random = MersenneTwister::new(seed);
            assert_eq!(random.permutation(n), expect, "seed {seed}");
        }
    }
}
