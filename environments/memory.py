"""How much memory there is: what the machine, its control group and the limits of this process leave."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_MEMORY_INFO = Path("/proc/meminfo")
_OWN_STATUS = Path("/proc/self/status")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Available:
    """Memory that may still be asked for.

    Attributes:
        bytes: How much; None where this system does not say.
        limit: What leaves no more, in words.
    """

    bytes: int | None
    limit: str


def available_memory() -> Available:
    """The least that any limit leaves: free memory of the machine, the control group, RLIMIT_AS and RLIMIT_DATA."""
    found = [*_of_machine(), *_of_groups(), *_of_process()]
    return min(found, key=lambda each: each.bytes or 0, default=Available(None, "unknown"))


def spelt(size: int) -> str:
    """A size in words: "5.96 GiB"."""
    amount, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.3g} {unit}" if amount < 1000 else f"{amount:,.0f} {unit}"


def _of_machine() -> list[Available]:
    free = _kilobytes(_MEMORY_INFO, "MemAvailable:")
    if free is not None:
        return [Available(free, "free memory of this machine")]
    try:  # no Linux: all that is built in
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return []
    return [Available(size, "memory of this machine")] if size > 0 else []


def _of_groups() -> list[Available]:
    """Of the control groups (version 2 or 1) that this process is in, each within the one above it."""
    found = []
    for line in _text(_OWN_GROUPS).splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            home, most, used = _GROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            home, most, used = _GROUPS / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        folder = home / name.lstrip("/")
        for place in (folder, *folder.parents):
            if not place.is_relative_to(home):
                break
            limit = _text(place / most).strip()
            if limit.isdecimal() and int(limit) < 2**60:  # version 1 writes a huge number for none
                # Pages of files that are kept in memory count as used, and are given up when memory is asked for.
                cached = _kept_pages(place / "memory.stat")
                current = _text(place / used).strip()
                taken = max(int(current) - cached, 0) if current.isdecimal() else 0
                found.append(Available(max(int(limit) - taken, 0), "memory limit of this container (cgroup)"))
    return found


def _kept_pages(stat: Path) -> int:
    for line in _text(stat).splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.strip().isdecimal():
            return int(value)
    return 0


def _of_process() -> list[Available]:
    if sys.platform == "win32":
        return []
    import resource

    found = []
    for name, used in (("RLIMIT_AS", "VmSize:"), ("RLIMIT_DATA", "VmData:")):
        limit = resource.getrlimit(getattr(resource, name))[0]
        if limit != resource.RLIM_INFINITY:
            taken = _kilobytes(_OWN_STATUS, used) or 0
            found.append(Available(max(limit - taken, 0), f"limit of this process ({name})"))
    return found


def _kilobytes(path: Path, name: str) -> int | None:
    """The number after a name, in bytes."""
    for line in _text(path).splitlines():
        if line.startswith(name):
            words = line.split()
            return int(words[1]) * 1024 if len(words) > 1 and words[1].isdecimal() else None
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
