"""What to tell the person who started a run when a model server cannot be used: what it said, and what to mend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from groundlings.environments.words import plural
from groundlings.simulator.language.faults import Fault
from groundlings.simulator.language.model_list import names_of
from groundlings.simulator.language.provider_words import tells_of_form, tells_of_length
from groundlings.simulator.language.setting_names import setting

BY_CHECK = "`groundlings model check URL --write model.yaml` finds the settings that a server needs"
"""Of no help to whoever has just called it."""

PROXIES = "mend HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name its host in NO_PROXY"
"""What to do where a proxy of the environment stands in the way."""

_REDIRECTION = 3
_TOO_LONG = (413, 414, 431)
_SETTINGS: tuple[tuple[re.Pattern[str], tuple[tuple[str, Any], ...]], ...] = (
    (re.compile(r"max_completion_tokens|max_tokens"), (("limit_key", "max_completion_tokens"),)),
    (re.compile(r"temperature"), (("send_temperature", False), ("temperature", 1))),
    (
        re.compile(
            r"system.{0,30}(role|message|prompt|instruction)|(role|developer).{0,30}(system|instruction)|alternate"
        ),
        (("merge_system", True),),
    ),
    (re.compile(r"log_?probs?"), (("top_logprobs", 5),)),
    (re.compile(r"\bseed\b"), (("send_seed", False),)),
    (re.compile(r"\bstream"), (("stream", True),)),
)


def settings_named(said: str) -> list[tuple[str, Any]]:
    """Keys of `mind.model`, and values, that meet what a server complains of; the likeliest first."""
    found = [setting for words, settings in _SETTINGS if words.search(said.lower()) for setting in settings]
    return [*found, ("structured", "none")] if tells_of_form(said) else found


def explanation(
    fault: Fault,
    attempts: int,
    *,
    where: str,
    model: str | None,
    served: Sequence[str] | None,
    form: str,
    key: str = "mind.model",
    one_token: bool = False,
) -> str:
    """The message, without secrets.

    Args:
        fault: What happened last.
        attempts: Requests it took.
        where: Which server.
        model: The model's name there, as far as it is known.
        served: The models it lists; None where it has not been asked yet or does not say.
        form: The form that replies are asked for in, which may be what the server dislikes; "none" where it is not.
        key: Where the model's configuration stands in its file.
        one_token: Whether it was asked for one token, at a temperature that no setting changes.
    """
    if fault.of_proxy:
        return f"{where} is not reached: {fault.what}; {PROXIES}"
    if fault.refused:
        return f"{where}: {fault.what}; start the server or mend {setting(key, 'base_url')}"
    if fault.untrusted:
        return (
            f"{where}: {fault.what}; mend {setting(key, 'base_url')} or the server's certificate, or name the file of "
            "the authority that signed it in the environment variable SSL_CERT_FILE"
        )
    if fault.concerns == "account":
        return (
            f"{where}: the account is empty ({fault.what}); pay in, or name the variable of another key as "
            f"{setting(key, 'api_key_env')}"
        )
    named = f"{setting(key, 'api_key_env')} or {setting(key, 'headers_env')}"
    if fault.concerns == "key":
        return f"{where} refuses the key ({fault.what}); set the environment variable named by {named}"
    if fault.status == 403:  # it does not say what it dislikes: that may be a firewall before the server
        return (
            f"{where} refuses the key, or all that comes from here ({fault.what}); set the environment variable named "
            f"by {named}, or see what stands before the server"
        )
    if fault.status in (407, 511):
        return (
            f"{where} is not reached: the network, or a proxy in between, wants a sign-in first ({fault.what}); open "
            "any page in a browser of this machine and sign in, or mend HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        )
    if fault.status == 404:
        return _unknown(fault, where, model, served or (), key)
    if fault.status is not None and fault.status // 100 == _REDIRECTION:
        return f"{where} sends elsewhere ({fault.what}), and no request follows: mend {setting(key, 'base_url')}"
    if fault.transient:
        told = f"{where}: gave up after {plural(attempts, 'attempt')}, the last one failed with: {fault.what}"
        return f"{told}. {_without_form(form, key)}" if fault.status in (500, 501) and form != "none" else told
    if fault.status in _TOO_LONG or tells_of_length(fault.what):
        return (
            f"{where} refuses the request as too long: {fault.what.rstrip('.')}. Let prompts hold less (fewer items a "
            "page, a shorter memory), or let the server, or what stands before it, take longer ones"
        )
    settings = [each for each in settings_named(fault.what) if not (one_token and each[0] == "temperature")]
    if settings:
        named = " or ".join(setting(key, f"{name}: {str(value).lower()}") for name, value in settings)
        if ("top_logprobs", 5) in settings:
            named += " (some servers give no log probabilities at all: take another one then)"
        return f"{where} refuses the request: {fault.what}. It may want {named}; {BY_CHECK}"
    hint = f"{_without_form(form, key)}; {BY_CHECK}" if form != "none" else BY_CHECK
    return f"{where} refuses the request: {fault.what}. {hint}"


def form_lost(fault: Fault, where: str, form: str, key: str) -> str:
    """The message where a server no longer takes the form of earlier replies of the run; see `explanation`."""
    return (
        f"{where} refuses the form {form}, in which earlier replies of this run came: {fault.what}. Replies in another "
        f"form would not compare with them: start a new run with {setting(key, 'structured: none')}, which asks "
        "all arms alike"
    )


def _without_form(form: str, key: str) -> str:
    if form == "answers":
        return "Log probabilities of the first token are asked for: some servers, and models that think, have none"
    return f"Replies are asked for in the form {form}; {setting(key, 'structured: none')} asks without"


def _unknown(fault: Fault, where: str, model: str | None, served: Sequence[str], key: str) -> str:
    near = [] if model in served else get_close_matches(model or "", served, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = (
        f"Models it lists: {names_of(served)}"
        if served
        else "It lists no models either: an address ends where /chat/completions begins, usually in /v1"
    )
    return (
        f"{where} does not know the model {model!r} or the address ({fault.what}).{hint} {listed}. "
        f"Mend {setting(key, 'model')} or {setting(key, 'base_url')}"
    )
