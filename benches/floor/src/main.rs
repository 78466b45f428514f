//! Plain DataFusion over the same parquet files: the floor a Spark Connect server on it is held against.
//!
//! Reads query names on standard input, answers each with one line of JSON: seconds and rows, or the error.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use serde_json::json;

/// The allocator of the server it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Options {
    /// Folder of <table>.parquet
    #[arg(long)]
    data: PathBuf,
    /// Folder of <query>.sql
    #[arg(long)]
    queries: PathBuf,
    /// Threads and partitions [default: the processors of this machine]
    #[arg(long)]
    threads: Option<usize>,
    /// Bytes queries may use before they spill [default: no limit]
    #[arg(long)]
    memory: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let threads = match options.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism()?.get(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(64 << 20)
        .enable_all()
        .build()?;
    // On a worker, as a server's queries are, not on the main thread's small stack.
    runtime
        .block_on(runtime.spawn(async move { answer_all(&options, threads).await.map_err(|e| e.to_string()) }))??;
    Ok(())
}

async fn answer_all(options: &Options, threads: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let context = context(options, threads).await?;
    let mut name = String::new();
    while io::stdin().read_line(&mut name)? > 0 {
        let answer = match run(&context, &options.queries, name.trim()).await {
            Ok((seconds, rows)) => json!({ "seconds": seconds, "rows": rows }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{answer}");
        io::stdout().flush()?;
        name.clear();
    }
    Ok(())
}

async fn context(options: &Options, threads: usize) -> Result<SessionContext, Box<dyn Error + Send + Sync>> {
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = options.memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    let config = SessionConfig::new().with_target_partitions(threads);
    let context = SessionContext::new_with_config_rt(config, Arc::new(runtime.build()?));
    for entry in fs::read_dir(&options.data)? {
        let path = entry?.path();
        let (Some(table), Some(location)) = (path.file_stem().and_then(|s| s.to_str()), path.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|e| e == "parquet") {
            context.register_parquet(table, location, ParquetReadOptions::default()).await?;
        }
    }
    Ok(context)
}

/// Runs every statement of a query; the rows are those of the last that gives any.
async fn run(
    context: &SessionContext,
    folder: &Path,
    name: &str,
) -> Result<(f64, usize), Box<dyn Error + Send + Sync>> {
    let text = fs::read_to_string(folder.join(format!("{name}.sql")))?;
    let text: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .fold(String::new(), |all, line| all + line + "\n");
    let started = Instant::now();
    let mut rows = 0;
    for statement in text.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        let batches = context.sql(statement).await?.collect().await?;
        rows = rows.max(batches.iter().map(|b| b.num_rows()).sum());
    }
    Ok((started.elapsed().as_secs_f64(), rows))
}
