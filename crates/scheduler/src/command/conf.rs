//! `SET`, `RESET`, `SET TIME ZONE`.

use spark::Result;
use spark::conf::entries;

use crate::operation::Table;
use crate::report::{self, text};
use crate::session::Session;

/// `SET`: shows or changes configuration.
pub fn set(session: &Session, key: Option<String>, value: Option<String>, verbose: bool) -> Result<Table> {
    let conf = session.conf();
    let key = key.map(|k| current_key(&k).to_string());
    let pair = || vec![text("key", false), text("value", false)];
    match (key, value) {
        (Some(key), Some(value)) => {
            refuse_variable(session, &key)?;
            conf.set(&key, &value)?;
            report::table(pair(), vec![vec![key.into(), value.into()]])
        }
        (Some(key), None) => {
            let shown = match conf.get_option(&key) {
                Some(v) if !v.is_empty() => v,
                _ => "<undefined>".to_string(),
            };
            report::table(pair(), vec![vec![key.into(), shown.into()]])
        }
        _ if verbose => {
            let mut known: Vec<_> = entries().values().filter(|e| e.key.starts_with("spark.sql.")).collect();
            known.sort_by_key(|e| e.key);
            let rows = known
                .iter()
                .map(|e| vec![e.key.into(), conf.get_option(e.key).unwrap_or_default().into(), "".into(), "".into()])
                .collect();
            report::table(
                vec![text("key", false), text("value", false), text("meaning", false), text("Since version", false)],
                rows,
            )
        }
        _ => report::table(pair(), conf.entries().into_iter().map(|(k, v)| vec![k.into(), v.into()]).collect()),
    }
}

/// The key that an old one stands for.
fn current_key(key: &str) -> &str {
    match key {
        "mapred.reduce.tasks" | "mapreduce.job.reduces" => "spark.sql.shuffle.partitions",
        other => other,
    }
}

/// `SET` is not how variables are set.
fn refuse_variable(session: &Session, key: &str) -> Result<()> {
    let name: Vec<String> = key.split('.').map(str::to_string).collect();
    if super::variable::exists(session, &name) {
        return Err(spark::Error::analysis("UNSUPPORTED_FEATURE.SET_VARIABLE_USING_SET")
            .param("variableName", crate::catalog::shown(&name))
            .with_message(format!("{key} is a variable: SET VARIABLE sets it.")));
    }
    Ok(())
}

/// `RESET`.
pub fn reset(session: &Session, key: Option<String>) -> Result<Table> {
    match key {
        Some(key) => session.conf().unset(&key)?,
        None => session.conf().reset(),
    }
    Ok(Table::empty())
}

/// `SET TIME ZONE`.
pub fn set_time_zone(session: &Session, zone: &str) -> Result<Table> {
    const KEY: &str = "spark.sql.session.timeZone";
    let local;
    let zone = if zone.eq_ignore_ascii_case("LOCAL") {
        local = machine_zone();
        &local
    } else {
        zone
    };
    session.conf().set(KEY, zone)?;
    report::table(vec![text("key", false), text("value", false)], vec![vec![KEY.into(), zone.into()]])
}

/// The time zone of this machine.
fn machine_zone() -> String {
    let set = std::env::var("TZ").ok().map(|zone| zone.trim_start_matches(':').to_string());
    let linked = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        target.to_str()?.split_once("zoneinfo/").map(|(_, zone)| zone.to_string())
    };
    set.filter(|zone| !zone.is_empty()).or_else(linked).unwrap_or_else(|| "UTC".into())
}
