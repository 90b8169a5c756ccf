"""A project of Airflow jobs alone, and a real Airflow to which a real agent deploys it.

    with Dags() as s:                           # no Airflow
        s.push(one="a", two="a")                # jobs by name and a text
    with Scene(3) as s:
        s.release(one="a", two="a")             # the same; waits until they are deployed
        s.dag("one")                            # as Airflow has it
"""
import hashlib
import json
import os

from airflow import Airflow, NotMade
from agent import Failed, Instance, check, wait
from planted import plant

REF = "refs/heads/airflow"

HEAD = """name: dags
description: DAGs alone
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
    description: says its text
    author: ana@example.com
    fabricUID: 5005
    scheduler:
      Composer: {}
    cloudProvider: null
    jobSize: small
    scheduleCron: 0 6 * * *
    timeout: null
    alerting: { emails: '', onStart: false, onSuccess: false, onFailure: false }
    pipelines: []
    models: []
    sqlProjects: []
    jobClusterMode: { clusterMode: { Single: {} }, clusterId: null }
    enabled: true
    createdAt: '2026-01-12 09:30:00'
"""

# Of either major. The text lies in a module beside it: a change of it changes nothing in dag.py.
DAG = """from datetime import datetime
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from airflow.sdk import DAG
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator
from of_%(name)s.words import TEXT

with DAG("%(dag)s", schedule=None, start_date=datetime(2024, 1, 1), catchup=False) as dag:
    said = BashOperator(task_id="say", bash_command=f"echo {TEXT} of release __PROJECT_RELEASE_VERSION_PLACEHOLDER__")
    look = BashOperator(task_id="look", bash_command="while test -e %(flag)s.wait; do sleep 0.2; done; test ! -e %(flag)s")
    said >> look >> BashOperator(task_id="last", bash_command="true")
"""
PLAIN = DAG.replace(" of release __PROJECT_RELEASE_VERSION_PLACEHOLDER__", "")


class Dags(Instance):
    """An instance with such a project."""

    def __init__(self):
        super().__init__()
        self.n, self.clone_of, self.wanted = 0, None, {}
        self.flag = os.path.join(self.base, "flag")

    def push(self, module="", plain=(), dags=None, **jobs):
        """Jobs by name and text; `module` goes to the end of each one's module, a job in `plain` names no release, one
        in `dags` is the DAG of that id (else of_NAME)."""
        if not self.clone_of:
            self.clone_of = self.clone(self.repository("dags"))
        c = self.clone_of
        c.write("pbt_project.yml", HEAD + "".join(JOB % {"name": n} for n in sorted(jobs)))
        for name, text in jobs.items():
            code, dag = f"jobs/{name}/code/", (dags or {}).get(name, f"of_{name}")
            c.write(code + "dag.py", (PLAIN if name in plain else DAG) % {"name": name, "dag": dag, "flag": self.flag})
            c.write(f"{code}of_{name}/__init__.py", "")
            c.write(f"{code}of_{name}/words.py", f"TEXT = {text!r}\n")
            c.write(code + "prophecy-job.json", json.dumps({
                "metainfo": {"type": "Composer", "fabricId": "5005", "jobId": f"jobs/{name}", "name": name,
                             "dagName": dag, "enabled": True}, "processes": {}, "connections": []}, indent=2) + "\n")
            c.write(f"jobs/{name}/pbt_aspects.yml", "version: 1\n")
        self.wanted = jobs
        for name, line in (module or {}).items():
            c.edit(f"jobs/{name}/code/of_{name}/words.py", "TEXT", line + "\nTEXT")
        self.tip = c.commit(", ".join(f"{n} {t}" for n, t in sorted(jobs.items())))
        c.push("HEAD:" + REF)


class Scene(Dags):
    """An instance whose fabric `airflow` is a real one."""

    def __init__(self, major, reach=None):
        """reach: from the folder to the lines of penstock.yml that say how archives get there; None: as files."""
        self.airflow, self.reach = Airflow(major), reach or (lambda folder: f"dags: '{folder}'")
        super().__init__()

    def __enter__(self):
        try:
            self.airflow.__enter__()
            self.configure()
            return super().__enter__()
        except NotMade as e:
            raise Failed(str(e)) from e

    def __exit__(self, kind, value, trace):
        if kind is SystemExit and not value.code:
            kind = None         # all went well
        try:
            super().__exit__(kind, value, trace)
        finally:
            self.airflow.__exit__(kind, value, trace)

    def configure(self):
        a, secret, path = self.airflow, os.path.join(self.base, "password"), os.path.join(self.dir, "penstock.yml")
        plant(secret, a.password)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        old = "    airflow: { host: 'http://127.0.0.1:8080' }\n"
        check(old in text, "the fabric airflow is written differently now")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, f"    airflow: {{ host: '{a.url}', user: {a.user}, password: {{ file: '{secret}' }},\n"
                                      f"      {self.reach(a.dags)} }}\n"))

    def setting(self, text):
        """One more word of the fabric's `airflow`, in place of an earlier one of its name; in force from here on."""
        path, name = os.path.join(self.dir, "penstock.yml"), text.split(":")[0]
        with open(path, encoding="utf-8") as f:
            lines = [l for l in f.read().splitlines(True) if not l.strip().startswith(name + ":")]
        at = next(i for i, l in enumerate(lines) if l.startswith("    airflow: {")) + 1
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(lines[:at] + [f"      {text},\n"] + lines[at:]))
        self.penstock("reload")

    def newest(self, *states):
        """The newest deployment, once it is another than the one waited for last and in this state."""
        def look():
            d = self.items("history", "airflow")
            found = d and int(d[0]["id"][1:]) > self.n and d[0]["state"] not in ("waiting", "running")
            check(not found or d[0]["state"] in states, f"{d and d[0]}")
            return d[0] if found else None
        d = wait(f"a deployment after d{self.n} is {states}", look, every=0.2)
        self.n = int(d["id"][1:])
        return d

    def release(self, **jobs):
        self.push(**jobs)
        d = self.newest("deployed")
        check(self.verified(d["id"])["verified"], d)
        return d

    def verified(self, number):
        return wait(f"{number} is verified or not", lambda: next(
            (d for d in self.items("history", "airflow") if d["id"] == number and d["verified"] is not None), None), every=0.2)

    # ---- what Airflow has ----

    def dag(self, name, of="of_"):
        """None: it has none."""
        status, doc = self.airflow.rest("GET", f"/dags/{of}{name}")
        check(status in (200, 404), f"{status} {doc}")
        return doc if status == 200 else None

    def active(self, name):
        d = self.dag(name)
        return bool(d) and (d["is_active"] if self.airflow.major == 2 else not d["is_stale"]) and not d["has_import_errors"]

    def awake(self, name):
        return self.active(name) and not self.dag(name)["is_paused"]

    def pause(self, name, paused):
        status, doc = self.airflow.rest("PATCH", f"/dags/of_{name}?update_mask=is_paused", {"is_paused": paused})
        check(status == 200, f"{status} {doc}")

    def archives(self):
        """Name and digest of what lies in the folder."""
        names = sorted(n for n in os.listdir(self.airflow.dags) if n.endswith(".zip"))
        found = {}
        for n in names:
            with open(os.path.join(self.airflow.dags, n), "rb") as f:
                found[n] = hashlib.sha256(f.read()).hexdigest()
        return found
