"""A chain is proven up to its newest signed record, only by named keys; a missing signed record is
a break.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.custody import START, write_chain
from tests.support.signing import make_signer
from tests.support.world import job_over

from log_aggregator.core.custody import WrittenRecord, record_key
from log_aggregator.core.signatures import (
    SIGNATURE_BYTES_MAX,
    Signature,
    Stamp,
    Statement,
    encode_signature,
    signature_key,
)
from log_aggregator.model import Target
from log_aggregator.reports.custody import describe_walk, render_walk
from log_aggregator.steps.custody.prove import Trust, prove_chain
from log_aggregator.steps.custody.walk import Walked, WalkRules
from log_aggregator_lab.stores.memory import MemoryStore

DEST = Target("dest")
SIGNED_AT = START + timedelta(hours=5)
KEY = make_signer()
TRUST = Trust({KEY.public_key: "ours"})


class Stamps:
    """Accepts tokens that consist of a time and the data."""

    def read(self, time_stamp: bytes, data: bytes) -> Stamp:
        moment, _, rest = time_stamp.partition(b"|")
        if rest != data:
            raise ValueError("it is about something else")
        return Stamp(datetime.fromisoformat(moment.decode()), "CN=Test")


def make_chain(length: int = 5, versioning: str | None = None) -> Chain:
    store = MemoryStore()
    store.create_bucket("dest", versioning=versioning)
    return Chain(store, write_chain(store, [f"run {number}" for number in range(length)]))


class Chain:
    """Records, and signatures of some of them."""

    def __init__(self, store: MemoryStore, records: list[WrittenRecord]) -> None:
        self.store = store
        self.records = records

    def sign(
        self,
        sequence: int,
        number: int = 0,
        stamped: timedelta | None = None,
        change: Callable[[Statement], Statement] = lambda statement: statement,
    ) -> None:
        record, signer = self.records[sequence], make_signer(number)
        statement = change(Statement(record.bucket, record.key, sequence, record.sha256, SIGNED_AT))
        made = signer.sign(statement.encode())
        stamp = None
        if stamped is not None:
            stamp = (SIGNED_AT + stamped).isoformat().encode() + b"|" + made
        signature = Signature(statement, signer.name, signer.public_key, made, stamp)
        self.store.put("dest", signature_key(DEST, sequence), encode_signature(signature))

    def remove(self, *keys: str) -> None:
        for key in keys:
            self.store.delete("dest", key)

    def check(self, trust: Trust = TRUST, rules: WalkRules | None = None) -> Walked:
        return prove_chain(job_over(self.store), DEST, rules or WalkRules(), trust)


def told(walked: Walked) -> list[str]:
    return [f"{finding.where}: {finding.what}" for finding in walked.findings]


def lines(walked: Walked) -> str:
    return "\n".join(render_walk(describe_walk([walked])))


def test_a_chain_is_proven_up_to_its_newest_signature() -> None:
    chain = make_chain()
    chain.sign(1)
    chain.sign(3)
    walked = chain.check()
    assert told(walked) == []
    newest = walked.proven.newest
    assert newest is not None
    assert (newest.sequence, newest.key, newest.is_trusted) == (3, "ours", True)
    assert newest.ended == START + timedelta(hours=3, minutes=59)
    assert (walked.proven.signatures, walked.proven.after, walked.proven.oldest) == (2, 1, 0)
    assert describe_walk([walked])["chains"][0]["signatures"]["proven_up_to"] == 3
    assert (
        "  proven    up to record 3 of 2025-04-05T04:59:00Z, by key ours, signed at "
        "2025-04-05T06:00:00Z\n            1 record after it is only chained"
    ) in lines(walked)


def test_an_unnamed_key_proves_nothing() -> None:
    """Without a named key, signatures are checked but reported to prove nothing."""
    chain = make_chain()
    chain.sign(4)
    walked = chain.check(Trust())
    assert told(walked) == []
    described = describe_walk([walked])["chains"][0]["signatures"]
    assert (described["proven_up_to"], described["newest"]["key"]) == (None, KEY.name)
    assert "which was not named, so it proves nothing yet" in lines(walked)
    other = chain.check(Trust({make_signer(1).public_key: "theirs"}))
    assert told(other) == [
        f"signatures/0000000/0000000004.json: it is by a key that was not named: {KEY.name}",
        "signatures/: no signature is by a key that was named",
    ]


def test_several_keys_can_be_trusted() -> None:
    """After a key was exchanged, both keys are named."""
    chain = make_chain()
    chain.sign(1)
    chain.sign(4, number=1)
    trust = Trust({KEY.public_key: "old", make_signer(1).public_key: "new"})
    walked = chain.check(trust)
    assert told(walked) == []
    assert walked.proven.newest is not None
    assert (walked.proven.newest.sequence, walked.proven.newest.key) == (4, "new")


@pytest.mark.parametrize("trust", [TRUST, Trust()], ids=["key-named", "no-key-named"])
def test_removing_the_newest_records_is_found(trust: Trust) -> None:
    """The remaining chain is whole, and the signature shows that there was more."""
    chain = make_chain()
    chain.sign(2)
    chain.sign(4)
    chain.remove(record_key(DEST, 3), record_key(DEST, 4))
    (finding,) = told(chain.check(trust))
    assert finding.startswith(
        "signatures/0000000/0000000004.json: it signs record 4, which is missing"
    )
    assert "this proves nothing while anything is WRONG" in lines(chain.check())
    chain.remove(record_key(DEST, 2))
    assert "signed    none of these records; 2 signatures read" in lines(chain.check())


def test_removing_all_records_is_found() -> None:
    chain = make_chain(2)
    chain.sign(1)
    chain.remove(record_key(DEST, 0), record_key(DEST, 1))
    (finding,) = told(chain.check())
    assert "it signs record 1, which is missing" in finding


@pytest.mark.parametrize("trust", [TRUST, Trust()], ids=["key-named", "no-key-named"])
def test_a_rewritten_chain_is_found(trust: Trust) -> None:
    """Every record follows the one before it, and none matches what was signed."""
    chain = make_chain()
    chain.sign(3)
    forged = MemoryStore()
    forged.create_bucket("dest")
    for record in write_chain(forged, [f"forged {number}" for number in range(6)]):
        chain.store.put("dest", record.key, forged.get_object("dest", record.key).data)
    (finding,) = told(chain.check(trust))
    assert finding.startswith("custody/0000000/0000000003.jsonl.gz: its SHA-256 is ")
    assert finding.endswith(f"{chain.records[3].sha256} was signed at 2025-04-05T06:00:00Z")
    assert chain.check(trust).proven.newest is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda it: replace(it, bucket="other"), "it is for a record in bucket other"),
        (lambda it: replace(it, sequence=3), "it is for record 3, custody/"),
        (lambda it: replace(it, record="x"), "it is for record 4, x"),
    ],
    ids=["other-bucket", "other-sequence", "other-record"],
)
def test_a_signature_of_another_place_is_refused(
    change: Callable[[Statement], Statement], expected: str
) -> None:
    """A signature by the right key for another place proves nothing here."""
    chain = make_chain()
    chain.sign(2)
    chain.sign(4, change=change)
    walked = chain.check()
    (finding,) = told(walked)
    assert finding.startswith(f"signatures/0000000/0000000004.json: {expected}")
    assert walked.proven.newest is not None
    assert walked.proven.newest.sequence == 2


def test_a_signature_moved_to_another_record_is_found() -> None:
    chain = make_chain()
    chain.sign(2)
    data = chain.store.get_object("dest", signature_key(DEST, 2)).data
    chain.store.put("dest", signature_key(DEST, 4), data)
    assert "it is for record 2" in told(chain.check())[0]


def test_foreign_objects_beside_signatures_are_reported() -> None:
    """Objects among the signatures that are not signatures or cannot be read."""
    chain = make_chain()
    chain.sign(4)
    chain.store.put("dest", "signatures/readme", b"x")
    chain.store.put("dest", signature_key(DEST, 3), b"{}")
    chain.store.put("dest", signature_key(DEST, 2), b" " * (SIGNATURE_BYTES_MAX + 1))
    assert told(chain.check()) == [
        "signatures/readme: it is not a signature of a custody record",
        "signatures/0000000/0000000002.json: it is larger than any signature",
        "signatures/0000000/0000000003.json: the signature cannot be read: KeyError",
    ]


def test_with_versions_a_removed_signature_is_found() -> None:
    """To cut off the chain, someone has to remove the signature too; with versions, that shows."""
    chain = make_chain(versioning="Enabled")
    chain.sign(3)
    chain.sign(4)
    chain.remove(signature_key(DEST, 4))
    found = told(chain.check())
    assert any("signatures/0000000/0000000004.json: it was deleted at" in each for each in found)


def test_without_signatures_a_named_key_proves_nothing() -> None:
    """With a named key, a chain that lost all signatures is not proven."""
    chain = make_chain()
    assert told(chain.check()) == ["signatures/: no signature is by a key that was named"]
    unsigned = chain.check(Trust())
    assert told(unsigned) == []
    assert "signed    no:" in lines(unsigned)


def test_checking_only_the_newest_records_is_possible() -> None:
    """Signatures of older records are not a break, and the proof says how far back it goes."""
    chain = make_chain()
    chain.sign(1)
    chain.sign(4)
    walked = chain.check(rules=WalkRules(last=2))
    assert told(walked) == []
    assert "proven    from record 3 up to record 4" in lines(walked)
    assert told(chain.check(rules=WalkRules(last=2), trust=TRUST)) == []
    chain.remove(signature_key(DEST, 4))
    beyond = chain.check(rules=WalkRules(last=2))
    assert told(beyond) == []
    assert beyond.proven.newest is None


def test_signatures_of_expired_records_are_accepted() -> None:
    """The signatures of expired records may still exist."""
    chain = make_chain()
    chain.sign(1)
    chain.sign(4)
    chain.remove(record_key(DEST, 0), record_key(DEST, 1))
    walked = chain.check(rules=WalkRules(oldest=2))
    assert told(walked) == []


def test_time_stamps_are_checked_by_named_authorities() -> None:
    """The newest stamped record is reported; a stamp is checked only against a named authority."""
    chain = make_chain()
    chain.sign(2, stamped=timedelta(seconds=3))
    chain.sign(4)
    walked = chain.check(replace(TRUST, stamps=Stamps()))
    assert told(walked) == []
    assert walked.proven.stamped is not None
    assert walked.proven.stamped.sequence == 2
    assert walked.proven.stamped.stamp == Stamp(SIGNED_AT + timedelta(seconds=3), "CN=Test")
    assert "record 2 time-stamped 2025-04-05T06:00:03Z by CN=Test" in lines(walked)
    chain.sign(4, stamped=timedelta(seconds=4))
    both = lines(chain.check(replace(TRUST, stamps=Stamps())))
    assert "            time-stamped 2025-04-05T06:00:04Z by CN=Test" in both
    assert "add --time-stamp-authority" in lines(chain.check())


def test_a_stamp_of_another_signature_is_refused() -> None:
    chain = make_chain()
    chain.sign(4, stamped=timedelta())
    data = chain.store.get_object("dest", signature_key(DEST, 4)).data
    chain.sign(3, stamped=timedelta())
    other = chain.store.get_object("dest", signature_key(DEST, 3)).data
    before, _, after = data.partition(b'"time_stamp":"')
    swapped = before + b'"time_stamp":"' + other.partition(b'"time_stamp":"')[2]
    assert after
    chain.store.put("dest", signature_key(DEST, 4), swapped)
    found = told(chain.check(replace(TRUST, stamps=Stamps())))
    assert found[0].endswith("04.json: its time stamp is not valid: it is about something else")


@pytest.mark.parametrize("hours", [-25, 25, 24 * 400], ids=["before", "after", "long-after"])
def test_a_signature_with_a_different_time_than_its_stamp_is_refused(hours: int) -> None:
    """A record signed today must not pass as last year's."""
    chain = make_chain()
    chain.sign(4, stamped=timedelta(hours=hours))
    found = told(chain.check(replace(TRUST, stamps=Stamps())))
    assert "it claims to be signed at 2025-04-05T06:00:00Z, but was stamped at" in found[0]


def test_a_missing_time_stamp_is_reported() -> None:
    chain = make_chain()
    chain.sign(4)
    assert told(chain.check(replace(TRUST, stamps=Stamps()))) == [
        "signatures/: no time stamp is by an authority that was named"
    ]


def test_a_damaged_record_is_not_proven() -> None:
    """The signature before it still proves the earlier records."""
    chain = make_chain()
    chain.sign(4)
    chain.store.put("dest", record_key(DEST, 4), b"damaged")
    walked = chain.check()
    assert any("was signed at" in each for each in told(walked))
    assert walked.proven.newest is None
    assert START.tzinfo is UTC
