from datetime import datetime, timezone

from sales_orders_due.utils.airflow_names import task
from sales_orders_due.utils.days import next_business_day


@task(task_id="pick_day")
def pick_day() -> str:
    return next_business_day(datetime.now(timezone.utc).date()).isoformat()
