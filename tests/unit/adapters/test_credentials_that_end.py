"""Expiring credentials: they are never used after they expire, they are renewed if possible, and
otherwise no more requests are sent.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from tests.support.sending import Caught, catch, forget_surroundings, share_models
from tests.unit.adapters.test_owners import STORE_CALLS as CALLS
from tests.unit.adapters.test_s3_store import error

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.patience import PatientStore
from log_aggregator.adapters.s3 import ClientSettings, S3Store, signing
from log_aggregator.adapters.s3.credentials import GuardedCredentials, Source
from log_aggregator.adapters.s3.signing import CREDENTIALS_SECONDS, Signer
from log_aggregator.errors import CannotStart, NotAuthenticated, RequestFailed
from log_aggregator.wiring import Connection

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Caught:
    """The caller's settings do not count, and nothing is sent."""
    forget_surroundings(monkeypatch, str(tmp_path))
    share_models(monkeypatch)
    monkeypatch.setattr(signing, "CREDENTIALS_SECONDS", 0)
    return catch(monkeypatch)


class Broker:
    """A profile's `credential_process`, which prints a file's content."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = home / "said.json"
        (home / ".aws").mkdir()
        process = f"credential_process = cat {self._path}\n"
        (home / ".aws" / "config").write_text(f"[default]\nregion = eu-west-1\n{process}")

    def say(self, key: str, seconds: float) -> None:
        """Provide keys that end so soon that botocore asks again before each request."""
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        values = {"AccessKeyId": key, "SecretAccessKey": "s", "SessionToken": "t"}
        said = {"Version": 1, **values, "Expiration": end.isoformat()}
        self._path.write_text(json.dumps(said))

    def fail(self) -> None:
        """From now on the user must log in again."""
        self._path.unlink()


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker(tmp_path, monkeypatch)
    broker.say("FIRST", 300)
    return broker


def connect() -> S3Store:
    accounts = (("*", "111122223333"),)
    return S3Store.connect(ClientSettings(bucket_accounts=accounts, attempts_max=2))


def run(call: Callable[[], object]) -> None:
    """Only the request counts: the canned answer need not be usable."""
    try:
        call()
    except NotAuthenticated:
        raise
    except RequestFailed:
        pass


@pytest.mark.parametrize("name", CALLS)
def test_renewed_credentials_are_used_immediately(
    broker: Broker, caught: Caught, name: str
) -> None:
    """Both clients sign requests after the renewal with the new keys."""
    store = connect()
    run(lambda: CALLS[name](store))
    broker.say("SECOND", 300)
    before = len(caught.sent)
    run(lambda: CALLS[name](store))
    assert {sent.scope[0] for sent in caught.sent[:before]} == {"FIRST"}
    assert {sent.scope[0] for sent in caught.sent[before:]} == {"SECOND"}


@pytest.mark.parametrize("name", CALLS)
def test_expired_credentials_end_everything(broker: Broker, caught: Caught, name: str) -> None:
    """Every request gets one error, which says to log in again; nothing is sent and there is no
    traceback.
    """
    store = connect()
    run(lambda: store.get_object("mine", "k"))
    caught.sent.clear()
    broker.fail()
    with pytest.raises(NotAuthenticated, match="credential_process of profile default") as ended:
        CALLS[name](store)
    assert "\n" not in str(ended.value)
    assert "Renew the credentials" in ended.value.advice
    assert not caught.sent


@pytest.mark.parametrize("name", [name for name in CALLS if name != "head_object"])
def test_an_expired_token_is_tried_only_once(caught: Caught, broker: Broker, name: str) -> None:
    """It is sent once; later requests are neither sent nor counted."""
    inner = connect()
    run(lambda: inner.get_object("mine", "k"))  # and knows where the bucket is
    store = CountingStore(PatientStore(inner))
    caught.sent.clear()
    caught.answer = lambda _method, _url: (400, {}, error("ExpiredToken"))
    with pytest.raises(NotAuthenticated, match=r"ExpiredToken.*renew the credentials"):
        CALLS[name](store)
    assert len(caught.sent) == 1
    counted = sum(store.requests.values())
    for call in CALLS.values():
        with pytest.raises(NotAuthenticated, match=r"not tried: .*ExpiredToken"):
            call(store)
    assert len(caught.sent) == 1
    assert sum(store.requests.values()) == counted == 1


def test_credentials_refused_by_sts_are_found_before_the_run(
    caught: Caught, broker: Broker
) -> None:
    """They are noticed before anything is touched."""
    caught.answer = lambda _method, url: (
        (403, {}, b"<E><Error><Code>ExpiredToken</Code></Error></E>") if "sts." in url else None
    )
    with pytest.raises(CannotStart, match="not accepted; log in again"):
        wiring.connect(Connection())
    assert len(caught.sent) == 1


class Ending:
    """Credentials that are replaced when they have ended."""

    def __init__(self, end: float) -> None:
        self.end, self.asked = end, 0

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.end, UTC)

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.asked += 1
        return ReadOnlyCredentials(f"AK{self.asked}", "s", "t")


@pytest.mark.parametrize("seconds", [0.5, 5, CREDENTIALS_SECONDS - 0.5])
def test_credentials_are_not_kept_after_they_expire(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A signer may keep other credentials longer."""
    monkeypatch.setattr(signing, "CREDENTIALS_SECONDS", CREDENTIALS_SECONDS)
    credentials = Ending(NOON + seconds)
    signer = Signer(credentials, "eu-west-1", "s3")
    for moment in (NOON, NOON + seconds - 0.25):
        assert "AK1/" in signer.sign("h", "/k", "", {}, moment)["authorization"]
    assert "AK2/" in signer.sign("h", "/k", "", {}, NOON + seconds)["authorization"]


def test_credentials_are_cached_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for each object would cost more than signing does."""
    monkeypatch.setattr(signing, "CREDENTIALS_SECONDS", CREDENTIALS_SECONDS)
    credentials = Ending(NOON + 10 * CREDENTIALS_SECONDS)
    signer = Signer(credentials, "eu-west-1", "s3")
    for second in range(CREDENTIALS_SECONDS):
        signer.sign("h", "/k", "", {}, NOON + second)
    assert credentials.asked == 1


def test_botocore_still_has_the_expiry_attribute() -> None:
    """`GuardedCredentials.expires_at` is an internal attribute of botocore's: without it a reader
    would sign with ended credentials for half a minute.
    """
    end = datetime.now(UTC) + timedelta(hours=1)
    held = RefreshableCredentials("a", "s", "t", end, dict, "x")
    source = Source("x", None)
    assert GuardedCredentials(held, source).expires_at == end
    assert GuardedCredentials(Credentials("a", "s"), source).expires_at is None
    assert copy.copy(GuardedCredentials(held, source)).get_frozen_credentials().access_key == "a"
