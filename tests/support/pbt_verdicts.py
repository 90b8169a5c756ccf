"""Run by the Python of Prophecy's own tool: `pbt validate` of each folder named on stdin, one JSON line for each.

One process for all: importing that tool takes longer than all of its work on a small project.
"""
import json
import sys

from click.testing import CliRunner
from pbt import cli

for line in sys.stdin:
    folder = line.rstrip("\n")
    got = CliRunner().invoke(cli, ["validate", "--path", folder])
    crash = got.exception if not isinstance(got.exception, SystemExit) else None
    print(json.dumps({"folder": folder, "exit": got.exit_code, "text": got.output, "crash": repr(crash) if crash else None}),
          flush=True)
