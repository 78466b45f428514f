//! Spark SQL's keywords. None is reserved by default; a few may not serve as table aliases.

macro_rules! keywords {
    ($($word:ident)*) => {
        /// A keyword of the language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        pub enum Kw { $($word),* }

        /// Every keyword, in the order of the alphabet.
        const ALL: &[(&str, Kw)] = &[$((stringify!($word), Kw::$word)),*];
    };
}

keywords! {
    ADD AFTER AGGREGATE ALIGN ALL ALTER ALWAYS ANALYZE AND ANTI ANY ANY_VALUE APPLY APPROX ARCHIVE ARRAY AS
    ASC ASENSITIVE ASOF AT ATOMIC AUTHORIZATION AUTO BEGIN BERNOULLI BETWEEN BIGINT BIN BINARY BINDING
    BIN_DISTRIBUTE_RATIO BIN_END BIN_START BOOLEAN BOTH BUCKET BUCKETS BY BYTE CACHE CALL CALLED CASCADE CASE
    CAST CATALOG CATALOGS CDC CHANGE CHANGES CHAR CHARACTER CHECK CLEAR CLOSE CLUSTER CLUSTERED CODEGEN
    COLLATE COLLATION COLLATIONS COLLECTION COLUMN COLUMNS COMMENT COMMIT COMPACT COMPACTIONS COMPENSATION
    COMPUTE CONCATENATE CONDITION CONSTRAINT CONTAINS CONTINUE COST CREATE CROSS CUBE CURRENT CURRENT_CATALOG
    CURRENT_DATABASE CURRENT_DATE CURRENT_PATH CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER
    CURSOR DATA DATABASE DATABASES DATE DATEADD DATEDIFF DATE_ADD DATE_DIFF DAY DAYOFYEAR DAYS DBPROPERTIES
    DEC DECIMAL DECLARE DEFAULT DEFAULT_PATH DEFINED DEFINER DELAY DELETE DELIMITED DESC DESCRIBE
    DETERMINISTIC DFS DIRECTORIES DIRECTORY DISTANCE DISTINCT DISTRIBUTE DIV DO DOUBLE DROP ELSE ELSEIF END
    ENFORCED ERROR ESCAPE ESCAPED EVOLUTION EXACT EXCEPT EXCHANGE EXCLUDE EXCLUSIVE EXECUTE EXISTS EXIT
    EXPLAIN EXPORT EXTEND EXTENDED EXTERNAL EXTRACT FALSE FETCH FIELDS FILEFORMAT FILTER FIRST FLOAT FLOW
    FOLLOWING FOR FOREIGN FORMAT FORMATTED FOUND FROM FULL FUNCTION FUNCTIONS GENERATED GEOGRAPHY GEOMETRY
    GLOBAL GRANT GROUP GROUPING HANDLER HAVING HISTORY HOUR HOURS IDENTIFIED IDENTIFIER IDENTITY IF IGNORE
    ILIKE IMMEDIATE IMPORT IN INCLUDE INCLUSIVE INCREMENT INDEX INDEXES INNER INPATH INPUT INPUTFORMAT
    INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO INVOKER IS ITEMS ITERATE JOIN JSON JSON_TABLE KEY
    KEYS LANGUAGE LAST LATERAL LAZY LEADING LEAVE LEFT LEVEL LIKE LIMIT LINES LIST LOAD LOCAL LOCALTIME
    LOCATION LOCK LOCKS LOGICAL LONG LOOP MACRO MAP MATCHED MATCH_CONDITION MATERIALIZED MAX MEASURE MERGE
    METRICS MICROSECOND MICROSECONDS MILLISECOND MILLISECONDS MINUS MINUTE MINUTES MODIFIES MONTH MONTHS MSCK
    NAME NAMESPACE NAMESPACES NANOSECOND NANOSECONDS NATURAL NEAREST NEXT NO NONE NORELY NOT NULL NULLS
    NUMERIC OF OFFSET ON ONLY OPEN OPTION OPTIONS OR ORDER ORDINALITY OUT OUTER OUTPUTFORMAT OVER OVERLAPS
    OVERLAY OVERWRITE PARTITION PARTITIONED PARTITIONS PATH PERCENT PIVOT PLACING POSITION PRECEDING PRIMARY
    PRINCIPALS PROCEDURE PROCEDURES PROPERTIES PURGE QUALIFY QUARTER QUERY RANGE READ READS REAL RECORDREADER
    RECORDWRITER RECOVER RECURSION RECURSIVE REDUCE REFERENCES REFRESH REGEXP RELY RENAME REPAIR REPEAT
    REPEATABLE REPLACE RESET RESPECT RESTRICT RETURN RETURNS REVOKE RIGHT RLIKE ROLE ROLES ROLLBACK ROLLUP ROW
    ROWS SCD SCHEMA SCHEMAS SECOND SECONDS SECURITY SELECT SEMI SEPARATED SEQUENCE SERDE SERDEPROPERTIES
    SESSION_USER SET SETS SHORT SHOW SIMILARITY SINGLE SKEWED SMALLINT SOME SORT SORTED SOURCE SPECIFIC SQL
    SQLEXCEPTION SQLSTATE START STATISTICS STORED STRATIFY STREAM STREAMING STRING STRUCT SUBSTR SUBSTRING
    SYNC SYSTEM SYSTEM_PATH SYSTEM_TIME SYSTEM_VERSION TABLE TABLES TABLESAMPLE TARGET TBLPROPERTIES TEMP
    TEMPORARY TERMINATED THEN TIME TIMEDIFF TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIMESTAMP_LTZ TIMESTAMP_NTZ
    TINYINT TO TOUCH TRACK TRAILING TRANSACTION TRANSACTIONS TRANSFORM TRIM TRUE TRUNCATE TRY_CAST TYPE
    UNARCHIVE UNBOUNDED UNCACHE UNIFORM UNION UNIQUE UNKNOWN UNLOCK UNNEST UNPIVOT UNSET UNTIL UPDATE USE USER
    USING VALUE VALUES VAR VARCHAR VARIABLE VARIANT VERSION VIEW VIEWS VOID WATERMARK WEEK WEEKS WHEN WHERE
    WHILE WIDTH WINDOW WITH WITHIN WITHOUT X YEAR YEARS ZONE
}

/// The longest keyword has this many bytes.
const LONGEST: usize = 24;

impl Kw {
    /// The keyword that `word` spells, whatever its case.
    pub fn lookup(word: &str) -> Option<Kw> {
        if word.len() > LONGEST || !word.is_ascii() {
            return None;
        }
        let mut upper = [0u8; LONGEST];
        let upper = &mut upper[..word.len()];
        upper.copy_from_slice(word.as_bytes());
        upper.make_ascii_uppercase();
        let found = ALL.binary_search_by(|(text, _)| text.as_bytes().cmp(upper)).ok()?;
        Some(ALL[found].1)
    }

    /// The keyword in capitals.
    pub fn text(self) -> &'static str {
        ALL[self as usize].0
    }

    /// True for the words that are reserved where `spark.sql.ansi.enforceReservedKeywords` asks for it.
    pub fn is_reserved(self) -> bool {
        use Kw::*;
        matches!(
            self,
            ALL | AND
                | ANY
                | AS
                | AUTHORIZATION
                | BOTH
                | CALL
                | CASE
                | CAST
                | CHECK
                | COLLATE
                | COLLATION
                | COLLATIONS
                | COLUMN
                | CONSTRAINT
                | CREATE
                | CROSS
                | CURRENT_DATE
                | CURRENT_PATH
                | CURRENT_SCHEMA
                | CURRENT_TIME
                | CURRENT_TIMESTAMP
                | CURRENT_USER
                | DISTINCT
                | ELSE
                | END
                | ESCAPE
                | EXCEPT
                | EXECUTE
                | FALSE
                | FETCH
                | FILTER
                | FOR
                | FOREIGN
                | FROM
                | FULL
                | GRANT
                | GROUP
                | HAVING
                | IN
                | INNER
                | INTERSECT
                | INTO
                | IS
                | JOIN
                | LATERAL
                | LEADING
                | LEFT
                | LOCALTIME
                | NATURAL
                | NOT
                | NULL
                | OFFSET
                | ON
                | ONLY
                | OR
                | ORDER
                | OUTER
                | OVERLAPS
                | PRIMARY
                | RECURSIVE
                | REFERENCES
                | RIGHT
                | SELECT
                | SESSION_USER
                | SOME
                | SQL
                | TABLE
                | THEN
                | TIME
                | TO
                | TRAILING
                | UNION
                | UNIQUE
                | UNKNOWN
                | USER
                | USING
                | WHEN
                | WHERE
                | WITH
                | WITHIN
        )
    }

    /// True for the words that stand for a value.
    pub fn is_value(self) -> bool {
        use Kw::*;
        matches!(
            self,
            CURRENT_DATE
                | CURRENT_PATH
                | CURRENT_SCHEMA
                | CURRENT_TIME
                | CURRENT_TIMESTAMP
                | CURRENT_USER
                | LOCALTIME
                | SESSION_USER
                | USER
                | TRUE
                | FALSE
                | NULL
        )
    }

    /// True for the words around joins and set operations, which may not name a relation without
    /// quotes.
    pub fn is_strict_non_reserved(self) -> bool {
        use Kw::*;
        matches!(
            self,
            ANTI | CROSS
                | EXCEPT
                | FULL
                | INNER
                | INTERSECT
                | JOIN
                | LATERAL
                | LEFT
                | MINUS
                | NATURAL
                | ON
                | RIGHT
                | SEMI
                | UNION
                | USING
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case() {
        assert!(ALL.is_sorted_by_key(|(text, _)| *text));
        assert!(ALL.iter().all(|(text, _)| text.len() <= LONGEST));
        for (word, expect) in
            [("select", Some(Kw::SELECT)), ("SeT", Some(Kw::SET)), ("foo", None), ("zone", Some(Kw::ZONE))]
        {
            assert_eq!(Kw::lookup(word), expect, "{word}");
        }
        assert_eq!(Kw::SELECT.text(), "SELECT");
    }
}
