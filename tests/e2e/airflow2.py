#!/usr/bin/python3
"""A project of DAGs and a real Airflow 2: see tests/support/airflow_life.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from airflow_life import live  # noqa: E402

live(2)
