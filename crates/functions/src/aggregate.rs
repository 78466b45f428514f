//! The one `AggregateUDFImpl` behind Spark aggregates that DataFusion does not have with Spark's
//! meaning; the counterpart of [`crate::kernel`].

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType as Arrow, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Sort, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature, Volatility,
};
use datafusion::logical_expr::{udaf_default_schema_name, udaf_default_window_function_schema_name};
use datafusion::scalar::ScalarValue;
use spark::error::QueryContext;

use crate::error::with_context;
use crate::families::aggregate::collect::Collect;
use crate::kernel::Options;

/// Makes the accumulator of one group.
pub type MakeAccumulator = fn(&AggregateArgs) -> Result<Box<dyn Accumulator>>;

/// Makes the accumulator of all groups.
pub type MakeGroups = fn(&AggregateArgs) -> Result<Box<dyn GroupsAccumulator>>;

/// A named aggregate over Arrow arrays.
pub struct AggregateKernel {
    /// Unique; what travels on the wire.
    pub name: &'static str,
    /// Makes an empty accumulator.
    pub accumulator: MakeAccumulator,
    /// Types of the partial state, in order; must be serializable Arrow types.
    pub state: fn(&AggregateArgs) -> Vec<Arrow>,
    /// A vectorized accumulator over groups, where there is one.
    pub groups: Option<MakeGroups>,
}

/// What an accumulator is made from.
pub struct AggregateArgs<'a> {
    pub arg_types: Vec<Arrow>,
    pub return_type: &'a Arrow,
    pub options: &'a Options,
    pub distinct: bool,
    /// For a window frame that moves: rows leave it.
    pub sliding: bool,
}

/// An aggregate kernel with its result type and options.
pub struct KernelUdaf {
    pub kernel: &'static AggregateKernel,
    pub return_type: Arrow,
    pub options: Options,
    signature: Signature,
}

impl KernelUdaf {
    pub fn new(kernel: &'static AggregateKernel, return_type: Arrow, options: Options) -> Self {
        KernelUdaf { kernel, return_type, options, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn plain(&self, arg_types: &[Arrow], sliding: bool) -> Result<Box<dyn Accumulator>> {
        (self.kernel.accumulator)(&AggregateArgs {
            arg_types: arg_types.to_vec(),
            return_type: &self.return_type,
            options: &self.options,
            distinct: false,
            sliding,
        })
        .map(|inner| Box::new(InContext { inner, context: self.options.context.clone() }) as Box<dyn Accumulator>)
    }

    /// An accumulator that keeps the rows (the distinct ones if asked) and aggregates them at the end.
    fn over_rows(&self, arg_types: Vec<Arrow>, distinct: bool) -> Collect {
        let again = KernelUdaf::new(self.kernel, self.return_type.clone(), self.options.clone());
        let types = arg_types.clone();
        Collect::new(
            arg_types,
            distinct,
            Box::new(move |columns| {
                let mut inner = again.plain(&types, false)?;
                inner.update_batch(columns)?;
                inner.evaluate()
            }),
        )
    }

    /// The aggregate called with `args`.
    pub fn call(
        kernel: &'static AggregateKernel,
        return_type: Arrow,
        options: Options,
        args: Vec<Expr>,
        distinct: bool,
        filter: Option<Expr>,
        order_by: Vec<Sort>,
    ) -> Expr {
        let udaf = Arc::new(AggregateUDF::new_from_impl(KernelUdaf::new(kernel, return_type, options)));
        Expr::AggregateFunction(AggregateFunction::new_udf(udaf, args, distinct, filter.map(Box::new), order_by, None))
    }
}

/// An accumulator whose errors say where the call stands.
#[derive(Debug)]
struct InContext {
    inner: Box<dyn Accumulator>,
    context: Option<Arc<QueryContext>>,
}

impl Accumulator for InContext {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values).map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate().map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states).map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// [`InContext`] for accumulators over groups.
struct GroupsInContext {
    inner: Box<dyn GroupsAccumulator>,
    context: Option<Arc<QueryContext>>,
}

impl GroupsAccumulator for GroupsInContext {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let done = self.inner.update_batch(values, group_indices, filter, total);
        done.map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.inner.evaluate(emit_to).map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total: usize) -> Result<()> {
        let done = self.inner.merge_batch(values, group_indices, total);
        done.map_err(|e| with_context(e, self.context.as_ref()))
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

impl std::fmt::Debug for KernelUdaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kernel.name)
    }
}

impl PartialEq for KernelUdaf {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name && self.return_type == other.return_type && self.options == other.options
    }
}
impl Eq for KernelUdaf {}
impl Hash for KernelUdaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kernel.name, &self.return_type, &self.options).hash(state);
    }
}

impl AggregateUDFImpl for KernelUdaf {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        Ok(self.options.distinguish(udaf_default_schema_name(self, params)?))
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        Ok(self.options.distinguish(udaf_default_window_function_schema_name(self, params)?))
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

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let arg_types: Vec<Arrow> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        if args.is_distinct {
            return Ok(Box::new(self.over_rows(arg_types, true)));
        }
        self.plain(&arg_types, false)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let arg_types: Vec<Arrow> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        let plain = self.plain(&arg_types, true)?;
        if plain.supports_retract_batch() && !args.is_distinct {
            return Ok(plain);
        }
        Ok(Box::new(self.over_rows(arg_types, args.is_distinct)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let args_distinct = args.is_distinct;
        let kernel_args = AggregateArgs {
            arg_types: args.input_fields.iter().map(|f| f.data_type().clone()).collect(),
            return_type: &self.return_type,
            options: &self.options,
            distinct: args.is_distinct,
            sliding: false,
        };
        let types = if args_distinct { Collect::state_types(&kernel_args) } else { (self.kernel.state)(&kernel_args) };
        Ok(types
            .into_iter()
            .enumerate()
            .map(|(i, t)| Arc::new(Field::new(format!("{}[{i}]", args.name), t, true)))
            .collect())
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.kernel.groups.is_some() && !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let arg_types = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        let args = AggregateArgs {
            arg_types,
            return_type: &self.return_type,
            options: &self.options,
            distinct: args.is_distinct,
            sliding: false,
        };
        match self.kernel.groups {
            Some(make) => Ok(Box::new(GroupsInContext { inner: make(&args)?, context: self.options.context.clone() })),
            None => datafusion::common::internal_err!("{} has no groups accumulator", self.kernel.name),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_within_group_clause(&self) -> bool {
        false
    }
}
