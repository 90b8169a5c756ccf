from .clean_orders import clean_orders

__all__ = ["clean_orders"]
