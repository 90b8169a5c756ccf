#!/usr/bin/python3
"""A project of DAGs and a real Airflow 3, its archives brought by an uploader: see tests/support/airflow_life.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from airflow_life import live  # noqa: E402
from uploader import Uploader  # noqa: E402

with Uploader("/") as u:
    word = os.path.join(u.dir, "word")
    with open(word, "w", encoding="utf-8") as f:
        f.write(u.password)
    live(3, lambda folder: f"dags: '{folder}', uploader: {{ url: '{u.url}', user: {u.user}, password: {{ file: '{word}' }} }}")
