"""The one entry: `make` and what it lists."""

import os
import re
import subprocess

from tests.support.project import ROOT

PROMISED = {
    *("setup", "run", "demo", "check", "test", "sim", "chaos", "mutations", "bench"),
    *("migrate", "format", "lock", "screenshots"),
}


def test_make_alone_lists_every_target_with_a_sentence():
    # Run by `make test`, this would be a make within a make, which says which folder it enters.
    typed = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    listed = subprocess.run(["make"], cwd=ROOT, env=typed, check=True, capture_output=True, text=True).stdout
    sentences = dict(line.split(maxsplit=1) for line in listed.splitlines())
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert sentences.keys() == set(targets)
    assert sentences.keys() >= PROMISED
    assert all(len(sentence) > 10 for sentence in sentences.values())


def test_every_target_is_phony():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_ci_runs_what_everybody_runs():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
