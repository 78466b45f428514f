import java.nio.file.Files

import org.apache.spark.sql.SparkSession

/** `Main HOST:PORT [spark]`: what a Scala program does; with `spark`, without what a server that has no JVM refuses. */
object Main {
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder().remote(s"sc://${arguments(0)}").create()
    val scratch = Files.createTempDirectory("firesteel-jvm")
    new Datasets(spark).run()
    new Sessions(spark, scratch).run()
    if (!arguments.drop(1).contains("spark")) new Refusals(spark).run()
    spark.stop()
    Check.finish()
  }
}
