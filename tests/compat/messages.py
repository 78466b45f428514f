"""Every message of Spark Connect that asks for something, each with the calls that send it.

A table is a oneof; its keys are the oneof's fields, all of them: `page.py` compares them with the
client's own descriptors and fails when one is not listed. A probe is a label and a function of `World`;
a label of "" is the plain form. What Python cannot say is sent as a bare message.
"""

import pandas as pd
from pyspark.sql import Window as W
from pyspark.sql import functions as F
from pyspark.sql.connect.proto import base_pb2, catalog_pb2, commands_pb2, expressions_pb2, relations_pb2
from pyspark.sql.types import IntegerType, StructType

# A field that is no request of its own, with the reason.
BY_ITSELF = {
    "relation.unknown": "a placeholder that no client sends",
    "relation.extension": "messages of plugins, which this server does not load",
    "expression.extension": "messages of plugins, which this server does not load",
    "command.extension": "messages of plugins, which this server does not load",
}


def _relation(**field):
    """Asks for a bare relation message to be executed."""
    def probe(w):
        plan = base_pb2.Plan(root=relations_pb2.Relation(**field))
        return w.execute(plan)
    return probe


def _command(**field):
    def probe(w):
        return w.execute(base_pb2.Plan(command=commands_pb2.Command(**field)))
    return probe


def _expression(**field):
    def probe(w):
        one = relations_pb2.Relation(range=relations_pb2.Range(end=1, step=1))
        project = relations_pb2.Project(input=one, expressions=[expressions_pb2.Expression(**field)])
        return w.execute(base_pb2.Plan(root=relations_pb2.Relation(project=project)))
    return probe


def _pandas_udf():
    def plus_one(x: pd.Series) -> pd.Series:
        return x + 1
    return F.pandas_udf(plus_one, "long")


def _udtf(w):
    class Two:
        def eval(self, n: int):
            yield n, n + 1
    return F.udtf(Two, returnType="a int, b int")


def _frames(batches):
    yield from batches


def _data_source():
    from pyspark.sql.datasource import DataSource, DataSourceReader

    class Ones(DataSource):
        @classmethod
        def name(cls):
            return "ones"

        def schema(self):
            return "a int"

        def reader(self, schema):
            class Reader(DataSourceReader):
                def read(self, partition):
                    yield (1,)
            return Reader()
    return Ones


def _pair(w, ask):
    return ask(w.df, w.other)


def _cached(w):
    local = relations_pb2.LocalRelation(schema="a int")
    key = w.spark.client.cache_artifact(local.SerializeToString())
    return w.execute_relation(cached_local_relation=relations_pb2.CachedLocalRelation(hash=key))


def _large(w):
    """A local relation above the size from which clients send it ahead."""
    w.spark.conf.set("spark.sql.session.localRelationCacheThreshold", "1000")
    return w.spark.createDataFrame(pd.DataFrame({"a": range(10000)})).count()


RELATION = {
    "read": [("table", lambda w: w.spark.read.table("t").collect()),
             ("parquet", lambda w: w.file("parquet").collect()), ("csv", lambda w: w.file("csv").collect()),
             ("json", lambda w: w.file("json").collect()), ("text", lambda w: w.text().collect()),
             ("orc", lambda w: w.file("orc").collect()), ("xml", lambda w: w.file("xml", rowTag="r").collect()),
             ("binaryFile", lambda w: w.spark.read.format("binaryFile").load(w.file_path).collect()),
             ("jdbc", lambda w: w.spark.read.jdbc("jdbc:derby:memory:x;create=true", "sysibm.sysdummy1").collect()),
             ("stream", lambda w: w.spark.readStream.format("rate").load().schema)],
    "project": [("", lambda w: w.df.select("id").collect())],
    "filter": [("", lambda w: w.df.filter("id > 1").collect())],
    "join": [(how, lambda w, how=how: w.df.join(w.other, "id", how).collect())
             for how in ("inner", "left", "right", "full", "left_semi", "left_anti")]
            + [("cross", lambda w: w.df.crossJoin(w.other).collect()),
               ("by expression", lambda w: _pair(w, lambda a, b: a.join(b, a.id < b.id).collect()))],
    "set_op": [("union", lambda w: w.df.union(w.df).collect()),
               ("unionByName", lambda w: w.df.unionByName(w.other, allowMissingColumns=True).collect()),
               ("intersectAll", lambda w: w.df.intersectAll(w.df).collect()),
               ("exceptAll", lambda w: w.df.exceptAll(w.df).collect())],
    "sort": [("", lambda w: w.df.sort(F.desc("id")).collect()),
             ("sortWithinPartitions", lambda w: w.df.sortWithinPartitions("id").collect())],
    "limit": [("", lambda w: w.df.limit(1).collect())],
    "aggregate": [("groupBy", lambda w: w.df.groupBy("name").agg(F.sum("id")).collect()),
                  ("rollup", lambda w: w.df.rollup("name").count().collect()),
                  ("cube", lambda w: w.df.cube("name").count().collect()),
                  ("groupingSets", lambda w: w.df.groupingSets([["id"], ["name"]], "id", "name").count().collect()),
                  ("pivot", lambda w: w.df.groupBy("id").pivot("name", ["a"]).count().collect()),
                  ("pivot without values", lambda w: w.df.groupBy("id").pivot("name").count().collect())],
    "sql": [("", lambda w: w.spark.sql("SELECT 1").collect()),
            ("named arguments", lambda w: w.spark.sql("SELECT :a", args={"a": 1}).collect()),
            ("positional arguments", lambda w: w.spark.sql("SELECT ?", args=[1]).collect())],
    "local_relation": [("", lambda w: w.spark.createDataFrame([(1, "a")], "id int, s string").collect())],
    "sample": [("", lambda w: w.df.sample(0.5, seed=1).collect()),
               ("with replacement", lambda w: w.df.sample(True, 2.0, seed=1).collect()),
               ("randomSplit", lambda w: [d.collect() for d in w.df.randomSplit([1.0, 1.0], seed=1)])],
    "offset": [("", lambda w: w.df.offset(1).collect())],
    "deduplicate": [("", lambda w: w.df.dropDuplicates(["id"]).collect()),
                    ("within watermark, streams only", None)],
    "range": [("", lambda w: w.spark.range(0, 9, 2, 3).collect())],
    "subquery_alias": [("", lambda w: w.df.alias("x").select("x.id").collect())],
    "repartition": [("repartition", lambda w: w.df.repartition(2).collect()),
                    ("coalesce", lambda w: w.df.coalesce(1).collect())],
    "to_df": [("", lambda w: w.df.toDF("a", "b").collect())],
    "with_columns_renamed": [("", lambda w: w.df.withColumnsRenamed({"id": "x"}).collect())],
    "show_string": [("", lambda w: w.df._show_string(20, 20, False)),
                    ("vertical", lambda w: w.df._show_string(20, True, True))],
    "drop": [("", lambda w: w.df.drop("id").collect())],
    "tail": [("", lambda w: w.df.tail(1))],
    "with_columns": [("", lambda w: w.df.withColumn("x", F.col("id") + 1).collect()),
                     ("metadata", lambda w: w.df.withMetadata("id", {"k": 1}).schema)],
    "hint": [("broadcast", lambda w: w.df.join(w.other.hint("broadcast"), "id").collect()),
             ("merge", lambda w: w.df.join(w.other.hint("merge"), "id").collect()),
             ("repartition", lambda w: w.df.hint("repartition", 3).collect())],
    "unpivot": [("", lambda w: w.other.unpivot(["id"], ["x"], "k", "v").collect())],
    "to_schema": [("", lambda w: w.df.to(w.df.schema).collect())],
    "repartition_by_expression": [("hash", lambda w: w.df.repartition(2, "id").collect()),
                                  ("range", lambda w: w.df.repartitionByRange(2, "id").collect()),
                                  ("by id", lambda w: w.df.repartitionById(2, "id").collect())],
    "map_partitions": [("mapInPandas", lambda w: w.df.mapInPandas(_frames, w.df.schema).collect()),
                       ("mapInArrow", lambda w: w.df.mapInArrow(_frames, w.df.schema).collect())],
    "collect_metrics": [("", lambda w: w.df.observe("o", F.count(F.lit(1)).alias("n")).collect())],
    "parse": [("csv", lambda w: w.spark.read.csv(w.lines("1,a"), "id int, s string").collect()),
              ("json", lambda w: w.spark.read.json(w.lines('{"a": 1}'), "a int").collect()),
              ("csv, inferred schema", lambda w: w.spark.read.csv(w.lines("1,a")).collect()),
              ("json, inferred schema", lambda w: w.spark.read.json(w.lines('{"a": 1}')).collect()),
              ("xml", lambda w: w.spark.read.option("rowTag", "r").xml(w.lines("<r><a>1</a></r>"), "a int").collect())],
    "group_map": [("applyInPandas", lambda w: w.df.groupBy("id").applyInPandas(lambda d: d, w.df.schema).collect()),
                  ("applyInArrow", lambda w: w.df.groupBy("id").applyInArrow(lambda d: d, w.df.schema).collect())],
    "co_group_map": [("", lambda w: w.df.groupBy("id").cogroup(w.other.groupBy("id"))
                      .applyInPandas(lambda a, b: a, w.df.schema).collect())],
    "with_watermark": [("", lambda w: w.times.withWatermark("ts", "1 minute").collect())],
    "apply_in_pandas_with_state": [("", _relation(apply_in_pandas_with_state=relations_pb2.ApplyInPandasWithState()))],
    "html_string": [("", lambda w: w.execute_relation(html_string=relations_pb2.HtmlString(
        input=w.relation(w.df), num_rows=20, truncate=20)))],
    "cached_local_relation": [("", _cached)],
    "cached_remote_relation": [("", lambda w: w.df.localCheckpoint().collect())],
    "common_inline_user_defined_table_function": [("", lambda w: _udtf(w)(F.lit(1)).collect())],
    "as_of_join": [("", lambda w: w.df._joinAsOf(w.other, "id", "id").collect())],
    "common_inline_user_defined_data_source": [("", _relation(
        common_inline_user_defined_data_source=relations_pb2.CommonInlineUserDefinedDataSource(name="ones")))],
    "with_relations": [("", lambda w: w.df.filter(F.col("id") > w.other.select(F.min("id")).scalar()).collect()),
                       ("DataFrames in SQL", lambda w: w.spark.sql("SELECT * FROM {d}", d=w.df).collect())],
    "transpose": [("", lambda w: w.numbers.transpose("k").collect())],
    "unresolved_table_valued_function": [("", lambda w: w.spark.tvf.explode(F.array(F.lit(1))).collect())],
    "lateral_join": [("", lambda w: w.df.lateralJoin(w.other.where(F.col("x") == F.col("id").outer())).collect())],
    "chunked_cached_local_relation": [("", _large)],
    "relation_changes": [("", _relation(relation_changes=relations_pb2.RelationChanges(unparsed_identifier="t")))],
    "nearest_by_join": [("", lambda w: _pair(w, lambda a, b: a.nearestByJoin(
        b, F.abs(a.id - b.id), 1, mode="approx", direction="distance").collect()))],
    "zip": [("", lambda w: _pair(w, lambda a, b: a.select("id").zip(a.select("name")).collect()))],
    "fill_na": [("", lambda w: w.df.na.fill(0).collect())],
    "drop_na": [("", lambda w: w.df.na.drop().collect())],
    "replace": [("", lambda w: w.df.na.replace("a", "z", "name").collect())],
    "summary": [("", lambda w: w.df.summary("count", "min", "50%").collect())],
    "crosstab": [("", lambda w: w.df.crosstab("id", "name").collect())],
    "describe": [("", lambda w: w.df.describe("id").collect())],
    "cov": [("", lambda w: w.other.cov("id", "x"))],
    "corr": [("", lambda w: w.other.corr("id", "x"))],
    "approx_quantile": [("", lambda w: w.df.approxQuantile("id", [0.5], 0.0))],
    "freq_items": [("", lambda w: w.df.freqItems(["id"]).collect())],
    "sample_by": [("", lambda w: w.df.sampleBy("id", {1: 1.0}, 1).collect())],
    "catalog": [("", lambda w: w.spark.catalog.currentDatabase())],
    "ml_relation": [("", _relation(ml_relation=relations_pb2.Relation().ml_relation))],
}

EXPRESSION = {
    "literal": [("", lambda w: w.df.select(F.lit(1), F.lit("a"), F.lit(None), F.lit([1, 2])).collect())],
    "unresolved_attribute": [("", lambda w: _pair(w, lambda a, b: a.select(a.id, F.col("t.id")).collect())),
                             ("hidden metadata columns",
                              lambda w: w.spark.read.parquet(w.write("parquet")).select("_metadata.file_name").collect())],
    "unresolved_function": [("", lambda w: w.df.select(F.upper("name")).collect())],
    "expression_string": [("", lambda w: w.df.selectExpr("id + 1 AS x").collect())],
    "unresolved_star": [("", lambda w: w.df.select("*", "t.*").collect())],
    "alias": [("", lambda w: w.df.select(F.col("id").alias("x", metadata={"k": 1})).collect()),
              ("several names", lambda w: w.df.select(F.posexplode(F.array("id")).alias("p", "c")).collect())],
    "cast": [("", lambda w: w.df.select(F.col("id").cast("string"), F.col("name").try_cast("int")).collect())],
    "unresolved_regex": [("", lambda w: w.df.select(w.df.colRegex("`i.*`")).collect())],
    "sort_order": [("", lambda w: w.df.sort(F.col("name").desc_nulls_last()).collect())],
    "lambda_function": [("", lambda w: w.df.select(F.transform(F.array("id"), lambda x: x + 1)).collect())],
    "window": [("", lambda w: w.df.select(F.row_number().over(W.partitionBy("name").orderBy("id"))).collect()),
               ("RANGE frames", lambda w: w.df.select(F.sum("id").over(W.orderBy("id").rangeBetween(-1, 1))).collect())],
    "unresolved_extract_value": [("", lambda w: w.df.select(F.struct("id")["id"], F.array("id")[0]).collect())],
    "update_fields": [("withField", lambda w: w.df.select(F.struct("id").withField("x", F.lit(1))).collect()),
                      ("dropFields", lambda w: w.df.select(F.struct("id", "name").dropFields("id")).collect())],
    "unresolved_named_lambda_variable": [("", lambda w: w.df.select(F.filter(F.array("id"), lambda x: x > 1)).collect())],
    "common_inline_user_defined_function": [
        ("udf", lambda w: w.df.select(F.udf(lambda x: x, "int")("id")).collect()),
        ("pandas_udf", lambda w: w.df.select(_pandas_udf()("id")).collect())],
    "call_function": [("", lambda w: w.df.select(F.call_function("upper", "name")).collect())],
    "named_argument_expression": [("", lambda w: w.spark.sql("SELECT mask('A', upperChar => 'x')").collect())],
    "merge_action": [("inside a merge", lambda w: w.other.mergeInto("t", F.expr("t.id = x")).whenMatched().delete()
                      .merge())],
    "typed_aggregate_expression": [("", _expression(typed_aggregate_expression={}))],
    "subquery_expression": [("scalar", lambda w: w.df.select(w.other.select(F.max("id")).scalar()).collect()),
                            ("exists", lambda w: w.df.where(w.other.where(F.col("id") > 0).exists()).collect()),
                            ("IN", lambda w: w.df.where(F.col("id").isin(w.other.select("id"))).collect())],
    "direct_shuffle_partition_id": [("", lambda w: w.df.repartitionById(2, "id").collect())],
}

COMMAND = {
    "register_function": [("", lambda w: (w.spark.udf.register("pf", lambda x: x, "int"),
                                          w.spark.sql("SELECT pf(1)").collect()))],
    "write_operation": [
        (form, lambda w, form=form: w.df.write.format(form).save(w.fresh())) for form in ("parquet", "csv", "json", "orc")
    ] + [("text", lambda w: w.df.select("name").write.text(w.fresh())),
         ("xml", lambda w: w.df.write.option("rowTag", "r").xml(w.fresh())),
         ("noop", lambda w: w.df.write.format("noop").mode("overwrite").save()),
         ("partitionBy", lambda w: w.df.write.partitionBy("name").parquet(w.fresh())),
         ("saveAsTable", lambda w: w.df.write.saveAsTable("n1")),
         ("insertInto", lambda w: w.df.write.insertInto("t")),
         ("bucketBy", lambda w: w.df.write.bucketBy(2, "id").sortBy("id").saveAsTable("n2")),
         ("clusterBy", lambda w: w.df.write.clusterBy("id").saveAsTable("n3"))],
    "create_dataframe_view": [("", lambda w: w.df.createOrReplaceTempView("cv")),
                              ("global", lambda w: w.df.createOrReplaceGlobalTempView("gcv"))],
    "write_operation_v2": [("create", lambda w: w.df.writeTo("n4").using("parquet").create()),
                           ("append", lambda w: w.df.writeTo("t").append()),
                           ("overwrite", lambda w: w.df.writeTo("t").overwrite(F.lit(True)))],
    "sql_command": [("", lambda w: w.spark.sql("SHOW TABLES").collect())],
    "write_stream_operation_start": [("", lambda w: w.spark.readStream.format("rate").load().writeStream
                                      .format("noop").trigger(once=True).start().stop())],
    "streaming_query_command": [("", _command(streaming_query_command=commands_pb2.StreamingQueryCommand(
        status=True, query_id={"id": "0", "run_id": "0"})))],
    "get_resources_command": [("", lambda w: w.spark.client._resources())],
    "streaming_query_manager_command": [("", lambda w: w.spark.streams.active)],
    "register_table_function": [("", lambda w: w.spark.udtf.register("two", _udtf(w)))],
    "streaming_query_listener_bus_command": [("", _command(
        streaming_query_listener_bus_command=commands_pb2.StreamingQueryListenerBusCommand(remove_listener_bus_listener=True)))],
    "register_data_source": [("", lambda w: w.spark.dataSource.register(_data_source()))],
    "create_resource_profile_command": [("", _command(create_resource_profile_command={"profile": {}}))],
    "checkpoint_command": [("localCheckpoint", lambda w: w.df.localCheckpoint()),
                           ("not eager", lambda w: w.df.localCheckpoint(eager=False))],
    "remove_cached_remote_relation_command": [("", _command(
        remove_cached_remote_relation_command={"relation": {"relation_id": "none"}}))],
    "merge_into_table_command": [("", lambda w: w.other.mergeInto("t", F.expr("t.id = x")).whenMatched().delete().merge())],
    "ml_command": [("", _command(ml_command={"delete": {}}))],
    "execute_external_command": [("", _command(execute_external_command={"runner": "x", "command": "y"}))],
    "pipeline_command": [("", _command(pipeline_command={"create_dataflow_graph": {}}))],
}

CATALOG = {
    "current_database": [("", lambda w: w.spark.catalog.currentDatabase())],
    "set_current_database": [("", lambda w: w.spark.catalog.setCurrentDatabase(w.db))],
    "list_databases": [("", lambda w: w.spark.catalog.listDatabases())],
    "list_tables": [("", lambda w: w.spark.catalog.listTables())],
    "list_functions": [("", lambda w: w.spark.catalog.listFunctions())],
    "list_columns": [("", lambda w: w.spark.catalog.listColumns("t"))],
    "get_database": [("", lambda w: w.spark.catalog.getDatabase(w.db))],
    "get_table": [("", lambda w: w.spark.catalog.getTable("t"))],
    "get_function": [("", lambda w: w.spark.catalog.getFunction("upper"))],
    "database_exists": [("", lambda w: w.spark.catalog.databaseExists(w.db))],
    "table_exists": [("", lambda w: w.spark.catalog.tableExists("t"))],
    "function_exists": [("", lambda w: w.spark.catalog.functionExists("upper"))],
    "create_external_table": [("", lambda w: w.spark.catalog.createExternalTable("e1", w.write("parquet"), "parquet"))],
    "create_table": [("", lambda w: w.spark.catalog.createTable(
        "e2", source="parquet", schema=StructType().add("a", IntegerType())))],
    "drop_temp_view": [("", lambda w: w.spark.catalog.dropTempView("none"))],
    "drop_global_temp_view": [("", lambda w: w.spark.catalog.dropGlobalTempView("none"))],
    "recover_partitions": [("", lambda w: w.spark.catalog.recoverPartitions("p"))],
    "is_cached": [("", lambda w: w.spark.catalog.isCached("t"))],
    "cache_table": [("", lambda w: w.spark.catalog.cacheTable("t"))],
    "uncache_table": [("", lambda w: (w.spark.catalog.cacheTable("t"), w.spark.catalog.uncacheTable("t")))],
    "clear_cache": [("", lambda w: w.spark.catalog.clearCache())],
    "refresh_table": [("", lambda w: w.spark.catalog.refreshTable("t"))],
    "refresh_by_path": [("", lambda w: w.spark.catalog.refreshByPath(w.dir))],
    "current_catalog": [("", lambda w: w.spark.catalog.currentCatalog())],
    "set_current_catalog": [("", lambda w: w.spark.catalog.setCurrentCatalog("spark_catalog"))],
    "list_catalogs": [("", lambda w: w.spark.catalog.listCatalogs())],
    "drop_table": [("", lambda w: w.spark.catalog.dropTable("t"))],
    "drop_view": [("", lambda w: w.spark.catalog.dropView("none", ifExists=True))],
    "create_database": [("", lambda w: w.spark.catalog.createDatabase(w.db + "_c"))],
    "drop_database": [("", lambda w: (w.spark.catalog.createDatabase(w.db + "_d"),
                                      w.spark.catalog.dropDatabase(w.db + "_d")))],
    "list_partitions": [("", lambda w: w.spark.catalog.listPartitions("p"))],
    "list_views": [("", lambda w: w.spark.catalog.listViews())],
    "get_table_properties": [("", lambda w: w.spark.catalog.getTableProperties("t"))],
    "get_create_table_string": [("", lambda w: w.spark.catalog.getCreateTableString("t"))],
    "truncate_table": [("", lambda w: w.spark.catalog.truncateTable("t"))],
    "analyze_table": [("", lambda w: w.spark.catalog.analyzeTable("t"))],
}

ANALYZE = {
    "schema": [("", lambda w: w.df.schema)],
    "explain": [(mode, lambda w, mode=mode: w.df._explain_string(mode=mode))
                for mode in ("simple", "extended", "codegen", "cost", "formatted")],
    "tree_string": [("", lambda w: w.spark.client._analyze("tree_string", plan=w.plan(w.df)))],
    "is_local": [("", lambda w: w.df.isLocal())],
    "is_streaming": [("", lambda w: w.df.isStreaming)],
    "input_files": [("", lambda w: w.spark.read.parquet(w.write("parquet")).inputFiles())],
    "spark_version": [("", lambda w: w.spark.version)],
    "ddl_parse": [("", lambda w: w.spark.client._analyze("ddl_parse", ddl_string="a int"))],
    "same_semantics": [("", lambda w: w.df.sameSemantics(w.df))],
    "semantic_hash": [("", lambda w: w.df.semanticHash())],
    "persist": [("", lambda w: w.df.persist())],
    "unpersist": [("", lambda w: w.df.unpersist())],
    "get_storage_level": [("", lambda w: w.df.storageLevel)],
    "json_to_ddl": [("", lambda w: w.spark.client._analyze("json_to_ddl", json_string=w.df.schema.json()))],
}

CONFIG = {
    "set": [("", lambda w: w.spark.conf.set("spark.sql.shuffle.partitions", "5"))],
    "get": [("", lambda w: w.spark.conf.get("spark.sql.shuffle.partitions"))],
    "get_with_default": [("", lambda w: w.spark.conf.get("none", "x"))],
    "get_option": [("", lambda w: w.config(get_option={"keys": ["none"]}))],
    "get_all": [("", lambda w: w.spark.conf.getAll)],
    "unset": [("", lambda w: w.spark.conf.unset("spark.sql.shuffle.partitions"))],
    "is_modifiable": [("", lambda w: w.spark.conf.isModifiable("spark.sql.shuffle.partitions"))],
}

SECTIONS = [
    ("Relations", "relation", relations_pb2.Relation, "rel_type", RELATION),
    ("Expressions", "expression", expressions_pb2.Expression, "expr_type", EXPRESSION),
    ("Commands", "command", commands_pb2.Command, "command_type", COMMAND),
    ("Catalog calls", "catalog", catalog_pb2.Catalog, "cat_type", CATALOG),
    ("Analysis requests", "analyze", base_pb2.AnalyzePlanRequest, "analyze", ANALYZE),
    ("Config requests", "config", base_pb2.ConfigRequest.Operation, "op_type", CONFIG),
]
