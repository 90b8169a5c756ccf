from pyspark.sql import DataFrame, SparkSession

from sales_functions.spark import read_csv

SCHEMA = "customer_id int, name string, country string, segment string"


def customers(spark: SparkSession, config) -> DataFrame:
    return read_csv(spark, config.data_root, config.customers, SCHEMA)
