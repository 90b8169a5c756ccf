from clean_orders import clean_orders

from .add_up import add_up
from .customer_totals import customer_totals
from .customers import customers
from .orders import orders

__all__ = ["add_up", "clean_orders", "customer_totals", "customers", "orders"]
