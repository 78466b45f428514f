//! Metric views: dimensions over rows, and measures that only an aggregation directly above can compute.

use datafusion::logical_expr::Expr as DfExpr;
use datafusion::scalar::ScalarValue;
use functions::Typed;
use functions::operators::{Kind, Operator};
use functions::types::to_arrow;
use spark::expr::UnresolvedFunction;
use spark::plan::{MetricColumn, MetricView};
use spark::{Error, Expr, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::scope::{Attr, Made, Rel, column_id, defect, project};

impl Analyzer<'_> {
    /// The relation of a metric view. A measure is a column that has no value; what it computes is kept for
    /// `measure`, in terms of the columns of the source, which the plan has besides.
    pub(super) fn metric_view(&mut self, view: &MetricView) -> Result<Rel> {
        let source = self.relation(&view.source)?;
        if source.with_metrics().is_some() {
            return Err(Error::unsupported("a metric view over another"));
        }
        let mut exprs: Vec<DfExpr> = Vec::new();
        for attr in &source.output {
            if !exprs.contains(&attr.expr()) {
                exprs.push(attr.expr());
            }
        }
        let mut output = Vec::new();
        for dimension in &view.dimensions {
            let (attr, typed) = self.metric_column(dimension, &source)?;
            exprs.push(typed.expr.alias(attr.column_name()));
            output.push(attr);
        }
        for measure in &view.measures {
            let (attr, typed) = self.metric_column(measure, &source)?;
            let none = ScalarValue::try_new_null(&to_arrow(&typed.ty)).map_err(|e| defect(e.to_string()))?;
            exprs.push(DfExpr::Literal(none, None).alias(attr.column_name()));
            self.measures.insert(attr.id, typed);
            output.push(attr);
        }
        let rows = project(exprs, &source.plan)?;
        let plan = Operator::plan(Kind::MetricView, rows.clone());
        Ok(Rel::new(plan, output, Made::MetricView { rows }, &[]))
    }

    fn metric_column(&mut self, column: &MetricColumn, source: &Rel) -> Result<(Attr, Typed)> {
        let typed = self.resolve(&column.expr, &mut Scope::new(source, "SELECT"))?;
        let attr = Attr { metadata: column.metadata.clone(), ..self.fresh_attr(column.name.clone(), &typed) };
        Ok((attr, typed))
    }

    /// `measure(column)`: what the measure of a metric view computes.
    pub(crate) fn measure(&mut self, f: &UnresolvedFunction, scope: &mut Scope) -> Result<Typed> {
        let [argument] = f.args.as_slice() else {
            return Err(Error::analysis("WRONG_NUM_ARGS.WITHOUT_SUGGESTION")
                .param("functionName", "`measure`")
                .param("expectedNum", "1")
                .param("actualNum", f.args.len().to_string())
                .param("docroot", "https://spark.apache.org/docs/latest")
                .with_message("measure takes the name of a measure."));
        };
        if f.distinct || f.filter.is_some() {
            return Err(Error::unsupported("DISTINCT or FILTER with measure()"));
        }
        let Expr::Attribute(name) = argument.unpositioned() else {
            return Err(Error::unsupported("measure() of what is no measure of a metric view"));
        };
        let outer = scope.origin.clone();
        if let Expr::At { origin, .. } = argument {
            scope.origin = Some(origin.clone());
        }
        let column = self.attribute(name, scope).map_err(|e| e.at(scope.origin.as_ref()));
        scope.origin = outer;
        let column = column?;
        let measure = self.measure_of(&column.expr).cloned();
        let measure = measure.ok_or_else(|| Error::unsupported("measure() of what is no measure of a metric view"))?;
        Ok(measure.named(format!("measure({})", column.name)))
    }

    fn measure_of(&self, expr: &DfExpr) -> Option<&Typed> {
        match expr {
            DfExpr::Column(column) => self.measures.get(&column_id(column)?),
            _ => None,
        }
    }

    /// Refuses a measure that stands for itself: it is a value only within `measure`.
    ///
    /// # Errors
    /// `MISSING_ATTRIBUTES.RESOLVED_ATTRIBUTE_MISSING_FROM_INPUT`.
    pub(crate) fn refuse_measure(&self, typed: &Typed) -> Result<()> {
        if self.measures.is_empty() || self.measure_of(&typed.expr).is_none() {
            return Ok(());
        }
        Err(Error::analysis("MISSING_ATTRIBUTES.RESOLVED_ATTRIBUTE_MISSING_FROM_INPUT")
            .param("missingAttributes", format!("\"{}\"", typed.name))
            .param("input", "")
            .param("operator", "")
            .with_message(format!(
                "The measure {} has a value only in measure({0}), under an aggregation.",
                typed.name
            )))
    }
}
