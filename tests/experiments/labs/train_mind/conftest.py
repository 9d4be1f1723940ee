"""A made-up world, its scenes, and a language model of two layers that has learned nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.environments.datasets import load_dataset
from groundlings.experiments.config.loading import load_as
from groundlings.experiments.labs.train_mind.config import TrainMindConfig
from groundlings.experiments.labs.train_mind.scenes import Ground, Material, draw_material

FILE = """
name: toy
seed: 3
dataset:
  name: toy
  toy: {n_users: 90, n_items: 80, n_groups: 4, interactions_per_user: 20, seed: 5}
split: {salt: a}
population: {size: 12}
choice: {scenes: 2}
question: {latest: 3, popularity: true}
examples: {scenes: 16, per_person: 2, targets: 2, others: 5}
training: {weights: full, learning_rate: 0.01, scenes_per_step: 4, checkpoint_every: 2, precision: float32, threads: 1}
list_items: 8
bootstrap: 100
"""

TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def train_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "train.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="session")
def ground(train_file: Path) -> Ground:
    config = load_as(TrainMindConfig, train_file)
    return Ground(config, load_dataset(config.dataset))


@pytest.fixture(scope="session")
def material(ground: Ground) -> Material:
    return draw_material(ground)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a Llama of two layers with random weights, and a tokenizer of some bytes and words."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("peft")
    torch.manual_seed(0)
    plain = tokenizers.Tokenizer(tokenizers.models.BPE())
    plain.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|start|>", "<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(["yes no Yes No You visit a site that shows items one at a time"] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.chat_template = TEMPLATE
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True,
    )  # fmt: skip
    directory = tmp_path_factory.mktemp("base")
    transformers.LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
