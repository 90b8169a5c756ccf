from pyspark.sql import DataFrame, SparkSession

from sales_functions.spark import read_csv

SCHEMA = "order_id int, customer_id int, ordered_on date, status string, currency string, amount decimal(12,2)"


def orders(spark: SparkSession, config) -> DataFrame:
    return read_csv(spark, config.data_root, config.orders, SCHEMA)
