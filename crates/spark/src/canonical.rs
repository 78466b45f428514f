//! Plans without what only tells who wrote them: equal for DataFrames that compute the same by the
//! same steps.

use std::collections::HashMap;

use crate::expr::SubqueryPlan;
use crate::{Expr, Plan};

/// `plan` with its DataFrames numbered in order of appearance, and no positions.
pub fn canonical(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let mut numbers: HashMap<i64, i64> = HashMap::new();
    plan.visit_plans_mut(&mut |p| {
        p.origin = None;
        if let Some(id) = &mut p.plan_id {
            let next = numbers.len() as i64;
            *id = *numbers.entry(*id).or_insert(next);
        }
    });
    plan.visit_exprs_mut(&mut |e| {
        if let Expr::At { child, .. } = e {
            *e = std::mem::replace(&mut **child, Expr::Default);
        }
        if let Some(id) = reference_mut(e) {
            *id = numbers.get(id).copied().unwrap_or(*id);
        }
    });
    plan
}

/// The DataFrame that an expression names by its id.
pub fn reference_mut(expr: &mut Expr) -> Option<&mut i64> {
    match expr {
        Expr::Attribute(attribute) => attribute.plan_id.as_mut(),
        Expr::Star(star) => star.plan_id.as_mut(),
        Expr::Regex { plan_id, .. } => plan_id.as_mut(),
        Expr::Subquery(subquery) => match &mut subquery.plan {
            SubqueryPlan::Ref(id) => Some(id),
            SubqueryPlan::Plan(_) => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Node;
    use crate::expr::UnresolvedAttribute;

    fn frame(plan_id: i64, partitions: i32) -> Plan {
        let input = Plan {
            plan_id: Some(plan_id),
            ..Node::Range { start: 0, end: 3, step: 1, partitions: Some(partitions) }.into()
        };
        let id = Expr::Attribute(UnresolvedAttribute {
            parts: vec!["id".into()],
            plan_id: Some(plan_id),
            is_metadata_column: false,
        });
        Plan { plan_id: Some(plan_id + 1), ..Node::Project { input: Box::new(input), exprs: vec![id] }.into() }
    }

    #[test]
    fn ids_do_not_matter_but_steps_do() {
        for (a, b, same) in [(frame(1, 2), frame(7, 2), true), (frame(1, 2), frame(1, 3), false)] {
            assert_eq!(canonical(&a) == canonical(&b), same);
        }
    }
}
