import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.contract import toy_catalog, toy_user_ids
from groundlings.recommenders.degraded import DegradedRecommender
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.exploration import EpsilonSlots, PlackettLuce
from groundlings.recommenders.oracle import OracleRecommender
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.registry import (
    SHIPPED,
    RecommenderContext,
    available_recommenders,
    build_recommender,
    find_recommender,
)


@pytest.fixture
def context(tmp_path) -> RecommenderContext:
    return RecommenderContext(toy_catalog(), toy_user_ids(), tmp_path)


def knowing(context: RecommenderContext) -> RecommenderContext:
    return RecommenderContext(
        context.catalog, context.user_ids, context.base_directory, lambda users: np.zeros((len(users), 20))
    )


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Pretend that distributions with these entry points are installed."""

    def install(distribution: str, entries: str, code: str = "") -> None:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[groundlings.recommenders]\n{entries}\n")
        (tmp_path / f"{distribution}_module.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install
    for name in [name for name in sys.modules if name.endswith("_module")]:
        del sys.modules[name]


def test_a_package_that_is_installed_later_is_found(plugins):
    plugins("first", "one_more = first_module:First")
    assert "one_more" in available_recommenders()
    plugins("second", "another_one = second_module:Second")
    assert {"one_more", "another_one"} <= set(available_recommenders())


def test_listing_recommenders_loads_no_heavy_library():
    program = (
        "import sys; from groundlings.recommenders.registry import available_recommenders; available_recommenders(); "
        "print({'irspack', 'implicit', 'torch'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "set()"


def test_options_reach_the_constructor(context):
    recommender = build_recommender("als", {"factors": 7, "regularisation": 2}, context)
    assert isinstance(recommender, AlsRecommender)
    assert (recommender.factors, recommender.regularisation, recommender.seed) == (7, 2.0, 0)


def test_each_call_builds_another(context):
    assert build_recommender("popular", {}, context) is not build_recommender("popular", {}, context)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_name_has_a_class_with_documented_options(name):
    shipped = find_recommender(name)
    hidden = {field.name for field in fields(RecommenderContext)} | {"self"}
    for option in set(shipped.__init__.__annotations__) - hidden - {"return"}:
        assert f"        {option}: " in (shipped.__doc__ or ""), f"{name}: the option {option} is not documented"


def test_available_recommenders_lists_a_line_each():
    lines = available_recommenders()
    assert set(SHIPPED) <= set(lines)
    assert all(line and "\n" not in line and "cannot be used" not in line for line in lines.values())


@pytest.mark.parametrize(
    ("spec", "options", "complaint"),
    [
        (
            "eese",
            {},
            r"arms\[1\].recommender: there is no recommender 'eese' \(did you mean 'ease'\?\). Known: agentcf, als",
        ),
        ("als", {"factor": 3}, r"arms\[1\].options.factor: als has no such option \(did you mean 'factors'\?\); it"),
        ("popular", {"size": 3}, r"arms\[1\].options.size: popular has no such option; it has no options"),
        ("random_order", {"seed": 3}, "random_order has no such option"),
        ("als", {"factors": 0}, r"arms\[1\].options.factors: found 0; expected 1 or more"),
        ("als", {"factors": "64"}, "found '64'; expected a whole number"),
        ("als", {"factors": True}, "found True; expected a whole number"),
        ("als", {"seed": -1}, "found -1; expected 0 or more"),
        ("item_knn", {"weighting": "bm25"}, "found 'bm25'; expected 'tf_idf' or 'none'"),
        (
            "item_knn",
            {"neighbours": 2**70},
            "neighbours: found 11805[0-9]*; expected whole numbers of 64 bits",
        ),
        ("als", {"regularisation": "1e-3"}, r"found '1e-3'; .* \(YAML takes this for text; write 1.0e-3\)"),
        (
            "buy_again",
            {"half_life": 1e17},
            "half_life: found 1e[+]17; expected [0-9e+]+ or less",
        ),
        ("degraded", {"of": {"recommender": "popular"}, "share": 30}, "found 30; expected [0-9e+]+ or less"),
        ("degraded", {"of": {"recommender": "popular"}}, r"needs the option 'share'; found \['of'\]"),
        ("degraded", {"of": "popular", "share": 0.1}, r"arms\[1\].options.of: found 'popular'; expected a recommender"),
        (
            "degraded",
            {"of": {"recommender": "popular", "option": {}}, "share": 0.1},
            r"arms\[1\].options.of.option: unknown key \(did you mean 'options'\?\)",
        ),
        (
            "degraded",
            {"of": {"recommender": "ease", "options": {"lambda": 3}}, "share": 0.1},
            r"arms\[1\].options.of.options.lambda: ease has no such option",
        ),
        (
            "degraded",
            {"of": {"recommender": "ease", "options": [1]}, "share": 0.1},
            r"arms\[1\].options.of.options: found \[1\]; expected a mapping",
        ),
        (
            "epsilon_slots",
            {"of": {"recommender": "random_order"}, "epsilon": 0.1},
            r"arms\[1\]: EpsilonSlots mixes chance .* RandomOrderRecommender draws lots already",
        ),
        (
            "plackett_luce",
            {"of": {"recommender": "random_order"}, "temperature": 1},
            r"arms\[1\].options.of: random_order is no ScoringRecommender",
        ),
        ("oracle", {}, r"arms\[1\].recommender: oracle ranks by the hidden preference"),
        ("oracle", {"preference": 1}, r"arms\[1\].options.preference: oracle has no such option"),
        ("external", {"path": "rankings.csv", "catalog": 1}, r"arms\[1\].options.catalog: external has no such option"),
        ("external", {"path": 3}, r"arms\[1\].options.path: found 3; expected text"),
        ("no_such_module:Mine", {}, "no_such_module:Mine cannot be imported: ModuleNotFoundError: No module named"),
        (
            "groundlings.recommenders.ease:EaseRecomender",
            {},
            r"has no 'EaseRecomender' \(did you mean 'EaseRecommender'\?\)",
        ),
        (
            "groundlings.recommenders.ease:PositiveFloat",
            {},
            "is not a subclass of groundlings.recommenders.base.Recommender",
        ),
        (
            "groundlings.recommenders.base:ScoringRecommender",
            {},
            "groundlings.recommenders.base:ScoringRecommender does not yet have the required methods: fit, score",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is_written(context, spec, options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        build_recommender(spec, options, context, where="arms[1]")


def test_recommenders_inside_recommenders(context):
    built = build_recommender(
        "degraded", {"of": {"recommender": "ease", "options": {"regularisation": 5.0}}, "share": 0.25}, context
    )
    assert isinstance(built, DegradedRecommender)
    assert isinstance(built.of, EaseRecommender)
    assert (built.share, built.of.regularisation) == (0.25, 5.0)
    slots = build_recommender("epsilon_slots", {"of": {"recommender": "popular"}, "epsilon": 0}, context)
    assert isinstance(slots, EpsilonSlots)
    luce = build_recommender("plackett_luce", {"of": {"recommender": "popular"}, "temperature": 20}, context)
    assert isinstance(luce, PlackettLuce)


def test_the_preference_goes_to_the_oracles_alone(context):
    assert isinstance(build_recommender("oracle", {}, knowing(context)), OracleRecommender)
    inside = build_recommender("degraded", {"of": {"recommender": "oracle"}, "share": 0.5}, knowing(context))
    assert inside.sees_hidden_preference


def test_a_class_that_peeks_must_say_so(context, tmp_path, monkeypatch):
    (tmp_path / "peeking_module.py").write_text(
        "from groundlings.recommenders.popular import PopularRecommender\n"
        "class Peeking(PopularRecommender):\n"
        "    def __init__(self, preference):\n"
        "        super().__init__()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ConfigError, match="asks for the hidden preference of the audience without saying so"):
        build_recommender("peeking_module:Peeking", {}, knowing(context))


def test_external_finds_its_file_beside_the_experiment(context, tmp_path):
    (tmp_path / "rankings.csv").write_text("user_id,item_id,rank\nu0,i1,1\n")
    built = build_recommender("external", {"path": "rankings.csv"}, context)
    assert built.path == tmp_path / Path("rankings.csv")


def test_a_class_of_the_current_directory(context, tmp_path, monkeypatch):
    (tmp_path / "own_current_module.py").write_text(
        "from groundlings.recommenders.popular import PopularRecommender\n"
        "class Own(PopularRecommender):\n"
        "    def __init__(self, strength: float = 1.0, untyped=None):\n"
        "        super().__init__()\n"
        "        self.given = (strength, untyped)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    built = build_recommender("own_current_module:Own", {"strength": 2, "untyped": [1, "a"]}, context)
    assert built.given == (2.0, [1, "a"])


def test_shipped_names_leave_the_import_path_alone(context, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    build_recommender("ease", {}, context)
    assert sys.path == before


def test_a_plugin_is_found_by_name(context, plugins):
    plugins(
        "plug",
        "my_popular = plug_module:Mine",
        "from groundlings.recommenders.popular import PopularRecommender\n"
        'class Mine(PopularRecommender):\n    """My own."""\n',
    )
    assert isinstance(build_recommender("my_popular", {}, context), PopularRecommender)
    assert available_recommenders()["my_popular"] == "My own."


def test_a_plugin_cannot_take_a_shipped_name(context, plugins):
    plugins("usurper", "ease = usurper_module:Ease")
    with pytest.raises(ConfigError, match="'ease' is claimed by groundlings itself and usurper_module:Ease of usurper"):
        build_recommender("ease", {}, context)
    assert available_recommenders()["ease"].startswith("cannot be used")


def test_two_plugins_cannot_share_a_name(context, plugins):
    plugins("left", "mine = left_module:Mine")
    plugins("right", "mine = right_module:Mine")
    with pytest.raises(ConfigError, match=r"'mine' is claimed by .* of (left|right) and .* of (left|right)"):
        build_recommender("mine", {}, context)


def test_a_broken_plugin_spoils_nothing_but_itself(context, plugins):
    plugins("broken", "wreck = broken_module:Wreck", "import a_module_that_is_not_there\n")
    plugins("unfinished", "draft = unfinished_module:Draft", "class Draft(\n")
    lines = available_recommenders()
    assert "cannot be imported: ModuleNotFoundError" in lines["wreck"]
    assert "cannot be imported: SyntaxError" in lines["draft"]
    assert "cannot" not in lines["ease"]
