//! Values as Java sees them, and methods over them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as Arrow, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::common::{Result as DfResult, internal_err};
use spark::types::DataType;

use crate::cast::format::{double_to_string, float_to_string};

/// The types that arguments have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    Text,
    /// Of parameters only: takes every argument, also null.
    Object,
}

impl Kind {
    /// The kind of an argument of this type, if methods take it.
    pub fn of(ty: &DataType) -> Option<Kind> {
        Some(match ty {
            DataType::Boolean => Kind::Bool,
            DataType::Byte => Kind::Byte,
            DataType::Short => Kind::Short,
            DataType::Integer => Kind::Int,
            DataType::Long => Kind::Long,
            DataType::Float => Kind::Float,
            DataType::Double => Kind::Double,
            DataType::String { .. } => Kind::Text,
            _ => return None,
        })
    }
}

/// A value that goes into or comes out of a method.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Text(String),
}

impl Value {
    /// The value of `row`.
    pub fn at(array: &ArrayRef, row: usize) -> DfResult<Value> {
        if array.is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match array.data_type() {
            Arrow::Boolean => Value::Bool(array.as_boolean().value(row)),
            Arrow::Int8 => Value::Byte(array.as_primitive::<Int8Type>().value(row)),
            Arrow::Int16 => Value::Short(array.as_primitive::<Int16Type>().value(row)),
            Arrow::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row)),
            Arrow::Int64 => Value::Long(array.as_primitive::<Int64Type>().value(row)),
            Arrow::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row)),
            Arrow::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
            Arrow::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_string()),
            other => return internal_err!("methods take no {other}"),
        })
    }

    /// The kind of a value that is not null.
    #[cfg(test)]
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(_) => Kind::Bool,
            Value::Byte(_) => Kind::Byte,
            Value::Short(_) => Kind::Short,
            Value::Int(_) => Kind::Int,
            Value::Long(_) => Kind::Long,
            Value::Float(_) => Kind::Float,
            Value::Double(_) => Kind::Double,
            Value::Text(_) => Kind::Text,
        })
    }

    /// As `String.valueOf` prints it.
    pub fn text(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(v) => v.to_string(),
            Value::Byte(v) => v.to_string(),
            Value::Short(v) => v.to_string(),
            Value::Int(v) => v.to_string(),
            Value::Long(v) => v.to_string(),
            Value::Float(v) => float_to_string(*v),
            Value::Double(v) => double_to_string(*v),
            Value::Text(v) => v.clone(),
        }
    }
}

/// What a method does.
pub enum Body {
    /// Computes from its arguments; `None` where the method throws.
    Pure(fn(&[Value]) -> Option<Value>),
    /// Draws from the query's own generator.
    Drawn(Draw),
}

/// What is drawn.
#[derive(Clone, Copy)]
pub enum Draw {
    Uuid,
    Double,
}

/// A static method.
pub struct Method {
    pub name: &'static str,
    pub parameters: &'static [Kind],
    pub body: Body,
}

impl Method {
    /// True if arguments of these kinds can be passed; Spark widens none of them.
    pub fn takes(&self, kinds: &[Kind]) -> bool {
        self.parameters.len() == kinds.len()
            && self.parameters.iter().zip(kinds).all(|(p, k)| *p == Kind::Object || p == k)
    }
}

/// A parameter's type.
pub trait Parameter: Sized {
    const KIND: Kind;
    /// `None` for what cannot be passed: null for a primitive.
    fn of(value: &Value) -> Option<Self>;
}

/// What a method's body comes to.
pub trait Outcome {
    /// `None` if it throws.
    fn outcome(self) -> Option<Value>;
}

macro_rules! plain {
    ($($ty:ty => $kind:ident),*) => {
        $(
            impl Parameter for $ty {
                const KIND: Kind = Kind::$kind;
                fn of(value: &Value) -> Option<Self> {
                    if let Value::$kind(v) = value { Some(v.clone()) } else { None }
                }
            }
            impl Outcome for $ty {
                fn outcome(self) -> Option<Value> {
                    Some(Value::$kind(self))
                }
            }
        )*
    };
}

plain!(bool => Bool, i8 => Byte, i16 => Short, i32 => Int, i64 => Long, f32 => Float, f64 => Double, String => Text);

impl Parameter for Value {
    const KIND: Kind = Kind::Object;
    fn of(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl Outcome for Value {
    fn outcome(self) -> Option<Value> {
        Some(self)
    }
}

impl<T: Outcome> Outcome for Option<T> {
    fn outcome(self) -> Option<Value> {
        self.and_then(T::outcome)
    }
}

/// A row of a table: the method's name and its body, whose parameters' types are Java's.
macro_rules! method {
    ($name:literal, |$($arg:ident: $ty:ty),*| $body:expr) => {
        $crate::families::reflect::value::Method {
            name: $name,
            parameters: &[$(<$ty as $crate::families::reflect::value::Parameter>::KIND),*],
            body: $crate::families::reflect::value::Body::Pure(|values| {
                let [$($arg),*] = values else { return None };
                $(let $arg = <$ty as $crate::families::reflect::value::Parameter>::of($arg)?;)*
                $crate::families::reflect::value::Outcome::outcome($body)
            }),
        }
    };
}
pub(super) use method;
