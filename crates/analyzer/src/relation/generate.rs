//! Generators: rows from lists (`explode`, `LATERAL VIEW`).

use datafusion::common::{Column, DFSchema, NullHandling, UnnestOptions};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::Expr as DfExpr;
use datafusion::logical_expr::builder::unnest_with_options;
use functions::error::from_datafusion;
use functions::{Generator, Typed};
use spark::plan::LateralView;
use spark::types::Metadata;
use spark::{Error, Expr, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::scope::{Attr, Made, Rel, project};

impl Analyzer<'_> {
    pub(super) fn lateral_view(&mut self, view: &LateralView) -> Result<Rel> {
        let rel = self.relation(&view.input)?;
        let mut scope = Scope::new(&rel, "LATERAL VIEW");
        let Expr::Function(call) = view.generator.unpositioned() else {
            return Err(Error::analysis("INVALID_SQL_SYNTAX.LATERAL_WITHOUT_SUBQUERY_OR_TABLE_VALUED_FUNC")
                .with_message("LATERAL VIEW needs a generator."));
        };
        if matches!(
            crate::expr::function::builtin_name(&call.name).as_deref(),
            Some("variant_explode" | "variant_explode_outer")
        ) {
            return Err(Error::analysis("ROUTINE_NOT_FOUND")
                .param("routineName", crate::expr::attribute::quoted(&call.name))
                .with_message("Only FROM takes this function.")
                .at(scope.origin.as_ref()));
        }
        // Spark places a generator at its whole clause.
        let Some(mut generator) = self.generator(call, &mut scope)? else {
            return Err(match functions::registry::function(&call.name.join(".")) {
                None => self.unresolved_routine(&call.name).at(scope.origin.as_ref()),
                Some(_) => Error::analysis("UNSUPPORTED_GENERATOR.NOT_GENERATOR")
                    .param("functionName", crate::expr::attribute::quoted(&call.name))
                    .param("classCanonicalName", "")
                    .at(scope.origin.as_ref()),
            });
        };
        generator.outer |= view.outer;
        if crate::relation::aggregate::contains_aggregate(&generator.list) {
            let list = Typed::new(generator.list.clone(), spark::types::DataType::Null, true, generator.name.clone());
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
                .param("operator", "Generate")
                .param("invalidExprSqls", crate::relation::aggregate::aggregates_printed(&list)));
        }
        if crate::decorrelate::mentions_outer(&generator.list) {
            let shown = crate::decorrelate::without_outer(&generator.name);
            return Err(Error::analysis("UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.CORRELATED_REFERENCE")
                .param("sqlExprs", format!("\"{shown}\"")));
        }
        let (generated, mut columns) = self.generate(&rel, generator, &view.columns)?;
        if let Some(table) = &view.table {
            for column in &mut columns {
                column.qualifier = vec![table.clone()];
            }
        }
        let mut output = rel.output.clone();
        output.extend(columns);
        Ok(generated.renamed(output))
    }

    /// `rel` with the generator's rows: every row of `rel` once for each, and the generator's columns.
    ///
    /// # Errors
    /// `UDTF_ALIAS_NUMBER_MISMATCH` if the number of names is wrong.
    pub fn generate(&mut self, rel: &Rel, generator: Generator, names: &[String]) -> Result<(Rel, Vec<Attr>)> {
        if !names.is_empty() && names.len() != generator.columns.len() {
            return Err(Error::analysis("UDTF_ALIAS_NUMBER_MISMATCH")
                .param("aliasesSize", generator.columns.len().to_string())
                .param("aliasesNames", names.join(",")));
        }
        let list = format!("#{}", self.fresh_id());
        let mut exprs: Vec<DfExpr> =
            rel.plan.schema().fields().iter().map(|f| DfExpr::Column(Column::new_unqualified(f.name()))).collect();
        let passed = exprs.len();
        exprs.push(generator.list.clone().alias(list.clone()));
        let listed = project(exprs, &rel.plan)?;
        let null_handling = if generator.outer { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
        let options = UnnestOptions { null_handling, ..Default::default() };
        let unnested =
            unnest_with_options(listed, vec![Column::new_unqualified(&list)], options).map_err(from_datafusion)?;
        let mut exprs: Vec<DfExpr> = unnested
            .schema()
            .fields()
            .iter()
            .take(passed)
            .map(|f| DfExpr::Column(Column::new_unqualified(f.name())))
            .collect();
        let element = DfExpr::Column(Column::new_unqualified(&list));
        let mut columns = Vec::new();
        for (i, (name, ty, nullable)) in generator.columns.iter().enumerate() {
            let value = get_field(element.clone(), field_name(&generator, i, rel.plan.schema()));
            let typed = Typed::new(value, ty.clone(), *nullable || generator.outer, name.clone());
            let mut attr = self.fresh_attr(names.get(i).cloned().unwrap_or_else(|| name.clone()), &typed);
            attr.metadata = Metadata::default();
            exprs.push(typed.expr.alias(attr.column_name()));
            columns.push(attr);
        }
        let plan = project(exprs, &unnested)?;
        let mut output = rel.output.clone();
        output.extend(columns.iter().cloned());
        let out = Rel::new(plan, output, Made::Opaque, &[rel]).with_hidden(rel.hidden.clone());
        Ok((out, columns))
    }
}

/// The field of the list's structs behind column `i`, by its name in the struct.
fn field_name(generator: &Generator, i: usize, input: &DFSchema) -> String {
    let list_type = datafusion::logical_expr::ExprSchemable::get_type(&generator.list, input);
    if let Ok(arrow_schema::DataType::List(element)) = list_type
        && let arrow_schema::DataType::Struct(fields) = element.data_type()
        && let Some(field) = fields.get(i)
    {
        return field.name().clone();
    }
    generator.columns.get(i).map(|c| c.0.clone()).unwrap_or_default()
}
