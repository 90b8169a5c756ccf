from pyspark.sql import DataFrame

from sales_functions.spark import write_parquet


def customer_totals(in0: DataFrame, config) -> str:
    return write_parquet(in0, config.data_root, config.customer_totals)
