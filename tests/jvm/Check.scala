import org.apache.spark.SparkThrowable

/** Checks with a name: each says what it found where that is not what it should be. */
object Check {
  private var checked = 0
  private var failed = 0

  /** What the body yields, by its printed form: arrays and rows print what they hold. */
  def equal(name: String, expected: Any)(body: => Any): Unit =
    outcome(name, printed(expected))(printed(body))

  /** The body fails with this condition, and its message can be written. */
  def fails(name: String, condition: String)(body: => Any): Unit =
    outcome(name, condition) {
      try "no failure: " + printed(body)
      catch { case e: Throwable => conditionOf(e) }
    }

  /** The body fails, and of its failure this holds. */
  def failure(name: String, expected: Any)(of: Throwable => Any)(body: => Any): Unit =
    outcome(name, printed(expected)) {
      val thrown = try { body; None } catch { case e: Throwable => Some(e) }
      thrown.fold("no failure")(e => printed(of(e)))
    }

  /** Ends the program: in failure if a check failed. */
  def finish(): Unit = {
    println(s"$checked checks, $failed failed")
    System.exit(if (failed == 0) 0 else 1)
  }

  private def conditionOf(e: Throwable): String = e match {
    case e: SparkThrowable if e.getCondition != null => e.getCondition
    case e => s"${e.getClass.getName}: ${e.getMessage}"
  }

  private def outcome(name: String, expected: String)(found: => String): Unit = {
    checked += 1
    val got = try found catch { case e: Throwable => s"${e.getClass.getName}: ${e.getMessage}" }
    if (got != expected) {
      failed += 1
      println(s"FAILED $name\n  expected $expected\n  found    $got")
    }
  }

  private def printed(value: Any): String = value match {
    case bytes: Array[Byte] => bytes.map(b => f"$b%02x").mkString("x'", "", "'")
    case array: Array[_] => array.map(printed).mkString("[", ", ", "]")
    case row: org.apache.spark.sql.Row => row.toSeq.map(printed).mkString("[", ", ", "]")
    case map: scala.collection.Map[_, _] =>
      map.toSeq.map { case (k, v) => s"${printed(k)}: ${printed(v)}" }.sorted.mkString("{", ", ", "}")
    case set: scala.collection.Set[_] => set.toSeq.map(printed).sorted.mkString("{", ", ", "}")
    case many: scala.collection.Seq[_] => many.map(printed).mkString("[", ", ", "]")
    case Some(one) => printed(one)
    case one: Product if one.productArity > 0 => one.productIterator.map(printed).mkString("[", ", ", "]")
    case other => String.valueOf(other)
  }
}
