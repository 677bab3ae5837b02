"""The rows of the bench `bags` in Python, dask.bag, Polars, DuckDB and Spark."""

import glob
import json
import os
import re
import sys
from collections import Counter

RIGHT, LEFT = ",.!:;'-\"", "'\""


def stem(word):
    return word.lower().rstrip(RIGHT).lstrip(LEFT)


class Parse:
    def __init__(self, pattern):
        self.pattern = re.compile(pattern)

    def __call__(self, line):
        return self.pattern.match(line).groupdict()


def pair(record):
    return (record["client_ip"], record["server_ip"])


def is_push(event):
    return event["type"] == "PushEvent"


def one_more(total, event):
    return total + 1


def plus(a, b):
    return a + b


class Bags:
    def __init__(self, folder, pattern, threads):
        with open(pattern) as f:
            self.pattern = f.read().strip()
        self.parse = Parse(self.pattern)
        self.folder, self.threads, self.context = folder, threads, None

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.folder, pattern)))

    def lines(self, pattern):
        for name in self.files(pattern):
            with open(name) as f:
                yield from f

    # Python on one core

    def python_words(self):
        counts = Counter()
        for line in self.lines("words-*.txt"):
            counts.update([stem(w) for w in line.split()])
        return counts.most_common(10)

    def python_flows(self):
        counts = Counter(pair(self.parse(line)) for line in self.lines("flows-*.log"))
        return counts.most_common(10)

    def python_events(self, loads=json.loads):
        counts, pushes = Counter(), 0
        for line in self.lines("events-*.json"):
            event = loads(line)
            pushes += event["type"] == "PushEvent"
            counts[event["type"]] += 1
        return pushes, sorted(counts.items())

    def orjson_events(self):
        import orjson

        return self.python_events(orjson.loads)

    # dask.bag, on processes

    def dask_bag(self, pattern):
        import dask.bag as db

        return db.read_text(self.files(pattern))

    def dask_compute(self, *bags):
        import dask
        import dask.multiprocessing  # noqa: F401

        return dask.compute(*bags, scheduler="processes", num_workers=self.threads)

    def dask_words(self):
        return self.dask_compute(self.dask_bag("words-*.txt").str.split().flatten().map(stem).frequencies().topk(10, key=1))

    def dask_flows(self):
        return self.dask_compute(self.dask_bag("flows-*.log").map(self.parse).map(pair).frequencies().topk(10, key=1))

    def dask_events(self):
        bag = self.dask_bag("events-*.json").map(json.loads)
        return self.dask_compute(bag.filter(is_push).count(), bag.foldby("type", one_more, 0, plus, 0))

    # Polars

    def polars_lines(self, pattern):
        import polars as po

        return po.scan_csv(os.path.join(self.folder, pattern), has_header=False, new_columns=["line"], separator="\x01", quote_char=None)

    def polars_words(self):
        import polars as po

        word = po.col("line").str.split(" ").explode().str.to_lowercase().str.strip_chars_end(RIGHT).str.strip_chars_start(LEFT)
        rows = self.polars_lines("words-*.txt").select(word.alias("w")).group_by("w").len().top_k(10, by="len")
        return rows.collect(engine="streaming").rows()

    def polars_flows(self):
        import polars as po

        row = po.col("line").str.extract_groups(self.pattern).alias("r")
        both = [po.col("r").struct.field(name) for name in ("client_ip", "server_ip")]
        rows = self.polars_lines("flows-*.log").select(row).select(both)
        return rows.group_by("client_ip", "server_ip").len().top_k(10, by="len").collect(engine="streaming").rows()

    def polars_events(self):
        import polars as po

        rows = po.scan_ndjson(os.path.join(self.folder, "events-*.json"), infer_schema_length=1000).group_by("type").len()
        return rows.collect(engine="streaming").rows()

    # DuckDB

    def sql(self, query):
        import duckdb

        return duckdb.connect(config={"threads": self.threads}).execute(query).fetchall()

    def duckdb_lines(self, pattern):
        name = os.path.join(self.folder, pattern)
        return (
            f"read_csv('{name}', columns={{'line': 'VARCHAR'}}, header=false, delim='\\x01', quote='', escape='', auto_detect=false,"
            " max_line_size=4000000)"
        )

    def duckdb_words(self):
        word = """ltrim(rtrim(lower(unnest(string_split(line, ' '))), ',.!:;''-"'), '''"')"""
        return self.sql(
            f"select w, count(*) n from (select {word} w from {self.duckdb_lines('words-*.txt')}) where w <> ''"
            " group by w order by n desc, w limit 10"
        )

    def duckdb_flows(self):
        names = ",".join(f"'{group}'" for group in re.findall(r"\?P<(\w+)>", self.pattern))
        plain = re.sub(r"\?P<\w+>", "", self.pattern).replace("'", "''")
        return self.sql(
            f"select r.client_ip c, r.server_ip s, count(*) n from (select regexp_extract(line, '{plain}', [{names}]) r"
            f" from {self.duckdb_lines('flows-*.log')}) group by c, s order by n desc limit 10"
        )

    def duckdb_events(self):
        kind = "json_extract_string(line, '$.type')"
        return self.sql(f"select {kind} t, count(*) n from {self.duckdb_lines('events-*.json')} group by t order by t")

    def duckdb_typed_events(self):
        name = os.path.join(self.folder, "events-*.json")
        return self.sql(f"select type t, count(*) n from read_json('{name}', format='newline_delimited') group by t order by t")

    # Spark, whose workers are processes

    def spark(self, pattern):
        if self.context is None:
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
            from pyspark import SparkConf, SparkContext

            conf = SparkConf().setMaster(f"local[{self.threads}]").setAppName("bags").set("spark.ui.enabled", "false")
            self.context = SparkContext(conf=conf.set("spark.driver.bindAddress", "127.0.0.1"))
            self.context.setLogLevel("OFF")
        return self.context.union([self.context.textFile(name, 1) for name in self.files(pattern)])

    def spark_words(self):
        words = self.spark("words-*.txt").flatMap(str.split).map(lambda w: (stem(w), 1))
        return words.reduceByKey(plus).takeOrdered(10, key=lambda pair: -pair[1])

    def spark_flows(self):
        parse = self.parse
        rows = self.spark("flows-*.log").map(lambda line: (pair(parse(line)), 1))
        return rows.reduceByKey(plus).takeOrdered(10, key=lambda pair: -pair[1])

    def spark_events(self):
        events = self.spark("events-*.json").map(json.loads)
        kinds = events.map(lambda event: (event["type"], 1)).reduceByKey(plus).collect()
        return events.filter(is_push).count(), sorted(kinds)
