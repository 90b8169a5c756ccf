from pyspark.sql import SparkSession


def registerUDFs(spark: SparkSession) -> None:
    """This pipeline needs none: all its expressions are Spark's own."""
