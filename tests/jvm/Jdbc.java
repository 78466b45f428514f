import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** {@code Jdbc HOST:PORT}: what a program does through the JDBC driver. */
public class Jdbc {
  interface Body {
    Object run() throws Exception;
  }

  private static int checked = 0;
  private static int failed = 0;

  static void equal(String name, Object expected, Body body) {
    checked++;
    Object found;
    try {
      found = body.run();
    } catch (Exception e) {
      found = e.toString();
    }
    if (!String.valueOf(expected).equals(String.valueOf(found))) {
      failed++;
      System.out.println("FAILED " + name + "\n  expected " + expected + "\n  found    " + found);
    }
  }

  /** The SQLSTATE of a failure, and whether its message names the condition. */
  static void fails(String name, String state, String condition, Body body) {
    equal(name, state + " true", () -> {
      try {
        return body.run();
      } catch (SQLException e) {
        return e.getSQLState() + " " + e.getMessage().contains("[" + condition + "]");
      }
    });
  }

  static List<List<Object>> rows(ResultSet result, String... columns) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    while (result.next()) {
      List<Object> row = new ArrayList<>();
      for (String column : columns) row.add(result.getObject(column));
      rows.add(row);
    }
    result.close();
    return rows;
  }

  public static void main(String[] arguments) throws Exception {
    String url = "jdbc:sc://" + arguments[0];
    try (Connection connection = DriverManager.getConnection(url)) {
      Statement statement = connection.createStatement();
      statement.execute("DROP DATABASE IF EXISTS jdbc_test CASCADE");
      statement.execute("CREATE DATABASE jdbc_test");
      statement.execute("CREATE TABLE jdbc_test.t1 (a INT, b STRING COMMENT 'the b', c DECIMAL(10,2)) USING parquet");
      statement.execute("CREATE VIEW jdbc_test.v1 AS SELECT 1L AS one");
      try {
        metadata(connection.getMetaData());
        values(statement);
        types(statement);
        statements(connection, statement);
        failures(connection, statement);
        places(connection, statement);
      } finally {
        statement.execute("DROP DATABASE jdbc_test CASCADE");
      }
    }
    urls(url);
    System.out.println(checked + " checks, " + failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }

  private static void metadata(DatabaseMetaData data) {
    equal("version", "4", () -> data.getDatabaseMajorVersion());
    equal("keywords", true, () -> data.getSQLKeywords().contains("ANTI"));
    equal("catalogs", "[[spark_catalog]]", () -> rows(data.getCatalogs(), "TABLE_CAT"));
    equal("schemas", "[[jdbc_test, spark_catalog]]",
        () -> rows(data.getSchemas("spark_catalog", "jdbc%"), "TABLE_SCHEM", "TABLE_CATALOG"));
    equal("kinds of tables", "[[TABLE], [VIEW]]", () -> rows(data.getTableTypes(), "TABLE_TYPE"));
    equal("tables", "[[jdbc_test, t1, TABLE], [jdbc_test, v1, VIEW]]",
        () -> rows(data.getTables("spark_catalog", "jdbc_test", "%", null), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"));
    equal("views", "[[v1]]",
        () -> rows(data.getTables("spark_catalog", "jdbc_test", "%", new String[] {"VIEW"}), "TABLE_NAME"));
    equal("columns",
        "[[a, " + Types.INTEGER + ", 1], [b, " + Types.VARCHAR + ", 2], [c, " + Types.DECIMAL + ", 3]]",
        () -> rows(data.getColumns("spark_catalog", "jdbc_test", "t1", "%"),
            "COLUMN_NAME", "DATA_TYPE", "ORDINAL_POSITION"));
    equal("one column", "[[one]]",
        () -> rows(data.getColumns("spark_catalog", "jdbc_test", "v1", "o%"), "COLUMN_NAME"));
  }

  private static void values(Statement statement) throws SQLException {
    ResultSet row = statement.executeQuery("SELECT true AS b, 1Y AS i8, 2S AS i16, 3 AS i32, 4L AS i64, 1.5F AS f32,"
        + " 2.5D AS f64, 12.345 AS dec, 'text' AS s, X'01FF' AS bin, DATE'2020-01-02' AS d,"
        + " TIMESTAMP_NTZ'2020-01-02 03:04:05.678' AS ntz, CAST(NULL AS INT) AS n");
    equal("a row", true, row::next);
    equal("boolean", true, () -> row.getBoolean("b"));
    equal("byte, short, int, long", "1 2 3 4",
        () -> row.getByte("i8") + " " + row.getShort("i16") + " " + row.getInt("i32") + " " + row.getLong("i64"));
    equal("float, double", "1.5 2.5", () -> row.getFloat("f32") + " " + row.getDouble("f64"));
    equal("decimal", new BigDecimal("12.345"), () -> row.getBigDecimal("dec"));
    equal("string", "text", () -> row.getString("s"));
    equal("binary", "1 -1", () -> row.getBytes("bin")[0] + " " + row.getBytes("bin")[1]);
    equal("date", Date.valueOf("2020-01-02"), () -> row.getDate("d"));
    equal("timestamp", Timestamp.valueOf("2020-01-02 03:04:05.678"), () -> row.getTimestamp("ntz"));
    equal("null", "0 true", () -> row.getInt("n") + " " + row.wasNull());
    equal("no more", false, row::next);
  }

  private static void types(Statement statement) throws SQLException {
    ResultSetMetaData data = statement.executeQuery(
        "SELECT 1 AS a, CAST(NULL AS DECIMAL(12,3)) AS b, 'x' AS c, TIMESTAMP'2020-01-01 00:00:00' AS d").getMetaData();
    equal("columns", "4", data::getColumnCount);
    equal("names", "a c", () -> data.getColumnName(1) + " " + data.getColumnLabel(3));
    equal("types", List.of(Types.INTEGER, Types.DECIMAL, Types.VARCHAR, Types.TIMESTAMP),
        () -> List.of(data.getColumnType(1), data.getColumnType(2), data.getColumnType(3), data.getColumnType(4)));
    equal("decimal", "12 3", () -> data.getPrecision(2) + " " + data.getScale(2));
    equal("nullable", ResultSetMetaData.columnNoNulls + " " + ResultSetMetaData.columnNullable,
        () -> data.isNullable(1) + " " + data.isNullable(2));
  }

  private static void statements(Connection connection, Statement statement) throws SQLException {
    equal("a command", false, () -> statement.execute("INSERT INTO jdbc_test.t1 VALUES (1, 'x', 1.5), (2, NULL, NULL)"));
    equal("its rows", "[[1, x, 1.50], [2, null, null]]",
        () -> rows(statement.executeQuery("SELECT * FROM jdbc_test.t1 ORDER BY a"), "a", "b", "c"));
    equal("SHOW", "[[t1], [v1]]", () -> rows(statement.executeQuery("SHOW TABLES IN jdbc_test"), "tableName"));
    equal("maxRows", "[[0], [1], [2]]", () -> {
      try (Statement few = connection.createStatement()) {
        few.setMaxRows(3);
        return rows(few.executeQuery("SELECT id FROM range(10) ORDER BY id"), "id");
      }
    });
    equal("two at once", 110, () -> {
      ResultSet one = connection.createStatement().executeQuery("SELECT id FROM range(5)");
      ResultSet other = connection.createStatement().executeQuery("SELECT id * 10 FROM range(5)");
      long sum = 0;
      while (one.next() && other.next()) sum += one.getLong(1) + other.getLong(1);
      return sum;
    });
    equal("a large answer", "300000 44999850000", () -> {
      ResultSet rows = statement.executeQuery("SELECT id, concat('row ', id) FROM range(300000)");
      long count = 0;
      long sum = 0;
      for (; rows.next(); count++) sum += rows.getLong(1);
      return count + " " + sum;
    });
  }

  private static void failures(Connection connection, Statement statement) {
    fails("a parse error", "42601", "PARSE_SYNTAX_ERROR", () -> statement.executeQuery("SELEC 1"));
    fails("a table that is not there", "42P01", "TABLE_OR_VIEW_NOT_FOUND", () -> statement.executeQuery("SELECT * FROM nope"));
    fails("a failure on the way", "22012", "DIVIDE_BY_ZERO", () -> {
      ResultSet rows = statement.executeQuery("SELECT 1 / (id - 5) FROM range(10)");
      while (rows.next()) {}
      return "no failure";
    });
    fails("cancelled", "HY008", "OPERATION_CANCELED", () -> {
      Statement slow = connection.createStatement();
      new Thread(() -> {
        try {
          Thread.sleep(1000);
          slow.cancel();
        } catch (Exception e) {
          System.out.println(e);
        }
      }).start();
      return slow.executeQuery("SELECT count(*) FROM range(100000000000) WHERE sqrt(id) < 0").next();
    });
  }

  private static void places(Connection connection, Statement statement) {
    equal("catalog and schema", "spark_catalog default", () -> connection.getCatalog() + " " + connection.getSchema());
    equal("another schema", "jdbc_test [[2]]", () -> {
      connection.setSchema("jdbc_test");
      return connection.getSchema() + " " + rows(statement.executeQuery("SELECT count(*) AS n FROM t1"), "n");
    });
    equal("no schema", true, () -> {
      try {
        connection.setSchema("nope");
        return false;
      } catch (Exception e) {
        return e.getMessage().contains("[SCHEMA_NOT_FOUND]");
      }
    });
    equal("back", "default", () -> {
      connection.setSchema("default");
      return connection.getSchema();
    });
    equal("alive", true, () -> connection.isValid(5));
  }

  private static void urls(String url) {
    for (String options : List.of("/;user_id=bob", "/;user_agent=me", "/;x-header=1",
        "/;session_id=" + UUID.randomUUID())) {
      equal(options, "[[1]]", () -> {
        try (Connection connection = DriverManager.getConnection(url + options)) {
          return rows(connection.createStatement().executeQuery("SELECT 1 AS one"), "one");
        }
      });
    }
  }
}
