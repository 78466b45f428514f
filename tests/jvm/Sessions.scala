import java.nio.file.{Files, Path}

import org.apache.spark.SparkThrowable
import org.apache.spark.sql._
import org.apache.spark.sql.catalyst.parser.ParseException
import org.apache.spark.sql.expressions.Aggregator
import org.apache.spark.sql.functions._
import org.apache.spark.sql.types._
import scala.jdk.CollectionConverters._

/** What a session holds, how it fails, and what it refuses. */
class Sessions(spark: SparkSession, scratch: Path) {
  import spark.implicits._

  private val people = Seq(Person("ann", 30), Person("bob", 40), Person("cid", 50)).toDS()

  def run(): Unit = {
    settings()
    catalog()
    files()
    tables()
    errors()
    interrupts()
  }

  private def settings(): Unit = {
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    Check.equal("a setting", Row("America/New_York"))(spark.sql("SELECT current_timezone()").head())
    spark.conf.unset("spark.sql.session.timeZone")
    Check.equal("no setting", (None, "d"))((spark.conf.getOption("spark.nope"), spark.conf.get("spark.nope", "d")))
    Check.failure("a setting without a value", "NoSuchElementException")(_.getClass.getSimpleName)(spark.conf.get("spark.nope"))
    Check.fails("a value of another type", "INVALID_CONF_VALUE.TYPE_MISMATCH")(
      spark.conf.set("spark.sql.shuffle.partitions", "many"))
    spark.conf.set("spark.sql.shuffle.partitions", "9")
    val clone = spark.asInstanceOf[connect.SparkSession].cloneSession()
    Check.equal("a clone keeps settings", "9")(clone.conf.get("spark.sql.shuffle.partitions"))
    clone.close()
    spark.conf.unset("spark.sql.shuffle.partitions")
    spark.addArtifact(Files.write(scratch.resolve("empty.jar"), Array[Byte](80, 75, 5, 6) ++ new Array[Byte](18)).toString)
    Check.equal("a jar may be sent", 1)(spark.range(1).count())
  }

  private def catalog(): Unit = {
    people.toDF().createOrReplaceTempView("people")
    Check.equal("a view", 3)(spark.sql("SELECT count(*) FROM people").as[Long].head())
    Check.fails("a view of that name", "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS")(people.toDF().createTempView("people"))
    Check.equal("databases", true)(spark.catalog.listDatabases().collect().map(_.name).contains("default"))
    Check.equal("columns", Seq(("name", "string", true), ("age", "int", false)))(
      spark.catalog.listColumns("people").collect().map(c => (c.name, c.dataType, c.nullable)))
    Check.equal("functions", (true, false))((spark.catalog.functionExists("upper"), spark.catalog.functionExists("nope")))
    Check.equal("where we are", ("spark_catalog", "default"))((spark.catalog.currentCatalog(), spark.catalog.currentDatabase))
    Check.equal("dropped", (true, false))((spark.catalog.dropTempView("people"), spark.catalog.dropTempView("people")))
  }

  private def files(): Unit = {
    val df = people.toDF()
    val rows = df.collect().toSeq
    for (format <- Seq("parquet", "csv", "json", "xml")) {
      val path = scratch.resolve(format).toString
      val options = Map("header" -> "true", "rowTag" -> "row")
      df.write.format(format).options(options).save(path)
      Check.equal(format, rows)(
        spark.read.format(format).options(options).schema(df.schema).load(path).orderBy("age").collect())
      Check.fails(s"$format, again", "PATH_ALREADY_EXISTS")(df.write.format(format).options(options).save(path))
    }
    val parts = scratch.resolve("parts").toString
    df.write.partitionBy("name").mode("overwrite").parquet(parts)
    Check.equal("partitions", Seq(Row(40, "bob")))(spark.read.parquet(parts).where("name = 'bob'").collect())
    Check.equal("text of the program's own", Seq(Row("1", "2")))(
      spark.read.option("header", true).csv(Seq("a,b", "1,2").toDS()).collect())
    Check.fails("a format that is not there", "DATA_SOURCE_NOT_FOUND")(spark.read.format("nope").load("/").collect())
  }

  private def tables(): Unit = {
    spark.sql("DROP TABLE IF EXISTS jvm_people")
    people.toDF().write.saveAsTable("jvm_people")
    people.toDF().write.insertInto("jvm_people")
    Check.equal("saved and inserted", 6)(spark.table("jvm_people").count())
    Check.fails("saved again", "TABLE_OR_VIEW_ALREADY_EXISTS")(people.toDF().write.saveAsTable("jvm_people"))
    spark.sql("DROP TABLE jvm_people")
  }

  private def errors(): Unit = {
    Check.failure("a parse error", ("PARSE_SYNTAX_ERROR", "42601", Map("error" -> "'SELEC'", "hint" -> ""))) {
      case e: ParseException => (e.getCondition, e.getSqlState, e.getMessageParameters.asScala)
    }(spark.sql("SELEC 1"))
    Check.failure("an analysis error", ("UNRESOLVED_COLUMN.WITH_SUGGESTION", Seq("nope", 7, 10))) {
      case e: AnalysisException =>
        val place = e.getQueryContext.head
        (e.getCondition, Seq(place.fragment, place.startIndex, place.stopIndex))
    }(spark.sql("SELECT nope FROM range(1)").schema)
    Check.failure("the call that is to blame", ("div", true)) {
      case e: ArithmeticException with SparkThrowable =>
        val place = e.getQueryContext.head
        (place.fragment, place.callSite.contains("Sessions.scala"))
    }(people.select($"age" / 0).collect())
    Check.fails("a table that is not there", "TABLE_OR_VIEW_NOT_FOUND")(spark.table("nope").collect())
    Check.fails("a cast", "CAST_INVALID_INPUT")(people.select($"name".cast("int")).collect())
    Check.fails("an overflow", "ARITHMETIC_OVERFLOW")(spark.sql("SELECT 2147483647 + 1").collect())
    Check.fails("an error of the query's own", "USER_RAISED_EXCEPTION")(people.select(raise_error(lit("boo"))).collect())
    Check.fails("a union of other widths", "NUM_COLUMNS_MISMATCH")(people.toDF().union(Seq(1).toDF()).collect())
    Check.fails("an ambiguous name", "AMBIGUOUS_REFERENCE")(people.crossJoin(people).select("age").collect())
  }

  private def interrupts(): Unit = {
    def forever = spark.range(100000000000L).filter("sqrt(id) < 0").count()
    def after(stop: => Unit): Thread = {
      val thread = new Thread(() => { Thread.sleep(1000); stop })
      thread.start()
      thread
    }
    spark.addTag("slow")
    val byTag = after(spark.interruptTag("slow"))
    Check.fails("stopped by its tag", "OPERATION_CANCELED")(forever)
    byTag.join()
    spark.clearTags()
    val all = after(spark.interruptAll())
    Check.fails("stopped with all", "OPERATION_CANCELED")(forever)
    all.join()
    Check.equal("nothing to stop", 0)(spark.interruptAll().length)
  }
}

/** Code of the client's that would have to run on a JVM: the server has none, and says so. */
class Refusals(spark: SparkSession) {
  import spark.implicits._

  private val people = Seq(Person("ann", 30), Person("bob", 40)).toDS()

  private object Oldest extends Aggregator[Person, Int, Int] {
    def zero = 0
    def reduce(most: Int, one: Person): Int = most.max(one.age)
    def merge(a: Int, b: Int): Int = a.max(b)
    def finish(most: Int): Int = most
    def bufferEncoder: Encoder[Int] = Encoders.scalaInt
    def outputEncoder: Encoder[Int] = Encoders.scalaInt
  }

  def run(): Unit = {
    refused("map")(people.map(_.age).collect())
    refused("filter")(people.filter((p: Person) => p.age > 35).collect())
    refused("flatMap")(people.flatMap(p => Seq(p.name)).collect())
    refused("mapPartitions")(people.mapPartitions(rows => rows).collect())
    refused("reduce")(people.reduce((a, b) => if (a.age > b.age) a else b))
    refused("mapGroups")(people.groupByKey(_.age).mapGroups((k, _) => k).collect())
    refused("foreach")(people.foreach((_: Person) => ()))
    refused("udf")(people.select(udf((x: Int) => x + 1).apply($"age")).collect())
    refused("udf.register")(spark.udf.register("plus1", (x: Int) => x + 1))
    refused("Aggregator")(people.select(Oldest.toColumn).collect())
    refused("readStream")(spark.readStream.format("rate").load().writeStream.format("console").start())
    Check.equal("the server is up", 3)(spark.range(3).count())
  }

  private def refused(name: String)(body: => Any): Unit = {
    Check.fails(name, "UNSUPPORTED_CALL.WITHOUT_SUGGESTION")(body)
  }
}
