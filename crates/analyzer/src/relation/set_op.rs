//! `UNION`, `INTERSECT`, `EXCEPT`.

use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, Union};
use functions::error::from_datafusion;
use functions::families::collation::{collations_differ, is_collated, key_expr};
use functions::{Typed, coerce};
use spark::plan::{SetOp, SetOpKind};
use spark::types::DataType;
use spark::{Error, Plan, Result};

use crate::context::Analyzer;
use crate::decorrelate::uses_outer;
use crate::scope::{Attr, Made, Rel, project};

/// What a set operation is over.
enum Operands {
    Many(Vec<Rel>),
    Two(Box<Rel>, Box<Rel>),
}

impl Analyzer<'_> {
    pub(super) fn set_op(&mut self, op: &SetOp, origin: Option<&Arc<spark::Origin>>) -> Result<Rel> {
        let rels = self.operands(op)?;
        let before = std::mem::replace(&mut self.set_origin, origin.cloned());
        let combined = match rels {
            Operands::Many(rels) => self.union_all(rels),
            Operands::Two(left, right) => self.combine(op, *left, *right),
        };
        self.set_origin = before;
        combined
    }

    fn operands(&mut self, op: &SetOp) -> Result<Operands> {
        // A chain of unions is a list; a union of thousands must not be a tree as deep.
        if op.kind == SetOpKind::Union && !op.by_name && op.all {
            let mut parts = Vec::new();
            flatten(op, &mut parts);
            if parts.len() > 2 {
                let rels = parts.into_iter().map(|p| self.relation(p)).collect::<Result<Vec<_>>>()?;
                return Ok(Operands::Many(rels));
            }
        }
        let left = self.relation(&op.left)?;
        let right = self.relation(&op.right)?;
        Ok(Operands::Two(Box::new(left), Box::new(right)))
    }

    fn combine(&mut self, op: &SetOp, left: Rel, right: Rel) -> Result<Rel> {
        let (left, right) = match op.by_name {
            true => self.by_name(left, right, op.allow_missing_columns)?,
            false => (left, right),
        };
        match (op.kind, op.all) {
            (SetOpKind::Union, true) => self.union_all(vec![left, right]),
            (SetOpKind::Union, false) => {
                let rel = self.union_all(vec![left, right])?;
                self.distinct_rel(&rel)
            }
            (kind, all) => self.intersect_or_except(kind, all, left, right),
        }
    }

    /// `UNION ALL` of any number of relations, by position.
    ///
    /// # Errors
    /// `NUM_COLUMNS_MISMATCH`, `INCOMPATIBLE_COLUMN_TYPE`.
    pub fn union_all(&mut self, rels: Vec<Rel>) -> Result<Rel> {
        let (rels, types) = self.align(rels, "UNION")?;
        let first = rels.first().map(|r| r.output.clone()).unwrap_or_default();
        let mut output = Vec::with_capacity(first.len());
        for (i, attr) in first.iter().enumerate() {
            output.push(Attr {
                id: self.fresh_id(),
                ty: types[i].clone(),
                nullable: rels.iter().any(|r| r.output[i].nullable),
                ..attr.clone()
            });
        }
        let inputs = rels
            .iter()
            .map(|rel| {
                let exprs = rel.output.iter().zip(&output).map(|(a, o)| a.expr().alias(o.column_name())).collect();
                project(exprs, &rel.plan).map(Arc::new)
            })
            .collect::<Result<Vec<_>>>()?;
        let union = Union::try_new(inputs).map_err(from_datafusion)?;
        let children: Vec<&Rel> = rels.iter().collect();
        Ok(Rel::new(LogicalPlan::Union(union), output, Made::Opaque, &children))
    }

    /// The relations with their columns cast to common types.
    fn align(&mut self, rels: Vec<Rel>, operator: &str) -> Result<(Vec<Rel>, Vec<DataType>)> {
        let width = rels.first().map_or(0, |r| r.output.len());
        let mut types: Vec<DataType> =
            rels.first().map(|r| r.output.iter().map(|a| a.ty.clone()).collect()).unwrap_or_default();
        for (n, rel) in rels.iter().enumerate().skip(1) {
            if rel.output.len() != width {
                return Err(Error::analysis("NUM_COLUMNS_MISMATCH")
                    .param("operator", operator)
                    .param("firstNumColumns", width.to_string())
                    .param("invalidOrdinalNum", functions::call::ordinal(n.min(1) + 1))
                    .param("invalidNumColumns", rel.output.len().to_string()));
            }
            for (i, attr) in rel.output.iter().enumerate() {
                if collations_differ(&types[i], &attr.ty) {
                    return Err(incompatible(operator, n.min(1), i, attr, &types[i]));
                }
                types[i] = match coerce::wider_type(&types[i], &attr.ty, &self.settings) {
                    Some(ty) => ty,
                    None if same_structure(&types[i], &attr.ty) => continue,
                    None => return Err(incompatible(operator, n.min(1), i, attr, &types[i])),
                };
            }
        }
        let aligned = rels.into_iter().map(|rel| self.cast_columns(rel, &types)).collect::<Result<Vec<_>>>()?;
        Ok((aligned, types))
    }

    /// The relation with its columns cast; each column is there once for each place.
    fn cast_columns(&mut self, rel: Rel, types: &[DataType]) -> Result<Rel> {
        let mut ids = std::collections::HashSet::new();
        let unique = rel.output.iter().all(|a| ids.insert(a.id));
        if unique && rel.output.iter().zip(types).all(|(a, t)| a.ty == *t) {
            return Ok(rel);
        }
        let values = rel
            .output
            .iter()
            .zip(types)
            .map(|(a, t)| {
                let typed: Typed = coerce::cast_implicitly(&a.typed(), t, &self.settings);
                let mut typed = typed;
                typed.metadata = a.metadata.clone();
                if let Some(origin) = &self.set_origin {
                    typed.expr = functions::kernel::placed(typed.expr, origin);
                }
                (typed, None, a.name.clone())
            })
            .collect();
        self.project_values(&rel, values)
    }

    fn by_name(&mut self, left: Rel, right: Rel, allow_missing: bool) -> Result<(Rel, Rel)> {
        let mut values = Vec::new();
        for attr in &left.output {
            match right.output.iter().find(|r| self.same_name(&r.name, &attr.name)) {
                Some(r) => values.push((r.typed(), Some(r.clone()), attr.name.clone())),
                None if allow_missing => values.push((Typed::null(attr.ty.clone()), None, attr.name.clone())),
                None => return Err(missing_by_name(&attr.name, &right)),
            }
        }
        let extra: Vec<Attr> = right
            .output
            .iter()
            .filter(|r| !left.output.iter().any(|l| self.same_name(&l.name, &r.name)))
            .cloned()
            .collect();
        let mut left = left;
        if !extra.is_empty() {
            if !allow_missing {
                return Err(missing_by_name(&extra[0].name, &left));
            }
            let mut wider: Vec<_> = left.output.iter().map(|a| (a.typed(), Some(a.clone()), a.name.clone())).collect();
            wider.extend(extra.iter().map(|a| (Typed::null(a.ty.clone()), None, a.name.clone())));
            left = self.project_values(&left, wider)?;
            values.extend(extra.into_iter().map(|a| (a.typed(), Some(a.clone()), a.name)));
        }
        let right = self.project_values(&right, values)?;
        Ok((left, right))
    }

    fn intersect_or_except(&mut self, kind: SetOpKind, all: bool, left: Rel, right: Rel) -> Result<Rel> {
        let operator = match (kind, all) {
            (SetOpKind::Intersect, false) => "INTERSECT",
            (SetOpKind::Intersect, true) => "INTERSECT ALL",
            (_, false) => "EXCEPT",
            (_, true) => "EXCEPT ALL",
        };
        let (rels, types) = self.align(vec![left, right], operator)?;
        let [left, right] = rels.as_slice() else { return Err(Error::internal("two sides")) };
        self.check_comparable(left)?;
        let mut output = Vec::new();
        for (i, attr) in left.output.iter().enumerate() {
            let nullable = match kind {
                SetOpKind::Intersect => attr.nullable && right.output[i].nullable,
                _ => attr.nullable,
            };
            output.push(Attr { id: self.fresh_id(), ty: types[i].clone(), nullable, ..attr.clone() });
        }
        let side = |rel: &Rel| {
            let exprs = rel.output.iter().zip(&output).map(|(a, o)| a.expr().alias(o.column_name())).collect();
            project(exprs, &rel.plan)
        };
        let correlated = !self.outer.is_empty() && (uses_outer(&left.plan) || uses_outer(&right.plan));
        if correlated || output.iter().any(|a| is_collated(&a.ty)) {
            return self.by_keys(kind, all, left, right, output);
        }
        let (l, r) = (side(left)?, side(right)?);
        let plan = match (kind, all) {
            (_, true) => return self.all_variant(kind, left, right, output),
            (SetOpKind::Intersect, _) => LogicalPlanBuilder::intersect(l, r, false),
            _ => LogicalPlanBuilder::except(l, r, false),
        }
        .map_err(from_datafusion)?;
        Ok(Rel::new(unqualified(&plan)?, output, Made::Opaque, &[left, right]))
    }

    /// `INTERSECT` and `EXCEPT` of strings with a collation: rows are compared by their keys.
    fn by_keys(&mut self, kind: SetOpKind, all: bool, left: &Rel, right: &Rel, output: Vec<Attr>) -> Result<Rel> {
        let (left, right) = match all {
            true => (self.numbered(left)?, self.numbered(right)?),
            false => (self.distinct_rel(left)?, self.distinct_rel(right)?),
        };
        let same = |(l, r): (&Attr, &Attr)| {
            datafusion::logical_expr::binary_expr(
                key_expr(l.expr(), &l.ty),
                datafusion::logical_expr::Operator::IsNotDistinctFrom,
                key_expr(r.expr(), &r.ty),
            )
        };
        let on = left.output.iter().zip(&right.output).map(same).reduce(datafusion::logical_expr::Expr::and);
        let condition = on.map(|expr| Typed::new(expr, DataType::Boolean, false, "same"));
        let join = match kind {
            SetOpKind::Intersect => spark::plan::JoinType::LeftSemi,
            _ => spark::plan::JoinType::LeftAnti,
        };
        let rounds = std::mem::take(&mut self.rounds);
        let kept = self.join_on(&left, &right, join, condition);
        self.rounds = rounds;
        let kept = kept?;
        let exprs = kept.output.iter().zip(&output).map(|(a, o)| a.expr().alias(o.column_name())).collect();
        Ok(Rel::new(project(exprs, &kept.plan)?, output, Made::Opaque, &[&left, &right]))
    }

    /// `INTERSECT ALL` and `EXCEPT ALL`: occurrences are numbered on both sides, so that the n-th of one
    /// side meets the n-th of the other.
    fn all_variant(&mut self, kind: SetOpKind, left: &Rel, right: &Rel, output: Vec<Attr>) -> Result<Rel> {
        // Numbers that nobody wrote may stand where a recursion is read.
        let rounds = std::mem::take(&mut self.rounds);
        let sides = self.numbered(left).and_then(|left| Ok((left, self.numbered(right)?)));
        self.rounds = rounds;
        let (left, right) = sides?;
        let number = self.fresh_id();
        let side = |rel: &Rel| {
            let mut exprs: Vec<_> =
                rel.output.iter().zip(&output).map(|(a, o)| a.expr().alias(o.column_name())).collect();
            exprs.extend(rel.output.last().map(|a| a.expr().alias(format!("#{number}"))));
            project(exprs, &rel.plan)
        };
        let (l, r) = (side(&left)?, side(&right)?);
        let plan = match kind {
            SetOpKind::Intersect => LogicalPlanBuilder::intersect(l, r, false),
            _ => LogicalPlanBuilder::except(l, r, false),
        }
        .map_err(from_datafusion)?;
        Ok(Rel::new(unqualified(&plan)?, output, Made::Opaque, &[&left, &right]))
    }

    /// The relation with a last column that numbers equal rows.
    fn numbered(&mut self, rel: &Rel) -> Result<Rel> {
        let keys: Vec<_> = rel.output.iter().map(|a| key_expr(a.expr(), &a.ty)).collect();
        // Of strings that a collation takes for one, the first stands for all.
        let first = |a: &Attr| {
            use datafusion::logical_expr::{Expr, expr::WindowFunction};
            let udwf = datafusion::functions_window::nth_value::first_value_udwf();
            let mut window = WindowFunction::new(udwf, vec![a.expr()]);
            window.params.partition_by = keys.clone();
            Typed { expr: Expr::from(window), ..a.typed() }
        };
        let value = |a: &Attr| match is_collated(&a.ty) {
            true => (first(a), None, a.name.clone()),
            false => (a.typed(), Some(a.clone()), a.name.clone()),
        };
        let mut values: Vec<_> = rel.output.iter().map(value).collect();
        let mut call = self.call_window("row_number")?;
        if let datafusion::logical_expr::Expr::WindowFunction(w) = &mut call.expr {
            w.params.partition_by = keys;
        }
        values.push((call, None, "n".into()));
        self.project_values(rel, values)
    }

    /// A window function of DataFusion's over everything.
    fn call_window(&mut self, _name: &str) -> Result<Typed> {
        let expr = datafusion::functions_window::expr_fn::row_number();
        Ok(Typed::new(expr, DataType::Long, false, "row_number()"))
    }
}

/// The plan's columns without the table names that DataFusion's builder gives them.
fn unqualified(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let exprs = plan.schema().iter().map(|(qualifier, field)| {
        let column = datafusion::common::Column::from((qualifier, field));
        datafusion::logical_expr::Expr::Column(column).alias(field.name())
    });
    project(exprs.collect(), plan)
}

/// True if two types differ in nothing but names and nullability.
fn same_structure(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::Struct(a), DataType::Struct(b)) => {
            a.fields.len() == b.fields.len()
                && a.fields.iter().zip(&b.fields).all(|(a, b)| same_structure(&a.data_type, &b.data_type))
        }
        (DataType::Array { element: a, .. }, DataType::Array { element: b, .. }) => same_structure(a, b),
        (DataType::Map { key: ak, value: av, .. }, DataType::Map { key: bk, value: bv, .. }) => {
            same_structure(ak, bk) && same_structure(av, bv)
        }
        _ => a.same_type(b),
    }
}

/// The operands of a chain of `UNION ALL`.
fn flatten<'a>(op: &'a SetOp, out: &mut Vec<&'a Plan>) {
    let mut stack = vec![&op.right, &op.left];
    while let Some(plan) = stack.pop() {
        match &plan.node {
            spark::Node::SetOp(inner)
                if inner.kind == SetOpKind::Union && inner.all && !inner.by_name && plan.plan_id.is_none() =>
            {
                stack.push(&inner.right);
                stack.push(&inner.left);
            }
            _ => out.push(plan),
        }
    }
}

fn incompatible(operator: &str, table: usize, column: usize, attr: &Attr, expected: &DataType) -> Error {
    Error::analysis("INCOMPATIBLE_COLUMN_TYPE")
        .param("tableOrdinalNumber", functions::call::ordinal(table + 1))
        .param("columnOrdinalNumber", functions::call::ordinal(column + 1))
        .param("dataType2", format!("\"{}\"", expected.sql()))
        .param("operator", operator)
        .param("hint", "")
        .param("dataType1", format!("\"{}\"", attr.ty.sql()))
}

fn missing_by_name(name: &str, other: &Rel) -> Error {
    let names: Vec<&str> = other.output.iter().map(|a| a.name.as_str()).collect();
    Error::analysis("UNRESOLVED_COLUMN_AMONG_FIELD_NAMES")
        .param("colName", name)
        .param("fieldNames", names.join(", "))
        .with_message(format!("Cannot resolve column name {name} among ({}).", names.join(", ")))
}
