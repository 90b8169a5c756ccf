from pyspark.sql import DataFrame, SparkSession

from sales_functions.spark import read_parquet


def customer_totals(spark: SparkSession, config) -> DataFrame:
    return read_parquet(spark, config.data_root, config.customer_totals)
