//! What operators with one input have alike, and what those with none.

/// The methods of [`ExecutionPlan`] that are the same in every operator whose only input is its field
/// `input`: its name, its children, its expressions and how it takes another input. They stand inside
/// the operator's `impl`, beside what tells it apart: its properties, the order it keeps, how it runs.
///
/// The first closure is the operator over another input, the second the expressions it evaluates; an
/// operator without the second evaluates none.
///
/// ```text
/// impl ExecutionPlan for LimitExec {
///     one_input!(LimitExec, |this, input| LimitExec::new(input, this.rows));
///     …
/// }
/// ```
///
/// [`ExecutionPlan`]: datafusion::physical_plan::ExecutionPlan
#[macro_export]
macro_rules! one_input {
    ($exec:ident, |$this:pat_param, $input:ident| $again:expr) => {
        $crate::one_input!($exec, |$this, $input| $again, |_| ::std::iter::empty::<
            &::std::sync::Arc<dyn ::datafusion::physical_plan::PhysicalExpr>,
        >());
    };
    ($exec:ident, |$this:pat_param, $input:ident| $again:expr, |$evaluates:pat_param| $expressions:expr) => {
        fn name(&self) -> &str {
            stringify!($exec)
        }

        fn children(&self) -> Vec<&::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            vec![&self.input]
        }

        fn apply_expressions(
            &self,
            visit: &mut dyn FnMut(
                &::std::sync::Arc<dyn ::datafusion::physical_plan::PhysicalExpr>,
            )
                -> ::datafusion::common::Result<::datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> ::datafusion::common::Result<::datafusion::common::tree_node::TreeNodeRecursion> {
            let $evaluates = self;
            ::datafusion::physical_plan::apply_expression_roots($expressions, visit)
        }

        fn replace_children(
            self: ::std::sync::Arc<Self>,
            children: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
            _: ::datafusion::physical_plan::ReplaceChildrenOptions,
        ) -> ::datafusion::common::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            let Ok([$input]) = <[_; 1]>::try_from(children) else {
                return ::datafusion::common::exec_err!("{} has one input", stringify!($exec));
            };
            let $this = self.as_ref();
            Ok(::std::sync::Arc::new($again))
        }

        fn with_new_children(
            self: ::std::sync::Arc<Self>,
            children: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
        ) -> ::datafusion::common::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            let options = ::datafusion::physical_plan::ReplaceChildrenOptions::new(
                ::datafusion::physical_plan::ChildrenPropertiesMode::Recompute,
            );
            self.replace_children(children, options)
        }
    };
}

/// The methods of [`ExecutionPlan`] that are the same in every operator that hands on what its input yields, in
/// the same partitions and the same order, beside those of [`one_input!`].
///
/// [`ExecutionPlan`]: datafusion::physical_plan::ExecutionPlan
#[macro_export]
macro_rules! hands_on {
    () => {
        fn maintains_input_order(&self) -> Vec<bool> {
            vec![true]
        }

        fn benefits_from_input_partitioning(&self) -> Vec<bool> {
            vec![false]
        }

        fn execute(
            &self,
            partition: usize,
            context: ::std::sync::Arc<::datafusion::execution::TaskContext>,
        ) -> ::datafusion::common::Result<::datafusion::execution::SendableRecordBatchStream> {
            self.input.execute(partition, context)
        }
    };
}

/// The methods of [`ExecutionPlan`] that are the same in every operator without inputs and expressions, whose
/// properties are its field `properties`.
///
/// [`ExecutionPlan`]: datafusion::physical_plan::ExecutionPlan
#[macro_export]
macro_rules! no_input {
    ($exec:ident) => {
        fn name(&self) -> &str {
            stringify!($exec)
        }

        fn properties(&self) -> &::std::sync::Arc<::datafusion::physical_plan::PlanProperties> {
            &self.properties
        }

        fn children(&self) -> Vec<&::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            Vec::new()
        }

        fn apply_expressions(
            &self,
            _: &mut dyn FnMut(
                &::std::sync::Arc<dyn ::datafusion::physical_plan::PhysicalExpr>,
            ) -> ::datafusion::common::Result<::datafusion::common::tree_node::TreeNodeRecursion>,
        ) -> ::datafusion::common::Result<::datafusion::common::tree_node::TreeNodeRecursion> {
            Ok(::datafusion::common::tree_node::TreeNodeRecursion::Continue)
        }

        fn replace_children(
            self: ::std::sync::Arc<Self>,
            _: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
            _: ::datafusion::physical_plan::ReplaceChildrenOptions,
        ) -> ::datafusion::common::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            Ok(self)
        }

        fn with_new_children(
            self: ::std::sync::Arc<Self>,
            _: Vec<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>>,
        ) -> ::datafusion::common::Result<::std::sync::Arc<dyn ::datafusion::physical_plan::ExecutionPlan>> {
            Ok(self)
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;

    use datafusion::arrow::datatypes::Schema;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::common::{Result, internal_err};
    use datafusion::execution::{SendableRecordBatchStream, TaskContext};
    use datafusion::physical_expr::expressions::lit;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::{
        ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
        ReplaceChildrenOptions,
    };

    #[derive(Debug)]
    struct KeyedExec {
        input: Arc<dyn ExecutionPlan>,
        keys: Vec<Arc<dyn PhysicalExpr>>,
    }

    impl DisplayAs for KeyedExec {
        fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("KeyedExec")
        }
    }

    impl ExecutionPlan for KeyedExec {
        one_input!(KeyedExec, |this, input| KeyedExec { input, keys: this.keys.clone() }, |this| &this.keys);

        fn properties(&self) -> &Arc<PlanProperties> {
            self.input.properties()
        }

        fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
            internal_err!("never run")
        }
    }

    fn empty(partitions: usize) -> Arc<dyn ExecutionPlan> {
        Arc::new(EmptyExec::new(Arc::new(Schema::empty())).with_partitions(partitions))
    }

    fn keyed() -> Arc<dyn ExecutionPlan> {
        Arc::new(KeyedExec { input: empty(1), keys: vec![lit(1), lit(2), lit(3)] })
    }

    #[test]
    fn another_input_takes_the_place_of_the_only_one() -> Result<()> {
        for mode in [ChildrenPropertiesMode::Keep, ChildrenPropertiesMode::Recompute] {
            for (count, fits) in [(0, false), (1, true), (2, false)] {
                let inputs = vec![empty(7); count];
                let replaced = keyed().replace_children(inputs.clone(), ReplaceChildrenOptions::new(mode));
                match replaced {
                    Ok(plan) => {
                        assert!(fits, "{count} inputs were taken");
                        assert!(Arc::ptr_eq(plan.children()[0], &inputs[0]));
                        assert_eq!(plan.properties().partitioning.partition_count(), 7);
                        assert_eq!(plan.downcast_ref::<KeyedExec>().map(|p| p.keys.len()), Some(3));
                    }
                    Err(e) => {
                        assert!(!fits, "{count} inputs: {e}");
                        assert!(e.to_string().contains("KeyedExec has one input"), "{e}");
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn expressions_are_visited_until_told_to_stop() -> Result<()> {
        for (stop_after, visits) in [(1, 1), (2, 2), (9, 3)] {
            let mut seen = 0;
            keyed().apply_expressions(&mut |_| {
                seen += 1;
                Ok(if seen == stop_after { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })?;
            assert_eq!(seen, visits);
        }
        Ok(())
    }
}
