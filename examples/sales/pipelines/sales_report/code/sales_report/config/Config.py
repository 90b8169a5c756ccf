from dataclasses import dataclass, field
from typing import List


@dataclass
class Config:
    """Paths are relative to data_root. customer_totals is what the pipeline customers_orders wrote."""

    data_root: str = "/dbfs/data"
    orders: str = "raw/orders.csv"
    customer_totals: str = "default/customer_totals"
    country_report: str = "default/country_report"
    statuses: List[str] = field(default_factory=lambda: ["delivered", "shipped"])
