"""A project of DAGs and a real Airflow: deployed, run, cancelled, broken, mended, paused by hand, changed under a run,
renamed, killed half-way, gone back, pruned.

One Airflow and one agent for all of it: starting them is half of the time. Judged by what Airflow says and by the
bytes in its folder.
"""
import contextlib
import os
import time

from agent import check, main, wait
from dags import REF, Scene

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


@contextlib.contextmanager
def under_way(name):
    """A run of it, here and there, whose second task does not end before this does."""
    open(s().flag + ".wait", "x", encoding="utf-8").close()
    try:
        yield start(name)
    finally:
        os.unlink(s().flag + ".wait")


def start(name):
    s().penstock("--as", "ana", "run", name, "--fabric", "airflow", "--no-wait")
    x = s().items("runs")[0]["id"]

    def looks():
        shown = s().json("runs", x)
        check(shown["state"] in ("queued", "running"), shown)
        return shown["remote"] if any((t.get("id") or t["key"]) == "look" and t["state"] == "running"
                                      for t in shown["tasks"]) else None
    return x, wait(f"{x} is at its second task", looks, every=0.3)


def over(x):
    return wait(f"{x} is over", lambda: next((r for r in s().items("runs") if r["id"] == x and
                                              r["state"] not in ("queued", "running")), None), every=0.3)


def there(name, run):
    status, doc = s().airflow.rest("GET", f"/dags/of_{name}/dagRuns/{run}")
    check(status == 200, f"{status} {doc}")
    return doc


def cancelled():
    with under_way("one") as (x, remote):
        s().penstock("--as", "ana", "cancel", x)
        check(over(x)["state"] == "cancelled", s().json("runs", x))
        check(there("one", remote)["state"] == "failed", there("one", remote))


def no_python():
    """Airflow hears nothing of it: no release is made."""
    before, n = s().archives(), len(s().items("history", "airflow"))
    s().push(one="second", two="second", plain=("two",), module={"two": "def broken(:"})
    wait("it is refused", lambda: s().events(REF)[-1]["state"] == "done", every=0.2)
    check("words.py:1:12: invalid syntax" in s().penstock("why", REF).stdout, s().penstock("why", REF).stdout)
    check(s().archives() == before and len(s().items("history", "airflow")) == n, "something was deployed")


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


def changed_under_a_run():
    """wait_active_runs: nothing is changed before the run is over."""
    s().setting("wait_active_runs: true")
    with under_way("one") as (x, remote):
        s().push(one="patient", two="second", plain=("two",))
        wait("it waits", lambda: any(d["state"] == "running" for d in s().items("history", "airflow")), every=0.2)
        check(there("one", remote)["state"] == "running", "the run has ended")
    s().newest("deployed")
    ended = time.mktime(time.strptime(there("one", remote)["end_date"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    put = os.stat(os.path.join(s().airflow.dags, "of_one.zip")).st_mtime
    check(put >= ended, f"laid there at {put}, and the run ended at {ended}")
    check(over(x)["state"] == "passed", s().json("runs", x))
    s().setting("wait_active_runs: false")


def renamed():
    """A job that is another DAG from now on: the old one starts no more, and its archive is gone."""
    s().release(one="patient", two="second", plain=("two",), dags={"two": "deux"})
    new = s().dag("deux", of="")
    check(new and not new["is_paused"], new)
    old = s().dag("two")
    check(old is None or old["is_paused"], f"the old DAG is awake: {old}")
    check(list(s().archives()) == ["deux.zip", "of_one.zip"], s().archives())
    s().release(one="patient", two="second", plain=("two",))
    check(s().awake("two") and list(s().archives()) == ["of_one.zip", "of_two.zip"], s().archives())


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
    log = log_of(run("one", *["passed"] * 3), "say")
    check("patient of release" in log, f"one is not the version before: {log}")


def pruned():
    """What goes back left behind is an orphan: gone with all that Airflow knows of it, once somebody says so."""
    check("of_three.zip" in s().archives(), s().archives())
    s().penstock("--as", "ana", "prune", "airflow")
    s().newest("deployed")
    check(s().dag("three") is None and "of_three.zip" not in s().archives(), f"{s().dag('three')} {s().archives()}")
    status, doc = s().airflow.rest("GET", "/variables/penstock.dag.of_three")
    check(status == 404, f"its mark is there: {status} {doc}")
    check(s().awake("one") and s().awake("two"), f"{s().dag('one')} {s().dag('two')}")


CASES = (deployed, ran_and_repaired, cancelled, no_python, broken, mended, paused_by_hand, changed_under_a_run, renamed,
         killed, gone_back, pruned)


def live(major, reach=None):
    began = time.monotonic()
    with Scene(major, reach) as it:
        scene.append(it)
        print(f"started in {time.monotonic() - began:.1f} s", flush=True)
        main(*CASES)
