import unittest
from decimal import Decimal

from sales_functions.spark import session

from sales_report.graph.by_country import by_country


class ByCountryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        spark = session("test")
        totals = spark.createDataFrame(
            [
                (1, "DE", 2, Decimal("30.00")),
                (2, "DE", 1, Decimal("5.50")),
                (3, "FR", 4, Decimal("99.99")),
                (4, "CH", 1, Decimal("1.00")),
            ],
            "customer_id int, country string, orders bigint, total_eur decimal(12,2)",
        )
        orders = spark.createDataFrame(
            [
                (1, Decimal("20.00")),
                (1, Decimal("10.00")),
                (2, Decimal("5.50")),
                (3, Decimal("60.00")),
                (99, Decimal("700.00")),
            ],
            "customer_id int, amount_eur decimal(12,2)",
        )
        cls.rows = [tuple(row) for row in by_country(totals, orders).collect()]

    def test_sums_largest_country_first(self):
        self.assertEqual([row[:4] for row in self.rows], [
            ("FR", 1, 4, Decimal("99.99")),
            ("DE", 2, 3, Decimal("35.50")),
            ("CH", 1, 1, Decimal("1.00")),
        ])

    def test_largest_order_is_one_of_a_listed_customer(self):
        self.assertEqual([row[4] for row in self.rows], [Decimal("60.00"), Decimal("20.00"), None])
