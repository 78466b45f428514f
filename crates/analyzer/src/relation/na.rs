//! `df.na`: filling, dropping and replacing nulls and values.

use functions::Typed;
use spark::types::DataType;
use spark::{Literal, Plan, Result};

use crate::context::Analyzer;
use crate::scope::{Attr, Rel};

impl Analyzer<'_> {
    pub(super) fn fill_na(&mut self, input: &Plan, columns: &[String], values: &[Literal]) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.check_names(columns, &rel)?;
        let mut out = Vec::new();
        for attr in rel.output.clone() {
            let place = columns.iter().position(|c| self.same_name(c, &attr.name));
            let value = match (columns.is_empty(), place) {
                (true, _) => values.first(),
                (false, Some(i)) => values.get(i).or_else(|| values.first()),
                (false, None) => None,
            };
            match value.filter(|v| fillable(&attr.ty, &v.data_type())) {
                Some(value) => {
                    let filled = self.filled(&attr, value.clone())?;
                    out.push((filled, None, attr.name.clone()));
                }
                None => out.push((attr.typed(), Some(attr.clone()), attr.name.clone())),
            }
        }
        self.project_values(&rel, out)
    }

    /// `coalesce(column, value)`, where NaN counts as null.
    fn filled(&mut self, attr: &Attr, value: Literal) -> Result<Typed> {
        let value = self.constant(value)?;
        let value = functions::cast::explicit(&value, &attr.ty, spark::expr::CastMode::Session, &self.settings)?;
        let column = match attr.ty {
            DataType::Float | DataType::Double => {
                let null = Typed::null(attr.ty.clone());
                self.call("nanvl", vec![attr.typed(), null])?
            }
            _ => attr.typed(),
        };
        self.call("coalesce", vec![column, value])
    }

    pub(super) fn drop_na(&mut self, input: &Plan, columns: &[String], min: Option<i32>) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.check_names(columns, &rel)?;
        let considered: Vec<Attr> = rel
            .output
            .iter()
            .filter(|a| columns.is_empty() || columns.iter().any(|c| self.same_name(c, &a.name)))
            .cloned()
            .collect();
        let needed = min.unwrap_or(considered.len() as i32);
        let mut condition: Option<Typed> = None;
        let mut count: Option<Typed> = None;
        for attr in &considered {
            let present = self.present(attr)?;
            if min.is_none() {
                condition = Some(match condition {
                    None => present,
                    Some(before) => self.call("and", vec![before, present])?,
                });
            } else {
                let one = self.constant(Literal::Integer(1))?;
                let zero = self.constant(Literal::Integer(0))?;
                let counted = self.call("if", vec![present, one, zero])?;
                count = Some(match count {
                    None => counted,
                    Some(before) => self.call("+", vec![before, counted])?,
                });
            }
        }
        if let Some(count) = count {
            let needed = self.constant(Literal::Integer(needed))?;
            condition = Some(self.call(">=", vec![count, needed])?);
        }
        match condition {
            Some(condition) => self.filter_typed(&rel, condition, &rel),
            None => Ok(rel),
        }
    }

    /// True where the column is neither null nor NaN.
    fn present(&mut self, attr: &Attr) -> Result<Typed> {
        let column = match attr.ty {
            DataType::Float | DataType::Double => {
                let null = Typed::null(attr.ty.clone());
                self.call("nanvl", vec![attr.typed(), null])?
            }
            _ => attr.typed(),
        };
        self.call("isnotnull", vec![column])
    }

    pub(super) fn replace(&mut self, input: &Plan, columns: &[String], pairs: &[(Literal, Literal)]) -> Result<Rel> {
        let rel = self.relation(input)?;
        self.check_names(columns, &rel)?;
        let mut out = Vec::new();
        for attr in rel.output.clone() {
            let named = columns.is_empty() || columns.iter().any(|c| self.same_name(c, &attr.name) || c == "*");
            let fits = pairs.iter().any(|(old, _)| fillable(&attr.ty, &old.data_type()));
            if !named || !fits {
                out.push((attr.typed(), Some(attr.clone()), attr.name.clone()));
                continue;
            }
            let mut args = Vec::new();
            for (old, new) in pairs {
                let old = self.constant(old.clone())?;
                args.push(self.call("=", vec![attr.typed(), old])?);
                let new = self.constant(new.clone())?;
                args.push(functions::cast::explicit(&new, &attr.ty, spark::expr::CastMode::Session, &self.settings)?);
            }
            args.push(attr.typed());
            let replaced = self.call("when", args)?;
            out.push((replaced, None, attr.name.clone()));
        }
        self.project_values(&rel, out)
    }

    fn check_names(&self, names: &[String], rel: &Rel) -> Result<()> {
        for name in names.iter().filter(|n| *n != "*") {
            if !rel.output.iter().any(|a| self.same_name(&a.name, name)) {
                return Err(self.no_such_field(name, &rel.output));
            }
        }
        Ok(())
    }
}

/// True if a value of type `value` may take the place of nulls in a column of type `column`.
fn fillable(column: &DataType, value: &DataType) -> bool {
    match value {
        DataType::Null => true,
        DataType::Boolean => *column == DataType::Boolean,
        v if v.is_numeric() => column.is_numeric(),
        v if v.is_string() => column.is_string(),
        _ => false,
    }
}
