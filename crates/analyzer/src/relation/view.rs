//! Views: a stored plan in place of a name.

use spark::{Error, Result};

use crate::context::Analyzer;
use crate::scope::Rel;
use crate::world::View;

impl Analyzer<'_> {
    /// Analyses a view where its name stands: in the scope of its creation, not of the query.
    pub(super) fn view(&mut self, view: &View) -> Result<Rel> {
        if self.views.contains(&view.name) {
            return Err(Error::analysis("RECURSIVE_VIEW")
                .param("viewIdent", crate::expr::attribute::quoted(&view.name))
                .param("newPath", ""));
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
        }
        let result = self.relation(&view.plan);
        self.settings = settings;
        self.constants = constants;
        self.references = references;
        self.parameters = parameters;
        self.outer = outer;
        self.windows = windows;
        self.ctes = ctes;
        self.views.pop();
        let rel = result?;
        let rel = match &view.schema {
            Some(schema) if schema.fields.len() == rel.output.len() => self.as_schema(&rel, schema, &view.name)?,
            _ => rel,
        };
        let names: Vec<String> = view.columns.iter().map(|(n, _)| n.clone()).collect();
        let mut rel = self.alias_rel(&rel, &view.name, &names)?;
        for (attr, (_, comment)) in rel.output.iter_mut().zip(&view.columns) {
            if let Some(comment) = comment {
                attr.metadata = attr.metadata.with("comment", serde_json::Value::String(comment.clone()));
            }
        }
        Ok(rel)
    }
}
