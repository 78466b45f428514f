//! Aggregates that pandas on Spark asks for by names of its own: those of SQL with the degrees of freedom as
//! an argument.

use spark::{Error, Result};

use crate::call::Call;
use crate::fold;
use crate::registry::{self, Build, Function};
use crate::typed::Typed;

/// Functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "pandas_stddev", build: Build::Aggregate(by_freedom) },
    Function { name: "pandas_var", build: Build::Aggregate(by_freedom) },
    Function { name: "pandas_covar", build: Build::Aggregate(by_freedom) },
    Function { name: "pandas_product", build: Build::Aggregate(product) },
];

/// A spread over the number of values less the last argument.
fn by_freedom(call: Call) -> Result<Typed> {
    let values = if call.name == "pandas_covar" { 2 } else { 1 };
    call.arity(values + 1..=values + 1)?;
    let freedom = fold::integer(&call.args[values]);
    let target = match (call.name.as_str(), freedom) {
        ("pandas_stddev", Some(0)) => "stddev_pop",
        ("pandas_stddev", Some(1)) => "stddev_samp",
        ("pandas_var", Some(0)) => "var_pop",
        ("pandas_var", Some(1)) => "var_samp",
        ("pandas_covar", Some(0)) => "covar_pop",
        ("pandas_covar", Some(1)) => "covar_samp",
        (name, _) => return Err(Error::unsupported(format!("{name} with other degrees of freedom than 0 and 1"))),
    };
    as_function(call, target, values)
}

/// The product of the values that are not null.
fn product(call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    match call.args[1].literal() {
        Some(datafusion::scalar::ScalarValue::Boolean(Some(true))) => as_function(call, "product", 1),
        _ => Err(Error::unsupported("pandas_product that is null where one value is")),
    }
}

/// The call as one of `target` with the first arguments.
fn as_function(mut call: Call, target: &str, arguments: usize) -> Result<Typed> {
    let name = call.display_name();
    let Some(Build::Aggregate(build)) = registry::function(target).map(|f| &f.build) else {
        return Err(Error::internal(format!("{target} is no aggregate")));
    };
    call.name = target.to_string();
    call.args.truncate(arguments);
    call.arg_names.truncate(arguments);
    Ok(build(call)?.named(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark::settings::Settings;
    use spark::types::DataType;

    #[test]
    fn the_degrees_of_freedom_choose_the_function() {
        let settings = Settings::default();
        for (freedom, expect) in [(0, true), (1, true), (2, false)] {
            let value = Typed::null(DataType::Double);
            let ddof =
                Typed::new(datafusion::logical_expr::lit(freedom), DataType::Integer, false, freedom.to_string());
            let made = by_freedom(Call::new("pandas_var", vec![value, ddof], &settings));
            assert_eq!(made.is_ok(), expect, "{freedom}");
        }
    }
}
