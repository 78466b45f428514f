//! `df.persist`: a plan's result is kept the first time an action needs it, and stands in for the plan
//! wherever it appears in later ones.

use std::collections::HashMap;
use std::sync::Arc;

use spark::{Error, Expr, Node, Plan, Result};

use crate::cache::StorageLevel;
use crate::session::Session;
use spark::canonical::{canonical, reference_mut};

/// Plans that one session keeps; more are refused.
const MAX_PERSISTED: usize = 1000;

/// A plan that is to be kept.
#[derive(Clone)]
pub struct Persisted {
    key: Plan,
    plan: Plan,
    level: StorageLevel,
    /// The id of the relation that holds the rows.
    id: String,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Wanted,
    Computing,
    Kept,
}

impl Session {
    /// Keeps the plan's result from the next action on.
    ///
    /// # Errors
    /// If the plan is wrong, or too much is kept.
    pub async fn persist(self: &Arc<Self>, plan: Plan, level: StorageLevel) -> Result<()> {
        self.analyze_schema(plan.clone()).await?;
        let key = canonical(&plan);
        let mut names = self.names.lock();
        if names.persisted.iter().any(|p| p.key == key) {
            return Ok(());
        }
        if names.persisted.len() >= MAX_PERSISTED {
            return Err(Error::unsupported("keeping more results in one session"));
        }
        let id = uuid::Uuid::new_v4().to_string();
        names.persisted.push(Persisted { key, plan, level, id, progress: Progress::Wanted });
        Ok(())
    }

    /// Forgets the plan's result.
    ///
    /// # Errors
    /// None so far; a wrong plan was never kept.
    pub async fn unpersist(self: &Arc<Self>, plan: Plan) -> Result<()> {
        let key = canonical(&plan);
        let mut names = self.names.lock();
        if let Some(at) = names.persisted.iter().position(|p| p.key == key) {
            let persisted = names.persisted.remove(at);
            names.remote.remove(&persisted.id);
        }
        Ok(())
    }

    /// Results of plans that read files below `path` are computed anew when they are next needed.
    pub(crate) fn recompute_persisted(&self, path: &str) {
        let mut names = self.names.lock();
        let names = &mut *names;
        for persisted in names.persisted.iter_mut().filter(|p| p.progress == Progress::Kept) {
            let kept = names.remote.get(&persisted.id);
            if kept.is_none_or(|relation| crate::reads::is_of(&relation.source, path)) {
                persisted.progress = Progress::Wanted;
                names.remote.remove(&persisted.id);
            }
        }
    }

    /// How the plan's result is kept; `StorageLevel.NONE` if it is not.
    ///
    /// # Errors
    /// None so far.
    pub async fn storage_level(self: &Arc<Self>, plan: Plan) -> Result<StorageLevel> {
        let key = canonical(&plan);
        let names = self.names.lock();
        let level = names.persisted.iter().find(|p| p.key == key).map(|p| p.level);
        Ok(level.unwrap_or(StorageLevel { replication: 1, ..StorageLevel::default() }))
    }

    /// How the plan's result is or will be kept, if it is.
    pub(crate) fn persisted_level(&self, plan: &Plan) -> Option<StorageLevel> {
        let key = canonical(plan);
        self.names.lock().persisted.iter().find(|p| p.key == key).map(|p| p.level)
    }

    /// `plan` with the kept results in place of the plans they are of; computes those still wanted.
    pub(crate) async fn with_kept(self: &Arc<Self>, mut plan: Plan) -> Result<Plan> {
        let keys: Vec<(Plan, String)> =
            self.names.lock().persisted.iter().map(|p| (p.key.clone(), p.id.clone())).collect();
        if keys.is_empty() {
            return Ok(plan);
        }
        let mut found = Vec::new();
        plan.visit_plans_mut(&mut |p| found.extend(id_of(&keys, p)));
        for id in found {
            self.compute(&id).await?;
        }
        let kept: Vec<(Plan, String)> = {
            let names = self.names.lock();
            let kept = names.persisted.iter().filter(|p| p.progress == Progress::Kept);
            kept.map(|p| (p.key.clone(), p.id.clone())).collect()
        };
        let references = references(&mut plan);
        plan.visit_plans_mut(&mut |p| {
            if let Some(id) = id_of(&kept, p)
                && !is_reached_into(p, &references)
            {
                p.node = Node::CachedRemoteRelation { id };
            }
        });
        Ok(plan)
    }

    /// Computes the rows of a persisted plan, unless somebody does or did.
    async fn compute(self: &Arc<Self>, id: &str) -> Result<()> {
        let plan = {
            let mut names = self.names.lock();
            let Some(persisted) = names.persisted.iter_mut().find(|p| p.id == id) else { return Ok(()) };
            if persisted.progress != Progress::Wanted {
                return Ok(());
            }
            persisted.progress = Progress::Computing;
            persisted.plan.clone()
        };
        let mut claim = Claim { session: self, id, relation: None };
        claim.relation = Some(self.keep(&plan).await?);
        Ok(())
    }
}

/// The right to compute a persisted plan; given back if that fails or is cancelled.
struct Claim<'a> {
    session: &'a Session,
    id: &'a str,
    relation: Option<crate::names::Relation>,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let relation = self.relation.take();
        let mut names = self.session.names.lock();
        // It may have been unpersisted meanwhile.
        let Some(persisted) = names.persisted.iter_mut().find(|p| p.id == self.id) else { return };
        match relation {
            None => persisted.progress = Progress::Wanted,
            Some(relation) => {
                persisted.progress = Progress::Kept;
                names.remote.insert(self.id.to_string(), relation);
            }
        }
    }
}

/// The id under which the result of `plan` is kept.
fn id_of(keys: &[(Plan, String)], plan: &Plan) -> Option<String> {
    let kind = std::mem::discriminant(&plan.node);
    if !keys.iter().any(|(key, _)| std::mem::discriminant(&key.node) == kind) {
        return None;
    }
    let canonical = canonical(plan);
    keys.iter().find(|(key, _)| *key == canonical).map(|(_, id)| id.clone())
}

/// How often each DataFrame is named by its id.
fn references(plan: &mut Plan) -> HashMap<i64, usize> {
    let mut counts = HashMap::new();
    plan.visit_exprs_mut(&mut |e: &mut Expr| {
        if let Some(id) = reference_mut(e) {
            *counts.entry(*id).or_insert(0) += 1;
        }
    });
    counts
}

/// Whether an expression outside of `plan` names a DataFrame inside it, whose columns a kept result
/// does not have.
fn is_reached_into(plan: &Plan, all: &HashMap<i64, usize>) -> bool {
    let mut plan = plan.clone();
    let own = references(&mut plan);
    let mut inside = Vec::new();
    plan.for_each_child_mut(&mut |child| child.visit_plans_mut(&mut |p| inside.extend(p.plan_id)));
    inside.into_iter().any(|id| all.get(&id).copied().unwrap_or(0) > own.get(&id).copied().unwrap_or(0))
}
