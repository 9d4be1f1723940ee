"""`groundlings model`: the embedded model for other tools, and what an endpoint can do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ConfigError, ProviderError, expectation
from groundlings.experiments.cli.options import finite
from groundlings.experiments.terminal import Terminal, as_yaml, escape, say

if TYPE_CHECKING:
    from groundlings.simulator.language.config import ModelConfig
    from groundlings.simulator.language.probe import Finding

_KEPT = ("temperature", "max_tokens", "send_seed")
"""Keys of a file that a server is asked with, besides those that differ from server to server."""

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(
    path: Annotated[Path | None, typer.Option("--path", metavar="GGUF", help="A model file of your own.")] = None,
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", metavar="DIR", help="An adapter that is added to the shipped model."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free port.")] = 0,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Concurrent requests.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, max=1024, help="0 takes all cores but one.")] = 0,
) -> None:
    """Serve the embedded model to other tools of this machine, OpenAI-compatible, until Ctrl-C."""
    from groundlings.environments.paths import written_out
    from groundlings.simulator.language.build import embedded_file
    from groundlings.simulator.language.config import EmbeddedOptions
    from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings

    if path is not None and adapter is not None:
        raise ConfigError(
            "--path, --adapter: found both; an adapter is added to the shipped model, so name one of them"
        )
    options = EmbeddedOptions(
        path=written_out(path, "--path") if path else None,
        adapter=written_out(adapter, "--adapter") if adapter else None,
    )

    async def work() -> None:
        file = await embedded_file(options, Path())
        model = await EmbeddedModel.open(ServerSettings(file, parallel=parallel, threads=threads, port=port))
        try:
            say(f"{model.name} at {model.base_url} (Ctrl-C ends it)", newlines=False)
            await asyncio.Event().wait()
        finally:
            await model.close()

    asyncio.run(work())


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE",
            help="An address up to and including its version, http://HOST:PORT/v1, or a file that names it: an "
            "experiment, or the keys of `mind.model` alone.",
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="The model's name there; the only one if absent.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--api-key-env", metavar="NAME", help="The environment variable that holds the key.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, callback=finite, help="Seconds for one request.")
    ] = 60.0,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="YAML", help="A new file for the settings found (`mind.model`).")
    ] = None,
    rate: Annotated[
        int,
        typer.Option(
            "--rate",
            metavar="N",
            min=0,
            max=1024,
            help="Measure answers per second with N questions at a time (4 N calls), for `check --server-rate`.",
        ),
    ] = 0,
) -> None:
    """Probe what an endpoint supports, and how it wants to be asked: reply forms, log probabilities, seeds, caches."""
    from groundlings.experiments.archive.directory import write_text
    from groundlings.experiments.archive.tables import check_place
    from groundlings.simulator.language.build import headers_in, key_in
    from groundlings.simulator.language.probe import examine

    if write is not None:
        if os.path.lexists(write):
            raise ConfigError(f"--write {write}: is there already; name a new file")
        check_place(write, "--write")
    given = _endpoint(target, model, key_env)
    assert given.base_url is not None
    asked = partial(_as_written, target=target)
    try:
        findings = asyncio.run(
            examine(
                given.base_url,
                given.model,
                key_in(given.api_key_env),
                timeout,
                headers=headers_in(given.headers_env),
                given=given.model_dump(include={*given.LATER, *_KEPT}, exclude_unset=True),
                tell=lambda line: say(line, stderr=True),
                at_once=rate,
            )
        )
    except ProviderError as error:
        raise ProviderError(asked(str(error))) from None
    except ConfigError as error:
        raise ConfigError(asked(str(error))) from None
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for each in findings:
        table.add_row("[green]yes[/]" if each.works else "[yellow]no[/]", escape(each.what), escape(asked(each.detail)))
    Terminal().print(table)
    if write is not None and findings[0].works:
        write_text(write, _fragment(given, findings))
        say(f"written: {write} (as mind.model; see docs/models.md)")
    elif write is not None:
        say(f"not written: {write}, because no way of asking brought an answer", stderr=True)
    raise typer.Exit(0 if findings[0].works else 1)


_OPTIONS = {
    "mind.model.model": "--model",
    "mind.model.api_key_env": "--api-key-env",
    "mind.model.base_url": "the address",
}

_BESIDES = "`extra_body` takes what else a server wants: write it into a file of mind.model's keys, and check that file"


def _as_written(said: str, *, target: str) -> str:
    """What is said of a server, with the names that its settings have where they were given."""
    from groundlings.experiments.config.model_file import is_model_file
    from groundlings.simulator.language.advice import BY_CHECK

    said = said.replace(BY_CHECK, _BESIDES)
    if not _is_file(target):
        for key, option in _OPTIONS.items():
            said = said.replace(key, option)
    elif is_model_file(Path(target)):
        said = said.replace("mind.model.", "")
    return said


def _is_file(target: str) -> bool:
    return Path(target).suffix.lower() in (".yaml", ".yml")


def _endpoint(target: str, model: str | None, key_env: str | None) -> ModelConfig:
    """The endpoint that an address or an experiment file names, with the settings that go with it."""
    from pydantic import ValidationError

    from groundlings.simulator.language.config import ModelConfig

    wanted = {key: value for key, value in (("model", model), ("api_key_env", key_env)) if value is not None}
    content: dict[str, Any] = {"provider": "endpoint", "base_url": target}
    if _is_file(target):
        content = _of_file(Path(target))
    try:
        return ModelConfig.model_validate({**content, **wanted})
    except ValidationError as error:
        first = error.errors()[0]
        told = expectation(first["msg"])
        raise ConfigError(f"{first['loc'][0]}: {told}" if first["loc"] else told) from None


def _of_file(path: Path) -> dict[str, Any]:
    """The keys of `mind.model`, in an experiment file or alone.

    Raises:
        ConfigError: It names no single endpoint.
    """
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.config.model_file import is_model_file, read_model_file
    from groundlings.simulator.language.config import ModelConfig

    asked = read_model_file(path).model if is_model_file(path) else getattr(load_config(path).mind, "model", None)
    if not isinstance(asked, ModelConfig) or asked.base_url is None:
        raise ConfigError(f"{path}: mind.model names no single endpoint (base_url); give the address itself")
    return asked.model_dump(mode="json", exclude_unset=True)


def _fragment(given: ModelConfig, findings: Sequence[Finding]) -> str:
    """The settings as a YAML file, with what was found as comments."""
    from groundlings.simulator.language.config import ModelConfig

    found = {key: value for each in findings for key, value in each.settings.items()}
    content = {**given.model_dump(mode="json", exclude_unset=True), **found}
    ModelConfig.model_validate(content)
    told = [f"# {'yes' if each.works else 'no '}  {each.what}: {printable(each.detail)}" for each in findings]
    lines = ["# mind.model, as `groundlings model check` found that this server wants to be asked.", *told]
    return "\n".join([*lines, as_yaml(content)])
