#!/usr/bin/python3
"""The example on real PySpark: both pipelines built by the build role, tested, then run as tasks of a run.

    PENSTOCK_TEST_TOOLCHAIN=PREFIX tests/e2e/sparkrole.py       cwd is the build folder

PREFIX is a venv made from examples/toolchain.txt. Exit status 77 without it, or without a sandbox.
"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SRC = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(SRC, "tests", "support"))
sys.path.insert(0, HERE)
import wire  # noqa: E402
from buildrole import BUILD, YAML, tree_oid  # noqa: E402

SALES = os.path.join(SRC, "examples", "sales")
PREFIX = os.environ.get("PENSTOCK_TEST_TOOLCHAIN")
ROWS = {"dev": (11, 5), "prod": (6, 4)}     # examples/README.md
TESTS = {"customers_orders": 9, "sales_report": 4}
COUNT = """import sys
from pyspark.sql import SparkSession
s = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
print("ROWS", *(s.read.parquet(p).count() for p in sys.argv[1:]))
"""


def export(dest, pipeline, shared=("functions", "subgraphs")):
    inputs = []
    for path in (*shared, f"pipelines/{pipeline}"):
        shutil.copytree(f"{SALES}/{path}", f"{dest}/{path}", ignore=shutil.ignore_patterns("__pycache__"))
        inputs.append({"path": path, "oid": tree_oid(f"{dest}/{path}").hex(), "is_dir": True})
    shutil.copy(f"{SALES}/pbt_project.yml", f"{dest}/pbt_project.yml")
    for folder, _, names in os.walk(dest):      # git archives may come with any mode
        for n in names:
            os.chmod(f"{folder}/{n}", os.stat(f"{folder}/{n}").st_mode | 0o444)
    return inputs


def build(role, top, n, pipeline):
    wheel = f"{pipeline}-1.0-py3-none-any.whl"
    dest = f"{top}/work/export/e{n}"
    os.makedirs(dest)
    inputs = export(dest, pipeline)
    role.send("build_start", build=n, fence=1, slot=n, export=dest, pipeline=f"pipelines/{pipeline}", wheel=wheel,
              prefix=PREFIX, log=f"{top}/logs/b{n}.log", inputs=inputs)
    end = role.recv(300)
    assert end["state"] == "passed", (end, open(f"{top}/logs/b{n}.log").read())
    store = f"{top}/fabrics/development/FileStore/w"
    os.makedirs(store, exist_ok=True)
    shutil.copy(f"{top}/artifacts/{end['digest'][:2]}/{end['digest'][2:]}", f"{store}/{wheel}")
    os.chmod(f"{store}/{wheel}", 0o444)
    print(f"ok   {pipeline}: {end['size']} bytes, {end['digest'][:12]}", flush=True)
    return end["digest"]


def test(role, top, n, pipeline, digest):
    """Its own unit tests, on Spark, against the wheel alone: no shared code lies beside them."""
    dest = f"{top}/work/export/t{n}"
    os.makedirs(dest)
    inputs = export(dest, pipeline, ())
    role.send("test_start", test=n, fence=1, slot=n, export=dest, pipeline=f"pipelines/{pipeline}", digest=digest,
              fabric_name="default", prefix=PREFIX, log=f"{top}/logs/t{n}.log", inputs=inputs, retries=0)
    end = role.recv(600)
    assert end["state"] == "passed" and end["passed"] == TESTS[pipeline], (end, open(f"{top}/logs/t{n}.log").read())
    print(f"ok   {pipeline}: {end['passed']} tests", flush=True)


def run(role, top, n, digests, instance):
    tasks = [{"key": p, "package": p, "entry": "main", "wheel": f"w/{p}-1.0-py3-none-any.whl", "digest": d,
              "parameters": ["-i", instance, "-O", "{}"], "after": after}
             for (p, d), after in zip(digests.items(), ([], ["customers_orders"]))]
    role.send("run_start", run=n, fence=1, slot=0, fabric_dir=f"{top}/fabrics/development", prefix=PREFIX,
              log_dir=f"{top}/logs/x{n}", tasks=tasks)
    last = {}
    while True:
        m = role.recv(600)
        if m["type"] == "run_end":
            break
        last[m["task"]] = m
    logs = "".join(open(f"{top}/logs/x{n}/{f}").read() for f in os.listdir(f"{top}/logs/x{n}"))
    assert m["state"] == "passed", (m, logs)
    print(f"ok   run with instance {instance}:", {k: v.get("last") for k, v in last.items()}, flush=True)


def rows(top, instance):
    data = f"{top}/fabrics/development/data/{instance}"
    return [f"{data}/{d}" for d in sorted(os.listdir(data))]


def main():
    if not PREFIX or subprocess.run(["./sandbox_try", "--probe"], stdout=subprocess.DEVNULL).returncode:
        print("skipped: PENSTOCK_TEST_TOOLCHAIN is not set, or there is no sandbox")
        return 77
    top = tempfile.mkdtemp(prefix="penstock-sparkrole-")
    role = None
    try:
        os.chmod(top, 0o755)
        for name in ("artifacts", "logs", "work/export", "work/build", "toolchains", "state", "repos"):
            os.makedirs(f"{top}/{name}")
        shutil.copytree(os.path.join(SRC, "examples", "data"), f"{top}/fabrics/development/data")
        yaml = YAML % (f"{top}/repos", os.getuid(), "10m")
        yaml = yaml.replace("memory: 1G", "memory: 4G").replace("disk: 64M", "disk: 1G").replace(
            "processes: 300", "processes: 512").replace("quiet: 20s", "quiet: 5m")
        with open(f"{top}/penstock.yml", "w") as f:
            f.write(yaml)
        role = wire.Role(BUILD, top, yaml)
        role.ask("toolchain_query", id=1)       # its start is over: until then it empties work/export
        digests = {p: build(role, top, n, p) for n, p in enumerate(("customers_orders", "sales_report"), 1)}
        for n, (pipeline, digest) in enumerate(digests.items(), 1):
            test(role, top, n, pipeline, digest)
        for n, instance in enumerate(ROWS, 10):
            run(role, top, n, digests, instance)
        for instance, want in ROWS.items():
            p = subprocess.run([f"{PREFIX}/bin/python", "-c", COUNT, *rows(top, instance)], capture_output=True,
                               text=True, env={"PATH": "/usr/bin:/bin", "SPARK_LOCAL_IP": "127.0.0.1"})
            got = [line for line in p.stdout.splitlines() if line.startswith("ROWS")]
            names = [os.path.basename(x) for x in rows(top, instance)]
            assert got, p.stderr
            count = dict(zip(names, map(int, got[0].split()[1:])))
            assert sorted(count.values()) == sorted(want), (instance, count, want)
            print(f"ok   {instance}: {count}", flush=True)
        wheel = hashlib.sha256(open(f"{top}/fabrics/development/FileStore/w/customers_orders-1.0-py3-none-any.whl",
                                    "rb").read()).hexdigest()
        assert wheel == digests["customers_orders"]
    finally:
        if role:
            role.stop()
        shutil.rmtree(top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
