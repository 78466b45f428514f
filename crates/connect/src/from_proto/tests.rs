//! Tests of reading messages.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use proto::codec;
use proto::spark_connect as pb;
use proto::spark_connect::expression::{self, ExprType, literal::LiteralType};
use proto::spark_connect::relation::RelType;
use spark::expr::{CastMode, UnresolvedAttribute, UnresolvedFunction};
use spark::origin::Origin;
use spark::plan::{JoinCriteria, JoinType, SetOpKind};
use spark::{DataType, Expr, Literal, Node, Plan, Result};

use super::{Pending, Reader, on_plan_stack};

fn relation(kind: RelType) -> pb::Relation {
    pb::Relation { common: None, rel_type: Some(kind) }
}

fn expr(kind: ExprType) -> pb::Expression {
    pb::Expression { common: None, expr_type: Some(kind) }
}

fn range() -> pb::Relation {
    relation(RelType::Range(pb::Range { start: None, end: 3, step: 1, num_partitions: None }))
}

fn input() -> Option<Box<pb::Relation>> {
    Some(Box::new(range()))
}

fn column(name: &str) -> pb::Expression {
    expr(ExprType::UnresolvedAttribute(expression::UnresolvedAttribute {
        unparsed_identifier: name.into(),
        plan_id: None,
        is_metadata_column: None,
    }))
}

fn number(n: i32) -> expression::Literal {
    expression::Literal { data_type: None, literal_type: Some(LiteralType::Integer(n)) }
}

fn read(kind: RelType) -> Result<Node> {
    Reader::default().relation(relation(kind)).map(|p| p.node)
}

fn read_expr(kind: ExprType) -> Result<Expr> {
    Reader::default().expr(expr(kind))
}

fn condition<T>(result: Result<T>) -> String {
    result.err().map(|e| e.condition().to_string()).unwrap_or_default()
}

fn a_range() -> Box<Plan> {
    Plan::boxed(Node::Range { start: 0, end: 3, step: 1, partitions: None })
}

fn function(name: &str, args: Vec<pb::Expression>) -> ExprType {
    ExprType::UnresolvedFunction(expression::UnresolvedFunction {
        function_name: name.into(),
        arguments: args,
        ..Default::default()
    })
}

#[test]
fn relations_become_nodes() -> Result<()> {
    for (kind, node) in [
        (
            RelType::Range(pb::Range { start: Some(1), end: 9, step: 2, num_partitions: Some(4) }),
            Node::Range { start: 1, end: 9, step: 2, partitions: Some(4) },
        ),
        (RelType::Project(Box::default()), Node::Project { input: Plan::boxed(Node::OneRow), exprs: vec![] }),
        (
            RelType::Limit(Box::new(pb::Limit { input: input(), limit: 5 })),
            Node::Limit { input: a_range(), limit: Expr::Literal(Literal::Integer(5)) },
        ),
        (RelType::Tail(Box::new(pb::Tail { input: input(), limit: 5 })), Node::Tail { input: a_range(), limit: 5 }),
        (
            RelType::SubqueryAlias(Box::new(pb::SubqueryAlias {
                input: input(),
                alias: "t".into(),
                qualifier: vec!["c".into()],
            })),
            Node::SubqueryAlias { input: a_range(), alias: vec!["c".into(), "t".into()], columns: vec![] },
        ),
        (
            RelType::ShowString(Box::new(pb::ShowString { input: input(), num_rows: 20, truncate: 0, vertical: true })),
            Node::ShowString { input: a_range(), rows: 20, truncate: 0, vertical: true },
        ),
        (
            RelType::LocalRelation(pb::LocalRelation { data: None, schema: Some("a int".into()) }),
            Node::LocalRelation { data: None, schema: Some("a int".into()) },
        ),
        (
            RelType::Describe(Box::new(pb::StatDescribe { input: input(), cols: vec!["id".into()] })),
            Node::Describe { input: a_range(), columns: vec!["id".into()] },
        ),
    ] {
        assert_eq!(read(kind)?, node);
    }
    Ok(())
}

#[test]
fn joins_and_set_operations() -> Result<()> {
    let join = |condition: Option<pb::Expression>, using: &[&str], join_type: i32| {
        read(RelType::Join(Box::new(pb::Join {
            left: input(),
            right: input(),
            join_condition: condition,
            join_type,
            using_columns: using.iter().map(|s| s.to_string()).collect(),
            join_data_type: None,
        })))
    };
    let Node::Join(inner) = join(None, &["id"], 1)? else { return Err(spark::Error::internal("no join")) };
    assert_eq!((inner.join_type, &inner.criteria), (JoinType::Inner, &JoinCriteria::Using(vec!["id".into()])));
    assert_eq!(
        condition(join(Some(column("id")), &["id"], 1)),
        "CONNECT_INVALID_PLAN.USING_COLUMNS_OR_JOIN_CONDITION_SET_IN_JOIN"
    );
    assert_eq!(condition(join(None, &[], 0)), "CONNECT_INVALID_PLAN.INVALID_ENUM");

    let set = |op: i32, by_name, allow_missing| {
        read(RelType::SetOp(Box::new(pb::SetOperation {
            left_input: input(),
            right_input: input(),
            set_op_type: op,
            is_all: Some(true),
            by_name: Some(by_name),
            allow_missing_columns: Some(allow_missing),
        })))
    };
    let Node::SetOp(union) = set(2, true, true)? else { return Err(spark::Error::internal("no set operation")) };
    assert_eq!((union.kind, union.all, union.by_name), (SetOpKind::Union, true, true));
    assert_eq!(condition(set(2, false, true)), "CONNECT_INVALID_PLAN.UNION_BY_NAME_ALLOW_MISSING_COL_REQUIRES_BY_NAME");
    assert_eq!(condition(set(3, true, false)), "CONNECT_INVALID_PLAN.EXCEPT_DOES_NOT_SUPPORT_UNION_BY_NAME");
    Ok(())
}

#[test]
fn expressions_become_expressions() -> Result<()> {
    let x = || Expr::attribute(["x"]);
    let not_equal = Expr::call("not", vec![Expr::call("=", vec![x(), x()])]);
    for (kind, expected) in [
        (function("!=", vec![column("x"), column("x")]), not_equal),
        (function("==", vec![column("x"), column("x")]), Expr::call("=", vec![x(), x()])),
        (function("isNull", vec![column("x")]), Expr::call("isnull", vec![x()])),
        (
            ExprType::ExpressionString(expression::ExpressionString { expression: "a+1".into() }),
            Expr::Text("a+1".into()),
        ),
        (
            ExprType::Alias(Box::new(expression::Alias {
                expr: Some(Box::new(column("x"))),
                name: vec!["y".into()],
                metadata: None,
            })),
            x().alias("y"),
        ),
        (
            ExprType::Cast(Box::new(expression::Cast {
                expr: Some(Box::new(column("x"))),
                eval_mode: 3,
                cast_to_type: Some(expression::cast::CastToType::TypeStr("array<int>".into())),
            })),
            Expr::Cast { child: Box::new(x()), to: DataType::array(DataType::Integer, true), mode: CastMode::Try },
        ),
        (
            ExprType::CallFunction(pb::CallFunction { function_name: "c.`f g`".into(), arguments: vec![] }),
            Expr::Function(Box::new(UnresolvedFunction { name: vec!["c".into(), "f g".into()], ..Default::default() })),
        ),
        (
            ExprType::UnresolvedAttribute(expression::UnresolvedAttribute {
                unparsed_identifier: "a.`b.c`".into(),
                plan_id: Some(7),
                is_metadata_column: None,
            }),
            Expr::Attribute(UnresolvedAttribute {
                parts: vec!["a".into(), "b.c".into()],
                plan_id: Some(7),
                is_metadata_column: false,
            }),
        ),
    ] {
        assert_eq!(read_expr(kind)?, expected);
    }
    Ok(())
}

#[test]
fn malformed_messages_are_refused_by_condition() {
    let any = || prost_types::Any { type_url: "type.googleapis.com/x.Y".into(), value: vec![1] };
    for (kind, expected) in [
        (RelType::Extension(any()), "NO_HANDLER_FOR_EXTENSION"),
        (RelType::Limit(Box::default()), "INVALID_ONE_OF_FIELD_NOT_SET"),
        (RelType::Read(pb::Read::default()), "INVALID_ONE_OF_FIELD_NOT_SET"),
        (RelType::Aggregate(Box::default()), "AGGREGATE_NEEDS_PLAN_INPUT"),
        (RelType::Deduplicate(Box::default()), "DEDUPLICATE_NEEDS_INPUT"),
        (
            RelType::Deduplicate(Box::new(pb::Deduplicate { input: input(), ..Default::default() })),
            "DEDUPLICATE_REQUIRES_COLUMNS_OR_ALL",
        ),
        (RelType::LocalRelation(pb::LocalRelation::default()), "SCHEMA_REQUIRED_FOR_LOCAL_RELATION"),
        (RelType::FillNa(Box::new(pb::NaFill { input: input(), ..Default::default() })), "NA_FILL_VALUES_EMPTY"),
        (
            RelType::SetOp(Box::new(pb::SetOperation { set_op_type: 2, ..Default::default() })),
            "SET_OPERATION_MUST_HAVE_TWO_INPUTS",
        ),
    ] {
        assert_eq!(condition(read(kind)), format!("CONNECT_INVALID_PLAN.{expected}"));
    }
    for (kind, expected) in [
        (ExprType::Extension(any()), "NO_HANDLER_FOR_EXTENSION"),
        (ExprType::Window(Box::default()), "WINDOW_FUNCTION_REQUIRED"),
        (ExprType::LambdaFunction(Box::default()), "LAMBDA_FUNCTION_ARGUMENT_COUNT_INVALID"),
        (ExprType::Literal(expression::Literal::default()), "UNSUPPORTED_LITERAL_TYPE"),
    ] {
        assert_eq!(condition(read_expr(kind)), format!("CONNECT_INVALID_PLAN.{expected}"));
    }
    assert_eq!(condition(Pending::open(None)), "CONNECT_INVALID_PLAN.INVALID_ONE_OF_FIELD_NOT_SET");
}

#[test]
fn unknown_territory_is_refused_by_name() {
    for kind in [
        RelType::MlRelation(Box::default()),
        RelType::ApplyInPandasWithState(Box::default()),
        RelType::RelationChanges(pb::RelationChanges::default()),
        RelType::CommonInlineUserDefinedTableFunction(pb::CommonInlineUserDefinedTableFunction::default()),
    ] {
        assert_eq!(condition(read(kind)), "UNSUPPORTED_CALL.WITHOUT_SUGGESTION");
    }
}

#[test]
fn compressed_plans_are_opened() -> Result<()> {
    let bytes = range().encode_to_vec();
    let data = zstd::encode_all(bytes.as_slice(), 3).map_err(|e| spark::Error::internal(e.to_string()))?;
    let plan = |data: Vec<u8>, op_type: i32, codec: i32| pb::Plan {
        op_type: Some(pb::plan::OpType::CompressedOperation(pb::plan::CompressedOperation {
            data: data.into(),
            op_type,
            compression_codec: codec,
        })),
    };
    let read = |plan: pb::Plan| Pending::open(Some(plan))?.read(|d| Reader::default().relation(d.relation()?));
    assert_eq!(read(plan(data.clone(), 1, 1))?, *a_range());
    for broken in [plan(data.clone(), 1, 0), plan(data, 0, 1), plan(b"junk".to_vec(), 1, 1)] {
        assert_eq!(condition(read(broken)), "CONNECT_INVALID_PLAN.CANNOT_PARSE");
    }
    Ok(())
}

/// `levels` limits around a range, encoded by hand: encoding recurses, too.
fn deep_bytes(levels: usize, innermost: pb::Relation) -> Bytes {
    let mut inner = innermost.encode_to_vec();
    for _ in 0..levels {
        let mut limit = vec![0x0a];
        prost::encoding::encode_varint(inner.len() as u64, &mut limit);
        limit.append(&mut inner);
        let mut outer = vec![0x42];
        prost::encoding::encode_varint(limit.len() as u64, &mut outer);
        outer.append(&mut limit);
        inner = outer;
    }
    inner.into()
}

fn open_deep(levels: usize, innermost: pb::Relation) -> Result<Pending> {
    let (root, _) = codec::decode::<pb::Relation>(deep_bytes(levels, innermost))
        .map_err(|e| spark::Error::internal(format!("{e:?}")))?;
    Pending::open(Some(pb::Plan { op_type: Some(pb::plan::OpType::Root(root)) }))
}

#[test]
fn ten_thousand_operators_are_read_and_dropped() -> Result<()> {
    let plan = open_deep(10_000, range())?.read(|d| Reader::default().relation(d.relation()?))?;
    let depth = on_plan_stack(|| {
        let mut depth = 0;
        let mut at = &plan;
        while let Node::Limit { input, .. } = &at.node {
            depth += 1;
            at = input;
        }
        depth
    });
    on_plan_stack(|| drop(plan));
    assert_eq!(depth, 10_000);
    // Refused at the bottom, and never read at all.
    let refused = open_deep(10_000, pb::Relation::default())?.read(|d| Reader::default().relation(d.relation()?));
    assert_eq!(condition(refused), "CONNECT_INVALID_PLAN.INVALID_ONE_OF_FIELD_NOT_SET");
    drop(open_deep(10_000, range())?);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever bytes arrive: a plan, or a typed error.
    #[test]
    fn arbitrary_bytes_never_crash(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok((plan, _)) = codec::decode::<pb::Plan>(Bytes::from(bytes.clone())) {
            let _ = Pending::open(Some(plan)).and_then(|p| p.read(|d| Reader::default().relation(d.relation()?)));
        }
        if let Ok((command, _)) = codec::decode::<pb::Command>(Bytes::from(bytes)) {
            let _ = Reader::default().command(command);
        }
    }

    /// A valid plan with a byte changed: the messages nearest to real ones.
    #[test]
    fn damaged_plans_never_crash(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = sample_plan().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok((plan, _)) = codec::decode::<pb::Plan>(Bytes::from(bytes)) {
            let _ = Pending::open(Some(plan)).and_then(|p| p.read(|d| Reader::default().relation(d.relation()?)));
        }
    }
}

fn sample_plan() -> pb::Plan {
    let window = ExprType::Window(Box::new(expression::Window {
        window_function: Some(Box::new(expr(function("sum", vec![column("a.b")])))),
        partition_spec: vec![column("`x y`")],
        ..Default::default()
    }));
    let project = RelType::Project(Box::new(pb::Project {
        input: input(),
        expressions: vec![expr(window), expr(ExprType::Literal(number(5)))],
    }));
    let join = RelType::Join(Box::new(pb::Join {
        left: Some(Box::new(relation(project))),
        right: input(),
        join_type: 1,
        using_columns: vec!["id".into()],
        ..Default::default()
    }));
    pb::Plan { op_type: Some(pb::plan::OpType::Root(relation(join))) }
}

#[test]
fn a_call_on_a_jvm_is_told_by_its_method_and_its_caller() {
    let frame = |class: &str, method: &str, file: Option<&str>, line: i32| pb::StackTraceElement {
        declaring_class: class.into(),
        method_name: method.into(),
        file_name: file.map(String::from),
        line_number: line,
        ..Default::default()
    };
    let caller = |loader: &str, module: &str, of: pb::StackTraceElement| pb::StackTraceElement {
        class_loader_name: Some(loader.into()),
        module_name: Some(module.into()),
        module_version: (!module.is_empty()).then(|| "17".into()),
        ..of
    };
    let called = |method: &str| frame("org.apache.spark.sql.Column", method, Some("Column.scala"), 3);
    for (stack, fragment, call_site) in [
        (
            vec![called("$plus"), caller("app", "", frame("Main", "run", Some("M.scala"), 7))],
            "plus",
            "app//Main.run(M.scala:7)",
        ),
        (vec![called("$"), caller("", "m", frame("Main", "run", Some("M.java"), -1))], "$", "m@17/Main.run(M.java)"),
        (
            vec![called("cast"), frame("A", "a", None, -2), frame("B", "b", None, 1)],
            "cast",
            "A.a(Native Method)\nB.b(Unknown Source)",
        ),
        (vec![called("cast")], "cast", ""),
    ] {
        let origin = pb::JvmOrigin { stack_trace: stack, ..Default::default() };
        let origin = pb::Origin { function: Some(pb::origin::Function::JvmOrigin(origin)) };
        let told = super::expression::origin(origin);
        assert_eq!(told, Some(Origin::DataFrame { fragment: fragment.into(), call_site: call_site.into() }));
    }
}
