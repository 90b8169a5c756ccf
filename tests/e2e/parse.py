#!/usr/bin/python3
"""DAGs that are no Python make no release: told with file, line and column, before any Airflow hears of them.

Judged by what the agent says and by the releases there are. Needs a sandbox (exit status 77 without one), no Airflow.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, check, main, run, wait  # noqa: E402
from dags import REF, Dags  # noqa: E402

scene = []      # the one that all cases share


def pushed(**jobs):
    """Pushes; what its demand came to: a reason that it failed with, or the release."""
    s = scene[0]
    before = {r["id"] for r in s.items("releases")}
    s.push(**jobs)

    def look():
        made = [r["id"] for r in s.items("releases") if r["id"] not in before]
        if made:
            return made[0]
        if s.events(REF)[-1]["new"] != s.tip or s.events(REF)[-1]["state"] != "done":
            return None
        return s.json("why", REF)["children"][0]["reason"]
    return wait("a release, or a reason why there is none", look, every=0.1)


def no_python():
    """All that is wrong is said at once; what is a release of another job's files is not made either."""
    said = pushed(one="a", two="b", three="c", module={"one": "def broken(:", "two": "\tx = 1"})
    for where, what in (("jobs/one/code/of_one/words.py:1:12: invalid syntax", "(as Python 3."),
                        ("jobs/two/code/of_two/words.py:1:1: unexpected indent", "(as Python 3.")):
        check(where in said and what in said, said)
    check("of_three" not in said, said)
    check(not scene[0].items("history", "airflow"), "something is to be deployed")


def too_deep():
    """The compiler gives up: the file's fault, and the next file is read all the same."""
    said = pushed(one="a", two="b", module={"one": "x = " + "-" * 100000 + "1", "two": "return 1"})
    check("jobs/one/code/of_one/words.py:1:1: " in said, said)
    check("jobs/two/code/of_two/words.py:1:1: 'return' outside function" in said, said)


def not_run():
    """What would end whoever runs it is compiled, no more; a file that the DAG does not take is not looked at."""
    scene[0].clone_of.write("jobs/one/code/build/x.py", "def broken(:\n")
    said = pushed(one="a", two="b", module={"one": "import os; os._exit(1)"})
    check(len(said) == 12, f"no release: {said}")
    check(not scene[0].leftovers(), scene[0].leftovers())


def switched_off():
    s = scene[0]
    with open(os.path.join(s.dir, "penstock.yml"), "a", encoding="utf-8") as f:
        f.write("tests: { parse_dags: false }\n")
    s.penstock("reload")
    said = pushed(one="a", two="b", module={"one": "def broken(:"})
    check(len(said) == 12, f"no release: {said}")


if run(os.path.join(BUILD, "sandbox_try"), "--probe", expect=None).returncode:
    print("SKIP: no sandbox on this machine")
    sys.exit(77)
with Dags() as it:
    scene.append(it)
    main(no_python, too_deep, not_run, switched_off)
