//! Values of the functions that take lambdas. A lambda is evaluated once over the elements of all rows
//! of the batch where its arguments are known beforehand.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType as Arrow, Int32Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::Error;

use super::super::array::keys_of;
use super::super::lists::{Duplicates, ListPicks, Lists, MapPicks, display, element_type, list_array};
use super::super::rows::row_count;
use super::merge_sort::merge_sort;
use crate::error::fail;
use crate::hof::{HofArgs, HofKernel};
use crate::kernel::KernelArgs;
use crate::values;

/// Kernels of this family.
pub const KERNELS: &[HofKernel] = &[
    HofKernel { name: "transform", eval: transform },
    HofKernel { name: "filter", eval: filter },
    HofKernel { name: "exists", eval: |a| test(a, true) },
    HofKernel { name: "exists_or_not", eval: exists_or_not },
    HofKernel { name: "forall", eval: |a| test(a, false) },
    HofKernel { name: "aggregate", eval: aggregate },
    HofKernel { name: "zip_with", eval: zip_with },
    HofKernel { name: "array_sort", eval: array_sort },
    HofKernel { name: "map_filter", eval: map_filter },
    HofKernel { name: "map_zip_with", eval: map_zip_with },
    HofKernel { name: "transform_keys", eval: transform_keys },
    HofKernel { name: "transform_values", eval: transform_values },
];

/// The elements of all rows laid end to end.
struct Flat {
    lists: Lists,
    /// Where each element is among the values.
    places: UInt32Array,
    /// The row each element belongs to.
    rows: UInt32Array,
    /// The index of each element in its list.
    indices: Int32Array,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl Flat {
    fn of(array: &ArrayRef, rows: usize) -> Result<Flat> {
        let lists = Lists::new(array, false)?;
        let (mut places, mut row_of, mut indices) = (Vec::new(), Vec::new(), Vec::new());
        let (mut offsets, mut valid) = (vec![0_i32], Vec::with_capacity(rows));
        for row in 0..rows {
            let range = lists.get(row);
            valid.push(range.is_some());
            for (i, place) in range.unwrap_or(0..0).enumerate() {
                places.push(place as u32);
                row_of.push(row as u32);
                indices.push(i as i32);
            }
            offsets.push(places.len() as i32);
        }
        Ok(Flat { lists, places: places.into(), rows: row_of.into(), indices: indices.into(), offsets, valid })
    }

    /// The elements, or keys.
    fn elements(&self) -> Result<ArrayRef> {
        Ok(take(self.lists.values(), &self.places, None)?)
    }

    /// The values of maps.
    fn map_values(&self) -> Result<ArrayRef> {
        match self.lists.map_values() {
            Some(values) => Ok(take(values, &self.places, None)?),
            None => internal_err!("expected maps"),
        }
    }

    /// Lambda `i` over the elements, with their indices if it takes two parameters.
    fn each(&self, args: &HofArgs, i: usize) -> Result<ArrayRef> {
        let mut params = vec![self.elements()?];
        if args.parameters(i) == 2 {
            params.push(Arc::new(self.indices.clone()));
        }
        args.lambda(i, &params, &self.rows)
    }

    /// The positions among the elements of a row.
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }
}

/// The element type of the result.
fn list_element(args: &HofArgs) -> Result<Arrow> {
    match args.return_type() {
        Arrow::List(f) => Ok(f.data_type().clone()),
        other => internal_err!("expected a list result, not {other}"),
    }
}

fn transform(args: &HofArgs) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let values = flat.each(args, 0)?;
    list_array(values, flat.offsets, flat.valid)
}

fn truths(array: &ArrayRef) -> Result<BooleanArray> {
    Ok(arrow::compute::cast(array, &Arrow::Boolean)?.as_boolean().clone())
}

fn filter(args: &HofArgs) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let keep = truths(&flat.each(args, 0)?)?;
    let mut out = ListPicks::new(vec![Arc::clone(flat.lists.values())], &list_element(args)?);
    for row in 0..args.rows {
        if !flat.valid[row] {
            out.close_null();
            continue;
        }
        for i in flat.range(row).filter(|i| keep.is_valid(*i) && keep.value(*i)) {
            out.push(0, flat.places.value(i) as usize);
        }
        out.close();
    }
    out.array()
}

/// `exists` looks for a true, `forall` for a false; nulls leave it open.
fn test(args: &HofArgs, wanted: bool) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let truth = truths(&flat.each(args, 0)?)?;
    let out: BooleanArray = (0..args.rows)
        .map(|row| {
            if !flat.valid[row] {
                return None;
            }
            let mut open = false;
            for i in flat.range(row) {
                if truth.is_null(i) {
                    open = true;
                } else if truth.value(i) == wanted {
                    return Some(wanted);
                }
            }
            (!open).then_some(!wanted)
        })
        .collect();
    Ok(Arc::new(out))
}

/// `exists` of `spark.sql.legacy.followThreeValuedLogicInArrayExists=false`: what is unknown is not there.
fn exists_or_not(args: &HofArgs) -> Result<ArrayRef> {
    let found = test(args, true)?;
    let found = arrow::array::AsArray::as_boolean(&found);
    let flat = Flat::of(&args.values[0], args.rows)?;
    let out: BooleanArray = (0..args.rows)
        .map(|row| flat.valid[row].then(|| !arrow::array::Array::is_null(found, row) && found.value(row)))
        .collect();
    Ok(Arc::new(out))
}

fn aggregate(args: &HofArgs) -> Result<ArrayRef> {
    let lists = Lists::new(&args.values[0], false)?;
    let ranges: Vec<_> = (0..args.rows).map(|row| lists.get(row)).collect();
    let longest = ranges.iter().flatten().map(|r| r.len()).max().unwrap_or(0);
    let mut accumulator = Arc::clone(&args.values[1]);
    for step in 0..longest {
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for (row, range) in ranges.iter().enumerate() {
            if let Some(range) = range.as_ref().filter(|r| r.len() > step) {
                rows.push(row as u32);
                places.push((range.start + step) as u32);
            }
        }
        let rows = UInt32Array::from(rows);
        let params = [take(&accumulator, &rows, None)?, take(lists.values(), &UInt32Array::from(places), None)?];
        let merged = args.lambda(0, &params, &rows)?;
        let mut picks: Vec<(usize, usize)> = (0..args.rows).map(|row| (0, row)).collect();
        for (i, row) in rows.values().iter().enumerate() {
            picks[*row as usize] = (1, i);
        }
        accumulator = interleave(&[&accumulator, &merged], &picks)?;
    }
    // Rows whose array is null have no result, so the last step must not see them.
    let rows: UInt32Array =
        ranges.iter().enumerate().filter(|(_, r)| r.is_some()).map(|(i, _)| i as u32).collect::<Vec<_>>().into();
    let finished = args.lambda(1, &[take(&accumulator, &rows, None)?], &rows)?;
    let mut next = 0;
    let places: UInt32Array = ranges
        .iter()
        .map(|r| {
            r.as_ref().map(|_| {
                next += 1;
                next - 1
            })
        })
        .collect();
    Ok(take(&finished, &places, None)?)
}

/// The array's rows at the given places, null where there is none.
fn optional(values: &ArrayRef, places: Vec<Option<u32>>) -> Result<ArrayRef> {
    Ok(take(values, &UInt32Array::from(places), None)?)
}

fn zip_with(args: &HofArgs) -> Result<ArrayRef> {
    let (a, b) = (Lists::new(&args.values[0], false)?, Lists::new(&args.values[1], false)?);
    let (mut left, mut right, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let (mut offsets, mut valid) = (vec![0_i32], Vec::new());
    for row in 0..args.rows {
        let both = a.get(row).zip(b.get(row));
        valid.push(both.is_some());
        if let Some((x, y)) = both {
            for i in 0..x.len().max(y.len()) {
                left.push((i < x.len()).then_some((x.start + i) as u32));
                right.push((i < y.len()).then_some((y.start + i) as u32));
                rows.push(row as u32);
            }
        }
        offsets.push(rows.len() as i32);
    }
    let params = [optional(a.values(), left)?, optional(b.values(), right)?];
    let values = args.lambda(0, &params, &UInt32Array::from(rows))?;
    list_array(values, offsets, valid)
}

/// Lists up to this length have all their pairs compared at once.
const ALL_PAIRS: usize = 128;

fn array_sort(args: &HofArgs) -> Result<ArrayRef> {
    let lists = Lists::new(&args.values[0], false)?;
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &list_element(args)?);
    for row in 0..args.rows {
        let Some(range) = lists.get(row) else {
            out.close_null();
            continue;
        };
        let places: Vec<usize> = range.collect();
        let sorted = if places.len() <= ALL_PAIRS {
            let table = compare(args, &lists, row, &pairs(&places))?;
            let (start, n) = (places.first().copied().unwrap_or(0), places.len());
            merge_sort(&places, &mut |x, y| order(&lists, &table, (x - start) * n + (y - start), x, y))?
        } else {
            merge_sort(&places, &mut |x, y| {
                let one = compare(args, &lists, row, &[(x, y)])?;
                order(&lists, &one, 0, x, y)
            })?
        };
        sorted.into_iter().for_each(|i| out.push(0, i));
        out.close();
    }
    out.array()
}

fn pairs(places: &[usize]) -> Vec<(usize, usize)> {
    places.iter().flat_map(|x| places.iter().map(|y| (*x, *y))).collect()
}

/// The comparator's answers for pairs of elements of one row.
fn compare(args: &HofArgs, lists: &Lists, row: usize, pairs: &[(usize, usize)]) -> Result<ArrayRef> {
    let side =
        |f: fn(&(usize, usize)) -> usize| UInt32Array::from(pairs.iter().map(|p| f(p) as u32).collect::<Vec<_>>());
    let params = [take(lists.values(), &side(|p| p.0), None)?, take(lists.values(), &side(|p| p.1), None)?];
    args.lambda(0, &params, &UInt32Array::from(vec![row as u32; pairs.len()]))
}

/// Whether the answer at `at` lets `x` stay before `y`.
fn order(lists: &Lists, answers: &ArrayRef, at: usize, x: usize, y: usize) -> Result<bool> {
    if answers.is_null(at) {
        let shown =
            |i| Ok::<_, datafusion::common::DataFusionError>(display(&ScalarValue::try_from_array(lists.values(), i)?));
        return fail(
            Error::runtime("COMPARATOR_RETURNS_NULL")
                .param("firstValue", shown(x)?)
                .param("secondValue", shown(y)?)
                .with_message("A comparator must not answer null."),
        );
    }
    Ok(answers.as_primitive::<Int32Type>().value(at) <= 0)
}

fn map_filter(args: &HofArgs) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let keep = truths(&args.lambda(0, &[flat.elements()?, flat.map_values()?], &flat.rows)?)?;
    let values = flat.map_values()?;
    let mut out = MapPicks::new(vec![flat.elements()?], vec![values], args.return_type(), Duplicates::LastWins)?;
    for row in 0..args.rows {
        if !flat.valid[row] {
            out.close_null();
            continue;
        }
        for i in flat.range(row).filter(|i| keep.is_valid(*i) && keep.value(*i)) {
            out.push((0, i), Some((0, i)))?;
        }
        out.close();
    }
    out.array(args.return_type())
}

/// The session's policy for keys that come twice.
fn duplicates(args: &HofArgs) -> Duplicates {
    if args.extra() == "LAST_WIN" { Duplicates::LastWins } else { Duplicates::Refuse }
}

fn transform_keys(args: &HofArgs) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let keys = args.lambda(0, &[flat.elements()?, flat.map_values()?], &flat.rows)?;
    entries(args, &flat, keys, flat.map_values()?, duplicates(args))
}

fn transform_values(args: &HofArgs) -> Result<ArrayRef> {
    let flat = Flat::of(&args.values[0], args.rows)?;
    let values = args.lambda(0, &[flat.elements()?, flat.map_values()?], &flat.rows)?;
    entries(args, &flat, flat.elements()?, values, Duplicates::LastWins)
}

/// Maps of these keys and values, one entry for each element.
fn entries(args: &HofArgs, flat: &Flat, keys: ArrayRef, values: ArrayRef, duplicates: Duplicates) -> Result<ArrayRef> {
    let mut out = MapPicks::new(vec![keys], vec![values], args.return_type(), duplicates)?;
    for row in 0..args.rows {
        if !flat.valid[row] {
            out.close_null();
            continue;
        }
        for i in flat.range(row) {
            out.push((0, i), Some((0, i)))?;
        }
        out.close();
    }
    out.array(args.return_type())
}

fn map_zip_with(args: &HofArgs) -> Result<ArrayRef> {
    let (a, b) = (Lists::new(&args.values[0], false)?, Lists::new(&args.values[1], false)?);
    let keys = values::rows_of(&[a.values(), b.values()])?;
    let (Some(values_a), Some(values_b)) = (a.map_values(), b.map_values()) else {
        return internal_err!("expected maps");
    };
    let (mut key_picks, mut left, mut right, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut offsets, mut valid) = (vec![0_i32], Vec::new());
    for row in 0..args.rows {
        let both = a.get(row).zip(b.get(row));
        valid.push(both.is_some());
        if let Some((x, y)) = both {
            for i in x.clone() {
                let other = y.clone().find(|j| keys[1].row(*j) == keys[0].row(i));
                key_picks.push((0, i));
                left.push(Some(i as u32));
                right.push(other.map(|j| j as u32));
                rows.push(row as u32);
            }
            for j in y.filter(|j| !x.clone().any(|i| keys[0].row(i) == keys[1].row(*j))) {
                key_picks.push((1, j));
                left.push(None);
                right.push(Some(j as u32));
                rows.push(row as u32);
            }
        }
        offsets.push(rows.len() as i32);
    }
    let keys = interleave(&[a.values(), b.values()], &key_picks)?;
    let params = [Arc::clone(&keys), optional(values_a, left)?, optional(values_b, right)?];
    let values = args.lambda(0, &params, &UInt32Array::from(rows))?;
    let mut out = MapPicks::new(vec![keys], vec![values], args.return_type(), Duplicates::LastWins)?;
    for (row, valid) in valid.into_iter().enumerate() {
        for i in offsets[row] as usize..offsets[row + 1] as usize {
            out.push((0, i), Some((0, i)))?;
        }
        if valid { out.close() } else { out.close_null() }
    }
    out.array(args.return_type())
}

/// `array_sort` without a comparator: ascending, nulls last.
pub fn sort_nulls_last(args: &KernelArgs) -> Result<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let keys = keys_of(args, &[lists.values()])?;
    let nulls = lists.values().logical_nulls();
    let is_null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
    let mut out = ListPicks::new(vec![Arc::clone(lists.values())], &element_type(args)?);
    for row in 0..row_count(args) {
        let Some(range) = lists.get(row) else {
            out.close_null();
            continue;
        };
        let start = out.start();
        out.extend(0, range);
        let order = |a: usize, b: usize| is_null(a).cmp(&is_null(b)).then_with(|| keys[0].row(a).cmp(&keys[0].row(b)));
        out.picks.tail(start).sort_by(|a, b| order(a.1, b.1));
        out.close();
    }
    out.finish(args)
}
