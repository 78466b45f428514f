"""Files that are not what they should be: Spark's conditions, and the options that pass over them."""

import gzip

import pytest
from pyspark.errors import PySparkException


def condition(ask):
    with pytest.raises(PySparkException) as caught:
        ask()
    return caught.value.getCondition()


@pytest.fixture(scope="module")
def parquet(spark, tmp_path_factory):
    """The bytes of a parquet file with columns a (long) and b (string)."""
    folder = tmp_path_factory.mktemp("whole") / "p"
    spark.range(0, 2000, 1, 1).selectExpr("id AS a", "CAST(id AS STRING) AS b").write.parquet(str(folder))
    return next(folder.glob("*.parquet")).read_bytes()


def flipped(data, start, end, step):
    damaged = bytearray(data)
    for at in range(start, end, step):
        damaged[at] ^= 0x5A
    return bytes(damaged)


DAMAGE = {
    "magic": lambda data: b"this is no parquet file at all",
    "short": lambda data: b"PAR1",
    "truncated": lambda data: data[: len(data) // 2],
    "footer": lambda data: flipped(data, len(data) - 300, len(data) - 20, 3),
    "length of the footer": lambda data: data[:-8] + (10**8).to_bytes(4, "little") + data[-4:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_parquet_without_a_footer(spark, parquet, tmp_path, damage):
    (tmp_path / "x.parquet").write_bytes(DAMAGE[damage](parquet))
    path = str(tmp_path)
    assert condition(lambda: spark.read.parquet(path).count()) == "FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER"
    typed = spark.read.schema("a long, b string").parquet(path)
    assert condition(lambda: typed.selectExpr("sum(a)", "max(b)").collect()) == "FAILED_READ_FILE.NO_HINT"
    passed = spark.read.option("ignoreCorruptFiles", "true").schema("a long").parquet(path)
    assert passed.count() == 0
    inferred = spark.read.option("ignoreCorruptFiles", "true")
    assert condition(lambda: inferred.parquet(path).count()) == "UNABLE_TO_INFER_SCHEMA"


def test_parquet_with_damaged_pages(spark, parquet, tmp_path):
    (tmp_path / "x.parquet").write_bytes(flipped(parquet, 50, len(parquet) // 2, 7))
    df = spark.read.parquet(str(tmp_path))
    assert df.count() == 2000, "counting reads the footer only"
    assert condition(lambda: df.selectExpr("sum(a)", "max(b)").collect()) == "FAILED_READ_FILE.NO_HINT"


def test_an_empty_file_has_no_rows(spark, tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"")
    assert spark.read.schema("a long").parquet(str(tmp_path)).collect() == []
    assert condition(lambda: spark.read.parquet(str(tmp_path)).collect()) == "UNABLE_TO_INFER_SCHEMA"


def test_parquet_of_other_types(spark, parquet, tmp_path):
    (tmp_path / "x.parquet").write_bytes(parquet)
    mismatch = "FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH"
    df = spark.read.schema("a string, b string").parquet(str(tmp_path))
    assert condition(lambda: df.selectExpr("max(a)").collect()) == mismatch
    assert df.selectExpr("max(b)").collect()[0][0] == "999", "what is not read does not matter"
    df = spark.read.schema("b int").parquet(str(tmp_path))
    assert condition(lambda: df.collect()) == mismatch


@pytest.mark.parametrize("form, line", [("csv", b"1,2\n"), ("json", b'{"a":1}\n')])
def test_truncated_compression(spark, tmp_path, form, line):
    whole = gzip.compress(line * 5000)
    (tmp_path / f"x.{form}.gz").write_bytes(whole[: len(whole) // 2])
    read = spark.read.format(form)
    assert condition(lambda: read.load(str(tmp_path)).count()) == "FAILED_READ_FILE.NO_HINT"
    typed = spark.read.format(form).schema("a int")
    assert condition(lambda: typed.load(str(tmp_path)).selectExpr("sum(a)").collect()) == "FAILED_READ_FILE.NO_HINT"
    passing = spark.read.format(form).schema("a int").option("ignoreCorruptFiles", "true")
    assert passing.load(str(tmp_path)).count() < 5000


def test_files_that_go_away(spark, parquet, tmp_path):
    for name in ("x.parquet", "y.parquet"):
        (tmp_path / name).write_bytes(parquet)
    name = f"gone_{tmp_path.name.replace('-', '_')}"
    spark.read.parquet(str(tmp_path)).createOrReplaceTempView(name)
    passing = spark.read.option("ignoreMissingFiles", "true").parquet(str(tmp_path))
    passing.createOrReplaceTempView(name + "_passing")
    (tmp_path / "x.parquet").unlink()
    outcome = spark.sql(f"SELECT count(a) FROM {name}_passing WHERE a >= 0")
    assert outcome.collect()[0][0] == 2000


def test_missing_paths_and_formats(spark, tmp_path):
    for form in ("parquet", "csv", "json", "text"):
        read = spark.read.format(form)
        assert condition(lambda: read.load(str(tmp_path / "nowhere")).collect()) == "PATH_NOT_FOUND"
    (tmp_path / "x.csv").write_text("a,b\n")
    assert condition(lambda: spark.read.format("avro").load(str(tmp_path)).collect()) == "AVRO_DATA_SOURCE_NOT_ENABLED"
    assert condition(lambda: spark.read.format("nope").load(str(tmp_path)).collect()) == "DATA_SOURCE_NOT_FOUND"
    assert condition(lambda: spark.read.format("jdbc").load().collect()) == "DATA_SOURCE_NOT_FOUND"


def test_options_are_not_ignored(spark, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    refused = "UNSUPPORTED_CALL.WITHOUT_SUGGESTION"
    read = spark.read.option("locale", "de").option("header", "true")
    assert condition(lambda: read.csv(str(tmp_path)).collect()) == refused
    write = spark.range(1).write.option("locale", "de")
    assert condition(lambda: write.csv(str(tmp_path / "out"))) == refused
    assert spark.read.option("modifiedAfter", "2000-01-01T00:00:00").csv(str(tmp_path)).count() == 2
    assert condition(
        lambda: spark.read.option("modifiedBefore", "2000-01-01T00:00:00").csv(str(tmp_path)).count()
    ) == "UNABLE_TO_INFER_SCHEMA"
