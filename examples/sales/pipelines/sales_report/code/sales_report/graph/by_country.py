from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sales_functions.money import MONEY


def by_country(in0: DataFrame, in1: DataFrame) -> DataFrame:
    """One row for each country of the listed customers (in0), with the largest of their orders (in1)."""
    listed = in0.select("customer_id", "country")
    largest = in1.join(listed, "customer_id").groupBy("country").agg(F.max("amount_eur").alias("largest_order_eur"))
    return (
        in0.groupBy("country")
        .agg(
            F.count("customer_id").alias("customers"),
            F.sum("orders").alias("orders"),
            F.sum("total_eur").cast(MONEY).alias("total_eur"),
        )
        .join(largest, "country", "left")
        .select("country", "customers", "orders", "total_eur", "largest_order_eur")
        .orderBy(F.desc("total_eur"), "country")
    )
