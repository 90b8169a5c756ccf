#!/usr/bin/python3
"""What a push says will happen is what happens: the builds that are begun, and what changes on the fabric.

Judged by the printed list of builds and by the rendered definitions that are in force on the fabric before and after.
Needs /usr/bin/python3 with setuptools and wheel, no Spark; exit status 77 without them or without a sandbox.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, plain_toolchain, wait  # noqa: E402

MAIN = "refs/heads/main"
ORDERS, REPORT = "pipelines/customers_orders", "pipelines/sales_report"
JOB = "jobs/job_development"
YML = "pbt_project.yml"
UNSURE = " (if the build differs)"
DEFINITION = JOB + "/code/databricks-job.json"


def said(push, label):
    """(to build, of all, unchanged, under way), where it goes, and what of the fabric's jobs; None: no forecast."""
    lines = [l for l in push.lines if l.startswith(label + ": ") and "; then " in l]
    if not lines:
        return None
    text, then = lines[0][len(label) + 2:].split("; then ")
    m = re.fullmatch(r"(\d+) of (\d+) pipelines? to build(?: \((?:(\d+) unchanged)?(?:, )?(?:(\d+) under way)?\))?", text)
    same = re.fullmatch(r"nothing to build \((\d+) pipelines? unchanged\)", text)
    check(m or same, f"not understood: {text}")
    counts = (0, int(same[1]), int(same[1]), 0) if same else tuple(int(g or 0) for g in m.groups())
    fabric = then.split(" ")[0]
    at = push.lines.index(lines[0]) + 1
    items = push.lines[at] if at < len(push.lines) and push.lines[at].startswith(fabric + ": ") else ""
    while items.endswith(";"):		# wrapped
        at += 1
        items += " " + push.lines[at]
    return counts, then, set(items[len(fabric) + 2:].split("; ")) if items else set()


def fields(was, now):
    """Names of what differs in a definition, as a forecast says them."""
    def parts(doc):
        request = dict(doc["request"])
        tasks = {t["task_key"]: t for t in request.pop("tasks")}
        return {**{k: v for k, v in doc.items() if k != "request"}, **request}, tasks
    (a, ta), (b, tb) = parts(was), parts(now)
    out = {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)}
    for key in ta.keys() | tb.keys():
        if key not in ta or key not in tb:
            out.add("task " + key)
        else:
            out |= {k for k in ta[key].keys() | tb[key].keys() if ta[key].get(k) != tb[key].get(k)}
    return out


def wheels(fabric, job):
    """Bytes of the wheels that a job names."""
    out = []
    for task in job["request"]["tasks"]:
        with open(os.path.join(fabric, "FileStore", task["libraries"][0]["whl"].removeprefix("dbfs:/FileStore/")), "rb") as f:
            out.append(f.read())
    return out


def version_of(job):
    return job["request"]["tasks"][0]["libraries"][0]["whl"].split("/")[-3]


def happened(before, after, fabric):
    """The same of two states of a fabric. Each job has a version of its own, which may stand everywhere in it."""
    out, same = set(), 0
    for key in before.keys() | after.keys():
        name = key[len("jobs/"):]
        if key not in before:
            out.add(f"+ {name} new")
        elif key not in after:
            out.add(f"- {name} no longer in the project")
        elif before[key] == after[key]:
            same += 1
        else:
            neutral = json.loads(json.dumps(after[key]).replace(version_of(after[key]), version_of(before[key])))
            names = sorted(fields(before[key], neutral))
            names += ["artifacts"] if wheels(fabric, before[key]) != wheels(fabric, after[key]) else []
            names += ["version"] if neutral != after[key] else []
            out.add(f"~ {name} {', '.join(names)}")
    return out | ({f"= {same} unchanged"} if same else set())


class Scene:
    def __init__(self, env=None):
        self.a = Instance(plain_toolchain(), env=env)

    def __enter__(self):
        self.a.start()
        wait("the toolchain is known", lambda: (self.a.json("status")["toolchain"] or {}).get("digest"))
        self.clone = self.a.example(self.a.repository("sales"))
        for pipeline in (ORDERS, REPORT):	# there is no pytest and no Spark here
            self.clone.git("rm", "-rq", f"{pipeline}/code/test")
        return self

    def __exit__(self, *why):
        return self.a.__exit__(*why)

    def wanted(self):
        """What is in force and not left behind: an orphan stays, paused by us."""
        def is_orphan(key):
            path = self.a.fabric("development", "jobs", "sales", "paused", key + ".json")
            if not os.path.exists(path):
                return False
            with open(path, encoding="utf-8") as f:
                return f.read() == "orphan\n"
        return {k: v for k, v in self.a.jobs("development", "sales").items() if not is_orphan(k)}

    def push(self, what, *refs, states=("done",)):
        """Pushes HEAD to main (and refs); the forecast for main must be what then happens."""
        commit = self.clone.commit(what)
        jobs, builds = self.wanted(), len(self.a.builds())
        p = self.clone.push("HEAD:" + MAIN, *refs)
        check(len(p.lines) <= 12, f"{what}: {len(p.lines)} lines\n{p.all}")
        told = said(p, "main")
        check(told, f"{what}: no forecast\n{p.all}")
        self.a.wait_event(MAIN, commit, states)
        begun = len(self.a.builds()) - builds
        check(told[0][0] == begun, f"{what}: {begun} builds were begun\n{p.all}")
        check(told[0][0] + sum(told[0][2:]) == told[0][1], f"{what}: the counts do not add up\n{p.all}")
        check(told[1] == "development (auto)", f"{what}: {told[1]}")
        came = happened(jobs, self.wanted(), self.a.fabric("development"))
        sure = {i.replace(UNSURE, "") for i in told[2]}
        if sure != told[2] and "= 1 unchanged" in came:		# built anew, to the same bytes
            sure = {i for i in sure if not i.startswith("~")} | {"= 1 unchanged"}
        check(sure == came, f"{what}: on the fabric {came}\n{p.all}")
        return p, told


def second_job(s, name):
    """A copy of the development job under another name."""
    text = s.clone.read(YML)
    at, end = text.index("  jobs/job_development:"), text.index("  jobs/job_reports:")
    s.clone.write(YML, text[:end] + text[at:end].replace("job_development", name) + text[end:])
    s.clone.write(f"jobs/{name}/code/databricks-job.json", s.clone.read(DEFINITION).replace("job_development", name))


def one_push_after_the_other():
    with Scene() as s:
        _, told = s.push("the first")
        check(told[0] == (2, 2, 0, 0) and told[2] == {"+ job_development new"}, told)
        s.clone.write("README.md", "other words\n")
        _, told = s.push("README only")
        check(told[0] == (0, 2, 2, 0) and told[2] == {"= 1 unchanged"}, told)
        check(s.push("the same tree")[1][2] == {"= 1 unchanged"}, "its release is known, to the last digit")
        s.clone.write(f"{REPORT}/code/more.txt", "x\n")
        check(s.push("one pipeline, whose wheel stays")[1][0] == (1, 2, 1, 0), "one of two")
        s.clone.write(f"{REPORT}/code/sales_report/more.py", "x = 1\n")
        _, told = s.push("one pipeline")
        check(told[0] == (1, 2, 1, 0) and told[2] == {f"~ job_development artifacts{UNSURE}, version"}, told)
        s.clone.edit(DEFINITION, '"max_retries" : 0', '"max_retries" : 3')
        check(s.push("a job's retries")[1][2] == {"~ job_development max_retries, version"}, "its field is named")
        second_job(s, "job_two")
        check("+ job_two new" in s.push("another job")[1][2], "a new job")
        text = s.clone.read(YML)
        at, end = text.index("  jobs/job_two:"), text.index("  jobs/job_reports:")
        s.clone.write(YML, text[:at] + text[end:])
        s.clone.git("rm", "-rq", "jobs/job_two")
        check("- job_two no longer in the project" in s.push("it is removed")[1][2], "an orphan")
        check(s.clone.push("HEAD:refs/heads/airflow").text.count("nothing to build (2 pipelines unchanged)") == 1, "again")
        dry_run(s)
        two_refs(s)
        many_refs(s)


def dry_run(s):
    """The same forecast, and nothing has changed."""
    s.clone.write(f"{ORDERS}/code/customers_orders/dry.py", "x = 1\n")
    s.clone.commit("dry")
    events = len(s.a.events())
    p = s.clone.push("-o", "penstock.dry-run", "HEAD:" + MAIN, expect=1)
    told = said(p, "main")
    check(told and told[0] == (1, 2, 1, 0) and told[2] == {f"~ job_development artifacts{UNSURE}, version"}, p.all)
    check("nothing was changed" in p.text and len(s.a.events()) == events, p.all)
    check(s.push("and in earnest")[1] == told, "it would have been the same")


def two_refs(s):
    """A branch and a tag of one commit: what both need is built once, and is said once."""
    s.clone.write(f"{ORDERS}/code/customers_orders/more.py", "x = 1\n")
    before = len(s.a.builds())
    p, _ = s.push("two refs at once", "HEAD:refs/tags/v9.0.0")
    tag = said(p, "v9.0.0")
    check(tag and tag[0] == (0, 2, 1, 1), p.all)
    check(tag[1] == "production (needs approval of prod_support)", p.all)
    wait("the tag is surveyed", lambda: s.a.events("refs/tags/v9.0.0"))
    check(len(s.a.builds()) == before + 1, "one build for both")


def many_refs(s):
    s.clone.commit("many refs")
    p = s.clone.push(*[f"HEAD:refs/tags/v8.0.{i}" for i in range(20)])
    check(len(p.lines) <= 12, f"{len(p.lines)} lines\n{p.all}")
    check("and 19 more" in p.lines and ", and 17 more" in p.text, p.all)
    check(said(p, "v8.0.0"), p.all)


def answered_without_it():
    """Whatever keeps the forecast away, the push is answered as without it, and its event is done all the same."""
    for point in ("core/core.forecast=EIO", "worker/gate.outlook=EIO"):
        with Scene({"PENSTOCK_FAILPOINTS": point}) as s:
            commit = s.clone.commit("the first")
            p = s.clone.push("HEAD:" + MAIN)
            check(said(p, "main") is None and "main: . -> development (auto)" in p.lines, f"{point}\n{p.all}")
            s.a.wait_event(MAIN, commit)


def without_an_agent():
    with Scene() as s:
        s.clone.commit("the first")
        s.a.stop()
        p = s.clone.push("HEAD:" + MAIN)
        check(said(p, "main") is None and "main: . -> development (auto)" in p.lines, p.all)
        s.a.start()


if __name__ == "__main__":
    main(one_push_after_the_other, answered_without_it, without_an_agent)
