from dataclasses import dataclass, field
from typing import List


@dataclass
class Config:
    """Paths are relative to data_root. An order counts when its status is listed; a customer from min_total_eur on."""

    data_root: str = "/dbfs/data"
    orders: str = "raw/orders.csv"
    customers: str = "raw/customers.csv"
    customer_totals: str = "default/customer_totals"
    statuses: List[str] = field(default_factory=lambda: ["delivered", "shipped"])
    min_total_eur: float = 0
