"""The files that describe an evidence bundle: its manifest, its list of originals, its README."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from log_aggregator.core.packformat.index import TOOL, encode_member
from log_aggregator.model import Member

MANIFEST = "manifest.json"
MANIFEST_HASH = "manifest.json.sha256"
ORIGINALS = "originals.jsonl"
FORMAT = "log-aggregator-evidence"
VERSION = 1
MANIFEST_END = b"]}\n"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not in a bundle, and why."""

    what: str
    why: str


@dataclass(slots=True)
class About:
    """The scope of a bundle."""

    accounts: tuple[str, ...]
    first: date
    last: date
    last_digests: date
    """Digests are included up to this day, because those of the last hours are written later."""
    log_types: tuple[str, ...]
    has_originals: bool
    missing: list[Gap] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "tool": TOOL,
            "accounts": list(self.accounts),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "to_digests": self.last_digests.isoformat(),
            "log_types": list(self.log_types),
            "originals": self.has_originals,
            "missing": [asdict(gap) for gap in self.missing],
        }


def encode_canonical(value: Mapping[str, Any]) -> bytes:
    """The same value always gives the same bytes, so that the verifier can compare them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def encode_manifest_begin(about: About) -> bytes:
    return b'{"about":' + encode_canonical(about.describe()) + b',"files":[\n'


def encode_file(path: str, size_bytes: int, sha256: str) -> bytes:
    """A file's line, without the line end."""
    return encode_canonical({"path": path, "size": size_bytes, "sha256": sha256})


def encode_original(
    bucket: str, member: Member, index: str, file: str | None, why: str = ""
) -> bytes:
    """A line of the list of originals: the member's line in its index, and the files of both in the
    bundle.
    """
    fields = json.loads(encode_member(member))
    fields = {"metadata": {}, "sha256": None} | fields
    places = {"bucket": bucket, "index": index, "file": file, "why": why}
    return encode_canonical(fields | places) + b"\n"


def write_readme(about: About) -> str:
    """In plain words, for a reader who knows neither this program nor AWS."""
    types = ", ".join(about.log_types) or "all"
    originals = "in originals/" if about.has_originals else "only listed"
    gaps = "".join(f"- {gap.what}: {gap.why}\n" for gap in about.missing) or "- nothing known\n"
    return f"""Evidence of the logs of account {", ".join(about.accounts)}
from {about.first} to {about.last} (UTC); log types: {types}

Check it, without a network, with Python 3.9 or newer and nothing else:

    python3 verify.py evidence.zip

or, in the folder that it was unpacked into, python3 verify.py. The program prints
what it proved, what it could not prove, and what is wrong. Anyone who can change
this bundle can also change the verify.py in it: get that file from elsewhere
(log-aggregator evidence --verifier), and compare the SHA-256 of the zip with the
one that you were given when the bundle was made (--sha256).

originals.jsonl   every log object in the packs for this account and time: its key,
                  size and SHA-256, and if its bytes are not in this bundle, why.
                  The originals are {originals};
                  CloudTrail's digests are always in originals/.
stored/           copies from the bucket of the packs: the index of each pack, the
                  custody records (complete, because each holds the hash of the
                  one before it; so they also name other accounts), their
                  signatures, and the public keys of CloudTrail.
page.html         the report, if one was included.
manifest.json     size and SHA-256 of every file.

Logs that were not packed yet are not included. Also not included:
{gaps}"""
