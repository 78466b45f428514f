//! Times analysis and planning of deep and wide queries: `cargo run --release --package analysis`.
//!
//! Each case is measured at a quarter of its size, at its size, and at twice that, so that a cost that
//! grows faster than the query shows. Analysis is what `df.schema` costs; planning adds the optimizer and
//! the physical plan.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scheduler::{Engine, EngineConfig, Session};
use spark::plan::{JoinCriteria, JoinType, SetOp, SetOpKind};
use spark::{Error, Expr, Literal, Node, Plan, Result};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What analysis and planning together may take at a case's size, in seconds.
const LIMIT: f64 = 1.0;

/// Threads of query work have the stacks they have in the server.
const STACK_BYTES: usize = 8 << 20;

struct Case {
    name: &'static str,
    size: usize,
    make: fn(usize) -> Plan,
}

const CASES: [Case; 9] = [
    Case { name: "a + 1 + 1 + …", size: 2000, make: sum },
    Case { name: "a = 1 OR a = 2 OR …", size: 2000, make: disjunction },
    Case { name: "a AND-chain of different columns", size: 2000, make: conjunction },
    Case { name: "withColumn after withColumn", size: 500, make: with_columns },
    Case { name: "filter after filter", size: 500, make: filters },
    Case { name: "union after union", size: 500, make: unions },
    Case { name: "join after join", size: 30, make: joins },
    Case { name: "columns", size: 1000, make: wide },
    Case { name: "rows of VALUES", size: 10_000, make: values },
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("analysis: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let internal = |e: std::io::Error| Error::internal(e.to_string());
    let folder = tempfile::tempdir().map_err(internal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(internal)?;
    let config = EngineConfig {
        memory_bytes: None,
        threads: 2,
        data_dir: folder.path().to_path_buf(),
        conf: Vec::new(),
        cluster: None,
        runtime: runtime.handle().clone(),
    };
    let only = std::env::args().nth(1);
    runtime.block_on(async {
        let engine = Engine::new(config).await?;
        let session = engine.create_session("bench", "bench");
        println!("{:<36} {:>7} {:>12} {:>12}", "case", "size", "analysis", "+ planning");
        let mut all_fast = true;
        for case in CASES.iter().filter(|c| only.as_ref().is_none_or(|o| c.name.contains(o.as_str()))) {
            for size in [case.size / 4, case.size, case.size * 2] {
                let (analysis, planning) = measure(&session, (case.make)(size)).await?;
                println!("{:<36} {size:>7} {:>10.1}ms {:>10.1}ms", case.name, ms(analysis), ms(planning));
                all_fast &= size > case.size || planning.as_secs_f64() <= LIMIT;
            }
        }
        Ok(all_fast)
    })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The time of an analysis, and of one with planning.
async fn measure(session: &Arc<Session>, plan: Plan) -> Result<(Duration, Duration)> {
    let again = plan.clone();
    let started = Instant::now();
    session.analyze_schema(plan).await?;
    let analysis = started.elapsed();
    let started = Instant::now();
    session.explain(again, "SIMPLE").await?;
    Ok((analysis, started.elapsed()))
}

fn range() -> Plan {
    Node::Range { start: 0, end: 10, step: 1, partitions: Some(1) }.into()
}

fn id() -> Expr {
    Expr::attribute(["id"])
}

fn number(n: usize) -> Expr {
    Expr::Literal(Literal::Integer(n as i32))
}

fn select(input: Plan, exprs: Vec<Expr>) -> Plan {
    Node::Project { input: Box::new(input), exprs }.into()
}

fn filter(input: Plan, condition: Expr) -> Plan {
    Node::Filter { input: Box::new(input), condition }.into()
}

fn sum(terms: usize) -> Plan {
    let sum = (0..terms).fold(id(), |sum, _| Expr::operator("+", vec![sum, number(1)]));
    select(range(), vec![sum.alias("s")])
}

fn chained(terms: usize, by: &str, term: fn(usize) -> Expr) -> Expr {
    (1..terms).fold(term(0), |all, n| Expr::operator(by, vec![all, term(n)]))
}

fn disjunction(terms: usize) -> Plan {
    filter(range(), chained(terms, "or", |n| Expr::operator("=", vec![id(), number(n)])))
}

fn conjunction(terms: usize) -> Plan {
    let condition =
        chained(terms, "and", |n| Expr::operator(">", vec![Expr::attribute([format!("c{}", n % 50)]), number(n)]));
    filter(wide_table(50), condition)
}

fn with_columns(count: usize) -> Plan {
    (0..count).fold(range(), |input, n| {
        let column = Expr::operator("+", vec![id(), number(n)]).alias(format!("c{n}"));
        Node::WithColumns { input: Box::new(input), columns: vec![column] }.into()
    })
}

fn filters(count: usize) -> Plan {
    (0..count).fold(range(), |input, n| filter(input, Expr::operator(">", vec![id(), number(n)])))
}

fn unions(count: usize) -> Plan {
    (0..count).fold(range(), |left, _| {
        let union = SetOp {
            left,
            right: range(),
            kind: SetOpKind::Union,
            all: true,
            by_name: false,
            allow_missing_columns: false,
        };
        Node::SetOp(Box::new(union)).into()
    })
}

fn joins(count: usize) -> Plan {
    (0..count).fold(range(), |left, _| {
        let join = spark::plan::Join {
            left,
            right: range(),
            join_type: JoinType::Inner,
            criteria: JoinCriteria::Using(vec!["id".into()]),
            lateral: false,
            tupled: None,
        };
        Node::Join(Box::new(join)).into()
    })
}

fn wide_table(columns: usize) -> Plan {
    let exprs = (0..columns).map(|n| Expr::operator("+", vec![id(), number(n)]).alias(format!("c{n}")));
    select(range(), exprs.collect())
}

/// A wide table through the operators that look at all its columns.
fn wide(columns: usize) -> Plan {
    let table = filter(wide_table(columns), Expr::operator(">", vec![Expr::attribute(["c1"]), number(1)]));
    let all = (0..columns).map(|n| Expr::attribute([format!("c{n}")])).collect();
    let distinct = Node::Distinct { input: Box::new(select(table, all)) };
    select(distinct.into(), vec![Expr::Star(Default::default())])
}

fn values(rows: usize) -> Plan {
    let row = |n: usize| vec![number(n), Expr::Literal(Literal::String(format!("row {n}")))];
    Node::InlineTable { rows: (0..rows).map(row).collect() }.into()
}
