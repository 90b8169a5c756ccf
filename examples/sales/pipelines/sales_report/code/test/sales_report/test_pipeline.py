import datetime
import os
import tempfile
import unittest
from decimal import Decimal

from sales_functions.spark import read_parquet, session, write_parquet

from sales_report.config.Config import Config
from sales_report.config.ConfigStore import read_config
from sales_report.pipeline import pipeline

ORDERS = """order_id,customer_id,ordered_on,status,currency,amount
1,7,2026-01-05,delivered,USD,100.00
2,7,2026-01-06,open,EUR,900.00
"""


class PipelineTest(unittest.TestCase):
    def test_default_is_what_the_class_says(self):
        self.assertEqual(read_config([]), Config())

    def test_from_files_to_file(self):
        spark = session("test")
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "raw"))
            with open(os.path.join(root, "raw", "orders.csv"), "w", encoding="utf-8") as file:
                file.write(ORDERS)
            totals = spark.createDataFrame(
                [(7, "Ginkgo", "DE", 1, Decimal("92.00"), datetime.date(2026, 1, 5))],
                "customer_id int, name string, country string, orders bigint, total_eur decimal(12,2), last_order_on date",
            )
            write_parquet(totals, root, "prod/customer_totals")

            config = read_config(["-i", "prod", "-O", '{"data_root": "%s"}' % root])
            self.assertEqual(pipeline(spark, config), f"wrote 1 rows to {root}/prod/country_report")

            rows = read_parquet(spark, root, "prod/country_report").collect()
            self.assertEqual([tuple(row) for row in rows], [("DE", 1, 1, Decimal("92.00"), Decimal("92.00"))])
