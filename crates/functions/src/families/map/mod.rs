//! Map functions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray};
use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, lit};
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Result};

use super::lists::{Column, Duplicates, Lists, MapPicks, contains_null, element, list_array};
use super::rows::{Text, booleans, finish, row_count};
use crate::call::Call;
use crate::coerce::{self, Expected};
use crate::error::fail;
use crate::families::collation::Collation;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::list_field;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "map", build: Build::Scalar(map) },
    Function { name: "map_concat", build: Build::Scalar(concat) },
    Function { name: "map_contains_key", build: Build::Scalar(contains_key) },
    Function { name: "map_entries", build: Build::Scalar(entries) },
    Function { name: "map_from_arrays", build: Build::Scalar(from_arrays) },
    Function { name: "map_from_entries", build: Build::Scalar(from_entries) },
    Function { name: "map_keys", build: Build::Scalar(keys) },
    Function { name: "map_values", build: Build::Scalar(keys) },
    Function { name: "str_to_map", build: Build::Scalar(str_to_map) },
];

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[
    Kernel::new("map", eval_map),
    Kernel::new("map_concat", eval_concat),
    Kernel::new("map_contains_key", eval_contains_key),
    Kernel::new("map_entries", eval_entries),
    Kernel::new("map_from_arrays", eval_from_arrays),
    Kernel::new("map_from_entries", eval_from_entries),
    Kernel::new("map_keys", |a| eval_part(a, 0)),
    Kernel::new("map_values", |a| eval_part(a, 1)),
    Kernel::new("str_to_map", eval_str_to_map),
];

/// Finishes with a kernel that builds maps.
fn build(call: Call, kernel: &'static Kernel, ty: DataType, nullable: bool, name: String) -> Typed {
    let policy = Duplicates::option(call.settings);
    let options = match &ty {
        DataType::Map { key, .. } => match &**key {
            DataType::String { collation: Some(name) } => call.options().with_extra(format!("{policy} {name}")),
            _ => call.options().with_extra(policy),
        },
        _ => call.options().with_extra(policy),
    };
    call.kernel_with(kernel, options, ty, nullable).named(name)
}

/// `DATATYPE_MISMATCH.INVALID_MAP_KEY_TYPE` for types without equality.
fn check_key(call: &Call, key: &DataType) -> Result<()> {
    if key.any(&|t| matches!(t, DataType::Map { .. } | DataType::Variant)) {
        return Err(call.mismatch("INVALID_MAP_KEY_TYPE").param("keyType", format!("\"{}\"", key.sql())));
    }
    Ok(())
}

fn map(mut call: Call) -> Result<Typed> {
    if call.args.len() % 2 == 1 {
        return Err(call.wrong_arity("2n (n > 0)"));
    }
    let name = call.display_name();
    if call.args.is_empty() {
        let ty = DataType::map(DataType::Null, DataType::Null, false);
        return Ok(build(call, &KERNELS[0], ty, false, name));
    }
    let side = |call: &Call, from: usize| -> Vec<DataType> {
        call.args.iter().skip(from).step_by(2).map(|a| a.ty.clone()).collect()
    };
    let mut common = Vec::new();
    for (from, condition) in [(0, "CREATE_MAP_KEY_DIFF_TYPES"), (1, "CREATE_MAP_VALUE_DIFF_TYPES")] {
        let types = side(&call, from);
        let Some(ty) = coerce::common_type(&types, call.settings) else {
            let shown: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
            return Err(call
                .mismatch(condition)
                .param("functionName", "`map`")
                .param("dataType", format!("[{}]", shown.join(", "))));
        };
        common.push(ty);
    }
    check_key(&call, &common[0])?;
    let value_nulls = call.args.iter().skip(1).step_by(2).any(|a| a.nullable);
    for i in 0..call.args.len() {
        call.args[i] = coerce::cast_implicitly(&call.args[i], &common[i % 2], call.settings);
    }
    let ty = DataType::map(common[0].clone(), common[1].clone(), value_nulls);
    Ok(build(call, &KERNELS[0], ty, false, name))
}

fn concat(mut call: Call) -> Result<Typed> {
    let name = call.display_name();
    if let Some(i) = call.args.iter().position(|a| !matches!(a.ty, DataType::Map { .. })) {
        let types: Vec<String> = call.args.iter().map(|a| format!("\"{}\"", a.ty.sql())).collect();
        let _ = i;
        return Err(call
            .mismatch("MAP_CONCAT_DIFF_TYPES")
            .param("functionName", "`map_concat`")
            .param("dataType", format!("[{}]", types.join(", "))));
    }
    if call.args.is_empty() {
        let ty = DataType::map(DataType::STRING, DataType::STRING, true);
        return Ok(build(call, &KERNELS[1], ty, false, name));
    }
    let first = call.args[0].ty.clone();
    if call.args.iter().any(|a| super::collation::collations_differ(&first, &a.ty)) {
        let types: Vec<String> = call.args.iter().map(|a| format!("\"{}\"", a.ty.sql())).collect();
        return Err(call
            .mismatch("DATA_DIFF_TYPES")
            .param("functionName", "`map_concat`")
            .param("dataType", format!("({})", types.join(" or "))));
    }
    let ty = call.unify(0..call.args.len())?;
    let nullable = call.any_nullable();
    Ok(build(call, &KERNELS[1], ty, nullable, name))
}

/// Key and value type of argument `i`, which must be a map.
fn map_type(call: &Call, i: usize) -> Result<(DataType, DataType, bool)> {
    match &call.args[i].ty {
        DataType::Map { key, value, value_contains_null } => {
            Ok(((**key).clone(), (**value).clone(), *value_contains_null))
        }
        _ => Err(call.unexpected_type(i, "\"MAP\"")),
    }
}

fn contains_key(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    if call.args[1].ty == DataType::Null {
        map_type(&call, 0)?;
        return Err(call.mismatch("NULL_TYPE").param("functionName", "`map_contains_key`"));
    }
    let differ = |call: &Call| {
        call.mismatch("MAP_FUNCTION_DIFF_TYPES")
            .param("functionName", "`map_contains_key`")
            .param("dataType", "\"MAP\"")
            .param("leftType", format!("\"{}\"", call.args[0].ty.sql()))
            .param("rightType", format!("\"{}\"", call.args[1].ty.sql()))
    };
    let Ok((key, value, nulls)) = map_type(&call, 0) else { return Err(differ(&call)) };
    let options;
    let common = match super::array::other_collation(&key, &call.args[1].ty) {
        true => None,
        false => super::array::common_element(&key, &call.args[1].ty, call.settings),
    };
    match common {
        Some(common) => {
            call.args[1] = coerce::cast_implicitly(&call.args[1], &common, call.settings);
            options = super::array::by_element(&call, &common);
            let map = DataType::map(common, value, nulls);
            call.args[0] = coerce::cast_implicitly(&call.args[0], &map, call.settings);
        }
        None => {
            return Err(differ(&call));
        }
    }
    Ok(call.kernel_with(&KERNELS[2], options, DataType::Boolean, true).named(name))
}

fn entries(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.typed_null(0, Expected::Map)?;
    let (key, value, nulls) = map_type(&call, 0)?;
    let fields = vec![StructField::new("key", key, false), StructField::new("value", value, nulls)];
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&KERNELS[3], DataType::array(DataType::Struct(StructType::new(fields)), false), nullable))
}

fn from_arrays(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    for i in 0..2 {
        call.typed_null(i, Expected::Array)?;
        super::array::expect_array(&call, i)?;
    }
    let (key, value) = (element(&call.args[0].ty), element(&call.args[1].ty));
    check_key(&call, &key)?;
    let ty = DataType::map(key, value, contains_null(&call.args[1].ty));
    let (name, nullable) = (call.display_name(), call.any_nullable());
    Ok(build(call, &KERNELS[4], ty, nullable, name))
}

fn from_entries(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let pair = match element(&call.args[0].ty) {
        DataType::Struct(s) if s.fields.len() == 2 => s,
        _ => return Err(call.unexpected_type(0, "\"ARRAY\" of pair \"STRUCT\"")),
    };
    check_key(&call, &pair.fields[0].data_type)?;
    let ty = DataType::map(pair.fields[0].data_type.clone(), pair.fields[1].data_type.clone(), pair.fields[1].nullable);
    let nullable = call.args[0].nullable || contains_null(&call.args[0].ty);
    let name = call.display_name();
    Ok(build(call, &KERNELS[5], ty, nullable, name))
}

fn keys(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.typed_null(0, Expected::Map)?;
    let (key, value, _) = map_type(&call, 0)?;
    let nullable = call.args[0].nullable;
    // To Spark's types both may hold nulls, whatever the map says.
    if call.name == "map_keys" {
        return Ok(call.kernel(&KERNELS[6], DataType::array(key, true), nullable));
    }
    Ok(call.kernel(&KERNELS[7], DataType::array(value, true), nullable))
}

fn str_to_map(mut call: Call) -> Result<Typed> {
    call.arity(1..=3)?;
    for default in [",", ":"].iter().skip(call.args.len() - 1) {
        call.args.push(Typed::new(lit(*default), DataType::STRING, false, *default));
    }
    let name = call.display_name();
    for i in 0..3 {
        super::rows::strict(&mut call, i, Expected::String)?;
    }
    let collation = super::collation::unify(&mut call, &[0, 1, 2])?;
    let name = if collation.is_some() { call.display_name() } else { name };
    super::collation::determined(&collation).map_err(|e| e.at(call.origin.as_ref()))?;
    // Blanks at the end count where maps are made of pieces, and case where accents do not.
    if collation.as_deref().is_some_and(|n| n.ends_with("_RTRIM") || n.contains("_AI") && !n.contains("_CI")) {
        return Err(call.unexpected_type(0, "\"STRING\""));
    }
    let text = super::collation::string_type(&collation);
    let ty = DataType::map(text.clone(), text, true);
    let nullable = call.any_nullable();
    Ok(build(call, &KERNELS[8], ty, nullable, name))
}

fn eval_map(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let columns = (0..args.args.len()).map(|i| Column::of(args, i)).collect::<DfResult<Vec<_>>>()?;
    let side = |from: usize| columns.iter().skip(from).step_by(2).map(|c| Arc::clone(&c.array)).collect::<Vec<_>>();
    let mut out = MapPicks::of(args, side(0), side(1))?;
    for row in 0..row_count(args) {
        for (i, pair) in columns.chunks_exact(2).enumerate() {
            out.push((i, pair[0].at(row)), Some((i, pair[1].at(row))))?;
        }
        out.close();
    }
    out.finish(args)
}

fn eval_concat(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let maps = (0..args.args.len()).map(|i| Lists::of(args, i)).collect::<DfResult<Vec<_>>>()?;
    let keys = maps.iter().map(|m| Arc::clone(m.values())).collect();
    let values: Option<Vec<ArrayRef>> = maps.iter().map(|m| m.map_values().map(Arc::clone)).collect();
    let Some(values) = values else { return internal_err!("map_concat of something else") };
    let mut out = MapPicks::of(args, keys, values)?;
    for row in 0..row_count(args) {
        let parts: Option<Vec<_>> = maps.iter().map(|m| m.get(row)).collect();
        let Some(parts) = parts else {
            out.close_null();
            continue;
        };
        for (source, range) in parts.into_iter().enumerate() {
            for i in range {
                out.push((source, i), Some((source, i)))?;
            }
        }
        out.close();
    }
    out.finish(args)
}

fn eval_contains_key(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (maps, key) = (Lists::of(args, 0)?, Column::of(args, 1)?);
    let rows = super::array::keys_of(args, &[maps.values(), &key.array])?;
    booleans(args, |row| {
        let Some(mut range) = maps.get(row).filter(|_| !key.is_null(row)) else { return Ok(None) };
        let wanted = rows[1].row(key.at(row));
        Ok(Some(range.any(|i| rows[0].row(i) == wanted)))
    })
}

/// A map's entries without nulls in front of or behind the offsets that count.
fn eval_entries(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let column = Column::of(args, 0)?;
    let map = column.array.as_map();
    let Arrow::List(field) = args.return_type() else { return internal_err!("map_entries makes lists") };
    let Arrow::Struct(fields) = field.data_type() else { return internal_err!("map_entries makes structs") };
    let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
    let structs = StructArray::try_new(fields.clone(), columns, None)?;
    let list = ListArray::try_new(Arc::clone(field), map.offsets().clone(), Arc::new(structs), map.nulls().cloned())?;
    finish(args, Arc::new(list))
}

fn eval_part(args: &KernelArgs, part: usize) -> DfResult<ColumnarValue> {
    let column = Column::of(args, 0)?;
    let map = column.array.as_map();
    let values = if part == 0 { map.keys() } else { map.values() };
    let field = list_field(values.data_type().clone());
    let list = ListArray::try_new(field, map.offsets().clone(), Arc::clone(values), map.nulls().cloned())?;
    finish(args, Arc::new(list))
}

fn eval_from_arrays(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (keys, values) = (Lists::of(args, 0)?, Lists::of(args, 1)?);
    let mut out = MapPicks::of(args, vec![Arc::clone(keys.values())], vec![Arc::clone(values.values())])?;
    for row in 0..row_count(args) {
        let Some((k, v)) = keys.get(row).zip(values.get(row)) else {
            out.close_null();
            continue;
        };
        if k.len() != v.len() {
            return fail(Error::runtime("_LEGACY_ERROR_TEMP_2128").with_message("A map needs as many values as keys."));
        }
        for (k, v) in k.zip(v) {
            out.push((0, k), Some((0, v)))?;
        }
        out.close();
    }
    out.finish(args)
}

fn eval_from_entries(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let lists = Lists::of(args, 0)?;
    let structs = lists.values().as_struct();
    let mut out = MapPicks::of(args, vec![Arc::clone(structs.column(0))], vec![Arc::clone(structs.column(1))])?;
    for row in 0..row_count(args) {
        // A null entry makes the whole map null.
        match lists.get(row).filter(|r| r.clone().all(|i| structs.is_valid(i))) {
            None => out.close_null(),
            Some(range) => {
                for i in range {
                    out.push((0, i), Some((0, i)))?;
                }
                out.close();
            }
        }
    }
    out.finish(args)
}

/// The pieces of a text, cut by a collation or by a regular expression.
fn pieces<'a>(
    text: &'a str,
    separator: &str,
    collation: Option<&Collation>,
    ignore_case: bool,
) -> DfResult<Vec<&'a str>> {
    match collation {
        Some(collation) => Ok(split_in(collation, text, separator)),
        None => split(text, separator, ignore_case),
    }
}

/// The pieces between what a collation takes for the separator.
fn split_in<'a>(collation: &Collation, text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some((start, end)) = collation.find(text, separator, from).filter(|(start, end)| start < end) {
        parts.push(&text[from..start]);
        from = end;
    }
    parts.push(&text[from..]);
    parts
}

/// A Java-flavoured separator: cut at every match, an empty one between characters.
fn split<'a>(text: &'a str, separator: &str, ignore_case: bool) -> DfResult<Vec<&'a str>> {
    let plain = !ignore_case && separator.chars().all(|c| !"\\^$.|?*+()[]{}".contains(c));
    let mut parts: Vec<&str> = if plain && !separator.is_empty() {
        text.split(separator).collect()
    } else {
        let regex =
            fancy_regex::Regex::new(&format!("{}{separator}", if ignore_case { "(?i)" } else { "" })).map_err(|e| {
                crate::error::external(
                    Error::runtime("INVALID_PARAMETER_VALUE.PATTERN")
                        .param("parameter", "regexp")
                        .param("functionName", "`str_to_map`")
                        .param("value", format!("'{separator}'"))
                        .with_message(e.to_string()),
                )
            })?;
        let mut parts = Vec::new();
        let mut from = 0;
        for found in regex.find_iter(text).filter_map(Result::ok) {
            if found.end() == 0 || (found.start() == found.end() && found.end() == text.len()) {
                continue;
            }
            parts.push(&text[from..found.start()]);
            from = found.end();
        }
        parts.push(&text[from..]);
        parts
    };
    if parts.is_empty() {
        parts.push(text);
    }
    Ok(parts)
}

/// Keys and values of one map.
type Entries = Vec<(String, Option<String>)>;

fn eval_str_to_map(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (texts, pairs, kv) = (Text::of(args, 0)?, Text::of(args, 1)?, Text::of(args, 2)?);
    let ignore_case = args.extra().contains(" UTF8_LCASE");
    let collation = args.extra().split_once(' ').filter(|(_, name)| !name.starts_with("UTF8_"));
    let collation = collation.map(|(_, name)| Collation::named(name)).transpose().map_err(crate::error::external)?;
    let mut rows: Vec<Option<Entries>> = Vec::new();
    for row in 0..row_count(args) {
        let Some(((text, pairs), kv)) = texts.get(row).zip(pairs.get(row)).zip(kv.get(row)) else {
            rows.push(None);
            continue;
        };
        let mut entries = Vec::new();
        for pair in pieces(text, pairs, collation.as_ref(), ignore_case)? {
            let parts = pieces(pair, kv, collation.as_ref(), ignore_case)?;
            let key = parts[0].to_string();
            let value = (parts.len() > 1).then(|| {
                let from = parts[1].as_ptr() as usize - pair.as_ptr() as usize;
                pair[from..].to_string()
            });
            entries.push((key, value));
        }
        rows.push(Some(entries));
    }
    string_maps(args, rows)
}

/// Maps of strings as the kernel's result.
fn string_maps(args: &KernelArgs, rows: Vec<Option<Entries>>) -> DfResult<ColumnarValue> {
    let all = || rows.iter().flatten().flatten();
    let keys: ArrayRef = Arc::new(all().map(|(k, _)| Some(k.as_str())).collect::<arrow::array::StringArray>());
    let values: ArrayRef = Arc::new(all().map(|(_, v)| v.as_deref()).collect::<arrow::array::StringArray>());
    let mut out = MapPicks::of(args, vec![keys], vec![values])?;
    let mut next = 0;
    for row in &rows {
        let Some(entries) = row else {
            out.close_null();
            continue;
        };
        for _ in entries {
            out.push((0, next), Some((0, next)))?;
            next += 1;
        }
        out.close();
    }
    out.finish(args)
}

/// The entries of maps as lists of structs with the given field names and types, one list a map.
pub fn entries_lists(map: &arrow::array::MapArray, ty: &Arrow) -> DfResult<ArrayRef> {
    let Arrow::List(field) = ty else { return internal_err!("expected a list type, found {ty}") };
    let Arrow::Struct(fields) = field.data_type() else { return internal_err!("expected a list of structs") };
    let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
    let structs = StructArray::try_new(fields.clone(), columns, None)?;
    let valid = (0..map.len()).map(|i| map.is_valid(i)).collect();
    list_array(Arc::new(structs), map.offsets().to_vec(), valid)
}
