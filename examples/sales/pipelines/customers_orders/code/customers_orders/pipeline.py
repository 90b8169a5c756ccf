import sys

from pyspark.sql import SparkSession

from sales_functions.config import ConfigError
from sales_functions.spark import is_local, session

from customers_orders.config.Config import Config
from customers_orders.config.ConfigStore import read_config
from customers_orders.graph import add_up, clean_orders, customer_totals, customers, orders
from customers_orders.udfs.UDFs import registerUDFs


def pipeline(spark: SparkSession, config: Config) -> str:
    df_orders = orders(spark, config)
    df_customers = customers(spark, config)
    df_clean_orders = clean_orders(df_orders, config.statuses)
    df_add_up = add_up(df_clean_orders, df_customers, config.min_total_eur)
    return customer_totals(df_add_up, config)


def main() -> None:
    try:
        config = read_config()
    except ConfigError as err:
        sys.exit(f"customers_orders: {err}")
    spark = session("customers_orders")
    try:
        registerUDFs(spark)
        done = pipeline(spark, config)
    finally:
        if is_local():
            spark.stop()
    print(done, flush=True)


if __name__ == "__main__":
    main()
