//! The last rows of a relation that is not the whole query, and watermarks, which batches ignore.

use arrow::array::{Array, AsArray};
use datafusion::logical_expr::{Expr as DfExpr, lit};
use functions::Typed;
use spark::types::DataType;
use spark::{Error, ErrorKind, Literal, Plan, Result};

use crate::context::Analyzer;
use crate::relation::columns::all_columns;
use crate::scope::{Attr, Rel};

impl Analyzer<'_> {
    /// The rows whose number is among the last `limit`.
    pub(super) fn tail(&mut self, input: &Plan, limit: i32) -> Result<Rel> {
        let rel = self.relation(input)?;
        let number = datafusion::functions_window::expr_fn::row_number();
        let mut rows = datafusion::functions_window::expr_fn::row_number();
        if let DfExpr::WindowFunction(w) = &mut rows {
            w.fun = datafusion::logical_expr::WindowFunctionDefinition::AggregateUDF(
                datafusion::functions_aggregate::count::count_udaf(),
            );
            w.params.args = vec![lit(1_i64)];
            w.params.window_frame = datafusion::logical_expr::WindowFrame::new(None);
        }
        let mut values = all_columns(&rel);
        let number = datafusion::logical_expr::cast(number, arrow_schema::DataType::Int64);
        values.push((Typed::new(number, DataType::Long, false, "number"), None, "number".into()));
        values.push((Typed::new(rows, DataType::Long, false, "rows"), None, "rows".into()));
        let counted = self.project_values(&rel, values)?;
        let [.., number, rows] = counted.output.as_slice() else {
            return Err(Error::internal("columns were added"));
        };
        let limit = self.constant(Literal::Long(i64::from(limit.max(0))))?;
        let before = self.call("-", vec![Attr::typed(rows), limit])?;
        let late = self.call(">", vec![number.typed(), before])?;
        self.filter_typed(&counted, late, &rel)
    }

    /// A batch has no watermark; the delay must be one all the same.
    pub(super) fn with_watermark(&mut self, input: &Plan, delay: &str) -> Result<Rel> {
        let rel = self.relation(input)?;
        let unreadable = || {
            Error::analysis("CANNOT_PARSE_INTERVAL")
                .param("intervalString", format!("'{delay}'"))
                .with_message(format!("The delay '{delay}' is not an interval."))
        };
        let text = self.constant(Literal::String(delay.to_string()))?;
        let interval = functions::cast::explicit(
            &text,
            &DataType::CalendarInterval,
            spark::expr::CastMode::Session,
            &self.settings,
        )
        .map_err(|_| unreadable())?;
        let value = functions::fold::evaluate(&interval).map_err(|_| unreadable())?;
        let datafusion::scalar::ScalarValue::Struct(parts) = value else { return Err(unreadable()) };
        if parts.is_null(0) {
            return Err(unreadable());
        }
        let part = |i: usize| -> Result<i64> {
            let column = arrow::compute::cast(parts.column(i), &arrow_schema::DataType::Int64);
            let column = column.map_err(|_| unreadable())?;
            Ok(column.as_primitive::<arrow::datatypes::Int64Type>().value(0))
        };
        // A month counts as 31 days, as it does for streams.
        let days = part(0)? * 31 + part(1)?;
        let micros = i128::from(days) * 86_400_000_000 + i128::from(part(2)?);
        if micros < 0 {
            return Err(Error::new(ErrorKind::IllegalArgument, "")
                .with_message(format!("The delay of a watermark ({delay}) must not be negative.")));
        }
        Ok(rel)
    }
}
