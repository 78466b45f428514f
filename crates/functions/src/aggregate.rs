//! The one `AggregateUDFImpl` behind Spark aggregates that DataFusion does not have with Spark's
//! meaning; the counterpart of [`crate::kernel`].

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, Signature, Volatility,
};

use crate::kernel::Options;

/// A named aggregate over Arrow arrays.
pub struct AggregateKernel {
    /// Unique; what travels on the wire.
    pub name: &'static str,
    /// Makes an empty accumulator.
    pub accumulator: fn(&AggregateArgs) -> Result<Box<dyn Accumulator>>,
    /// Types of the partial state, in order; must be serializable Arrow types.
    pub state: fn(&AggregateArgs) -> Vec<Arrow>,
    /// A vectorized accumulator over groups, where there is one.
    pub groups: Option<fn(&AggregateArgs) -> Result<Box<dyn GroupsAccumulator>>>,
}

/// What an accumulator is made from.
pub struct AggregateArgs<'a> {
    pub arg_types: Vec<Arrow>,
    pub return_type: &'a Arrow,
    pub options: &'a Options,
    pub distinct: bool,
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
        Expr::AggregateFunction(AggregateFunction::new_udf(
            udaf,
            args,
            distinct,
            filter.map(Box::new),
            order_by,
            None,
        ))
    }
}

impl std::fmt::Debug for KernelUdaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kernel.name)
    }
}

impl PartialEq for KernelUdaf {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
            && self.return_type == other.return_type
            && self.options == other.options
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
        let arg_types = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        (self.kernel.accumulator)(&AggregateArgs {
            arg_types,
            return_type: &self.return_type,
            options: &self.options,
            distinct: args.is_distinct,
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types = (self.kernel.state)(&AggregateArgs {
            arg_types: args.input_fields.iter().map(|f| f.data_type().clone()).collect(),
            return_type: &self.return_type,
            options: &self.options,
            distinct: args.is_distinct,
        });
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
        };
        match self.kernel.groups {
            Some(make) => make(&args),
            None => datafusion::common::internal_err!("{} has no groups accumulator", self.kernel.name),
        }
    }

    fn supports_within_group_clause(&self) -> bool {
        false
    }
}
