"""XML files, read and written; the expected rows and texts are Spark 4.3's."""

import pytest
from pyspark.errors import PySparkException

PEOPLE = """<?xml version="1.0"?>
<people>
<person id="1"><name>Ann</name><age>30</age></person>
<person id="2"><name>Bob &amp; Co</name><tags>x</tags><tags>y</tags></person>
<!-- <person id="9"><name>no</name></person> -->
<person/>
</people>"""


def read(spark, folder, schema=None, **options):
    reader = spark.read.options(**options)
    if schema:
        reader = reader.schema(schema)
    # `spark.read.xml` is newer than the oldest client.
    return reader.format("xml").load(str(folder))


def written(spark, folder, query, **options):
    path = folder / "out"
    spark.sql(query).coalesce(1).write.format("xml").options(rowTag="ROW", **options).save(str(path))
    return next(path.glob("part-*.xml")).read_text()


def test_rows_are_found_and_typed(spark, tmp_path):
    (tmp_path / "x.xml").write_text(PEOPLE)
    df = read(spark, tmp_path, rowTag="person")
    assert df.schema.simpleString() == "struct<_id:bigint,age:bigint,name:string,tags:array<string>>"
    rows = sorted((tuple(row) for row in df.collect()), key=str)
    assert rows == [(1, 30, "Ann", None), (2, None, "Bob & Co", ["x", "y"]), (None, None, None, None)]
    assert read(spark, tmp_path, "name string", rowTag="person").where("name = 'Ann'").count() == 1
    strings = read(spark, tmp_path, rowTag="person", inferSchema="false", attributePrefix="@")
    assert strings.schema.simpleString() == "struct<@id:string,age:string,name:string,tags:array<string>>"
    assert read(spark, tmp_path, rowTag="nothing").collect() == []


def test_what_is_not_well_formed(spark, tmp_path):
    text = "<rows><row><a>1</a></row><row><a>2</b></row><row><a>3</a></row><row><a>4"
    (tmp_path / "x.xml").write_text(text)
    rows = read(spark, tmp_path, "a int, _corrupt_record string", rowTag="row").collect()
    assert [tuple(row) for row in rows] == [(1, None), (None, text)]
    assert read(spark, tmp_path, "a int", rowTag="row", mode="DROPMALFORMED").count() == 1
    with pytest.raises(PySparkException) as caught:
        read(spark, tmp_path, "a int", rowTag="row", mode="FAILFAST").collect()
    assert caught.value.getCondition() == "FAILED_READ_FILE.NO_HINT"
    with pytest.raises(PySparkException) as caught:
        read(spark, tmp_path).collect()
    assert caught.value.getCondition() == "XML_ROW_TAG_MISSING"


def test_files_are_written(spark, tmp_path):
    query = "SELECT 1 AS _id, 'x<y' AS b, array(1, 2) AS c, named_struct('d', 1) AS s, cast(null AS int) AS n"
    assert written(spark, tmp_path, query) == (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<ROWS>\n    <ROW id="1">\n'
        "        <b>x&lt;y</b>\n        <c>1</c>\n        <c>2</c>\n        <s>\n            <d>1</d>\n        </s>\n"
        "    </ROW>\n</ROWS>"
    )
    back = read(spark, tmp_path / "out", rowTag="ROW").collect()
    assert [tuple(row) for row in back] == [(1, "x<y", [1, 2], (1,))]


def test_a_file_without_rows_is_empty(spark, tmp_path):
    assert written(spark, tmp_path, "SELECT 1 AS a WHERE false") == ""
