"""The deliberate wrongs of `make mutations` still fit the source."""

import pytest

from tests.mutations.wrongs import WRONGS, Wrong
from tests.support.project import BACKEND


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.name)
def test_every_wrong_still_fits_the_source(wrong: Wrong):
    for edit in wrong.edits:
        assert (BACKEND / edit.file).read_text(encoding="utf-8").count(edit.old) == 1
        assert edit.new != edit.old
    assert all((BACKEND / test.split("::")[0]).is_file() for test in wrong.tests)
