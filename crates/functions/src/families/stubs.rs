//! Functions of data sources that are separate packages of Spark: without the package they are refused
//! by name, here as there.

use spark::types::DataType;
use spark::{Error, Result};

use crate::call::Call;
use crate::fold;
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "from_avro", build: Build::Scalar(|call| avro(&call, 2..=3)) },
    Function { name: "to_avro", build: Build::Scalar(|call| avro(&call, 1..=2)) },
    Function { name: "schema_of_avro", build: Build::Scalar(|call| avro(&call, 1..=2)) },
    Function { name: "from_protobuf", build: Build::Scalar(|call| protobuf(&call)) },
    Function { name: "to_protobuf", build: Build::Scalar(|call| protobuf(&call)) },
];

fn avro(call: &Call, arity: std::ops::RangeInclusive<usize>) -> Result<Typed> {
    call.arity(arity)?;
    Err(not_loaded(call, "AVRO_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE"))
}

fn protobuf(call: &Call) -> Result<Typed> {
    call.arity(2..=4)?;
    if call.name == "to_protobuf" && !matches!(call.args[0].ty, DataType::Struct(_)) {
        return Err(call.mismatch("NON_STRUCT_TYPE").param("inputType", format!("\"{}\"", call.args[0].ty.sql())));
    }
    match call.args.get(2).filter(|a| a.ty.is_string()).and_then(fold::string) {
        Some(path) => Err(Error::analysis("PROTOBUF_DESCRIPTOR_FILE_NOT_FOUND")
            .param("filePath", &path)
            .with_message(format!("There is no descriptor file {path}."))
            .at(call.origin.as_ref())),
        None => Err(not_loaded(call, "PROTOBUF_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE")),
    }
}

fn not_loaded(call: &Call, condition: &str) -> Error {
    let name = call.name.to_uppercase();
    Error::analysis(condition)
        .param("functionName", &name)
        .with_message(format!("{name} needs a data source that this server does not have."))
        .at(call.origin.as_ref())
}
