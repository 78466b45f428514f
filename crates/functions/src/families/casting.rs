//! The casts that are called by the name of their type: `int(x)`, `date(x)`.

use spark::Result;
use spark::expr::CastMode;
use spark::types::DataType;

use crate::call::Call;
use crate::cast;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "bigint", build: Build::Scalar(|c| to(c, DataType::Long)) },
    Function { name: "binary", build: Build::Scalar(|c| to(c, DataType::Binary)) },
    Function { name: "boolean", build: Build::Scalar(|c| to(c, DataType::Boolean)) },
    Function { name: "date", build: Build::Scalar(|c| to(c, DataType::Date)) },
    Function { name: "decimal", build: Build::Scalar(|c| to(c, DataType::decimal(10, 0))) },
    Function { name: "double", build: Build::Scalar(|c| to(c, DataType::Double)) },
    Function { name: "float", build: Build::Scalar(|c| to(c, DataType::Float)) },
    Function { name: "int", build: Build::Scalar(|c| to(c, DataType::Integer)) },
    Function { name: "smallint", build: Build::Scalar(|c| to(c, DataType::Short)) },
    Function { name: "string", build: Build::Scalar(|c| to(c, DataType::STRING)) },
    Function { name: "time", build: Build::Scalar(|c| to(c, DataType::Time(6))) },
    Function { name: "timestamp", build: Build::Scalar(timestamp) },
    Function { name: "tinyint", build: Build::Scalar(|c| to(c, DataType::Byte)) },
];

/// Such a cast is not printed.
fn to(call: Call, ty: DataType) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.args[0].name.clone();
    let typed = cast::explicit(&call.args[0], &ty, CastMode::Session, call.settings).map_err(|e| {
        let refused = e.condition().starts_with("DATATYPE_MISMATCH.CAST_");
        let e = if refused { e.param("sqlExpr", format!("\"{name}\"")) } else { e };
        e.at(call.origin.as_ref())
    })?;
    Ok(typed.named(name))
}

fn timestamp(call: Call) -> Result<Typed> {
    // Whatever `TIMESTAMP` means elsewhere in the session.
    to(call, DataType::Timestamp)
}
