"""Amounts of many currencies in one: the euro, at the rates of the yearly plan."""

from decimal import ROUND_HALF_UP, Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F

RATES = {"EUR": "1.0000", "USD": "0.9200", "GBP": "1.1700", "CHF": "1.0500"}

MONEY = "decimal(12,2)"


def to_eur(amount: Column, currency: Column) -> Column:
    """The amount in euros, rounded half up to cents; null where the currency has no rate."""
    rate = F.lit(None).cast("decimal(8,4)")
    for name, value in RATES.items():
        rate = F.when(currency == name, F.lit(value).cast("decimal(8,4)")).otherwise(rate)
    return F.round(amount.cast(MONEY) * rate, 2).cast(MONEY)


def cents(value) -> Decimal:
    """A number of a config instance as money."""
    return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
