//! The loop around the analyzer: analyse, find what it needs, analyse again.

use std::sync::Arc;

use analyzer::{Analyzed, Outcome, World};
use spark::{Error, Plan, Result, Settings};

use crate::session::Session;
use crate::snapshot;

/// Rounds of finding and asking again; each view, pivot or `EXECUTE IMMEDIATE` inside another costs one.
const MAX_ROUNDS: usize = 128;

/// Analyses `plan` with the session's world as it is now.
///
/// # Errors
/// Spark's condition for what is wrong with the query.
pub async fn analyze(session: &Arc<Session>, plan: &Plan, settings: Settings) -> Result<Analyzed> {
    let mut world = World::new(settings);
    for _ in 0..MAX_ROUNDS {
        let needs = match analyzer::analyze(plan, &world)? {
            Outcome::Done(analyzed) => return Ok(*analyzed),
            Outcome::Needs(needs) => needs,
        };
        let before = world.answers.len();
        for need in needs {
            if !world.answers.contains_key(&need) {
                let answer = snapshot::answer(session, &need, &world.settings).await?;
                world.answers.insert(need, answer);
            }
        }
        if world.answers.len() == before {
            return Err(Error::internal("analysis asks again for what it was told"));
        }
    }
    Err(Error::analysis("VIEW_EXCEED_MAX_NESTED_DEPTH")
        .param("viewName", "")
        .param("maxNestedDepth", MAX_ROUNDS.to_string())
        .with_message("Views, pivots or dynamic statements are nested too deeply."))
}
