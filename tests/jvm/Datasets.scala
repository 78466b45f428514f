import java.time._

import org.apache.spark.sql._
import org.apache.spark.sql.expressions.Window
import org.apache.spark.sql.functions._
import org.apache.spark.sql.types._
import scala.beans.BeanProperty
import scala.jdk.CollectionConverters._

case class Person(name: String, age: Int)
case class Dept(name: String, dept: String)
case class Inner(x: Int, y: Option[String])
case class Flat(
    b: Boolean, i8: Byte, i16: Short, i32: Int, i64: Long, f32: Float, f64: Double, s: String, dec: BigDecimal,
    bin: Array[Byte], date: LocalDate, sqlDate: java.sql.Date, instant: Instant, ts: java.sql.Timestamp,
    ntz: LocalDateTime, duration: Duration, period: Period)
case class Maybe(b: Option[Boolean], i: Option[Int], s: Option[String], d: Option[BigDecimal], in: Option[Inner])
case class Nested(
    seq: Seq[Int], seqs: Seq[Seq[String]], map: Map[String, Int], inners: Map[Int, Inner], in: Inner,
    array: Array[Double], set: Set[String], pair: (Int, String), holes: Seq[Option[Int]])

class Bean {
  @BeanProperty var name: String = _
  @BeanProperty var age: Int = _
  @BeanProperty var tags: java.util.List[String] = _
}

/** Rows as values of the program's own types, both ways. */
class Datasets(spark: SparkSession) {
  import spark.implicits._

  private val people = Seq(Person("ann", 30), Person("bob", 40), Person("cid", 50)).toDS()
  private val depts = Seq(Dept("ann", "x"), Dept("bob", "y"), Dept("dee", "z")).toDS()

  def run(): Unit = {
    encoders()
    types()
    places()
    rows()
    joins()
    columns()
    groups()
    actions()
  }

  private def encoders(): Unit = {
    val flat = Flat(
      true, 1, 2, 3, 4, 1.5f, 2.5, "é", BigDecimal("12.345"), Array[Byte](1, -1), LocalDate.of(2020, 1, 2),
      java.sql.Date.valueOf("1969-12-31"), Instant.parse("2020-01-02T03:04:05.678901Z"),
      new java.sql.Timestamp(1577934245000L), LocalDateTime.of(2020, 1, 2, 3, 4, 5, 678901000),
      Duration.ofSeconds(90061, 5000), Period.ofMonths(14))
    val same = flat.copy(dec = BigDecimal("12.345000000000000000"), period = Period.of(1, 2, 0))
    Check.equal("flat", Seq(same))(Seq(flat).toDS().collect())
    val maybes = Seq(
      Maybe(None, None, None, None, None),
      Maybe(Some(true), Some(1), Some("s"), Some(BigDecimal("3.000000000000000000")), Some(Inner(1, None))))
    Check.equal("options", maybes)(maybes.toDS().collect())
    val nested = Nested(
      Seq(1, 2), Seq(Seq("a"), Seq()), Map("a" -> 1), Map(1 -> Inner(2, Some("z"))), Inner(5, None), Array(1.5),
      Set("x", "y"), (1, "one"), Seq(Some(1), None))
    Check.equal("nested", Seq(nested))(Seq(nested).toDS().collect())
    Check.equal("no rows", Seq())(Seq.empty[Nested].toDS().collect())
    Check.equal("tuples", Seq((1, "a", 2.0)))(Seq((1, "a", 2.0)).toDF("x", "y", "z").as[(Int, String, Double)].collect())
    Check.equal("null strings", Seq("a", null))(Seq("a", null).toDS().collect())
    Check.equal("arrays", Seq(Array(1, 2)))(Seq(Array(1, 2)).toDS().collect())
    Check.equal("by name, not by place", Seq(Person("a", 2)))(Seq((2, "a")).toDF("age", "name").as[Person].collect())
    val bean = new Bean
    bean.name = "x"
    bean.age = 3
    bean.tags = java.util.List.of("a", "b")
    val beans = spark.createDataset(java.util.List.of(bean))(Encoders.bean(classOf[Bean]))
    Check.equal("beans", Seq(("x", 3, "[a, b]")))(beans.collect().map(b => (b.name, b.age, b.tags.toString)))
  }

  /** A value of each type, as the client's reader of Arrow data takes it. */
  private def types(): Unit =
    for ((sql, expected) <- Seq(
        "true" -> "true", "1Y" -> "1", "1S" -> "1", "1" -> "1", "1L" -> "1", "1.5F" -> "1.5", "2.5D" -> "2.5",
        "CAST(-1.5 AS DECIMAL(38,10))" -> "-1.5000000000", "'s'" -> "s", "CAST('c' AS CHAR(3))" -> "c",
        "X'01FF'" -> "x'01ff'", "DATE'0001-01-01'" -> "0001-01-01", "DATE'9999-12-31'" -> "9999-12-31",
        "TIMESTAMP_NTZ'2020-01-02 03:04:05.6'" -> "2020-01-02T03:04:05.600",
        "INTERVAL '1 2:3:4.5' DAY TO SECOND" -> "PT26H3M4.5S", "INTERVAL '1-2' YEAR TO MONTH" -> "P1Y2M",
        "array(1, NULL)" -> "[1, null]", "array()" -> "[]", "map('a', 1)" -> "{a: 1}", "map()" -> "{}",
        "struct(1 AS a, 'b' AS b)" -> "[1, b]", "NULL" -> "null", "'x' COLLATE UTF8_LCASE" -> "x",
        "array(struct(1, array(2)))" -> "[[1, [2]]]", "map(1, map('x', array(true)))" -> "{1: {x: [true]}}",
        "parse_json('{\"a\":[1,null]}')" -> "{\"a\":[1,null]}", "array(DATE'2020-01-01')" -> "[2020-01-01]")) {
      Check.equal(s"SELECT $sql", Seq(expected))(spark.sql(s"SELECT $sql AS v").collect().head)
      Check.equal(s"$sql or null", 2)(spark.sql(s"SELECT IF(id = 0, $sql, NULL) AS v FROM range(2)").collect().length)
    }

  private def places(): Unit = {
    val point = "0101000000000000000000F03F0000000000000040"
    val rows = spark.sql(s"SELECT IF(id = 0, st_geomfromwkb(X'$point'), NULL) AS v FROM range(2) ORDER BY id").collect()
    Check.equal("geometry", s"x'${point.toLowerCase}'")(rows.head.getAs[Geometry](0).getBytes)
    Check.equal("no geometry", true)(rows(1).isNullAt(0))
  }

  private def rows(): Unit = {
    val schema = new StructType()
      .add("a", IntegerType, false, "the comment")
      .add("b", StringType, true, new MetadataBuilder().putString("k", "v").putLong("n", 3).build())
      .add("c", ArrayType(DoubleType, false))
      .add("d", new StructType().add("x", DecimalType(10, 2)))
    val data = java.util.List.of(Row(1, "x", Seq(1.5), Row(new java.math.BigDecimal("1.50"))), Row(2, null, null, null))
    val df = spark.createDataFrame(data, schema)
    Check.equal("rows", Seq(Row(1, "x", Seq(1.5), Row("1.50")), Row(2, null, null, null)))(df.collect())
    Check.equal("their schema", schema.json)(df.schema.json)
    Check.equal("their metadata further on", "{\"k\":\"v\",\"n\":3}")(df.select($"b".as("z")).schema("z").metadata.json)
    Check.equal("printed", "root\n |-- a: integer (nullable = false)\n |-- b: string (nullable = true)\n")(
      df.select("a", "b").schema.treeString)
  }

  private def joins(): Unit = {
    val same = people("name") === depts("name")
    val both = Seq((Person("ann", 30), Dept("ann", "x")), (Person("bob", 40), Dept("bob", "y")))
    Check.equal("joinWith", both)(people.joinWith(depts, same).orderBy($"_1.age").collect())
    Check.equal("joinWith, left", both :+ (Person("cid", 50), null))(
      people.joinWith(depts, same, "left_outer").orderBy($"_1.age").collect())
    Check.equal("joinWith, full", (null, Dept("dee", "z")) +: both :+ (Person("cid", 50), null))(
      people.joinWith(depts, same, "full").orderBy($"_1.age").collect())
    Check.equal("its nullability", Seq(false, true))(
      people.joinWith(depts, same, "left_outer").schema.fields.map(_.nullable))
    Check.equal("joinWith of plain values", Seq((1, 2), (1, 3), (2, 2), (2, 3)))(
      Seq(1, 2).toDS().joinWith(Seq(2, 3).toDS(), lit(true), "cross").collect().sorted)
    Check.equal("joinWith itself", 3)(people.as("a").joinWith(people.as("b"), $"a.age" < $"b.age").count())
    Check.equal("join", Seq(Row("ann", 30, "x"), Row("bob", 40, "y")))(people.join(depts, "name").orderBy("age").collect())
    Check.equal("lateral join", Seq(Row("ann", 31), Row("bob", 41), Row("cid", 51)))(
      people.as("p").lateralJoin(spark.range(1, 2).select(($"id" + col("p.age").outer()).as("x"))).select("name", "x")
        .orderBy("x").collect())
  }

  private def columns(): Unit = {
    Check.equal("typed columns", Seq(("ann", 31), ("bob", 41), ("cid", 51)))(
      people.select($"name".as[String], ($"age" + 1).as[Int]).collect())
    Check.equal("a struct as a type", Seq(Person("ann", 30)))(
      people.limit(1).select(struct($"name", $"age").as[Person]).collect())
    Check.equal("typed literals", Row(Seq("a"), Map("a" -> 1), Row(1, "x"), Seq(), null, Seq(1, 2)))(
      people.limit(1).select(
        typedLit(Seq("a")), typedLit(Map("a" -> 1)), typedLit((1, "x")), typedLit(Seq.empty[Int]),
        typedLit(Option.empty[Int]), lit(Array(1, 2))).head())
    Check.equal("lambdas", Row(Seq(2, 3), Seq(2), 3, true))(
      people.limit(1).select(
        transform(array(lit(1), lit(2)), _ + 1), filter(array(lit(1), lit(2)), _ > 1),
        aggregate(array(lit(1), lit(2)), lit(0), _ + _), exists(array(lit(1)), _ === 1)).head())
    Check.equal("fields of structs", Row(Row("ann", 1)))(
      people.limit(1).select(struct($"name", $"age").as("s")).select($"s".withField("z", lit(1)).dropFields("age")).head())
    Check.equal("window", Seq(Row("ann", 3, 30), Row("bob", 2, 70), Row("cid", 1, 120)))(
      people.select(
        $"name", row_number().over(Window.orderBy($"age".desc)),
        sum("age").over(Window.orderBy("age").rowsBetween(Window.unboundedPreceding, 0))).orderBy("name").collect())
    Check.equal("named parameters", Row(2, "s", LocalDate.of(2020, 1, 1)))(
      spark.sql("SELECT :a + 1, :b, :c", Map("a" -> 1, "b" -> "s", "c" -> LocalDate.of(2020, 1, 1))).head())
    Check.equal("positional parameters", Row(1, "x", 2.5))(spark.sql("SELECT ?, ?, ?", Array(1, "x", 2.5)).head())
  }

  private def groups(): Unit = {
    val sales = Seq(("a", "x", 1), ("a", "y", 2), ("b", "x", 3)).toDF("k", "p", "v")
    Check.equal("groupBy", Seq(Row("a", 3, 2), Row("b", 3, 1)))(
      sales.groupBy("k").agg(sum("v"), count("*")).orderBy("k").collect())
    Check.equal("pivot", Seq(Row("a", 1, 2), Row("b", 3, null)))(sales.groupBy("k").pivot("p").sum("v").orderBy("k").collect())
    Check.equal("rollup", Seq(Row(null, 6), Row("a", 3), Row("b", 3)))(sales.rollup("k").agg(sum("v")).orderBy("k").collect())
    Check.equal("na", Seq(Row(1, "z"), Row(0, "x")))(
      Seq((Some(1), None), (None, Some("x"))).toDF("a", "b").na.fill(0).na.fill("z").collect())
    Check.equal("quantiles", Seq(1.0, 2.0, 3.0))(sales.stat.approxQuantile("v", Array(0.0, 0.5, 1.0), 0.0))
    val seen = Observation("seen")
    sales.observe(seen, count(lit(1)).as("n"), max($"v").as("most")).collect()
    Check.equal("observation", Map("n" -> 3L, "most" -> 3))(seen.get)
  }

  private def actions(): Unit = {
    Check.equal("first, take, tail", (Person("ann", 30), Seq(Person("ann", 30)), Seq(Person("cid", 50))))(
      (people.first(), people.take(1), people.tail(1)))
    Check.equal("iterator", Seq("ann", "bob", "cid"))(people.toLocalIterator().asScala.map(_.name).toSeq)
    Check.equal("collectAsList", 3)(people.collectAsList().size)
    Check.equal("a large answer", 300000L)(
      spark.range(0, 300000).select($"id", concat(lit("row "), $"id").as("t")).as[(Long, String)].collect().length)
    Check.equal("a large local relation", Row(20000100000L, 12))(
      (1 to 200000).map(i => (i, "value " + i)).toDF("a", "b").agg(sum("a"), max(length($"b"))).head())
    Check.equal("checkpoint", 3)(people.localCheckpoint().count())
    Check.equal("range", Seq(0, 3, 6, 9))(spark.range(0, 10, 3, 2).collect().toSeq)
  }
}
