//! The items of `df.stat.freqItems`: at most as many as there may be items of the wanted frequency, by
//! the algorithm of Karp, Schenker and Papadimitriou; false positives are possible, as in Spark.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;
use spark::types::DataType;

use crate::aggregate::{AggregateArgs, AggregateKernel, KernelUdaf};
use crate::kernel::Options;
use crate::typed::Typed;
use crate::types::to_arrow;

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[AggregateKernel {
    name: "freq_items",
    accumulator: |a| Ok(Box::new(Frequent::new(a))),
    state: |a| {
        let element = element(a.return_type);
        vec![
            Arrow::List(crate::types::list_field(element)),
            Arrow::List(crate::types::list_field(Arrow::Int64)),
            Arrow::Int64,
        ]
    },
    groups: None,
}];

/// The items of `column` that may occur in `1 / size` of the rows.
pub fn freq_items(column: &Typed, size: usize) -> Typed {
    let ty = DataType::array(column.ty.clone(), column.nullable);
    let options = Options::default().with_extra(size.to_string());
    let expr =
        KernelUdaf::call(&KERNELS[0], to_arrow(&ty), options, vec![column.expr.clone()], false, None, Vec::new());
    Typed::new(expr, ty, false, "freq_items")
}

fn element(list: &Arrow) -> Arrow {
    match list {
        Arrow::List(field) => field.data_type().clone(),
        other => other.clone(),
    }
}

/// Buckets of the smallest table; one grows when three quarters are taken.
const SMALLEST_TABLE: usize = 16;

/// Candidates with their counts.
#[derive(Debug)]
struct Frequent {
    size: usize,
    element: Arrow,
    counts: HashMap<ScalarValue, i64>,
    /// Buckets that Spark's table of as many entries as there ever were has: they give the order.
    buckets: usize,
}

impl Frequent {
    fn new(args: &AggregateArgs) -> Self {
        let size = args.options.extra.as_deref().and_then(|text| text.parse().ok()).unwrap_or(1);
        Frequent { size, element: element(args.return_type), counts: HashMap::new(), buckets: SMALLEST_TABLE }
    }

    fn put(&mut self, item: ScalarValue, count: i64) {
        if self.counts.len() + 1 >= self.buckets / 4 * 3 {
            self.buckets *= 2;
        }
        self.counts.insert(item, count);
    }

    fn add(&mut self, item: ScalarValue, count: i64) {
        if let Some(known) = self.counts.get_mut(&item) {
            *known += count;
        } else if self.counts.len() < self.size {
            self.put(item, count);
        } else {
            let least = self.counts.values().copied().min().unwrap_or(0);
            if count >= least {
                self.put(item, count);
                self.counts.retain(|_, n| *n > least);
                self.counts.values_mut().for_each(|n| *n -= least);
            } else {
                self.counts.values_mut().for_each(|n| *n -= count);
            }
        }
    }

    /// The items in the order of the buckets.
    fn ordered(&self) -> Vec<(&ScalarValue, i64)> {
        let mut items: Vec<(usize, u32, &ScalarValue, i64)> = self
            .counts
            .iter()
            .map(|(item, n)| {
                let hash = hash_of(item);
                (hash as usize & (self.buckets - 1), hash, item, *n)
            })
            .collect();
        items.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.to_string().cmp(&b.2.to_string())));
        items.into_iter().map(|(_, _, item, n)| (item, n)).collect()
    }

    fn list(&self, items: &[ScalarValue], ty: &Arrow) -> ScalarValue {
        ScalarValue::List(ScalarValue::new_list(items, ty, true))
    }
}

/// The hash by which the Java virtual machine's tables order a value, its halves mixed.
fn hash_of(item: &ScalarValue) -> u32 {
    let whole = |n: i64| match i32::try_from(n) {
        Ok(n) => n.cast_unsigned(),
        Err(_) => (n ^ (n >> 32)) as u32,
    };
    let hash = match item {
        value if value.is_null() => 0,
        ScalarValue::Int8(Some(n)) => whole(i64::from(*n)),
        ScalarValue::Int16(Some(n)) => whole(i64::from(*n)),
        ScalarValue::Int32(Some(n)) | ScalarValue::Date32(Some(n)) => whole(i64::from(*n)),
        ScalarValue::Int64(Some(n)) | ScalarValue::TimestampMicrosecond(Some(n), _) => whole(*n),
        ScalarValue::Float32(Some(x)) => hash_of_double(f64::from(*x)),
        ScalarValue::Float64(Some(x)) => hash_of_double(*x),
        ScalarValue::Boolean(Some(b)) => {
            if *b {
                1231
            } else {
                1237
            }
        }
        ScalarValue::Utf8(Some(text)) => hash_of_bytes(text.as_bytes()),
        other => hash_of_bytes(other.to_string().as_bytes()),
    };
    hash ^ (hash >> 16)
}

fn hash_of_double(x: f64) -> u32 {
    let whole = x as i64;
    if whole as f64 == x {
        return match i32::try_from(whole) {
            Ok(n) => n.cast_unsigned(),
            Err(_) => (whole ^ (whole >> 32)) as u32,
        };
    }
    let bits = x.to_bits();
    (bits ^ (bits >> 32)) as u32
}

/// Murmur3 as Spark applies it to strings: bytes beyond whole words are mixed in one by one.
fn hash_of_bytes(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let step = |h: u32, k: u32| (h ^ mix(k)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    let mut h = words.fold(42, |h, w| step(h, u32::from_le_bytes([w[0], w[1], w[2], w[3]])));
    h = rest.iter().fold(h, |h, b| step(h, i32::from(b.cast_signed()).cast_unsigned()));
    h ^= bytes.len() as u32;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

impl Accumulator for Frequent {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(column) = values.first() else { return internal_err!("freqItems counts one column") };
        for row in 0..column.len() {
            self.add(ScalarValue::try_from_array(column, row)?.compacted(), 1);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let items: Vec<ScalarValue> = self.ordered().into_iter().map(|(item, _)| item.clone()).collect();
        Ok(self.list(&items, &self.element))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.keys().map(|k| k.size() + 16).sum::<usize>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let ordered = self.ordered();
        let items: Vec<ScalarValue> = ordered.iter().map(|(item, _)| (*item).clone()).collect();
        let counts: Vec<ScalarValue> = ordered.iter().map(|(_, n)| ScalarValue::Int64(Some(*n))).collect();
        Ok(vec![
            self.list(&items, &self.element),
            self.list(&counts, &Arrow::Int64),
            ScalarValue::Int64(i64::try_from(self.buckets).ok()),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [items, counts, _] = states else { return internal_err!("freqItems has a state of three columns") };
        let (items, counts) = (items.as_list::<i32>(), counts.as_list::<i32>());
        for row in 0..items.len() {
            let (keys, counts) = (items.value(row), counts.value(row));
            let counts = counts.as_primitive::<Int64Type>();
            for i in 0..keys.len() {
                self.add(ScalarValue::try_from_array(&keys, i)?.compacted(), counts.value(i));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequent(size: usize, items: &[i64]) -> Vec<i64> {
        let mut counter = Frequent { size, element: Arrow::Int64, counts: HashMap::new(), buckets: SMALLEST_TABLE };
        items.iter().for_each(|i| counter.add(ScalarValue::Int64(Some(*i)), 1));
        counter
            .ordered()
            .into_iter()
            .filter_map(|(item, _)| if let ScalarValue::Int64(n) = item { *n } else { None })
            .collect()
    }

    #[test]
    fn frequent_items_survive() {
        for (size, items, expect) in [
            (100, vec![1, 1, 3, 4, 4], vec![1, 3, 4]),
            (2, vec![1, 1, 3, 4, 4], vec![1, 4]),
            (1, vec![], vec![]),
            (2, vec![5, 5, 5, 1, 2, 3, 4], vec![5]),
            (2, vec![5, 5, 5, 1, 2, 3], vec![3, 5]),
        ] {
            assert_eq!(frequent(size, &items), expect, "{items:?}");
        }
    }
}
