//! Calls of functions: by name, and Python functions sent inline.

use proto::spark_connect as pb;
use proto::spark_connect::common_inline_user_defined_function::Function;
use spark::expr::{PythonUdf, UnresolvedFunction};
use spark::{Error, Expr, Result};

use super::Reader;
use super::errors::not_set;
use super::names::attribute_parts;

impl Reader {
    /// A call of a function by its name.
    pub(super) fn function(&self, message: pb::expression::UnresolvedFunction) -> Result<Expr> {
        let args = self.exprs(message.arguments)?;
        if message.is_user_defined_function {
            return Ok(call(attribute_parts(&message.function_name)?, args, message.is_distinct, false));
        }
        let is_internal = message.is_internal.unwrap_or(false);
        Ok(match message.function_name.as_str() {
            // What clients call otherwise than the registry does.
            "==" => call(vec!["=".into()], args, message.is_distinct, is_internal),
            "!=" | "<>" => {
                let equal = call(vec!["=".into()], args, message.is_distinct, is_internal);
                call(vec!["not".into()], vec![equal], false, is_internal)
            }
            "isNull" => call(vec!["isnull".into()], args, message.is_distinct, is_internal),
            "isNotNull" => call(vec!["isnotnull".into()], args, message.is_distinct, is_internal),
            _ => call(vec![message.function_name], args, message.is_distinct, is_internal),
        })
    }

    /// `F.call_function`: the name may have several parts.
    pub(super) fn call_function(&self, message: pb::CallFunction) -> Result<Expr> {
        Ok(call(attribute_parts(&message.function_name)?, self.exprs(message.arguments)?, false, false))
    }

    /// A function whose code the client sends.
    pub(super) fn user_function(&self, message: pb::CommonInlineUserDefinedFunction) -> Result<Expr> {
        self.python_udf(message).map(|udf| Expr::PythonUdf(Box::new(udf)))
    }

    /// As [`Reader::user_function`], for a function that must be there.
    pub(super) fn required_function(&self, message: Option<pb::CommonInlineUserDefinedFunction>) -> Result<Expr> {
        self.user_function(message.unwrap_or_default())
    }

    /// A Python function; those of the JVM are refused.
    pub(super) fn python_udf(&self, message: pb::CommonInlineUserDefinedFunction) -> Result<PythonUdf> {
        if message.is_distinct {
            return Err(Error::unsupported("DISTINCT in a user-defined function"));
        }
        let args = self.exprs(message.arguments)?;
        match message.function {
            Some(Function::PythonUdf(udf)) => Ok(PythonUdf {
                name: message.function_name,
                args,
                eval_type: udf.eval_type,
                output_type: self.required_type(udf.output_type.as_ref())?,
                command: udf.command.to_vec(),
                python_version: udf.python_ver,
                deterministic: message.deterministic,
            }),
            Some(Function::ScalarScalaUdf(_)) => Err(Error::unsupported("Scala user-defined function")),
            Some(Function::JavaUdf(_)) => Err(Error::unsupported("Java user-defined function")),
            None => Err(not_set("spark.connect.CommonInlineUserDefinedFunction", "FUNCTION_NOT_SET")),
        }
    }
}

fn call(name: Vec<String>, args: Vec<Expr>, distinct: bool, is_internal: bool) -> Expr {
    Expr::Function(Box::new(UnresolvedFunction { name, args, distinct, is_internal, ..Default::default() }))
}
