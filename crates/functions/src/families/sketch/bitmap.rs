//! Bitmap aggregates: `bitmap_construct_agg`, `bitmap_or_agg`, `bitmap_and_agg`.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use datafusion::common::Result as DfResult;
use spark::types::DataType;
use spark::{Error, Result};

use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::aggregate::finish;
use crate::families::aggregate::folding::{self, Fold};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "bitmap_construct_agg", build: Build::Aggregate(construct) },
    Function { name: "bitmap_or_agg", build: Build::Aggregate(combine) },
    Function { name: "bitmap_and_agg", build: Build::Aggregate(combine) },
];

/// Aggregate kernels.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "bitmap_construct_agg",
        accumulator: |_| folding::boxed(Positions(vec![0; SIZE])),
        state: folding::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "bitmap_or_agg",
        accumulator: |_| folding::boxed(Bitmaps { bits: vec![0; SIZE], operation: |a, b| a | b }),
        state: folding::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "bitmap_and_agg",
        accumulator: |_| folding::boxed(Bitmaps { bits: vec![0xff; SIZE], operation: |a, b| a & b }),
        state: folding::state_types,
        groups: None,
    },
];

/// Bytes of a bitmap.
const SIZE: usize = 4096;

fn construct(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    call.expect(0, Expected::Type(DataType::Long))?;
    Ok(finish(call, &KERNELS[0], DataType::Binary, false).named(name))
}

fn combine(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if call.args[0].ty != DataType::Binary {
        return Err(call.unexpected_type(0, "\"BINARY\""));
    }
    let kernel = &KERNELS[if call.name == "bitmap_or_agg" { 1 } else { 2 }];
    Ok(finish(call, kernel, DataType::Binary, false))
}

/// The bitmap of positions.
#[derive(Debug)]
struct Positions(Vec<u8>);

impl Fold for Positions {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        for position in columns[0].as_primitive::<Int64Type>().iter().flatten() {
            let place = usize::try_from(position).ok().filter(|p| *p < SIZE * 8);
            let Some(place) = place else {
                return fail(
                    Error::new(spark::ErrorKind::ArrayIndex, "INVALID_BITMAP_POSITION")
                        .param("bitPosition", position.to_string())
                        .param("bitmapNumBytes", SIZE.to_string())
                        .param("bitmapNumBits", (SIZE * 8).to_string())
                        .with_message(format!("A bitmap has no bit {position}.")),
                );
            };
            self.0[place / 8] |= 1 << (place % 8);
        }
        Ok(())
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        self.0.iter_mut().zip(bytes).for_each(|(mine, theirs)| *mine |= theirs);
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.0.clone()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity()
    }
}

/// All bitmaps as one; bytes a bitmap does not have are zero.
#[derive(Debug)]
struct Bitmaps {
    bits: Vec<u8>,
    operation: fn(u8, u8) -> u8,
}

impl Fold for Bitmaps {
    fn add(&mut self, columns: &[ArrayRef]) -> DfResult<()> {
        columns[0].as_binary::<i32>().iter().flatten().try_for_each(|bitmap| self.merge(bitmap))
    }

    fn merge(&mut self, bytes: &[u8]) -> DfResult<()> {
        for (i, byte) in self.bits.iter_mut().enumerate() {
            *byte = (self.operation)(*byte, bytes.get(i).copied().unwrap_or(0));
        }
        Ok(())
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.bits.clone()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bits.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int64Array};

    use super::*;
    use crate::families::aggregate::folding::tests::agrees_in_parts;

    #[test]
    fn parts_make_the_bitmap_of_the_whole() {
        let positions = |at: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(at.to_vec())) };
        agrees_in_parts(|| Positions(vec![0; SIZE]), [&[positions(&[1, 9])], &[positions(&[9, 32_767])]]);
        let bitmaps = |all: Vec<&[u8]>| -> ArrayRef { Arc::new(BinaryArray::from(all)) };
        let both = || Bitmaps { bits: vec![0xff; SIZE], operation: |a, b| a & b };
        agrees_in_parts(both, [&[bitmaps(vec![&[7, 3], &[5]])], &[bitmaps(vec![&[4]])]]);
        assert!(Positions(vec![0; SIZE]).add(&[positions(&[32_768])]).is_err());
    }
}
