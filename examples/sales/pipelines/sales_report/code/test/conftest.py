"""Makes the pipeline and the project's shared code importable from the work tree; from a wheel they are already."""

import os
import sys

CODE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROJECT = os.path.abspath(os.path.join(CODE, "..", "..", ".."))

for folder in (os.path.join(PROJECT, "subgraphs"), os.path.join(PROJECT, "functions"), CODE):
    if os.path.isdir(folder):
        sys.path.insert(0, folder)
