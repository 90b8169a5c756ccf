from sales_functions.config import load

from customers_orders.config.Config import Config


def read_config(argv=None) -> Config:
    """The configuration of this run, from its command line (-i, -O)."""
    return load(Config, "customers_orders", argv)
