import sys

from pyspark.sql import SparkSession

from sales_functions.config import ConfigError
from sales_functions.spark import is_local, session

from sales_report.config.Config import Config
from sales_report.config.ConfigStore import read_config
from sales_report.graph import by_country, clean_orders, country_report, customer_totals, orders
from sales_report.udfs.UDFs import registerUDFs


def pipeline(spark: SparkSession, config: Config) -> str:
    df_customer_totals = customer_totals(spark, config)
    df_orders = orders(spark, config)
    df_clean_orders = clean_orders(df_orders, config.statuses)
    df_by_country = by_country(df_customer_totals, df_clean_orders)
    return country_report(df_by_country, config)


def main() -> None:
    try:
        config = read_config()
    except ConfigError as err:
        sys.exit(f"sales_report: {err}")
    spark = session("sales_report")
    try:
        registerUDFs(spark)
        done = pipeline(spark, config)
    finally:
        if is_local():
            spark.stop()
    print(done, flush=True)


if __name__ == "__main__":
    main()
