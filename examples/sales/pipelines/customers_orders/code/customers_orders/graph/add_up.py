from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sales_functions.money import MONEY, cents


def add_up(in0: DataFrame, in1: DataFrame, min_total_eur) -> DataFrame:
    """One row for each customer (in1) whose orders (in0) come to at least `min_total_eur`."""
    totals = in0.groupBy("customer_id").agg(
        F.count("order_id").alias("orders"),
        F.sum("amount_eur").cast(MONEY).alias("total_eur"),
        F.max("ordered_on").alias("last_order_on"),
    )
    return (
        in1.join(totals, "customer_id")
        .where(F.col("total_eur") >= F.lit(cents(min_total_eur)))
        .select("customer_id", "name", "country", "orders", "total_eur", "last_order_on")
        .orderBy("customer_id")
    )
