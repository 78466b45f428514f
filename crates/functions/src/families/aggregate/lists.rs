//! Aggregates that gather values: `collect_list`, `collect_set`, `collect_union`, `listagg`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, StringArray, UInt32Array};
use arrow::compute::{filter, is_not_null, take};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::Result as DfResult;
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::types::DataType;
use spark::{Error, Result};

use super::collect::{Collect, Cost, Finished, distinct, one_list};
use super::{finish, kernel};
use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::coerce;
use crate::families::collation::Collation;
use crate::families::lists::element;
use crate::families::predicate::comparison_key;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::values;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "collect_list", build: Build::Aggregate(collect_list) },
    Function { name: "array_agg", build: Build::Aggregate(collect_list) },
    Function { name: "collect_set", build: Build::Aggregate(collect_set) },
    Function { name: "collect_union", build: Build::Aggregate(collect_union) },
    Function { name: "listagg", build: Build::Aggregate(listagg) },
    Function { name: "string_agg", build: Build::Aggregate(listagg) },
];

/// Kernels of this file.
pub const KERNELS: &[AggregateKernel] = &[
    AggregateKernel {
        name: "collect_list",
        accumulator: |a| Collect::boxed(a, finish_list),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "collect_set",
        accumulator: |a| Collect::costly(a, Cost::TABLE, Some(members), finish_set),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "collect_union",
        accumulator: |a| Collect::costly(a, Cost::TABLE, None, finish_union),
        state: Collect::state_types,
        groups: None,
    },
    AggregateKernel {
        name: "listagg",
        accumulator: |a| Collect::costly(a, Cost::TABLE, None, finish_listagg),
        state: Collect::state_types,
        groups: None,
    },
];

fn collect_list(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.name = "collect_list".into();
    let ty = DataType::array(call.args[0].ty.clone(), false);
    Ok(finish(call, &KERNELS[0], ty, false))
}

fn collect_set(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let collated = matches!(call.args[0].ty, DataType::String { collation: Some(_) });
    if collated || matches!(call.args[0].ty, DataType::Map { .. } | DataType::Variant) {
        return Err(call
            .mismatch("UNSUPPORTED_INPUT_TYPE")
            .param("functionName", "`collect_set`")
            .param("dataType", "\"MAP\" or \"COLLATED STRING\""));
    }
    let ty = DataType::array(call.args[0].ty.clone(), false);
    Ok(finish(call, &KERNELS[1], ty, false))
}

fn collect_union(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if !matches!(call.args[0].ty, DataType::Array { .. }) {
        return Err(call.unexpected_type(0, "\"ARRAY\""));
    }
    // Nulls are no members of a set.
    let ty = DataType::array(element(&call.args[0].ty), false);
    Ok(finish(call, &KERNELS[2], ty, false))
}

#[derive(Serialize, Deserialize)]
struct Listing {
    delimiter: Vec<u8>,
    /// Ascending and nulls first, for each sort key.
    keys: Vec<(bool, bool)>,
    /// The collation in which values that come twice are left out.
    #[serde(default)]
    distinct_in: Option<String>,
}

fn listagg(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        call.args.push(Typed::null(DataType::Null));
    }
    let name = listagg_name(&call);
    if !call.args[1].foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", "`delimiter`")
            .param("inputType", format!("\"{}\"", call.args[1].ty.sql()))
            .param("inputExpr", format!("\"{}\"", call.args[1].name)));
    }
    let listed = call.args[0].clone();
    let ty = match &call.args[0].ty {
        DataType::Binary => DataType::Binary,
        DataType::String { collation } => DataType::String { collation: collation.clone() },
        _ => DataType::STRING,
    };
    if !call.args[0].ty.is_string() && ty != DataType::Binary {
        call.args[0] = coerce::implicit(&call.args[0], &coerce::Expected::String, call.settings)
            .ok_or_else(|| call.unexpected_type(0, "(\"STRING\" or \"BINARY\")"))?;
    }
    if !matches!(call.args[1].ty, DataType::Binary | DataType::Null) {
        call.expect(1, coerce::Expected::String)?;
    }
    delimiter_fits(&call, &ty)?;
    let delimiter = match fold::evaluate(&call.args[1])? {
        ScalarValue::Utf8(Some(s)) => s.into_bytes(),
        ScalarValue::Binary(Some(b)) => b,
        _ => Vec::new(),
    };
    if call.distinct {
        distinct_order(&call, &listed)?;
    }
    let distinct_in = match &ty {
        DataType::String { collation: Some(name) } if call.distinct => Some(name.to_string()),
        _ => None,
    };
    let keys = call.order.iter().map(|(_, up, first)| (*up, *first)).collect();
    let listing = Listing { delimiter, keys, distinct_in };
    let extra = serde_json::to_string(&listing).map_err(|e| Error::internal(e.to_string()))?;
    let mut args = vec![call.args[0].expr.clone()];
    args.extend(call.order.iter().map(|(k, ..)| comparison_key(k)));
    let expr = kernel(&call, &KERNELS[3], call.options().with_extra(extra), args, &ty);
    Ok(Typed::new(expr, ty, true, name))
}

/// Distinct values are in the order of themselves, or of what they are casts of where no two of those
/// make one.
fn distinct_order(call: &Call, listed: &Typed) -> Result<()> {
    let error = |sub: &str| {
        Error::analysis(format!("INVALID_WITHIN_GROUP_EXPRESSION.{sub}")).param("funcName", "`listagg`").nowhere()
    };
    for (key, ..) in &call.order {
        if key.expr == call.args[0].expr {
            continue;
        }
        // A cast is printed around what it casts, written or not.
        let cast = format!("CAST({} AS {})", key.name, call.args[0].ty.sql());
        if key.expr != listed.expr && listed.name != cast {
            let keys: Vec<String> = call.order.iter().map(|(k, ..)| format!("\"{}\"", k.name)).collect();
            return Err(error("MISMATCH_WITH_DISTINCT_INPUT")
                .param("funcArg", format!("\"{}\"", listed.name))
                .param("orderingExpr", keys.join(", ")));
        }
        let exact = key.ty.is_integral()
            || matches!(key.ty, DataType::Decimal { .. } | DataType::Date | DataType::Boolean | DataType::TimestampNtz)
            || key.ty.is_string()
            || key.ty == DataType::Binary;
        if !exact {
            return Err(error("MISMATCH_WITH_DISTINCT_INPUT_UNSAFE_CAST")
                .param("inputType", format!("\"{}\"", key.ty.sql()))
                .param("castType", format!("\"{}\"", call.args[0].ty.sql())));
        }
    }
    Ok(())
}

/// The delimiter must be of the listed values' type, in which no collation gives way.
fn delimiter_fits(call: &Call, listed: &DataType) -> Result<()> {
    let delimiter = &call.args[1].ty;
    if *delimiter == DataType::Null
        || delimiter.same_type(listed) && !super::super::array::other_collation(listed, delimiter)
    {
        return Ok(());
    }
    Err(call
        .mismatch("DATA_DIFF_TYPES")
        .param("functionName", "`listagg`")
        .param("dataType", format!("(\"{}\" or \"{}\")", listed.sql(), delimiter.sql())))
}

fn listagg_name(call: &Call) -> String {
    let filter = call.filter.as_ref().map(|f| format!(" FILTER (WHERE {})", f.name)).unwrap_or_default();
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    // With an order the call is printed by its first name.
    let function = if call.order.is_empty() { call.name.as_str() } else { "listagg" };
    let mut name = format!("{function}({distinct}{}, {})", call.args[0].name, call.args[1].name);
    if !call.order.is_empty() {
        let keys: Vec<String> = call
            .order
            .iter()
            .map(|(k, up, first)| {
                let (up, first) = (if *up { "ASC" } else { "DESC" }, if *first { "FIRST" } else { "LAST" });
                format!("{} {up} NULLS {first}", k.name)
            })
            .collect();
        name.push_str(&format!(" WITHIN GROUP (ORDER BY {})", keys.join(", ")));
    }
    name + &filter
}

fn without_nulls(array: &ArrayRef) -> DfResult<ArrayRef> {
    if array.data_type() == &Arrow::Null {
        return Ok(array.slice(0, 0));
    }
    if array.null_count() == 0 { Ok(Arc::clone(array)) } else { Ok(filter(array, &is_not_null(array)?)?) }
}

fn finish_list(columns: &[ArrayRef], _: &Finished) -> DfResult<ScalarValue> {
    Ok(one_list(without_nulls(&columns[0])?))
}

/// The distinct values without null.
fn members(columns: &[ArrayRef]) -> DfResult<Vec<ArrayRef>> {
    distinct(&[without_nulls(&columns[0])?])
}

/// The [`members`], which is what is left when all rows are gathered.
fn finish_set(columns: &[ArrayRef], _: &Finished) -> DfResult<ScalarValue> {
    Ok(one_list(Arc::clone(&columns[0])))
}

fn finish_union(columns: &[ArrayRef], _: &Finished) -> DfResult<ScalarValue> {
    let lists = without_nulls(&columns[0])?;
    let lists = lists.as_list::<i32>();
    let picks: UInt32Array = (0..lists.len())
        .flat_map(|i| lists.offsets()[i] as u32..lists.offsets()[i + 1] as u32)
        .filter(|at| lists.values().is_valid(*at as usize))
        .collect::<Vec<_>>()
        .into();
    let values = distinct(&[take(lists.values(), &picks, None)?])?;
    Ok(one_list(Arc::clone(&values[0])))
}

/// The order of the rows by sort keys.
///
/// # Errors
/// If a key has no order.
pub fn order(keys: &[ArrayRef], directions: &[(bool, bool)], rows: usize) -> DfResult<Vec<usize>> {
    let mut places: Vec<usize> = (0..rows).collect();
    let keys: Vec<(arrow::row::Rows, &ArrayRef, bool, bool)> = keys
        .iter()
        .zip(directions)
        .map(|(k, (up, first))| Ok((values::rows(std::slice::from_ref(k))?, k, *up, *first)))
        .collect::<DfResult<_>>()?;
    places.sort_by(|a, b| {
        for (rows, array, up, nulls_first) in &keys {
            let order = match (array.is_null(*a), array.is_null(*b)) {
                (false, false) => {
                    let o = rows.row(*a).cmp(&rows.row(*b));
                    if *up { o } else { o.reverse() }
                }
                (x, y) => {
                    if *nulls_first {
                        y.cmp(&x)
                    } else {
                        x.cmp(&y)
                    }
                }
            };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    });
    Ok(places)
}

fn finish_listagg(columns: &[ArrayRef], context: &Finished) -> DfResult<ScalarValue> {
    let listing: Listing = context.parameters()?;
    let values = &columns[0];
    let mut places = order(&columns[1..], &listing.keys, values.len())?;
    if let Some(name) = &listing.distinct_in {
        let collation = Collation::named(name).map_err(crate::error::external)?;
        let texts = values.as_string::<i32>();
        let mut seen = std::collections::HashSet::new();
        places.retain(|i| texts.is_valid(*i) && seen.insert(collation.key(texts.value(*i))));
    }
    let bytes = arrow::compute::cast(values, &Arrow::Binary)?;
    let bytes = bytes.as_binary::<i32>();
    let mut out: Option<Vec<u8>> = None;
    for i in places.into_iter().filter(|i| bytes.is_valid(*i)) {
        match &mut out {
            None => out = Some(bytes.value(i).to_vec()),
            Some(text) => {
                text.extend_from_slice(&listing.delimiter);
                text.extend_from_slice(bytes.value(i));
            }
        }
    }
    let array: ArrayRef = match &context.return_type {
        Arrow::Binary => Arc::new(BinaryArray::from_opt_vec(vec![out.as_deref()])),
        _ => Arc::new(StringArray::from(vec![out.map(|o| String::from_utf8_lossy(&o).into_owned())])),
    };
    ScalarValue::try_from_array(&array, 0)
}
