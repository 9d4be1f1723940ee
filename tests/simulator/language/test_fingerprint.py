"""What a log says of the model that answered."""

from __future__ import annotations

from pathlib import Path

from groundlings.environments.chat import fingerprint_of
from groundlings.simulator.language.budget import BudgetConfig, BudgetedModel
from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.scripted import ScriptedModel, legal_reply


def embedded(weights: Path) -> EmbeddedModel:
    endpoint = EndpointModel(base_url="http://127.0.0.1:9/v1", model=weights.stem)
    return EmbeddedModel(ServerSettings(weights, 1, 512, 1), endpoint)


def test_weights_of_one_name_differ_by_their_content_through_every_wrapper(tmp_path):
    found = set()
    for folder, content in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        path = tmp_path / folder / "model.gguf"
        path.parent.mkdir()
        path.write_bytes(content)
        model = embedded(path)
        assert model.name == "model"
        found.add(fingerprint_of(BudgetedModel(model, BudgetConfig(calls=1))))
    assert len(found) == 2
    assert all(each.startswith("sha256:") for each in found)


def test_a_model_of_which_nobody_knows_more_goes_by_its_name():
    model = ScriptedModel(legal_reply)
    assert fingerprint_of(model) == model.name
