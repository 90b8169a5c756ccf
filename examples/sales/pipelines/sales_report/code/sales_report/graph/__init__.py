from clean_orders import clean_orders

from .by_country import by_country
from .country_report import country_report
from .customer_totals import customer_totals
from .orders import orders

__all__ = ["by_country", "clean_orders", "country_report", "customer_totals", "orders"]
