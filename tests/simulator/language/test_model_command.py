"""`groundlings model check` believes what an endpoint does, not what it accepts."""

from __future__ import annotations

import asyncio

import pytest
import yaml
from aiohttp import web
from typer.testing import CliRunner

from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.experiments.cli.model import app
from groundlings.simulator.language.probe import Finding, examine


def _server(mock, obeys, clever=True):
    """Enforces the forms in `obeys`, refuses none; a clever one has seeds, log probabilities and a prefix cache."""
    asked = []

    async def handler(request):
        body = await request.json()
        enforced = any(form in body for form in obeys)
        text = '{"mood":"calm","count":41}' if enforced else f"Waves, {body.get('seed') if clever else len(asked)}."
        reply = mock.completion(text)
        asked.append(body)
        if clever and body.get("logprobs"):
            reply["choices"][0]["logprobs"] = {"content": [{"top_logprobs": [{"token": "Yes", "logprob": -0.5}]}]}
        if not clever:
            del reply["usage"]["prompt_tokens_details"]
        return web.json_response(reply)

    return mock.Server(every=handler)


def _findings(mock, **how):
    async def scenario():
        async with _server(mock, **how) as server:
            return {each.what: each for each in await examine(server.url, None, None, 5.0)}

    return asyncio.run(scenario())


def test_the_file_that_was_written_can_be_checked_again(mock, tmp_path):
    async def scenario():
        async with _server(mock, obeys=("response_format",)) as server:
            written = tmp_path / "model.yaml"
            await asyncio.to_thread(_check, server.url, "--model", "m", "--write", str(written))
            again = await asyncio.to_thread(_check, str(written), "--write", str(tmp_path / "again.yaml"))
            return again, written

    again, written = asyncio.run(scenario())
    assert again.exit_code == 0, again.output
    assert yaml.safe_load((tmp_path / "again.yaml").read_text()) == yaml.safe_load(written.read_text())
    written.write_text("provider: endpoint\nbase_url: http://127.0.0.1:9/v1\nmodl: m\n")
    with pytest.raises(ConfigError, match=r"model\.yaml:3: modl: this key does not exist"):
        raise _check(str(written)).exception
    written.write_text("provider: endpoint\nbase_url: http://127.0.0.1:9/v1\n")
    with pytest.raises(ProviderError, match="mend base_url"):
        raise _check(str(written), "--timeout", "1").exception


def _check(*words):
    return CliRunner().invoke(app, ["check", *words])


def test_what_works_is_found(mock):
    found = _findings(mock, obeys=("response_format", "grammar"))
    assert [what for what, each in found.items() if each.works] == [
        *("chat", "json_schema", "grammar", "logprobs", "seed", "prefix cache")
    ]
    assert "mock-1" in found["chat"].detail


def test_a_form_that_is_accepted_and_ignored_does_not_count(mock):
    found = _findings(mock, obeys=("response_format",), clever=False)
    assert [what for what, each in found.items() if each.works] == ["chat", "json_schema"]
    assert "accepted, not enforced" in found["grammar"].detail
    assert "call store" in found["seed"].detail


def test_log_probabilities_of_thinking_are_none_of_an_answer(mock):
    listed = [{"token": "<|channel|>", "logprob": -0.001}, {"token": "Yes", "logprob": -12.0}]

    async def thinks(_request):
        reply = mock.completion()
        reply["choices"][0]["logprobs"] = {"content": [{"top_logprobs": listed}]}
        return web.json_response(reply)

    async def scenario():
        async with mock.Server(every=thinks) as server:
            return {each.what: each for each in await examine(server.url, "mock-1", None, 5.0)}

    odds = asyncio.run(scenario())["logprobs"]
    assert not odds.works
    assert "of thinking" in odds.detail


def test_a_refused_form_is_a_finding_and_no_failure(mock):
    async def scenario():
        async with mock.Server(every=mock.status(400, "no grammar here")) as server:
            return await examine(server.url, None, None, 5.0)

    found = asyncio.run(scenario())
    assert not any(each.works for each in found)
    assert all("no grammar here" in each.detail for each in found)


def test_a_server_that_goes_away_during_the_examination_says_nothing_about_forms(mock, tmp_path, monkeypatch):
    async def scenario():
        async with mock.Server(*[mock.answer] * 2, every=mock.reset) as server:
            with pytest.raises(ProviderError, match="the connection broke"):
                await examine(server.url, "mock-1", None, 5.0)

    monkeypatch.setattr("groundlings.simulator.language.faults._FIRST_DELAY_SECONDS", 0.005)
    asyncio.run(scenario())


def test_a_server_that_answers_no_chat_in_time_is_not_asked_in_other_ways(mock, monkeypatch):
    asked = []

    async def silent(_request):
        asked.append(1)
        await asyncio.sleep(5)

    async def scenario():
        async with mock.Server(every=silent) as server:
            with pytest.raises(ProviderError, match=r"did not answer within|no answer"):
                await examine(server.url, "mock-1", None, 0.1)

    monkeypatch.setattr("groundlings.simulator.language.faults._FIRST_DELAY_SECONDS", 0.005)
    asyncio.run(scenario())
    assert len(asked) == 3


@pytest.mark.parametrize("place", ["no/m.yaml", "there.yaml", "leads nowhere.yaml"])
def test_where_settings_cannot_be_written_nobody_is_asked(place, tmp_path):
    (tmp_path / "there.yaml").touch()
    (tmp_path / "leads nowhere.yaml").symlink_to(tmp_path / "gone")
    result = CliRunner().invoke(app, ["check", "http://127.0.0.1:1/v1", "--write", str(tmp_path / place)])
    assert isinstance(result.exception, ConfigError)
    assert "--write" in str(result.exception)


def test_settings_of_a_server_without_an_answer_are_not_written_and_that_is_said(tmp_path, monkeypatch):
    async def found(*_arguments, **_options):
        return [Finding("chat", False, "no")]

    monkeypatch.setattr("groundlings.simulator.language.probe.examine", found)
    result = CliRunner().invoke(app, ["check", "http://127.0.0.1:1/v1", "--write", str(tmp_path / "m.yaml")])
    assert result.exit_code == 1
    assert "not written" in result.output
    assert not (tmp_path / "m.yaml").exists()


@pytest.mark.parametrize("fault", [ConfigError, ProviderError])
def test_what_an_address_alone_lacks_is_told_by_the_options_of_the_command(monkeypatch, fault):
    async def refused(*_arguments, **_options):
        raise fault("name one as mind.model.model; set mind.model.api_key_env")

    monkeypatch.setattr("groundlings.simulator.language.probe.examine", refused)
    result = CliRunner().invoke(app, ["check", "http://127.0.0.1:1/v1"])
    assert str(result.exception) == "name one as --model; set --api-key-env"


def test_a_deadline_is_a_finite_number():
    result = CliRunner().invoke(app, ["check", "http://127.0.0.1:1/v1", "--timeout", "inf"])
    assert result.exit_code == 2
    assert "expected a finite number" in result.output


def test_a_reply_that_is_nested_too_deeply_keeps_to_no_form(mock):
    async def scenario():
        async with mock.Server(every=deep) as server:
            return {each.what: each for each in await examine(server.url, None, None, 5.0)}

    async def deep(_request):
        return web.json_response(mock.completion("[" * 200_000))

    assert not asyncio.run(scenario())["json_schema"].works


def test_nobody_there_is_told():
    result = CliRunner().invoke(app, ["check", "http://127.0.0.1:1/v1"])
    assert isinstance(result.exception, ProviderError)
    assert "nothing listens there" in str(result.exception)
    assert str(result.exception).endswith("mend the address")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["127.0.0.1:1"], "expected http://HOST:PORT/v1"),
        (["http://127.0.0.1:1/v1", "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY is not set"),
    ],
)
def test_what_cannot_be_asked_is_told(arguments, said):
    result = CliRunner().invoke(app, ["check", *arguments])
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)


def test_what_is_written_reads_back_whatever_stands_in_it(tmp_path, monkeypatch):
    async def found(*_arguments, **_options):
        return [Finding("chat", True, "m\u2028\x1b[31m")]

    monkeypatch.setattr("groundlings.simulator.language.probe.examine", found)
    odd = "a\u2028b\u200b\u202e\x85\ufeff"
    arguments = ["check", "http://127.0.0.1:1/v1", "--model", odd, "--write", str(tmp_path / "m.yaml")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    written = (tmp_path / "m.yaml").read_text()
    assert yaml.safe_load(written)["model"] == odd
    assert not set(odd) & set(written) - set("ab")


def test_a_rate_is_measured_with_as_many_questions_at_a_time_as_are_said_and_only_where_asked_for(mock):
    async def slow(request):
        await asyncio.sleep(0.02)
        return web.json_response(mock.completion("Waves."))

    async def scenario(at_once):
        async with mock.Server(every=slow) as server:
            found = {each.what: each for each in await examine(server.url, None, None, 5.0, at_once=at_once)}
            return found, server.most_open

    found, open_at_once = asyncio.run(scenario(6))
    assert open_at_once == 6
    assert "answers per second, 6 at a time: 30 tokens in, 20 of them cached, 5 out each" in found["rate"].detail
    assert "rate" not in asyncio.run(scenario(0))[0]


def test_a_server_that_refuses_so_many_questions_has_no_rate_and_all_else(mock):
    async def handler(request):
        if "wave " in (await request.json())["messages"][-1]["content"]:
            return web.json_response({"error": {"message": "too long"}}, status=400)
        return web.json_response(mock.completion("Waves."))

    async def scenario():
        async with mock.Server(every=handler) as server:
            return {each.what: each for each in await examine(server.url, None, None, 5.0, at_once=2)}

    found = asyncio.run(scenario())
    assert found["chat"].works
    assert not found["rate"].works
    assert "too long" in found["rate"].detail
