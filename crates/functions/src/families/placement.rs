//! Which partition a row goes to, as Spark decides it.
//!
//! A bucket is computed by one of the kernels here: from a hash of the row's keys, from its place among
//! the keys of all rows, or by dealing out in turn. The engines below place rows by a hash of their own;
//! [`slot_expr`]'s kernel turns a bucket into a value that this hash sends to the partition wanted.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListArray, ListBuilder};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType as Arrow, Field, Int32Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::hash_utils::create_hashes;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{Accumulator, ColumnarValue, Expr, ScalarUDF};
use datafusion::physical_plan::repartition::REPARTITION_RANDOM_STATE;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;
use std::collections::HashMap;

use super::binary_row;
use super::hash::{murmur3, murmur3_words};
use super::random::XorShift;
use crate::aggregate::{AggregateKernel, KernelUdaf};
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::types::list_field;

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[HASHED, IN_TURN, SORT_KEY, RANGED, SLOT, ROW_HASH];

/// Aggregates of this file.
pub const AGGREGATE_KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "range_bounds",
    accumulator: |args| Ok(Box::new(Bounds::new(number(args.options.extra.as_deref().unwrap_or_default())?))),
    state: |_| vec![Arrow::List(list_field(Arrow::Binary)), Arrow::Int64],
    groups: None,
}];

const HASHED: Kernel = Kernel::new("hash_bucket", hashed);
const IN_TURN: Kernel = Kernel::new("turn_bucket", in_turn);
const SORT_KEY: Kernel = Kernel::new("sort_key", sort_key);
const RANGED: Kernel = Kernel::new("range_bucket", ranged);
const SLOT: Kernel = Kernel::new("shuffle_slot", slot);
const ROW_HASH: Kernel = Kernel::new("row_hash", row_hash);

/// Keys sampled for each bucket of a range, in each partition.
const SAMPLED_PER_BUCKET: usize = 300;

/// The bucket of a row by the hash of `keys`.
pub fn hash_bucket(keys: Vec<Expr>, buckets: usize) -> Expr {
    KernelUdf::call(&KERNELS[0], Arrow::Int32, options(buckets), keys)
}

/// The keys of a row as bytes that compare as the keys do; for each key whether it ascends and whether
/// nulls come first.
pub fn sort_key_expr(keys: Vec<Expr>, order: &[(bool, bool)]) -> Expr {
    let flag = |b: bool| if b { '1' } else { '0' };
    let extra: String = order.iter().flat_map(|(ascending, first)| [flag(*ascending), flag(*first)]).collect();
    KernelUdf::call(&KERNELS[2], Arrow::Binary, Options::ansi(true).with_extra(extra), keys)
}

/// The upper bounds of all ranges but the last, from the sort keys of all rows.
pub fn range_bounds(key: Expr, buckets: usize) -> Expr {
    let ty = Arrow::List(list_field(Arrow::Binary));
    KernelUdaf::call(&AGGREGATE_KERNELS[0], ty, options(buckets), vec![key], false, None, Vec::new())
}

/// The bucket of a row by its sort key and the bounds.
pub fn range_bucket(key: Expr, bounds: Expr) -> Expr {
    KernelUdf::call(&KERNELS[3], Arrow::Int32, Options::ansi(true), vec![key, bounds])
}

/// A function of partition and row that deals rows out in turn.
pub fn turn_udf(buckets: usize) -> ScalarUDF {
    ScalarUDF::new_from_impl(KernelUdf::new(&KERNELS[1], Arrow::Int32, options(buckets)))
}

/// A function of all columns by which Spark sorts rows before it deals them out, so that a task that
/// is repeated deals them out the same way.
pub fn row_hash_udf() -> ScalarUDF {
    ScalarUDF::new_from_impl(KernelUdf::new(&KERNELS[5], Arrow::Int32, Options::ansi(true)))
}

/// A function of the bucket whose value DataFusion's hash partitioning sends to the bucket's partition:
/// neighbouring buckets share one where there are fewer partitions.
pub fn slot_udf(buckets: usize, partitions: usize) -> ScalarUDF {
    let options = Options::ansi(true).with_extra(format!("{buckets},{partitions}"));
    ScalarUDF::new_from_impl(KernelUdf::new(&KERNELS[4], Arrow::Int64, options))
}

fn options(buckets: usize) -> Options {
    Options::ansi(true).with_extra(buckets.to_string())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| exec_datafusion_err!("{text} is no number of buckets"))
}

fn hashed(args: &KernelArgs) -> Result<ColumnarValue> {
    let buckets: i32 = number(args.extra())?;
    let hashes = murmur3(&args.arrays()?, args.rows)?;
    let out: Int32Array = hashes.into_iter().map(|h| Some(h.rem_euclid(buckets.max(1)))).collect();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

/// Spark starts each partition's turns at a place drawn by the partition's number.
fn in_turn(args: &KernelArgs) -> Result<ColumnarValue> {
    let buckets: i64 = number(args.extra())?;
    let (partitions, rows) = (args.array(0)?, args.array(1)?);
    let (partitions, rows) = (partitions.as_primitive::<Int32Type>(), rows.as_primitive::<Int64Type>());
    let mut start = (-1, 0);
    let out: Int32Array = partitions
        .values()
        .iter()
        .zip(rows.values())
        .map(|(partition, row)| {
            if start.0 != *partition {
                start = (*partition, i64::from(XorShift::new(i64::from(*partition)).next_below(buckets as i32)));
            }
            ((start.1 + row + 1) % buckets.max(1)) as i32
        })
        .collect::<Vec<i32>>()
        .into();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

fn row_hash(args: &KernelArgs) -> Result<ColumnarValue> {
    let columns = args.arrays()?;
    let mut bytes = Vec::new();
    let mut out = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        bytes.clear();
        binary_row::write(&columns, row, &mut bytes)?;
        out.push(murmur3_words(&bytes));
    }
    Ok(ColumnarValue::Array(Arc::new(Int32Array::from(out))))
}

fn sort_key(args: &KernelArgs) -> Result<ColumnarValue> {
    let columns = args.arrays()?;
    let flags: Vec<bool> = args.extra().chars().map(|c| c == '1').collect();
    let fields = columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let flag = |at: usize| flags.get(2 * i + at).copied().unwrap_or(true);
            let options = SortOptions { descending: !flag(0), nulls_first: flag(1) };
            SortField::new_with_options(c.data_type().clone(), options)
        })
        .collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let keys: BinaryArray = rows.iter().map(|r| Some(r.data().to_vec())).collect();
    Ok(ColumnarValue::Array(Arc::new(keys)))
}

fn ranged(args: &KernelArgs) -> Result<ColumnarValue> {
    let keys = args.array(0)?;
    let keys = keys.as_binary::<i32>();
    let bounds = args.array(1)?;
    let Some(bounds) = bounds.as_list_opt::<i32>() else { return internal_err!("the bounds of ranges are a list") };
    let all = if bounds.is_empty() || bounds.is_null(0) { None } else { Some(bounds.value(0)) };
    let limits: Vec<&[u8]> = match &all {
        Some(all) => all.as_binary::<i32>().iter().flatten().collect(),
        None => Vec::new(),
    };
    // A key that equals a bound is in the range below it.
    let out: Int32Array =
        (0..keys.len()).map(|i| Some(limits.partition_point(|b| *b < keys.value(i)) as i32)).collect();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

fn slot(args: &KernelArgs) -> Result<ColumnarValue> {
    let Some((buckets, partitions)) = args.extra().split_once(',') else {
        return internal_err!("a slot is of buckets and partitions");
    };
    let (buckets, partitions): (u64, u64) = (number(buckets)?, number(partitions)?);
    let table = table(partitions.max(1))?;
    let column = args.array(0)?;
    let values = column.as_primitive::<Int32Type>();
    let out: Int64Array = values
        .iter()
        .map(|bucket| {
            let bucket = u64::try_from(bucket.unwrap_or(0)).unwrap_or(0).min(buckets.saturating_sub(1));
            Some(table[(bucket * partitions / buckets.max(1)) as usize])
        })
        .collect();
    Ok(ColumnarValue::Array(Arc::new(out)))
}

/// For each partition a number that DataFusion's hash partitioning sends to it.
fn table(partitions: u64) -> Result<Arc<Vec<i64>>> {
    type Tables = Mutex<HashMap<u64, Arc<Vec<i64>>>>;
    static TABLES: LazyLock<Tables> = LazyLock::new(Mutex::default);
    if let Some(table) = TABLES.lock().get(&partitions) {
        return Ok(Arc::clone(table));
    }
    let mut found: Vec<Option<i64>> = vec![None; partitions as usize];
    let mut missing = found.len();
    let mut from = 0i64;
    const BLOCK: i64 = 4096;
    while missing > 0 {
        let numbers = Int64Array::from_iter_values(from..from + BLOCK);
        let mut hashes = vec![0u64; BLOCK as usize];
        create_hashes([&numbers as &dyn Array], REPARTITION_RANDOM_STATE.random_state(), &mut hashes)?;
        for (number, hash) in numbers.values().iter().zip(&hashes) {
            let slot = &mut found[(hash % partitions) as usize];
            if slot.is_none() {
                *slot = Some(*number);
                missing -= 1;
            }
        }
        from += BLOCK;
    }
    let table: Arc<Vec<i64>> = Arc::new(found.into_iter().flatten().collect());
    TABLES.lock().insert(partitions, Arc::clone(&table));
    Ok(table)
}

/// Samples keys and draws bounds that cut them into ranges of about equal size.
#[derive(Debug)]
struct Bounds {
    buckets: usize,
    sample: Sample,
    /// Samples of other partitions, with the number of keys that each of their keys stands for.
    others: Vec<(Vec<u8>, f64)>,
}

/// A uniform sample of a stream, of bounded size.
#[derive(Debug)]
struct Sample {
    limit: usize,
    keys: Vec<Vec<u8>>,
    seen: i64,
    state: u64,
}

impl Sample {
    fn add(&mut self, key: &[u8]) {
        self.seen += 1;
        if self.keys.len() < self.limit {
            self.keys.push(key.to_vec());
            return;
        }
        // Any fixed sequence does: the sample only has to be fair to the order of the rows.
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = ((u128::from(self.state) * self.seen as u128) >> 64) as usize;
        if let Some(slot) = self.keys.get_mut(at) {
            *slot = key.to_vec();
        }
    }
}

impl Bounds {
    fn new(buckets: usize) -> Self {
        let limit = buckets.saturating_mul(SAMPLED_PER_BUCKET).clamp(1, 1 << 20);
        Bounds { buckets, sample: Sample { limit, keys: Vec::new(), seen: 0, state: 42 }, others: Vec::new() }
    }

    fn draw(&mut self) -> Vec<Vec<u8>> {
        let mut all = std::mem::take(&mut self.others);
        let weight = self.sample.seen as f64 / self.sample.keys.len().max(1) as f64;
        all.extend(std::mem::take(&mut self.sample.keys).into_iter().map(|k| (k, weight)));
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let step = all.iter().map(|(_, w)| w).sum::<f64>() / self.buckets.max(1) as f64;
        let (mut passed, mut target) = (0.0, step);
        let mut bounds: Vec<Vec<u8>> = Vec::new();
        for (key, weight) in all {
            if bounds.len() + 1 >= self.buckets {
                break;
            }
            passed += weight;
            if passed >= target && bounds.last().is_none_or(|last| key > *last) {
                bounds.push(key);
                target += step;
            }
        }
        bounds
    }
}

fn binary_list<'a>(keys: impl IntoIterator<Item = &'a Vec<u8>>) -> ListArray {
    let mut builder = ListBuilder::new(BinaryBuilder::new()).with_field(Field::new("item", Arrow::Binary, true));
    keys.into_iter().for_each(|k| builder.values().append_value(k));
    builder.append(true);
    builder.finish()
}

impl Accumulator for Bounds {
    fn update_batch(&mut self, values: &[arrow::array::ArrayRef]) -> Result<()> {
        let Some(keys) = values.first().and_then(|v| v.as_binary_opt::<i32>()) else {
            return internal_err!("bounds are drawn from sort keys");
        };
        keys.iter().flatten().for_each(|key| self.sample.add(key));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::List(Arc::new(binary_list(&self.draw()))))
    }

    fn size(&self) -> usize {
        let bytes = |k: &Vec<u8>| k.capacity() + size_of::<Vec<u8>>();
        size_of::<Self>()
            + self.sample.keys.iter().map(bytes).sum::<usize>()
            + self.others.iter().map(|(k, _)| bytes(k)).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let seen = self.sample.seen;
        Ok(vec![
            ScalarValue::List(Arc::new(binary_list(&std::mem::take(&mut self.sample.keys)))),
            ScalarValue::Int64(Some(seen)),
        ])
    }

    fn merge_batch(&mut self, states: &[arrow::array::ArrayRef]) -> Result<()> {
        let [keys, seen] = states else { return internal_err!("a sample is its keys and their number") };
        let (keys, seen) = (keys.as_list::<i32>(), seen.as_primitive::<Int64Type>());
        for row in 0..keys.len() {
            let keys = keys.value(row);
            let keys = keys.as_binary::<i32>();
            let weight = seen.value(row) as f64 / keys.len().max(1) as f64;
            self.others.extend(keys.iter().flatten().map(|k| (k.to_vec(), weight)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_as_spark_cuts_them() {
        let check = |keys: &[u8], buckets: usize, expect: &[u8]| {
            let mut bounds = Bounds::new(buckets);
            keys.iter().for_each(|k| bounds.sample.add(&[*k]));
            let drawn: Vec<u8> = bounds.draw().into_iter().flatten().collect();
            assert_eq!(drawn, expect, "{keys:?} into {buckets}");
        };
        check(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 3, &[3, 6]);
        check(&[0, 1, 2, 3, 0, 1, 2, 3, 0, 1], 3, &[1, 2]);
        check(&[7, 7, 7], 3, &[7]);
        check(&[], 4, &[]);
        check(&[1, 2], 1, &[]);
    }

    #[test]
    fn every_partition_has_a_number() {
        for partitions in [1, 2, 3, 7, 200, 1000] {
            let table = table(partitions).expect("a table");
            let numbers = Int64Array::from(table.as_ref().clone());
            let mut hashes = vec![0u64; table.len()];
            create_hashes([&numbers as &dyn Array], REPARTITION_RANDOM_STATE.random_state(), &mut hashes)
                .expect("hashes");
            let reached: Vec<u64> = hashes.iter().map(|h| h % partitions).collect();
            assert_eq!(reached, (0..partitions).collect::<Vec<_>>());
        }
    }
}
