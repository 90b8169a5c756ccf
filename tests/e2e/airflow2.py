#!/usr/bin/python3
"""A project of DAGs and a real Airflow 2, its archives brought by sftp over a real sshd: see tests/support/airflow_life.py."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import sshd  # noqa: E402

far = sshd.enter(__file__)
from airflow_life import live  # noqa: E402

if far:
    with sshd.Sshd() as server:
        live(2, lambda folder: f"dags: '{server.address(folder)}'")
live(2)     # as files: there is no sshd that a test can have to itself
