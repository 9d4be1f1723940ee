"""What killed commands leave in a cache is named and removed, and nothing else is."""

from __future__ import annotations

import os
import time
import warnings

import pytest

from groundlings.environments.errors import RunWarning
from groundlings.environments.leftovers import SIGNS, remove_leftovers

LONG_AGO = time.time() - 3 * 86_400


def test_what_nobody_has_written_for_a_day_goes_and_is_named(tmp_path):
    old, new = tmp_path / "fetching-old_1234", tmp_path / "fetching-new_1234"
    for draft in (old, new):
        draft.mkdir()
        (draft / "half.whl").write_text("half")
        os.utime(draft, (LONG_AGO, LONG_AGO))
    os.utime(old / "half.whl", (LONG_AGO, LONG_AGO))
    (mine := tmp_path / "fetching-notes.txt").write_text("mine")
    os.utime(mine, (LONG_AGO, LONG_AGO))
    with pytest.warns(
        RunWarning, match="removed .*fetching-old_1234, which a command that was killed had left"
    ) as told:
        remove_leftovers(tmp_path, f"fetching-{SIGNS}")
    assert len(told) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fetching-new_1234", mine.name]


def test_files_of_others_links_and_folders_that_are_not_there_are_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".draft-link").symlink_to(tmp_path / "mine")
    os.utime(tmp_path / "mine", (LONG_AGO, LONG_AGO))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        remove_leftovers(tmp_path, ".draft-*")
        remove_leftovers(tmp_path / "not there", "*")
    assert (tmp_path / ".draft-link").is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"
