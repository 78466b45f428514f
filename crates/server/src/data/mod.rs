//! `firesteel data`: TPC-H and TPC-DS tables as parquet, one `<table>.parquet` a table and nothing else.

mod source;
mod tpcds;
mod tpch;
mod writer;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Benchmark, DataArgs};
use crate::error::{Error, Result};
use source::Table;

/// Generates the tables `args` asks for.
pub fn run(args: &DataArgs) -> Result<()> {
    if !(args.scale.is_finite() && args.scale > 0.0) {
        return Err(Error::usage("--scale must be a number above zero"));
    }
    let tables = match args.benchmark {
        Benchmark::Tpch => tpch::tables(args.scale),
        Benchmark::Tpcds => tpcds::tables(args.scale)?,
    };
    let threads = args.threads.unwrap_or_else(crate::limits::available_threads);
    fs::create_dir_all(&args.out).map_err(|e| Error::io("create", &args.out, e))?;
    generate(tables, &args.out, threads)
}

fn generate(tables: Vec<Table>, out: &Path, threads: usize) -> Result<()> {
    let started = Instant::now();
    let bar = progress(tables.iter().map(|t| t.chunks.len() as u64).sum());
    let mut rows = 0;
    let mut bytes = 0;
    for table in tables {
        let name = table.name;
        bar.set_message(name);
        let written = writer::write(table, out, threads, &bar)?;
        rows += written.rows;
        bytes += written.bytes;
        tracing::debug!(table = name, rows = written.rows, bytes = written.bytes, "table written");
    }
    bar.finish_and_clear();
    eprintln!(
        "{} rows, {:.1} MB in {} ({:.1} s)",
        rows,
        bytes as f64 / 1e6,
        out.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A bar counted in row groups; indicatif draws nothing when stderr is no terminal.
fn progress(row_groups: u64) -> ProgressBar {
    let bar = ProgressBar::new(row_groups);
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len} row groups  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;

    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    fn row_counts(tables: Vec<Table>) -> BTreeMap<String, i64> {
        let dir = tempfile::tempdir().expect("temporary folder");
        generate(tables, dir.path(), 2).expect("tables are generated");
        let mut counts = BTreeMap::new();
        for entry in fs::read_dir(dir.path()).expect("folder is readable") {
            let path = entry.expect("entry").path();
            let file = File::open(&path).expect("file opens");
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("valid parquet");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            counts.insert(name, reader.metadata().file_metadata().num_rows());
        }
        counts
    }

    #[test]
    fn tpch_has_the_specified_rows() {
        let counts = row_counts(tpch::tables(0.01));
        let expect = [
            ("customer.parquet", 1_500),
            ("lineitem.parquet", 60_175),
            ("nation.parquet", 25),
            ("orders.parquet", 15_000),
            ("part.parquet", 2_000),
            ("partsupp.parquet", 8_000),
            ("region.parquet", 5),
            ("supplier.parquet", 100),
        ];
        assert_eq!(counts, expect.map(|(t, n)| (t.to_owned(), n)).into());
    }

    #[test]
    fn tpcds_has_all_24_tables() {
        let counts = row_counts(tpcds::tables(0.01).expect("a valid scale"));
        assert_eq!(counts.len(), 24);
        assert!(counts.iter().all(|(_, rows)| *rows > 0), "{counts:?}");
        assert_eq!(counts["date_dim.parquet"], 73_049);
    }
}
