//! Bitmap aggregates: `bitmap_construct_agg`, `bitmap_or_agg`, `bitmap_and_agg`.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use datafusion::common::Result as DfResult;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::aggregate::collect::{Collect, Finished};
use crate::families::aggregate::finish;
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
        accumulator: |a| Collect::boxed(a, finish_construct),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "bitmap_or_agg",
        accumulator: |a| Collect::boxed(a, |c, _| Ok(fold(c, 0, |a, b| a | b))),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "bitmap_and_agg",
        accumulator: |a| Collect::boxed(a, |c, _| Ok(fold(c, 0xff, |a, b| a & b))),
        state: Collect::state_types,
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

fn finish_construct(columns: &[ArrayRef], _: &Finished) -> DfResult<ScalarValue> {
    let mut bits = vec![0_u8; SIZE];
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
        bits[place / 8] |= 1 << (place % 8);
    }
    Ok(ScalarValue::Binary(Some(bits)))
}

/// All bitmaps as one; bytes a bitmap does not have are zero.
fn fold(columns: &[ArrayRef], start: u8, operation: fn(u8, u8) -> u8) -> ScalarValue {
    let mut bits = vec![start; SIZE];
    for bitmap in columns[0].as_binary::<i32>().iter().flatten() {
        for (i, byte) in bits.iter_mut().enumerate() {
            *byte = operation(*byte, bitmap.get(i).copied().unwrap_or(0));
        }
    }
    ScalarValue::Binary(Some(bits))
}
