#!/usr/bin/python3
"""Releases as people handle them: signed, shown, proven on another machine, keys that change; no Spark.

Judged by printed JSON, files, and openssl beside our own words. Exit status 77 where no sandbox can be made.
"""
import os
import sys


sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, plain_toolchain  # noqa: E402

MAIN = "refs/heads/main"


def untested(a, repository="sales"):
    """A clone of a new repository with the example; its tests want Spark and go."""
    c = a.example(a.repository(repository))
    for p in ("customers_orders", "sales_report"):
        c.git("rm", "-rq", f"pipelines/{p}/code/test")
    c.commit()
    return c


def signed_shown_and_proven():
    with Instance(toolchain=plain_toolchain()) as a:
        c = untested(a)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        release = a.items("releases")[0]
        check(release["fabrics"] == ["development"], release)


if __name__ == "__main__":
    main(signed_shown_and_proven)
