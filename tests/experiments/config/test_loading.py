"""An experiment file becomes a configuration, or an error that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError, RunWarning
from groundlings.experiments.config.loading import config_hash, dump_config, load_config
from groundlings.experiments.config.schema import ExperimentConfig

SMALL = """\
name: small
seed: 1
dataset: toy
mind: behavioural
site:
  page_size: 4
arms:
  - name: first
    recommender: popular
  - name: second
    recommender: random_order
"""

# The billion laughs: ten lines that mean ten billion values.
LAUGHS = "laugh0: &laugh0 [ha]\n" + "".join(
    f"laugh{n}: &laugh{n} [{', '.join([f'*laugh{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.fixture
def write(tmp_path):
    def written(text: str, name: str = "small.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_a_small_file_gets_every_default(write):
    config = load_config(write(SMALL))
    assert (config.site.page_size, config.site.max_pages, config.simulation.days) == (4, 5, 1)
    assert config.mind.kind == "behavioural"
    assert [arm.name for arm in config.arms] == ["first", "second"]


def test_dumping_and_loading_again_changes_nothing(write):
    config = load_config(write(SMALL))
    again = load_config(write(yaml.safe_dump(dump_config(config)), "again.yaml"))
    assert dump_config(again) == dump_config(config)
    assert config_hash(again) == config_hash(config)


def test_a_place_is_the_same_wherever_the_file_is_read(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    inner = "{recommender: external, options: {path: lists.csv}}"
    model = "{provider: embedded, embedded: {path: ~/model.gguf}}"
    changes = (
        "arms.0={name: first, recommender: external, options: {path: ~/lists.csv}}",
        f"arms.1={{name: second, recommender: policy, options: {{policy: saved.zip, retriever: {inner}}}}}",
        f"mind={{kind: language, model: {model}, agent_notes: {{path: ~nosuchuser0/notes.json}}}}",
    )
    with pytest.raises(ConfigError, match="~nosuchuser0 is nobody's home here"):
        load_config(write(SMALL), changes)
    config = load_config(write(SMALL), (*changes, "mind.agent_notes.path=~/notes.json"))
    assert config.mind.model.embedded.path == tmp_path / "home" / "model.gguf"
    content = dump_config(config)
    here, home = f"{tmp_path.resolve()}/", f"{tmp_path.resolve()}/home/"
    options = [arm["options"] for arm in content["arms"]]
    assert options[0] == {"path": f"{home}lists.csv"}
    assert (options[1]["policy"], options[1]["retriever"]["options"]) == (
        f"{here}saved.zip",
        {"path": f"{here}lists.csv"},
    )
    assert content["mind"]["model"]["embedded"]["path"] == f"{home}model.gguf"
    assert content["mind"]["agent_notes"]["path"] == f"{home}notes.json"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("page_size: 4", "page_sise: 4", ["small.yaml:6", "site.page_sise", "did you mean 'page_size'"]),
        ("page_size: 4", "page_size: 0", ["small.yaml:6", "site.page_size", "expected 1 or more", "found 0"]),
        ("page_size: 4", "page_size: four", ["small.yaml:6: site.page_size: expected a whole number, found 'four'"]),
        ("seed: 1\n", "", ["seed", "missing"]),
        ("name: second", "name: first", ["arm names must differ", "first"]),
        ("mind: behavioural", "mind: behavioral", ["small.yaml:4", "mind", "behavioural"]),
        ("mind: behavioural", "mind: {kind: scripted, clicc: [0]}", ["small.yaml:4", "mind.clicc", "did you mean"]),
        (
            "mind: behavioural",
            "mind: {kind: behavioural, social: {likes: 1, ties: {generator: erdos}}}",
            ["small.yaml:4", "mind.social.ties: expected the path of a table of ties, or keys of which `generator` is"],
        ),
        (
            "mind: behavioural",
            "mind: {kind: behavioural, social: {likes: 1, ties: {generator: homophily, rewired: 1}}}",
            ["mind.social.ties.rewired: this key does not exist. Allowed here: generator, begun, alike, candidates"],
        ),
        (
            "mind: behavioural",
            "mind: {kind: behavioural, social: {ties: ties.csv, likes: 1, opinions: {model: bounded_confidence, "
            "confidence: 0.3, weight: 1, trust: 0.5}}}",
            ["mind.social.opinions.trust: this key does not exist. Allowed here: weight, experience, model, conf"],
        ),
        ("dataset: toy", "dataset: ml-100", ["ml-100", "did you mean 'ml-100k'"]),
        ("site:", "name: twice\nsite:", ["small.yaml:5", "'name'", "line 1"]),
        ("site:", "site: [", ["small.yaml", "not valid YAML"]),
        ("    recommender: popular", "    recomender: popular", ["small.yaml:8", "arms[0].recomender", "recommender"]),
        ("site:", "base: /\nsite:", ["base", "does not exist"]),
        ("site:", "? [1, 2]\n: 3\nsite:", ["small.yaml:5", "a key must be one word"]),
        ("site:", "site: &again\n  inner: *again", ["small.yaml:5", "inside of what it stands for"]),
        ("page_size: 4", "page_size: 50000", ["small.yaml:5", "more than 100,000 per session"]),
        ("dataset: toy", "dataset: {name: toy, toy: {n_users: 10000000, interactions_per_user: 50}}", ["200,000,000"]),
        ("page_size: 4", f"page_size: {'x' * 5000}", ["small.yaml:6", "characters)"]),
        (
            "dataset: toy",
            'dataset: {name: ml-100k, directory: "~nobody-here/x"}',
            ["dataset.directory", "nobody's home"],
        ),
        ("dataset: toy", 'dataset: {name: ml-100k, directory: "a\\0b"}', ["dataset.directory", "zero byte"]),
        ("dataset: toy", f"dataset: {{name: ml-100k, directory: {'x' * 300}}}", ["dataset.directory", "255"]),
        ("seed: 1", LAUGHS + "seed: *laugh9", ["small.yaml", "aliases written out", "100,000"]),
        ("page_size: 4", "repeats: nevr", ["small.yaml:6: site.repeats: expected", "did you mean 'never'?"]),
        ("page_size: 4", "null: 4", ["small.yaml:6: site.None"]),
        ("name: second", "name: ' '", ["arms[1].name: an arm needs a name"]),
        (
            "page_size: 4",
            "layout: {kind: rows, rows: [{name: ' ', visible: 2, filtre: x}]}",
            ["small.yaml:6: site.layout.rows[0].name: a row needs", "site.layout.rows[0].filtre", "'filter'"],
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_key_and_a_way_out(write, old, new, expected):
    with pytest.raises(ConfigError) as error:
        load_config(write(SMALL.replace(old, new)))
    for part in expected:
        assert part in str(error.value)


@pytest.mark.parametrize("kinds", ["plays", "{'1': plays}"])
def test_a_kind_that_does_not_exist_is_complained_about_once_with_what_may_have_been_meant(write, kinds):
    column = "kind: what, " if ":" in kinds else ""
    own = f"interactions: {{path: a, user: u, item: i, {column}kinds: {kinds}}}, items: {{path: b, id: i, title: t}}"
    with pytest.raises(ConfigError) as error:
        load_config(write(SMALL.replace("dataset: toy", f"dataset: {{name: own, own: {{{own}}}}}")))
    (told,) = str(error.value).splitlines()
    where = "kinds.1" if column else "kinds"
    assert f"dataset.own.interactions.{where}: expected 'interaction'" in told
    assert told.endswith("found 'plays'; did you mean 'play'?")


def test_a_missing_file_suggests_its_neighbour(write):
    path = write(SMALL)
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*small\.yaml"):
        load_config(path.with_name("smal.yaml"))
    path.with_name("smal.yaml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"no such file; did you mean .*small\.yaml"):
        load_config(path.with_name("smal.yaml"))


@pytest.mark.parametrize(
    ("change", "look", "value"),
    [
        ("site.page_size=7", lambda config: config.site.page_size, 7),
        ("simulation.days=3", lambda config: config.simulation.days, 3),
        ("arms.1.recommender=ease", lambda config: config.arms[1].recommender, "ease"),
        ("arms[1].recommender=ease", lambda config: config.arms[1].recommender, "ease"),
        ("simulation.days = 3", lambda config: config.simulation.days, 3),
        ("split.salt=other", lambda config: config.split.salt, "other"),
        ("dataset.toy.n_users=30", lambda config: config.dataset.toy.n_users, 30),
        ("mind=scripted", lambda config: config.mind.kind, "scripted"),
        ("arms.0.options={a: 1}", lambda config: config.arms[0].options, {"a": 1}),
    ],
)
def test_set_changes_one_value(write, change, look, value):
    assert look(load_config(write(SMALL), [change])) == value


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("site.page_sise=3", ["--set", "site.page_sise", "page_size"]),
        ("site", ["key.path=value"]),
        ("site..x=1", ["key.path=value"]),
        ("arms.7.name=x", ["list of 2", "7"]),
        ("arms.name=x", ["list of 2", "name"]),
        ("seed.x=1", ["holds 1"]),
        ("site.page_size=[", ["not valid YAML"]),
        ("site.page_size=2024-13-45", ["not valid YAML"]),
        (f"name=[{'x' * 9000}", ["x... (9,006 characters): the value is not valid YAML"]),
        ("sit.page_size=3", ["--set: sit: this key does not exist; did you mean 'site'"]),
        ("name.x=3", ["--set: name: expected text"]),
        (
            "dataset.own.items.path=x",
            ["--set: dataset.own.interactions: this key is missing; add it: a mapping of"],
        ),
        ("dataset.own.items.path=x", ["--set: dataset.own.items.id: this key is missing; add it: a text"]),
        ("base=/", ["--set: base: this key does not exist"]),
        ("arms=2", ["--set: arms: expected a list, found 2"]),
        ("arms=[]", ["--set: arms: expected at least 1 entry, found none"]),
        ("site=[1]", ["--set: site: expected a mapping of keys, found a list"]),
        (f"arms.{'9' * 5000}.name=x", ["a list of 2"]),
        ("population.size=0", ["--set: population.size: expected 1 or more"]),
        ("simulation.returns.again=-1", ["--set: simulation.returns.again: expected 0 or more"]),
    ],
)
def test_a_bad_set_says_what_is_wrong(write, change, expected):
    with pytest.raises(ConfigError) as error:
        load_config(write(SMALL), [change])
    for part in expected:
        assert part in str(error.value)
    assert len(str(error.value)) < 3000


def test_a_word_in_the_place_of_a_section_says_which_keys_no_longer_count(write):
    path = write(SMALL.replace("dataset: toy", "dataset: {name: toy, toy: {seed: 2}}"))
    with pytest.warns(RunWarning, match=r"so toy of the file no longer counts; --set dataset.name=ml-1m keeps"):
        assert load_config(path, ["dataset=ml-1m"]).dataset.toy is None


def test_seed_option_wins_over_the_file(write):
    assert load_config(write(SMALL), seed=99).seed == 99


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_mutated_file_is_a_configuration_or_a_config_error(tmp_path, data):
    text = list(SMALL)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(text) - 1))
        what = data.draw(st.sampled_from(["drop", "swap", "insert"]))
        character = data.draw(st.sampled_from(list("\n :-[]{}#&*!|>'\"%@,?0aé\t\x00")))
        if what == "drop":
            del text[place]
        elif what == "swap":
            text[place] = character
        else:
            text.insert(place, character)
    path = tmp_path / "mutated.yaml"
    path.write_text("".join(text), encoding="utf-8")
    try:
        loaded = load_config(path)
    except ConfigError:
        return  # the one error a bad file may end in; any other fails this test
    assert isinstance(loaded, ExperimentConfig)


@pytest.mark.parametrize("other", ["mine", "mine ", " mine", "cafe\u0301"])
def test_arms_whose_names_look_alike_are_refused(other: str, tmp_path: Path):
    name = "caf\u00e9" if other.startswith("c") else "mine"
    path = tmp_path / "file.yaml"
    arms = [{"name": name, "recommender": "popular"}, {"name": other, "recommender": "random_order"}]
    path.write_text(yaml.safe_dump({"name": "x", "seed": 1, "dataset": "toy", "mind": "behavioural", "arms": arms}))
    with pytest.raises(ConfigError, match="arm names must differ"):
        load_config(path)
