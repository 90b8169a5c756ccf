#!/usr/bin/python3
"""Run one python_wheel_task, as Databricks does: WHEEL PACKAGE ENTRY PARAMETER...

The wheel is unpacked to scratch and put first on the path; the entry point of that name (any group,
console_scripts first) is called with the parameters as sys.argv, or, without one, PACKAGE.ENTRY().
Runs inside the sandbox; what it prints and its exit status are the task's.
"""
import importlib
import importlib.metadata
import os
import sys
import tempfile
import zipfile


def find(folder, package, name):
    """The callable: what the wheel's own metadata says, else a function of the package."""
    points = [p for d in importlib.metadata.distributions(path=[folder]) for p in d.entry_points
              if p.name == name]
    points.sort(key=lambda p: p.group != "console_scripts")
    if points:
        return points[0].load()
    module = importlib.import_module(package.replace("-", "_"))
    if not callable(getattr(module, name, None)):
        sys.exit(f"the wheel has no entry point '{name}' and '{package}' no function of that name")
    return getattr(module, name)


def main():
    wheel, package, name = sys.argv[1:4]
    parameters = sys.argv[4:]
    folder = tempfile.mkdtemp(prefix="wheel-")
    with zipfile.ZipFile(wheel) as z:
        z.extractall(folder)
    # Spark's Python workers are processes of their own: they find the pipeline by PYTHONPATH
    os.environ["PYTHONPATH"] = folder
    sys.path.insert(0, folder)
    function = find(folder, package, name)
    sys.argv = [name] + parameters
    result = function()
    sys.exit(result if isinstance(result, int) and not isinstance(result, bool) else 0)


if __name__ == "__main__":
    main()
