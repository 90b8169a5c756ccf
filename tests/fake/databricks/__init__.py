"""A Databricks workspace as its documentation describes it, for tests and for trying penstock without one.

    records.py   what a workspace holds, one class per kind, kept in DIR/workspace.db
    answers.py   what the server says: answers, and refusals with the texts that are documented
    server.py    HTTP, who asks, the table of calls, DIR/calls.jsonl
    faults.py    what goes wrong, and when
    control.py   /_fake/: the tests' own door
    identity.py  tokens, OAuth, who am I
    settings.py  what the server makes of the settings of a job
    jobs.py, runs.py, permissions.py, secrets.py
    dbfs.py, volumes.py, notebooks.py    files; they lie in DIR/dbfs, DIR/Volumes, DIR/Workspace

What is a guess, because no document says it, is marked as one where it stands.
"""
