import unittest

from test.customers_orders.graph.test_add_up import *
from test.customers_orders.graph.test_clean_orders import *
from test.customers_orders.test_config import *

if __name__ == "__main__":
    unittest.main()
