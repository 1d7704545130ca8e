"""What docs/how-to/read-packs-in-python.md shows, run against the embedded server."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import Site

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.reading import NoLines, open_archive
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.check import PACKED
from log_aggregator_lab.organisation.synthetic import Step

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-packs-in-python.md"
BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.fixture
def surroundings(packed: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The environment and the folder that the page's reader has: with a pack in it."""
    for name, value in packed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with open_archive(f"s3://{packed.destination}") as archive:
        pack = next(archive.packs(log_type=DIGEST_LOG_TYPE))
    store = connect(Connection())
    (tmp_path / "pack.json.gz").write_bytes(
        store.get_object(str(packed.destination), pack.key).data
    )
    return packed


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_what_the_page_shows_runs(
    number: int, surroundings: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block as it stands, but for the bucket, the day, and an account without a damaged
    log.
    """
    code = BLOCKS[number].replace("example-packs", str(surroundings.destination))
    code = code.replace("2026-03-14", str(surroundings.day))
    code = code.replace('"CloudTrail"', f'"CloudTrail", account="{sound_account(surroundings)}"')
    namespace: dict[str, Any] = {}
    exec(compile(code, f"{PAGE.name}, block {number}", "exec"), namespace)
    assert capsys.readouterr().out.strip()


def sound_account(site: Site) -> str:
    """One with CloudTrail logs, all of which can be read."""
    with open_archive(f"s3://{site.destination}") as archive:
        packs = list(archive.packs(log_type="CloudTrail", day=site.day))
        bad = {pack.account for pack in packs for each in pack.members() if each.flags}
        return next(pack.account for pack in packs if pack.account not in bad)


def test_a_damaged_log_is_named_and_comes_back(surroundings: Site) -> None:
    """It has no records; its bytes are those that were delivered."""
    with open_archive(f"s3://{surroundings.destination}") as archive:
        packs = archive.packs(log_type="CloudTrail", day=surroundings.day)
        members = (each for pack in packs for each in pack.members())
        member = next(each for each in members if "damaged-gzip" in each.flags)
        with pytest.raises(NoLines, match="damaged gzip"):
            list(member.records())
        assert len(member.read()) == member.size_bytes


def test_every_original_of_the_day_comes_back(surroundings: Site) -> None:
    """As the manifest of what was delivered has them."""
    delivered = Counter(
        (f"s3://{entry.bucket}/{entry.key}", entry.sha256)
        for entry in surroundings.entries
        if entry.step is Step.PUT and entry.purpose in PACKED
    )
    with open_archive(f"s3://{surroundings.destination}") as archive:
        seen = Counter(
            (member.where, hashlib.sha256(data).hexdigest())
            for pack in archive.packs(day=surroundings.day)
            for member, data in pack.originals()
        )
    assert seen == delivered


def test_what_is_frozen_is_listed(surroundings: Site) -> None:
    """Indexes say all that `find` says, by bucket, key and hour."""
    with open_archive(f"s3://{surroundings.destination}", endpoint_url=None) as archive:
        packs = list(archive.packs(log_type="CloudTrail", first=f"{surroundings.day}T02:00"))
        assert packs
        assert all(len(pack) == len(list(pack.members())) for pack in packs)
