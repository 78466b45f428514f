//! How deep plans nest, and stacks they fit in: analysis, optimizer and operators recurse.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::physical_plan::ExecutionPlan;
use spark::command::Command;
use spark::{Error, Expr, Plan, Result};

/// Plans nested deeper are refused: the optimizer's time grows with the square of the depth.
const MAX_DEPTH: usize = 12_000;

/// Up to this depth the threads' own stacks do.
const SHALLOW: usize = 300;

/// What one level may take on its way through analysis, optimizer and planner. Measured on debug
/// builds, whose frames are the largest; pages that are not touched cost nothing.
const BYTES_PER_LEVEL: usize = 64 << 10;

/// Room for one more level of the measuring itself.
const RED_ZONE: usize = 128 << 10;
const MORE: usize = 4 << 20;

/// The stack that some work needs; none for what fits on any thread's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stack(Option<usize>);

impl Stack {
    /// For the analysis and planning of `plan`; refuses what is too deep for any stack.
    ///
    /// # Errors
    /// If the plan nests too deep. It is dropped here, where there is room to.
    pub fn for_plan(mut plan: Plan) -> Result<(Plan, Stack)> {
        let depth = plan_depth(&mut plan);
        if depth <= MAX_DEPTH {
            return Ok((plan, Stack::for_depth(depth)));
        }
        stacker::grow(depth * RED_ZONE / 16, || drop(plan));
        Err(too_deep(depth))
    }

    /// As [`Self::for_plan`], for the plans of a command.
    ///
    /// # Errors
    /// If a plan nests too deep.
    pub fn for_command(mut command: Command) -> Result<(Command, Stack)> {
        let mut depth = 0;
        crate::statement::for_each_plan(&mut command, &mut |p| depth = depth.max(plan_depth(p)));
        if depth <= MAX_DEPTH {
            return Ok((command, Stack::for_depth(depth)));
        }
        stacker::grow(depth * RED_ZONE / 16, || drop(command));
        Err(too_deep(depth))
    }

    /// For the operators of a physical plan.
    pub fn for_physical(plan: &Arc<dyn ExecutionPlan>) -> Stack {
        Stack::for_depth(physical_depth(plan))
    }

    /// Whether the work needs more than the stack of the thread it runs on.
    pub fn is_own(self) -> bool {
        self.0.is_some()
    }

    fn for_depth(depth: usize) -> Stack {
        Stack((depth > SHALLOW).then_some(depth.min(MAX_DEPTH) * BYTES_PER_LEVEL))
    }

    /// `work` on this stack, whenever it is polled and when it is dropped.
    pub fn with<F: Future>(self, work: F) -> OnStack<F> {
        OnStack { stack: self, work: Some(Box::pin(work)) }
    }

    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self.0 {
            Some(bytes) => stacker::grow(bytes, work),
            None => work(),
        }
    }
}

/// A future on a stack of its own.
pub struct OnStack<F> {
    stack: Stack,
    work: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for OnStack<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let stack = self.stack;
        match &mut self.work {
            Some(work) => stack.run(|| work.as_mut().poll(cx)),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for OnStack<F> {
    fn drop(&mut self) {
        let work = self.work.take();
        self.stack.run(|| drop(work));
    }
}

fn too_deep(depth: usize) -> Error {
    Error::new(spark::ErrorKind::InvalidPlan, "CONNECT_INVALID_PLAN.PLAN_SIZE_LARGER_THAN_MAX")
        .param("planSize", depth.to_string())
        .param("maxPlanSize", MAX_DEPTH.to_string())
        .with_message(format!("The plan nests {depth} levels deep; {MAX_DEPTH} is the most this server plans."))
}

fn plan_depth(plan: &mut Plan) -> usize {
    stacker::maybe_grow(RED_ZONE, MORE, || {
        let mut exprs = 0;
        plan.for_each_expr_mut(&mut |e| exprs = exprs.max(expr_depth(e)));
        let mut below = 0;
        plan.for_each_child_mut(&mut |p| below = below.max(plan_depth(p)));
        1 + exprs.max(below)
    })
}

fn expr_depth(expr: &mut Expr) -> usize {
    stacker::maybe_grow(RED_ZONE, MORE, || {
        let mut below = 0;
        expr.for_each_child_mut(&mut |e| below = below.max(expr_depth(e)));
        1 + below
    })
}

fn physical_depth(plan: &Arc<dyn ExecutionPlan>) -> usize {
    stacker::maybe_grow(RED_ZONE, MORE, || 1 + plan.children().into_iter().map(physical_depth).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark::Node;

    fn deep(levels: usize) -> Plan {
        (0..levels).fold(Plan::from(Node::OneRow), |input, _| Plan::from(Node::Distinct { input: Box::new(input) }))
    }

    #[test]
    fn stacks_follow_the_depth() -> Result<()> {
        for (levels, stack) in [(10, None), (999, Some(1000 * BYTES_PER_LEVEL))] {
            assert_eq!(Stack::for_plan(deep(levels))?.1, Stack(stack), "{levels}");
        }
        let refused = Stack::for_plan(deep(MAX_DEPTH)).err().map(|e| e.condition().to_string());
        assert_eq!(refused.as_deref(), Some("CONNECT_INVALID_PLAN.PLAN_SIZE_LARGER_THAN_MAX"));
        Ok(())
    }
}
