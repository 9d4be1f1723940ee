"""Episodes for offline reinforcement learning say what the log says, to the step, and their readers read them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from groundlings.experiments.exports.contract import ExportContract
from groundlings.experiments.exports.episodes import OBSERVATION
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.registry import FORMATS
from groundlings.simulator.log.reading import open_log


def known_rows(log):
    return {"popular": int(log.impressions(arm="popular").clicked.notna().sum())}


class OfSmallRun(ExportContract):
    """The contract, on the run that the other tests here read."""

    @pytest.fixture(autouse=True)
    def _small(self, run):
        self._run = run

    def run_directory(self):
        return self._run


class TestD3rlpy(OfSmallRun):
    def build(self):
        return FORMATS["d3rlpy"]

    def expected_rows(self, log):
        return {f"{arm}/mdp.npz": rows for arm, rows in known_rows(log).items()}

    def count(self, path):
        return len(np.load(path)["actions"])


class TestMinari(OfSmallRun):
    def build(self):
        return FORMATS["minari"]

    def expected_rows(self, log):
        return {f"{arm}/data": rows for arm, rows in known_rows(log).items()}

    def count(self, path):
        return sum(json.loads(file.read_text())["total_steps"] for file in path.glob("*/metadata.json"))


LOGGED = (
    "SELECT session_id, source_user_id, page, impressions.position, source_item_id, clicked, pscore, ended_by "
    "FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) JOIN agents USING (agent_id) "
    "JOIN items USING (item_id) WHERE clicked IS NOT NULL AND arms.name = 'explored' ORDER BY impression_id"
)


@pytest.fixture
def one_by_one(ask):
    """Session -> its steps, as a reader of the log would write them down: user, item, reward, chance, observation."""

    def told(run) -> tuple[dict[int, list[tuple]], dict[int, bool]]:
        sessions: dict[int, list[tuple]] = {}
        pages: dict[int, dict[int, int]] = {}
        left: dict[int, bool] = {}
        for session, user, page, position, item, clicked, pscore, ended in ask(LOGGED, run):
            steps, opened = sessions.setdefault(session, []), pages.setdefault(session, {})
            opened.setdefault(page, 0)
            seen = (page - 1, position, len(steps), sum(opened.values()) - opened[page], opened.get(page - 1, 0))
            steps.append((user, item, float(clicked), pscore, seen))
            opened[page] += clicked
            left[session] = ended == "exit"
        return sessions, left

    return told


@pytest.mark.parametrize("rows_at_once", [3, 10_000])
def test_steps_are_those_of_the_log_whatever_the_chunk(export, one_by_one, run, monkeypatch, rows_at_once):
    monkeypatch.setattr(open_log, "CHUNK_ROWS", rows_at_once)
    sessions, left = one_by_one(run)
    mdp = np.load(export("d3rlpy").directory / "explored/mdp.npz", allow_pickle=False)
    expected = [(session, *step) for session, steps in sessions.items() for step in steps]
    users, items = mdp["user_ids"][mdp["user"]], mdp["item_ids"][mdp["actions"][:, 0]]
    columns = mdp["session_id"], users, items, mdp["rewards"][:, 0], mdp["pscore"]
    seen = map(tuple, mdp["observations"][:, 4:].astype(int).tolist())
    found = zip(*(column.tolist() for column in columns), seen, strict=True)
    assert list(found) == expected
    assert 0 < mdp["rewards"].mean() < 1
    assert mdp["pscore"].min() < 1
    ends = np.flatnonzero(mdp["terminals"] + mdp["timeouts"])
    assert mdp["session_id"][ends].tolist() == list(sessions)
    assert mdp["terminals"][ends].astype(bool).tolist() == [left[session] for session in sessions]
    assert not (mdp["terminals"] * mdp["timeouts"]).any()
    assert json.loads(str(mdp["provenance"]))["arm"] == "explored"


def test_minari_episodes_hold_the_same_steps_and_the_observation_after_the_last(export, run, tmp_path):
    mdp = np.load(export("d3rlpy").directory / "explored/mdp.npz")
    out = export_run(run, "minari", tmp_path / "minari").directory / "explored/data"
    about = json.loads((out / "metadata.json").read_text())
    assert about["total_steps"] == len(mdp["actions"])
    first = 0
    for episode in range(about["total_episodes"]):
        table = pa.ipc.open_file(pa.OSFile(str(out / str(episode) / "part-0.arrow"))).read_all()
        rows = slice(first, first + len(table) - 1)
        assert table["actions"].to_pylist()[:-1] == mdp["actions"][rows, 0].tolist()
        assert table["rewards"].to_pylist()[:-1] == mdp["rewards"][rows, 0].tolist()
        assert [info["pscore"] for info in table["infos"].to_pylist()[1:]] == mdp["pscore"][rows].tolist()
        seen = np.array(table["observations"].to_pylist(), dtype=np.float32)
        np.testing.assert_array_equal(seen[:-1], mdp["observations"][rows])
        after = dict(zip(OBSERVATION, seen[-1], strict=True))
        assert after["shown_before"] == len(table) - 1
        assert after["opened_before"] == mdp["rewards"][rows].sum()
        assert after["page"] == seen[-2][OBSERVATION.index("page")] + 1
        first += len(table) - 1
    assert first == about["total_steps"]


def test_a_lost_page_truncates_its_session_and_is_no_step(export, ask):
    mdp = np.load(export("d3rlpy").directory / "popular/mdp.npz")
    sessions = {row[0] for row in ask("SELECT session_id FROM sessions WHERE ended_by = 'unreadable'")}
    assert sessions
    terminated = mdp["session_id"][mdp["terminals"] > 0]
    assert not sessions & set(terminated.tolist())


def test_minari_reads_it_itself(export, ask):
    minari = pytest.importorskip("minari")
    data = minari.MinariDataset(export("minari").directory / "explored/data")
    episodes = list(data.iterate_episodes())
    assert len(episodes) == data.total_episodes > 1
    known = ask("SELECT count(*) FROM impressions JOIN sessions USING (session_id) JOIN arms USING (arm_id) "
                "WHERE clicked IS NOT NULL AND arms.name = 'explored'")  # fmt: skip
    assert sum(len(each.actions) for each in episodes) == data.total_steps == known[0][0]
    assert all(data.action_space.contains(action) for each in episodes for action in each.actions)
    assert all(data.observation_space.contains(seen) for each in episodes for seen in each.observations)
    assert all(len(each.observations) == len(each.actions) + 1 for each in episodes)


def test_d3rlpy_reads_it_itself(export):
    dataset = pytest.importorskip("d3rlpy.dataset")
    constants = pytest.importorskip("d3rlpy.constants")
    mdp = np.load(export("d3rlpy").directory / "explored/mdp.npz")
    arrays = {name: mdp[name] for name in ("observations", "actions", "rewards", "terminals", "timeouts")}
    buffer = dataset.MDPDataset(
        **arrays, action_space=constants.ActionSpace.DISCRETE, action_size=int(mdp["action_size"])
    )
    assert buffer.size() == len(np.unique(mdp["session_id"]))
    assert buffer.transition_count > 0
    assert [each.terminated for each in buffer.episodes] == (
        mdp["terminals"][np.flatnonzero(mdp["terminals"] + mdp["timeouts"])] > 0
    ).tolist()
