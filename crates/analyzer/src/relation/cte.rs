//! `WITH`, also recursive.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow_schema::Field;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, TableScanBuilder};
use functions::coerce;
use functions::error::from_datafusion;
use functions::recursion::{Limits, Recursion};
use spark::plan::{Cte, SetOp, SetOpKind};
use spark::{DataType, Error, Node, Origin, Plan, Result};

use crate::context::{Analyzer, CteDef, Working};
use crate::scope::{Attr, Made, Rel, project};

impl Analyzer<'_> {
    pub(super) fn with(
        &mut self,
        ctes: &[Cte],
        recursive: bool,
        input: &Plan,
        origin: Option<&Arc<Origin>>,
    ) -> Result<Rel> {
        let visible = self.ctes.len();
        let mut scope: HashMap<String, Rc<CteDef>> = HashMap::new();
        let policy =
            self.settings.conf.get("spark.sql.legacy.ctePrecedencePolicy").unwrap_or("CORRECTED").to_uppercase();
        for cte in ctes {
            let key = self.cte_key(&cte.name);
            // Inside definitions and subqueries a name may be that of an outer definition.
            let is_outer = self.ctes[..self.cte_boundary.min(visible)].iter().any(|s| s.contains_key(&key));
            if policy == "LEGACY" && recursive {
                return Err(Error::analysis("RECURSIVE_CTE_IN_LEGACY_MODE").at(origin));
            }
            if policy != "CORRECTED" && is_outer && !self.defining.contains(&key) {
                if policy == "LEGACY" {
                    continue;
                }
                return Err(Error::analysis("AMBIGUOUS_ALIAS_IN_NESTED_CTE")
                    .param("name", spark::types::quote_identifier(&cte.name))
                    .param("config", "\"spark.sql.legacy.ctePrecedencePolicy\"")
                    .param("docroot", "https://spark.apache.org/docs/latest"));
            }
            if scope.contains_key(&key) {
                return Err(Error::parse("DUPLICATED_CTE_NAMES").param("duplicateNames", format!("`{}`", cte.name)));
            }
            let def = CteDef {
                plan: cte.plan.clone(),
                name: cte.name.clone(),
                columns: cte.columns.clone(),
                visible,
                earlier: scope.clone(),
                recursive,
                origin: origin.cloned(),
                used: Default::default(),
                max_recursion: cte.max_recursion,
                working: Default::default(),
                active: Default::default(),
            };
            scope.insert(key, Rc::new(def));
        }
        // Definitions that nobody uses must be right all the same.
        let unused: Vec<Rc<CteDef>> = scope.values().cloned().collect();
        self.ctes.push(scope);
        let rel = self.relation(input);
        self.ctes.pop();
        let rel = rel?;
        for def in unused.iter().filter(|d| !d.used.get()) {
            self.define(def)?;
        }
        Ok(rel)
    }

    /// A name as definitions are told apart by.
    fn cte_key(&self, name: &str) -> String {
        if self.settings.case_sensitive { name.to_string() } else { name.to_lowercase() }
    }

    /// The CTE of that name, analysed anew; `None` if there is none.
    ///
    /// # Errors
    /// What is wrong in its definition.
    pub(super) fn cte(&mut self, name: &str) -> Result<Option<Rel>> {
        let key = self.cte_key(name);
        let Some(def) = self.ctes.iter().rev().find_map(|scope| scope.get(&key).cloned()) else { return Ok(None) };
        def.used.set(true);
        let working = def.working.borrow().clone();
        if let Some(working) = working {
            return self.working_table(&working, &def).map(Some);
        }
        if def.active.get() {
            return Err(not_anchored(&def));
        }
        let rel = self.define(&def)?;
        self.alias_rel(&rel, std::slice::from_ref(&def.name), &[]).map(Some)
    }

    fn define(&mut self, def: &Rc<CteDef>) -> Result<Rel> {
        let inner = self.ctes.split_off(def.visible.min(self.ctes.len()));
        let mut scope = def.earlier.clone();
        if def.recursive {
            scope.insert(self.cte_key(&def.name), def.clone());
        }
        self.ctes.push(scope);
        let boundary = std::mem::replace(&mut self.cte_boundary, self.ctes.len());
        self.defining.push(self.cte_key(&def.name));
        let active = def.active.replace(true);
        let rel = match recursive_union(def) {
            Some((plan, names, op)) => self.recursive(def, &plan, &names, &op),
            None if def.recursive && mentions(&def.plan, &def.name) => Err(not_anchored(def)),
            None => self.relation(&def.plan),
        };
        def.active.set(active);
        self.defining.pop();
        self.cte_boundary = boundary;
        self.ctes.truncate(def.visible);
        self.ctes.extend(inner);
        let rel = rel?;
        self.alias_rel(&rel, std::slice::from_ref(&def.name), &def.columns)
    }

    /// `anchor UNION [ALL] step`, where the step reads what the round before produced.
    fn recursive(&mut self, def: &Rc<CteDef>, anchor_plan: &Plan, names: &[String], op: &SetOp) -> Result<Rel> {
        if !op.all {
            return Err(Error::analysis("UNION_NOT_SUPPORTED_IN_RECURSIVE_CTE").at(def.origin.as_ref()));
        }
        let anchor = self.relation(anchor_plan)?;
        let names = if names.is_empty() { &def.columns } else { names };
        if !names.is_empty() && names.len() != anchor.output.len() {
            return Err(Error::analysis("ASSIGNMENT_ARITY_MISMATCH")
                .param("numExpr", names.len().to_string())
                .param("numTarget", anchor.output.len().to_string()));
        }
        let output: Vec<Attr> = anchor
            .output
            .iter()
            .enumerate()
            .map(|(i, a)| Attr {
                id: self.fresh_id(),
                name: names.get(i).cloned().unwrap_or_else(|| a.name.clone()),
                qualifier: vec![def.name.clone()],
                nullable: true,
                ..a.clone()
            })
            .collect();
        let table = format!("{}#{}", def.name, self.fresh_id());
        *def.working.borrow_mut() = Some(Working { table: table.clone(), output: output.clone() });
        self.rounds.push(table.clone());
        let step = self.relation(&op.right);
        self.rounds.pop();
        def.working.borrow_mut().take();
        let step = step?;
        if !reads(&step.plan, &table) {
            // The name on the right is that of another definition: nothing recurs.
            return self.relation(&def.plan);
        }
        let types = self.merged_types(&output, &step)?;
        let settings = self.settings.clone();
        let side = |rel: &Rel| {
            let cast = |(a, o): (&Attr, &Attr)| {
                coerce::cast_implicitly(&a.typed(), &o.ty, &settings).expr.alias(o.column_name())
            };
            project(rel.output.iter().zip(&output).map(cast).collect(), &rel.plan)
        };
        let (first, next) = (side(&anchor)?, side(&step)?);
        let fields = first.schema().fields().iter().zip(next.schema().fields());
        let fields =
            fields.map(|(a, b)| Field::new(a.name(), a.data_type().clone(), a.is_nullable() || b.is_nullable()));
        let schema = DFSchema::from_unqualified_fields(fields.collect(), HashMap::new()).map_err(from_datafusion)?;
        let limits = self.recursion_limits(def.max_recursion);
        let recursion = Recursion { table, anchor: first, step: next, schema: Arc::new(schema), limits };
        let nullable = anchor.output.iter().zip(&step.output).map(|(a, s)| a.nullable || s.nullable);
        let shown = output.into_iter().zip(types).zip(nullable);
        let output = shown.map(|((attr, ty), nullable)| Attr { ty, nullable, ..attr }).collect();
        Ok(Rel::new(recursion.plan(), output, Made::Opaque, &[]))
    }

    /// The columns' types: those of the anchor, nullable inside where those of the step are.
    fn merged_types(&self, anchor: &[Attr], step: &Rel) -> Result<Vec<DataType>> {
        if step.output.len() != anchor.len() {
            return Err(Error::analysis("NUM_COLUMNS_MISMATCH")
                .param("operator", "UNION")
                .param("firstNumColumns", anchor.len().to_string())
                .param("invalidOrdinalNum", "second")
                .param("invalidNumColumns", step.output.len().to_string()));
        }
        let merged = step.output.iter().zip(anchor).map(|(from, to)| {
            let wider = coerce::wider_type(&to.ty, &from.ty, &self.settings).filter(|wider| wider.same_type(&to.ty));
            wider.ok_or_else(|| {
                Error::analysis("CANNOT_MERGE_INCOMPATIBLE_DATA_TYPE")
                    .param("left", format!("\"{}\"", to.ty.sql()))
                    .param("right", format!("\"{}\"", from.ty.sql()))
            })
        });
        merged.collect()
    }

    /// How far a recursion may go; a negative setting is no limit.
    fn recursion_limits(&self, levels: Option<i32>) -> Limits {
        let conf = &self.settings.conf;
        let levels = levels.map_or_else(|| conf.get_int("spark.sql.cteRecursionLevelLimit", 100), i64::from);
        let rows = conf.get_int("spark.sql.cteRecursionRowLimit", 1_000_000);
        Limits { levels: u64::try_from(levels).ok(), rows: u64::try_from(rows).ok() }
    }

    /// True if `plan` reads the round before of a recursion that is being analysed.
    pub fn reads_round(&self, plan: &LogicalPlan) -> bool {
        self.rounds.iter().any(|table| reads(plan, table))
    }

    /// Where rows of the round before may not stand.
    ///
    /// # Errors
    /// `INVALID_RECURSIVE_REFERENCE.PLACE` if `rel` reads them.
    pub fn refuse_round(&self, rel: &Rel) -> Result<()> {
        if !self.reads_round(&rel.plan) {
            return Ok(());
        }
        Err(Error::analysis("INVALID_RECURSIVE_REFERENCE.PLACE").nowhere().with_message(
            "A recursive reference cannot be grouped, sorted or numbered, nor stand on the side of a join whose rows may be left out.",
        ))
    }

    /// What the round before produced.
    fn working_table(&mut self, working: &Working, def: &CteDef) -> Result<Rel> {
        let fields: Vec<Field> = working
            .output
            .iter()
            .map(|a| Field::new(a.column_name(), functions::types::to_arrow(&a.ty), true))
            .collect();
        let table = CteWorkTable::new(&working.table, Arc::new(arrow_schema::Schema::new(fields)));
        let reference = TableReference::bare(working.table.clone());
        let scan = TableScanBuilder::new(reference.clone(), provider_as_source(Arc::new(table)))
            .build()
            .map_err(from_datafusion)?;
        let mut output = Vec::new();
        let mut exprs = Vec::new();
        for attr in &working.output {
            let fresh = Attr { id: self.fresh_id(), qualifier: vec![def.name.clone()], ..attr.clone() };
            let column = Column::new(Some(reference.clone()), attr.column_name());
            exprs.push(DfExpr::Column(column).alias(fresh.column_name()));
            output.push(fresh);
        }
        let plan = project(exprs, &LogicalPlan::TableScan(scan))?;
        Ok(Rel::new(plan, output, Made::Opaque, &[]))
    }
}

/// True if a plan reads a table, also inside subqueries.
fn reads(plan: &LogicalPlan, table: &str) -> bool {
    let mut found = false;
    // The visitor itself cannot fail.
    let _ = plan.apply_with_subqueries(|p| {
        found |= matches!(p, LogicalPlan::TableScan(scan) if scan.table_name.table() == table);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

fn not_anchored(def: &CteDef) -> Error {
    Error::analysis("INVALID_RECURSIVE_CTE")
        .with_message(format!("The recursion {} is not an anchor and a step joined by UNION ALL.", def.name))
}

/// The parts of a recursive definition: anchor, column names given inside, the union.
fn recursive_union(def: &CteDef) -> Option<(Plan, Vec<String>, SetOp)> {
    if !def.recursive {
        return None;
    }
    let mut plan = &def.plan;
    let mut names: &[String] = &[];
    let mut scopes = Vec::new();
    loop {
        plan = match &plan.node {
            Node::SubqueryAlias { input, columns, .. } => {
                if !columns.is_empty() {
                    names = columns;
                }
                input
            }
            Node::With { ctes, recursive, input } => {
                scopes.push((ctes, *recursive));
                input
            }
            _ => break,
        };
    }
    let Node::SetOp(op) = &plan.node else { return None };
    if op.kind != SetOpKind::Union || !mentions(&op.right, &def.name) {
        return None;
    }
    // Both sides see what is defined around the union.
    let scoped = |side: &Plan| {
        scopes.iter().rev().fold(side.clone(), |inner, (ctes, recursive)| {
            Plan::from(Node::With { ctes: (*ctes).clone(), recursive: *recursive, input: Box::new(inner) })
        })
    };
    let mut op = (**op).clone();
    (op.left, op.right) = (scoped(&op.left), scoped(&op.right));
    Some((op.left.clone(), names.to_vec(), op))
}

/// True if `plan` reads a table of that name, by the text of the plan: cheap, and a false hit only means
/// that the definition is treated as a recursion that ends after one round.
fn mentions(plan: &Plan, name: &str) -> bool {
    let text = format!("{plan:?}").to_lowercase();
    text.contains(&format!("name: [\"{}\"]", name.to_lowercase()))
}
