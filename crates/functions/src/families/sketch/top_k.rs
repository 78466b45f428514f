//! `approx_top_k` and its kin: frequent items in the form of DataSketches' items sketch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, StringArray, StructArray, new_null_array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType as Arrow, Fields, Int32Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::murmur::finalize;
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce::Expected;
use crate::families::aggregate::collect::{Collect, Finished, one_list};
use crate::families::aggregate::kernel as aggregate;
use crate::families::lists::Column;
use crate::families::rows::{finish, row_count};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::values;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "approx_top_k", build: Build::Aggregate(top_k) },
    Function { name: "approx_top_k_accumulate", build: Build::Aggregate(accumulate) },
    Function { name: "approx_top_k_combine", build: Build::Aggregate(combine) },
    Function { name: "approx_top_k_estimate", build: Build::Scalar(estimate) },
];

/// Scalar kernels.
pub const KERNELS: &[Kernel] = &[Kernel::new("approx_top_k_estimate", eval_estimate)];

/// Aggregate kernels.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "approx_top_k",
        accumulator: |a| Collect::boxed(a, finish_top_k),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "approx_top_k_accumulate",
        accumulator: |a| Collect::boxed(a, finish_accumulate),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "approx_top_k_combine",
        accumulator: |a| Collect::boxed(a, finish_combine),
        state: Collect::state_types,
        groups: None,
    },
];

const DEFAULT_TRACKED: i32 = 10_000;

/// A positive integer constant in place `i`, added with its default if missing.
fn positive(call: &mut Call, i: usize, name: &str, default: i32) -> Result<i64> {
    while call.args.len() <= i {
        call.args.push(Typed::new(
            datafusion::logical_expr::lit(default),
            DataType::Integer,
            false,
            default.to_string(),
        ));
    }
    if !matches!(call.args[i].ty, DataType::Integer | DataType::Null) {
        call.expect(i, Expected::Type(DataType::Integer))?;
    }
    let problem = |condition: &str| Error::runtime(condition).param("argName", format!("`{name}`"));
    match fold::integer(&call.args[i]) {
        None => Err(problem("APPROX_TOP_K_NULL_ARG").nowhere()),
        Some(v) if v <= 0 => Err(problem("APPROX_TOP_K_NON_POSITIVE_ARG").param("argValue", v.to_string()).nowhere()),
        Some(v) if name == "maxItemsTracked" && v > 1_000_000 => {
            Err(Error::runtime("APPROX_TOP_K_MAX_ITEMS_TRACKED_EXCEEDS_LIMIT")
                .param("maxItemsTracked", v.to_string())
                .param("limit", "1000000")
                .at(call.origin.as_ref()))
        }
        Some(v) => Ok(v),
    }
}

fn result_type(item: &DataType) -> DataType {
    let fields = vec![StructField::new("item", item.clone(), true), StructField::new("count", DataType::Long, false)];
    DataType::array(DataType::Struct(StructType::new(fields)), false)
}

fn state_type(item: &DataType) -> DataType {
    DataType::Struct(StructType::new(vec![
        StructField::new("sketch", DataType::Binary, false),
        StructField::new("maxItemsTracked", DataType::Integer, false),
        StructField::new("itemDataType", item.clone(), true),
        StructField::new("itemDataTypeDDL", DataType::STRING, false),
    ]))
}

fn check_item(call: &Call) -> Result<()> {
    let ok =
        matches!(&call.args[0].ty, t if t.is_numeric() || t.is_string() || t.is_datetime() || *t == DataType::Boolean);
    if ok {
        Ok(())
    } else {
        Err(call
            .mismatch("TYPE_CHECK_FAILURE_WITH_HINT")
            .param("msg", format!("{} columns are not supported", call.args[0].ty.simple_string()))
            .param("hint", ""))
    }
}

fn top_k(mut call: Call) -> Result<Typed> {
    call.arity(1..=3)?;
    check_item(&call)?;
    let k = positive(&mut call, 1, "k", 5)?;
    let tracked = positive(&mut call, 2, "maxItemsTracked", DEFAULT_TRACKED)?;
    if tracked < k {
        return Err(Error::runtime("APPROX_TOP_K_MAX_ITEMS_TRACKED_LESS_THAN_K")
            .param("maxItemsTracked", tracked.to_string())
            .param("k", k.to_string())
            .nowhere());
    }
    let name = call.display_name();
    let ty = result_type(&call.args[0].ty);
    let args = vec![call.args[0].expr.clone()];
    let expr = aggregate(&call, &AGGREGATE_KERNELS[0], call.options().with_extra(k.to_string()), args, &ty);
    Ok(Typed::new(expr, ty, false, name))
}

fn accumulate(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    check_item(&call)?;
    let tracked = positive(&mut call, 1, "maxItemsTracked", DEFAULT_TRACKED)?;
    let name = call.display_name();
    let item = call.args[0].ty.clone();
    let extra = serde_json::to_string(&(tracked, format!("item {} NOT NULL", item.sql())))
        .map_err(|e| Error::internal(e.to_string()))?;
    let ty = state_type(&item);
    let args = vec![call.args[0].expr.clone()];
    let expr = aggregate(&call, &AGGREGATE_KERNELS[1], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, false, name))
}

/// The item's type in a state struct.
fn item_of_state(call: &Call) -> Result<DataType> {
    match &call.args[0].ty {
        DataType::Struct(s) if s.fields.len() == 4 && s.fields[0].data_type == DataType::Binary => {
            Ok(s.fields[2].data_type.clone())
        }
        _ => Err(call.unexpected_type(0, "\"STRUCT\"")),
    }
}

fn combine(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let item = item_of_state(&call)?;
    let given = call.args.len() == 2;
    let tracked = if given { Some(positive(&mut call, 1, "maxItemsTracked", DEFAULT_TRACKED)?) } else { None };
    let name = if given { call.display_name() } else { format!("{}({}, -1)", call.name, call.args[0].name) };
    let extra = serde_json::to_string(&(tracked, format!("item {} NOT NULL", item.sql())))
        .map_err(|e| Error::internal(e.to_string()))?;
    let ty = state_type(&item);
    let args = vec![call.args[0].expr.clone()];
    let expr = aggregate(&call, &AGGREGATE_KERNELS[2], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, false, name))
}

fn estimate(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    let item = item_of_state(&call)?;
    let k = positive(&mut call, 1, "k", 5)?;
    let name = call.display_name();
    call.args.truncate(1);
    let nullable = call.args[0].nullable;
    let options = call.options().with_extra(k.to_string());
    Ok(call.kernel_with(&KERNELS[0], options, result_type(&item), nullable).named(name))
}

/// Items with their counts, and how many nulls there were.
struct Counts {
    items: ArrayRef,
    counts: Vec<i64>,
    nulls: i64,
}

/// Counts each distinct value, in order of appearance; `weights` if a row stands for several.
fn count(array: &ArrayRef, weights: Option<&[i64]>) -> DfResult<Counts> {
    let rows = values::rows(std::slice::from_ref(array))?;
    let mut places: HashMap<_, usize> = HashMap::new();
    let (mut picks, mut counts, mut nulls) = (Vec::new(), Vec::new(), 0);
    for i in 0..array.len() {
        let weight = weights.map_or(1, |w| w[i]);
        if array.is_null(i) {
            nulls += weight;
            continue;
        }
        let place = *places.entry(rows.row(i)).or_insert_with(|| {
            picks.push(i as u32);
            counts.push(0);
            counts.len() - 1
        });
        counts[place] += weight;
    }
    Ok(Counts { items: take(array, &arrow::array::UInt32Array::from(picks), None)?, counts, nulls })
}

/// Java's hash code of an item.
fn hash_code(items: &ArrayRef, i: usize) -> DfResult<i32> {
    Ok(match items.data_type() {
        Arrow::Utf8 => items
            .as_string::<i32>()
            .value(i)
            .encode_utf16()
            .fold(0_i32, |h, c| h.wrapping_mul(31).wrapping_add(i32::from(c))),
        Arrow::Boolean => {
            if items.as_boolean().value(i) {
                1231
            } else {
                1237
            }
        }
        Arrow::Int64 | Arrow::Timestamp(..) => {
            let v = crate::families::datetime::numbers(items)?.value(i);
            (v ^ (v as u64 >> 32) as i64) as i32
        }
        Arrow::Float64 => {
            let bits = items.as_primitive::<arrow::datatypes::Float64Type>().value(i).to_bits();
            (bits ^ (bits >> 32)) as i32
        }
        Arrow::Float32 => items.as_primitive::<arrow::datatypes::Float32Type>().value(i).to_bits() as i32,
        Arrow::Decimal128(..) => items.as_primitive::<arrow::datatypes::Decimal128Type>().value(i) as i32,
        _ => crate::families::datetime::numbers(items)?.value(i) as i32,
    })
}

/// The sketch's hash table: items in the slots where DataSketches puts them.
fn table(items: &ArrayRef) -> DfResult<Vec<Option<usize>>> {
    let hashes = (0..items.len())
        .map(|i| hash_code(items, i).map(|h| finalize(i64::from(h) as u64) as usize))
        .collect::<DfResult<Vec<_>>>()?;
    let mut table: Vec<Option<usize>> = vec![None; 8];
    let put = |table: &mut Vec<Option<usize>>, item: usize| {
        let mask = table.len() - 1;
        let mut probe = hashes[item] & mask;
        while table[probe].is_some() {
            probe = (probe + 1) & mask;
        }
        table[probe] = Some(item);
    };
    for item in 0..items.len() {
        put(&mut table, item);
        if (item + 1) * 4 > table.len() * 3 {
            let mut larger = vec![None; table.len() * 2];
            for old in table.iter().flatten() {
                put(&mut larger, *old);
            }
            table = larger;
        }
    }
    Ok(table)
}

/// The most frequent items first; of equally frequent ones as the table is walked.
fn ranked(counts: &Counts) -> DfResult<Vec<usize>> {
    let table = table(&counts.items)?;
    let stride = (table.len() as f64 * 0.618_033_988_749_894_9) as usize | 1;
    let walk = (0..table.len()).filter_map(|step| table[(step * stride) & (table.len() - 1)]);
    let mut order: Vec<usize> = walk.collect();
    order.sort_by_key(|i| std::cmp::Reverse(counts.counts[*i]));
    Ok(order)
}

/// The first `k` items as a list of `struct<item, count>`; nulls count as an item.
fn top(counts: &Counts, k: usize, ty: &Arrow) -> DfResult<ArrayRef> {
    let Arrow::List(field) = ty else { return internal_err!("the top items are a list") };
    let Arrow::Struct(fields) = field.data_type() else { return internal_err!("the top items are structs") };
    let mut rows: Vec<(Option<u32>, i64)> =
        ranked(counts)?.into_iter().map(|i| (Some(i as u32), counts.counts[i])).collect();
    if counts.nulls > 0 {
        let at = rows.partition_point(|r| r.1 >= counts.nulls);
        rows.insert(at, (None, counts.nulls));
    }
    rows.truncate(k);
    let picks: arrow::array::UInt32Array = rows.iter().map(|r| r.0).collect();
    let columns: Vec<ArrayRef> =
        vec![take(&counts.items, &picks, None)?, Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1)))];
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, None)?))
}

fn finish_top_k(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let k: usize = context.parameters()?;
    let counts = count(&columns[0], None)?;
    Ok(one_list(top(&counts, k, &context.return_type)?))
}

/// The sketch's bytes: header, counts, items, and the number of nulls behind.
fn to_bytes(counts: &Counts, tracked: i64) -> DfResult<Vec<u8>> {
    let table = table(&counts.items)?;
    let lg_max = ((tracked as f64 / 0.75).ceil() as u64).next_power_of_two().trailing_zeros().max(3) as u8;
    let mut out = Vec::new();
    // Walked from the end, as the sketch lists its active items.
    let order: Vec<usize> = table.iter().flatten().copied().collect();
    if order.is_empty() {
        out.extend([1, 1, 10, lg_max, 3, 4, 0, 0]);
    } else {
        out.extend([4, 1, 10, lg_max, table.len().trailing_zeros() as u8, 0, 0, 0]);
        out.extend((order.len() as u64).to_le_bytes());
        out.extend(counts.counts.iter().sum::<i64>().to_le_bytes());
        out.extend(0_i64.to_le_bytes());
        order.iter().for_each(|i| out.extend(counts.counts[*i].to_le_bytes()));
        order.iter().try_for_each(|i| write_item(&counts.items, *i, &mut out))?;
    }
    out.extend(counts.nulls.to_le_bytes());
    Ok(out)
}

fn write_item(items: &ArrayRef, i: usize, out: &mut Vec<u8>) -> DfResult<()> {
    match items.data_type() {
        Arrow::Int32 | Arrow::Date32 => {
            out.push(9);
            out.extend((crate::families::datetime::numbers(items)?.value(i) as i32).to_le_bytes());
        }
        Arrow::Int64 | Arrow::Timestamp(..) => {
            out.extend(crate::families::datetime::numbers(items)?.value(i).to_le_bytes())
        }
        _ => {
            let text = cast(&items.slice(i, 1), &Arrow::Utf8)?;
            let text = text.as_string::<i32>().value(0).as_bytes();
            out.extend((text.len() as i32).to_le_bytes());
            out.extend(text);
        }
    }
    Ok(())
}

/// Reads what [`to_bytes`] writes.
fn from_bytes(bytes: &[u8], ty: &Arrow) -> DfResult<Counts> {
    let bad = || datafusion::common::DataFusionError::Execution("the bytes are no sketch of frequent items".into());
    let word =
        |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(i64::from_le_bytes).ok_or_else(bad);
    let nulls = word(bytes.len().checked_sub(8).ok_or_else(bad)?)?;
    if bytes.get(5).ok_or_else(bad)? & 4 != 0 {
        return Ok(Counts { items: new_null_array(ty, 0), counts: Vec::new(), nulls });
    }
    let n = word(8)? as usize;
    let counts = (0..n).map(|i| word(32 + 8 * i)).collect::<DfResult<Vec<_>>>()?;
    let mut at = 32 + 8 * n;
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let int =
            |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_le_bytes).ok_or_else(bad);
        match ty {
            Arrow::Int32 | Arrow::Date32 => {
                numbers.push(Some(i64::from(int(at + 1)?)));
                at += 5;
            }
            Arrow::Int64 | Arrow::Timestamp(..) => {
                numbers.push(Some(word(at)?));
                at += 8;
            }
            _ => {
                let length = usize::try_from(int(at)?).map_err(|_| bad())?;
                let text = bytes.get(at + 4..at + 4 + length).ok_or_else(bad)?;
                texts.push(String::from_utf8_lossy(text).into_owned());
                at += 4 + length;
            }
        }
    }
    let items = if texts.is_empty() {
        crate::families::datetime::typed(numbers, ty)?
    } else {
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        cast(&texts, ty)?
    };
    Ok(Counts { items, counts, nulls })
}

fn state_fields(ty: &Arrow) -> DfResult<Fields> {
    match ty {
        Arrow::Struct(fields) if fields.len() == 4 => Ok(fields.clone()),
        other => internal_err!("a state of frequent items is a struct, not {other}"),
    }
}

fn state(counts: &Counts, tracked: i64, ddl: &str, ty: &Arrow) -> DfResult<ScalarValue> {
    let fields = state_fields(ty)?;
    let bytes = to_bytes(counts, tracked)?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(BinaryArray::from_vec(vec![&bytes])),
        Arc::new(Int32Array::from(vec![tracked as i32])),
        new_null_array(fields[2].data_type(), 1),
        Arc::new(StringArray::from(vec![ddl])),
    ];
    Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields, columns, None)?)))
}

fn finish_accumulate(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let (tracked, ddl): (i64, String) = context.parameters()?;
    state(&count(&columns[0], None)?, tracked, &ddl, &context.return_type)
}

fn finish_combine(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let (tracked, ddl): (Option<i64>, String) = context.parameters()?;
    let states = columns[0].as_struct();
    let item = state_fields(&context.return_type)?[2].data_type().clone();
    let sizes = states.column(1).as_primitive::<Int32Type>();
    let (mut parts, mut weights, mut nulls) = (Vec::new(), Vec::new(), 0);
    let mut size: Option<i32> = None;
    for row in (0..states.len()).filter(|i| states.is_valid(*i)) {
        if let (None, Some(before)) = (tracked, size)
            && before != sizes.value(row)
        {
            return crate::error::fail(
                Error::runtime("APPROX_TOP_K_SKETCH_SIZE_NOT_MATCH")
                    .param("size1", before.to_string())
                    .param("size2", sizes.value(row).to_string())
                    .with_message("The sketches track different numbers of items."),
            );
        }
        size = Some(sizes.value(row));
        let counts = from_bytes(states.column(0).as_binary::<i32>().value(row), &item)?;
        nulls += counts.nulls;
        weights.extend(counts.counts);
        parts.push(counts.items);
    }
    let refs: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let items = if refs.is_empty() { new_null_array(&item, 0) } else { concat(&refs)? };
    let mut all = count(&items, Some(&weights))?;
    all.nulls += nulls;
    let tracked = tracked.or(size.map(i64::from)).unwrap_or(i64::from(DEFAULT_TRACKED));
    state(&all, tracked, &ddl, &context.return_type)
}

fn eval_estimate(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let column = Column::of(args, 0)?;
    let states = column.array.as_struct();
    let item = state_fields(column.array.data_type())?[2].data_type().clone();
    let k: usize = args.extra().parse().unwrap_or(5);
    let (mut parts, mut offsets, mut valid) = (Vec::new(), vec![0_i32], Vec::new());
    for row in 0..row_count(args) {
        let at = column.at(row);
        valid.push(states.is_valid(at));
        let mut length = 0;
        if states.is_valid(at) {
            let counts = from_bytes(states.column(0).as_binary::<i32>().value(at), &item)?;
            let rows = top(&counts, k, args.return_type())?;
            length = rows.len() as i32;
            parts.push(rows);
        }
        offsets.push(offsets.last().copied().unwrap_or(0) + length);
    }
    let refs: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let Arrow::List(field) = args.return_type() else { return internal_err!("the top items are a list") };
    let values = if refs.is_empty() { new_null_array(field.data_type(), 0) } else { concat(&refs)? };
    finish(args, crate::families::lists::list_array(values, offsets, valid)?)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn ranks_as_recorded() {
        let array: ArrayRef = Arc::new(Int32Array::from(vec![0, 0, 1, 1, 2, 3, 4, 4]));
        let counts = count(&array, None).unwrap();
        let items = counts.items.as_primitive::<Int32Type>();
        let order: Vec<i32> = ranked(&counts).unwrap().into_iter().map(|i| items.value(i)).collect();
        assert_eq!(order, [0, 4, 1, 2, 3]);
        let back = from_bytes(&to_bytes(&counts, 10_000).unwrap(), &Arrow::Int32).unwrap();
        assert_eq!(back.counts.iter().sum::<i64>(), 8);
        assert_eq!(back.items.as_primitive::<Int32Type>().len(), 5);
        let long: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
        let bytes = to_bytes(&count(&long, None).unwrap(), 10).unwrap();
        let expect = "04010A040300000002000000000000000300000000000000000000000000000002000000000000000100000000000000010000000000000002000000000000000000000000000000";
        assert_eq!(hex::encode_upper(bytes), expect);
        assert_eq!(long.as_primitive::<Int64Type>().len(), 3);
    }
}
