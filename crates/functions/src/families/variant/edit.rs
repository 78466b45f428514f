//! Changing variants: `variant_insert`, `variant_set`, `variant_delete`, `variant_array_append`,
//! `variant_strip_nulls`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result as SparkResult};

use super::cast::{to_datum, to_node};
use super::decode::View;
use super::encode::Node;
use super::functions::{no_cast, variant_argument};
use super::path::{Step, parse};
use super::shape::castable;
use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{self, Text};
use crate::families::text_data::cells::Cells;
use crate::families::text_data::datum::{Datum, build};
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "variant_insert", build: Build::Scalar(|call| with_value(call, &INSERT, 3)) },
    Function { name: "try_variant_insert", build: Build::Scalar(|call| with_value(call, &INSERT, 3)) },
    Function { name: "variant_set", build: Build::Scalar(|call| with_value(call, &SET, 4)) },
    Function { name: "try_variant_set", build: Build::Scalar(|call| with_value(call, &SET, 4)) },
    Function { name: "variant_array_append", build: Build::Scalar(|call| with_value(call, &APPEND, 3)) },
    Function { name: "try_variant_array_append", build: Build::Scalar(|call| with_value(call, &APPEND, 3)) },
    Function { name: "variant_delete", build: Build::Scalar(delete) },
    Function { name: "variant_strip_nulls", build: Build::Scalar(strip_nulls) },
];

const INSERT: Kernel = Kernel::new("variant_insert", |args| eval_value(args, insert));
const SET: Kernel = Kernel::new("variant_set", |args| eval_value(args, set));
const APPEND: Kernel = Kernel::new("variant_array_append", |args| eval_value(args, append));
const DELETE: Kernel = Kernel::new("variant_delete", eval_delete);
const STRIP: Kernel = Kernel::new("variant_strip_nulls", eval_strip);

/// Kernels of this file.
pub const KERNELS: &[Kernel] = &[INSERT, SET, APPEND, DELETE, STRIP];

fn boolean_literal(value: bool) -> Typed {
    Typed::new(Expr::Literal(ScalarValue::Boolean(Some(value)), None), DataType::Boolean, false, value.to_string())
}

/// Variant, path and value; `variant_set` also takes whether to create what is missing.
fn with_value(mut call: Call, kernel: &'static Kernel, most: usize) -> SparkResult<Typed> {
    call.arity(3..=most)?;
    if most == 4 && call.args.len() == 3 {
        rows::push_default(&mut call, boolean_literal(true));
    }
    variant_argument(&mut call, 0)?;
    rows::strict(&mut call, 1, Expected::String)?;
    if call.args.len() == 4 {
        rows::strict(&mut call, 3, Expected::Type(DataType::Boolean))?;
    }
    let value_type = call.args[2].ty.clone();
    if !castable(&value_type) {
        return Err(no_cast(&call, 2));
    }
    let is_try = call.name.starts_with("try_");
    let nullable = is_try || call.any_nullable();
    let extra = serde_json::to_string(&(value_type, call.name.clone())).unwrap_or_default();
    let options = Options { ansi: !is_try, ..call.options_tz() }.with_extra(extra);
    Ok(call.kernel_with(kernel, options, DataType::Variant, nullable))
}

fn delete(mut call: Call) -> SparkResult<Typed> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1"));
    }
    variant_argument(&mut call, 0)?;
    for i in 1..call.args.len() {
        rows::strict(&mut call, i, Expected::String)?;
    }
    let nullable = call.args[0].nullable;
    Ok(call.kernel(&DELETE, DataType::Variant, nullable))
}

fn strip_nulls(mut call: Call) -> SparkResult<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        rows::push_default(&mut call, boolean_literal(true));
    }
    variant_argument(&mut call, 0)?;
    rows::strict(&mut call, 1, Expected::Type(DataType::Boolean))?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&STRIP, DataType::Variant, nullable))
}

/// Why an edit is not possible.
#[derive(Debug, PartialEq)]
enum Refused {
    DuplicateKey(String),
    /// The step at that place meets a value of another kind.
    Mismatch(usize),
}

type Edit = fn(Node, &[Step], Node, bool) -> std::result::Result<Node, Refused>;

/// A chain of objects and arrays that ends in `value`.
fn chain(steps: &[Step], value: Node) -> Node {
    match steps {
        [] => value,
        [Step::Key(name), rest @ ..] => Node::Object(vec![(name.clone(), chain(rest, value))]),
        [Step::Index(i), rest @ ..] => {
            let mut items = vec![Node::null(); *i];
            items.push(chain(rest, value));
            Node::Array(items)
        }
    }
}

/// Follows `steps` to the last one and lets `last` change what is there; what is missing on the way is
/// made if `create`.
fn descend(
    node: Node,
    steps: &[Step],
    at: usize,
    value: Node,
    create: bool,
    last: fn(Node, &Step, Node, bool, usize) -> std::result::Result<Node, Refused>,
) -> std::result::Result<Node, Refused> {
    let [step, rest @ ..] = steps else { return Ok(node) };
    if rest.is_empty() {
        return last(node, step, value, create, at);
    }
    match (node, step) {
        (Node::Object(mut fields), Step::Key(name)) => {
            match fields.iter_mut().find(|(n, _)| n == name) {
                Some((_, child)) => {
                    let old = std::mem::replace(child, Node::null());
                    *child = descend(old, rest, at + 1, value, create, last)?;
                }
                None if create => fields.push((name.clone(), chain(rest, value))),
                None => {}
            }
            Ok(Node::Object(fields))
        }
        (Node::Array(mut items), Step::Index(i)) => {
            if *i < items.len() {
                let old = std::mem::replace(&mut items[*i], Node::null());
                items[*i] = descend(old, rest, at + 1, value, create, last)?;
            } else if create {
                items.resize(*i, Node::null());
                items.push(chain(rest, value));
            }
            Ok(Node::Array(items))
        }
        _ => Err(Refused::Mismatch(at)),
    }
}

fn insert(node: Node, steps: &[Step], value: Node, _: bool) -> std::result::Result<Node, Refused> {
    descend(node, steps, 0, value, true, |node, step, value, _, at| match (node, step) {
        (Node::Object(mut fields), Step::Key(name)) => {
            if fields.iter().any(|(n, _)| n == name) {
                return Err(Refused::DuplicateKey(name.clone()));
            }
            fields.push((name.clone(), value));
            Ok(Node::Object(fields))
        }
        (Node::Array(mut items), Step::Index(i)) => {
            if *i > items.len() {
                items.resize(*i, Node::null());
            }
            items.insert(*i, value);
            Ok(Node::Array(items))
        }
        _ => Err(Refused::Mismatch(at)),
    })
}

fn set(node: Node, steps: &[Step], value: Node, create: bool) -> std::result::Result<Node, Refused> {
    descend(node, steps, 0, value, create, |node, step, value, create, at| match (node, step) {
        (Node::Object(mut fields), Step::Key(name)) => {
            match fields.iter_mut().find(|(n, _)| n == name) {
                Some((_, child)) => *child = value,
                None if create => fields.push((name.clone(), value)),
                None => {}
            }
            Ok(Node::Object(fields))
        }
        (Node::Array(mut items), Step::Index(i)) => {
            if *i < items.len() {
                items[*i] = value;
            } else if create {
                items.resize(*i, Node::null());
                items.push(value);
            }
            Ok(Node::Array(items))
        }
        _ => Err(Refused::Mismatch(at)),
    })
}

/// A path that leads nowhere changes nothing; one that leads to something else than an array fails.
fn append(node: Node, steps: &[Step], value: Node, _: bool) -> std::result::Result<Node, Refused> {
    fn walk(node: Node, steps: &[Step], at: usize, value: Node) -> std::result::Result<Node, Refused> {
        match (node, steps) {
            (Node::Array(mut items), []) => {
                items.push(value);
                Ok(Node::Array(items))
            }
            (_, []) => Err(Refused::Mismatch(at.saturating_sub(1))),
            (Node::Object(mut fields), [Step::Key(name), rest @ ..]) => {
                if let Some((_, child)) = fields.iter_mut().find(|(n, _)| n == name) {
                    let old = std::mem::replace(child, Node::null());
                    *child = walk(old, rest, at + 1, value)?;
                }
                Ok(Node::Object(fields))
            }
            (Node::Array(mut items), [Step::Index(i), rest @ ..]) => {
                if let Some(child) = items.get_mut(*i) {
                    let old = std::mem::replace(child, Node::null());
                    *child = walk(old, rest, at + 1, value)?;
                }
                Ok(Node::Array(items))
            }
            _ => Err(Refused::Mismatch(at)),
        }
    }
    walk(node, steps, 0, value)
}

fn remove(node: Node, steps: &[Step]) -> Node {
    match (node, steps) {
        (Node::Object(mut fields), [Step::Key(name)]) => {
            fields.retain(|(n, _)| n != name);
            Node::Object(fields)
        }
        (Node::Array(mut items), [Step::Index(i)]) => {
            if *i < items.len() {
                items.remove(*i);
            }
            Node::Array(items)
        }
        (Node::Object(fields), [Step::Key(name), rest @ ..]) => Node::Object(
            fields.into_iter().map(|(n, v)| if n == *name { (n, remove(v, rest)) } else { (n, v) }).collect(),
        ),
        (Node::Array(items), [Step::Index(i), rest @ ..]) => Node::Array(
            items.into_iter().enumerate().map(|(at, v)| if at == *i { remove(v, rest) } else { v }).collect(),
        ),
        (node, _) => node,
    }
}

fn strip(node: Node, arrays: bool) -> Node {
    match node {
        Node::Object(fields) => {
            Node::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(n, v)| (n, strip(v, arrays))).collect())
        }
        Node::Array(items) => {
            Node::Array(items.into_iter().filter(|v| !(arrays && v.is_null())).map(|v| strip(v, arrays)).collect())
        }
        leaf => leaf,
    }
}

fn invalid_path(function: &str, path: &str) -> Error {
    Error::runtime("INVALID_VARIANT_PATH")
        .param("functionName", format!("`{function}`"))
        .param("path", path)
        .with_message(format!("{path} is not a path that {function} can change."))
}

fn steps_of(function: &str, path: &str, root: bool) -> Result<Vec<Step>> {
    match parse(path).filter(|steps| root || !steps.is_empty()) {
        Some(steps) => Ok(steps),
        None => fail(invalid_path(function, path)),
    }
}

/// The path up to and with the step at place `last`, as errors show it.
fn prefix(steps: &[Step], last: Option<usize>) -> String {
    let mut out = "$".to_string();
    for step in steps.iter().take(last.map_or(0, |l| l + 1)) {
        match step {
            Step::Key(name) => out.push_str(&format!(".{name}")),
            Step::Index(i) => out.push_str(&format!("[{i}]")),
        }
    }
    out
}

fn eval_value(args: &KernelArgs, edit: Edit) -> Result<ColumnarValue> {
    let (value_type, function): (DataType, String) = crate::families::text_data::forms::spec(args)?;
    let rows_here = rows::row_count(args);
    let variants = Cells::new(&args.value(0)?.to_array(rows_here)?, &DataType::Variant)?;
    let values = Cells::new(&args.value(2)?.to_array(rows_here)?, &value_type)?;
    let paths = Text::of(args, 1)?;
    let create = if args.args.len() > 3 { Some(args.value(3)?.to_array(rows_here)?) } else { None };
    let create = create.as_ref().map(|c| Cells::new(c, &DataType::Boolean)).transpose()?;
    let mut out = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        let create = match &create {
            Some(Cells::Bool(c)) if !arrow::array::Array::is_null(c, row) => Some(c.value(row)),
            Some(_) => None,
            None => Some(true),
        };
        let (Cells::Variant(_, value, metadata), Some(path), Some(create)) = (&variants, paths.get(row), create) else {
            out.push(Datum::Null);
            continue;
        };
        if variants.is_null(row) || values.is_null(row) {
            out.push(Datum::Null);
            continue;
        }
        let whole = function.ends_with("array_append");
        let steps = steps_of(&function, path, whole)?;
        let node = View::new(value.value(row), metadata.value(row))?.node()?;
        match edit(node, &steps, to_node(&values, row)?, create) {
            Ok(node) => out.push(to_datum(&node)),
            Err(_) if !args.ansi() => out.push(Datum::Null),
            Err(refused) => return fail(explain(refused, &function, path, &steps, whole)),
        }
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &DataType::Variant)?)
}

fn explain(refused: Refused, function: &str, path: &str, steps: &[Step], whole: bool) -> Error {
    match refused {
        Refused::DuplicateKey(key) => Error::runtime("VARIANT_DUPLICATE_KEY")
            .param("key", &key)
            .with_message(format!("The object already has a field named {key}.")),
        Refused::Mismatch(at) => {
            let last = if whole { Some(at).filter(|_| !steps.is_empty()) } else { at.checked_sub(1) };
            Error::runtime("VARIANT_PATH_TYPE_MISMATCH")
                .param("functionName", format!("`{function}`"))
                .param("path", path)
                .param("failedAt", prefix(steps, last))
                .with_message(format!("{path} meets a value of another kind."))
        }
    }
}

fn eval_delete(args: &KernelArgs) -> Result<ColumnarValue> {
    let paths = (1..args.args.len()).map(|i| Text::of(args, i)).collect::<Result<Vec<_>>>()?;
    each(args, |row, mut node| {
        for path in &paths {
            if let Some(path) = path.get(row) {
                node = remove(node, &steps_of("variant_delete", path, false)?);
            }
        }
        Ok(Some(node))
    })
}

fn eval_strip(args: &KernelArgs) -> Result<ColumnarValue> {
    let flags = args.value(1)?.to_array(rows::row_count(args))?;
    let flags = Cells::new(&flags, &DataType::Boolean)?;
    each(args, |row, node| match &flags {
        Cells::Bool(f) if !flags.is_null(row) => Ok(Some(strip(node, f.value(row)))),
        _ => Ok(None),
    })
}

/// Changes every variant that is not null.
fn each(args: &KernelArgs, change: impl Fn(usize, Node) -> Result<Option<Node>>) -> Result<ColumnarValue> {
    let rows_here = rows::row_count(args);
    let variants = Cells::new(&args.value(0)?.to_array(rows_here)?, &DataType::Variant)?;
    let mut out = Vec::with_capacity(rows_here);
    for row in 0..rows_here {
        out.push(match &variants {
            Cells::Variant(_, value, metadata) if !variants.is_null(row) => {
                let node = View::new(value.value(row), metadata.value(row))?.node()?;
                change(row, node)?.map_or(Datum::Null, |node| to_datum(&node))
            }
            _ => Datum::Null,
        });
    }
    let out: Vec<&Datum> = out.iter().collect();
    rows::finish(args, build(&out, &DataType::Variant)?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{hex, text, variant};
    use super::*;

    #[test]
    fn edits() {
        let cases: [(Edit, &str, &str, &str, bool, &str); 12] = [
            (insert, r#"{"a":1}"#, "$.b", "2", true, r#"{"a":1,"b":2}"#),
            (insert, "{}", "$.a.b", "1", true, r#"{"a":{"b":1}}"#),
            (insert, r#"["a","b"]"#, "$[1]", "\"z\"", true, r#"["a","z","b"]"#),
            (insert, r#"["a"]"#, "$[3]", "\"z\"", true, r#"["a",null,null,"z"]"#),
            (insert, r#"{"a":1}"#, "$.a", "2", true, "DuplicateKey(\"a\")"),
            (insert, r#"{"a":1}"#, "$.a.b", "2", true, "Mismatch(1)"),
            (set, r#"{"a":{"b":1}}"#, "$.a.c.d", "2", true, r#"{"a":{"b":1,"c":{"d":2}}}"#),
            (set, r#"{"a":1}"#, "$.b", "2", false, r#"{"a":1}"#),
            (set, "[1,2]", "$[1]", "5", true, "[1,5]"),
            (append, r#"{"a":[1]}"#, "$.a", "2", true, r#"{"a":[1,2]}"#),
            (append, r#"{"a":1}"#, "$.missing", "2", true, r#"{"a":1}"#),
            (append, r#"{"a":1}"#, "$.a", "2", true, "Mismatch(0)"),
        ];
        for (edit, json, path, value, create, expected) in cases {
            let steps = parse(path).unwrap_or_default();
            let got = match edit(variant(json), &steps, variant(value), create) {
                Ok(node) => text(&node),
                Err(refused) => format!("{refused:?}"),
            };
            assert_eq!(got, expected, "{json} {path}");
        }
        assert_eq!(text(&strip(variant(r#"{"a":{"b":null,"c":[1,null]}}"#), true)), r#"{"a":{"c":[1]}}"#);
    }

    #[test]
    fn encodes_in_order_of_insertion() {
        let steps = parse("$.a.c.d").unwrap_or_default();
        let Ok(node) = set(variant(r#"{"a": {"b": 1}}"#), &steps, Node::int(2), true) else { panic!() };
        let (value, metadata) = node.encode();
        assert_eq!(hex(&value), "0201000010020201020002090c0102010300020c02");
        assert_eq!(hex(&metadata), "0104000102030461626364");
    }
}
