"""What goes wrong in a worker process comes back as an error that its parent can raise, whatever it is."""

from __future__ import annotations

import pytest

from groundlings.simulator.engines.worker import portable


class ComesBackAsText(Exception):
    def __reduce__(self):
        return str, ("text",)


class TakesNoNote(Exception):
    def add_note(self, _note):
        raise ZeroDivisionError


@pytest.mark.parametrize("kind", [ComesBackAsText, TakesNoNote])
def test_an_error_of_any_kind_can_be_sent(kind):
    sent = portable(kind("whatever it is"))
    assert type(sent) is RuntimeError
    assert "whatever it is" in str(sent)
