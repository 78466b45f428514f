//! `reflect` and its kin. Spark calls any static Java method; there is no JVM here, so the pure static
//! methods of the JDK's everyday classes are given natively, from one table ([`CLASSES`]).

mod boxed;
mod math;
mod objects;
mod value;

use arrow::datatypes::DataType as Arrow;
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use self::value::{Body, Draw, Kind, Method, Value};
use super::rows::{self, row_count};
use crate::call::Call;
use crate::error::fail;
use crate::fold;
use crate::kernel::{Kernel, KernelArgs, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "java_method", build: Build::Scalar(reflect) },
    Function { name: "reflect", build: Build::Scalar(reflect) },
    Function { name: "try_reflect", build: Build::Scalar(reflect) },
];

const REFLECT: Kernel = Kernel::new("reflect", eval);

/// What they run.
pub const KERNELS: &[Kernel] = &[REFLECT];

/// The classes there are, with their methods.
const CLASSES: &[(&str, &[Method])] = &[
    ("java.lang.Math", math::METHODS),
    ("java.lang.StrictMath", math::METHODS),
    ("java.lang.Integer", boxed::INTEGER),
    ("java.lang.Long", boxed::LONG),
    ("java.lang.Short", boxed::SHORT),
    ("java.lang.Byte", boxed::BYTE),
    ("java.lang.Double", boxed::DOUBLE),
    ("java.lang.Float", boxed::FLOAT),
    ("java.lang.Boolean", boxed::BOOLEAN),
    ("java.lang.Character", objects::CHARACTER),
    ("java.lang.String", objects::STRING),
    ("java.math.BigDecimal", objects::BIG_DECIMAL),
    ("java.math.BigInteger", objects::BIG_INTEGER),
    ("java.net.URLDecoder", objects::URL_DECODER),
    ("java.net.URLEncoder", objects::URL_ENCODER),
    ("java.time.LocalDate", objects::LOCAL_DATE),
    ("java.util.Objects", objects::OBJECTS),
    ("java.util.UUID", objects::UUID),
];

/// The types an argument may have, as Spark words them.
const TAKEN: &str =
    "(\"BOOLEAN\" or \"TINYINT\" or \"SMALLINT\" or \"INT\" or \"BIGINT\" or \"FLOAT\" or \"DOUBLE\" or \"STRING\")";

fn methods_of(class: &str) -> Option<&'static [Method]> {
    CLASSES.iter().find(|(name, _)| *name == class).map(|(_, methods)| *methods)
}

/// The first method of that name that takes arguments of these kinds.
fn find(class: &str, name: &str, kinds: &[Kind]) -> Option<&'static Method> {
    methods_of(class)?.iter().find(|m| m.name == name && m.takes(kinds))
}

fn reflect(mut call: Call) -> Result<Typed> {
    let shown = call.display_name();
    let tolerant = call.name == "try_reflect";
    if tolerant {
        call.in_errors("reflect");
    }
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1").nowhere());
    }
    let class = constant(&call, 0, "class")?;
    let name = constant(&call, 1, "method")?;
    let mut kinds = Vec::new();
    for i in 2..call.args.len() {
        kinds.push(Kind::of(&call.args[i].ty).ok_or_else(|| call.unexpected_type(i, TAKEN))?);
    }
    if methods_of(&class).is_none() {
        return Err(call.mismatch("UNEXPECTED_CLASS_TYPE").param("className", &class).with_message(format!(
            "{class} is none of the classes whose static methods this server offers; it runs no Java code."
        )));
    }
    let Some(method) = find(&class, &name, &kinds) else {
        return Err(call
            .mismatch("UNEXPECTED_STATIC_METHOD")
            .param("methodName", &name)
            .param("className", &class)
            .with_message(format!("{class} has no static method {name} that takes arguments of these types here.")));
    };
    match method.body {
        Body::Drawn(Draw::Uuid) => Ok(super::random::query_uuid(&call).named(shown)),
        Body::Drawn(Draw::Double) => {
            let drawn = super::random::query_double(&call);
            let text = crate::cast::explicit(&drawn, &DataType::STRING, CastMode::Session, call.settings)?;
            Ok(Typed { nullable: true, ..text }.named(shown))
        }
        Body::Pure(_) => {
            let options = Options { tolerant, ..call.options() }.with_extra(format!("{class} {name}"));
            call.args.drain(..2);
            Ok(call.kernel_with(&REFLECT, options, DataType::STRING, true).named(shown))
        }
    }
}

/// The class or the method: a constant string.
fn constant(call: &Call, i: usize, what: &str) -> Result<String> {
    let arg = &call.args[i];
    if !arg.ty.is_string() || !arg.foldable() {
        return Err(call
            .mismatch("NON_FOLDABLE_INPUT")
            .param("inputName", format!("`{what}`"))
            .param("inputType", "\"STRING\"")
            .param("inputExpr", format!("\"{}\"", arg.name)));
    }
    fold::string(arg).ok_or_else(|| call.mismatch("UNEXPECTED_NULL").param("exprName", format!("`{what}`")))
}

fn eval(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let Some((class, name)) = args.extra().split_once(' ') else { return internal_err!("reflect without a method") };
    let count = row_count(args);
    let columns = args.args.iter().map(|a| a.to_array(count)).collect::<DfResult<Vec<_>>>()?;
    let kinds: Option<Vec<Kind>> = columns.iter().map(|c| arrow_kind(c.data_type())).collect();
    let method = kinds.and_then(|kinds| find(class, name, &kinds));
    let Some(Body::Pure(run)) = method.map(|m| &m.body) else { return internal_err!("no method {class}.{name}") };
    let tolerant = args.options().tolerant;
    rows::strings(args, |row, out| {
        let values = columns.iter().map(|c| Value::at(c, row)).collect::<DfResult<Vec<_>>>()?;
        match run(&values) {
            Some(value) => {
                out.push_str(&value.text());
                Ok(true)
            }
            None if tolerant => Ok(false),
            None => fail(
                Error::new(ErrorKind::Spark, "")
                    .with_message(format!("{class}.{name} throws an exception for its arguments.")),
            ),
        }
    })
}

fn arrow_kind(ty: &Arrow) -> Option<Kind> {
    Some(match ty {
        Arrow::Boolean => Kind::Bool,
        Arrow::Int8 => Kind::Byte,
        Arrow::Int16 => Kind::Short,
        Arrow::Int32 => Kind::Int,
        Arrow::Int64 => Kind::Long,
        Arrow::Float32 => Kind::Float,
        Arrow::Float64 => Kind::Double,
        Arrow::Utf8 => Kind::Text,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(class: &str, name: &str, values: &[Value]) -> String {
        let kinds: Vec<Kind> = values.iter().filter_map(Value::kind).collect();
        match find(class, name, &kinds).map(|m| &m.body) {
            Some(Body::Pure(run)) => run(values).map_or("thrown".into(), |v| v.text()),
            Some(Body::Drawn(_)) => "drawn".into(),
            None => "no method".into(),
        }
    }

    fn t(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn numbers_as_java_has_them() {
        use Value::{Double, Int, Long};
        for (class, name, values, expect) in [
            ("Math", "max", vec![Int(1), Int(2)], "2"),
            ("Math", "max", vec![Int(1), Long(2)], "no method"),
            ("Math", "round", vec![Double(2.5)], "3"),
            ("Math", "floorMod", vec![Int(-7), Int(3)], "2"),
            ("Math", "floorMod", vec![Int(-7), Int(0)], "thrown"),
            ("Math", "addExact", vec![Int(i32::MAX), Int(1)], "thrown"),
            ("Math", "abs", vec![Int(i32::MIN)], "-2147483648"),
            ("Math", "random", vec![], "drawn"),
            ("Integer", "toOctalString", vec![Int(-1)], "37777777777"),
            ("Integer", "parseInt", vec![t("7f"), Int(16)], "127"),
            ("Integer", "parseInt", vec![t("x")], "thrown"),
            ("Integer", "decode", vec![t("-0x10")], "-16"),
            ("Integer", "toString", vec![Int(-255), Int(16)], "-ff"),
            ("Long", "numberOfTrailingZeros", vec![Long(8)], "3"),
            ("Double", "toHexString", vec![Double(0.1)], "0x1.999999999999ap-4"),
            ("Double", "toHexString", vec![Double(1.5)], "0x1.8p0"),
            ("Double", "parseDouble", vec![t("0x1p3")], "8.0"),
            ("Double", "parseDouble", vec![t(" 1.5d ")], "1.5"),
        ] {
            assert_eq!(called(&format!("java.lang.{class}"), name, &values), expect, "{class}.{name} {values:?}");
        }
    }

    #[test]
    fn objects_as_java_has_them() {
        for (class, name, values, expect) in [
            ("java.util.UUID", "fromString", vec![t("1-2-3-4-5")], "00000001-0002-0003-0004-000000000005"),
            ("java.util.UUID", "fromString", vec![t("zzz")], "thrown"),
            ("java.net.URLEncoder", "encode", vec![t("a b&c"), t("UTF-8")], "a+b%26c"),
            ("java.net.URLDecoder", "decode", vec![t("%")], "thrown"),
            ("java.util.Objects", "hashCode", vec![t("ab")], "3105"),
            ("java.util.Objects", "equals", vec![Value::Int(1), Value::Long(1)], "false"),
            ("java.lang.Character", "toUpperCase", vec![Value::Int(97)], "65"),
            ("java.lang.String", "valueOf", vec![Value::Float(1.5)], "1.5"),
            ("java.time.LocalDate", "of", vec![Value::Int(2020), Value::Int(2), Value::Int(30)], "thrown"),
            ("java.time.LocalDate", "parse", vec![t("2020-02-29")], "2020-02-29"),
            ("java.math.BigDecimal", "valueOf", vec![Value::Double(5.5)], "5.5"),
        ] {
            assert_eq!(called(class, name, &values), expect, "{class}.{name} {values:?}");
        }
    }
}
