"""The Spark session, and the files that pipelines read and write."""

import os
import tempfile

from pyspark.sql import DataFrame, SparkSession

# Without a cluster: no network, no user interface, few partitions, since the data is small.
LOCAL = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
}

# Any of these says that somebody else decided where and how Spark runs.
CONFIGURED = ("DATABRICKS_RUNTIME_VERSION", "PYSPARK_GATEWAY_PORT", "PYSPARK_SUBMIT_ARGS")


def is_local() -> bool:
    return not any(name in os.environ for name in CONFIGURED)


def session(name: str) -> SparkSession:
    builder = SparkSession.builder.appName(name)
    if is_local():
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.config("spark.sql.warehouse.dir", os.path.join(tempfile.gettempdir(), "spark-warehouse"))
        for key, value in LOCAL.items():
            builder = builder.config(key, value)
    return builder.getOrCreate()


def located(root: str, name: str) -> str:
    """Where `name` lies below the data root. A root without a scheme is a folder of this machine (/dbfs on a cluster is one)."""
    path = root.rstrip("/") + "/" + name
    return path if ":/" in root else "file:" + os.path.abspath(path)


def read_csv(spark: SparkSession, root: str, name: str, schema: str) -> DataFrame:
    return spark.read.schema(schema).option("header", True).option("mode", "FAILFAST").csv(located(root, name))


def read_parquet(spark: SparkSession, root: str, name: str) -> DataFrame:
    return spark.read.parquet(located(root, name))


def write_parquet(df: DataFrame, root: str, name: str) -> str:
    """Writes one file, over what was there; returns the line that a run ends with."""
    where = located(root, name)
    df.coalesce(1).write.mode("overwrite").parquet(where)
    rows = df.sparkSession.read.parquet(where).count()
    return f"wrote {rows} rows to {where.removeprefix('file:')}"
