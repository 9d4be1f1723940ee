"""Names of the version before: they lead to today's for one version, and say so."""

from __future__ import annotations

import sys
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import yaml

from groundlings.environments import earlier_names, environment
from groundlings.environments.actions import LegalActions
from groundlings.environments.earlier_names import EarlierName, hint, present_name, present_path
from groundlings.environments.environment import SessionState
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import feed_schema
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.experiments.analysis.comparison import off_policy
from groundlings.experiments.running import events
from groundlings.experiments.running.events import ArmBegins
from groundlings.personas.memory_relevance import LexicalEmbedder, load_embedder
from groundlings.personas.mind import Situation
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import find_recommender
from groundlings.simulator.session import CohortRecord

ROOT = Path(__file__).parents[2]


def forget_rooms() -> None:
    """Take what was imported as `recommenders`, `environments` and so on out of memory."""
    for name in list(sys.modules):
        if name.partition(".")[0] in earlier_names._RENAMED:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _no_rooms_on_the_path(monkeypatch):
    """`python -m pytest` puts the clone on the import path, where its folders could be imported by their bare names."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry and Path(entry).resolve() != ROOT])
    forget_rooms()
    yield
    forget_rooms()


def test_every_module_that_was_renamed_leads_to_one_of_today():
    for room, renamed in earlier_names._RENAMED.items():
        for module in renamed:
            assert find_spec(present_name(f"{room}.{module}") or "nowhere") is not None, f"{room}.{module}"


@pytest.mark.parametrize(
    ("before", "today"),
    [
        ("recommenders", "groundlings.recommenders"),
        ("recommenders.base", "groundlings.recommenders.base"),
        ("environments.draws", "groundlings.environments.random_streams"),
        ("environments.visits", "groundlings.environments.sessions"),
        ("personas.taste", "groundlings.personas.taste.model"),
        ("experiments.comparison.off_policy", "groundlings.experiments.analysis.comparison.off_policy"),
        ("experiments.comparison.luck", "groundlings.experiments.analysis.comparison.control_variate"),
        ("recommenders.models", None),
        ("recommenders.models.sar", None),
        ("yaml", None),
    ],
)
def test_a_module_is_found_under_its_present_name(before, today):
    assert present_name(before) == today


def test_a_recommender_and_an_embedder_by_their_earlier_names_are_ours_and_a_line_says_so():
    with pytest.warns(EarlierName, match=r"is now groundlings\.recommenders\.popular:PopularRecommender"):
        assert find_recommender("recommenders.popular:PopularRecommender") is PopularRecommender
    with pytest.warns(EarlierName, match=r"is now groundlings\.personas\.memory_relevance:LexicalEmbedder"):
        assert isinstance(load_embedder("personas.memory_relevance:LexicalEmbedder"), LexicalEmbedder)


@pytest.mark.filterwarnings("error")
def test_somebody_elses_module_of_an_earlier_name_is_theirs(tmp_path, monkeypatch):
    (tmp_path / "recommenders").mkdir()
    (tmp_path / "recommenders" / "__init__.py").touch()
    (tmp_path / "recommenders" / "popular.py").write_text(
        "from groundlings.recommenders.popular import PopularRecommender as Ours\n"
        "class PopularRecommender(Ours):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = find_recommender("recommenders.popular:PopularRecommender")
    assert found.__module__ == "recommenders.popular"
    assert present_path("recommenders.popular:PopularRecommender") == "recommenders.popular:PopularRecommender"
    with pytest.warns(EarlierName):
        assert find_recommender("recommenders.ease:EaseRecommender").__module__ == "groundlings.recommenders.ease"


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("from recommenders.base import Recommender", "recommenders.base is now groundlings.recommenders.base"),
        ("import environments.draws", "environments.draws is now groundlings.environments.random_streams"),
    ],
)
def test_a_plugin_that_imports_an_earlier_name_is_told_the_present_one(line, advice, tmp_path, monkeypatch):
    module = f"plugin_of_before_{len(line)}"
    (tmp_path / f"{module}.py").write_text(f"{line}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=advice):
        find_recommender(f"{module}:Mine")
    with pytest.raises(ConfigError, match=advice):
        load_embedder(f"{module}:Mine")


def test_an_environment_and_a_mind_that_say_visit_still_work_and_are_warned():
    sessions = Sessions(np.arange(2), np.arange(2), 0, Draws.for_sessions(1, np.arange(2), 0))
    state = SessionState.arrived(sessions, sp.csr_array((2, 3)))
    page = Page(1, 0, np.array([[0], [1]], dtype=np.int32))
    situation = Situation(sessions, page, LegalActions(feed_schema(()), {}), np.arange(2))
    record = CohortRecord(sessions, feed_schema(()), (), np.zeros(2, dtype=np.int64), state.ended_by)
    for before in (state, situation, record):
        with pytest.warns(DeprecationWarning, match=rf"{type(before).__name__}.visits is now .*\.sessions") as told:
            assert before.visits is sessions
        assert told[0].filename == __file__, "the warning names the line that says the earlier name"
    with pytest.warns(DeprecationWarning, match=r"ArmBegins\.visits"):
        assert ArmBegins("ease", 7).visits == 7
    with pytest.warns(DeprecationWarning, match=r"Draws\.for_visits is now Draws\.for_sessions"):
        assert np.array_equal(Draws.for_visits(1, np.arange(2), 0).who, sessions.draws.who)


def test_attributes_of_an_earlier_name_are_neither_fields_nor_shown():
    assert "visits" not in {field.name for field in fields(Situation)} | {field.name for field in fields(CohortRecord)}
    assert "visits" not in repr(ArmBegins("ease", 7))


@pytest.mark.parametrize(
    ("module", "before", "today"),
    [
        (environment, "VisitState", SessionState),
        (events, "VisitsWritten", events.SessionsWritten),
        (off_policy, "LoggedVisits", off_policy.LoggedSessions),
        (off_policy, "effective_visits", off_policy.effective_sessions),
    ],
)
def test_a_class_of_an_earlier_name_is_todays_class(module, before, today):
    with pytest.warns(DeprecationWarning, match=rf"{before} is now {today.__name__}"):
        assert getattr(module, before) is today
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018


def test_the_module_of_visits_is_imported_with_a_warning(monkeypatch):
    monkeypatch.delitem(sys.modules, "groundlings.environments.visits", raising=False)
    with pytest.warns(DeprecationWarning, match=r"visits is now groundlings\.environments\.sessions") as told:
        from groundlings.environments.visits import Visits
    assert Visits is Sessions
    assert told[0].filename == __file__


def test_other_failures_of_an_import_get_no_advice():
    assert hint(ValueError("recommenders.base")) == ""
    assert hint(ModuleNotFoundError("No module named 'nosuch'", name="nosuch")) == ""


def test_the_command_line_says_the_present_name_in_one_line_on_stderr(tmp_path, in_process):
    (tmp_path / "before.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "before",
                "seed": 1,
                "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 10}},
                "mind": "behavioural",
                "arms": [{"name": "popular", "recommender": "recommenders.popular:PopularRecommender"}],
            }
        )
    )
    outcome = in_process("check", "before.yaml")
    assert outcome.returncode == 0, outcome.stderr
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("earlier name recommenders.popular:PopularRecommender is now groundlings.recommenders.")
