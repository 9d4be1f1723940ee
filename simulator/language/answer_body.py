"""What a server sends as the body of an answer, up to a limit: on the wire, and unpacked."""

from __future__ import annotations

import zlib
from contextlib import suppress

import aiohttp

from groundlings.simulator.language.faults import GarbledReply, OversizedReply

ACCEPTED_ENCODINGS = "gzip, deflate"
"""What `unpacked` can undo, as the header that tells servers so."""

_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 100
_NOT_ASKED_FOR = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz"})
_MOST_ENCODINGS = 2


async def body_of(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body, unpacked.

    Raises:
        OversizedReply: It is longer than `most_bytes`; the connection is closed and the rest never read.
        GarbledReply: It cannot be unpacked.
    """
    content, whole = await _read(answer, most_bytes)
    if not whole:
        answer.close()
        raise OversizedReply(most_bytes)
    return unpacked(content, answer.headers.get("content-encoding", ""), most_bytes)


async def beginning_of(answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """As much of the body as fits, unpacked as far as it can be: enough to tell people what a server said."""
    content, whole = await _read(answer, most_bytes)
    if not whole:
        answer.close()
    encoding = answer.headers.get("content-encoding", "")
    try:
        return unpacked(content[:most_bytes], encoding, most_bytes, whole=False)
    except GarbledReply as garbled:
        return str(garbled).encode()


def unpacked(content: bytes, encoding: str, most_bytes: int, *, whole: bool = True) -> bytes:
    """The content without its encodings, as HTTP lists them in the order in which they were applied.

    Never takes more memory than `most_bytes` and a little, however much the content would unpack to.

    Args:
        content: What came.
        encoding: The header `content-encoding`.
        most_bytes: The limit.
        whole: False takes what unpacks to more, or breaks off, as far as it goes.

    Raises:
        OversizedReply: It unpacks to more than `most_bytes`.
        GarbledReply: It is damaged, or packed in a way that was not asked for.
    """
    if not encoding or not content:
        return content
    # Some servers name a character set here, or "none": whatever is no packing leaves the content as it is.
    known = (*_WINDOW_BITS, *_NOT_ASKED_FOR)
    names = [name for name in (each.strip().lower() for each in encoding.split(",")) if name in known]
    if len(names) > _MOST_ENCODINGS or not _NOT_ASKED_FOR.isdisjoint(names):
        raise GarbledReply(f"a body packed as {', '.join(names)[:40]}; expected {ACCEPTED_ENCODINGS}, or none")
    for name in reversed(names):
        content = _inflated(content, name, most_bytes, whole)
    return content


def _inflated(content: bytes, name: str, most_bytes: int, whole: bool) -> bytes:
    try:
        return _within(content, _WINDOW_BITS[name], most_bytes, whole)
    except zlib.error as error:
        if name == "deflate":  # some servers leave out the zlib header that RFC 9110 wants
            with suppress(zlib.error):
                return _within(content, -zlib.MAX_WBITS, most_bytes, whole)
        raise GarbledReply(f"a body that cannot be unpacked as {name} ({error})") from None


def _within(content: bytes, window_bits: int, most_bytes: int, whole: bool) -> bytes:
    found, rest = b"", content
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(window_bits)
        found += stream.decompress(rest, most_bytes + 1 - len(found))
        if len(found) > most_bytes:
            if whole:
                raise OversizedReply(most_bytes)
            break
        if whole and not stream.eof:
            raise zlib.error("it breaks off")
        # Gzip allows several members one after the other (RFC 1952, section 2.2); other bytes behind are no content.
        rest = stream.unused_data
        if window_bits != _WINDOW_BITS["gzip"] or not rest.startswith(_GZIP):
            break
    else:
        raise zlib.error(f"it has more than {_MOST_MEMBERS} members")
    return found[:most_bytes]


async def _read(answer: aiohttp.ClientResponse, most_bytes: int) -> tuple[bytes, bool]:
    """The body as it comes, and whether that is all of it; of a longer one at least `most_bytes`."""
    parts: list[bytes] = []
    left = most_bytes
    async for part in answer.content.iter_any():
        parts.append(part)
        left -= len(part)
        if left < 0:
            return b"".join(parts), False
    return b"".join(parts), True
