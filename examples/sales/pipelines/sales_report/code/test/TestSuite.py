import unittest

from test.sales_report.graph.test_by_country import *
from test.sales_report.test_pipeline import *

if __name__ == "__main__":
    unittest.main()
