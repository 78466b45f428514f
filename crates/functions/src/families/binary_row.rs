//! Rows as the bytes that Spark keeps them in; what it hashes when it deals rows out.
//!
//! A row is a bitmap of nulls, one word of eight bytes for each field, and behind them what does not
//! fit into a word: the word then holds offset and length.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType as Arrow, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time64NanosecondType, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_err};

use super::hash::big_integer_bytes;
use crate::types::calendar_interval_fields;

const WORD: usize = 8;

/// Appends row `row` of `columns` to `out`.
///
/// # Errors
/// If a type is none of the canonical ones.
pub fn write(columns: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let bitmap = columns.len().div_ceil(64) * WORD;
    out.resize(start + bitmap + columns.len() * WORD, 0);
    for (i, column) in columns.iter().enumerate() {
        let at = start + bitmap + i * WORD;
        if is_null(column, row) {
            set_bit(out, start, i);
            if wide_decimal(column.data_type()) {
                put_tail(out, start, at, 0, &[0; 2 * WORD]);
            }
            continue;
        }
        match fixed(column, row)? {
            Some(word) => out[at..at + WORD].copy_from_slice(&word),
            None => {
                let mut tail = Vec::new();
                let length = variable(column, row, &mut tail)?;
                put_tail(out, start, at, length, &tail);
            }
        }
    }
    Ok(())
}

fn is_null(column: &ArrayRef, row: usize) -> bool {
    matches!(column.data_type(), Arrow::Null) || column.is_null(row)
}

fn set_bit(out: &mut [u8], start: usize, i: usize) {
    out[start + i / 8] |= 1 << (i % 8);
}

fn wide_decimal(ty: &Arrow) -> bool {
    matches!(ty, Arrow::Decimal128(precision, _) if *precision > 18)
}

/// Appends `tail`, filled up to whole words, and its place into the word at `at`.
fn put_tail(out: &mut Vec<u8>, start: usize, at: usize, length: usize, tail: &[u8]) {
    let place = ((out.len() - start) as u64) << 32 | length as u64;
    out[at..at + WORD].copy_from_slice(&place.to_le_bytes());
    out.extend_from_slice(tail);
    out.resize(start + (out.len() - start).next_multiple_of(WORD), 0);
}

/// The word of a value that fits into one; numbers shorter than it are not extended by their sign.
fn fixed(column: &ArrayRef, row: usize) -> Result<Option<[u8; WORD]>> {
    let word = match column.data_type() {
        Arrow::Boolean => u64::from(column.as_boolean().value(row)),
        Arrow::Int8 => u64::from(column.as_primitive::<Int8Type>().value(row).cast_unsigned()),
        Arrow::Int16 => u64::from(column.as_primitive::<Int16Type>().value(row).cast_unsigned()),
        Arrow::Int32 => u64::from(column.as_primitive::<Int32Type>().value(row).cast_unsigned()),
        Arrow::Date32 => u64::from(column.as_primitive::<Date32Type>().value(row).cast_unsigned()),
        Arrow::Interval(_) => u64::from(column.as_primitive::<IntervalYearMonthType>().value(row).cast_unsigned()),
        Arrow::Int64 => column.as_primitive::<Int64Type>().value(row).cast_unsigned(),
        Arrow::Float32 => u64::from(column.as_primitive::<Float32Type>().value(row).to_bits()),
        Arrow::Float64 => column.as_primitive::<Float64Type>().value(row).to_bits(),
        Arrow::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).cast_unsigned(),
        Arrow::Time64(_) => column.as_primitive::<Time64NanosecondType>().value(row).cast_unsigned(),
        Arrow::Duration(_) => column.as_primitive::<DurationMicrosecondType>().value(row).cast_unsigned(),
        Arrow::Decimal128(..) if !wide_decimal(column.data_type()) => {
            (column.as_primitive::<Decimal128Type>().value(row) as i64).cast_unsigned()
        }
        _ => return Ok(None),
    };
    Ok(Some(word.to_le_bytes()))
}

/// Appends a value that does not fit into a word; its length.
fn variable(column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<usize> {
    let start = out.len();
    match column.data_type() {
        Arrow::Utf8 => out.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        Arrow::Utf8View => out.extend_from_slice(column.as_string_view().value(row).as_bytes()),
        Arrow::Binary => out.extend_from_slice(column.as_binary::<i32>().value(row)),
        Arrow::Decimal128(..) => {
            let bytes = big_integer_bytes(column.as_primitive::<Decimal128Type>().value(row));
            let length = bytes.len();
            out.extend(bytes);
            out.resize(start + 2 * WORD, 0);
            return Ok(length);
        }
        Arrow::Struct(fields) if *fields == calendar_interval_fields() => interval(column, row, out),
        Arrow::Struct(_) => write(column.as_struct().columns(), row, out)?,
        Arrow::List(_) => {
            let list = column.as_list::<i32>();
            let offsets = list.value_offsets();
            array(list.values(), offsets[row] as usize, offsets[row + 1] as usize, out)?;
        }
        Arrow::Map(..) => map(column, row, out)?,
        other => return internal_err!("no binary row with a field of {other}"),
    }
    Ok(out.len() - start)
}

fn interval(column: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    for part in column.as_struct().columns() {
        match part.data_type() {
            Arrow::Int32 => out.extend(part.as_primitive::<Int32Type>().value(row).to_le_bytes()),
            _ => out.extend(part.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        }
    }
}

/// An array: its length, a bitmap of nulls, the elements in their own width.
fn array(values: &ArrayRef, from: usize, to: usize, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let width = element_width(values.data_type());
    let header = WORD + (to - from).div_ceil(64) * WORD;
    out.resize(start + header + ((to - from) * width).next_multiple_of(WORD), 0);
    out[start..start + WORD].copy_from_slice(&((to - from) as u64).to_le_bytes());
    for (i, row) in (from..to).enumerate() {
        let at = start + header + i * width;
        if is_null(values, row) {
            set_bit(out, start + WORD, i);
            continue;
        }
        match fixed(values, row)? {
            Some(word) => out[at..at + width].copy_from_slice(&word[..width]),
            None => {
                let mut tail = Vec::new();
                let length = variable(values, row, &mut tail)?;
                put_tail(out, start, at, length, &tail);
            }
        }
    }
    Ok(())
}

/// A map: the size of its keys, its keys, its values.
fn map(column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    let map = column.as_map();
    let offsets = map.value_offsets();
    let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
    let start = out.len();
    out.resize(start + WORD, 0);
    array(map.keys(), from, to, out)?;
    let size = (out.len() - start - WORD) as u64;
    out[start..start + WORD].copy_from_slice(&size.to_le_bytes());
    array(map.values(), from, to, out)
}

fn element_width(ty: &Arrow) -> usize {
    match ty {
        Arrow::Boolean | Arrow::Int8 => 1,
        Arrow::Int16 => 2,
        Arrow::Int32 | Arrow::Date32 | Arrow::Float32 | Arrow::Interval(_) => 4,
        _ => WORD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array, StringArray};
    use std::sync::Arc;

    #[test]
    fn rows_are_laid_out_in_words() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![7])),
            Arc::new(StringArray::from(vec!["abc"])),
            Arc::new(Int32Array::from(vec![None])),
        ];
        let mut bytes = Vec::new();
        write(&columns, 0, &mut bytes).expect("a row");
        let words: Vec<u64> = bytes.chunks(8).map(|w| u64::from_le_bytes(w.try_into().expect("whole words"))).collect();
        assert_eq!(words, [0b100, 7, 32 << 32 | 3, 0, u64::from(b'a') | u64::from(b'b') << 8 | u64::from(b'c') << 16]);
    }
}
