from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sales_functions.money import to_eur


def clean_orders(in0: DataFrame, statuses) -> DataFrame:
    """Orders that count: their status is one of `statuses`, their amount is known in euros and above zero."""
    return (
        in0.where(F.col("status").isin(list(statuses)))
        .withColumn("amount_eur", to_eur(F.col("amount"), F.col("currency")))
        .where(F.col("amount_eur") > 0)
        .select("order_id", "customer_id", "ordered_on", "amount_eur")
    )
