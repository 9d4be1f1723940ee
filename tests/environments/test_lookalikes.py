"""Names whose letters are composed in one place and decomposed in another look the same in a message."""

from __future__ import annotations

import pytest

from groundlings.environments.plugins import nearest

COMPOSED, DECOMPOSED = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"


@pytest.mark.parametrize(("written", "known"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_the_nearest_name_is_not_one_that_looks_the_same(written, known):
    told = nearest(written, ["tea", known])
    assert "the same letters, composed and decomposed" in told
    assert "did you mean" not in told
    assert told.isascii(), "what differs would not be seen otherwise"


def test_other_names_are_guessed_as_before():
    assert nearest("popullar", ["popular"]) == " (did you mean 'popular'?)"
    assert nearest(f"{COMPOSED}s", [COMPOSED]) == f" (did you mean {COMPOSED!r}?)"
