#!/usr/bin/python3
"""Prophecy's own tool deploys the example to the fake workspace: what it sends is understood, and as documented.

    tests/e2e/pbtdeploy.py [CASE]       needs pbt (tests/support/pbt.py)
"""
import contextlib
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import prophecy_tool  # noqa: E402
from agent import check, main  # noqa: E402
from prophecy_tool import PROJECT_ID, Tool  # noqa: E402
from workspace import Workspace  # noqa: E402

BASE = f"prophecy/artifacts/dev/execution/{PROJECT_ID}"
NAMES = ("customers_orders", "sales_report")
VOLUME = "/Volumes/main/default/artifacts"


@contextlib.contextmanager
def place(**more):
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder:
        with Workspace(os.path.join(folder, "workspace"), **more) as w:
            yield w, Tool(w, os.path.join(folder, "tool"))


def ids(w):
    return {j["settings"]["name"]: j["job_id"] for j in w.jobs()}


def wheels(version, base="dbfs:/FileStore"):
    return {f"{base}/{BASE}/{version}/pipeline/{n}-1.0-py3-none-any.whl" for n in NAMES}


def named(w):
    """Every wheel that a job installs."""
    return {lib["whl"] for j in w.jobs() for t in j["settings"]["tasks"] for lib in t["libraries"]}


def both():
    """The older way, then the newer one without any state: it finds the jobs by their names."""
    with place() as (w, tool):
        tool.deploy(tool.project("old"), "1.0")
        first = ids(w)
        check(set(first) == {"job_development", "job_reports"}, f"jobs: {first}")
        check(set(w.files()) == wheels("1.0") == named(w), f"wheels: {w.files()}, {named(w)}")
        check(all(c["path"].startswith(("/api/2.0/dbfs/", "/api/2.1/jobs/")) for c in w.calls()), "other calls than are known")
        new = tool.project("new")
        tool.deploy_v2(new, "1.1")
        check(ids(w) == first, f"other jobs: {ids(w)}, not {first}")
        check(set(w.files()) == wheels("1.0") | wheels("1.1") and named(w) == wheels("1.1"), f"wheels: {w.files()}, {named(w)}")
        check(len(w.calls("POST", "/api/2.1/jobs/create")) == 2, "a job was made twice")


def state():
    """With its folder of configuration, and a volume: ids come from state.yml, the wheels lie in both places."""
    with place() as (w, tool):
        project, conf = tool.project(), tool.conf(volume=VOLUME)
        tool.deploy_v2(project, "2.0", conf)
        first = ids(w)
        with open(os.path.join(conf, "state.yml"), encoding="utf-8") as f:
            text = f.read()
        for name, job_id in first.items():
            check(f"external_job_id: '{job_id}'" in text and f"id: jobs/{name}" in text, f"state.yml: {text}")
        check(set(w.files()) == wheels("2.0") | wheels("2.0", VOLUME), f"files: {w.files()}")
        tool.deploy_v2(project, "2.1", conf)
        check(ids(w) == first and not w.calls("GET"), f"jobs: {ids(w)}, not {first}; looked for: {w.calls('GET')}")
        check(named(w) == wheels("2.1"), f"the jobs name {named(w)}")    # not those in the volume


if __name__ == "__main__":
    if not prophecy_tool.program()[0]:
        print(f"SKIP: no pbt: {prophecy_tool.program()[1]}")
        sys.exit(77)
    main(both, state)
