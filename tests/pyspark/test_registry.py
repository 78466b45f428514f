"""Partitions are what the catalog knows, not what folders there are."""

import pytest
from asking import answer


def names(*partitions):
    return [(name,) for name in partitions]


@pytest.fixture
def folders(spark, tmp_path):
    """Files of two partitions that another table wrote."""
    spark.sql("DROP TABLE IF EXISTS registry_writer")
    spark.sql(f"CREATE TABLE registry_writer (a INT, p INT) USING parquet PARTITIONED BY (p) LOCATION '{tmp_path}'")
    spark.sql("INSERT INTO registry_writer VALUES (1, 1), (2, 2)")
    spark.sql("DROP TABLE registry_writer")
    yield tmp_path
    spark.sql("DROP TABLE IF EXISTS registry_t")
    spark.sql("SET spark.sql.sources.partitionOverwriteMode=static")


@pytest.mark.parametrize("repair", ["MSCK REPAIR TABLE registry_t", "ALTER TABLE registry_t RECOVER PARTITIONS", None])
def test_folders_are_partitions_once_they_are_recovered(spark, folders, repair):
    spark.sql(f"CREATE TABLE registry_t (a INT, p INT) USING parquet PARTITIONED BY (p) LOCATION '{folders}'")
    assert answer(spark, "SELECT * FROM registry_t") == []
    assert answer(spark, "SHOW PARTITIONS registry_t") == []
    spark.sql("INSERT INTO registry_t VALUES (3, 3)")
    assert answer(spark, "SELECT * FROM registry_t") == [(3, 3)]
    if repair:
        spark.sql(repair)
    else:
        spark.catalog.recoverPartitions("registry_t")
    assert answer(spark, "SHOW PARTITIONS registry_t") == names("p=1", "p=2", "p=3")
    assert answer(spark, "SELECT * FROM registry_t ORDER BY a") == [(1, 1), (2, 2), (3, 3)]
    assert answer(spark, "SELECT a FROM registry_t WHERE p = 2") == [(2,)]
    # The files of an external table stay when its partition goes.
    spark.sql("ALTER TABLE registry_t DROP PARTITION (p = 1)")
    assert answer(spark, "SELECT a FROM registry_t ORDER BY a") == [(2,), (3,)]
    assert list((folders / "p=1").glob("*.parquet"))
    spark.sql("MSCK REPAIR TABLE registry_t SYNC PARTITIONS")
    assert answer(spark, "SHOW PARTITIONS registry_t") == names("p=1", "p=2", "p=3")


def test_statements_enter_and_strike_out_partitions(spark, folders):
    steps = [
        ("CREATE TABLE registry_t (a INT, p INT, q STRING) USING parquet PARTITIONED BY (p, q)", None),
        ("INSERT INTO registry_t VALUES (1, 1, 'x'), (2, 1, NULL), (3, 10, 'y')",
         names("p=1/q=__HIVE_DEFAULT_PARTITION__", "p=1/q=x", "p=10/q=y")),
        ("ALTER TABLE registry_t DROP PARTITION (p = 1)", "PARTITIONS_NOT_FOUND"),
        ("ALTER TABLE registry_t ADD PARTITION (p = 1, q = 'x')", "PARTITIONS_ALREADY_EXIST"),
        ("ALTER TABLE registry_t ADD PARTITION (p = 1, q = '')", "INVALID_PARTITION_SPEC"),
        ("ALTER TABLE registry_t DROP PARTITION (p = 1, q = NULL)", names("p=1/q=x", "p=10/q=y")),
        ("ALTER TABLE registry_t PARTITION (p = 10, q = 'y') RENAME TO PARTITION (p = 7, q = 'z')",
         names("p=1/q=x", "p=7/q=z")),
        ("TRUNCATE TABLE registry_t PARTITION (p = 1)", names("p=1/q=x", "p=7/q=z")),
        ("INSERT OVERWRITE registry_t PARTITION (p = 7, q) SELECT 4, 'w'", names("p=1/q=x", "p=7/q=w")),
        ("INSERT INTO registry_t PARTITION (p = 8, q = 'v') SELECT 5 WHERE false",
         names("p=1/q=x", "p=7/q=w", "p=8/q=v")),
        ("SET spark.sql.sources.partitionOverwriteMode=dynamic", names("p=1/q=x", "p=7/q=w", "p=8/q=v")),
        ("INSERT OVERWRITE registry_t VALUES (6, 9, 'u')", names("p=1/q=x", "p=7/q=w", "p=8/q=v", "p=9/q=u")),
        ("SET spark.sql.sources.partitionOverwriteMode=static", names("p=1/q=x", "p=7/q=w", "p=8/q=v", "p=9/q=u")),
        ("INSERT OVERWRITE registry_t VALUES (7, 9, 't')", names("p=9/q=t")),
    ]
    for statement, expect in steps:
        done = answer(spark, statement)
        if isinstance(expect, str):
            assert done == expect, statement
        elif expect is not None:
            assert answer(spark, "SHOW PARTITIONS registry_t") == expect, statement
    assert answer(spark, "SELECT * FROM registry_t") == [(7, 9, "t")]


def test_a_table_made_without_a_registry_reads_folders_until_it_is_repaired(spark, folders):
    spark.sql("SET spark.sql.hive.manageFilesourcePartitions=false")
    try:
        spark.sql(f"CREATE TABLE registry_t (a INT, p INT) USING parquet PARTITIONED BY (p) LOCATION '{folders}'")
        assert answer(spark, "SHOW PARTITIONS registry_t") == "_LEGACY_ERROR_TEMP_1250"
    finally:
        spark.sql("RESET spark.sql.hive.manageFilesourcePartitions")
    assert answer(spark, "SHOW PARTITIONS registry_t") == "_LEGACY_ERROR_TEMP_1251"
    assert answer(spark, "SELECT * FROM registry_t ORDER BY a") == [(1, 1), (2, 2)]
    spark.sql("MSCK REPAIR TABLE registry_t")
    assert answer(spark, "SHOW PARTITIONS registry_t") == names("p=1", "p=2")


def test_partitions_stay_where_they_are_when_the_table_moves(spark, folders, tmp_path_factory):
    spark.sql(f"CREATE TABLE registry_t (a INT, p INT) USING parquet PARTITIONED BY (p) LOCATION '{folders}'")
    spark.sql("MSCK REPAIR TABLE registry_t")
    spark.sql(f"ALTER TABLE registry_t SET LOCATION '{tmp_path_factory.mktemp('elsewhere')}'")
    spark.sql("INSERT INTO registry_t VALUES (5, 2), (6, 6)")
    assert answer(spark, "SELECT * FROM registry_t ORDER BY a") == [(1, 1), (2, 2), (5, 2), (6, 6)]
    assert len(list((folders / "p=2").glob("*.parquet"))) == 2


def test_strings_of_a_view_have_its_collation(spark, folders):
    spark.sql("CREATE OR REPLACE VIEW registry_v DEFAULT COLLATION UTF8_LCASE AS SELECT 'a' = 'A' AS x, 'b' AS y")
    try:
        assert answer(spark, "SELECT x, collation(y) FROM registry_v") == [(True, "SYSTEM.BUILTIN.UTF8_LCASE")]
        assert answer(spark, "SELECT y FROM registry_v WHERE y = 'B'") == [("b",)]
    finally:
        spark.sql("DROP VIEW registry_v")
