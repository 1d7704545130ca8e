"""Evidence bundles of a small organisation, changed byte by byte, or rebuilt around a change."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.custody import run_recorded
from tests.support.trails import TARGET, Trails, trails

from log_aggregator import verifier
from log_aggregator.core.evidence.manifest import MANIFEST, MANIFEST_HASH, About
from log_aggregator.limits import GIB
from log_aggregator.steps.cloudtrail.public_keys import archive_keys
from log_aggregator.steps.custody.chain import find_end
from log_aggregator.steps.evidence.bundle import Bundle, BundleResult
from log_aggregator.steps.evidence.bundle_file import BundleFile
from log_aggregator_lab.organisation import keys as lab_keys
from log_aggregator_lab.servers.trail_api import LabTrailKeys

VERIFIER = Path(verifier.__file__).read_bytes()
KINDS = ("flip", "insert", "delete", "replace", "cut", "append", "prepend")


def make_trails() -> Trails:
    """Packed, with the public keys stored and the custody record signed."""
    found = trails()
    for each in (run_recorded(found.world, "first"), run_recorded(found.world, "second")):
        assert each.failures == []
    day = datetime.combine(found.spec.first_day, time.min, UTC)
    for region in ("eu-west-1", "us-east-1"):
        archive_keys(
            found.store, TARGET, LabTrailKeys(found.spec), region, day, day + timedelta(days=1)
        )
    sign_newest(found)
    return found


def sign_newest(found: Trails) -> str:
    """Returns the key of the signature."""
    newest = find_end(found.store, TARGET).newest
    assert newest is not None
    statement = {
        "format": "log-aggregator-signature",
        "version": 1,
        "bucket": TARGET.bucket,
        "record": newest.record.key,
        "sequence": newest.sequence,
        "sha256": newest.sha256,
        "signed_at": "2026-03-24T01:00:00Z",
    }
    message = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    public = lab_keys.signing_key(found.spec.seed).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed = {
        "statement": statement,
        "algorithm": "RSASSA_PKCS1_V1_5_SHA_256",
        "key": "sha256:test",
        "public_key": base64.b64encode(der).decode(),
        "signature": base64.b64encode(lab_keys.sign(found.spec.seed, message)).decode(),
    }
    key = newest.record.key.replace("custody/", "signatures/").replace(".jsonl.gz", ".json")
    found.store.put(TARGET.bucket, key, json.dumps(signed).encode())
    return key


def about_of(found: Trails, *, has_originals: bool = True) -> About:
    account = found.digest_keys[0].rpartition("/")[2].partition("_")[0]
    first = found.spec.first_day
    last = first + timedelta(days=1)
    return About((account,), first, last, last + timedelta(days=1), (), has_originals)


def make_bundle(
    found: Trails, path: Path, *, has_originals: bool = True, bytes_max: int = GIB
) -> tuple[About, BundleResult]:
    about = about_of(found, has_originals=has_originals)
    with path.open("wb") as out:
        bundle = Bundle(found.world.job(), about, out, bytes_max, VERIFIER, b"<p>page</p>")
        return about, bundle.make()


def rebuild(path: Path, about: About, change: Callable[[dict[str, bytes]], None]) -> None:
    """As by someone who knows how: manifest, hashes and zip are consistent again."""
    with zipfile.ZipFile(path) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    del files[MANIFEST], files[MANIFEST_HASH]
    change(files)
    write_files(path, about, files)


def write_files(path: Path, about: About, files: Mapping[str, bytes]) -> None:
    with path.open("wb") as out, BundleFile(out, GIB) as bundle:
        for name, data in files.items():
            bundle.add_data(name, data)
        bundle.finish(about)


def change_bytes(data: bytes, random: Random) -> tuple[str, bytes]:
    """(what was done, the bytes), which differ from those given."""
    kind = random.choice(KINDS)
    place = random.randrange(len(data))
    byte = bytes([random.randrange(256)])
    if kind == "flip":
        changed = bytes([data[place] ^ (1 << random.randrange(8))])
        return f"{kind} at {place}", data[:place] + changed + data[place + 1 :]
    if kind == "replace":
        other = bytes([(data[place] + random.randrange(1, 256)) % 256])
        return f"{kind} at {place}", data[:place] + other + data[place + 1 :]
    if kind == "insert":
        return f"{kind} at {place}", data[:place] + byte + data[place:]
    if kind == "delete":
        return f"{kind} at {place}", data[:place] + data[place + 1 :]
    if kind == "cut":
        return f"{kind} at {place}", data[:place]
    return kind, data + byte if kind == "append" else byte + data


def count_unfound(data: bytes, path: Path, seed: int, count: int) -> list[str]:
    """How many of this number of changes the verifier misses. It is not given the SHA-256."""
    unfound = []
    for number in range(count):
        what, changed = change_bytes(data, Random(f"{seed}-{number}"))
        path.write_bytes(changed)
        if not verifier.verify(str(path)).problems:
            unfound.append(f"change {number} of seed {seed}: {what}")
    return unfound


def unpack(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as opened:
        opened.extractall(folder)
