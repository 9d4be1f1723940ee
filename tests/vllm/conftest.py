"""A real vLLM server on loopback, on the CPU; `make test-vllm` installs it and runs these tests."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import Outcome, run_experiment
from groundlings.simulator.language.weights import cache_directory, fetch_weights

PEOPLE = 50
MODEL = "smollm2"
FIGURES: list[str] = []


def pytest_collection_modifyitems(config, items):
    """Left out unless asked for by `-m vllm`: they need five gigabytes of software that nothing else needs."""
    if "vllm" not in config.option.markexpr:
        wanted = [item for item in items if item.get_closest_marker("vllm") is None]
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
        items[:] = wanted


def pytest_terminal_summary(terminalreporter):
    for line in FIGURES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures() -> list[str]:
    """Lines that are printed after everything else."""
    return FIGURES


@pytest.fixture(scope="session")
def weights() -> Path:
    """SmolLM2 as vLLM reads it on a CPU: the embedded model's file, unpacked to bfloat16 once."""
    directory = cache_directory() / "SmolLM2-135M-Instruct.bfloat16"
    if not (directory / "config.json").is_file():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        source = asyncio.run(fetch_weights())
        named = {"gguf_file": source.name}
        model = AutoModelForCausalLM.from_pretrained(
            source.parent, **named, quantization_config=GgufConfig(dequantize=True)
        )
        model.to(torch.bfloat16).save_pretrained(directory)
        AutoTokenizer.from_pretrained(source.parent, **named).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def recorded(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, float, Path]:
    """A run of fifty people against the server: its outcome, its seconds, and the record of its calls."""
    folder = tmp_path_factory.mktemp("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "server.log").open("wb") as output:
        # `vllm serve` asks for the package `vllm`, which the build for CPUs does not bear.
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(weights)),
                *("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port)),
                *("--dtype", "bfloat16", "--max-model-len", "2048", "--enable-prefix-caching", "--enforce-eager"),
                *("--enable-prompt-tokens-details", "--gpu-memory-utilization", "0.4"),
                *("--structured-outputs-config", '{"backend":"xgrammar","disable_any_whitespace":true}'),
            ],
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "4"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_ready(server, url, folder / "server.log")
        config = folder / "fifty.yaml"
        config.write_text(EXPERIMENT.format(url=url, people=PEOPLE))
        began = time.monotonic()
        outcome = run_experiment(load_config(config), folder / "run")
        return outcome, time.monotonic() - began, folder / "calls.db"
    finally:
        server.terminate()
        server.wait(60)


EXPERIMENT = """
name: fifty
seed: 5
dataset: ml-100k
population: {{size: {people}}}
simulation: {{days: 1, concurrency: 32}}
site: {{page_size: 4, max_pages: 3}}
mind:
  kind: language
  model:
    provider: endpoint
    base_url: {url}/v1
    send_seed: false
    concurrency: 32
    store: {{path: calls.db, mode: record}}
arms: [{{name: popular, recommender: popular}}]
"""


def _await_ready(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail("vLLM did not start; it said at last:\n" + log.read_text(errors="replace")[-3000:])
