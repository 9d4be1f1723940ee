"""Compiled templates are kept for the next command, and read only where nobody else can have written them."""

from __future__ import annotations

import os
from contextlib import suppress

import jinja2
import pytest
from jinja2.bccache import Bucket

from groundlings.environments.errors import RunWarning
from groundlings.experiments.analysis.report import template_cache
from groundlings.experiments.analysis.report.template_cache import TemplateCache


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The directory of kept templates; it is not there yet."""
    directory = tmp_path / "templates" / "1"
    monkeypatch.setattr(template_cache, "_directory", lambda: directory)
    return directory


@pytest.fixture
def compilations(monkeypatch):
    """What was compiled."""
    compiled = []
    usual = jinja2.Environment.compile

    def counted(self, source, *rest, **options):
        compiled.append(source)
        return usual(self, source, *rest, **options)

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    return compiled


def rendered(source="{{ 6 * 7 }}"):
    environment = jinja2.Environment(
        autoescape=True, loader=jinja2.DictLoader({"page": source}), bytecode_cache=TemplateCache()
    )
    return environment.get_template("page").render()


def test_what_was_compiled_before_is_not_compiled_again(kept, compilations):
    assert [rendered(), rendered(), len(compilations), len(list(kept.iterdir()))] == ["42", "42", 1, 1]


def test_a_template_that_has_changed_is_compiled_anew(kept, compilations):
    assert [rendered(), rendered("{{ 6 * 8 }}"), len(compilations)] == ["42", "48", 2]


@pytest.mark.parametrize("harm", [lambda content: b"", lambda content: content[:-9], lambda content: b"x" * 300])
def test_a_damaged_file_is_not_read(kept, compilations, harm):
    rendered()
    (file,) = kept.iterdir()
    file.write_bytes(harm(file.read_bytes()))
    assert [rendered(), len(compilations)] == ["42", 2]


@pytest.mark.parametrize("others", ["the file", "the directory"])
def test_a_file_that_somebody_else_can_write_is_not_read(kept, compilations, others):
    rendered()
    (next(kept.iterdir()) if others == "the file" else kept).chmod(0o777)
    assert [rendered(), len(compilations)] == ["42", 2]


@pytest.mark.parametrize("where", [None, "a file"])
def test_a_cache_that_cannot_be_written_keeps_nothing_and_hinders_nothing(tmp_path, monkeypatch, where):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(template_cache, "_directory", lambda: where and tmp_path / "file" / "templates")
    assert rendered() == "42"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_no_draft_is_left(kept, monkeypatch, stop):
    def stopped(*_):
        raise stop

    monkeypatch.setattr(Bucket, "write_bytecode", stopped)
    with suppress(KeyboardInterrupt):
        rendered()
    assert not any(kept.iterdir())


def test_what_a_killed_command_has_left_goes(kept):
    kept.mkdir(parents=True)
    (kept / "tmpabcd1234").touch()
    os.utime(kept / "tmpabcd1234", (0, 0))
    with pytest.warns(RunWarning, match="tmpabcd1234"):
        rendered()
    assert [len(path.name) for path in kept.iterdir()] == [40]
