"""Policies that choose pages: the same users, luck and outcomes as in a run, in gymnasium's own terms."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from groundlings.environments.errors import ConfigError, TooMuchUnreadable
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.experiment import Experiment
from groundlings.experiments.gym.world import World, world_of
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.policies.policy import ActingRecommender

gymnasium = pytest.importorskip("gymnasium")
pytestmark = pytest.mark.filterwarnings("ignore:.*Gymnasium version.*")

from gymnasium.utils.env_checker import check_env  # noqa: E402 - where it is installed

from groundlings.experiments.gym import registered  # noqa: E402
from groundlings.experiments.gym.single_env import SessionEnv  # noqa: E402
from groundlings.experiments.gym.vector_env import SessionsVectorEnv  # noqa: E402

SLOTS, PAGES, USERS, WIDTH = 3, 3, 24, 4
FILM = {"n_users": USERS, "n_items": 40, "interactions_per_user": 8}
CONFIG = {
    "name": "acting",
    "seed": 5,
    "dataset": {"name": "toy", "toy": FILM},
    "site": {"page_size": SLOTS, "max_pages": PAGES, "rank_each": "page"},
    "simulation": {"days": 2, "refit_every": 0},
    "mind": {"kind": "behavioural", "random_click_rate": 0.3},
    "arms": [{"name": "popular", "recommender": "popular"}],
}
INNER = {"recommender": "popular"}
SHOP = {
    "dataset": {"name": "toy", "toy": {**FILM, "offers": True}},
    "site": {"page_size": 3, "max_pages": PAGES, "actions": ["click", "add_to_cart", "purchase", "quantity", "paid"]},
}


def config(**changes):
    return ExperimentConfig.model_validate({**CONFIG, **changes})


@pytest.fixture(scope="module")
def made():
    """Makes a world of few candidates, each once; closes them."""
    worlds = {}

    def world(changes=(), **options):
        key = repr((changes, options))
        if key not in worlds:
            worlds[key] = World.of(config(**dict(changes)), **{"candidates": 25, "width": WIDTH, **options})
        return worlds[key]

    yield world
    for each in worlds.values():
        each.close()


def lived(world, act, rows=USERS, seed=5):
    """Clicks and pages of the first session of every row, and the users."""
    env = SessionsVectorEnv(world, rows)
    observations, info = env.reset(seed=seed)
    users, over = info["user"], np.zeros(rows, dtype=bool)
    clicks, pages = np.zeros(rows), np.zeros(rows, dtype=int)
    for _ in range(PAGES):
        observations, reward, left, truncated, _ = env.step(act(observations))
        clicks += np.where(over, 0, reward)
        pages += ~over
        over |= left | truncated
    assert over.all()
    return users, clicks, pages


def mixing(observations):
    """Some policy: a fixed mixture of what it sees."""
    weights = np.random.default_rng(1).normal(size=(observations.shape[1], WIDTH))
    return np.tanh(observations @ weights).astype(np.float32)


@pytest.mark.parametrize("changes", [{}, SHOP], ids=["feed", "shop"])
@pytest.mark.usefixtures("quick_report")
def test_a_session_has_the_outcome_that_it_has_in_a_run_on_that_day(made, tmp_path, changes):
    world = made(changes, action="embedding")
    users, clicks, pages = lived(world, mixing)
    config = {**CONFIG, **changes, "site": {**CONFIG["site"], **changes.get("site", {}), "rank_each": "page"}}
    sections = {key: config[key] for key in ("dataset", "seed", "site", "simulation", "mind")}

    def arm():
        return ActingRecommender(mixing, ItemKnnRecommender(), action="embedding", candidates=25, width=WIDTH)

    run = Experiment(arms={"mine": arm}, **sections).run(tmp_path / "run")
    day = run.sessions().query("day == 0").set_index("user_id")
    names = [world.plan.dataset.people.user_ids[user] for user in users]
    assert day.pages[names].tolist() == pages.tolist()
    clicked = run.impressions().query("day == 0").groupby("user_id").clicked.sum()
    assert clicked[names].tolist() == clicks.tolist()
    assert len(set(pages.tolist())) > 1, "some leave earlier than others"


def test_everybody_comes_before_anybody_comes_again(made):
    env = SessionsVectorEnv(made(), 7)
    _, info = env.reset(seed=1)
    came = list(info["user"])
    for _ in range(40):
        *_, info = env.step(np.tile(np.arange(SLOTS), (7, 1)))
        came += info["user"][info.get("_final_info", np.zeros(7, dtype=bool))].tolist()
    assert sorted(came[:USERS]) == list(range(USERS))
    assert sorted(came[USERS : 2 * USERS]) == list(range(USERS))
    assert came[:USERS] != came[USERS : 2 * USERS]


def test_rows_do_not_depend_on_how_many_there_are(made):
    world = made(action="embedding")
    some, all_of_them = lived(world, mixing, rows=5), lived(world, mixing)
    for few, many in zip(some, all_of_them, strict=True):
        assert few.tolist() == many[:5].tolist()


def test_what_is_shown_is_masked_and_places_that_name_nothing_are_counted(made):
    env = SessionsVectorEnv(made(), USERS)
    _, info = env.reset(seed=2)
    assert info["action_mask"].all(axis=1).all()
    action = np.tile([0, 1, 1], (USERS, 1))
    *_, left, truncated, info = env.step(action)
    assert (info["unused"] == 1).all()
    goes_on = ~(left | truncated)
    assert goes_on.any()
    assert (info["action_mask"][goes_on].sum(axis=1) == 25 - SLOTS).all()
    assert not info["action_mask"][goes_on][:, :3].any(), "places 0 and 1, and the first free one"
    assert info["action_mask"][~goes_on].all(), "the next user has seen nothing yet"
    assert not info["final_info"]["action_mask"][~goes_on][:, :3].any()
    assert (env.step(action)[-1]["unused"][goes_on] == SLOTS).all()
    assert env.action_masks().shape == (USERS, SLOTS * 25)


def test_a_session_ends_by_leaving_or_by_the_last_page(made):
    env = SessionsVectorEnv(made(), USERS)
    env.reset(seed=3)
    ended = np.zeros((2, PAGES + 1), dtype=int)
    page = np.ones(USERS, dtype=int)
    for _ in range(12):
        *_, left, truncated, _ = env.step(np.tile(np.arange(SLOTS), (USERS, 1)))
        assert not (left & truncated).any()
        for kind, over in enumerate((left, truncated)):
            np.add.at(ended[kind], page[over], 1)
        page = np.where(left | truncated, 1, page + 1)
    assert ended[0].sum() > 0
    assert ended[1].tolist() == [0, 0, 0, ended[1].sum()]
    assert ended[1].sum() > 0


def test_gymnasium_finds_nothing_wrong_and_its_registry_makes_both(tmp_path):
    path = tmp_path / "acting.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    env = gymnasium.make(registered.SESSIONS, experiment=path, candidates=25)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()
    rows = gymnasium.make_vec(registered.SESSIONS, num_envs=3, experiment=path, candidates=25, action="embedding")
    observations, _ = rows.reset(seed=1)
    assert observations in rows.observation_space
    assert rows.step(rows.action_space.sample())[0] in rows.observation_space
    rows.close()


def test_one_user_at_a_time_is_the_first_of_many(made):
    world = made()
    rows, single = SessionsVectorEnv(world, 1), SessionEnv(world)
    many, one = rows.reset(seed=4)[0], single.reset(seed=4)[0]
    for _ in range(10):
        assert one.tolist() == many[0].tolist()
        many, reward, left, truncated, _ = rows.step(np.arange(SLOTS)[None])
        one, *rest, _ = single.step(np.arange(SLOTS))
        assert rest == [reward[0], left[0], truncated[0]]
        if left[0] or truncated[0]:
            one, _ = single.reset()
    assert single.action_masks().shape == (SLOTS * 25,)


def test_one_slot_is_a_discrete_action(made):
    env = SessionsVectorEnv(made({"site": {**CONFIG["site"], "page_size": 1}}), 4)
    assert env.single_action_space == gymnasium.spaces.Discrete(25)
    env.reset(seed=1)
    *_, info = env.step(np.zeros(4, dtype=int))
    assert (info["unused"] == 0).all()


def test_only_some_rows_may_be_begun_anew(made):
    env = SessionsVectorEnv(made(), 6)
    _, before = env.reset(seed=1)
    mask = np.array([True, False] * 3)
    _, after = env.reset(options={"reset_mask": mask})
    assert ((before["user"] == after["user"]) == ~mask).all()


def test_rewards_that_nobody_knows_are_flagged_and_lost_pages_end_a_session(made):
    mind = {"kind": "scripted", "click": [0], "misdeeds": ["unreadable"]}
    env = SessionsVectorEnv(made({"mind": mind}), 4)
    env.reset(seed=1)
    _, reward, left, truncated, info = env.step(np.tile(np.arange(SLOTS), (4, 1)))
    lost = info["no_reward"]
    assert lost.any()
    assert (reward[lost] == 0).all()
    assert (truncated[lost] & ~left[lost]).all()
    watched = SessionsVectorEnv(made({"mind": {**mind, "max_unreadable": 0.1}}), 30)
    watched.reset(seed=1)
    watched.step(np.tile(np.arange(SLOTS), (30, 1)))  # so few pages may be lost by chance
    with pytest.raises(TooMuchUnreadable, match=r"pages are lost.*mind\.max_unreadable allows 10 %.*nobody knows"):
        watched.step(np.tile(np.arange(SLOTS), (30, 1)))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.nan, "numbers from nan to nan, expected numbers from -1 to 1 .*diverged"),
        (np.inf, "numbers from 0 to inf, expected numbers from -1 to 1"),
        (1.5, r"numbers from 0 to 1\.5, expected numbers from -1 to 1 of shape \(24, 4\)"),
        ("x", "of <U1, expected numbers"),
        (None, "of object, expected numbers"),
        (0.5j, "of complex128, expected numbers"),
    ],
)
def test_a_vector_that_is_none_of_the_action_space_shows_nothing(made, wrong, found):
    env = SessionsVectorEnv(made(action="embedding", width=4), USERS)
    env.reset(seed=2)
    actions = np.zeros((USERS, 4), dtype=object if wrong is None else np.asarray(wrong).dtype)
    actions[1, 2] = wrong
    with pytest.raises(ConfigError, match=f"actions: found .*{found}"):
        env.step(actions)


@pytest.mark.parametrize(
    ("actions", "found"),
    [
        (np.zeros(USERS, dtype=int), r"shape \(24,\) of int64"),
        (np.zeros((USERS, SLOTS + 1), dtype=int), r"shape \(24, 4\) of int64"),
        (np.zeros((USERS, SLOTS)), r"shape \(24, 3\) of float64"),
        (np.zeros((USERS, SLOTS), dtype=bool), r"shape \(24, 3\) of bool"),
        (np.full((USERS, SLOTS), 25), "numbers from 25 to 25"),
        (np.full((USERS, SLOTS), -1), "numbers from -1 to -1"),
        ([[0, 1, 2], [3]], r"\[\[0, 1, 2\], \[3\]\]"),
        (None, r"shape \(\) of object"),
    ],
    ids=str,
)
def test_a_slate_that_is_none_of_the_action_space_shows_nothing(made, actions, found):
    env = SessionsVectorEnv(made(), USERS)
    env.reset(seed=2)
    with pytest.raises(ConfigError, match=rf"found {found}, expected whole numbers from 0 to 24 of shape \(24, 3\)"):
        env.step(actions)


@pytest.mark.parametrize(
    ("changes", "options", "complaint"),
    [
        ({}, {"candidates": 2}, "candidates: found 2, but a page has 3 slots"),
        ({}, {"candidates": 0}, "expected whole numbers from 1"),
        ({}, {"candidates": "many"}, "candidates and width: found many and 4"),
        ({}, {"width": 10**9}, "width: found 1000000000; expected 4,096 at most"),
        ({}, {"action": "embeding"}, "action: found 'embeding', expected one of slate, embedding"),
        ({}, {"retriever": "nobody"}, "retriever.recommender: there is no recommender 'nobody'"),
        ({}, {"retriever": {"name": 3}}, "retriever: found"),
        ({}, {"retriever": 3}, "retriever: found 3, expected a name or"),
        ({}, {"candidates": 10**9}, "candidates: found 1000000000, but the catalogue has"),
        ({}, {"candidats": 3}, r"candidats: no option of a world \(did you mean 'candidates'\?\); expected supplied, "),
        ({}, {"reward": "sum(buy)"}, "reward: the site has no 'buy'"),
        (
            {"site": {"max_pages": 2, "layout": {"kind": "rows", "rows": [{"name": "For you", "visible": 2}]}}},
            {},
            "environment: policies act on a paginated feed",
        ),
    ],
)
def test_what_does_not_fit_is_refused(made, changes, options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        made(changes, **options)


@pytest.mark.parametrize("rows", [0, -1, 2.5, "two", True], ids=str)
def test_rows_are_a_whole_number_from_1(made, rows):
    with pytest.raises(ConfigError, match=r"num_envs: found .*, expected a whole number from 1"):
        SessionsVectorEnv(made(), rows)


def test_a_file_with_changes_makes_a_world(tmp_path):
    path = tmp_path / "acting.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    world = world_of(path, ["site.page_size=2"], candidates=9)
    assert (world.feed.page_size, world.size) == (2, 9)
    world.close()


def test_a_policy_that_chooses_pages_is_asked_for_pages(tmp_path):
    def arm():
        return ActingRecommender(lambda rows: np.tile(np.arange(SLOTS), (len(rows), 1)), ItemKnnRecommender())

    sections = {key: CONFIG[key] for key in ("dataset", "seed", "simulation")}
    site = {"page_size": SLOTS, "max_pages": PAGES}
    with pytest.raises(ConfigError, match=r"found shape \(24, 3\) .* of shape \(24, 9\) .* site\.rank_each: page"):
        Experiment(arms={"mine": arm}, site=site, mind={"kind": "scripted"}, **sections).run(tmp_path / "run")


def test_a_saved_policy_needs_its_library_or_a_file_that_it_can_read(tmp_path):
    (tmp_path / "policy.zip").write_bytes(b"nothing")
    arms = {"saved": {"recommender": "policy", "options": {"policy": str(tmp_path / "policy.zip"), "retriever": INNER}}}
    sections = {key: CONFIG[key] for key in ("dataset", "seed", "site", "simulation")}
    with pytest.raises(ConfigError, match=r"stable-baselines3 is not installed|cannot be read as a saved PPO"):
        Experiment(arms=arms, mind={"kind": "scripted"}, **sections).check()


@pytest.mark.parametrize(
    "options",
    [{"rest_mask": [True, True]}, "all", {"reset_mask": [True]}, {"reset_mask": [1, 0]}, {"reset_mask": "x"}],
)
def test_options_that_there_are_not_are_refused(made, options):
    env = SessionsVectorEnv(made(), 2)
    with pytest.raises(ConfigError, match=r"found .*, expected"):
        env.reset(options=options)


def test_nothing_is_shown_before_a_session_begins_or_after_the_world_is_closed():
    env = SessionsVectorEnv(World.of(config(), candidates=25, width=WIDTH), 2)
    page = env.action_space.sample()
    with pytest.raises(ConfigError, match="no session has begun"):
        env.step(page)
    env.reset()
    env.close()
    for door in (lambda: env.step(page), env.reset):
        with pytest.raises(ConfigError, match="the world is closed"):
            door()
