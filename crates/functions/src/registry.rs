//! The registry: every function by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::logical_expr::Expr;
use spark::Result;
use spark::types::DataType;

use crate::aggregate::AggregateKernel;
use crate::call::Call;
use crate::families;
use crate::hof::HofKernel;
use crate::kernel::Kernel;
use crate::typed::Typed;

/// A function a user can call.
pub struct Function {
    /// Lower case; also what Spark prints unless the definition says otherwise.
    pub name: &'static str,
    pub build: Build,
}

/// How a call is typed, by kind of function.
pub enum Build {
    /// One value for each row.
    Scalar(fn(Call) -> Result<Typed>),
    /// One value for each group. The result holds `Expr::AggregateFunction` nodes, possibly under
    /// scalar expressions; the analyzer takes them apart.
    Aggregate(fn(Call) -> Result<Typed>),
    /// Only meaningful with `OVER`. The result is an `Expr::WindowFunction` with an empty window that
    /// the analyzer fills in.
    Window(fn(Call) -> Result<Typed>),
    /// Any number of rows for each row.
    Generator(fn(Call) -> Result<Generator>),
    /// Takes lambdas.
    Lambda(fn(LambdaCall) -> Result<Typed>),
}

/// A generator: an expression that yields a list with one struct for each row produced.
#[derive(Clone)]
pub struct Generator {
    /// `List<Struct<columns…>>`; null or empty for no rows.
    pub list: Expr,
    /// Output columns: default name, type, nullability.
    pub columns: Vec<(String, DataType, bool)>,
    /// `explode_outer` and the like: a row of nulls where there would be none.
    pub outer: bool,
    /// As printed.
    pub name: String,
}

/// An argument of a higher-order function before its lambdas are typed.
pub enum LambdaArg<'a> {
    Value(Typed),
    /// To be typed with [`LambdaCall::lambda`] once the parameter types are known.
    Lambda(&'a spark::Expr),
}

/// A typed lambda: `Expr::Lambda` with the type of its body.
pub struct TypedLambda {
    pub expr: Expr,
    pub ty: DataType,
    pub nullable: bool,
    /// `lambdafunction(body, params…)`.
    pub name: String,
    pub parameters: usize,
}

/// A call of a higher-order function.
pub struct LambdaCall<'a> {
    pub name: String,
    pub args: Vec<LambdaArg<'a>>,
    pub settings: &'a spark::Settings,
    pub origin: Option<std::sync::Arc<spark::Origin>>,
    /// Types a lambda for parameters of these types (and nullability).
    #[allow(clippy::type_complexity)]
    pub resolve: &'a mut dyn FnMut(&spark::Expr, &[(DataType, bool)]) -> Result<TypedLambda>,
}

impl LambdaCall<'_> {
    /// Argument `i` as a value.
    pub fn value(&self, i: usize) -> Option<&Typed> {
        match self.args.get(i) {
            Some(LambdaArg::Value(typed)) => Some(typed),
            _ => None,
        }
    }

    /// Types argument `i`, which must be a lambda, for parameters of these types.
    ///
    /// # Errors
    /// As the body; `None` in the result if the argument is not a lambda.
    pub fn lambda(&mut self, i: usize, params: &[(DataType, bool)]) -> Result<Option<TypedLambda>> {
        match self.args.get(i) {
            Some(LambdaArg::Lambda(expr)) => (self.resolve)(expr, params).map(Some),
            _ => Ok(None),
        }
    }

    /// Where the lambda in place `i` is written.
    pub fn lambda_origin(&self, i: usize) -> Option<&std::sync::Arc<spark::Origin>> {
        match self.args.get(i) {
            Some(LambdaArg::Lambda(spark::Expr::At { origin, .. })) => Some(origin),
            _ => None,
        }
    }

    /// The number of parameters of the lambda in place `i`, `None` if it is not one.
    pub fn lambda_parameters(&self, i: usize) -> Option<usize> {
        match self.args.get(i) {
            Some(LambdaArg::Lambda(expr)) => match expr.unpositioned() {
                spark::Expr::Lambda { params, .. } => Some(params.len()),
                _ => None,
            },
            _ => None,
        }
    }
}

static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| families::FUNCTIONS.iter().flat_map(|f| f.iter()).map(|f| (f.name, f)).collect());

static KERNELS: LazyLock<HashMap<&'static str, &'static Kernel>> =
    LazyLock::new(|| families::KERNELS.iter().flat_map(|k| k.iter()).map(|k| (k.name, k)).collect());

static AGGREGATE_KERNELS: LazyLock<HashMap<&'static str, &'static AggregateKernel>> =
    LazyLock::new(|| families::AGGREGATE_KERNELS.iter().flat_map(|k| k.iter()).map(|k| (k.name, k)).collect());

static HOF_KERNELS: LazyLock<HashMap<&'static str, &'static HofKernel>> =
    LazyLock::new(|| families::HOF_KERNELS.iter().flat_map(|k| k.iter()).map(|k| (k.name, k)).collect());

/// The function of that name; case does not matter.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name).or_else(|| FUNCTIONS.get(name.to_ascii_lowercase().as_str())).copied()
}

/// The kernel of that name.
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    KERNELS.get(name).copied()
}

/// The aggregate kernel of that name.
pub fn aggregate_kernel(name: &str) -> Option<&'static AggregateKernel> {
    AGGREGATE_KERNELS.get(name).copied()
}

/// The higher-order kernel of that name.
pub fn hof_kernel(name: &str) -> Option<&'static HofKernel> {
    HOF_KERNELS.get(name).copied()
}

/// All function names, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = FUNCTIONS.keys().copied().filter(|n| !n.starts_with('$')).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let functions: usize = families::FUNCTIONS.iter().map(|f| f.len()).sum();
        assert_eq!(functions, FUNCTIONS.len(), "two functions of one name");
        let kernels: usize = families::KERNELS.iter().map(|k| k.len()).sum();
        assert_eq!(kernels, KERNELS.len(), "two kernels of one name");
        let aggregates: usize = families::AGGREGATE_KERNELS.iter().map(|k| k.len()).sum();
        assert_eq!(aggregates, AGGREGATE_KERNELS.len(), "two aggregate kernels of one name");
    }
}
