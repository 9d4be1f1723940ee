"""Training on a made-up world with a model of two layers: it learns, goes on where it stopped, and can be served."""

from __future__ import annotations

import json

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError, DataError
from groundlings.experiments.labs.train_mind.config import (
    FIRST_ANSWERS,
    RECORDS,
    PreferenceConfig,
    SlicesConfig,
    TrainingConfig,
)
from groundlings.experiments.labs.train_mind.evaluation import MODEL, evaluate_mind
from groundlings.experiments.labs.train_mind.examples import population_of
from groundlings.experiments.labs.train_mind.gguf_copy import write_gguf
from groundlings.experiments.labs.train_mind.lab import AFTER, BEFORE, train_mind
from groundlings.experiments.labs.train_mind.token_trees import Prompts, Tree, answer_tokens, grow, lay
from groundlings.experiments.running.events import LabStep
from groundlings.personas.minds.calibrated_question import PairQuestions
from groundlings.simulator.language.adapter import TENSORS
from groundlings.simulator.language.llama_tensors import gguf_name, interleaved
from groundlings.simulator.language.safetensors_file import read_tensors


class Bench:
    """The toy model and the prompts of the toy scenes."""

    def __init__(self, ground, material, base_model):
        import torch

        from groundlings.experiments.labs.train_mind.network import Network, read_model

        self.model, self.tokenizer = read_model(base_model)
        self.network = Network(self.model, answer_tokens(self.tokenizer), torch.float32)
        population = population_of(ground.dataset, material.learned, material.groups.statistics)
        self.prompts = Prompts(self.tokenizer, PairQuestions(population, ground.config.question))


@pytest.fixture
def bench(ground, material, base_model):
    return Bench(ground, material, base_model)


@pytest.fixture
def trainer(ground, material, bench, tmp_path):
    from groundlings.experiments.labs.train_mind.training import Trainer

    def made(identity="same"):
        return Trainer(
            bench.network, bench.prompts, material.learned, ground.config.training, tmp_path, seed=1, identity=identity
        )

    return made


def test_a_tree_answers_as_each_prompt_alone(bench):
    tree = bench.prompts.tree(0, [1, 2, 3])
    assert len(tree.beginning) > 100
    assert len(set(map(len, tree.branches))) > 1
    together = bench.network.say(lay(tree))
    alone = [bench.network.say(lay(Tree((), (tree.beginning + branch,)))) for branch in tree.branches]
    assert np.allclose(together.yes, [each.yes[0] for each in alone], atol=1e-4)
    assert np.allclose(together.no, [each.no[0] for each in alone], atol=1e-4)


def test_tokens_are_those_of_the_chat_template(bench):
    text = bench.prompts.text(0, 1)
    assert text.startswith("<|start|>system\nYou visit a site")
    assert text.endswith("<|end|>\n<|start|>assistant\n")
    whole = bench.tokenizer(text, add_special_tokens=False)["input_ids"]
    (branch,) = grow([whole]).branches
    assert bench.prompts.tree(0, [1]).branches == (branch,)


def test_spellings_of_both_answers_are_found(bench):
    yes, no = answer_tokens(bench.tokenizer)
    assert {bench.tokenizer.decode([token]).strip().lower() for token in yes} == {"yes"}
    assert {bench.tokenizer.decode([token]).strip().lower() for token in no} == {"no"}


def test_it_learns_and_goes_on_where_it_stopped(trainer, bench, tmp_path):
    fresh = {name: values.clone() for name, values in bench.model.state_dict().items()}
    whole = trainer().train()
    assert np.mean(whole.losses[-2:]) < np.mean(whole.losses[:2])
    weights = {name: each.detach().clone() for name, each in bench.model.named_parameters()}

    class Interrupted(Exception):
        pass

    def stop(done, _total, _loss):
        if done == 3:
            raise Interrupted

    bench.model.load_state_dict(fresh)
    with pytest.raises(Interrupted):
        trainer().train(stop)
    again, steps = trainer(), tmp_path / "steps.jsonl"
    again.resume()
    written = steps.read_bytes()
    for damaged in (b"", b"\xff" + written):
        steps.write_bytes(damaged)
        with pytest.raises(DataError, match=r"steps\.jsonl.*restore the file"):
            again.train()
    steps.write_bytes(written)
    resumed = again.train()
    assert resumed.losses == pytest.approx(whole.losses, abs=1e-5)
    for name, each in bench.model.named_parameters():
        assert np.allclose(each.detach(), weights[name], atol=1e-5), name
    steps = [json.loads(line)["step"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]


def test_the_preference_loss_has_its_limits():
    torch = pytest.importorskip("torch")
    from groundlings.experiments.labs.train_mind.network import preference_loss

    reference = torch.tensor([0.3, -1.0, 2.0, 0.1], dtype=torch.float64)
    real = torch.tensor([True, False, True, False])
    gained = torch.tensor([1.0, 0.5, -0.7, 0.2], dtype=torch.float64)
    apart = gained[real][:, None] - gained[~real]

    def loss(beta):
        return float(preference_loss(reference + gained, reference, real, beta))

    assert float(preference_loss(reference, reference, real, 0.1)) == pytest.approx(np.log(2))
    assert (np.log(2) - loss(1e-5)) / 1e-5 == pytest.approx(float(apart.mean()) / 2, abs=1e-4)
    assert loss(1e4) / 1e4 == pytest.approx(float(torch.relu(-apart).mean()))


def test_a_preference_step_begins_at_chance_and_moves_away_from_the_reference(ground, material, bench, tmp_path):
    torch = pytest.importorskip("torch")
    from groundlings.experiments.labs.train_mind.network import Network, with_adapter
    from groundlings.experiments.labs.train_mind.training import Trainer

    tree = bench.prompts.tree(0, [1, 2])
    before = bench.network.say(lay(tree))
    network = Network(with_adapter(bench.model, 4), answer_tokens(bench.tokenizer), torch.float32)
    # Items of the toy hardly differ for a model that has learned nothing: a large beta makes small steps count.
    options = TrainingConfig(
        choice_weight=0, answer_weight=0, preference=PreferenceConfig(beta=100.0), rank=4, learning_rate=0.01,
        scenes_per_step=4, passes=4, precision="float32", threads=1,
    )  # fmt: skip
    losses = Trainer(network, bench.prompts, material.learned, options, tmp_path, seed=1, identity="").train().losses
    assert losses[0] == pytest.approx(np.log(2), abs=1e-5)
    assert np.mean(losses[-8:]) < losses[0] - 0.05
    after, reference = network.say(lay(tree)), network.reference(lay(tree))
    assert np.allclose(reference, before.yes - before.no, atol=1e-5)
    assert not np.allclose(after.yes - after.no, before.yes - before.no, atol=1e-3)


def test_a_preference_step_needs_an_adapter_to_switch_off():
    with pytest.raises(ValueError, match="weights: lora"):
        TrainingConfig(weights="full", preference=PreferenceConfig())


def test_a_checkpoint_of_another_training_is_refused(trainer):
    trainer("one").train()
    with pytest.raises(DataError, match="another file"):
        trainer("other").resume()


def test_a_damaged_checkpoint_is_refused(trainer, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK no checkpoint")
    with pytest.raises(DataError, match="cannot be read as a checkpoint"):
        trainer().resume()


def test_a_gguf_copy_is_read_back_as_the_same_model(bench, tmp_path):
    gguf, transformers = pytest.importorskip("gguf"), pytest.importorskip("transformers")
    base, target = tmp_path / "base.gguf", tmp_path / "copy.gguf"
    config = bench.model.config
    writer = gguf.GGUFWriter(base, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    for name, values in bench.model.state_dict().items():
        if name != "lm_head.weight":
            blank = np.zeros(tuple(values.shape), dtype=np.float16 if values.ndim == 2 else np.float32)
            writer.add_tensor(gguf_name(name), blank)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    write_gguf(bench.model, base, target)
    options = transformers.GgufConfig(dequantize=True)
    read = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=target.name, quantization_config=options
    )
    for name, values in bench.model.state_dict().items():
        assert np.allclose(read.state_dict()[name].float(), values, atol=2e-3), name


def test_rows_of_a_head_are_taken_from_its_halves_in_turn():
    rows = np.arange(8, dtype=np.float32)[:, None]
    assert interleaved(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_the_whole_lab_writes_a_model_that_is_weighed_again_without_training(ground, base_model, tmp_path):
    training = ground.config.training.model_copy(update={"weights": "lora", "rank": 2})
    slices = SlicesConfig(short_histories=(1,), new_items=0.2, people=6)
    config = ground.config.model_copy(update={"base_model": base_model, "training": training, "slices": slices})
    findings = train_mind(config, tmp_path)
    about = findings.about
    assert about["files"] == {"model": "model", "adapter": "adapter"}
    assert (tmp_path / "model" / "model.safetensors").exists()
    assert_adapter_gives_the_model(base_model, tmp_path)
    assert about["training"]["decisions"] == about["learned"]["decisions"]
    assert about["asked"]["after"]["questions"] == about["asked"]["before"]["questions"] > 0
    assert {row.scorer for row in findings.rows} >= {BEFORE, AFTER, "popularity", "item kNN", "evidence"}
    assert [each.name for each in findings.slices] == ["last 1 interaction", "new items"]
    assert set(findings.memory) == {"before", "after"}
    before, after = findings.memory["before"], findings.memory["after"]
    assert before.completions.titles == after.completions.titles
    assert all(asked > 0 for asked in before.completions.titles)
    assert before.histories.learned != after.histories.learned
    record = json.loads(json.dumps(findings.as_dict()))
    assert record["about"]["name"] == "toy"

    (tmp_path / RECORDS).write_text(json.dumps(record))
    found = evaluate_mind(config, tmp_path)
    assert found.about["new_items"] == {"items": 16, "decided": 0}
    assert found.memory.completions.titles == after.completions.titles
    assert found.memory.histories.learned == pytest.approx(after.histories.learned, rel=0.02)
    whole, *again = found.slices
    assert whole.name == "all"
    # The files hold bfloat16, so an order may differ where two scores nearly agree.
    assert whole.find(MODEL, "list AUC").value == pytest.approx(findings.find(AFTER, "list AUC").value, abs=0.05)
    for one, other in zip(findings.slices, again, strict=True):
        assert (one.name, one.people, one.asked) == (other.name, other.people, other.asked)
        assert one.find("text ridge", "top-1") == other.find("text ridge", "top-1")


def test_whoever_goes_on_does_not_ask_again_what_the_model_said_before(ground, material, base_model, tmp_path):
    config = ground.config.model_copy(update={"base_model": base_model})

    class Reached(Exception):
        pass

    class Until:
        """Ends a training at the beginning of a step."""

        def __init__(self, name):
            self._name = name

        def event(self, said):
            if isinstance(said, LabStep) and said.name.startswith(self._name):
                raise Reached

    with pytest.raises(Reached):
        train_mind(config, tmp_path, progress=Until("training 2/"))
    kept = tmp_path / FIRST_ANSWERS
    said = json.loads(kept.read_text())
    unreadable = said["said"]["scores"]["test five"]
    assert np.array(unreadable).ravel().tolist() == [None] * len(unreadable) * 5, "it has learned nothing"
    said["said"]["tokens"] = 1234567
    unreadable[0] = [1.0, 2.0, 3.0, 4.0, 5.0]
    kept.write_text(json.dumps(said))
    found = train_mind(config, tmp_path, resume=True)
    assert found.about["asked"]["before"]["tokens"] == 1234567
    assert found.find(BEFORE, "top-1").left_out == len(unreadable) - 1
    for content, fault in (
        (json.dumps(said | {"identity": "other"}), "another file"),
        ('{"said": 1}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ):
        kept.write_text(content)
        with pytest.raises(DataError, match=rf"first_answers\.json: .*{fault}"):
            train_mind(config, tmp_path, resume=True)


def assert_adapter_gives_the_model(base_model, directory):
    """The adapter, read by PEFT, added to the base, is the trained model, which is written in bfloat16."""
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    base = transformers.AutoModelForCausalLM.from_pretrained(base_model)
    whole = peft.PeftModel.from_pretrained(base, directory / "adapter").merge_and_unload().state_dict()
    trained = transformers.AutoModelForCausalLM.from_pretrained(directory / "model").state_dict()
    for name, values in whole.items():
        assert np.allclose(values, trained[name].float(), atol=2e-3, rtol=1e-2), name
    own = read_tensors(directory / "adapter" / TENSORS)
    assert own.notes == {"format": "pt"}, "a base that is a directory has no hash"
    assert {values.dtype for values in own.values.values()} == {np.dtype(np.float16)}
    settings = (directory / "adapter" / "adapter_config.json").read_text()
    assert str(base_model.parent) not in settings, "the place of the base is this machine's"


def test_without_the_extra_it_says_what_to_install(ground, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ConfigError, match=r"groundlings\[train\]"):
        train_mind(ground.config, tmp_path)


@pytest.mark.parametrize("junk", ["empty", "text", "config", "gguf"])
def test_what_is_no_model_is_refused_in_one_message(base_model, tmp_path, junk):
    from groundlings.experiments.labs.train_mind.network import read_model

    place = tmp_path / {"text": "notes.txt", "gguf": "model.gguf"}.get(junk, "model")
    if junk in ("text", "gguf"):
        place.write_bytes(b"GGUF" + b"\1" * 60 if junk == "gguf" else b"no model")
    else:
        place.mkdir()
        if junk == "config":
            (place / "config.json").write_text('{"model_type": "llama", "hidden_size": "many"}')
    with pytest.raises(
        ConfigError, match=r"^base_model: .* cannot be read as a causal language model .*; expected a dir"
    ):
        read_model(place)


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_read(ground, tmp_path, base_model, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = ground.config.model_copy(
        update={"training": ground.config.training.model_copy(update={"device": "cuda"}), "base_model": base_model}
    )
    with pytest.raises(ConfigError, match=r"^training\.device: found cuda, and PyTorch finds no GPU here; write auto"):
        train_mind(config, tmp_path)
