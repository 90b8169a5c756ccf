#!/usr/bin/python3
"""A job that penstock.yml derives for production: what is said at the push, what is deployed, what its run reads.

Pipelines' setup.py files here write their wheel by themselves, so a bare Python prefix is toolchain enough. Judged by
the definitions in force on the fabric, by the printed JSON and by the run's log. Exit status 77 without a sandbox.
"""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, check, main, run, wait  # noqa: E402

MAIN = "refs/heads/main"
JOB, FROM = "jobs/job_production", "jobs/job_development"
PIPELINES = ("customers_orders", "sales_report")
# A wheel with the config instances; its main prints what it finds in the one it is told.
SETUP = """
import glob, os, sys, zipfile
name = os.environ.get("NAME") or os.path.basename(os.path.dirname(os.getcwd()))
MAIN = '''
import json, os, sys
def main():
    i = sys.argv[sys.argv.index("-i") + 1]
    text = __loader__.get_data(os.path.join(os.path.dirname(__file__), i + ".json"))
    print("instance", i, "values", json.dumps(json.loads(text), sort_keys=True))
'''
with zipfile.ZipFile(f"{sys.argv[-1]}/{name}-1.0-py3-none-any.whl", "w") as z:
    def put(path, text):
        i = zipfile.ZipInfo(path)
        i.external_attr = 0o100644 << 16
        z.writestr(i, text)
    put(f"{name}/__init__.py", "")
    put(f"{name}/pipeline.py", MAIN)
    for path in sorted(glob.glob("configs/resources/config/*.json")):
        with open(path) as f:
            put(f"{name}/" + os.path.basename(path), f.read())
    put(f"{name}-1.0.dist-info/METADATA", f"Name: {name}\\nVersion: 1.0\\n")
    put(f"{name}-1.0.dist-info/entry_points.txt", f"[console_scripts]\\nmain = {name}.pipeline:main\\n")
"""


class Scene(Instance):
    """An instance with a bare toolchain whose production is deployed to by itself."""

    def __init__(self):
        if run(os.path.join(BUILD, "sandbox_try"), "--probe", expect=None).returncode:
            print("SKIP: no sandbox on this machine")
            sys.exit(77)
        super().__init__()
        prefix = os.path.join(self.dir, "toolchains", "default")
        run("/usr/bin/python3", "-m", "venv", "--without-pip", prefix)
        with open(os.path.join(prefix, ".penstock-toolchain"), "w", encoding="utf-8") as f:
            f.write("penstock-toolchain 1\n")
        self.configure(("    deploy: approve  ", "    deploy: auto     "),
                       ("    fabric: production\n", "    fabric: production\n    push: developers\n"))

    def configure(self, *changes):
        """Edits penstock.yml; what is running takes it with `reload`."""
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for old, new in changes:
            check(text.count(old) == 1, f"penstock.yml has {old!r} {text.count(old)} times")
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        if self.parent:
            self.penstock("reload")

    def project(self, name="sales"):
        c = self.example(self.repository(name))
        c.git("rm", "-rq", *glob.glob("pipelines/*/code/test", root_dir=c.path))
        for p in PIPELINES:
            c.write(f"pipelines/{p}/code/setup.py", SETUP + f"# setup(name='{p}', version='1.0')\n")
        c.commit("wheels without Spark")
        return c

    def release(self, clone, tag, message=None, repository="sales"):
        """Tags HEAD, or a new commit; what production has of the project afterwards, and what the push said."""
        if message:
            clone.commit(message)
        clone.git("tag", tag)
        p = clone.push(tag)
        wait(f"{tag} of {repository} is done", lambda: [e for e in self.events() if e["ref"] == "refs/tags/" + tag and
             e["repository"].startswith(repository) and e["state"] == "done"], every=0.2)
        return self.jobs("production", repository), p.text


def instances(definition):
    return [t["python_wheel_task"]["parameters"] for t in definition["request"]["tasks"]]


def places_of_the_fabric(definition):
    conf = definition["request"]["job_clusters"][0]["new_cluster"]["spark_conf"]
    return [definition["fabric_id"], conf["spark.prophecy.metadata.fabric.id"]]


def log_of(a, number):
    return a.penstock("log", number).stdout


def deployed_and_run_with_its_own_values():
    with Scene() as a:
        c = a.project()
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        dev = a.jobs("development", "sales")[FROM]
        jobs, text = a.release(c, "v1.0.0")
        check("+ job_production new" in text and "+ job_reports new" in text, text)
        check(sorted(jobs) == [JOB, "jobs/job_reports"], sorted(jobs))
        made = jobs[JOB]
        check(places_of_the_fabric(dev) == ["1174"] * 2 and places_of_the_fabric(made) == ["4004"] * 2, made)
        check(made["request"]["name"] == "job_production", made["request"]["name"])
        check(instances(dev) == [["-i", "dev", "-O", "{}"]] * 2, instances(dev))
        check(instances(made) == [["-i", "prod", "-O", "{}"]] * 2, instances(made))
        check(made["request"]["schedule"]["pause_status"] == "UNPAUSED", made["request"]["schedule"])
        check(dev["request"]["schedule"]["pause_status"] == "PAUSED", dev["request"]["schedule"])
        for was, now in zip(dev["request"]["tasks"], made["request"]["tasks"]):
            check(was.get("depends_on") == now.get("depends_on"), now)
            check(now["libraries"][0]["whl"].endswith(os.path.basename(was["libraries"][0]["whl"])), now)
        the_run(a)
        plans(a, c)
        in_a_working_copy(a)
        rules_changed(a, c)
        what_waits_is_what_is_planned(a, c)


def the_run(a):
    a.penstock("--as", "kim", "run", "job_production", "--fabric", "production")
    number = a.items("runs")[0]["id"]
    text = log_of(a, number)
    check(text.count("instance prod values") == 2 and '"customer_totals": "prod/customer_totals"' in text, text)
    a.penstock("run", "job_development", "--fabric", "development")
    text = log_of(a, a.items("runs")[0]["id"])
    check(text.count("instance dev values") == 2 and "prod/customer_totals" not in text, text)


def plans(a, c):
    """What is planned is what was done; what is changed by hand is seen, and what is foreign is not."""
    plan = lambda *args, code=0: a.json("plan", "production", *args, expect=code)
    first = plan()
    check(first["state"] == "unchanged" and first["ref"] == "refs/tags/v1.0.0" and first["seen"] is None, first)
    check({i["id"]: i["state"] for i in first["items"]} == {JOB: "unchanged", "jobs/job_reports": "unchanged"}, first)
    top = a.fabric("production", "jobs", "sales", "current", "jobs")
    with open(os.path.join(top, "foreign.json"), "w", encoding="utf-8") as f:
        f.write("{}")
    os.makedirs(a.fabric("production", "jobs", "elsewhere"))
    looked = plan("v1.0.0", "--refresh", "--exit-code")
    check(looked["digest"] == first["digest"] and looked["seen"], "a run, foreign jobs and a look change nothing")
    path = os.path.join(top, "job_production.json")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    os.chmod(path, 0o644)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace('"UNPAUSED"', '"PAUSED"'))
    check(plan()["digest"] == first["digest"], "nobody has looked")
    drifted = plan("--refresh", "--exit-code", code=4)
    check(drifted["digest"] != first["digest"] and drifted["state"] == "changed", drifted)
    check([(i["id"], i["drifted"]) for i in drifted["items"]] == [(JOB, True), ("jobs/job_reports", False)], drifted)
    text2 = a.penstock("plan", "production", "v1.0.0").stdout
    check(f"~ {JOB}  changed on the fabric since it was deployed" in text2 and "= jobs/job_reports" in text2, text2)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    check(plan("--refresh")["digest"] == first["digest"], "it is as it was")
    os.unlink(os.path.join(top, "foreign.json"))
    # another label, a prefix of the id, what is not there
    main = plan("main", "--exit-code")
    check(main["release"] == first["release"] and main["digest"] == first["digest"], "the same content changes nothing")
    check(main["next"] == "penstock history production", main["next"])
    check(a.json("plan", "development", first["release"][:12])["digest"] != first["digest"], "another fabric")
    for args, why in ((("nowhere",), "no environment 'nowhere'"), (("production", "v9"), "no release is called 'v9'"),
                      (("airflow",), "none of the newest labels goes to environment airflow")):
        said = a.penstock("plan", *args, expect=1).stderr
        check(why in said and "next: " in said, said)


def in_a_working_copy(a):
    """The same job made in Git: its definition is what the rule makes of it, and the project stays sound."""
    c = a.project("second")
    own = ("job", "derive", c.path, "--from", FROM, "--as", JOB, "--config", "prod", "--fabric", "4004")
    made = a.items(*own)
    check([(m["id"], m["state"], m["fabric_id"], m["files"]) for m in made] == [(JOB, "new", 4004, 3)], made)
    found = a.json("check", c.path, "--new")["items"]
    check(found == [], found)
    changed = c.git("diff", "--numstat").stdout.split()
    check(changed[1:] == ["0", "pbt_project.yml"], f"lines of the project file were changed: {changed}")
    before = c.git("status", "--porcelain", "-uall").stdout
    for args, why in ((own, "nothing is overwritten"), (own[:6] + (JOB + "2", "--config", "none"), "no config instance"),
                      (own[:4] + ("jobs/none", "--as", JOB + "2"), "has no job 'jobs/none'"),
                      (own[:4] + ("jobs/airflow_orders", "--as", JOB + "2"), "only such jobs can be derived")):
        check(why in a.penstock(*args, expect=1).stderr, args)
    check(c.git("status", "--porcelain", "-uall").stdout == before, "a refusal wrote something")
    a.configure(("          as: jobs/job_production\n", "          as: jobs/by_the_rule\n"))
    jobs, _ = a.release(c, "v1.0.0", "in Git", "second")
    a.configure(("          as: jobs/by_the_rule\n", "          as: jobs/job_production\n"))
    c.git("tag", "v1.0.1")
    said = c.push("v1.0.1", expect=1).text
    check(re.search(rf"pbt_project\.yml:\d+:3: error: '{JOB}' is a job of the project on fabric 4004, and environment "
                    r"production derives one of that key there from 'jobs/job_development' \(penstock\.yml:\d+\) "
                    r"\[PS-JOB-111\]", said), said)
    c.push("HEAD:" + MAIN)		# main goes elsewhere
    rule = json.dumps(jobs["jobs/by_the_rule"]).replace("by_the_rule", "job_production")
    check(json.loads(rule) == jobs[JOB], f"the rule makes {rule}, the command {jobs[JOB]}")


def rules_changed(a, c):
    """Each change of the rule is told at the push and done; what cannot be done is told with the rule's line."""
    pause = lambda jobs: jobs[JOB]["request"]["schedule"]["pause_status"]
    a.configure(("          enabled: true\n", "          enabled: false\n          schedule: { timezone_id: Europe/Paris }\n"
                 "          patch: { max_concurrent_runs: 3, email_notifications: null }\n"))
    jobs, text = a.release(c, "v1.0.1")
    request = jobs[JOB]["request"]
    check("~ job_production email_notifications, max_concurrent_runs, schedule" in text, text)
    check((request["max_concurrent_runs"], "email_notifications" in request) == (3, False), request)
    check(request["schedule"]["timezone_id"] == "Europe/Paris", request)
    check(request["schedule"]["quartz_cron_expression"] == "0 0 6 * * ? *", request)
    check(pause(jobs) == "UNPAUSED", "enabled is for the day the job is made")
    a.configure(("          enabled: false\n", "          enabled: false\n          enforce_schedule: true\n"))
    check(pause(a.release(c, "v1.0.2")[0]) == "PAUSED", "enforced")
    a.configure(("          as: jobs/job_production\n", f"          as: {FROM}\n"))
    jobs, _ = a.release(c, "v1.0.3")
    check(jobs[FROM]["fabric_id"] == "4004", "a key of another fabric is free on this one")
    a.configure((f"          as: {FROM}\n", "          as: jobs/job_production\n"))
    for n, (old, new, why) in enumerate((
            ("config: prod", "config: nowhere", "'pipelines/customers_orders' has no config instance 'nowhere'"),
            (f"from: {FROM}", "from: jobs/none", "the project has no job 'jobs/none'"))):
        before, tag = a.snapshot("production"), f"v1.1.{n}"
        a.configure((old, new))
        c.git("tag", tag)
        said = c.push(tag).text
        a.wait_event("refs/tags/" + tag)
        warned = f"warning: environment production derives '{JOB}' from 'jobs/none'" in said and "[PS-JOB-110]" in said
        check(warned == ("none" in new), said)
        line = re.search(r"derive 'jobs/job_production' \(penstock\.yml:(\d+)\): ", said)
        check("production: cannot be deployed: " in said and why in said and line, said)
        with open(os.path.join(a.dir, "penstock.yml"), encoding="utf-8") as f:
            check("- from: " in f.read().split("\n")[int(line[1]) - 1], line[0])
        told = a.penstock("why", a.events("refs/tags/" + tag)[-1]["id"]).stdout
        check(line[0] in told and why in told, told)
        check(a.snapshot("production") == before, "something was changed")
        a.configure((new, old))


def what_waits_is_what_is_planned(a, c):
    """Of a deployment that waits for its approval: the plan that it is bound to, and how to give it."""
    a.configure(("    deploy: auto     ", "    deploy: approve  "))
    c.git("tag", "v2.0.0")
    c.push("v2.0.0")
    d = wait("it waits", lambda: next((d for d in a.items("history", "production") if d["ref"] == "refs/tags/v2.0.0" and
                                       d["state"] == "waiting" and d["plan_digest"]), None), every=0.2)
    plan = a.json("plan", "production")
    check((plan["ref"], plan["deployment"], plan["digest"]) == ("refs/tags/v2.0.0", d["id"], d["plan_digest"]), (plan, d))
    check(plan["next"] == "penstock approve " + d["id"], plan["next"])
    check(a.json("plan", "production", plan["release"][:12])["deployment"] == d["id"], "by the id of its release")
    other = a.json("plan", "production", "v1.0.1", "--repo", "sales")
    check(other["deployment"] is None and other["next"] == "penstock promote v1.0.1 production", other)


if __name__ == "__main__":
    main(deployed_and_run_with_its_own_values)
