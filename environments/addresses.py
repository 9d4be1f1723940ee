"""Addresses of other machines where a path is expected: `Path` would make names of directories of them."""

from __future__ import annotations

from pathlib import Path

_SCHEMES = frozenset({
    "abfs", "abfss", "az", "azure", "dbfs", "file", "ftp", "ftps", "gcs", "gs", "hdfs", "hf", "http", "https", "oss",
    "s3", "s3a", "s3n", "scp", "sftp", "smb", "ssh", "wasb", "wasbs", "webdav",
})  # fmt: skip


def not_read(path: Path) -> str:
    """What to say where something is to be read from an address; "" of a path on this machine."""
    scheme = _scheme(path)
    if scheme == "file:":
        return "this is an address; write the path alone, without file:"
    return scheme and f"addresses ({scheme}) are not read; download the file first, and name where it lies here"


def not_written(path: Path) -> str:
    """As `not_read`, where something is to be written."""
    scheme = _scheme(path)
    return scheme and f"nothing is written to addresses ({scheme}); name a directory on this machine"


def _scheme(path: Path) -> str:
    """What an address begins with; "" of a path, also of one whose first directory has such a name and is there."""
    first = path.parts[0].lower() if len(path.parts) > 1 else ""
    named = first.endswith(":") and first.removesuffix(":") in _SCHEMES
    return first if named and not Path(path.parts[0]).exists() else ""
