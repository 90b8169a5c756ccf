import datetime
import unittest
from decimal import Decimal

from sales_functions.spark import session

from clean_orders import clean_orders

DAY = datetime.date(2026, 1, 5)


class CleanOrdersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.orders = session("test").createDataFrame(
            [
                (1, 7, DAY, "delivered", "EUR", Decimal("10.00")),
                (2, 7, DAY, "shipped", "USD", Decimal("10.01")),
                (3, 7, DAY, "cancelled", "EUR", Decimal("10.00")),
                (4, 7, DAY, "delivered", "XYZ", Decimal("10.00")),
                (5, 7, DAY, "delivered", "GBP", Decimal("0.00")),
            ],
            "order_id int, customer_id int, ordered_on date, status string, currency string, amount decimal(12,2)",
        )

    def amounts(self, *statuses):
        return {row.order_id: row.amount_eur for row in clean_orders(self.orders, statuses).collect()}

    def test_amounts_are_in_euros(self):
        self.assertEqual(self.amounts("delivered", "shipped"), {1: Decimal("10.00"), 2: Decimal("9.21")})

    def test_only_the_statuses_asked_for(self):
        self.assertEqual(set(self.amounts("cancelled")), {3})
