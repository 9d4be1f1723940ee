"""What ties a manifest to its log: the log seals what the manifest says, and the manifest holds that seal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from groundlings.simulator.log.connection import WritingConnection
from groundlings.simulator.log.seals import last_seal, write_seal
from groundlings.simulator.log.store import Store

SEAL = "seal"
"""The key of a manifest for the last seal of its log, and of an answer or a lab's findings for their own."""


def hash_without_seal(told: Mapping[str, Any]) -> str:
    """SHA-256 over what a manifest, an answer or a lab's findings say, their own seal left out."""
    # There and back, so that what is about to be written sorts like what is read: JSON has no keys but text.
    said = json.loads(json.dumps({name: value for name, value in told.items() if name != SEAL}, default=str))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def with_seal(told: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer or a lab's findings say, with a seal of their own over it."""
    return {**told, SEAL: hash_without_seal(told)}


def seal_manifest(store: Store, manifest: Mapping[str, Any]) -> str | None:
    """Seal what a manifest is about to say; the seal for it, None where the log is of an earlier version.

    Raises:
        RunDirectoryError: The log cannot be written.
    """
    connection = WritingConnection(store)
    connection.open()
    try:
        with connection.transaction() as transaction:
            chain = last_seal(transaction)
            if chain is None:
                return None
            sealed = write_seal(transaction, chain, "manifest", {}, hash_without_seal(manifest)).seal
        with connection.transaction() as transaction:
            store.settle(transaction)
        return sealed
    finally:
        connection.close()
