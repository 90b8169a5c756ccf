import datetime
import unittest
from decimal import Decimal

from sales_functions.spark import session

from customers_orders.graph.add_up import add_up

JAN, FEB = datetime.date(2026, 1, 5), datetime.date(2026, 2, 1)


class AddUpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        spark = session("test")
        cls.orders = spark.createDataFrame(
            [
                (1, 7, JAN, Decimal("10.10")),
                (2, 7, FEB, Decimal("20.20")),
                (3, 8, JAN, Decimal("30.00")),
                (4, 99, JAN, Decimal("500.00")),
            ],
            "order_id int, customer_id int, ordered_on date, amount_eur decimal(12,2)",
        )
        cls.customers = spark.createDataFrame(
            [(8, "Hazel", "GB", "retail"), (7, "Ginkgo", "DE", "retail"), (9, "Ivy", "FR", "retail")],
            "customer_id int, name string, country string, segment string",
        )

    def rows(self, min_total_eur):
        return [tuple(row) for row in add_up(self.orders, self.customers, min_total_eur).collect()]

    def test_totals_of_each_customer(self):
        self.assertEqual(
            self.rows(0),
            [
                (7, "Ginkgo", "DE", 2, Decimal("30.30"), FEB),
                (8, "Hazel", "GB", 1, Decimal("30.00"), JAN),
            ],
        )

    def test_the_threshold_itself_is_in(self):
        self.assertEqual([row[0] for row in self.rows(30)], [7, 8])
        self.assertEqual([row[0] for row in self.rows(30.01)], [7])

    def test_a_customer_without_orders_and_an_order_without_customer_are_out(self):
        self.assertFalse({9, 99} & {row[0] for row in self.rows(0)})
