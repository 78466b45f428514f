//! What of a session's configuration changes the meaning of a query, resolved once per analysis.

use std::sync::Arc;

use crate::types::quote_identifier;

/// Settings baked into a plan by the analyzer; kernels get them from there and never from a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// `spark.sql.ansi.enabled`.
    pub ansi: bool,
    /// `spark.sql.session.timeZone`, validated.
    pub time_zone: Arc<str>,
    /// `spark.sql.caseSensitive`.
    pub case_sensitive: bool,
    /// `spark.sql.timestampType` is `TIMESTAMP_NTZ`.
    pub timestamp_ntz: bool,
    /// `spark.sql.timestampNanosTypes.enabled`.
    pub timestamp_nanos: bool,
    /// `spark.sql.timeType.enabled`.
    pub time_type: bool,
    /// `spark.sql.legacy.timeParserPolicy`.
    pub time_parser_policy: Arc<str>,
    /// `spark.sql.storeAssignmentPolicy`.
    pub store_assignment: Arc<str>,
    /// `spark.sql.groupByOrdinal` and `spark.sql.orderByOrdinal`.
    pub group_by_ordinal: bool,
    pub order_by_ordinal: bool,
    /// `spark.sql.groupByAliases`.
    pub group_by_aliases: bool,
    /// `spark.sql.mapKeyDedupPolicy` is `LAST_WIN`.
    pub map_keys_last_win: bool,
    /// `spark.sql.crossJoin.enabled`.
    pub cross_join: bool,
    /// The collation of strings that are made from nothing else with one, where a view, a function or a
    /// table made by a query has a default.
    pub default_collation: Option<Arc<str>>,
    /// Microseconds since the epoch: the query's `current_timestamp`.
    pub now_micros: i64,
    /// Nanoseconds since that microsecond.
    pub now_nanos: i64,
    /// Source of seeds for unseeded `rand`, `uuid`, `shuffle` of this query.
    pub seed: i64,
    /// Partitions that rows are spread over where nothing else decides.
    pub parallelism: usize,
    pub current_catalog: Arc<str>,
    pub current_database: Arc<str>,
    pub current_user: Arc<str>,
    /// Where unqualified names are looked for, in order, if `SET PATH` said so.
    pub path: Option<Arc<[Vec<String>]>>,
    /// Every other key that a rarely used feature reads, as set in the session.
    pub conf: Arc<crate::conf::ConfView>,
}

impl Default for Settings {
    /// Spark's defaults, in UTC, at the epoch.
    fn default() -> Self {
        Settings {
            ansi: true,
            time_zone: "UTC".into(),
            case_sensitive: false,
            timestamp_ntz: false,
            timestamp_nanos: false,
            time_type: false,
            time_parser_policy: "CORRECTED".into(),
            store_assignment: "ANSI".into(),
            group_by_ordinal: true,
            order_by_ordinal: true,
            group_by_aliases: true,
            map_keys_last_win: false,
            cross_join: true,
            default_collation: None,
            now_micros: 0,
            now_nanos: 0,
            seed: 0,
            parallelism: 1,
            current_catalog: "spark_catalog".into(),
            current_database: "default".into(),
            current_user: "".into(),
            path: None,
            conf: Arc::default(),
        }
    }
}

impl Settings {
    /// The schemas in which unqualified names are looked for, in order.
    pub fn search_path(&self) -> Vec<Vec<String>> {
        if let Some(path) = &self.path {
            return path.to_vec();
        }
        let system = |schema: &str| vec!["system".to_string(), schema.to_string()];
        let current = vec![self.current_catalog.to_string(), self.current_database.to_string()];
        vec![system("builtin"), system("session"), current]
    }

    /// The search path as errors print it.
    pub fn search_path_shown(&self) -> String {
        let shown = |schema: &Vec<String>| schema.iter().map(|p| quote_identifier(p)).collect::<Vec<_>>().join(".");
        format!("[{}]", self.search_path().iter().map(shown).collect::<Vec<_>>().join(", "))
    }

    /// True if unqualified names may be those of the session's temporary things.
    pub fn looks_in_session(&self) -> bool {
        self.path.as_ref().is_none_or(|path| path.iter().any(|schema| is_system(schema, "session")))
    }
}

/// True for a schema of the catalog `system`.
pub fn is_system(schema: &[String], name: &str) -> bool {
    matches!(schema, [catalog, last] if catalog.eq_ignore_ascii_case("system") && last.eq_ignore_ascii_case(name))
}
