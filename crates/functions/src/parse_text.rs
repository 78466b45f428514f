//! The operator of `spark.read.json(df)` and its like: texts in, rows out.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use spark::types::StructType;

use crate::types::to_arrow;

/// Reads the only column of its input as records of a format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParseText {
    pub input: LogicalPlan,
    /// `json` or `csv`.
    pub format: String,
    pub options: Vec<(String, String)>,
    pub schema: StructType,
    /// A text that is no record wherever it stands.
    pub header: Option<String>,
    pub time_zone: Arc<str>,
    output: DFSchemaRef,
}

impl ParseText {
    /// The operator over `input`, with its columns under the given names; they are set by the caller.
    ///
    /// # Errors
    /// If two columns have one name: a defect.
    pub fn new(
        input: LogicalPlan,
        format: &str,
        options: &[(String, String)],
        schema: &StructType,
        names: &[String],
    ) -> Result<Self> {
        let fields = schema.fields.iter().zip(names);
        let fields: Vec<Field> = fields.map(|(f, name)| Field::new(name, to_arrow(&f.data_type), true)).collect();
        let output = Arc::new(DFSchema::from_unqualified_fields(fields.into(), HashMap::new())?);
        Ok(ParseText {
            input,
            format: format.to_string(),
            options: options.to_vec(),
            schema: schema.clone(),
            header: None,
            time_zone: "UTC".into(),
            output,
        })
    }

    /// The operator as a plan.
    pub fn plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialOrd for ParseText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for ParseText {
    fn name(&self) -> &str {
        "ParseText"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.output
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ParseText: {}", self.format)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), inputs.is_empty()) else {
            return internal_err!("ParseText has one input");
        };
        Ok(ParseText { input, ..self.clone() })
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![(0..self.input.schema().fields().len()).collect()])
    }
}
