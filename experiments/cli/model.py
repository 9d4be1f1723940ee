"""`groundlings model`: the embedded model for other tools, and what an endpoint can do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from groundlings.environments.errors import ConfigError
from groundlings.experiments.terminal import Terminal, escape, say

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(
    path: Annotated[Path | None, typer.Option("--path", metavar="GGUF", help="A model file of your own.")] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free port.")] = 0,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Concurrent requests.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0 takes all cores but one.")] = 0,
) -> None:
    """Serve the embedded model to other tools of this machine, OpenAI-compatible, until Ctrl-C."""
    from groundlings.simulator.language.build import own_weights
    from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings

    async def work() -> None:
        file = path.expanduser().resolve() if path else await own_weights()
        model = await EmbeddedModel.open(ServerSettings(file, parallel=parallel, threads=threads, port=port))
        try:
            say(f"{model.name} at {model.base_url} (Ctrl-C ends it)", newlines=False)
            await asyncio.Event().wait()
        finally:
            await model.close()

    asyncio.run(work())


@app.command()
def check(
    base_url: Annotated[
        str, typer.Argument(metavar="URL", help="Up to and including its version: http://HOST:PORT/v1")
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="The model's name there; the only one if absent.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--api-key-env", metavar="NAME", help="The environment variable that holds the key.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds for one request.")] = 60.0,
) -> None:
    """Probe what an endpoint supports: structured replies, log probabilities, seeds, prefix cache."""
    from pydantic import ValidationError

    from groundlings.simulator.language.build import key_in
    from groundlings.simulator.language.config import EndpointOptions
    from groundlings.simulator.language.probe import examine

    try:
        options = EndpointOptions(base_url=base_url, api_key_env=key_env)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from None
    findings = asyncio.run(examine(options.base_url, model, key_in(options.api_key_env), timeout))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for each in findings:
        table.add_row("[green]yes[/]" if each.works else "[yellow]no[/]", escape(each.what), escape(each.detail))
    Terminal().print(table)
    raise typer.Exit(0 if findings[0].works else 1)
