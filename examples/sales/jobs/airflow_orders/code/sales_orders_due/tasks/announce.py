from sales_orders_due.utils.airflow_names import task


@task(task_id="announce")
def announce(day: str, release: str) -> None:
    print(f"orders are due on {day} (release {release})")
