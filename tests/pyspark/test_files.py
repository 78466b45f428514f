"""Reading and writing files."""

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import Row
from pyspark.sql import functions as F


@pytest.fixture(scope="module")
def sales(spark):
    return spark.range(100).select(
        "id", (F.col("id") % 3).cast("int").alias("shop"), F.concat(F.lit("item "), F.col("id")).alias("item")
    )


def total(frame):
    return frame.agg(F.count("*"), F.sum("id")).first()


def test_parquet_round_trip(spark, sales, tmp_path):
    path = str(tmp_path / "sales")
    sales.write.parquet(path)
    again = spark.read.parquet(path)
    assert again.columns == ["id", "shop", "item"]
    assert tuple(total(again)) == (100, 4950)


def test_modes(spark, sales, tmp_path):
    path = str(tmp_path / "sales")
    sales.write.parquet(path)
    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        sales.write.parquet(path)
    sales.write.mode("ignore").parquet(path)
    assert spark.read.parquet(path).count() == 100
    sales.write.mode("append").parquet(path)
    assert spark.read.parquet(path).count() == 200
    sales.limit(10).write.mode("overwrite").parquet(path)
    assert spark.read.parquet(path).count() == 10


def test_partitioned_parquet(spark, sales, tmp_path):
    path = tmp_path / "by_shop"
    sales.write.partitionBy("shop").parquet(str(path))
    assert sorted(p.name for p in path.iterdir() if p.is_dir()) == ["shop=0", "shop=1", "shop=2"]
    again = spark.read.parquet(str(path))
    assert set(again.columns) == {"id", "item", "shop"}
    assert again.filter("shop = 1").count() == 33


def test_csv(spark, tmp_path):
    (tmp_path / "in.csv").write_text("name,age\nann,34\n\"b, ob\",\n")
    frame = spark.read.csv(str(tmp_path / "in.csv"), header=True, inferSchema=True)
    assert dict(frame.dtypes) == {"name": "string", "age": "int"}
    assert [tuple(r) for r in frame.orderBy("name").collect()] == [("ann", 34), ("b, ob", None)]


def test_csv_with_schema(spark, tmp_path):
    (tmp_path / "in.csv").write_text("1;2024-02-29\n2;\n")
    frame = spark.read.schema("n int, d date").option("sep", ";").csv(str(tmp_path / "in.csv"))
    assert [(r.n, str(r.d)) for r in frame.orderBy("n").collect()] == [(1, "2024-02-29"), (2, "None")]


def test_json(spark, tmp_path):
    (tmp_path / "in.json").write_text('{"a": 1, "b": {"c": "x"}}\n{"a": 2, "b": {"c": null}}\n')
    frame = spark.read.json(str(tmp_path / "in.json"))
    assert dict(frame.dtypes) == {"a": "bigint", "b": "struct<c:string>"}
    assert [tuple(r) for r in frame.select("a", "b.c").orderBy("a").collect()] == [(1, "x"), (2, None)]


def test_text(spark, tmp_path):
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    assert [r.value for r in spark.read.text(str(tmp_path / "in.txt")).orderBy("value").collect()] == ["one", "two"]


def test_sql_over_files(spark, data):
    path = data / "tpch" / "nation.parquet"
    assert spark.sql(f"SELECT count(*) AS n FROM parquet.`{path}`").first().n == 25


def test_missing_file(spark):
    with pytest.raises(Exception, match="PATH_NOT_FOUND"):
        spark.read.parquet("/no/such/file.parquet").collect()


def test_corrupt_parquet(spark, tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(Exception) as caught:
        spark.read.parquet(str(tmp_path / "bad.parquet")).collect()
    assert caught.value.getCondition() == "FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER"
    assert spark.sql("SELECT 1 AS one").first().one == 1


def test_columns_go_by_any_spelling(spark, tmp_path):
    path = str(tmp_path / "spelled")
    spark.range(3).selectExpr("id as Id").write.parquet(path)
    assert sorted(r.ID for r in spark.read.schema("ID long").parquet(path).collect()) == [0, 1, 2]
    assert spark.read.schema("ID long").parquet(path).filter("id > 0").count() == 2


def test_corrupt_records_alone(spark, tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}\nbad\n')
    frame = spark.read.json(str(tmp_path))
    assert frame.filter("_corrupt_record is not null and a is null").count() == 1
    with pytest.raises(Exception, match="QUERY_ONLY_CORRUPT_RECORD_COLUMN"):
        frame.select("_corrupt_record").collect()


def test_variants_in_json(spark, tmp_path):
    (tmp_path / "a.json").write_text('{"v": {"a": [1, "x"]}}\n{"w": 1}\n')
    frame = spark.read.schema("v variant").json(str(tmp_path))
    rows = frame.selectExpr("variant_get(v, '$.a[1]', 'string') as x", "v is null as absent").collect()
    assert sorted(map(tuple, rows), key=str) == [("x", False), (None, True)]


def test_csv_quotes_that_close_nothing(spark, tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,"x""y"\n2,"open\n')
    rows = [tuple(r) for r in spark.read.csv(str(tmp_path), header=True).collect()]
    assert rows == [("1", '"x""y"'), ("2", "open")]


def test_encodings(spark, tmp_path):
    path = str(tmp_path / "wide")
    spark.createDataFrame([(1, "é")], "a int, b string").coalesce(1).write.option("encoding", "UTF-16").csv(path)
    assert spark.read.option("encoding", "UTF-16").csv(path).first()._c1 == "é"


def test_a_table_takes_what_fits(spark):
    spark.sql("DROP TABLE IF EXISTS fits")
    two = spark.range(2).selectExpr("id", "id AS p")
    two.write.saveAsTable("fits")
    for write, condition in [
        (spark.range(2).write, "_LEGACY_ERROR_TEMP_1161"),
        (two.write.format("csv"), "_LEGACY_ERROR_TEMP_1159"),
        (two.write.partitionBy("p"), "_LEGACY_ERROR_TEMP_1163"),
    ]:
        with pytest.raises(AnalysisException) as refused:
            write.mode("append").saveAsTable("fits")
        assert refused.value.getCondition() == condition
    assert spark.table("fits").count() == 2
    spark.sql("DROP TABLE fits")


def test_headers_are_checked_on_request(spark, tmp_path):
    (tmp_path / "a.csv").write_text("id,name\n1,x\n")
    read = spark.read.option("header", True).option("enforceSchema", False)
    path = str(tmp_path / "a.csv")
    assert [tuple(r) for r in read.schema("ID int, NAME string").csv(path).collect()] == [(1, "x")]
    assert read.schema("id int, nm string").csv(path).select("id").count() == 1
    for ddl in ["id int, nm string", "id int", "id int, name string, more int"]:
        with pytest.raises(Exception) as refused:
            read.schema(ddl).csv(path).collect()
        assert refused.value.getCondition() == "FAILED_READ_FILE.NO_HINT"


def test_records_as_single_variants(spark, tmp_path):
    files = {
        "csv": ("a,b\n1,x\n2.50,y\n", {"header": "true"}, ['{"a":1,"b":"x"}', '{"a":2.5,"b":"y"}']),
        "json": ('{"a":1.50}\n[1]\nbad\n', {}, ['{"a":1.5}', "[1]", None]),
        "xml": ('<r><p q="1"><a>1</a><a>x</a></p></r>', {"rowTag": "p"}, ['{"_q":1,"a":[1,"x"]}']),
    }
    for name, (text, options, expect) in files.items():
        (tmp_path / name).write_text(text)
        reader = spark.read.format(name).options(singleVariantColumn="v", **options)
        rows = reader.load(str(tmp_path / name)).selectExpr("to_json(v)").collect()
        assert [r[0] for r in rows] == expect, name


def test_a_line_of_json_is_its_first_value(spark, tmp_path):
    (tmp_path / "a.json").write_text('{"a":1}{"a":2}\n{"a":3} x\n')
    assert [r.a for r in spark.read.schema("a int").json(str(tmp_path / "a.json")).collect()] == [1, 3]


def test_a_path_given_twice_is_read_twice(spark, tmp_path):
    path = str(tmp_path / "twice")
    spark.range(5).write.parquet(path)
    assert spark.read.parquet(path, path).count() == 10


def test_buckets_and_transforms_of_write_to(spark):
    spark.sql("DROP TABLE IF EXISTS bucketed")
    spark.range(3).writeTo("bucketed").using("parquet").partitionedBy(F.bucket(2, "id")).tableProperty("k", "v").create()
    assert spark.sql("SHOW TBLPROPERTIES bucketed").filter("key = 'k'").count() == 1
    with pytest.raises(AnalysisException) as refused:
        spark.range(3).write.mode("append").saveAsTable("bucketed")
    assert refused.value.getCondition() == "_LEGACY_ERROR_TEMP_1164"
    spark.sql("DROP TABLE bucketed")
    with pytest.raises(Exception) as refused:
        spark.range(3).writeTo("by_day").partitionedBy(F.days("id")).create()
    assert refused.value.getCondition() == "UNSUPPORTED_PARTITION_TRANSFORM"


def test_strings_of_json_are_as_written(spark, tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": [1, 2]}}\n{"a": [1,  2]}\n{"a": 1.50}\n')
    rows = spark.read.schema("a string").json(str(path)).collect()
    assert [row.a for row in rows] == ['{"b": [1, 2]}', "[1,  2]", "1.50"]


def test_schemas_are_inferred_from_a_sample(spark, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("".join(f'{{"a": {i}}}\n' for i in range(10)) + '{"b": 1}\n')
    assert spark.read.option("samplingRatio", 0.5).json(str(path)).columns == ["a"]
    assert spark.read.json(str(path)).columns == ["a", "b"]


def test_bytes_in_csv(spark, tmp_path):
    spark.sql("SELECT X'6162' AS b").write.csv(str(tmp_path / "b"))
    assert spark.read.schema("b binary").csv(str(tmp_path / "b")).collect() == [Row(b=b"[61 62]")]


@pytest.mark.parametrize(
    "columns, condition",
    [(["i", "I"], "COLUMN_ALREADY_EXISTS"), (["a"], "INVALID_PARTITION_COLUMN_DATA_TYPE")],
)
def test_what_does_not_partition(spark, tmp_path, columns, condition):
    frame = spark.sql("SELECT 1 AS i, 2 AS j, array(1) AS a")
    with pytest.raises(AnalysisException) as error:
        frame.write.partitionBy(columns).parquet(str(tmp_path / "p"))
    assert error.value.getCondition() == condition
