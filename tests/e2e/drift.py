#!/usr/bin/python3
"""Somebody changes a job on the fabric: it is seen, told once, shown, put back, or taken over into Git.

With a real agent, real pushes and a local fabric; judged by the definitions in force, by the printed JSON and by what
lies in the outbox. Needs /usr/bin/python3 with setuptools and wheel, no Spark; exit status 77 without them or without
a sandbox.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, plain_toolchain, wait  # noqa: E402
from planted import plant, planted  # noqa: E402

MAIN, FABRIC, JOB, TWO = "refs/heads/main", "development", "jobs/job_development", "jobs/job_two"
YML, DEFINITION = "pbt_project.yml", JOB + "/code/databricks-job.json"


class Scene(Instance):
    """Two jobs with the same two wheels, deployed; the fabric is looked at every second."""

    def __init__(self):
        super().__init__(toolchain=plain_toolchain())
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        at = text.index("provider: local", text.index(f"  {FABRIC}:"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:at] + "drift: 1s\n    " + text[at:] + f"\nnotify:\n  hook: {{ webhook: {{ url: 'http://127.0.0.1:9',"
                    f" secret: {{ file: {self.base}/secret }} }}, events: [drift], tries: 1 }}\n")
        plant(os.path.join(self.base, "secret"), planted("drift", plain=False))
        self.start()
        wait("the toolchain is known", lambda: (self.json("status")["toolchain"] or {}).get("digest"))
        self.clone_ = c = self.example(self.repository("sales"))
        for p in ("customers_orders", "sales_report"):	# there is no pytest and no Spark here
            c.git("rm", "-rq", f"pipelines/{p}/code/test")
        text = c.read(YML)
        at, end = text.index(f"  {JOB}:"), text.index("  jobs/job_reports:")
        c.write(YML, text[:end] + text[at:end].replace("job_development", "job_two") + text[end:])
        c.write(f"{TWO}/code/databricks-job.json", c.read(DEFINITION).replace("job_development", "job_two"))
        self.push("two jobs")

    def __enter__(self):
        return self

    def push(self, what):
        commit = self.clone_.commit(what)
        self.clone_.push("HEAD:" + MAIN)
        self.wait_event(MAIN, commit)

    def on_fabric(self, key=JOB):
        return os.path.join(self.fabric(FABRIC, "jobs", "sales", "current"), key + ".json")

    def hands(self, change, key=JOB):
        """Somebody edits the definition in force."""
        path = self.on_fabric(key)
        os.chmod(path, 0o644)
        with open(path, encoding="utf-8") as f:
            job = json.load(f)
        change(job["request"])
        with open(path, "w", encoding="utf-8") as f:
            json.dump(job, f)

    def drifted(self, *keys):
        return wait(f"drifted: {keys}", lambda: (l := self.items("drift", FABRIC)) and sorted(i["id"] for i in l)
                    == sorted(keys) and l)

    def none_left(self):
        wait("nothing has drifted", lambda: not self.items("drift"))

    def told(self):
        return [l for l in self.items("outbox") if l["kind"] == "drift"]


def retries(n):
    def change(request):
        request["tasks"][0]["max_retries"] = n
    return change


def seen_told_shown_and_put_back():
    with Scene() as s:
        before = s.jobs(FABRIC, "sales")
        check(not s.items("drift") and s.penstock("drift", "--exit-code").stdout.startswith("as far as"), "nothing yet")
        s.hands(retries(9))
        item = s.drifted(JOB)[0]
        check(item["state"] == "changed" and item["since"] and [f["path"] for f in item["fields"]]
              == ["request.tasks[customers_orders].max_retries"], item)
        check((item["fields"][0]["was"], item["fields"][0]["is"]) == ("0", "9"), item)
        check("max_retries  0 → 9" in s.penstock("drift", "--exit-code", expect=4).stdout, "shown")
        wait("it is told", s.told)
        fabric = [f for f in s.items("fabrics") if f["id"] == FABRIC][0]
        check(fabric["drifted"] == 1 and fabric["note"] == f"1 job was changed there: penstock drift {FABRIC}", fabric)
        seen = s.items("drift")[0]["seen"]
        wait("it is looked at again", lambda: s.items("drift")[0]["seen"] > seen)
        check(len(s.told()) == 1, "told once")
        s.hands(retries(8))
        wait("another change is told", lambda: len(s.told()) == 2)
        # what would be put there: from what is in force to what it will be
        plan = s.json("plan", FABRIC, "main", "--refresh")
        job = [i for i in plan["items"] if i["id"] == JOB][0]
        check(job["drifted"] and [(f["was"], f["is"]) for f in job["fields"]] == [("8", "0")], job)
        os.unlink(s.on_fabric(TWO))
        gone = [i for i in s.drifted(JOB, TWO) if i["id"] == TWO][0]
        check(gone["state"] == "gone" and not gone["fields"], gone)
        check("nothing to adopt" in s.penstock("drift", "adopt", TWO, expect=1).stderr, "one that is gone")
        # one of them, then the rest; each as it was, byte for byte, by a deployment of it alone
        s.penstock("drift", "restore", TWO, "-m", "it was needed")
        s.drifted(JOB)
        s.penstock("drift", "restore", FABRIC)
        s.none_left()
        wait("as it was", lambda: s.jobs(FABRIC, "sales") == before)
        last = wait("it is over", lambda: (d := s.items("history", FABRIC)[0])["state"] == "deployed" and d)
        check((last["state"], last["asked"], last["jobs"]) == ("deployed", "redeploy", [JOB]), last)
        check("is as it was deployed" in s.penstock("drift", "restore", FABRIC, expect=1).stderr, "again")
        check("no fabric 'x'" in s.penstock("drift", "x", expect=1).stderr, "unknown")


def taken_over():
    with Scene() as s:
        s.hands(lambda r: (retries(4)(r), r.update(max_concurrent_runs=3), r.update(db_password="hunter2")))
        s.drifted(JOB)
        adopt = s.json("drift", "adopt", JOB)
        request = adopt["patch"]["request"]
        check(adopt["file"] == DEFINITION and adopt["derived"] is None, adopt)
        check(request["max_concurrent_runs"] == 3 and request["db_password"] == "(not shown)", request)
        text = s.penstock("drift", "adopt", JOB).stdout
        check(json.loads(text) == adopt["patch"] and "hunter2" not in text, text)
        s.hands(lambda r: r.pop("db_password"))
        wait("the secret is gone", lambda: "db_password" not in s.json("drift", "adopt", JOB)["patch"]["request"])
        # merged as it says, placeholders stay where nothing was changed: the push then changes nothing there
        doc = json.loads(s.clone_.read(DEFINITION))
        s.clone_.write(DEFINITION, json.dumps(merge(doc, s.json("drift", "adopt", JOB)["patch"]), indent=2))
        check("__PROJECT_RELEASE_VERSION_PLACEHOLDER__" in s.clone_.read(DEFINITION), "placeholders")
        adopted = s.jobs(FABRIC, "sales")[JOB]
        s.push("as it is on the fabric")
        s.none_left()
        now = s.jobs(FABRIC, "sales")[JOB]
        check(now["request"]["max_concurrent_runs"] == 3 and now["request"]["tasks"][0]["max_retries"] == 4, now)
        old, new = (j["request"]["tasks"][0]["libraries"][0]["whl"].split("/")[-3] for j in (adopted, now))
        check(json.loads(json.dumps(now).replace(new, old)) == adopted, "the same but for its version")


def merge(target, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


if __name__ == "__main__":
    main(seen_told_shown_and_put_back, taken_over)
