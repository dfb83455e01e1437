"""Gives every user without a code one: the same as `zerkalo codes`, from any folder, with any Python."""

import os
import sys

BIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".venv", "bin")

if not os.path.exists(os.path.join(BIN, "zerkalo")):
    sys.exit("backend/.venv is missing; run `make setup` in the project's folder")
PYTHON = os.path.join(BIN, "python")  # by its whole path: that is how Python knows the venv it belongs to
os.execv(PYTHON, [PYTHON, os.path.join(BIN, "zerkalo"), "codes"] + sys.argv[1:])
