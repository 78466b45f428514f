"""COMPAT.md, made by asking a running server for everything there is to ask for.

    page.py --remote HOST:PORT            prints the page
    page.py --remote HOST:PORT --write    writes it
    page.py --remote HOST:PORT --check    fails if it would change
    page.py --remote HOST:PORT --promises fails if it says of anything that more of it works than does
    page.py --remote HOST:PORT --failures prints each probe that fails, with its error
    page.py --remote HOST:PORT --record   asks Spark's own server, and keeps what it refuses in spark.tsv

No state is written by hand: it is what the server answered, beside what Spark answered to the same
probes. `cargo xtask compat` runs this.
"""

import argparse
import collections
import logging
import pathlib
import re
import shutil
import sys
import tempfile
import uuid
import warnings

import functions
import messages
import statements
from pyspark import cloudpickle
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql.connect.proto import base_pb2, relations_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "COMPAT.md"
REFUSALS = pathlib.Path(__file__).with_name("spark.tsv")

HEAD = """# What is supported

Written by `cargo xtask compat`, which asks a server for each thing on this page and notes its answer;
`cargo xtask test` fails when the page is out of date. The measure is Apache Spark 4.3.

- **yes**: every probe of the row got an answer. Whether the answer is right is what the tests and
  `cargo xtask conformance` are about.
- **except …**: these forms are refused, with this condition; the others are answered.
- **no**: refused with this condition.
- **as Spark**: refused, and Spark 4.3 refuses it with the same condition. Where Spark names another
  condition, that one is added.
"""


class World:
    """What a probe may use: a session, a database with a few tables, a folder."""

    def __init__(self, spark, folder, name):
        self.spark, self.dir, self.db = spark, str(folder), name
        folder.mkdir(parents=True)
        self.file_path = str(folder / "one.bin")
        pathlib.Path(self.file_path).write_bytes(b"1")
        self._files = 0
        self.sql(f"CREATE DATABASE {name}")
        self.sql(f"USE {name}")
        self.sql("CREATE TABLE t USING parquet AS SELECT * FROM VALUES (1, 'a'), (2, 'b') AS t(id, name)")
        self.sql("CREATE TABLE p (id INT, day STRING) USING parquet PARTITIONED BY (day)")
        self.sql("INSERT INTO p VALUES (1, '1'), (2, '2')")
        self.sql("CREATE OR REPLACE TEMPORARY VIEW v AS SELECT * FROM VALUES (1, 2), (2, 3) AS v(id, x)")

    def close(self):
        self.sql("USE default")
        self.spark.catalog.dropTempView("w")
        for (name,) in self.sql(f"SHOW DATABASES LIKE '{self.db}*'"):
            if name == self.db or name.startswith(self.db + "_"):
                self.sql(f"DROP DATABASE {name} CASCADE")

    def sql(self, text):
        return self.spark.sql(text).collect()

    @property
    def df(self):
        return self.spark.read.table("t")

    @property
    def other(self):
        return self.spark.read.table("v")

    @property
    def times(self):
        return self.spark.sql("SELECT timestamp'2024-01-01 00:00:00' AS ts, 1 AS n")

    @property
    def numbers(self):
        return self.spark.sql("SELECT 'a' AS k, 1 AS x, 2 AS y")

    def fresh(self):
        self._files += 1
        return f"{self.dir}/out{self._files}"

    def write(self, form, **options):
        path = self.fresh()
        self.spark.sql("SELECT 1 AS a").write.format(form).options(**options).save(path)
        return path

    def file(self, form, **options):
        return self.spark.read.format(form).options(**options).load(self.write(form, **options))

    def text(self):
        path = self.fresh()
        self.spark.sql("SELECT 'x' AS value").write.text(path)
        return self.spark.read.text(path)

    def lines(self, text):
        return self.spark.createDataFrame([(text,)], "value string")

    def relation(self, df):
        return df._plan.plan(self.spark.client)

    def plan(self, df):
        return df._plan.to_proto(self.spark.client)

    def execute_relation(self, **field):
        return self.execute(base_pb2.Plan(root=relations_pb2.Relation(**field)))

    def execute(self, plan):
        client = self.spark.client
        request = client._execute_plan_request_with_metadata()
        request.plan.CopyFrom(plan)
        return list(client._execute_and_fetch_as_iterator(request, {}))

    def config(self, **operation):
        return self.spark.client.config(base_pb2.ConfigRequest.Operation(**operation))


def condition_of(error):
    """What a client can branch on; errors of other kinds are told apart by their class."""
    if isinstance(error, PySparkException):
        return error.getCondition() or type(error).__name__
    found = re.search(r"\[([A-Z][A-Z0-9_.]+)\]", str(error))
    return found.group(1) if found else type(error).__name__


class Prober:
    """Runs probes; every section has its world, or every probe its own if it changes things."""

    def __init__(self, spark, folder, verbose):
        self.spark, self.folder, self.verbose = spark, folder, verbose
        self.count = 0
        # A run that broke off may have left its databases behind.
        self.run = uuid.uuid4().hex[:8]
        self.world = None
        self.refusals = {}
        self.spark_refusals = read_refusals()

    def new_world(self):
        if self.world is not None:
            self.world.close()
        self.count += 1
        self.world = World(self.spark, self.folder / f"w{self.count}", f"compat_{self.run}_{self.count}")
        return self.world

    def close(self):
        if self.world is not None:
            self.world.close()

    def outcome(self, name, label, probe):
        """`None` for an answer, else the condition of the refusal."""
        try:
            probe(self.world)
            return None
        except Exception as error:  # noqa: BLE001 whatever it is, it is the outcome
            if self.verbose:
                print(f"{name} [{label}]: {condition_of(error)}: {str(error)[:300]}", file=sys.stderr)
            return condition_of(error)

    def state(self, name, probes, alone):
        refused = collections.OrderedDict()
        asked = 0
        for label, probe in probes:
            if probe is None:
                continue
            if alone:
                self.new_world()
            asked += 1
            condition = self.outcome(name, label, probe)
            spark = self.spark_refusals.get((name, label))
            if condition is not None:
                self.refusals[name, label] = condition
                refused.setdefault(explain(condition, spark), []).append(label)
            elif spark is not None:
                refused.setdefault(f"answered; Spark: `{spark}`", []).append(label)
        return show_state(asked, refused)


def explain(condition, spark):
    if spark is None:
        return f"`{condition}`"
    return f"as Spark: `{condition}`" if spark == condition else f"`{condition}`; Spark: `{spark}`"


def show_state(asked, refused):
    if not refused:
        return "yes"
    if sum(len(labels) for labels in refused.values()) == asked and len(refused) == 1:
        (why,) = refused
        return why if why.startswith("answered") else f"no, {why}" if why.startswith("as") else f"no: {why}"
    return "except " + "; ".join(f"{', '.join(label or 'the plain form' for label in labels)} ({why})"
                                 for why, labels in refused.items())


def read_refusals():
    """What Spark 4.3 refuses, by row and label."""
    if not REFUSALS.exists():
        return {}
    rows = [line.split("\t") for line in REFUSALS.read_text().splitlines()[1:]]
    return {(name, label): condition for name, label, condition in rows}


def write_refusals(refusals):
    # What is refused for the poorness of a bare message says nothing of the thing itself.
    by_form = ("CONNECT_", "PythonException", "IllegalArgumentException")
    rows = sorted((name, label, condition) for (name, label), condition in refusals.items()
                  if not condition.startswith(by_form))
    REFUSALS.write_text("\n".join(["row\tlabel\tcondition", *("\t".join(row) for row in rows)]) + "\n")


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]


def statement_probe(texts):
    texts = [texts] if isinstance(texts, str) else texts

    def probe(w):
        for text in texts:
            w.sql(text.format(dir=w.dir, db=w.db, file=w.file_path))
    return probe


def statement_sections(prober):
    for title, rows in statements.SECTIONS:
        prober.new_world()
        alone = rows is statements.STATEMENTS
        states = []
        for name, probes in rows:
            probes = [(label, statement_probe(texts)) for label, texts in probes]
            states.append((name, prober.state(name, probes, alone)))
        yield f"SQL: {title.lower()}", table(("what", "state"), states)


def fields_of(message, oneof):
    return [f.name for f in message.DESCRIPTOR.oneofs_by_name[oneof].fields]


def check_complete():
    """Every field of every oneof is listed, and nothing else."""
    wrong = []
    for title, prefix, message, oneof, probes in messages.SECTIONS:
        fields = set(fields_of(message, oneof))
        listed = set(probes) | {k.split(".")[1] for k in messages.BY_ITSELF if k.startswith(prefix + ".")}
        wrong += [f"{title}: {name} is not listed" for name in sorted(fields - listed)]
        wrong += [f"{title}: there is no {name}" for name in sorted(listed - fields)]
    return wrong


def message_sections(prober):
    for title, prefix, _, _, rows in messages.SECTIONS:
        prober.new_world()
        alone = rows in (messages.COMMAND, messages.CATALOG)
        states = [(f"`{name}`", prober.state(name, probes, alone)) for name, probes in rows.items()]
        for key, why in messages.BY_ITSELF.items():
            if key.startswith(prefix + "."):
                states.append((f"`{key.split('.')[1]}`", f"no: {why}"))
        yield f"Spark Connect: {title.lower()}", table(("message", "state"), states)


def function_section(prober):
    world = prober.new_world()
    ours = {row[0].split(".")[-1] for row in world.sql("SHOW SYSTEM FUNCTIONS")}
    theirs = [n for n in (ROOT / "tests/compat/spark-functions.txt").read_text().split("\n") if n]
    rows = []
    for name in theirs:
        text = functions.PROBES.get(name)
        if text is not None:
            rows.append((f"`{name}`", prober.state(f"`{name}`", [("", statement_probe(text))], False)))
        elif name not in ours:
            rows.append((f"`{name}`", "no: `UNRESOLVED_ROUTINE`"))
        else:
            rows.append((f"`{name}`", "yes"))
    refused = [row for row in rows if row[1] != "yes"]
    supported = " ".join(name for name, state in rows if state == "yes")
    extra = sorted(n for n in ours - set(theirs) if re.match(r"^[a-z]", n))
    yield "Functions", [
        f"Spark 4.3 has {len(theirs)} functions and operators; {len(rows) - len(refused)} of them are here:", "",
        supported, "", "Not here:", "", *table(("function", "state"), refused), "",
        "Here besides (names that Spark keeps for its own clients): " + " ".join(f"`{n}`" for n in extra),
    ]


def conf_section():
    entries = [line.split("\t") for line in (ROOT / "crates/spark/confs.tsv").read_text().splitlines()[1:]]
    code = "\n".join(p.read_text() for p in sorted((ROOT / "crates").rglob("*.rs")) if "test" not in p.name)
    named = set(re.findall(r'"(spark\.[A-Za-z0-9_.]+)"', code))
    # The keys of which only one value is taken, from the table that refuses the others.
    only = (ROOT / "crates/spark/src/conf.rs").read_text().split("const ONLY", 1)[1].split("];", 1)[0]
    only = dict(re.findall(r'\("(spark\.[A-Za-z0-9_.]+)", "([^"]*)"\)', only))
    kinds = collections.defaultdict(list)
    for entry in entries:
        key, kind = entry[0], entry[3] if len(entry) > 3 else ""
        if kind in ("static", "core"):
            kinds["fixed"].append(key)
        elif key in only:
            kinds["only"].append(key)
        else:
            kinds["read" if key in named else "kept"].append(key)
    own = sorted(set(re.findall(r'"(firesteel\.[A-Za-z0-9_.]+)"', code)))
    listing = lambda keys: " ".join(f"`{k}`" for k in sorted(keys))
    yield "Configuration", [
        "Values are checked as Spark checks them (`INVALID_CONF_VALUE.*`); unknown keys are kept.", "",
        f"**Read by the server** ({len(kinds['read'])}):", "", listing(kinds["read"]), "",
        f"**Only as they are** ({len(kinds['only'])}); another value would change answers in a way that is not here, "
        "and is refused:", "", " ".join(f"`{k}={only[k]}`" for k in sorted(kinds["only"])), "",
        f"**Kept and answered, but not read by the server** ({len(kinds['kept'])}). They steer how Spark itself "
        "plans, runs, caches and prints plans, or belong to what is refused as a whole (streaming, Hive, ORC, Avro, "
        "Python), or are read by clients:", "", listing(kinds["kept"]), "",
        f"**Fixed when a server starts** ({len(kinds['fixed'])}); setting one is refused with "
        "`CANNOT_MODIFY_STATIC_CONFIG` or `CANNOT_MODIFY_CONFIG`:", "", listing(kinds["fixed"]), "",
        "**Of this server**: " + listing(own),
    ]


def option_section():
    """The options that only some values are taken of, from the lists that refuse the others."""
    code = (ROOT / "crates/planner/src/source/known_options.rs").read_text()
    formats = {"TEXTS": "csv, json, xml"}
    rows = []
    for part, title in (("OF_READERS", "read"), ("OF_WRITERS", "write")):
        listed = code.split(f"const {part}", 1)[1].split("];", 1)[0]
        for of, key, taken in re.findall(r'limited\((TEXTS|&\[[^\]]*\]), "(\w+)", &\[([^\]]*)\]\)', listed):
            names = formats.get(of) or ", ".join(re.findall(r'"(\w+)"', of))
            values = ", ".join(f"`{v}`" for v in re.findall(r'"([^"]+)"', taken)) or "none"
            rows.append((f"{title} {names}", f"`{key}`", values))
    yield "Options of data sources", [
        "Formats: parquet, csv, json, text, xml and (to read) binaryFile. The options that Spark documents for them "
        "are honoured, or change nothing of an answer (sizes, sampling), but for these, of which other values are "
        "refused with `UNSUPPORTED_CALL.WITHOUT_SUGGESTION`:", "", *table(("format", "option", "values taken"), rows),
        "", "There is no ORC or JDBC source here (`DATA_SOURCE_NOT_FOUND`). Avro is a package of its own, as in Spark "
        "(`AVRO_DATA_SOURCE_NOT_ENABLED`).",
    ]


def page(prober):
    lines = [HEAD]
    for title, body in [*statement_sections(prober), *message_sections(prober), *function_section(prober),
                        *option_section(), *conf_section()]:
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def states(text):
    """How much of each row works: 0 for all of it, 1 for some, 2 for none."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = line.split(" | ")
        if line.startswith("| ") and len(cells) == 2:
            state = cells[1]
            found[section, cells[0][2:]] = 0 if state.startswith("yes") else 1 if state.startswith("except") else 2
    return found


def broken_promises(page, now):
    promised, found = states(page), states(now)
    return [f"{section}: {row}" for (section, row), worse in found.items() if worse > promised.get((section, row), 0)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--remote", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--promises", action="store_true")
    parser.add_argument("--failures", action="store_true")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    wrong = check_complete()
    if wrong:
        sys.exit("messages.py is not complete:\n  " + "\n  ".join(wrong))
    # The client logs each error that it raises; here errors are answers.
    logging.disable(logging.CRITICAL)
    # Workers cannot import the probes.
    cloudpickle.register_pickle_by_value(messages)
    warnings.simplefilter("ignore")
    spark = SparkSession.builder.remote(f"sc://{args.remote}").getOrCreate()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="firesteel-compat-"))
    prober = Prober(spark, folder, args.failures)
    try:
        text = page(prober)
    finally:
        prober.close()
        shutil.rmtree(folder, ignore_errors=True)
    if args.record:
        write_refusals(prober.refusals)
    if args.failures or args.record:
        return
    if args.write:
        PAGE.write_text(text)
    elif args.promises:
        broken = broken_promises(PAGE.read_text(), text)
        if broken:
            sys.exit("COMPAT.md says more than is so:\n  " + "\n  ".join(broken))
    elif args.check:
        if PAGE.read_text() != text:
            sys.exit("COMPAT.md is out of date: run `cargo xtask compat`")
    else:
        print(text)


if __name__ == "__main__":
    main()
