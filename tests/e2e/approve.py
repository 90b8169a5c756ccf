#!/usr/bin/python3
"""The gates of a deployment as people meet them, on the instance that init writes: a tag waits for its approval,
who may not give it, what makes it void; promote, reject, deploy by hand, after, freezes, locks, windows.

No Spark, no tests: the pipelines' setup.py write their wheels by themselves. Judged by the printed JSON and by the fabric's
files. Exit status 77 where no sandbox can be made.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from acts import PIPELINES, WRITES  # noqa: E402
from agent import Instance, check, main, plain_toolchain, wait  # noqa: E402

MAIN, PROD = "refs/heads/main", "production"

class Agent(Instance):
    def __init__(self, *changes):
        super().__init__(plain_toolchain())
        self.configure(*changes, reload=False)

    def configure(self, *changes, reload=True):
        """(old, new) of penstock.yml, put in force."""
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for old, new in changes:
            check(old in text, f"penstock.yml does not hold {old!r}")
            text = text.replace(old, new, 1)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        if reload:
            self.penstock("reload")

    def as_(self, who, *args, expect=0):
        p = self.penstock("--as", who, *args, expect=expect)
        return p.stdout + p.stderr

    def project(self, name="sales"):
        """The example, quickly built and without tests, pushed by ana and deployed to development."""
        c = self.example(self.repository(name))
        for p in PIPELINES:
            c.git("rm", "-rq", f"pipelines/{p}/code/test")
            c.write(f"pipelines/{p}/code/setup.py", WRITES + f"\nsetup(name='{p}', version='1.0')\n")
        c.commit()
        c.push("HEAD:" + MAIN)
        self.wait_event(MAIN)
        return c

    def tag(self, c, name, who="lee", **kw):
        c.who = who
        c.push(f"HEAD:refs/tags/{name}", **kw)

    def deployments(self, fabric=PROD):
        return sorted(self.items("history", fabric), key=lambda d: int(d["id"][1:]))

    def last(self, fabric=PROD):
        return self.deployments(fabric)[-1]

    def stands(self, reason, fabric=PROD, has=""):
        """The last deployment there waits for that, once it does."""
        def look():
            ds = self.deployments(fabric)
            d = ds[-1] if ds else None
            return d if d and d["state"] == "waiting" and d["reason"] == reason and has in d["detail"] else None
        return wait(f"{fabric} waits for {reason} {has}: {[(d['id'], d['state'], d['reason'], d['detail']) for d in self.deployments(fabric)]}",
                    look, 60, every=0.1)

    def ends(self, state, number=None, fabric=PROD):
        def look():
            d = [d for d in self.deployments(fabric) if number in (None, d["id"])][-1]
            return d if d["state"] == state else None
        return wait(f"{number or 'the last'} on {fabric} is {state}: {self.deployments(fabric)}", look, 60, every=0.1)


def a_tag_waits_for_production_support():
    with Agent() as a:
        c = a.project()
        built = a.builds()
        live = a.last("development")
        c.who = "lee"
        p = c.push("HEAD:refs/tags/v1.0.0")
        check("approval" in p.text and "prod_support" in p.text, p.text)
        d = a.stands("approval", has="prod_support 0/1")
        check(a.builds() == built, "something was built again")
        check(d["release"] == live["release"] and d["version"] == "v1.0.0", d)
        check(d["lift"] == f"penstock approve {d['id']}" and d["blocked_by"] == "team prod_support", d)
        one = a.items("approvals")[0]
        check(one["deployment"] == d["id"] and one["environment"] == PROD and one["could"] == ["kim"] and
              one["pushed_by"] == ["lee"] and one["given"] == 0 and one["plan_digest"], one)
        # who may not, why, and who could
        text = a.as_("ana", "approve", d["id"], expect=1)
        check("is not of the team" in text and "who could: kim" in text, text)
        text = a.as_("lee", "approve", d["id"], expect=1)
        check("may have pushed it" in text and "who could: kim" in text, text)
        check("(as ana)" in a.as_("ana", "approve", d["id"], expect=1), "not by whom")
        check(a.jobs(PROD, "sales") == {}, "deployed without approval")
        text = a.as_("kim", "approve", d["id"], "-m", "looked at it")
        check("+ jobs/job_production" in text and "1/1" in text and "looked at it" in text, text)
        a.ends("deployed", d["id"])
        jobs = a.jobs(PROD, "sales")
        check(sorted(jobs) == ["jobs/job_production", "jobs/job_reports"], sorted(jobs))
        check(a.items("approvals") == [], "still waits")
        check("deployed" in a.as_("kim", "approve", d["id"], expect=1), "approved what is over")
        audit = [(e["what"], e["state"]) for e in a.items("audit")]
        check(("approve", "done") in audit and ("approve", "refused") in audit, audit)


def what_changed_makes_an_approval_void():
    with Agent(("    approvals: 1\n", "    approvals: 2\n"), ("members: [kim, lee]", "members: [kim, lee, max]")) as a:
        c = a.project()
        a.tag(c, "v1.0.0", "lee")
        d = a.stands("approval", has="prod_support 0/2")
        a.as_("kim", "approve", d["id"])
        a.stands("approval", has="1/2")
        a.as_("kim", "approve", d["id"])	# twice is one
        a.stands("approval", has="1/2; max could")
        # another derive: another plan, and it says in what
        a.configure(("          enabled: true\n", "          enabled: true\n          patch: { max_concurrent_runs: 7 }\n"))
        d = a.stands("approval", has="0/2")
        check("since it was approved" in d["detail"] and "job_production" in d["changed"], d)
        text = a.as_("max", "approve", d["id"])
        check("since it was approved" in text, text)
        text = a.penstock("why", d["id"]).stdout
        check("approved by root (as kim) at " in text and "(of a plan before this one)" in text, text)
        check(any(e["what"] == "approval-void" and e["thing"] == d["id"] for e in a.items("audit")), a.items("audit"))
        a.as_("kim", "approve", d["id"])
        a.ends("deployed", d["id"])
        check(a.jobs(PROD, "sales")["jobs/job_production"]["request"]["max_concurrent_runs"] == 7, "not as approved")
        # who is of the team no more has approved nothing
        c.commit()
        a.tag(c, "v1.0.1", "lee")
        a.as_("kim", "freeze", PROD, "-m", "wait")
        d = a.stands("approval", has="0/2")
        a.as_("kim", "approve", d["id"])
        a.as_("max", "approve", d["id"])
        a.stands("freeze")
        a.configure(("members: [kim, lee, max]", "members: [kim, lee]"))
        a.as_("kim", "unfreeze", PROD)
        a.stands("approval", has="1/2")
        # the rule that wants approvals is gone: it is judged by what is in force
        a.configure(("    approvals: 2\n", "    approvals: 1\n"))
        a.ends("deployed", d["id"])


def a_job_changed_by_hand_is_seen_before_the_start():
    with Agent() as a:
        c = a.project()
        a.tag(c, "v1.0.0", "lee")
        a.as_("kim", "approve", a.stands("approval")["id"])
        a.ends("deployed")
        a.as_("kim", "freeze", PROD, "-m", "not yet")
        c.commit()
        a.tag(c, "v1.0.1", "lee")
        d = a.stands("approval")
        a.as_("kim", "approve", d["id"])
        a.stands("freeze")
        # a foreign file is nobody's business; a field of ours is
        top = a.fabric(PROD, "jobs", "sales", "current", "jobs")
        with open(os.path.join(top, "foreign.txt"), "w", encoding="utf-8") as f:
            f.write("x")
        a.as_("kim", "unfreeze", PROD)
        a.ends("deployed", d["id"])
        c.commit()
        a.as_("kim", "freeze", PROD, "-m", "not yet")
        a.tag(c, "v1.0.2", "lee")
        d = a.stands("approval")
        a.as_("kim", "approve", d["id"])
        a.stands("freeze")
        path = os.path.join(a.fabric(PROD, "jobs", "sales", "current"), "jobs", "job_production.json")
        os.chmod(path, 0o644)
        with open(path, encoding="utf-8") as f:
            job = json.load(f)
        job["request"]["max_concurrent_runs"] = 9
        with open(path, "w", encoding="utf-8") as f:
            json.dump(job, f)
        a.as_("kim", "unfreeze", PROD)
        d = a.stands("approval", has="since it was approved")
        check("jobs/job_production" in d["changed"], d)
        a.as_("kim", "approve", d["id"])
        a.ends("deployed", d["id"])
        check(a.jobs(PROD, "sales")["jobs/job_production"]["request"]["max_concurrent_runs"] == 1, "not put right")


def rejected_promoted_by_hand():
    with Agent(("  - name: development\n", "  - name: byhand\n    refs: [refs/heads/byhand]\n    fabric: development\n"
                "    deploy: manual\n  - name: development\n")) as a:
        c = a.project()
        a.tag(c, "v1.0.0", "lee")
        d = a.stands("approval")
        check("say why" in a.as_("kim", "reject", d["id"], expect=2), "rejected without a reason")
        check("who could" not in a.as_("ana", "reject", d["id"], "-m", "no", expect=1), "ana rejected")
        a.as_("lee", "reject", d["id"], "-m", "wrong totals")
        d = a.ends("rejected", d["id"])
        check(d["reason"].endswith("(as lee): wrong totals"), d)
        # promoted, it may be decided anew; nothing is built
        built = a.builds()
        text = a.as_("bo", "promote", "v1.0.0", PROD, "-m", "it is right after all")
        check("promoted by" in text, text)
        d = a.stands("approval")
        check(d["asked"] == "promote" and d["asked_why"] == "it is right after all", d)
        # a newer one takes its place
        c.commit()
        a.tag(c, "v1.0.1", "lee")
        wait("superseded", lambda: a.deployments()[-2]["state"] == "superseded", 60)
        d = a.stands("approval")
        a.as_("kim", "approve", d["id"])
        a.ends("deployed", d["id"])
        check(a.builds() == built, "something was built again")
        # by hand: nobody, then the owners
        c.push("HEAD:refs/heads/byhand")
        d = a.stands("manual", "development")
        a.as_("eve", "deploy", "byhand", expect=1)
        check("nothing waits" in a.as_("ana", "deploy", "development", expect=1), "deployed what does not wait")
        a.as_("ana", "deploy", "byhand", "-m", "now")
        d = a.ends("deployed", d["id"], "development")
        check(d["let_by"].endswith("(as ana)"), d)
        n = len(a.deployments("development"))
        a.as_("ana", "redeploy", "development", "-m", "once more")
        wait("deployed once more", lambda: len(a.deployments("development")) == n + 1, 60)
        check(a.ends("deployed", None, "development")["asked"] == "redeploy", "not asked for")


def closed_fabrics_and_emergencies():
    with Agent(("    owner: prod_support             #", "    emergency: rescue\n    owner: prod_support             #"),
               ("  prod_support:\n    members", "  rescue: { members: [lee] }\n  prod_support:\n    members")) as a:
        c = a.project()
        for fabric, verb, word in (("development", "freeze", "frozen"), ("development", "lock", "locked")):
            check("team prod_support (kim, lee)" in a.as_("ana", verb, PROD, "-m", "x", expect=1), "ana closed it")
            a.as_("bo", verb, fabric, "-m", "counting")
            c.commit()
            c.push("HEAD:" + MAIN)
            # a commit alone is the same release: something must change
            c.write("README.md", verb)
            c.edit("pipelines/sales_report/code/sales_report/pipeline.py", "def", f"# {verb}\ndef")
            c.commit()
            c.push("HEAD:" + MAIN)
            d = a.stands(verb, "development")
            check(word in d["detail"] and "counting" in d["detail"] and d["lift"] == f"penstock un{verb} development", d)
            check(verb in a.penstock("why", d["id"]).stdout, "why does not say it")
            check(any(i["id"] == d["id"] and i["reason"] == verb for i in a.items("queue")), "the queue does not say it")
            a.as_("bo", "un" + verb, "development")
            a.ends("deployed", d["id"], "development")
        # an emergency needs no second person and no window
        a.configure(("    approvals: 1\n", "    approvals: 1\n    windows: [{ days: [mon], from: '00:00', to: '00:01', zone: UTC },"
                     " { days: [thu], from: '00:00', to: '00:01', zone: UTC }]\n"))
        a.as_("kim", "freeze", PROD, "--until", "8h", "-m", "the night")
        a.tag(c, "v2.0.0", "lee")
        d = a.stands("approval")
        check("rescue (lee)" in a.as_("kim", "approve", d["id"], "--emergency", "-m", "x", expect=1), "kim rescued")
        check("needs a reason" in a.as_("lee", "approve", d["id"], "--emergency", expect=1), "without a reason")
        a.as_("kim", "approve", d["id"])
        d = a.stands("window")
        check("opens 20" in d["detail"] and "mon 00:00-00:01 UTC" in d["detail"], d)
        a.as_("lee", "approve", d["id"], "--emergency", "-m", "orders are lost")
        a.ends("deployed", d["id"])
        rows = [e for e in a.items("audit") if e["what"] == "approve" and e["state"] == "done"]
        check(any(e["details"].get("emergency") for e in rows), rows)


def two_releases_at_once_to_one_fabric():
    with Agent(("    approvals: 1\n", "    approvals: 1\n    priority: 1\n")) as a:
        cs = [a.project("sales"), a.project("shop")]
        a.as_("kim", "freeze", PROD, "-m", "until both are there")
        for c in cs:
            a.tag(c, "v1.0.0", "lee")
        both = wait("both wait", lambda: [d for d in a.deployments() if d["reason"] == "approval"][1:] and a.deployments(), 60)
        for d in both:
            a.as_("kim", "approve", d["id"])
        wait("both are in line", lambda: [d["reason"] for d in a.deployments()] == ["freeze"] * 2, 60)
        a.as_("kim", "unfreeze", PROD)
        wait("both are deployed", lambda: [d["state"] for d in a.deployments()] == ["deployed"] * 2, 60)
        first, second = sorted(a.deployments(), key=lambda d: d["started"])
        check(first["ended"] <= second["started"], f"at the same time: {first}\n{second}")
        for r in ("sales", "shop"):
            check(sorted(a.jobs(PROD, r)) == ["jobs/job_production", "jobs/job_reports"], r)


def one_environment_after_another():
    with Agent(("  - name: development\n", "  - name: qa\n    refs: [refs/heads/release]\n    fabric: qa\n    deploy: auto\n"
                "    after: development\n    jobs: { own: true, derive: [{ from: jobs/job_development, as: jobs/job_qa }] }\n"
                "  - name: development\n"),
               ("  airflow:\n    id: 5005", "  qa:\n    id: 2210\n    owner: developers\n    provider: local\n  airflow:\n    id: 5005"),
               ("    approvals: 1\n", "    approvals: 1\n    after: qa\n")) as a:
        c = a.project()
        c.who = "lee"
        p = c.push("HEAD:refs/tags/v1.0.0")
        check("production (after qa, needs approval of prod_support)" in p.text, p.text)
        d = a.stands("after", has="qa")
        check(d["lift"].startswith("penstock promote ") and d["blocked_by"] == "environment qa", d)
        check("after" in a.as_("kim", "approve", d["id"], expect=1), "approved before qa")
        a.as_("ana", "promote", "v1.0.0", "qa")
        a.ends("deployed", None, "qa")
        d = a.stands("approval")
        a.as_("kim", "approve", d["id"])
        a.ends("deployed", d["id"])
        # what qa would make of it now was not tried there
        a.configure(("as: jobs/job_qa }", "as: jobs/job_qa, patch: { max_concurrent_runs: 3 } }"))
        a.as_("ana", "promote", "v1.0.0", PROD)
        a.stands("after", has="makes something else of it now")


if __name__ == "__main__":
    plain_toolchain()
    main(a_tag_waits_for_production_support, what_changed_makes_an_approval_void,
         a_job_changed_by_hand_is_seen_before_the_start, rejected_promoted_by_hand, closed_fabrics_and_emergencies,
         two_releases_at_once_to_one_fabric, one_environment_after_another)
