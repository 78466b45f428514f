//! Evaluation of XPath expressions.

use super::dom::{Document, Id, Kind};
use super::xpath_parse::{Axis, Expr, Path, Step, Test};
use crate::families::text_data::number::write_double;

/// A node, or an attribute of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    pub id: Id,
    /// Place among the attributes.
    pub attribute: Option<usize>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Nodes(Vec<Node>),
    Bool(bool),
    Number(f64),
    Text(String),
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
struct Context<'a> {
    doc: &'a Document,
    node: Node,
    position: usize,
    size: usize,
}

/// The value of `expr` for the whole document; `None` if it calls what is not there.
pub fn evaluate(doc: &Document, expr: &Expr) -> Option<Value> {
    eval(&Context { doc, node: element(0), position: 1, size: 1 }, expr)
}

fn element(id: Id) -> Node {
    Node { id, attribute: None }
}

/// The text of a node as XPath has it.
fn string_value(doc: &Document, node: Node) -> String {
    match node.attribute {
        Some(i) => doc.attributes(node.id).nth(i).map_or(String::new(), |(_, v)| v.to_string()),
        None => doc.string_value(node.id),
    }
}

/// The node's own value: none for elements.
pub fn node_value(doc: &Document, node: Node) -> Option<String> {
    match (&doc.nodes[node.id].kind, node.attribute) {
        (_, Some(_)) => Some(string_value(doc, node)),
        (Kind::Text(text) | Kind::Comment(text), None) => Some(text.clone()),
        _ => None,
    }
}

impl Value {
    /// As `boolean()`.
    pub fn boolean(&self) -> bool {
        match self {
            Value::Nodes(nodes) => !nodes.is_empty(),
            Value::Bool(v) => *v,
            Value::Number(v) => *v != 0.0 && !v.is_nan(),
            Value::Text(v) => !v.is_empty(),
        }
    }

    /// As `string()`.
    pub fn text(&self, doc: &Document) -> String {
        match self {
            Value::Nodes(nodes) => nodes.first().map_or(String::new(), |n| string_value(doc, *n)),
            Value::Bool(v) => v.to_string(),
            Value::Number(v) if v.fract() == 0.0 && v.abs() < 1e15 => format!("{}", *v as i64),
            Value::Number(v) => {
                let mut out = String::new();
                write_double(*v, &mut out);
                out
            }
            Value::Text(v) => v.clone(),
        }
    }

    /// As `number()`.
    pub fn number(&self, doc: &Document) -> f64 {
        match self {
            Value::Number(v) => *v,
            Value::Bool(v) => f64::from(u8::from(*v)),
            other => parse_number(&other.text(doc)),
        }
    }
}

fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if plain { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

fn eval(c: &Context, expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::Number(v) => Value::Number(*v),
        Expr::Text(v) => Value::Text(v.clone()),
        Expr::Negative(inner) => Value::Number(-eval(c, inner)?.number(c.doc)),
        Expr::Binary(op, left, right) => binary(c, op, left, right)?,
        Expr::Path(path) => Value::Nodes(follow(c, path)?),
        Expr::Call(name, args) => call(c, name, args)?,
        Expr::Filter { base, predicates, steps } => {
            let Value::Nodes(mut nodes) = eval(c, base)? else { return None };
            for predicate in predicates {
                nodes = keep(c.doc, nodes, predicate)?;
            }
            Value::Nodes(walk(c.doc, nodes, steps)?)
        }
    })
}

fn binary(c: &Context, op: &str, left: &Expr, right: &Expr) -> Option<Value> {
    if op == "or" || op == "and" {
        let first = eval(c, left)?.boolean();
        return Some(Value::Bool(if first == (op == "or") { first } else { eval(c, right)?.boolean() }));
    }
    let (a, b) = (eval(c, left)?, eval(c, right)?);
    let arithmetic = |f: fn(f64, f64) -> f64| Value::Number(f(a.number(c.doc), b.number(c.doc)));
    Some(match op {
        "+" => arithmetic(|a, b| a + b),
        "-" => arithmetic(|a, b| a - b),
        "*" => arithmetic(|a, b| a * b),
        "div" => arithmetic(|a, b| a / b),
        "mod" => arithmetic(|a, b| a % b),
        "|" => match (a, b) {
            (Value::Nodes(mut a), Value::Nodes(b)) => {
                a.extend(b);
                a.sort_unstable();
                a.dedup();
                Value::Nodes(a)
            }
            _ => return None,
        },
        op => Value::Bool(compare(c.doc, op, &a, &b)),
    })
}

/// A comparison with a set of nodes holds if it does for any of them.
fn compare(doc: &Document, op: &str, a: &Value, b: &Value) -> bool {
    let texts = |nodes: &[Node]| nodes.iter().map(|n| Value::Text(string_value(doc, *n))).collect::<Vec<_>>();
    match (a, b) {
        (Value::Bool(_), Value::Nodes(_)) | (Value::Nodes(_), Value::Bool(_)) => {
            compare(doc, op, &Value::Bool(a.boolean()), &Value::Bool(b.boolean()))
        }
        (Value::Nodes(nodes), other) => texts(nodes).iter().any(|v| compare(doc, op, v, other)),
        (other, Value::Nodes(nodes)) => texts(nodes).iter().any(|v| compare(doc, op, other, v)),
        _ => {
            let equality = matches!(op, "=" | "!=");
            let equal = if equality && matches!((a, b), (Value::Bool(_), _) | (_, Value::Bool(_))) {
                a.boolean() == b.boolean()
            } else if equality && !matches!((a, b), (Value::Number(_), _) | (_, Value::Number(_))) {
                a.text(doc) == b.text(doc)
            } else {
                let (a, b) = (a.number(doc), b.number(doc));
                return match op {
                    "=" => a == b,
                    "!=" => a != b,
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    _ => a >= b,
                };
            };
            equal == (op == "=")
        }
    }
}

fn follow(c: &Context, path: &Path) -> Option<Vec<Node>> {
    walk(c.doc, vec![if path.absolute { element(0) } else { c.node }], &path.steps)
}

fn walk(doc: &Document, mut nodes: Vec<Node>, steps: &[Step]) -> Option<Vec<Node>> {
    for step in steps {
        let mut next = Vec::new();
        for node in nodes {
            let mut found = on_axis(doc, node, step.axis);
            found.retain(|n| passes(doc, *n, step));
            for predicate in &step.predicates {
                found = keep(doc, found, predicate)?;
            }
            next.extend(found);
        }
        next.sort_unstable();
        next.dedup();
        nodes = next;
    }
    Some(nodes)
}

/// The nodes for which the predicate holds; a number is a position.
fn keep(doc: &Document, nodes: Vec<Node>, predicate: &Expr) -> Option<Vec<Node>> {
    let size = nodes.len();
    let mut out = Vec::new();
    for (i, node) in nodes.into_iter().enumerate() {
        let value = eval(&Context { doc, node, position: i + 1, size }, predicate)?;
        let holds = match value {
            Value::Number(v) => v == (i + 1) as f64,
            other => other.boolean(),
        };
        if holds {
            out.push(node);
        }
    }
    Some(out)
}

fn passes(doc: &Document, node: Node, step: &Step) -> bool {
    let kind = &doc.nodes[node.id].kind;
    match (&step.test, node.attribute) {
        (Test::Node, _) => true,
        (Test::Any, Some(_)) => true,
        (Test::Name(name), Some(i)) => doc.attributes(node.id).nth(i).is_some_and(|(n, _)| n == name),
        (_, Some(_)) => false,
        (Test::Any, None) => matches!(kind, Kind::Element { .. }),
        (Test::Name(name), None) => matches!(kind, Kind::Element { .. }) && doc.name(node.id) == name,
        (Test::Text, None) => matches!(kind, Kind::Text(_)),
        (Test::Comment, None) => matches!(kind, Kind::Comment(_)),
    }
}

/// In document order, but nearest first on axes that look back.
fn on_axis(doc: &Document, node: Node, axis: Axis) -> Vec<Node> {
    let id = node.id;
    if node.attribute.is_some() {
        return match axis {
            Axis::Itself | Axis::DescendantOrSelf => vec![node],
            Axis::Parent => vec![element(id)],
            Axis::Ancestor | Axis::AncestorOrSelf => on_axis(doc, element(id), Axis::AncestorOrSelf),
            _ => Vec::new(),
        };
    }
    let descendants = |id: Id| {
        let mut out = Vec::new();
        let mut stack: Vec<Id> = doc.nodes[id].children.iter().rev().copied().collect();
        while let Some(next) = stack.pop() {
            out.push(next);
            stack.extend(doc.nodes[next].children.iter().rev());
        }
        out
    };
    let siblings = || doc.nodes[doc.nodes[id].parent].children.clone();
    let ancestors = || {
        let mut out = Vec::new();
        let mut at = id;
        while at != 0 {
            at = doc.nodes[at].parent;
            out.push(at);
        }
        out
    };
    let ids = match axis {
        Axis::Child => doc.nodes[id].children.clone(),
        Axis::Descendant => descendants(id),
        Axis::DescendantOrSelf => std::iter::once(id).chain(descendants(id)).collect(),
        Axis::Itself => vec![id],
        Axis::Parent => {
            if id == 0 {
                Vec::new()
            } else {
                vec![doc.nodes[id].parent]
            }
        }
        Axis::Ancestor => ancestors(),
        Axis::AncestorOrSelf => std::iter::once(id).chain(ancestors()).collect(),
        Axis::FollowingSibling if id != 0 => siblings().into_iter().filter(|s| *s > id).collect(),
        Axis::PrecedingSibling if id != 0 => siblings().into_iter().rev().filter(|s| *s < id).collect(),
        Axis::FollowingSibling | Axis::PrecedingSibling => Vec::new(),
        Axis::Following => {
            let inside = descendants(id);
            (id + 1..doc.nodes.len()).filter(|n| !inside.contains(n)).collect()
        }
        Axis::Preceding => {
            let above = ancestors();
            (1..id).rev().filter(|n| !above.contains(n)).collect()
        }
        Axis::Attribute => {
            let count = doc.attributes(id).count();
            return (0..count).map(|i| Node { id, attribute: Some(i) }).collect();
        }
    };
    ids.into_iter().map(element).collect()
}

fn call(c: &Context, name: &str, args: &[Expr]) -> Option<Value> {
    let values = args.iter().map(|a| eval(c, a)).collect::<Option<Vec<_>>>()?;
    let own = Value::Nodes(vec![c.node]);
    let text = |i: usize| values.get(i).unwrap_or(&own).text(c.doc);
    let number = |i: usize| values.get(i).unwrap_or(&own).number(c.doc);
    let nodes = |i: usize| match values.get(i) {
        Some(Value::Nodes(nodes)) => Some(nodes),
        _ => None,
    };
    Some(match (name, values.len()) {
        ("last", 0) => Value::Number(c.size as f64),
        ("position", 0) => Value::Number(c.position as f64),
        ("count", 1) => Value::Number(nodes(0)?.len() as f64),
        ("sum", 1) => Value::Number(nodes(0)?.iter().map(|n| parse_number(&string_value(c.doc, *n))).sum()),
        ("string", 0 | 1) => Value::Text(text(0)),
        ("number", 0 | 1) => Value::Number(number(0)),
        ("boolean", 1) => Value::Bool(values[0].boolean()),
        ("not", 1) => Value::Bool(!values[0].boolean()),
        ("true", 0) => Value::Bool(true),
        ("false", 0) => Value::Bool(false),
        ("concat", 2..) => Value::Text((0..values.len()).map(text).collect()),
        ("contains", 2) => Value::Bool(text(0).contains(&text(1))),
        ("starts-with", 2) => Value::Bool(text(0).starts_with(&text(1))),
        ("substring-before", 2) => {
            Value::Text(text(0).split_once(&text(1)).map_or(String::new(), |(before, _)| before.to_string()))
        }
        ("substring-after", 2) => {
            Value::Text(text(0).split_once(&text(1)).map_or(String::new(), |(_, after)| after.to_string()))
        }
        ("substring", 2 | 3) => {
            let start = number(1).round();
            let end = if values.len() == 3 { start + number(2).round() } else { f64::INFINITY };
            let kept = |i: &usize| ((*i + 1) as f64) >= start && ((*i + 1) as f64) < end;
            Value::Text(text(0).chars().enumerate().filter(|(i, _)| kept(i)).map(|(_, c)| c).collect())
        }
        ("string-length", 0 | 1) => Value::Number(text(0).chars().count() as f64),
        ("normalize-space", 0 | 1) => Value::Text(text(0).split_whitespace().collect::<Vec<_>>().join(" ")),
        ("translate", 3) => {
            let (from, to): (Vec<char>, Vec<char>) = (text(1).chars().collect(), text(2).chars().collect());
            let change = |c: char| match from.iter().position(|f| *f == c) {
                Some(i) => to.get(i).copied(),
                None => Some(c),
            };
            Value::Text(text(0).chars().filter_map(change).collect())
        }
        ("floor", 1) => Value::Number(number(0).floor()),
        ("ceiling", 1) => Value::Number(number(0).ceil()),
        ("round", 1) => Value::Number((number(0) + 0.5).floor()),
        ("name" | "local-name", 0 | 1) => {
            let node = if values.is_empty() { Some(c.node) } else { nodes(0)?.first().copied() };
            Value::Text(node.map_or(String::new(), |n| match n.attribute {
                Some(i) => c.doc.attributes(n.id).nth(i).map_or(String::new(), |(name, _)| name.to_string()),
                None => c.doc.name(n.id).to_string(),
            }))
        }
        _ => return None,
    })
}
