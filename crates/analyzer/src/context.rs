//! The state of one analysis: what is in scope, and what turned out to be missing.

use std::collections::HashMap;
use std::rc::Rc;

use functions::Typed;
use spark::expr::WindowSpec;
use spark::types::DataType;
use spark::{Error, Plan, Result, Settings};

use crate::Observation;
use crate::scope::{Attr, Rel};
use crate::world::{Answer, Need, World};

/// One analysis.
pub(crate) struct Analyzer<'w> {
    pub world: &'w World,
    pub settings: Settings,
    pub needs: Vec<Need>,
    next_id: u64,
    /// CTEs in scope, innermost last.
    pub ctes: Vec<HashMap<String, Rc<CteDef>>>,
    /// Named windows in scope, innermost last.
    pub windows: Vec<HashMap<String, WindowSpec>>,
    /// Columns of enclosing queries, innermost last.
    pub outer: Vec<OuterScope>,
    /// References of the enclosing `WithRelations`, by plan id and by alias.
    pub references: Vec<Vec<Plan>>,
    /// Arguments for parameter markers, innermost last.
    pub parameters: Vec<Parameters>,
    /// Lambda parameters in scope, innermost last.
    pub lambdas: Vec<HashMap<String, LambdaVariable>>,
    /// Typed expressions standing under made-up names (columns of an expanded star).
    pub bound: HashMap<String, Typed>,
    /// True inside a permanent view, which knows nothing of the session's temporary things.
    pub in_view: bool,
    /// True while columns of the queries around this one are no candidates.
    pub hides_outer: bool,
    /// True while the arguments of a generator are typed.
    pub in_generator: bool,
    /// Calls of SQL functions that are keys of a grouping: the function, its arguments, and what it became.
    pub grouped_calls: Vec<(Vec<String>, Vec<datafusion::logical_expr::Expr>, Typed)>,
    /// Subqueries that are bodies of SQL functions.
    pub function_subqueries: Vec<std::sync::Arc<datafusion::logical_expr::LogicalPlan>>,
    /// Parameters of the SQL functions being expanded, by lower-case name, innermost last.
    pub constants: Vec<HashMap<String, Typed>>,
    /// Tables that stand for the round before in the steps of recursions being analysed, innermost last.
    pub rounds: Vec<String>,
    /// Join hints whose tables are being looked for, innermost last.
    pub join_hints: Vec<crate::relation::partitioning::JoinHints>,
    /// Relations that are analysed already, by the id of the remote relation that stands for them.
    pub at_hand: HashMap<String, Rel>,
    pub observations: Vec<Observation>,
    /// Aggregates of an enclosing query that a subquery of its `HAVING` uses, and the columns they become.
    pub outer_aggregates: Vec<(datafusion::logical_expr::Expr, String)>,
    /// Aliases of the select list that entries after them used, in order.
    pub lateral_aliases: Vec<String>,
    /// True while an expression with a generator in it is only printed.
    pub prints_generators: bool,
    /// True while columns are printed with their qualifiers.
    pub qualified: bool,
    /// Where the set operation is whose sides are cast.
    pub set_origin: Option<std::sync::Arc<spark::Origin>>,
    /// Where calls of `grouping` and `grouping_id` stand in select lists.
    pub grouping_calls: Vec<(datafusion::logical_expr::Expr, std::sync::Arc<spark::Origin>)>,
    /// Names of the CTEs being analysed, innermost last.
    pub defining: Vec<String>,
    /// How many scopes of CTEs are outside the definition or subquery being analysed.
    pub cte_boundary: usize,
    /// What the measures of metric views compute, by their columns.
    pub measures: HashMap<u64, Typed>,
    /// Names of the views being expanded, against cycles.
    pub views: Vec<Vec<String>>,
}

/// A CTE: its plan is analysed at each reference, in the scope of its definition.
pub(crate) struct CteDef {
    pub plan: Plan,
    pub name: String,
    pub columns: Vec<String>,
    /// How many CTE scopes are visible to the definition.
    pub visible: usize,
    /// CTEs defined before it in the same `WITH`.
    pub earlier: HashMap<String, Rc<CteDef>>,
    pub recursive: bool,
    /// Where its `WITH` stands.
    pub origin: Option<std::sync::Arc<spark::Origin>>,
    /// Whether it was read; a definition that nobody reads is analysed for its own sake.
    pub used: std::cell::Cell<bool>,
    pub max_recursion: Option<i32>,
    /// While a recursive CTE's own body is analysed: its columns so far.
    pub working: std::cell::RefCell<Option<Working>>,
    /// While its body is analysed: who asks for it then, outside the step of a recursion, would never end.
    pub active: std::cell::Cell<bool>,
}

/// The working table of a recursive CTE.
#[derive(Clone)]
pub(crate) struct Working {
    pub table: String,
    pub output: Vec<Attr>,
}

/// Columns of an enclosing query.
pub(crate) struct OuterScope {
    pub rel: Rel,
    /// Columns the inner query used.
    pub used: Vec<Attr>,
    /// True if the inner query stands where aggregates of this scope may (`HAVING`).
    pub takes_aggregates: bool,
}

/// Arguments of a parameterized query.
#[derive(Default)]
pub(crate) struct Parameters {
    pub named: HashMap<String, Typed>,
    pub positional: Vec<Typed>,
}

/// A lambda parameter.
#[derive(Clone)]
pub(crate) struct LambdaVariable {
    /// The name in the plan, unique in the query.
    pub unique: String,
    pub ty: DataType,
    pub nullable: bool,
    pub printed: String,
}

impl<'w> Analyzer<'w> {
    pub fn new(world: &'w World) -> Self {
        Analyzer {
            world,
            settings: world.settings.clone(),
            needs: Vec::new(),
            next_id: 0,
            ctes: Vec::new(),
            windows: Vec::new(),
            outer: Vec::new(),
            references: Vec::new(),
            parameters: Vec::new(),
            lambdas: Vec::new(),
            bound: HashMap::new(),
            in_view: false,
            hides_outer: false,
            in_generator: false,
            grouped_calls: Vec::new(),
            function_subqueries: Vec::new(),
            constants: Vec::new(),
            rounds: Vec::new(),
            join_hints: Vec::new(),
            at_hand: HashMap::new(),
            observations: Vec::new(),
            outer_aggregates: Vec::new(),
            lateral_aliases: Vec::new(),
            prints_generators: false,
            qualified: false,
            set_origin: None,
            grouping_calls: Vec::new(),
            defining: Vec::new(),
            cte_boundary: 0,
            measures: HashMap::new(),
            views: Vec::new(),
        }
    }

    /// A new attribute id.
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A new attribute for the value of `typed`, under `name`.
    pub fn fresh_attr(&mut self, name: impl Into<String>, typed: &Typed) -> Attr {
        Attr {
            id: self.fresh_id(),
            name: name.into(),
            qualifier: Vec::new(),
            ty: typed.ty.clone(),
            nullable: typed.nullable,
            metadata: typed.metadata.clone(),
        }
    }

    /// True if two names are the same name in this session.
    pub fn same_name(&self, a: &str, b: &str) -> bool {
        if self.settings.case_sensitive {
            a == b
        } else {
            let is_plain = a.is_ascii() && b.is_ascii();
            a.eq_ignore_ascii_case(b) || !is_plain && a.to_lowercase() == b.to_lowercase()
        }
    }

    /// The full names that an unqualified name may stand for, in order; nothing where the session is to look.
    pub fn along_path(&self, name: &[String]) -> Option<Vec<Vec<String>>> {
        let ([only], true) = (name, self.in_view || self.settings.path.is_some()) else { return None };
        let is_searched = |schema: &Vec<String>| {
            !spark::settings::is_system(schema, "builtin")
                && !(self.in_view && spark::settings::is_system(schema, "session"))
        };
        let full = |mut schema: Vec<String>| {
            schema.push(only.clone());
            schema
        };
        Some(self.settings.search_path().into_iter().filter(is_searched).map(full).collect())
    }

    /// What a name of a relation stands for.
    ///
    /// # Errors
    /// As [`Analyzer::ask_found`].
    pub fn ask_relation(&mut self, name: &[String], options: &spark::plan::Options) -> Result<&'w Answer> {
        let need = |name: Vec<String>| Need::Relation { name, options: options.clone() };
        let Some(candidates) = self.along_path(name) else { return self.ask_found(need(name.to_vec())) };
        for full in candidates {
            match self.ask_found(need(full))? {
                Answer::NotFound => {}
                found => return Ok(found),
            }
        }
        Ok(&Answer::NotFound)
    }

    /// What a name of a function that is not built in stands for.
    ///
    /// # Errors
    /// As [`Analyzer::ask_found`].
    pub fn ask_function(&mut self, name: &[String]) -> Result<&'w Answer> {
        let Some(candidates) = self.along_path(name) else { return self.ask_found(Need::Function(name.to_vec())) };
        for full in candidates {
            match self.ask_found(Need::Function(full))? {
                Answer::NotFound => {}
                found => return Ok(found),
            }
        }
        Ok(&Answer::NotFound)
    }

    /// The answer to a need; if there is none yet, notes the need and stops the analysis.
    ///
    /// # Errors
    /// When the answer is not there yet. The caller of the analysis sees the needs, not this error.
    pub fn ask(&mut self, need: Need) -> Result<&'w Answer> {
        if let Some(answer) = self.world.answers.get(&need) {
            return Ok(answer);
        }
        self.needs.push(need);
        Err(Error::internal("analysis needs to know more"))
    }

    /// As [`Analyzer::ask`], with lookups that failed as errors.
    ///
    /// # Errors
    /// As [`Analyzer::ask`], and what the lookup met.
    pub fn ask_found(&mut self, need: Need) -> Result<&'w Answer> {
        match self.ask(need)? {
            Answer::Failed(error) => Err(error.clone()),
            answer => Ok(answer),
        }
    }
}
