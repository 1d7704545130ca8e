"""The golden packs: small ones of both formats, as they were when the format was fixed.

python -m tests.golden.golden_packs    writes them anew; only a new version of the format
                                       may change them
"""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from unittest import mock

from log_aggregator.core.planning import PackLimits, Source, plan_packs
from log_aggregator.model import ContentKind, Group, KeyFacts, LogObject, Target
from log_aggregator.steps.packing import combine as combine_module
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.rules import CombineOptions
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.memory import MemoryStore

FOLDER = Path(__file__).parent / "formats" / "pack" / "v1"
TARGET = Target("dest")
GROUP = Group("logs", "Other", "111111111111", date(2025, 4, 3))
TIME = datetime(2025, 4, 3, 12, 30, 45, 678000, tzinfo=UTC)
DOCUMENT = base64.b64decode("H4sIAAAAAAACA6tWCkpNzi9KKVayio6tBQAiCuKWDgAAAA==")
"""gzip of one JSON document, deflated elsewhere, so that no zlib has a say in it."""

ORIGINALS: dict[str, tuple[bytes, dict[str, str]]] = {
    "AWSLogs/a.json.gz": (DOCUMENT, {"signature": "abc", "é": "ü"}),
    "AWSLogs/b.json.gz": (DOCUMENT + DOCUMENT, {}),
    "AWSLogs/c.log": (b'{"text":1}', {}),
    "AWSLogs/d.log": (b'{"text":2}\n', {}),
    "AWSLogs/e.json.gz": (DOCUMENT[:-2], {}),
    "AWSLogs/f.log": (b"\x00\x01binary", {}),
    "AWSLogs/日本/g.log": (b"", {}),
    "AWSLogs/h.parquet": (b"PAR1" + bytes(600) + b"PAR1", {"kept": "yes"}),
    f"AWSLogs/{'long/' * 30}i.parquet": (b"PAR1PAR1", {}),
}
FORMATS = {"gzip": "json.gz", "tar": "tar"}


def make_packs() -> dict[str, bytes]:
    """File name -> bytes: each pack and its index."""
    store = MemoryStore()
    store.create_bucket("logs", versioning="Enabled")
    store.create_bucket("dest")
    sources = [
        make_source(store, key, data, metadata) for key, (data, metadata) in ORIGINALS.items()
    ]
    made = {}
    with mock.patch.object(combine_module, "TOOL", "golden"):
        for plan in plan_packs(GROUP, sources, TARGET, PackLimits()):
            combine(store, SerialWorkers(), plan, CombineOptions())
            made[f"{plan.format}.{FORMATS[plan.format]}"] = store.get_object("dest", plan.key).data
            made[f"{plan.format}.index.jsonl.gz"] = store.get_object("dest", plan.index_key).data
    return made


def make_source(store: MemoryStore, key: str, data: bytes, metadata: dict[str, str]) -> Source:
    found: LogObject = store.put(
        "logs", key, data, metadata=metadata, content_type="text/plain", last_modified=TIME
    )
    kind = (
        ContentKind.BINARY
        if key.endswith(".parquet")
        else ContentKind.GZIP_DOCUMENT
        if key.endswith(".gz")
        else ContentKind.TEXT
    )
    return Source(found, KeyFacts("Other", GROUP.date, GROUP.account, None, None, kind))


def write_packs() -> None:
    for name, data in make_packs().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    gzip.decompress(DOCUMENT)
    write_packs()
