//! The one `HigherOrderUDFImpl` behind Spark's functions that take lambdas; the counterpart of
//! [`crate::kernel`].

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType as Arrow, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::HigherOrderFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature, HigherOrderUDF,
    HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda, Volatility,
};

use crate::error::with_context;
use crate::kernel::Options;

/// A named function over Arrow arrays and lambdas.
pub struct HofKernel {
    /// Unique among these; what travels on the wire.
    pub name: &'static str,
    /// Computes the result, of the type in [`HofArgs::return_type`], one value a row.
    pub eval: fn(&HofArgs) -> Result<ArrayRef>,
}

/// A kernel with what analysis decided.
pub struct HofUdf {
    pub kernel: &'static HofKernel,
    pub return_type: Arrow,
    /// The parameter types of each lambda.
    pub params: Vec<Vec<Arrow>>,
    pub options: Options,
    signature: HigherOrderSignature,
}

impl HofUdf {
    pub fn new(kernel: &'static HofKernel, return_type: Arrow, params: Vec<Vec<Arrow>>, options: Options) -> Self {
        let signature = HigherOrderSignature::user_defined(Volatility::Immutable);
        HofUdf { kernel, return_type, params, options, signature }
    }

    /// The function called with `args`: values first, then lambdas.
    pub fn call(self, args: Vec<Expr>) -> Expr {
        Expr::HigherOrderFunction(HigherOrderFunction::new(Arc::new(HigherOrderUDF::new_from_impl(self)), args))
    }
}

impl std::fmt::Debug for HofUdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kernel.name)
    }
}

impl PartialEq for HofUdf {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
            && self.return_type == other.return_type
            && self.params == other.params
            && self.options == other.options
    }
}
impl Eq for HofUdf {}
impl Hash for HofUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kernel.name, &self.return_type, &self.params, &self.options).hash(state);
    }
}

impl HigherOrderUDFImpl for HofUdf {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, arg_types: &[Arrow]) -> Result<Vec<Arrow>> {
        Ok(arg_types.to_vec())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        _fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let fields = self
            .params
            .iter()
            .map(|lambda| lambda.iter().map(|t| Arc::new(Field::new("", t.clone(), true)) as FieldRef).collect())
            .collect();
        Ok(LambdaParametersProgress::Complete(fields))
    }

    fn return_field_from_args(&self, _: HigherOrderReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.kernel.name, self.return_type.clone(), true)))
    }

    fn clear_null_values(&self) -> bool {
        false
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let mut values = Vec::new();
        let mut lambdas = Vec::new();
        for arg in args.args {
            match arg {
                ValueOrLambda::Value(v) => values.push(v.into_array(args.number_rows)?),
                ValueOrLambda::Lambda(l) => lambdas.push(l),
            }
        }
        let args = HofArgs { values, lambdas, rows: args.number_rows, udf: self };
        let out = (self.kernel.eval)(&args).map_err(|e| with_context(e, self.options.context.as_ref()))?;
        Ok(ColumnarValue::Array(out))
    }
}

/// What a kernel computes from.
pub struct HofArgs<'a> {
    pub values: Vec<ArrayRef>,
    pub lambdas: Vec<LambdaArgument>,
    pub rows: usize,
    pub udf: &'a HofUdf,
}

impl HofArgs<'_> {
    pub fn return_type(&self) -> &Arrow {
        &self.udf.return_type
    }

    pub fn extra(&self) -> &str {
        self.udf.options.extra.as_deref().unwrap_or("")
    }

    /// The number of parameters of lambda `i`.
    pub fn parameters(&self, i: usize) -> usize {
        self.udf.params.get(i).map_or(0, Vec::len)
    }

    /// Lambda `i` over `params`; `rows` says to which row of the batch each of their values belongs.
    ///
    /// # Errors
    /// As the lambda's body.
    pub fn lambda(&self, i: usize, params: &[ArrayRef], rows: &UInt32Array) -> Result<ArrayRef> {
        let Some(lambda) = self.lambdas.get(i) else {
            return internal_err!("{} was called without lambda {i}", self.udf.kernel.name);
        };
        let closures: Vec<Box<dyn Fn() -> Result<ArrayRef>>> = params
            .iter()
            .map(|p| {
                let p = Arc::clone(p);
                Box::new(move || Ok(Arc::clone(&p))) as Box<dyn Fn() -> Result<ArrayRef>>
            })
            .collect();
        let closures: Vec<&dyn Fn() -> Result<ArrayRef>> = closures.iter().map(AsRef::as_ref).collect();
        lambda.evaluate(&closures, |captures| Ok(take_arrays(captures, rows, None)?))?.into_array(rows.len())
    }
}
