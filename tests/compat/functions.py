"""Functions and operators that a look into the server's list does not settle: operators, which are
grammar, and functions that are known by name and refused when called."""

PROBES = {
    "cast": "SELECT cast(1 AS STRING)",
    "grouping": "SELECT grouping(id) FROM t GROUP BY CUBE (id)",
    "grouping_id": "SELECT grouping_id() FROM t GROUP BY CUBE (id)",
    "range": "SELECT * FROM range(2)",
    "from_avro": "SELECT from_avro(X'00', '\"int\"')",
    "to_avro": "SELECT to_avro(1)",
    "schema_of_avro": "SELECT schema_of_avro('\"int\"')",
    "from_protobuf": "SELECT from_protobuf(X'00', 'A')",
    "to_protobuf": "SELECT to_protobuf(struct(1), 'A')",
}
