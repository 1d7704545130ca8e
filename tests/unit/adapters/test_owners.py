"""Every request names the expected bucket owner, and so does the error if it is refused."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pycurl
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError
from botocore.session import Session
from click.testing import CliRunner, Result
from tests.unit.adapters.conftest import Answer, CannedS3

import log_aggregator
from log_aggregator import wiring
from log_aggregator.adapters.s3 import ClientSettings, S3Store, clients, owners
from log_aggregator.adapters.s3.attempts import Answer as Taken
from log_aggregator.adapters.s3.attempts import Attempts
from log_aggregator.adapters.s3.curl import ReadRequest
from log_aggregator.adapters.s3.curl_loop import ReadLoop
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.adapters.s3.regions import is_aws
from log_aggregator.cli import commands
from log_aggregator.errors import AccessDenied, CannotStart, RequestFailed, WrongSignature
from log_aggregator.model import LogObject
from log_aggregator.ports.account import AccountInspector
from log_aggregator.ports.store import Body, Deletion, ObjectStore, Upload, WriteOptions

OWN, FOREIGN, THIRD = "111122223333", "444455556666", "777788889999"
ACCOUNTS = (("foreign", FOREIGN), ("theirs-*", THIRD))
SETTINGS = ClientSettings(
    region="eu-west-1", access_key="k", secret_key="s", attempts_max=1, bucket_accounts=ACCOUNTS
)
TARGET, SOURCE = "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"
ETAG = "0" * 32
ASK = owners.ask_account  # before the fixture replaces it
SOURCES = Path(log_aggregator.__file__).parent

UPLOAD = Upload("mine", "k", "u")
COPIED = LogObject("foreign", "k", None, ETAG, 10, datetime(2026, 1, 1, tzinfo=UTC))
OPTIONS = WriteOptions()


def read_one(store: ObjectStore, source: LogObject) -> Body:
    """Read by `get_objects`. Raises RequestFailed."""
    (found,) = store.get_objects([source])
    if isinstance(found, RequestFailed):
        raise found
    return found


STORE_CALLS: dict[str, Callable[[Any], object]] = {
    "list_object_versions": lambda s: s.list_object_versions("mine"),
    "list_objects": lambda s: s.list_objects("mine"),
    "list_prefixes": lambda s: s.list_prefixes("mine", prefix=""),
    "list_buckets": lambda s: s.list_buckets(),
    "get_bucket_versioning": lambda s: s.get_bucket_versioning("mine"),
    "get_object": lambda s: s.get_object("mine", "k"),
    "get_objects": lambda s: read_one(s, replace(COPIED, bucket="mine")),
    "get_object_checked": lambda s: s.get_object_checked("mine", "k"),
    "head_object": lambda s: s.head_object("mine", "k"),
    "put_object": lambda s: s.put_object("mine", "k", b"x", crc64nvme=1, options=OPTIONS),
    "create_multipart_upload": lambda s: s.create_multipart_upload("mine", "k", options=OPTIONS),
    "upload_part": lambda s: s.upload_part(UPLOAD, 1, b"x", crc64nvme=1),
    "upload_part_copy": lambda s: s.upload_part_copy(UPLOAD, 1, COPIED, (0, 10)),
    "complete_multipart_upload": lambda s: s.complete_multipart_upload(
        UPLOAD, [], size_bytes=1, crc64nvme=1
    ),
    "abort_multipart_upload": lambda s: s.abort_multipart_upload(UPLOAD),
    "list_multipart_uploads": lambda s: s.list_multipart_uploads("mine", prefix=""),
    "restore_object": lambda s: s.restore_object("mine", "k", days=1, tier="Bulk"),
    "delete_objects": lambda s: s.delete_objects(
        "mine", [Deletion("k", None, ETAG), Deletion("\x01", None, ETAG)]
    ),
}
INSPECTOR_CALLS: dict[str, Callable[[S3Inspector], object]] = {
    "head_bucket": lambda i: i.head_bucket("mine", owner=OWN),
    "get_bucket_versioning": lambda i: i.get_bucket_versioning("mine"),
    "get_object_lock_configuration": lambda i: i.get_object_lock_configuration("mine"),
    "get_bucket_encryption": lambda i: i.get_bucket_encryption("mine"),
    "get_bucket_lifecycle_configuration": lambda i: i.get_bucket_lifecycle_configuration("mine"),
    "get_public_access_block": lambda i: i.get_public_access_block("mine"),
    "get_bucket_ownership_controls": lambda i: i.get_bucket_ownership_controls("mine"),
    "list_bucket_inventory_configurations": (
        lambda i: i.list_bucket_inventory_configurations("mine")
    ),
}
WITHOUT_BUCKET = {"ListBuckets"}
"""It names the buckets of the account that asks, and S3 takes no owner with it."""


@dataclass
class Wire:
    """Takes what a client would send, and answers."""

    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    status: int = 200
    body: bytes = b"<Any/>"

    def attach(self, client: Any) -> None:
        client.meta.events.register_last("before-send.s3", self._answer)

    def read(self, requests: Iterable[ReadRequest], **_: object) -> Iterator[Taken | RequestFailed]:
        """Replaces `ReadLoop.read`."""
        for request in requests:
            told: dict[int, Any] = {}
            request.prepare(SimpleNamespace(setopt=told.__setitem__))
            lines = (line.decode().partition(": ") for line in told[pycurl.HTTPHEADER])
            self.sent.append((request.operation, {name: value for name, _, value in lines}))
            head = {"etag": f'"{ETAG}"', "content-length": str(len(self.body))}
            answer, attempts = Taken(self.status, head, self.body), Attempts(1)
            is_good = attempts.take(answer, is_document=request.is_of_bucket)
            yield answer if is_good else request.fail(attempts.failure)

    def _answer(self, request: Any, event_name: str = "", **_: object) -> AWSResponse:
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        self.sent.append((event_name.rpartition(".")[2], headers))
        head = {"ETag": f'"{ETAG}"', "Content-Length": str(len(self.body))}
        return AWSResponse(request.url, self.status, head, _Raw(self.body))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: object, **__: object) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace STS, which tests must not reach; returns the Regions in which it was asked."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    regions: list[str] = []

    def ask(_session: object, _config: object, region: str) -> str:
        regions.append(region)
        return OWN

    monkeypatch.setattr(owners, "ask_account", ask)
    return regions


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def store(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setattr(ReadLoop, "read", lambda _, *asked, **how: wire.read(*asked, **how))
    store = S3Store.connect(SETTINGS)
    wire.attach(store._s3)
    return store


@pytest.fixture
def inspector(wire: Wire) -> S3Inspector:
    made = clients.make_clients(SETTINGS)
    wire.attach(made.s3)
    return S3Inspector({"s3": made.s3}.__getitem__, made.owners)


def run(call: Callable[[], object]) -> None:
    """Only the request counts: the canned answer need not be usable."""
    try:
        call()
    except CannotStart:
        raise
    except log_aggregator.errors.RequestFailed:
        pass


@pytest.mark.parametrize("name", STORE_CALLS)
def test_every_request_of_the_store_expects_the_owner(
    store: S3Store, wire: Wire, name: str
) -> None:
    """The header is signed, too: S3 believes no unsigned header of its own."""
    run(lambda: STORE_CALLS[name](store))
    assert wire.sent
    for operation, headers in wire.sent:
        if operation not in WITHOUT_BUCKET:
            assert headers.get(TARGET) == OWN
            assert TARGET in headers["authorization"]
        assert headers.get(SOURCE) == (FOREIGN if operation == "UploadPartCopy" else None)


@pytest.mark.parametrize("name", INSPECTOR_CALLS)
def test_every_request_of_the_inspector_expects_the_owner(
    inspector: S3Inspector, wire: Wire, name: str
) -> None:
    """The doctor sees what a run would see."""
    run(lambda: INSPECTOR_CALLS[name](inspector))
    assert wire.sent
    assert {headers.get(TARGET) for _, headers in wire.sent} == {OWN}


def test_existence_is_checked_without_an_expected_owner(inspector: S3Inspector, wire: Wire) -> None:
    """The doctor can thereby tell another account's bucket from one it has no permission to see."""
    inspector.head_bucket("mine")
    assert [TARGET in headers for _, headers in wire.sent] == [False]


def test_no_method_is_missing_from_the_tables() -> None:
    """The tables above have every method of both ports that asks S3 about a bucket."""
    methods = {name for name in vars(ObjectStore) if not name.startswith("_")}
    assert STORE_CALLS.keys() == methods
    asking = {
        name
        for name, method in vars(AccountInspector).items()
        if not name.startswith("_")
        and inspect.isfunction(method)
        and "bucket" in inspect.signature(method).parameters
    }
    assert INSPECTOR_CALLS.keys() == asking - {"expected_owner"}


def test_every_operation_in_the_code_is_tested(
    store: S3Store, inspector: S3Inspector, wire: Wire
) -> None:
    """A new operation in the code fails here until its owner is checked and it is added above."""
    for call in STORE_CALLS.values():
        run(lambda call=call: call(store))  # type: ignore[misc]
    for ask in INSPECTOR_CALLS.values():
        run(lambda ask=ask: ask(inspector))  # type: ignore[misc]
    assert find_operations(store._s3) == {operation for operation, _ in wire.sent}


def test_every_operation_on_a_bucket_can_carry_an_owner(store: S3Store) -> None:
    """Only operations that name no bucket cannot."""
    model = store._s3.meta.service_model
    able = {
        name
        for name in find_operations(store._s3)
        if "ExpectedBucketOwner" in model.operation_model(name).input_shape.members
    }
    assert able == find_operations(store._s3) - WITHOUT_BUCKET


def find_operations(client: Any) -> set[str]:
    """The S3 operations that the package calls by client, paginator or name, except those of a
    rehearsal, which makes the buckets that it uses.
    """
    api_names: dict[str, str] = client.meta.method_to_api_mapping
    found = set()
    for path in SOURCES.rglob("*.py"):
        if path.name == "scratch.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in api_names and is_client(node.value):
                found.add(api_names[node.attr])
            if isinstance(node, ast.Call):
                found |= {
                    api_names.get(value, value)
                    for value in find_named(node)
                    if api_names.get(value, value) in api_names.values()
                }
    return found


def is_client(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return name in ("s3", "_s3", "client", "_client")


def find_named(call: ast.Call) -> list[str]:
    """The names in `get_paginator("...")`, `_ask("s3", "...")` and `ReadRequest(...)`."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name == "ReadRequest":
        by_name = {each.arg: each.value for each in call.keywords}
        named = by_name.get("operation", ast.Constant("GetObject"))
        return [str(named.value)] if isinstance(named, ast.Constant) else []
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    if name in ("get_paginator", "get_waiter", "Listed"):
        return [str(text) for text in texts]
    return [str(text) for text in texts[1:2]] if name == "_ask" and texts[:1] == ["s3"] else []


def test_clients_are_made_in_one_place() -> None:
    """Another client would send requests without an expected owner."""
    makers = {
        path.name
        for path in SOURCES.rglob("*.py")
        if re.search(r"\bcreate_client\(|boto3\.client|ObstoreS3\(", path.read_text("utf-8"))
    }
    assert makers == {"clients.py", "owners.py", "wire.py"}
    assert 'create_client("s3"' not in Path(owners.__file__).read_text("utf-8")


@pytest.mark.parametrize(
    ("bucket", "account"),
    [
        ("mine", OWN),
        ("foreign", FOREIGN),
        ("foreign-too", OWN),
        ("theirs-1", THIRD),
        ("theirs-", THIRD),
        ("not-theirs-1", OWN),
    ],
)
def test_configured_accounts_win(store: S3Store, wire: Wire, bucket: str, account: str) -> None:
    """A whole name or its beginning matches; all other buckets are the caller's."""
    store.get_bucket_versioning(bucket)
    assert [headers[TARGET] for _, headers in wire.sent] == [account]
    assert store._clients.owner_of(bucket) == account


def test_the_longest_prefix_wins() -> None:
    """The order does not matter, and a whole name precedes all beginnings."""
    rows = [("*", "1"), ("logs-*", "2"), ("logs-eu-*", "3"), ("logs-eu-1", "4")]
    for accounts in (rows, rows[::-1]):
        named = owners.Owners(accounts, lambda: pytest.fail("all are named"))
        found = [named.of(bucket) for bucket in ("a", "logs-us", "logs-eu-2", "logs-eu-1")]
        assert found == ["1", "2", "3", "4"]
        named.check()


def test_sts_is_asked_once_when_needed(store: S3Store, wire: Wire, asked: list[str]) -> None:
    """Neither making a client nor a named bucket asks it, and it is never asked twice."""
    store.get_bucket_versioning("foreign")
    assert asked == []
    for _ in range(3):
        store.get_bucket_versioning("mine")
    store.find_owner()
    assert asked == ["eu-west-1"]


def test_another_server_only_expects_configured_owners(canned: CannedS3, asked: list[str]) -> None:
    """It may have no STS, and AWS's must not see its credentials."""
    canned.answers = [Answer(body=b"<VersioningConfiguration/>")]
    settings = ClientSettings(
        region="us-east-1",
        endpoint_url=canned.settings.endpoint_url,
        access_key="k",
        secret_key="s",
        bucket_accounts=ACCOUNTS,
    )
    store = S3Store.connect(settings)
    store.find_owner()
    for bucket in ("mine", "foreign"):
        store.get_bucket_versioning(bucket)
    assert [request.headers.get(TARGET) for request in canned.requests] == [None, FOREIGN]
    assert asked == []


@pytest.mark.parametrize(
    ("endpoint_url", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://s3-fips.dualstack.us-gov-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1a2b-3c4d.s3.eu-west-1.vpce.amazonaws.com", True),
        ("https://s3.us-iso-east-1.c2s.ic.gov", True),
        ("https://s3.eusc-de-east-1.amazonaws.eu", True),
        ("http://127.0.0.1:9000", False),
        ("https://s3.example.org", False),
        ("https://evilamazonaws.com", False),
        ("https://s3.amazonaws.com.example.org", False),
        ("https://s3.fr-par.scw.cloud", False),
    ],
)
def test_which_endpoints_are_aws(endpoint_url: str, expected: bool) -> None:
    """Every partition through every network is AWS; lookalikes are not."""
    assert is_aws(endpoint_url) is expected


def test_a_refusal_names_the_expected_owner(store: S3Store, wire: Wire) -> None:
    """S3 says only "Access Denied", and a HEAD says nothing at all."""
    wire.status = 403
    wire.body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    with pytest.raises(AccessDenied, match=f"bucket mine: expected to be owned by account {OWN}"):
        store.list_objects("mine")
    with pytest.raises(
        AccessDenied, match=f"bucket mine: .* {OWN} and bucket foreign: .*{FOREIGN}"
    ):
        store.upload_part_copy(UPLOAD, 1, COPIED, (0, 10))
    wire.body = b""
    with pytest.raises(AccessDenied, match=f"bucket mine: expected to be owned by account {OWN}"):
        store.head_object("mine", "k")


def test_other_refusals_do_not_mention_an_owner(store: S3Store, wire: Wire) -> None:
    """For a wrong signature, a KMS key or no expected owner it would only mislead."""
    wire.status = 403
    for code, message in (
        (b"SignatureDoesNotMatch", b"m"),
        (b"AccessDenied", b"User: x is not authorized to perform: kms:Decrypt on resource: y"),
    ):
        wire.body = b"<Error><Code>%s</Code><Message>%s</Message></Error>" % (code, message)
        with pytest.raises((AccessDenied, WrongSignature)) as caught:
            store.list_objects("mine")
        assert "owned" not in str(caught.value)
    wire.body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    with pytest.raises(AccessDenied) as caught:
        store.list_buckets()
    assert "owned" not in str(caught.value)


class FakeSession:
    """A session whose STS answers or fails as set."""

    def __init__(self, server: CannedS3) -> None:
        self._session = Session()
        self._session.set_credentials("k", "s")
        self._url = server.settings.endpoint_url

    def create_client(self, service: str, **options: Any) -> Any:
        return self._session.create_client(service, **options, endpoint_url=self._url)


IDENTITY = (
    b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>%s</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def ask(canned: CannedS3, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> str:

    canned.answers = [answer]
    config = clients.make_config(ClientSettings(attempts_max=1))
    return ASK(FakeSession(canned), config, "eu-west-1")


def test_sts_is_asked_for_the_account(canned: CannedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operation is GetCallerIdentity."""
    assert ask(canned, monkeypatch, Answer(body=IDENTITY % OWN.encode())) == OWN
    assert b"GetCallerIdentity" in canned.requests[0].body


@pytest.mark.parametrize(
    ("answer", "told", "is_hinted"),
    [
        (Answer(403, b"<E><Error><Code>InvalidClientTokenId</Code></Error></E>"), "log in", False),
        (Answer(403, b"<E><Error><Code>ExpiredToken</Code></Error></E>"), "ExpiredToken", False),
        (Answer(503, b"<E><Error><Code>Throttling</Code></Error></E>"), "Throttling", True),
        (Answer(200, b"<html>a proxy</html>"), "expected", True),
        (Answer(200, b"no XML"), "expected", True),
        (Answer(200, IDENTITY % b""), "12 digits", True),
        (Answer(200, IDENTITY % b"12"), "12 digits", True),
    ],
)
def test_an_sts_without_an_answer_is_one_clear_line(
    canned: CannedS3,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    told: str,
    is_hinted: bool,
) -> None:
    """It names a way out only where that can help."""
    with pytest.raises(CannotStart, match=told) as caught:
        ask(canned, monkeypatch, answer)
    assert "\n" not in str(caught.value)
    assert ("bucket_accounts" in str(caught.value)) == is_hinted


def test_an_unreachable_sts_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private network may reach S3 but not STS."""

    class Unreachable:
        def create_client(self, *_: object, **__: object) -> Any:
            raise ConnectTimeoutError(endpoint_url="https://sts.eu-west-1.amazonaws.com")

    with pytest.raises(CannotStart, match=r"ConnectTimeoutError.*bucket_accounts") as caught:
        ASK(Unreachable(), None, "eu-west-1")
    assert caught.value.exit_code == 3


def test_a_failing_sts_stops_every_request(
    monkeypatch: pytest.MonkeyPatch, store: S3Store, inspector: S3Inspector, wire: Wire
) -> None:
    """No request is sent without an owner, and the failure is not one group's."""

    def fail(*_: object) -> str:
        raise CannotStart("no STS")

    monkeypatch.setattr(owners, "ask_account", fail)
    for name in STORE_CALLS.keys() - {"list_buckets"}:
        with pytest.raises(CannotStart, match="no STS"):
            STORE_CALLS[name](store)
    for ask_ in INSPECTOR_CALLS.keys() - {"head_bucket"}:
        with pytest.raises(CannotStart, match="no STS"):
            INSPECTOR_CALLS[ask_](inspector)
    assert wire.sent == []


def call_command(canned: CannedS3, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    place = ["--region", "us-east-1", "--endpoint-url", str(canned.settings.endpoint_url)]
    return CliRunner().invoke(commands, [*words, *place])


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--other-buckets", "logs", "--date", "2026-01-01"],
        ["plan", "--other-buckets", "logs", "--date", "2026-01-01"],
        ["find", "--key", "k"],
        ["verify", "--date", "2026-01-01"],
        ["put-back", "--key", "k"],
    ],
    ids=lambda words: words[0],
)
def test_a_command_expects_the_owner_in_its_options(
    canned: CannedS3, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """It does so from the first request; a refusal reports the expected owner."""
    canned.answers = [Answer(403, b"<Error><Code>AccessDenied</Code><Message>m</Message></Error>")]
    accounts = ["--destination-account", FOREIGN, "--bucket-accounts", f"*={THIRD}"]
    result = call_command(canned, monkeypatch, *words, "--destination-bucket", "dest", *accounts)
    assert result.exit_code in (1, 3)
    assert re.search(
        rf"bucket dest: expected to be owned by account {FOREIGN}"
        rf"|bucket logs: expected to be owned by account {THIRD}",
        str(result.exception) + result.output,
    )
    assert canned.requests
    for request in canned.requests:
        bucket = request.path.split("?")[0].split("/")[1]
        assert request.headers.get(TARGET) == {"dest": FOREIGN}.get(bucket, THIRD)


def test_without_an_account_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """STS is asked before the first request to a bucket, and the exit code says that nothing was
    touched.
    """

    def fail(*_: object) -> str:
        raise CannotStart("no STS")

    monkeypatch.setattr(owners, "ask_account", fail)
    connection = wiring.Connection(None, "eu-west-1", None, "k", "s")
    with pytest.raises(CannotStart, match="no STS"):
        wiring.connect(connection)
    wiring.connect(connection, accounts=(("*", OWN),))  # where all are named it need not be asked
