"""What is kept (CACHE TABLE, cacheTable, persist) shows what was written since."""

import pytest


@pytest.fixture
def table(spark):
    spark.sql("drop table if exists kept")
    spark.sql("create table kept (a int) using parquet")
    yield "kept"
    spark.sql("drop view if exists kept_view")
    spark.sql("drop table if exists kept")


def values(spark, query):
    return [row[0] for row in spark.sql(query).collect()]


@pytest.mark.parametrize("rows", ["", "values (1)"], ids=["empty", "one row"])
def test_a_kept_table_has_the_rows_written_since(spark, table, rows):
    if rows:
        spark.sql(f"insert into {table} {rows}")
    spark.sql(f"cache table {table}")
    spark.sql("create temporary view kept_view as select count(*) as n from kept")
    spark.sql("cache table kept_view")
    before = values(spark, "select count(*) from kept")[0]
    spark.sql(f"insert into {table} values (2), (3)")
    assert values(spark, "select count(*) from kept") == [before + 2]
    assert values(spark, "select n from kept_view") == [before + 2]
    assert spark.catalog.isCached(table)
    spark.range(4).selectExpr("cast(id as int) as a").write.insertInto(table)
    assert values(spark, "select count(*) from kept") == [before + 6]
    spark.sql(f"truncate table {table}")
    assert values(spark, "select count(*) from kept") == [0]
    assert values(spark, "select n from kept_view") == [0]


def test_a_table_under_a_name_that_was_kept_is_another(spark, table):
    spark.sql(f"insert into {table} values (1)")
    spark.sql(f"cache table {table}")
    spark.sql(f"alter table {table} rename to kept_elsewhere")
    spark.sql(f"create table {table} (z string) using parquet")
    assert values(spark, "select z from kept") == []
    spark.sql("insert into kept_elsewhere values (2)")
    assert sorted(values(spark, "select a from kept_elsewhere")) == [1, 2]
    spark.sql("drop table kept_elsewhere")


def test_a_persisted_frame_is_computed_anew_after_a_write(spark, table, tmp_path):
    spark.sql(f"insert into {table} values (1)")
    of_table, of_sql = spark.table(table).persist(), spark.sql("select sum(a) as s from kept").persist()
    untouched = spark.range(3).persist()
    assert (of_table.count(), of_sql.collect()[0][0], untouched.count()) == (1, 1, 3)
    spark.sql(f"insert into {table} values (5)")
    assert (of_table.count(), of_sql.collect()[0][0], untouched.count()) == (2, 6, 3)
    files = str(tmp_path / "files")
    spark.range(3).write.parquet(files)
    assert spark.read.parquet(files).persist().count() == 3
    spark.range(5).write.mode("append").parquet(files)
    assert spark.read.parquet(files).count() == 8
    for frame in (of_table, of_sql, untouched, spark.read.parquet(files)):
        frame.unpersist()


def test_a_temporary_view_shows_the_rows_that_its_tables_have_now(spark, table):
    spark.sql(f"insert into {table} values (1)")
    spark.sql("create temporary view kept_view as select count(*) as n from kept")
    spark.table(table).createOrReplaceTempView("kept_frame")
    spark.sql("create or replace temporary view kept_above as select n + 1 as n from kept_view")
    spark.sql(f"insert into {table} values (2)")
    assert values(spark, "select n from kept_view") == [2]
    assert values(spark, "select count(*) from kept_frame") == [2]
    assert values(spark, "select n from kept_above") == [3]
    spark.sql(f"cache table {table}")
    spark.sql(f"insert into {table} values (3)")
    assert values(spark, "select n from kept_above") == [4]
    for view in ("kept_frame", "kept_above"):
        spark.catalog.dropTempView(view)
