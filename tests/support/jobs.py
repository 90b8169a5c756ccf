"""A project without pipelines: it deploys without a toolchain and in no time.

Its jobs are of another fabric than `development`, so what is deployed there is an empty set of
definitions whose stamp names the release: each content switches the fabric all the same.
"""
import json

HEAD = """name: jobs
description: jobs alone
version: 1.0.0
author: ana@example.com
language: python
buildSystem: ''
pipelines: {}
datasets: {}
templates: {}
jobs:
"""

JOB = """  jobs/%(name)s:
    name: %(name)s
    description: nothing to run
    author: ana@example.com
    fabricUID: 4004
    scheduler:
      Databricks: {}
    cloudProvider: null
    jobSize: small
    scheduleCron: 0 0 6 * * ? *
    timeout: null
    alerting: { emails: '', onStart: false, onSuccess: false, onFailure: false }
    pipelines: []
    models: []
    sqlProjects: []
    jobClusterMode: { clusterMode: { Single: {} }, clusterId: null }
    enabled: false
    createdAt: '2026-01-12 09:30:00'
"""


TASK = {"task_key": "one", "max_retries": 0, "libraries": [],
        "python_wheel_task": {"package_name": "none", "entry_point": "main", "parameters": []}}


def write(clone, **jobs):
    """Each keyword is a job of the project and a text that its definition holds; commits."""
    clone.write("pbt_project.yml", HEAD + "".join(JOB % {"name": n} for n in sorted(jobs)))
    for name, text in jobs.items():
        code = f"jobs/{name}/code/"
        clone.write(code + "databricks-job.json", json.dumps({
            "fabric_id": "4004", "components": [], "sorted_processes": [],
            "request": {"format": "MULTI_TASK", "name": name, "tasks": [TASK], "email_notifications": {},
                        "max_concurrent_runs": 1, "tags": {"text": text}}}, indent=2) + "\n")
        clone.write(code + "prophecy-job.json", json.dumps({
            "metainfo": {"type": "Databricks", "fabricId": "4004", "jobId": f"jobs/{name}", "name": name},
            "processes": {}, "connections": []}, indent=2) + "\n")
        clone.write(f"jobs/{name}/pbt_aspects.yml", "version: 1\n")
    return clone.commit("jobs: " + ", ".join(f"{n} {t}" for n, t in sorted(jobs.items())))
