//! The language by examples: texts and the shape of what they parse to, or the condition that refuses
//! them.

use proptest::prelude::*;

use crate::{ParseOptions, Statement, parse_data_type, parse_expression, parse_query, parse_statement, shape};

fn check_expr(text: &str, expect: &str) {
    match parse_expression(text, &ParseOptions::default()) {
        Ok(parsed) => assert_eq!(shape::expr(&parsed), expect, "{text}"),
        Err(e) => panic!("{text}: {e}"),
    }
}

fn check_query(text: &str, expect: &str) {
    match parse_query(text, &ParseOptions::default()) {
        Ok(parsed) => assert_eq!(shape::plan(&parsed), expect, "{text}"),
        Err(e) => panic!("{text}: {e}"),
    }
}

fn check_error(text: &str, condition: &str) {
    match parse_statement(text, &ParseOptions::default()) {
        Ok(parsed) => panic!("{text}: {parsed:?}"),
        Err(e) => assert_eq!(e.condition(), condition, "{text}"),
    }
}

#[test]
fn operators_bind_as_in_spark() {
    for (text, expect) in [
        ("1 + 2 * 3 - 4", "(- (+ 1 (* 2 3)) 4)"),
        ("a or b and not c", "(or a (and b (not c)))"),
        ("a and b and c and d", "(and (and a b) (and c d))"),
        ("a = b is null", "(isnull (= a b))"),
        ("-a * b", "(* (negative a) b)"),
        ("- 1", "-1"),
        ("1 - -1", "(- 1 -1)"),
        ("a | b & c ^ d", "(| a (^ (& b c) d))"),
        ("a << 1 + 2", "(<< a (+ 1 2))"),
        ("a >> 1 >>> 2", "(>>> (>> a 1) 2)"),
        ("a || b || c", "(|| (|| a b) c)"),
        ("a <> b", "(not (= a b))"),
        ("a between 1 and 2 and b", "(and (between a 1 2) b)"),
        ("a not between 1 and 2", "(not (between a 1 2))"),
        ("a not in (1, 2)", "(not (in a 1 2))"),
        ("(a, b) in (select 1, 2)", "(in a b project[1, 2](one))"),
        ("a like 'x' escape '/'", "(like a \"x\" \"/\")"),
        ("a like any ('x', 'y')", "(likeany a \"x\" \"y\")"),
        ("a not ilike all ('x', b)", "(and (not (ilike a \"x\")) (not (ilike a b)))"),
        ("a is not distinct from b", "(<=> a b)"),
        ("a is distinct from b", "(not (<=> a b))"),
        ("a is not true", "(not (<=> a true))"),
        ("a div 2 % 3", "(% (div a 2) 3)"),
        ("! a = b", "(not (= a b))"),
    ] {
        check_expr(text, expect);
    }
}

#[test]
fn primaries() {
    for (text, expect) in [
        ("case a when 1 then 2 else 3 end", "(when (= a 1) 2 3)"),
        ("case when a then b end", "(when a b)"),
        ("cast(a as decimal(10, 2))", "(cast:Session a decimal(10,2))"),
        ("try_cast(a as array<array<int>>)", "(cast:Try a array<array<int>>)"),
        ("a::int::string", "(cast:Session (cast:Session a int) string)"),
        ("a.b.c[0].d", "a.b.c[0][\"d\"]"),
        ("a.*", "a.*"),
        ("* except (a, b.c)", "*-a-b.c"),
        ("f(x -> x + y, (a, b) -> a.c)", "(f (\\x (+ \\x y)) (\\a,b \\a.c))"),
        ("count(distinct a, b) filter (where c)", "distinct(count a b) filter c"),
        ("first(a ignore nulls)", "(first a) ignore"),
        ("first(a) respect nulls over w", "(first a) respect over w"),
        (
            "sum(a) over (partition by b order by c desc rows between 1 preceding and current row)",
            "(sum a) over {b|-c|rows -1 CurrentRow}",
        ),
        ("listagg(a) within group (order by b desc nulls last)", "(listagg a) within -b_"),
        ("extract(year from d)", "(extract \"year\" d)"),
        ("substring(a from 1 for 2)", "(substring a 1 2)"),
        ("trim(leading 'x' from a)", "(ltrim \"x\" a)"),
        ("trim(from a)", "(trim a)"),
        ("trim(a)", "(trim a)"),
        ("overlay(a placing b from 3)", "(overlay a b 3)"),
        ("position('a' in b)", "(locate \"a\" b)"),
        ("dateadd(day, 1, d)", "(timestampadd \"day\" 1 d)"),
        ("date_add(d, 1)", "(date_add d 1)"),
        ("f(a => 1, b)", "(f a=>1 b)"),
        ("(a, 1 as b)", "(row a 1 as b)"),
        ("((a))", "a"),
        ("exists(select 1)", "(exists project[1](one))"),
        ("exists(a, x -> x)", "(exists a (\\x \\x))"),
        ("((select 1) + 1)", "(+ (scalar project[1](one)) 1)"),
        ("v:a.b[0]['c d']", "(semi_structured_extract v \"$.a.b[0]['c d']\")"),
        ("a collate utf8_lcase", "(collate a \"utf8_lcase\")"),
        ("identifier('a.b')", "a.b"),
        ("identifier(c)", "(identifier c)"),
        (":p + ?", "(+ Named(\"p\") Positional(0))"),
        ("a as b", "a as b"),
        ("a b", "a as b"),
        ("f(a) as (b, c)", "(f a) as b,c"),
    ] {
        check_expr(text, expect);
    }
}

#[test]
fn keywords_are_names_where_nothing_else_fits() {
    for (text, expect) in [
        ("select from", "project[from](one)"),
        ("select 1 from", "project[1 as from](one)"),
        ("select case from t", "project[case](t)"),
        ("select interval, not, date from t", "project[interval, not, date](t)"),
        ("select timestamp.year from timestamp", "project[timestamp.year](timestamp)"),
        ("select 1 where where", "filter[where](one)"),
        ("select a order from t", "project[a as order](t)"),
    ] {
        let expect = expect.replace("filter[where](one)", "project[1](filter[where](one))");
        check_query(text, &expect);
    }
}

#[test]
fn literals() {
    for (text, expect) in [
        ("1L", "Long(1)"),
        ("1.50", "Decimal { unscaled: 150, precision: 3, scale: 2 }"),
        ("2147483648", "Long(2147483648)"),
        ("-2147483648", "-2147483648"),
        ("1e3", "Double(1000.0)"),
        ("date '1970-01-02'", "Date(1)"),
        ("timestamp '1970-01-01 00:00:01'", "Timestamp(1000000)"),
        ("timestamp_ntz '1970-01-01 00:00:01'", "TimestampNtz(1000000)"),
        ("time '00:00:01'", "Time { nanos: 1000000000, precision: 6 }"),
        ("x'1F'", "Binary([31])"),
        ("'a' \"b\" r'\\n'", "\"ab\\\\n\""),
        ("interval '1-2' year to month", "YearMonthInterval { months: 14, start: 0, end: 1 }"),
        ("interval 1 day 2 hours", "DayTimeInterval { micros: 93600000000, start: 0, end: 1 }"),
        ("interval '1 week'", "DayTimeInterval { micros: 604800000000, start: 0, end: 0 }"),
        ("interval -'1' month", "YearMonthInterval { months: -1, start: 1, end: 1 }"),
        ("-interval 1 year", "(negative YearMonthInterval { months: 12, start: 0, end: 0 })"),
    ] {
        check_expr(text, expect);
    }
}

#[test]
fn queries() {
    for (text, expect) in [
        ("select distinct a from t where b having c", "distinct(having[c](group[][a](filter[b](t))))"),
        ("select a from t, u x, lateral (select 1) y", "project[a](((t Inner x=u) Inner lateral y=project[1](one)))"),
        ("select * from a left semi join b using (c) cross join d", "project[*](((a LeftSemi b using c) Cross d))"),
        ("select * from a natural full outer join b", "project[*]((a FullOuter b natural))"),
        (
            "select 1 union select 2 intersect all select 3",
            "(project[1](one) Union (project[2](one) Intersect all project[3](one)))",
        ),
        (
            "select 1 except all select 2 minus select 3",
            "((project[1](one) Except all project[2](one)) Except project[3](one))",
        ),
        (
            "select a from t order by b desc nulls first, c limit 1 offset 2",
            "limit[1](offset[2](order[-b^,+c](project[a](t))))",
        ),
        ("select a from t order by all", "order[all:true](project[a](t))"),
        ("select a from t cluster by b", "sort[+b](distribute[b](project[a](t)))"),
        ("select a, sum(b) from t group by a with rollup", "rollup[a][a, (sum b)](t)"),
        ("select 1 from t group by cube(a, b)", "cube[a, b][1](t)"),
        ("select 1 from t group by grouping sets((a, b), (a), ())", "sets <a, b><a><>[][1](t)"),
        ("select 1 from t group by a, rollup((b, c), d)", "group[a, (rollup (row b c) (row d))][1](t)"),
        ("select a from t group by all", "all[][a](t)"),
        (
            "with x as (select 1), y(a) as (table x) select * from y",
            "with x()=project[1](one); y(a)=x in project[*](y)",
        ),
        ("with recursive r as (select 1) table r", "with recursive r()=project[1](one) in r"),
        ("values (1, 'a'), (2, 'b') as t(x, y)", "t=values[1, \"a\"; 2, \"b\"](x,y)"),
        ("from t select a where b", "project[a](filter[b](t))"),
        ("select sum(a) over w from t window w as (partition by b)", "windows[w{b|}](project[(sum a) over w](t))"),
        (
            "select a from t lateral view outer explode(b) x as y",
            "project[a](view outer[(explode b) Some(\"x\") y](t))",
        ),
        ("select /*+ broadcast(a), merge(b) */ 1", "hint[broadcast(a)](hint[merge(b)](project[1](one)))"),
        ("select * from range(10) r", "project[*](r=(tvf range 10))"),
        ("select * from (select 1)", "project[*](__auto_generated_subquery_name=project[1](one))"),
        ("select * from (a join b)", "project[*]((a Inner b))"),
        ("select a from t qualify b", "qualify[b](project[a](t))"),
        ("table t |> where a |> select b |> limit 1", "limit[1](project[b](filter[a](t)))"),
        ("select 1 limit all", "project[1](one)"),
        ("select * from a join b approx nearest 2 by distance c", "project[*](nearestbyjoin)"),
        ("table t |> where a union select 1", "(filter[a](t) Union project[1](one))"),
    ] {
        check_query(text, expect);
    }
}

/// The token an error of syntax is shown at, and its hint.
#[test]
fn tokens_of_syntax_errors() {
    for (text, token, hint) in [
        ("select a from t group by", "'BY'", ": extra input 'BY'"),
        ("select a from t where b group by", "end of input", ""),
        ("select a from t order by a +", "'ORDER'", ""),
        ("select a from t limit +", "'LIMIT'", ""),
        ("select a from t window w as (partition by)", "'WINDOW'", ""),
        ("select case when a then 1 from t", "'a'", ""),
        ("select case a when 1 then 2 c from t", "'c'", ""),
        ("select 1 union select a b c", "'select'", ""),
        ("select a from t where exists (select a b c from v)", "'('", ""),
        ("select sum(a) over (from t", "'('", ""),
        ("create table t (a array<int)", "'<'", ""),
        ("alter table t drop if partition (a = 1)", "'partition'", ""),
        ("alter table t set tblproperties ('a' = )", "')'", ""),
        ("insert into t replace where a = 1 1 select 1", "'where'", ""),
        ("select * from t for version", "end of input", ""),
        ("truncate partition (a = 1)", "'partition'", ": missing 'TABLE'"),
        ("(select 1", "end of input", ": missing ')'"),
        ("begin declare k cursor for select; open k; fetch k; end", "';'", ""),
    ] {
        let error = parse_statement(text, &ParseOptions::default()).unwrap_err();
        let shown = |name: &str| error.data().parameters.get(name).cloned().unwrap_or_default();
        assert_eq!(
            (shown("error").to_lowercase(), shown("hint").to_lowercase()),
            (token.to_lowercase(), hint.to_lowercase()),
            "{text}"
        );
    }
}

#[test]
fn refusals() {
    for (text, condition) in [
        ("", "PARSE_EMPTY_STATEMENT"),
        ("selec 1", "PARSE_SYNTAX_ERROR"),
        ("select 1 +", "PARSE_SYNTAX_ERROR"),
        ("select 1 2", "PARSE_SYNTAX_ERROR"),
        ("select 'abc", "PARSE_SYNTAX_ERROR"),
        ("select /* abc", "UNCLOSED_BRACKETED_COMMENT"),
        ("select date '2020-13-01'", "INVALID_TYPED_LITERAL"),
        ("select foo 'x'", "UNSUPPORTED_TYPED_LITERAL"),
        ("select 128Y", "INVALID_NUMERIC_LITERAL_RANGE"),
        ("select cast(1 as foo)", "UNSUPPORTED_DATATYPE"),
        ("select cast('x' as char(4294967297))", "UNSUPPORTED_DATATYPE"),
        ("select cast('x' as varchar(2147483648))", "UNSUPPORTED_DATATYPE"),
        ("select 1e-2147483648BD", "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION"),
        ("select 1e-9223372036854775808BD", "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION"),
        ("select 1e9223372036854775807BD", "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION"),
        ("select cast(1 as foo) +", "PARSE_SYNTAX_ERROR"),
        ("select cast(1 as array)", "INCOMPLETE_TYPE_DEFINITION.ARRAY"),
        ("select a in ()", "INVALID_SQL_SYNTAX.EMPTY_IN_PREDICATE"),
        ("select * from a-b", "INVALID_IDENTIFIER"),
        ("values (1, 2), (3)", "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH"),
        ("with a as (select 1), a as (select 2) table a", "DUPLICATED_CTE_NAMES"),
        ("select * from t, lateral u", "INVALID_SQL_SYNTAX.LATERAL_WITHOUT_SUBQUERY_OR_TABLE_VALUED_FUNC"),
        ("select * from t, lateral values (1)", "INVALID_SQL_SYNTAX.LATERAL_WITHOUT_SUBQUERY_OR_TABLE_VALUED_FUNC"),
        ("select 1 order by 1 |> where a", "PARSE_SYNTAX_ERROR"),
        ("select date '2020' '-01-01'", "PARSE_SYNTAX_ERROR"),
        ("comment on table t is :c", "UNEXPECTED_USE_OF_PARAMETER_MARKER"),
        ("declare x", "INVALID_SQL_SYNTAX.VARIABLE_TYPE_OR_DEFAULT_REQUIRED"),
        ("set x y", "INVALID_SET_SYNTAX"),
        ("create table t (a int) comment 'x' comment 'y'", "DUPLICATE_CLAUSES"),
        ("set path = a", "INVALID_SQL_PATH_SCHEMA_REFERENCE"),
        ("begin if true then end if; end", "PARSE_SYNTAX_ERROR"),
        ("begin while true do end while; end", "PARSE_SYNTAX_ERROR"),
        ("begin leave x; end", "INVALID_LABEL_USAGE.DOES_NOT_EXIST"),
        ("begin a: loop leave a; end loop b; end", "LABELS_MISMATCH"),
    ] {
        check_error(text, condition);
    }
}

#[test]
fn hints_at_missing_words() {
    for (text, hint) in [
        ("truncate t", ": missing 'TABLE'"),
        ("delete t", ": missing 'FROM'"),
        ("clear", ": missing 'CACHE'"),
        ("alter table t rename column a b", ": missing 'TO'"),
        ("analyze table t compute", ": missing 'STATISTICS'"),
        ("execute 'select 1'", ": missing 'IMMEDIATE'"),
        ("show foo", ": missing 'FUNCTIONS'"),
        ("select * from t order a", ""),
    ] {
        let error = crate::parse_statement(text, &crate::ParseOptions::default()).expect_err(text);
        let found = error.data().parameters.get("hint").cloned();
        let trimmed = found.as_deref().map(|h| if h.starts_with(": extra") { "" } else { h });
        assert_eq!(trimmed, Some(hint), "{text}");
    }
}

#[test]
fn statements() {
    for text in [
        "create or replace temp view v (a comment 'x', b) as select 1, 2",
        "create temporary view v using csv options (path 'x', header true)",
        "create table if not exists a.b.t (a int not null default 1 comment 'c', b string) using parquet \
         partitioned by (a, bucket(4, b)) options ('x' = 'y') location '/p' tblproperties (k = 1)",
        "create table t as select 1",
        "create table t like u using csv",
        "create table t (a int, constraint pk primary key (a)) clustered by (a) sorted by (a) into 4 buckets",
        "replace table t (a int) using csv",
        "alter table t add columns (a int after b, c.d string first)",
        "alter table t rename column a to b",
        "alter table t alter column a type bigint, b comment 'x'",
        "alter table t drop partition (a = 1), partition (a = 2) purge",
        "alter view v as select 1",
        "alter table t set tblproperties ('a' = 'b')",
        "drop table if exists t purge",
        "create database if not exists d comment 'c' location '/p' with dbproperties (a = 'b')",
        "drop schema d cascade",
        "insert into t (a, b) values (1, default)",
        "insert overwrite t partition (a = 1, b) select 1",
        "insert into t by name select 1 as a",
        "insert into t replace where a = 1 select 2",
        "from t insert into u select a insert into v select b where c",
        "with x as (select 1) insert into t select * from x",
        "merge into t using s as u on t.a = u.a when matched and u.b then update set t.c = u.c \
         when matched then delete when not matched then insert (a) values (u.a) \
         when not matched by source then delete",
        "update t set a = 1, b = default where c",
        "delete from t as x where x.a = 1",
        "cache lazy table t options ('storageLevel' 'DISK_ONLY') as select 1",
        "analyze table t partition (a = 1) compute statistics for columns a, b",
        "show tables in a.b like 'x*'",
        "show columns in t from d",
        "show user functions like 'a*'",
        "describe extended t partition (a = 1)",
        "desc function extended abs",
        "describe t a.b",
        "explain formatted select 1",
        "comment on table t is null",
        "set time zone interval -10 hours",
        "set `a b` = 'c'",
        "reset spark.sql.shuffle.partitions",
        "declare or replace variable a, b int default 1",
        "set var (a, b) = (select 1, 2)",
        "execute immediate 'select ?' into a, b using 1 as x, 2",
        "create function f(a int default 1, b string comment 'x') returns table(c int) return select a",
        "create temporary function f as 'a.b.C' using jar '/x.jar'",
        "call p(1, b => 2)",
        "begin declare x int default 1; declare exit handler for sqlexception begin select 1; end; \
         if x > 1 then select 1; elseif x = 0 then select 2; else select 3; end if; \
         l: while x < 3 do set x = x + 1; iterate l; end while l; for r as select 1 do leave_me: begin end leave_me; end for; \
         case x when 1 then select 1; else select 2; end case; repeat set x = 2; until x = 2 end repeat; end",
    ] {
        if let Err(e) = parse_statement(text, &ParseOptions::default()) {
            panic!("{text}: {e}");
        }
    }
}

#[test]
fn positions_are_those_of_the_tokens() {
    let parsed = parse_expression("  foo(`é`) +\n b.c", &ParseOptions::default());
    let Ok(spark::Expr::At { origin, child }) = parsed else { panic!("{parsed:?}") };
    let spark::Origin::Sql(whole) = &*origin else { panic!() };
    assert_eq!((whole.start, whole.stop, whole.line, whole.column), (2, 16, 1, 2));
    let spark::Expr::Function(call) = &*child else { panic!() };
    let spark::Expr::At { origin, .. } = &call.args[1] else { panic!() };
    let spark::Origin::Sql(right) = &**origin else { panic!() };
    assert_eq!((right.start, right.stop, right.line, right.column), (14, 16, 2, 1));
    assert_eq!(right.fragment(), "b.c");
}

#[test]
fn types() {
    for (text, expect) in [
        (
            "struct<a: int not null comment 'x', `b c` map<string, array<double>>>",
            "struct<a:int,b c:map<string,array<double>>>",
        ),
        ("interval day to second", "interval day to second"),
        ("timestamp without time zone", "timestamp_ntz"),
        ("timestamp_ntz(6)", "timestamp_ntz"),
        ("timestamp(9)", "timestamp_ltz(9)"),
        ("timestamp(8) without time zone", "timestamp_ntz(8)"),
        ("timestamp(7) with local time zone", "timestamp_ltz(7)"),
        ("array<timestamp_ltz(9)>", "array<timestamp_ltz(9)>"),
        ("char(3)", "char(3)"),
        ("string collate utf8_lcase", "string collate UTF8_LCASE"),
        ("struct<>", "struct<>"),
    ] {
        match parse_data_type(text, &ParseOptions::default()) {
            Ok(parsed) => assert_eq!(parsed.simple_string(), expect, "{text}"),
            Err(e) => panic!("{text}: {e}"),
        }
    }
    let schema = crate::parse_table_schema("a INT NOT NULL, b STRING", &ParseOptions::default()).unwrap();
    let again = crate::parse_table_schema(&schema.to_json().to_string(), &ParseOptions::default()).unwrap();
    assert_eq!(schema, again);
}

#[test]
fn having_filters_rows_where_it_did_once() {
    let options = ParseOptions { having_as_where: true, ..Default::default() };
    for (text, expect) in [
        ("select a from t where b having c", "filter[c](project[a](filter[b](t)))"),
        ("select a from t group by a having c", "having[c](group[a][a](t))"),
    ] {
        match parse_query(text, &options) {
            Ok(parsed) => assert_eq!(shape::plan(&parsed), expect, "{text}"),
            Err(e) => panic!("{text}: {e}"),
        }
    }
}

#[test]
fn parameters_stand_for_names_strings_and_numbers() {
    let values = crate::ParameterValues {
        named: vec![("t".into(), spark::Literal::String("a.b".into())), ("n".into(), spark::Literal::Integer(3))],
        positional: Vec::new(),
    };
    let options = ParseOptions { parameters: Some(values.into()), ..Default::default() };
    for (text, expect) in [
        ("select * from identifier(:t)", "project[*](a.b)"),
        ("select * from identifier(:t || '.c') limit :n", "limit[Named(\"n\")](project[*](a.b.c))"),
        ("select cast(a as decimal(:n, 1)) from t", "project[(cast:Session a decimal(3,1))](t)"),
    ] {
        match parse_query(text, &options) {
            Ok(parsed) => assert_eq!(shape::plan(&parsed), expect, "{text}"),
            Err(e) => panic!("{text}: {e}"),
        }
    }
    assert!(parse_statement("comment on table identifier(:t) is :t", &options).is_ok());
    assert!(parse_statement("comment on table identifier(:u) is 'x'", &options).is_err());
}

/// Runs `f` on a stack as small as a worker thread's.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let handle = std::thread::Builder::new().stack_size(2 << 20).spawn(f).unwrap();
    assert!(handle.join().is_ok());
}

#[test]
fn long_and_deep_texts_neither_overflow_nor_crawl() {
    on_a_small_stack(|| {
        let long = vec!["a"; 3000].join(" + ");
        assert!(parse_expression(&long, &ParseOptions::default()).is_ok());
        let logic = vec!["a = 1"; 5000].join(" and ");
        assert!(parse_expression(&logic, &ParseOptions::default()).is_ok());
        let rows = vec!["(1, 'x', 2.5)"; 10_000].join(", ");
        assert!(parse_query(&format!("values {rows}"), &ParseOptions::default()).is_ok());
        let unions = vec!["select 1"; 1000].join(" union all ");
        assert!(parse_query(&unions, &ParseOptions::default()).is_ok());
        for (open, close) in
            [("(", ")"), ("f(", ")"), ("not ", ""), ("(select ", ")"), ("array(", ")"), ("substr(", ")")]
        {
            let deep = format!("select {}1{}", open.repeat(20_000), close.repeat(20_000));
            let result = parse_statement(&deep, &ParseOptions::default());
            assert_eq!(
                result.err().map(|e| e.condition().to_string()),
                Some("FAILED_TO_PARSE_TOO_COMPLEX".into()),
                "{open}"
            );
        }
        let nested = format!("select {}1{}", "f(".repeat(500), ")".repeat(500));
        assert!(parse_statement(&nested, &ParseOptions::default()).is_ok());
    });
}

/// Words and marks of the language, to be put together at random.
const PIECES: &[&str] = &[
    "select",
    "from",
    "where",
    "t",
    "a",
    "1",
    "'x'",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    ".",
    "and",
    "not",
    "in",
    "case",
    "when",
    "then",
    "end",
    "interval",
    "day",
    "to",
    "cast",
    "as",
    "int",
    "<",
    ">",
    "array",
    "struct",
    "|>",
    "->",
    "=>",
    "::",
    ":",
    "[",
    "]",
    "values",
    "join",
    "on",
    "lateral",
    "view",
    "order",
    "by",
    "union",
    "all",
    "with",
    "insert",
    "into",
    "create",
    "table",
    "set",
    "=",
    "`q`",
    "\"d\"",
    ";",
    "begin",
    "declare",
    "?",
    "/*+",
    "*/",
    "over",
    "window",
    "group",
    "pivot",
    "for",
    "exists",
    "between",
    "is",
    "null",
    "like",
    "date",
    "trim",
    "position",
    "identifier",
    "é",
    "merge",
    "using",
    "matched",
    "update",
    "show",
    "describe",
    "alter",
    "drop",
    "unpivot",
    "tablesample",
    "percent",
];

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        let _ = parse_statement(&text, &ParseOptions::default());
        let _ = parse_data_type(&text, &ParseOptions::default());
    }

    #[test]
    fn any_tokens_are_answered(picks in prop::collection::vec(0..PIECES.len(), 0..25)) {
        let text = picks.iter().map(|i| PIECES[*i]).collect::<Vec<_>>().join(" ");
        if let Ok(Statement::Query(plan)) = parse_statement(&text, &ParseOptions::default()) {
            let _ = shape::plan(&plan);
        }
    }
}

/// What can be read in two ways is not read twice at every level: this would not end.
#[test]
fn nesting_that_can_be_read_in_two_ways() {
    for unit in ["(((((FROM( AL ", "(FROM( ", "CASE (", "TRIM(", "((SELECT ((", "EXISTS((((", "a IN (((VALUES ("] {
        assert!(parse_statement(&unit.repeat(40), &ParseOptions::default()).is_err(), "{unit}");
    }
    let inner = (0..40).fold("1".to_string(), |inner, _| format!("((((SELECT {inner}) + 1) + 1) + 1)"));
    assert!(parse_statement(&format!("SELECT {inner}"), &ParseOptions::default()).is_ok());
}
