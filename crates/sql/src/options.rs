//! What of a session's configuration changes how text is read.

use std::fmt;
use std::sync::Arc;

use spark::conf::ConfView;
use spark::expr::Parameter;
use spark::{Expr, Literal, Result, Settings};

/// Evaluates the constant expression inside `IDENTIFIER(…)` to the text of a name.
pub type IdentifierResolver = Arc<dyn Fn(&Expr) -> Result<String> + Send + Sync>;

/// Values of parameter markers, for the places of the grammar that take a plain string or number.
/// Everywhere else a marker stays an [`Expr::Parameter`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterValues {
    pub named: Vec<(String, Literal)>,
    pub positional: Vec<Literal>,
}

impl ParameterValues {
    /// The value of a marker.
    pub fn get(&self, parameter: &Parameter) -> Option<&Literal> {
        match parameter {
            Parameter::Named(name) => self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            Parameter::Positional(at) => self.positional.get(*at),
        }
    }
}

/// Settings of the parser.
#[derive(Clone)]
pub struct ParseOptions {
    /// `spark.sql.ansi.enabled`.
    pub ansi: bool,
    /// The session time zone, for timestamp literals without a zone.
    pub time_zone: Arc<str>,
    /// `spark.sql.timestampType` is `TIMESTAMP_NTZ`.
    pub timestamp_ntz: bool,
    /// `spark.sql.timestampNanosTypes.enabled`: timestamps may have 7 to 9 digits after the second.
    pub timestamp_nanos: bool,
    /// `spark.sql.caseSensitive`.
    pub case_sensitive: bool,
    /// `spark.sql.ansi.enforceReservedKeywords` (with ANSI): some keywords are no names.
    pub reserved_keywords: bool,
    /// `spark.sql.ansi.relationPrecedence` (with ANSI): joins bind more than commas.
    pub ansi_relation_precedence: bool,
    /// `spark.sql.ansi.doubleQuotedIdentifiers` (with ANSI): `"x"` is a name.
    pub double_quoted_identifiers: bool,
    /// `spark.sql.parser.escapedStringLiterals`: backslashes are kept.
    pub escaped_string_literals: bool,
    /// `spark.sql.parser.quotedRegexColumnNames`: `` `a.*` `` is a pattern.
    pub quoted_regex_column_names: bool,
    /// `spark.sql.legacy.interval.enabled`: interval literals are calendar intervals.
    pub legacy_interval: bool,
    /// `spark.sql.legacy.exponentLiteralAsDecimal.enabled`.
    pub exponent_as_decimal: bool,
    /// `spark.sql.legacy.setopsPrecedence.enabled`: all set operations from left to right.
    pub legacy_set_operations: bool,
    /// `spark.sql.legacy.parser.havingWithoutGroupByAsWhere`: without `GROUP BY`, `HAVING` filters rows.
    pub having_as_where: bool,
    /// `spark.sql.allowNamedFunctionArguments`.
    pub named_arguments: bool,
    /// `spark.sql.operatorPipeSyntaxEnabled`.
    pub pipes: bool,
    /// `spark.sql.parser.singleCharacterPipeOperator.enabled`: `|` before an operator's keyword is a pipe too.
    pub short_pipes: bool,
    /// `spark.sql.scripting.enabled`.
    pub scripts: bool,
    /// `spark.sql.collation.schemaLevel.enabled`: schemas have a default collation.
    pub schema_collations: bool,
    /// `spark.sql.timeTravel.atSyntax.enabled`: `table@v1`.
    pub at_versions: bool,
    /// `spark.sql.insertIntoReplaceOn.enabled` and `spark.sql.insertIntoReplaceUsing.enabled`.
    pub replace_on: bool,
    pub replace_using: bool,
    /// What `${key}` in the text stands for; `None` with `spark.sql.variable.substitute` off.
    pub variables: Option<Arc<ConfView>>,
    /// The current time, for `TIMESTAMP .now.` and its like.
    pub now_micros: i64,
    /// Gives the names of `IDENTIFIER(…)` clauses that are no plain strings, in statements.
    pub identifiers: Option<IdentifierResolver>,
    /// The arguments of the statement, as far as they are literals.
    pub parameters: Option<Arc<ParameterValues>>,
    /// What the text is the body of: `VIEW` or a kind of routine, and its name.
    pub object: Option<(Arc<str>, Arc<str>)>,
}

impl fmt::Debug for ParseOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParseOptions")
            .field("ansi", &self.ansi)
            .field("time_zone", &self.time_zone)
            .finish_non_exhaustive()
    }
}

impl Default for ParseOptions {
    /// Spark's defaults, with every type there is: what was stored under other settings is read too.
    fn default() -> Self {
        ParseOptions::from(&Settings { timestamp_nanos: true, ..Settings::default() })
    }
}

impl From<&Settings> for ParseOptions {
    fn from(settings: &Settings) -> Self {
        let flag = |key: &str| settings.conf.get_bool(key, false);
        let on = |key: &str| settings.conf.get_bool(key, true);
        ParseOptions {
            ansi: settings.ansi,
            time_zone: settings.time_zone.clone(),
            timestamp_ntz: settings.timestamp_ntz,
            timestamp_nanos: settings.timestamp_nanos,
            case_sensitive: settings.case_sensitive,
            reserved_keywords: settings.ansi && flag("spark.sql.ansi.enforceReservedKeywords"),
            ansi_relation_precedence: settings.ansi && flag("spark.sql.ansi.relationPrecedence"),
            double_quoted_identifiers: settings.ansi && flag("spark.sql.ansi.doubleQuotedIdentifiers"),
            escaped_string_literals: flag("spark.sql.parser.escapedStringLiterals"),
            quoted_regex_column_names: flag("spark.sql.parser.quotedRegexColumnNames"),
            legacy_interval: flag("spark.sql.legacy.interval.enabled"),
            exponent_as_decimal: flag("spark.sql.legacy.exponentLiteralAsDecimal.enabled"),
            legacy_set_operations: flag("spark.sql.legacy.setopsPrecedence.enabled"),
            having_as_where: flag("spark.sql.legacy.parser.havingWithoutGroupByAsWhere"),
            named_arguments: on("spark.sql.allowNamedFunctionArguments"),
            pipes: on("spark.sql.operatorPipeSyntaxEnabled"),
            short_pipes: on("spark.sql.parser.singleCharacterPipeOperator.enabled"),
            scripts: on("spark.sql.scripting.enabled"),
            at_versions: on("spark.sql.timeTravel.atSyntax.enabled"),
            schema_collations: flag("spark.sql.collation.schemaLevel.enabled"),
            replace_on: on("spark.sql.insertIntoReplaceOn.enabled"),
            replace_using: on("spark.sql.insertIntoReplaceUsing.enabled"),
            variables: on("spark.sql.variable.substitute").then(|| Arc::clone(&settings.conf)),
            now_micros: settings.now_micros,
            identifiers: None,
            parameters: None,
            object: None,
        }
    }
}
