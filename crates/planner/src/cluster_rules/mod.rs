//! Physical optimizer rules that a plan needs before it is cut into stages.
//!
//! Each is one named pass in its own file. [`physical_rules`] says where they stand: the join choice
//! right after DataFusion has picked build sides (distribution is enforced later), the others after
//! everything else, because an earlier rule would undo them.

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;

mod collected_join;
mod join_choice;
mod memory_fetch;
mod outer_loop_join;
mod repartition;
mod stage_requirements;
mod union_sides;

use crate::exchange::Lowering;

pub use collected_join::CollectedJoin;
pub use join_choice::JoinChoice;
pub(crate) use join_choice::{is_broadcast_safe, sort_merge};
pub use memory_fetch::MemoryFetch;
pub use outer_loop_join::OuterLoopJoin;
pub use repartition::RowRepartition;
pub use stage_requirements::StageRequirements;
pub(crate) use stage_requirements::lacks;
pub use union_sides::UnionSides;
pub(crate) use union_sides::{OWN_STAGE, needs_stage};

/// The name of DataFusion's rule that decides build sides.
const JOIN_SELECTION: &str = "join_selection";

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// `base` with the passes that a distributed plan needs; applying it twice changes nothing.
pub fn physical_rules(base: &[Rule]) -> Vec<Rule> {
    let ours: [Rule; 8] = [
        Arc::new(JoinChoice::default()),
        Arc::new(Lowering { distributed: true }),
        Arc::new(MemoryFetch),
        Arc::new(OuterLoopJoin),
        Arc::new(RowRepartition),
        Arc::new(CollectedJoin),
        Arc::new(UnionSides),
        // Last: the others move stages' borders.
        Arc::new(StageRequirements),
    ];
    let [join_choice, late @ ..] = ours;
    let names: Vec<&str> = std::iter::once(join_choice.name()).chain(late.iter().map(|r| r.name())).collect();
    let mut rules = Vec::with_capacity(base.len() + names.len());
    for rule in base.iter().filter(|rule| !names.contains(&rule.name())) {
        rules.push(Arc::clone(rule));
        if rule.name() == JOIN_SELECTION {
            rules.push(Arc::clone(&join_choice));
        }
    }
    rules.extend(late.iter().cloned());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

    #[test]
    fn rules_are_placed_once() {
        let base = PhysicalOptimizer::new().rules;
        let once = physical_rules(&base);
        let names = |rules: &[Rule]| rules.iter().map(|r| r.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&once), names(&physical_rules(&once)));
        let at = |name: &str| names(&once).iter().position(|n| n == name);
        assert_eq!(at("firesteel_join_choice"), at(JOIN_SELECTION).map(|i| i + 1));
        assert_eq!(once.len(), base.len() + 8);
    }
}
