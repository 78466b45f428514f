"""Timestamps with 7 to 9 digits after the second, which clients have as Arrow's nanoseconds or as text."""

import pytest

from asking import answer

KEY = "spark.sql.timestampNanosTypes.enabled"
STAMP = "TIMESTAMP_NTZ'2020-06-01 01:02:03.123456789'"


@pytest.fixture(autouse=True)
def nanos(spark):
    spark.conf.set(KEY, "true")
    spark.conf.set("spark.sql.session.timeZone", "America/Los_Angeles")
    yield
    spark.conf.unset(KEY)
    spark.conf.unset("spark.sql.session.timeZone")


@pytest.mark.parametrize(
    "expression, expected",
    [
        (f"CAST({STAMP} AS STRING)", "2020-06-01 01:02:03.123456789"),
        (f"typeof({STAMP})", "timestamp_ntz(9)"),
        ("typeof(TIMESTAMP'2020-01-01 00:00:00.1234567')", "timestamp_ltz(7)"),
        (f"typeof(coalesce({STAMP}, TIMESTAMP'2020-01-01 00:00:00'))", "timestamp_ltz(9)"),
        (f"CAST({STAMP} + INTERVAL '1 00:00:00.5' DAY TO SECOND AS STRING)", "2020-06-02 01:02:03.623456789"),
        (f"CAST(date_trunc('MICROSECOND', {STAMP}) AS STRING)", "2020-06-01 01:02:03.123456"),
        (f"CAST(extract(SECOND FROM {STAMP}) AS STRING)", "3.123456789"),
        (f"date_format({STAMP}, 'SSSSSSSSS')", "123456789"),
        ("CAST(unix_nanos(timestamp_nanos(-1)) AS STRING)", "-1"),
        (f"{STAMP} > TIMESTAMP_NTZ'2020-06-01 01:02:03.123456788'", True),
        (f"hash({STAMP}) = hash(unix_micros({STAMP}), 789)", True),
        (f"to_json(struct({STAMP} AS a), map('timestampNTZFormat', 'ss.SSSSSSSSS'))", '{"a":"03.123456789"}'),
        ("CAST(from_json('{\"a\":\"2020-01-01 00:00:00.000000001\"}', 'a timestamp_ntz(9)').a AS STRING)",
         "2020-01-01 00:00:00.000000001"),
        ("CAST(CAST('9999-12-31 23:59:59.999999999' AS TIMESTAMP_NTZ(9)) AS STRING)", "9999-12-31 23:59:59.999999999"),
    ],
)
def test_expressions(spark, expression, expected):
    assert answer(spark, f"SELECT {expression} AS v") == [(expected,)]


@pytest.mark.parametrize(
    "statement, condition",
    [
        ("SELECT CAST(1 AS TIMESTAMP_LTZ(9))", "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"),
        (f"SELECT sum({STAMP})", "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE"),
        (f"SELECT date_add({STAMP}, 1)", "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE"),
        ("SELECT CAST('2020' AS TIMESTAMP(10))", "INVALID_TIMESTAMP_PRECISION"),
        ("SELECT TIMESTAMP'2020-01-01 00:00:00.1234567890'", "INVALID_TIMESTAMP_LITERAL_PRECISION"),
    ],
)
def test_what_is_refused(spark, statement, condition):
    assert answer(spark, statement) == condition


def test_operators_see_every_digit(spark):
    rows = "VALUES (1, TIMESTAMP_NTZ'2020-01-01 00:00:00.000000002'), (2, TIMESTAMP_NTZ'2020-01-01 00:00:00.000000001'), " \
           "(3, TIMESTAMP_NTZ'2020-01-01 00:00:00.000000002'), (4, NULL)"
    source = f"(SELECT * FROM {rows} t(i, n))"
    assert answer(spark, f"SELECT i FROM {source} ORDER BY n, i") == [(4,), (2,), (1,), (3,)]
    assert answer(spark, f"SELECT count(DISTINCT n), CAST(max(n) AS STRING) FROM {source}") == [
        (2, "2020-01-01 00:00:00.000000002")
    ]
    joined = f"SELECT a.i, b.i FROM {source} a JOIN {source} b ON a.n = b.n AND a.i < b.i"
    assert answer(spark, joined) == [(1, 3)]
    assert answer(spark, f"SELECT count(*) FROM {source} GROUP BY n ORDER BY n") == [(1,), (1,), (2,)]


@pytest.mark.parametrize("provider", ["parquet", "json", "csv"])
def test_tables(spark, provider):
    spark.sql("DROP TABLE IF EXISTS nanos_t")
    form = " OPTIONS (timestampNTZFormat 'yyyy-MM-dd HH:mm:ss.SSSSSSSSS')" if provider != "parquet" else ""
    spark.sql(f"CREATE TABLE nanos_t (i INT, n TIMESTAMP_NTZ(9)) USING {provider}{form}")
    try:
        spark.sql(f"INSERT INTO nanos_t VALUES (1, {STAMP}), (2, NULL)")
        shown = answer(spark, "SELECT i, CAST(n AS STRING) FROM nanos_t ORDER BY i")
        assert shown == [(1, "2020-06-01 01:02:03.123456789"), (2, None)]
        assert answer(spark, f"SELECT i FROM nanos_t WHERE n = {STAMP}") == [(1,)]
        assert answer(spark, "DESCRIBE nanos_t")[1][:2] == ("n", "timestamp_ntz(9)")
        spark.conf.set(KEY, "false")
        assert answer(spark, "SELECT CAST(n AS STRING) FROM nanos_t") == "FEATURE_NOT_ENABLED"
    finally:
        spark.sql("DROP TABLE nanos_t")


@pytest.mark.parametrize("type_name, text", [("TIMESTAMP", "01:02:03.5"), ("TIMESTAMP_LTZ(9)", "01:02:03.000000001")])
def test_folders_hold_instants_of_the_session(spark, type_name, text):
    spark.sql("DROP TABLE IF EXISTS nanos_p")
    spark.sql(f"CREATE TABLE nanos_p (i INT, p {type_name}) USING parquet PARTITIONED BY (p)")
    try:
        stamp = f"TIMESTAMP'2020-06-01 {text}'"
        spark.sql(f"INSERT INTO nanos_p VALUES (1, {stamp})")
        assert answer(spark, f"SELECT i, CAST(p AS STRING) FROM nanos_p WHERE p = {stamp}") == [(1, f"2020-06-01 {text}")]
        assert answer(spark, "SHOW PARTITIONS nanos_p") == [("p=2020-06-01 " + text.replace(":", "%3A"),)]
    finally:
        spark.sql("DROP TABLE nanos_p")


def test_switched_off(spark):
    spark.conf.set(KEY, "false")
    for value in ("CAST('2020' AS TIMESTAMP(9))", "now(9)", "timestamp_nanos(1)"):
        assert answer(spark, f"SELECT CAST({value} AS STRING)") == "FEATURE_NOT_ENABLED"
    assert answer(spark, f"SELECT typeof({STAMP})") == [("timestamp_ntz",)]


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("typeof(TIME'10:11:12.1234567')", "time(7)"),
        ("CAST(CAST('10:11:12.123456789' AS TIME(8)) AS STRING)", "10:11:12.12345678"),
        ("CAST(TIME'10:11:12.123456789' + INTERVAL '1' SECOND AS STRING)", "10:11:13.123456789"),
        ("CAST(extract(SECOND FROM TIME'10:11:12.123456789') AS STRING)", "12.123456789"),
        (f"CAST(CAST({STAMP} AS TIME(9)) AS STRING)", "01:02:03.123456789"),
        ("CAST(time_to_seconds(TIME'00:00:01.1234565') AS STRING)", "1.123457"),
    ],
)
def test_times(spark, expression, expected):
    spark.conf.set("spark.sql.timeType.enabled", "true")
    try:
        assert answer(spark, f"SELECT {expression} AS v") == [(expected,)]
    finally:
        spark.conf.unset("spark.sql.timeType.enabled")


@pytest.mark.parametrize(
    "style, shown",
    [("UTF-8", "a"), ("BASIC", "[97]"), ("BASE64", "YQ"), ("HEX", "61"), ("HEX_DISCRETE", "[61]")],
)
def test_bytes_are_shown_as_asked(spark, capsys, style, shown):
    spark.conf.set("spark.sql.binaryOutputStyle", style)
    try:
        spark.sql("SELECT X'61' AS b").show()
    finally:
        spark.conf.unset("spark.sql.binaryOutputStyle")
    assert capsys.readouterr().out.splitlines()[3].strip("|").strip() == shown
