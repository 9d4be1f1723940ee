"""Keeping keys out of files: what may stand in a configuration, checked when it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from groundlings.environments.key_words import KEY_ITSELF, MIXED, PREFIXED, SENT, holds_key, without_keys_as_names

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY_FIELDS = frozenset({"api_key", "apikey", "key", "token", "secret", "password", "authorization"})
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_SECRET_NAME = re.compile(
    r"key|token|secret|passw|pwd|passphrase|credential|bearer|jwt|auth|signature|\bsig\b|session|cookie"
    r"|\A(?:code|pat|pass|pw)\Z",
    re.I,
)
_SECRET_FIELD = re.compile(
    r"(?:api|access|auth|secret|private|subscription|bearer|refresh|id|hf)_?(?:key|token)\Z"
    r"|secret|password|passwd|pwd\Z|passphrase|credential|bearer|jwt\Z|authorization",
    re.I,
)
"""Names of fields that hold a key; others with such words do not, as `max_tokens` and `prompt_cache_key`."""
_SECRET_VALUE = re.compile(
    rf"\s*(?:{PREFIXED}|{SENT}|AIza\S{{12,}}|eyJ[\w-]{{8,}}\."
    r"|(?:(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9+/=]{20,}"
    rf"|(?:[A-Za-z]\w{{1,5}}[-_])?(?={MIXED})[A-Za-z0-9+=]{{20,}})\s*\Z)"
)
"""What begins like a key or is as long and mixed as one, and JSON Web Tokens."""
_SECRET_PATH = re.compile(rf"(?:{PREFIXED}|AIza[\w-]{{30,}}|eyJ[\w-]{{8,}}\..*)\Z")
_OURS = frozenset({"host", "content-type", "content-length", "transfer-encoding", "connection", "accept-encoding"})


def refuse_secrets(given: Any) -> Any:
    """What was given, unless one of its fields is a place for a key."""
    if isinstance(given, Mapping):
        for field in given:
            if str(field).lower().replace("-", "_") in _KEY_FIELDS:
                raise ValueError(
                    f"{field}: a key does not belong in a file; put it into an environment variable and write "
                    f"that variable's name as api_key_env"
                )
    return given


def environment_name(name: str | None) -> str | None:
    """The name, unless it cannot be one, as when somebody has written the key itself."""
    if name is not None and (not _ENVIRONMENT_NAME.match(name) or KEY_ITSELF.match(name)):
        raise ValueError("expected the name of an environment variable, such as MY_API_KEY, not the key itself")
    return name


def header_variables(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    """Names of headers and of the variables that hold their values, unless one of either cannot be one."""
    for header, variable in (headers or {}).items():
        if not _HEADER.match(header) or header.lower() in _OURS or holds_key(header):
            raise ValueError(
                "headers_env: expected names of headers that are not the connection's own, such as api-key"
            )
        environment_name(variable)
    return None if headers is None else dict(headers)


def refuse_secrets_within(given: Any) -> None:
    """Raise `ValueError` where a key stands in a mapping, at whatever depth, or something that looks like one."""
    if isinstance(given, Mapping):
        refuse_secrets(given)
        for field, inner in given.items():
            if _is_secret(field, inner):
                told = without_keys_as_names(str(field))
                raise ValueError(f"{told}: a key does not belong in a file; send it by headers_env")
            refuse_secrets_within(inner)
    elif isinstance(given, list | tuple):
        for inner in given:
            refuse_secrets_within(inner)
    elif isinstance(given, str) and _SECRET_VALUE.match(given):
        raise ValueError("a value looks like a key, which does not belong in a file; send it by headers_env")


def _is_secret(field: Any, value: Any) -> bool:
    return isinstance(value, str) and _SECRET_FIELD.search(str(field).strip().replace("-", "_")) is not None


def refuse_keyed_fields(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was given, unless one of its fields holds a key that the process can have from its environment."""
    for field, inner in given.items():
        if _is_secret(field, inner):
            raise ValueError(
                f"{without_keys_as_names(field)}: a key does not belong in a file; put it into the environment "
                "variable that is read for it, such as HF_TOKEN"
            )
    return given


def address(url: str) -> str:
    """The address of an endpoint without a slash at the end of its path, unless something secret stands in it."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment:
        raise ValueError("an address carries no user, password or fragment; name the key's variable as api_key_env")
    parameters = "&".join(re.findall(r";([^/;]*)", parts.path))  # of parts of the path, as RFC 3986 allows them
    for name, value in parse_qsl(f"{parts.query}&{parameters}", keep_blank_values=True):
        if _SECRET_NAME.search(name) or _SECRET_VALUE.match(value):
            raise ValueError(
                "the query or a parameter of an address may name a version, never a key: name the key's variable as "
                "api_key_env, or a header and its variable as headers_env"
            )
    if any(map(_SECRET_PATH.match, re.split("[/;]", parts.path))):
        raise ValueError(
            "a part of the address looks like a key, which does not belong in a file; name its variable as api_key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://HOST:PORT/v1 or https://HOST/v1")
    _refuse_impossible(url, parts)
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}{mark if query else ''}{query}"


def _refuse_impossible(url: str, parts: SplitResult) -> None:
    """Raise `ValueError` for an address that no server can have, which clients would trip over later."""
    if not url.isprintable() or " " in url:
        raise ValueError("an address holds no spaces, line breaks or control characters")
    try:
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise ValueError("the port of an address is a number from 0 to 65535") from None
    if not can_be_called(parts.hostname or ""):
        raise ValueError("expected the name or the number of a host: none can be called so")


def can_be_called(host: str) -> bool:
    """Whether a host can have this name or number at all."""
    if "\\" in host:
        return False
    try:
        host.encode("idna").decode("idna")
    except UnicodeError:
        return False
    if host.isascii():
        return True
    import httpx2  # the client knows newer rules than Python

    try:
        httpx2.URL(scheme="http", host=host)
    except httpx2.InvalidURL:
        return False
    return True
