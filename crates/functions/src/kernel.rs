//! The one `ScalarUDFImpl` behind every Spark scalar function that DataFusion does not have with
//! Spark's meaning.
//!
//! A [`Kernel`] is a named function over Arrow arrays. A [`KernelUdf`] is a kernel with what analysis
//! decided: its result type and its [`Options`]. Both travel to executors by name and options
//! (`wire`), so every kernel is usable on a cluster without further work.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Field, FieldRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    expr::ScalarFunction,
};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};
use spark::error::QueryContext;

use crate::families::datetime::legacy::TimeParser;

/// A named function over Arrow arrays.
pub struct Kernel {
    /// Unique; what travels on the wire. Spark's function name where there is one.
    pub name: &'static str,
    /// Computes the result; must return the type in [`KernelArgs::return_type`] and as many rows as
    /// there are ([`KernelArgs::rows`]), or a scalar.
    pub eval: fn(&KernelArgs) -> Result<ColumnarValue>,
    pub volatility: Volatility,
}

impl Kernel {
    /// A deterministic kernel.
    pub const fn new(name: &'static str, eval: fn(&KernelArgs) -> Result<ColumnarValue>) -> Self {
        Kernel { name, eval, volatility: Volatility::Immutable }
    }

    /// A kernel whose result differs from row to row for equal arguments (`rand`).
    pub const fn volatile(name: &'static str, eval: fn(&KernelArgs) -> Result<ColumnarValue>) -> Self {
        Kernel { name, eval, volatility: Volatility::Volatile }
    }
}

/// What analysis decided for a call; part of the plan, so that a kernel never reads session state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Options {
    /// Errors rather than nulls or wrapped values.
    pub ansi: bool,
    /// The session's time zone, for kernels that need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Arc<str>>,
    /// A kernel's own parameters, in whatever text form it chooses (often JSON).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Arc<str>>,
    /// A row whose evaluation fails is null instead (the `try_` functions).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tolerant: bool,
    /// What datetime patterns mean.
    #[serde(default, skip_serializing_if = "TimeParser::is_corrected")]
    pub time_parser: TimeParser,
    /// Where the call stands in the query, for errors. Not part of equality: `GROUP BY a + 1` and
    /// `SELECT a + 1` are the same expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Arc<QueryContext>>,
}

impl Options {
    /// Options with ANSI mode as given and nothing else.
    pub fn ansi(ansi: bool) -> Self {
        Options { ansi, ..Default::default() }
    }

    /// Sets the kernel's own parameters.
    pub fn with_extra(mut self, extra: impl Into<Arc<str>>) -> Self {
        self.extra = Some(extra.into());
        self
    }

    /// Sets the time zone.
    pub fn with_time_zone(mut self, tz: Arc<str>) -> Self {
        self.time_zone = Some(tz);
        self
    }
}

impl Options {
    /// A column name that tells calls with different parameters apart.
    pub fn distinguish(&self, name: String) -> String {
        match &self.extra {
            Some(extra) => format!("{name} [{extra}]"),
            None => name,
        }
    }
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        (self.ansi, self.tolerant, &self.time_zone, &self.extra, self.time_parser)
            == (other.ansi, other.tolerant, &other.time_zone, &other.extra, other.time_parser)
    }
}
impl Eq for Options {}
impl Hash for Options {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.ansi, self.tolerant, &self.time_zone, &self.extra, self.time_parser).hash(state);
    }
}

/// A kernel with its result type and options.
pub struct KernelUdf {
    pub kernel: &'static Kernel,
    pub return_type: Arrow,
    pub options: Options,
    signature: Signature,
    /// Stands for the arguments it was first called with in the call's name.
    fingerprint: u64,
}

impl KernelUdf {
    pub fn new(kernel: &'static Kernel, return_type: Arrow, options: Options) -> Self {
        KernelUdf {
            kernel,
            return_type,
            options,
            signature: Signature::user_defined(kernel.volatility),
            fingerprint: 0,
        }
    }

    /// The kernel called with `args`.
    pub fn call(kernel: &'static Kernel, return_type: Arrow, options: Options, args: Vec<Expr>) -> Expr {
        let mut udf = KernelUdf::new(kernel, return_type, options);
        udf.fingerprint = fingerprint(&udf, &args);
        let udf = ScalarUDF::new_from_impl(udf);
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(udf), args))
    }
}

/// `expr` with the casts that Spark put around its arguments, or that it is itself, placed at `origin`,
/// where they have no place yet.
pub fn placed(expr: Expr, origin: &spark::Origin) -> Expr {
    placed_below(expr, origin, 3)
}

fn placed_below(expr: Expr, origin: &spark::Origin, levels: usize) -> Expr {
    match expr {
        Expr::ScalarFunction(mut call) => {
            let unplaced = (call.func.inner().as_ref() as &dyn std::any::Any)
                .downcast_ref::<KernelUdf>()
                .filter(|udf| udf.options.context.is_none() && udf.kernel.name == crate::cast::convert::CAST.name);
            if let Some(udf) = unplaced {
                let options = Options { context: Some(Arc::new(QueryContext::from(origin))), ..udf.options.clone() };
                let placed = KernelUdf {
                    fingerprint: udf.fingerprint,
                    ..KernelUdf::new(udf.kernel, udf.return_type.clone(), options)
                };
                call.func = Arc::new(ScalarUDF::new_from_impl(placed));
            }
            if levels > 0 {
                call.args = call.args.into_iter().map(|a| placed_below(a, origin, levels - 1)).collect();
            }
            Expr::ScalarFunction(call)
        }
        Expr::BinaryExpr(mut pair) if levels > 0 => {
            pair.left = boxed(*pair.left, origin, levels);
            pair.right = boxed(*pair.right, origin, levels);
            Expr::BinaryExpr(pair)
        }
        Expr::Not(child) if levels > 0 => Expr::Not(boxed(*child, origin, levels)),
        Expr::Negative(child) if levels > 0 => Expr::Negative(boxed(*child, origin, levels)),
        Expr::InList(mut list) if levels > 0 => {
            list.expr = boxed(*list.expr, origin, levels);
            list.list = list.list.into_iter().map(|e| placed_below(e, origin, levels - 1)).collect();
            Expr::InList(list)
        }
        Expr::Case(mut case) if levels > 0 => {
            case.when_then_expr = case
                .when_then_expr
                .into_iter()
                .map(|(when, then)| (boxed(*when, origin, levels), boxed(*then, origin, levels)))
                .collect();
            case.else_expr = case.else_expr.map(|e| boxed(*e, origin, levels));
            Expr::Case(case)
        }
        Expr::AggregateFunction(mut call) if levels > 0 => {
            call.params.args = call.params.args.into_iter().map(|a| placed_below(a, origin, levels - 1)).collect();
            Expr::AggregateFunction(call)
        }
        Expr::WindowFunction(mut call) if levels > 0 => {
            call.params.args = call.params.args.into_iter().map(|a| placed_below(a, origin, levels - 1)).collect();
            Expr::WindowFunction(call)
        }
        other => other,
    }
}

fn boxed(expr: Expr, origin: &spark::Origin, levels: usize) -> Box<Expr> {
    Box::new(placed_below(expr, origin, levels - 1))
}

/// A number for a call. An argument that is a kernel's call itself adds its own number, so that
/// building a deep expression costs its depth and not the square of it.
fn fingerprint(udf: &KernelUdf, args: &[Expr]) -> u64 {
    let mut hasher = DefaultHasher::new();
    udf.hash(&mut hasher);
    for arg in args {
        match as_kernel(arg) {
            Some(inner) => inner.fingerprint.hash(&mut hasher),
            None => arg.hash(&mut hasher),
        }
    }
    hasher.finish()
}

fn as_kernel(expr: &Expr) -> Option<&KernelUdf> {
    let Expr::ScalarFunction(call) = expr else { return None };
    (call.func.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdf>()
}

impl std::fmt::Debug for KernelUdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kernel.name)
    }
}

impl PartialEq for KernelUdf {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name && self.return_type == other.return_type && self.options == other.options
    }
}
impl Eq for KernelUdf {}
impl Hash for KernelUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kernel.name, &self.return_type, &self.options).hash(state);
    }
}

impl ScalarUDFImpl for KernelUdf {
    fn name(&self) -> &str {
        self.kernel.name
    }

    /// A name that costs nothing to make. DataFusion asks for it at every level of an expression, so
    /// spelling the arguments out would make a deep expression cost the cube of its depth.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        self.fingerprint.hash(&mut hasher);
        // What a rewrite is most likely to have put in since.
        args.iter().filter(|a| matches!(a, Expr::Column(_) | Expr::Literal(..))).for_each(|a| a.hash(&mut hasher));
        Ok(format!("{}#{:016x}", self.kernel.name, hasher.finish()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[Arrow]) -> Result<Vec<Arrow>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[Arrow]) -> Result<Arrow> {
        Ok(self.return_type.clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.return_type.clone(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let args = KernelArgs { args: &args.args, rows: args.number_rows, udf: self };
        match (self.kernel.eval)(&args) {
            Err(e) if self.options.tolerant && crate::error::spark_error(&e).is_some() => self.row_by_row(&args),
            done => done.map_err(|e| crate::error::with_context(e, self.options.context.as_ref())),
        }
    }
}

impl KernelUdf {
    /// Evaluates each row alone; null where that fails with an error of Spark's.
    fn row_by_row(&self, args: &KernelArgs) -> Result<ColumnarValue> {
        let mut rows: Vec<ArrayRef> = Vec::with_capacity(args.rows);
        for row in 0..args.rows {
            let one: Vec<ColumnarValue> = args
                .args
                .iter()
                .map(|a| match a {
                    ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(row, 1)),
                    scalar => scalar.clone(),
                })
                .collect();
            let value = match (self.kernel.eval)(&KernelArgs { args: &one, rows: 1, udf: self }) {
                Ok(value) => value.to_array(1)?,
                Err(e) if crate::error::spark_error(&e).is_some() => arrow::array::new_null_array(&self.return_type, 1),
                Err(e) => return Err(e),
            };
            rows.push(value);
        }
        if rows.is_empty() {
            return Ok(ColumnarValue::Array(arrow::array::new_empty_array(&self.return_type)));
        }
        let parts: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(arrow::compute::concat(&parts)?))
    }

    /// `expr` with null in place of the errors of all kernels in it.
    pub fn lenient_below(expr: Expr) -> Expr {
        let Expr::ScalarFunction(mut call) = KernelUdf::lenient(expr.clone()) else { return expr };
        call.args = call.args.into_iter().map(KernelUdf::lenient_below).collect();
        Expr::ScalarFunction(call)
    }

    /// `expr` with null in place of an error, if it is the call of a kernel; else as it is.
    pub fn lenient(expr: Expr) -> Expr {
        let Expr::ScalarFunction(call) = &expr else { return expr };
        let Some(udf) = (call.func.inner().as_ref() as &dyn std::any::Any).downcast_ref::<KernelUdf>() else {
            return expr;
        };
        let options = Options { tolerant: true, ..udf.options.clone() };
        KernelUdf::call(udf.kernel, udf.return_type.clone(), options, call.args.clone())
    }
}

/// What a kernel computes from.
pub struct KernelArgs<'a> {
    pub args: &'a [ColumnarValue],
    /// Rows of the batch; the result has as many, or is a scalar.
    pub rows: usize,
    pub udf: &'a KernelUdf,
}

impl KernelArgs<'_> {
    pub fn options(&self) -> &Options {
        &self.udf.options
    }

    pub fn ansi(&self) -> bool {
        self.udf.options.ansi
    }

    pub fn return_type(&self) -> &Arrow {
        &self.udf.return_type
    }

    /// The session's time zone.
    ///
    /// # Errors
    /// If analysis gave none: a defect of the function's definition.
    pub fn time_zone(&self) -> Result<&str> {
        self.udf.options.time_zone.as_deref().ok_or_else(|| {
            DataFusionError::Internal(format!("{} was planned without a time zone", self.udf.kernel.name))
        })
    }

    /// The kernel's own parameters, empty if none.
    pub fn extra(&self) -> &str {
        self.udf.options.extra.as_deref().unwrap_or("")
    }

    /// Argument `i` with one value a row.
    ///
    /// # Errors
    /// If there is no such argument.
    pub fn array(&self, i: usize) -> Result<ArrayRef> {
        self.value(i)?.to_array(self.rows)
    }

    /// Argument `i` as it came.
    ///
    /// # Errors
    /// If there is no such argument.
    pub fn value(&self, i: usize) -> Result<&ColumnarValue> {
        self.args.get(i).ok_or_else(|| {
            DataFusionError::Internal(format!("{} was called without argument {i}", self.udf.kernel.name))
        })
    }

    /// Argument `i` if it is the same for every row.
    pub fn scalar(&self, i: usize) -> Option<&ScalarValue> {
        match self.args.get(i) {
            Some(ColumnarValue::Scalar(value)) => Some(value),
            _ => None,
        }
    }

    /// Argument `i` as strings, whatever string layout it has.
    ///
    /// # Errors
    /// If it is not a string column.
    pub fn strings(&self, i: usize) -> Result<StringArray> {
        let array = cast(&self.array(i)?, &Arrow::Utf8)?;
        Ok(downcast::<StringArray>(&array)?.clone())
    }

    /// Argument `i` as an array of concrete type `T`.
    ///
    /// # Errors
    /// If it has another type: a defect of the function's definition.
    pub fn typed<T: Array + Clone + 'static>(&self, i: usize) -> Result<T> {
        Ok(downcast::<T>(&self.array(i)?)?.clone())
    }

    /// All arguments with one value a row.
    ///
    /// # Errors
    /// If a scalar cannot be expanded.
    pub fn arrays(&self) -> Result<Vec<ArrayRef>> {
        (0..self.args.len()).map(|i| self.array(i)).collect()
    }

    /// True if every argument is a scalar, so that the result may be one.
    pub fn all_scalar(&self) -> bool {
        self.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)))
    }
}

/// The concrete array behind `array`.
///
/// # Errors
/// If it has another type.
pub fn downcast<T: Array + 'static>(array: &ArrayRef) -> Result<&T> {
    array.as_any().downcast_ref::<T>().ok_or_else(|| {
        DataFusionError::Internal(format!(
            "expected {}, found an array of {}",
            std::any::type_name::<T>(),
            array.data_type()
        ))
    })
}
