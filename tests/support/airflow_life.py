"""A project of DAGs and a real Airflow: deployed, run, broken, mended, paused by hand, killed half-way, gone back.

One Airflow and one agent for all of it: starting them is half of the time. Judged by what Airflow says and by the
bytes in its folder.
"""
import os
import time

from agent import check, main, wait
from dags import Scene

scene = []      # the one that all cases share


def s():
    return scene[0]


def deployed():
    d = s().release(one="first", two="first", plain=("two",))
    check(s().awake("one") and s().awake("two"), f"{s().dag('one')} {s().dag('two')}")
    check(list(s().archives()) == ["of_one.zip", "of_two.zip"], s().archives())
    for j in s().items("jobs", "airflow"):
        check(j["release"] == d["release"], j)


def log_of(x, task):
    return s().penstock("log", f"{x}/{task}").stdout


def run(name, *states):
    """Runs it to its end; its tasks came to these states. Returns the run."""
    p = s().penstock("--as", "ana", "run", name, "--fabric", "airflow", expect=None)
    x = s().items("runs")[0]["id"]
    shown = s().json("runs", x)
    found = {t["id" if "id" in t else "key"]: t["state"] for t in shown["tasks"]}
    wanted = dict(zip(("say", "look", "last"), states))
    check(found == wanted, f"{found}, not {wanted}; {shown}\n{p.stdout}{p.stderr}")
    check((p.returncode == 0) == (states[-1] == "passed"), f"exit {p.returncode}\n{p.stdout}{p.stderr}")
    check(shown["url"].startswith(s().airflow.url), shown["url"])
    return x


def ran_and_repaired():
    open(s().flag, "x", encoding="utf-8").close()
    x = run("one", "passed", "failed", "upstream failed")
    check("first of release 1.0.0-" in log_of(x, "say"), log_of(x, "say"))
    os.unlink(s().flag)
    s().penstock("--as", "ana", "repair", x)
    again = wait("it is repaired", lambda: next((r for r in s().items("runs") if r.get("retry_of") == x
                                                 and r["state"] not in ("queued", "running")), None), every=0.3)
    check(again["state"] == "passed", again)


def broken():
    before = s().archives()
    s().push(one="second", two="second", plain=("two",), module={"two": "import no_such_module"})
    d = s().newest("failed")
    check(all(w in d["reason"] for w in ("nothing was switched", "words.py", "No module named 'no_such_module'")), d["reason"])
    check(s().archives() == before, f"{s().archives()}, not {before}")
    wait("both are as they were", lambda: s().awake("one") and s().awake("two"), every=0.3)


def mended():
    before = s().archives()
    s().release(one="second", two="second", plain=("two",))
    check(all(s().archives()[n] != h for n, h in before.items()), "an archive is as before")
    check("second of release" in log_of(run("one", *["passed"] * 3), "say"), "one is not the second version")


def paused_by_hand():
    s().pause("one", True)
    s().release(one="third", two="second", plain=("two",))
    check(s().active("one") and not s().awake("one"), s().dag("one"))
    s().pause("one", False)


def killed():
    """Whoever deploys is killed between laying an archive there and waking its DAG."""
    s().push(one="fourth", two="third", three="first", plain=("two",))
    path = os.path.join(s().airflow.dags, "of_three.zip")
    wait("the new DAG lies there", lambda: os.path.exists(path), every=0.01)
    s().kill_all()
    check(not s().awake("three"), "it was awake before anybody could be killed")
    s().start()
    d = s().newest("deployed")
    check(s().verified(d["id"])["verified"], d)
    check(all(s().awake(n) for n in ("one", "two", "three")), [s().dag(n) for n in ("one", "two", "three")])


def gone_back():
    before = s().archives()
    s().penstock("--as", "ana", "rollback", "airflow", "-m", "wrong totals")
    s().newest("deployed")
    after = s().archives()
    check(after["of_one.zip"] != before["of_one.zip"], "one is as before")
    check(s().active("three") and not s().awake("three"), f"the newer one's DAG is awake: {s().dag('three')}")
    check("third of release" in log_of(run("one", *["passed"] * 3), "say"), "one is not the third version")


CASES = (deployed, ran_and_repaired, broken, mended, paused_by_hand, killed, gone_back)


def live(major):
    began = time.monotonic()
    with Scene(major) as it:
        scene.append(it)
        print(f"started in {time.monotonic() - began:.1f} s", flush=True)
        main(*CASES)
