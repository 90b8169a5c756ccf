"""What all benchmarks share: rounds, medians with their spread, ratios, a table and lines to read by machine.

    b = Bench("events", "acknowledged events per second")
    b.add("64 connections, one commit for many", 5200.0, unit="1/s")      once per round
    b.ratio("64 connections", "64 connections, one commit for many", "64 connections, one commit each", goal=8)
    b.end()                                                               prints; exit status

A benchmark never fails on a time. It fails when a program failed or a count was wrong: fail(text).
PENSTOCK_BENCH_ROUNDS and PENSTOCK_BENCH_SECONDS make it short; PENSTOCK_BENCH_JSON=FILE gets one JSON object a line.
"""
import json
import os
import statistics
import sys

ROUNDS = int(os.environ.get("PENSTOCK_BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("PENSTOCK_BENCH_SECONDS", "3"))


def program(name):
    return os.path.join(os.path.abspath(os.environ.get("PENSTOCK_BUILD", ".")), name)


class Bench:
    def __init__(self, name, what):
        self.name, self.what = name, what
        self.rows, self.units, self.goals, self.ratios, self.notes, self.bad = {}, {}, {}, [], [], []

    def add(self, row, value, unit=""):
        self.rows.setdefault(row, []).append(value)
        self.units[row] = unit

    def median(self, row):
        return statistics.median(self.rows[row])

    def ratio(self, title, over, under, goal=None, most=None):
        """Medians over the rounds of what was measured side by side in each round: at least goal, or at most `most`."""
        rounds = [a / b for a, b in zip(self.rows[over], self.rows[under]) if b]
        if rounds:		# a difference that is not there has no ratio, and reaches no goal
            there = min(self.rows[over] + self.rows[under]) > 0
            self.ratios.append((title, rounds, goal, most, there))

    def goal(self, row, most):
        """The median of a row is to be no more than this."""
        self.goals[row] = most

    def note(self, text):
        self.notes.append(text)

    def fail(self, text):
        self.bad.append(text)

    def emit(self, kind, **fields):
        path = os.environ.get("PENSTOCK_BENCH_JSON")
        if path:
            with open(path, "a", encoding="utf-8") as f:
                f.write(json.dumps({"bench": self.name, "kind": kind, **fields}, sort_keys=True) + "\n")

    def end(self):
        print(f"\n{self.name}: {self.what}")
        width = max((len(r) for r in [*self.rows, *(t for t, *_ in self.ratios)]), default=0) + 2
        for row, values in self.rows.items():
            words = reached(self.median(row), None, self.goals.get(row), self.units[row])
            print(f"  {row:<{width}} {number(self.median(row)):>10} {self.units[row]:<5} {spread(values)}{words}")
            self.emit("value", row=row, unit=self.units[row], median=self.median(row), values=values)
        for title, rounds, goal, most, there in self.ratios:
            median = statistics.median(rounds)
            words = reached(median, goal, most, "x") if there else "  nothing to tell: the rounds differ by more than this"
            print(f"  {title:<{width}} {number(median):>9}x       {spread(rounds)}{words}")
            self.emit("ratio", row=title, median=median, values=rounds, goal=goal, most=most)
        for text in self.notes:
            print(f"  {text}")
        for text in self.bad:
            print(f"  FAIL {text}")
        sys.stdout.flush()
        return 1 if self.bad else 0


def number(v):
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}" if abs(v) >= 10 else f"{v:.2f}"


def reached(value, goal, most, unit):
    """What is said behind a figure that has a goal."""
    if goal is None and most is None:
        return ""
    good = value >= goal if most is None else value <= most
    return f"  goal {'at most ' if goal is None else ''}{number(goal if most is None else most)} {unit}".replace(" x", "x") + \
        f": {'reached' if good else 'not reached'}"


def spread(values):
    return f"({number(min(values))} .. {number(max(values))}, {len(values)} round{'s' if len(values) != 1 else ''})"
