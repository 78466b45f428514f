//! Views: a stored plan in place of a name.

use std::sync::Arc;

use functions::Typed;
use functions::cast;
use spark::expr::CastMode;
use spark::types::StructField;
use spark::{Error, Origin, Result};

use crate::context::Analyzer;
use crate::expr::attribute::quoted;
use crate::scope::{Attr, Rel};
use crate::world::{SchemaMode, View};

impl Analyzer<'_> {
    /// Analyses a view where its name stands: in the scope of its creation, not of the query.
    pub(super) fn view(&mut self, view: &View, origin: Option<&Arc<Origin>>) -> Result<Rel> {
        if self.views.contains(&view.name) {
            return Err(Error::analysis("RECURSIVE_VIEW").param("viewIdent", quoted(&view.name)).param("newPath", ""));
        }
        self.enter(&view.name)?;
        let ctes = std::mem::take(&mut self.ctes);
        let windows = std::mem::take(&mut self.windows);
        let outer = std::mem::take(&mut self.outer);
        let parameters = std::mem::take(&mut self.parameters);
        let references = std::mem::take(&mut self.references);
        let constants = std::mem::take(&mut self.constants);
        let settings = self.settings.clone();
        if let Some((catalog, database)) = &view.catalog {
            self.settings.current_catalog = catalog.clone();
            self.settings.current_database = database.clone();
            self.settings.path = view.path.clone();
        }
        self.settings.default_collation = view.collation.clone();
        self.settings.ansi = view.ansi.unwrap_or(self.settings.ansi);
        let outside = std::mem::replace(&mut self.in_view, view.catalog.is_some());
        let result = self.relation(&view.plan);
        self.in_view = outside;
        self.settings = settings;
        self.constants = constants;
        self.references = references;
        self.parameters = parameters;
        self.outer = outer;
        self.windows = windows;
        self.ctes = ctes;
        self.views.pop();
        if let spark::Node::MetricView(_) = &view.plan.node {
            // Its columns have its name only where the query gives it one.
            return result;
        }
        let rel = self.stored_columns(result?, view, origin)?;
        self.alias_rel(&rel, &view.name, &[])
    }

    /// The query's columns as the view has them: found by name, under the stored names and types.
    fn stored_columns(&mut self, rel: Rel, view: &View, origin: Option<&Arc<Origin>>) -> Result<Rel> {
        let stored = &view.stored;
        if stored.mode == SchemaMode::Evolution {
            return Ok(rel);
        }
        let mut values = Vec::with_capacity(stored.schema.fields.len());
        for (i, (field, name)) in stored.schema.fields.iter().zip(&stored.query_names).enumerate() {
            let earlier = stored.query_names.iter().take(i).filter(|n| self.same_name(n, name)).count();
            let attr = self.stored_column(&rel, view, name, earlier)?;
            let mut typed = self.as_stored(attr, field, stored.mode)?;
            if let Some(origin) = origin {
                typed.expr = functions::kernel::placed(typed.expr, origin);
            }
            typed.metadata = field.metadata.clone();
            values.push((typed, None, field.name.clone()));
        }
        self.project_values(&rel, values)
    }

    fn stored_column<'r>(&self, rel: &'r Rel, view: &View, name: &str, ordinal: usize) -> Result<&'r Attr> {
        let stored = &view.stored;
        let expected = stored.query_names.iter().filter(|n| self.same_name(n, name)).count();
        let found: Vec<&Attr> = rel.output.iter().filter(|a| self.same_name(&a.name, name)).collect();
        match found.get(ordinal) {
            Some(attr) if found.len() == expected => Ok(attr),
            _ => {
                let names: Vec<String> = found.iter().map(|a| quoted(std::slice::from_ref(&a.name))).collect();
                Err(Error::analysis("INCOMPATIBLE_VIEW_SCHEMA_CHANGE")
                    .param("viewName", quoted(&view.name))
                    .param("colName", name)
                    .param("expectedNum", expected.to_string())
                    .param("actualCols", format!("[{}]", names.join(",")))
                    .param("suggestion", &stored.statement)
                    .with_message(format!("The query of the view no longer has the column {name} as it had.")))
            }
        }
    }

    fn as_stored(&self, attr: &Attr, field: &StructField, mode: SchemaMode) -> Result<Typed> {
        let typed = attr.typed();
        match mode {
            SchemaMode::Compensation => cast::explicit(&typed, &field.data_type, CastMode::Ansi, &self.settings),
            SchemaMode::Binding if !cast::is_upcast(&typed.ty, &field.data_type) => {
                let mut name = attr.qualifier.clone();
                name.push(attr.name.clone());
                Err(Error::analysis("CANNOT_UP_CAST_DATATYPE")
                    .param("expression", name.join("."))
                    .param("sourceType", format!("\"{}\"", typed.ty.sql()))
                    .param("targetType", format!("\"{}\"", field.data_type.sql()))
                    .param("details", "Cast the value in the query, or widen the column.")
                    .with_message("A column of the query does not fit the view's without loss."))
            }
            SchemaMode::Binding => Ok(cast::implicit(&typed, &field.data_type, &self.settings)),
            SchemaMode::TypeEvolution | SchemaMode::Evolution => Ok(typed),
        }
    }
}
