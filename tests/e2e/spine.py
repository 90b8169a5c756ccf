#!/usr/bin/python3
"""The main job, end to end: a push is judged, becomes an event, is built, released, deployed, run."""
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, run, toolchain, wait, BUILD, clean_env  # noqa: E402

MAIN = "refs/heads/main"


def rows(prefix, folder):
    """The parquet rows of a folder, read by Spark itself."""
    code = ("import json,sys\nfrom pyspark.sql import SparkSession\n"
            "s=SparkSession.builder.master('local[1]').config('spark.ui.enabled','false').getOrCreate()\n"
            "print('ROWS'+json.dumps(sorted(json.dumps(r.asDict(),default=str,sort_keys=True) "
            "for r in s.read.parquet(sys.argv[1]).collect())))")
    p = run(os.path.join(prefix, "bin", "python"), "-c", code, folder, env=clean_env(SPARK_LOCAL_IP="127.0.0.1"))
    return json.loads([l for l in p.stdout.split("\n") if l.startswith("ROWS")][0][4:])


def push_to_run():
    prefix = toolchain()
    with Instance(prefix) as a:
        clone = a.example(a.repository("sales"))
        p = clone.push("HEAD:" + MAIN)
        check("development" in p.text, f"the push does not say where it goes:\n{p.all}")
        check(any("e1" in l for l in p.lines), f"the push does not name its event:\n{p.all}")
        check(len(p.lines) <= 12, f"an accepted push printed {len(p.lines)} lines")
        e = a.wait_event(MAIN)
        check(e["pusher"] and "ana" in e["pusher"], f"pusher is {e['pusher']}")
        builds = a.builds()
        check(len(builds) == 2 and all(b["state"] == "passed" for b in builds), f"builds: {builds}")
        jobs = a.jobs("development", "sales")
        check(list(jobs) == ["jobs/job_development"], f"jobs on development: {list(jobs)}")
        check("PLACEHOLDER" not in json.dumps(jobs), "a placeholder was left")
        wheels = glob.glob(a.fabric("development", "FileStore/prophecy/artifacts/**/*.whl"), recursive=True)
        check(len(wheels) == 2, f"wheels on the fabric: {wheels}")
        for b in builds:
            path = [w for w in wheels if os.path.basename(w) == b["name"]][0]
            got = run("sha256sum", path).stdout.split()[0]
            check(got == b["digest"], f"{path} has {got}, built was {b['digest']}")
        check({b["pipeline"]: b["tests"].split(": ")[1] for b in builds} ==
              {"pipelines/customers_orders": "9 passed", "pipelines/sales_report": "4 passed"}, f"tests: {builds}")
        same_tree_elsewhere(a, clone, len(builds))
        check(len(a.items("tests")) == 2, f"tested again: {a.items('tests')}")
        runs_differ(a, prefix)
        failing_test(a, clone)
        broken_build(a, clone)


def same_tree_elsewhere(a, clone, nbuilds):
    """Another branch, a tag: nothing is built again, the release is the same."""
    release = a.items("releases")[0]["id"]
    clone.push("HEAD:refs/heads/other", "HEAD:refs/tags/v1.0.0")
    e = a.wait_event("refs/heads/other")
    check("nowhere" in (e["reason"] or ""), f"other maps nowhere, but: {e['reason']}")
    why = a.penstock("why", "refs/heads/other").stdout
    check("nowhere" in why, f"why does not say so:\n{why}")
    wait("the tag waits for approval",
         lambda: "approval" in a.penstock("why", "refs/tags/v1.0.0").stdout)
    check(len(a.builds()) == nbuilds, f"built again: {a.builds()}")
    check({r["id"] for r in a.items("releases")} == {release}, "another release for the same content")


def runs_differ(a, prefix):
    a.feed("development")
    a.penstock("run", "job_development", "--fabric", "development")
    a.penstock("run", "jobs/job_development", "--fabric", "development", "--config", "prod")
    dev = rows(prefix, a.fabric("development", "data/dev/customer_totals"))
    prod = rows(prefix, a.fabric("development", "data/prod/customer_totals"))
    check(len(dev) == 11 and len(prod) == 6, f"rows: dev {len(dev)}, prod {len(prod)}")
    check(dev != prod, "dev and prod wrote the same rows")
    runs = a.items("runs")
    check({r["id"] for r in runs} == {"x1", "x2"} and all(r["state"] == "passed" for r in runs), f"runs: {runs}")
    one = a.json("runs", "x1")
    tasks = one["tasks"]
    check([t["state"] for t in tasks] == ["passed", "passed"], f"tasks: {tasks}")
    check(all(t["started"] and t["ended"] and t["last"] for t in tasks), f"tasks lack their times or last line: {tasks}")
    log = a.penstock("log", "x1/customers_orders").stdout
    check("wrote 11 rows" in log, f"log of x1/customers_orders:\n{log[-2000:]}")
    p = a.penstock("run", "job_development", "--fabric", "development", "--config", "nosuch", expect=1)
    check("nosuch" in p.stderr, p.stderr)


def failing_test(a, clone):
    """A transformation that is wrong: its test on Spark is named, the fabric stays as it is byte for byte."""
    before, releases = a.snapshot("development", "data"), len(a.items("releases"))
    path = "pipelines/sales_report/code/sales_report/graph/by_country.py"
    good = clone.read(path)
    clone.edit(path, 'F.desc("total_eur")', 'F.asc("total_eur")')
    commit = clone.commit("sort the wrong way round")
    clone.push("HEAD:" + MAIN)
    e = a.wait_event(MAIN, commit)
    check("failed" in e["reason"], f"event: {e}")
    why = a.penstock("why", MAIN).stdout
    case = "test_by_country.py::ByCountryTest::test_sums_largest_country_first"
    check("pipelines/sales_report/code/test/sales_report/graph/" + case in why, f"why does not name the test:\n{why}")
    test = [t for t in a.items("tests") if t["state"] == "failed"][0]
    told = a.penstock("tests", test["id"]).stdout
    check(case in told and "failed" in told, f"tests does not name it:\n{told}")
    check(a.snapshot("development", "data") == before, "the fabric was touched")
    check(len(a.items("releases")) == releases, "it was released")
    clone.write(path, good)


def broken_build(a, clone):
    """A wheel that cannot be built: its last lines are told, the fabric is not touched."""
    before = a.snapshot("development", "data")
    setup = "pipelines/sales_report/code/setup.py"
    good = clone.read(setup)
    clone.write(setup, "raise SystemExit('this wheel cannot be built')\n" + good)
    commit = clone.commit("break the wheel")
    clone.push("HEAD:" + MAIN)
    e = a.wait_event(MAIN, commit)
    check("failed" in e["reason"], f"event: {e}")
    failed = [b for b in a.builds() if b["state"] == "failed"]
    check(len(failed) == 1 and "this wheel cannot be built" in json.dumps(a.json("why", failed[0]["id"])), f"builds: {failed}")
    check("this wheel cannot be built" in a.penstock("log", failed[0]["id"]).stdout, "the log lacks the cause")
    check(a.snapshot("development", "data") == before, "the fabric was touched")
    clone.write(setup, good)


def no_slot_free():
    """A build that takes the only slot: the push of main returns, and why says `builder`."""
    prefix = toolchain()
    with Instance(prefix) as a:
        slow = a.example(a.repository("slow"), "bo")
        setup = "pipelines/sales_report/code/setup.py"
        slow.write(setup, "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n")
        slow.commit("slow")
        slow.push("HEAD:" + MAIN)
        wait("a build runs", lambda: any(b["state"] == "running" and b["pipeline"] == "pipelines/sales_report"
                                         for b in a.builds()), every=0.2)
        clone = a.example(a.repository("sales"))
        clone.edit("functions/sales_functions/money.py", "\n", "\n\n")
        clone.commit("other content")
        clone.push("HEAD:" + MAIN)
        wait("why says builder", lambda: "builder" in a.penstock("why", "e2").stdout)
        status = a.penstock("status").stdout
        check("builder" in status, f"status does not say it:\n{status}")


def no_toolchain():
    with Instance() as a:
        clone = a.example(a.repository("sales"))
        clone.push("HEAD:" + MAIN)
        wait("why says toolchain", lambda: "toolchain" in a.penstock("why", MAIN).stdout)


def refused_push():
    """Five mistakes in two refs: all five at their line, refs unchanged, the same bytes by check."""
    with Instance() as a:
        repo = a.repository("sales")
        clone = a.example(repo)
        clone.push("HEAD:" + MAIN)
        before = refs_of(repo)
        base = clone.git("rev-parse", "HEAD").stdout.strip()
        yml = clone.read("pbt_project.yml")
        clone.edit("pbt_project.yml", "\njobs:\n", "\nname: twice\njobs:\n")
        clone.edit("pbt_project.yml", "\npipelines:\n", "\npipelines:\n  pipelines/ghost:\n    name: ghost\n    language: python\n")
        clone.commit("first")
        first = clone.git("rev-parse", "HEAD").stdout.strip()
        clone.git("checkout", "-q", base)
        clone.write("pbt_project.yml", yml)
        path = "jobs/job_reports/code/databricks-job.json"
        text = clone.read(path)
        clone.write(path, text[:len(text) // 2])
        clone.edit("pbt_project.yml", "fabricUID: 1174", "fabricUID: 999")
        dev = "jobs/job_development/code/databricks-job.json"
        job = json.loads(clone.read(dev))
        for t in job["request"]["tasks"]:
            for d in t.get("depends_on", []):
                d["task_key"] = "nosuch"
        clone.write(dev, json.dumps(job, indent=2))
        clone.commit("second")
        second = clone.git("rev-parse", "HEAD").stdout.strip()
        p = clone.push(f"{first}:refs/heads/one", f"{second}:refs/heads/two", expect=1)
        errors = [l for l in p.lines if ": error: " in l]
        for word, where in (("name", "pbt_project.yml:"), ("ghost", "pbt_project.yml:"),
                            ("nosuch", dev + ":"), ("999", "pbt_project.yml:"), ("", path + ":")):
            check(any(l.startswith(where) and word in l and l.endswith("]") for l in errors),
                  f"no finding at {where} with {word!r}:\n{p.all}")
        check(refs_of(repo) == before, f"a ref moved: {before} {refs_of(repo)}")
        same_bytes(a, clone, first, second, errors)


def refs_of(repo):
    """What clients see: refs/penstock/ is the agent's own."""
    lines = run("git", "-C", repo, "for-each-ref", env=clean_env()).stdout.split("\n")
    return [l for l in lines if "\trefs/penstock/" not in l]


def same_bytes(a, clone, first, second, errors):
    seen = []
    for oid in (first, second):
        clone.git("checkout", "-q", oid)
        p = run(os.path.join(BUILD, "penstock"), "-C", a.dir, "check", clone.path, expect=1, env=clean_env())
        seen += [l for l in p.stdout.split("\n") if ": error: " in l]
    check(sorted(set(seen)) == sorted(set(errors)), "push and check differ:\n" + "\n".join(errors) + "\n--\n" + "\n".join(seen))


def nothing_to_complain():
    """The example is checked without a warning."""
    with Instance() as a:
        clone = a.example(a.repository("sales"))
        p = a.penstock("check", clone.path)
        check("warning" not in p.stdout and "error:" not in p.stdout, p.stdout)


def ten_mistakes():
    """Ten mistakes, ten lines with line and column; a broken reload keeps the old configuration."""
    with Instance() as a:
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            good = f.read()
        bad = """teams:
  developers: { members: ana, includes: [nobody] }
  developers: { members: [bo] }
  ring: { members: [a], includes: [ring] }
fabrics:
  development: { id: many, owner: strangers, provider: local }
  lake: { id: 2, owner: ring, provider: cloud }
environments:
  - { name: one, refs: [refs/heads/main], fabric: nowhere, deploy: perhaps }
  - { name: one, refs: [refs/heads/x], fabric: lake, deploy: auto, colour: red }
repositories:
  roots: [{ path: repos, identity: guess, hook_users: [root] }]
  default: { budget: soon }
"""
        with open(path, "w", encoding="utf-8") as f:
            f.write(bad)
        p = a.penstock("config", "check", expect=1)
        lines = [l for l in (p.stdout + p.stderr).split("\n") if ": error: " in l]
        check(len(lines) >= 10 and all(l.split(":")[1].isdigit() and l.split(":")[2].isdigit() for l in lines),
              f"{len(lines)} findings:\n" + "\n".join(lines))
        r = a.penstock("reload", expect=1)
        check("in force" in r.stdout + r.stderr, r.stdout + r.stderr)
        clone = a.example(a.repository("sales", install=False))
        with open(path, "w", encoding="utf-8") as f:
            f.write(good)
        a.penstock("install", os.path.join(a.dir, "repos", "sales.git"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(bad)
        check("development" in clone.push("HEAD:" + MAIN).text, "the old configuration is not in force")
        with open(path, "w", encoding="utf-8") as f:
            f.write(good)
        a.penstock("reload")


if __name__ == "__main__":
    main(nothing_to_complain, refused_push, ten_mistakes, no_toolchain, push_to_run, no_slot_free)
