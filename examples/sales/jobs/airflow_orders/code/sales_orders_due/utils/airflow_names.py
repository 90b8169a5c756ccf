"""The two names that Airflow 2 and Airflow 3 keep in different places."""

try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task

__all__ = ["DAG", "task"]
