import os
import sys
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from sales_orders_due.tasks import announce, pick_day
from sales_orders_due.utils.airflow_names import DAG

PROPHECY_RELEASE_TAG = "__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__"

with DAG(
    dag_id="sales_orders_due",
    description="says on which business day the next orders are due",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "sales", "retries": 0, "execution_timeout": timedelta(minutes=5)},
    tags=["sales", "__PROJECT_RELEASE_VERSION_PLACEHOLDER__"],
    doc_md="Release __PROJECT_FULL_RELEASE_TAG_PLACEHOLDER__",
) as dag:
    announce(pick_day(), PROPHECY_RELEASE_TAG)
