"""The inspector reads AWS's answers as documented, and sends no request that changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import boto3
import pytest
from tests.unit.adapters.conftest import Answer, CannedS3

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.inspection import (
    INVENTORY_PAGES_MAX,
    S3Inspector,
    kind_of,
    parse_decision,
    parse_lifecycle_rule,
    to_method,
)
from log_aggregator.errors import AccessDenied, NoSuchBucket, NotFound, StoreError
from log_aggregator.ports.account import (
    BucketVersioning,
    Decision,
    InventoryConfiguration,
    LambdaConcurrency,
    LifecycleRule,
    ObjectLock,
    Transition,
)

XML = "http://s3.amazonaws.com/doc/2006-03-01/"


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[CannedS3, S3Inspector]]:
    """Shared, because making seven clients takes time."""
    server = CannedS3()
    try:
        yield server, S3Inspector.connect(server.settings)
    finally:
        server.stop()


@pytest.fixture
def canned(shared: tuple[CannedS3, S3Inspector]) -> CannedS3:
    shared[0].requests.clear()
    return shared[0]


@pytest.fixture
def inspector(shared: tuple[CannedS3, S3Inspector]) -> S3Inspector:
    return shared[1]


SERVICES = ("s3", "sts", "iam", "kms", "lambda", "cloudtrail", "config", "organizations")


def s3_error(code: str, status: int) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())


@pytest.mark.parametrize(
    ("service", "method"),
    [("s3", "put_object"), ("s3", "delete_bucket"), ("kms", "decrypt"), ("iam", "create_role")],
)
def test_changes_are_refused_before_they_are_sent(
    canned: CannedS3, inspector: S3Inspector, service: str, method: str
) -> None:
    """The inspector's clients cannot be made to change anything: no request is sent."""
    requests: dict[str, dict[str, object]] = {
        "put_object": {"Bucket": "b", "Key": "k"},
        "delete_bucket": {"Bucket": "b"},
        "decrypt": {"CiphertextBlob": b"x"},
        "create_role": {"RoleName": "r", "AssumeRolePolicyDocument": "{}"},
    }
    with pytest.raises(ValueError, match="only reads"):
        getattr(inspector._client_of(service), method)(**requests[method])
    assert canned.requests == []


def test_lambda_quotas_are_read(canned: CannedS3, inspector: S3Inspector) -> None:
    """It has the total, and what no function has reserved."""
    limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 7}
    canned.answers = [Answer(body=json.dumps({"AccountLimit": limit}).encode())]
    assert inspector.get_lambda_concurrency() == LambdaConcurrency(10, 7)
    canned.answers = [Answer(body=b"{}")]
    with pytest.raises(StoreError):
        inspector.get_lambda_concurrency()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        (
            {
                "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
                "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8",
            },
            "http://127.0.0.1:8",
        ),
        ({}, "https://sts.eu-west-1.amazonaws.com"),
    ],
)
def test_other_servers_credentials_are_never_sent_to_aws(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    """Where S3 is elsewhere, so is every other service unless configured; with AWS's S3, all are
    AWS.
    """
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    inspector = S3Inspector.connect(
        ClientSettings(region="eu-west-1", access_key="k", secret_key="s")
    )
    assert inspector._client_of("sts").meta.endpoint_url == expected
    elsewhere = {
        name for name in SERVICES if "amazonaws" in inspector._client_of(name).meta.endpoint_url
    }
    assert elsewhere == (set() if environment else set(SERVICES))


def test_mfa_delete_is_read(canned: CannedS3, inspector: S3Inspector) -> None:
    """No emulator has MFA delete."""
    told = "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
    canned.answers = [
        Answer(
            body=f'<VersioningConfiguration xmlns="{XML}">{text}</VersioningConfiguration>'.encode()
        )
        for text in (told, "")
    ]
    assert inspector.get_bucket_versioning("b") == BucketVersioning("Enabled", has_mfa_delete=True)
    assert inspector.get_bucket_versioning("b") == BucketVersioning()


def test_years_of_retention_become_days(canned: CannedS3, inspector: S3Inspector) -> None:
    """A default retention is in days or in years."""
    body = (
        "<ObjectLockConfiguration "
        f'xmlns="{XML}"><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>'
        "<Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule></ObjectLockConfiguration>"
    )
    canned.answers = [Answer(body=body.encode())]
    assert inspector.get_object_lock_configuration("b") == ObjectLock(True, "COMPLIANCE", 730)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        ("get_bucket_ownership_controls", "OwnershipControlsNotFoundError"),
    ],
)
def test_a_missing_configuration_is_an_answer(
    canned: CannedS3, inspector: S3Inspector, method: str, code: str
) -> None:
    """S3's 404 for a missing configuration is not a failure. Another 404 and a 403 are."""
    canned.answers = [s3_error(code, 404)]
    getattr(inspector, method)("b")
    canned.answers = [s3_error("NoSuchBucket", 404)]
    with pytest.raises(NoSuchBucket):
        getattr(inspector, method)("b")
    canned.answers = [s3_error("AccessDenied", 403)]
    with pytest.raises(AccessDenied):
        getattr(inspector, method)("b")


def test_head_returns_the_region(canned: CannedS3, inspector: S3Inspector) -> None:
    """The Region is in a header; a 403 and a 404 to HEAD have no body with more."""
    canned.answers = [Answer(headers={"x-amz-bucket-region": "eu-west-1"})]
    assert inspector.head_bucket("b") == "eu-west-1"
    canned.answers = [Answer(404)]
    with pytest.raises(NoSuchBucket):
        inspector.head_bucket("b")
    canned.answers = [Answer(403)]
    with pytest.raises(AccessDenied):
        inspector.head_bucket("b", owner="111122223333")
    assert canned.requests[-1].headers["x-amz-expected-bucket-owner"] == "111122223333"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(405),
        Answer(501),
        Answer(500, b"<html>oops"),
        Answer(200, b""),
        Answer(200, b"<a/>"),
        Answer(404),
        Answer(200, b"{}"),
    ],
)
def test_a_server_without_the_service_causes_no_crash(
    canned: CannedS3, inspector: S3Inspector, answer: Answer
) -> None:
    """Whatever a server other than AWS answers becomes our error, and not one about a missing
    permission or thing.
    """
    canned.answers = [answer]
    asked = (
        inspector.get_caller_identity,
        inspector.describe_organization,
        lambda: inspector.get_role("r"),
        lambda: inspector.describe_key("k"),
        inspector.get_lambda_concurrency,
        lambda: inspector.simulate_principal_policy(
            "arn:aws:iam::111122223333:role/r", ["s3:GetObject"], "*", {}
        ),
    )
    for ask in asked:
        with pytest.raises(StoreError) as caught:
            ask()
        assert type(caught.value) is StoreError


def test_a_simulation_reads_all_pages(canned: CannedS3, inspector: S3Inspector) -> None:
    """Every action has its decision in the requested order over all pages; an unanswered action is
    not allowed.
    """

    def page(action: str, more: str) -> Answer:
        return Answer(
            body=(
                "<R><SimulatePrincipalPolicyResult><EvaluationResults><member>"
                f"<EvalActionName>{action}</EvalActionName><EvalDecision>allowed</EvalDecision></member></EvaluationResults>{more}"
                "</SimulatePrincipalPolicyResult></R>"
            ).encode()
        )

    canned.answers = [
        page("b:B", "<IsTruncated>true</IsTruncated><Marker>m</Marker>"),
        page("a:A", "<IsTruncated>false</IsTruncated>"),
    ]
    found = inspector.simulate_principal_policy(
        "arn:aws:iam::111122223333:role/r",
        ["a:A", "b:B", "c:C"],
        "arn:x",
        {"aws:SecureTransport": "true"},
    )
    assert found == [
        Decision("a:A", "allowed"),
        Decision("b:B", "allowed"),
        Decision("c:C", "implicitDeny"),
    ]
    assert b"Marker=m" in canned.requests[1].body
    assert b"ContextKeyName=aws%3ASecureTransport" in canned.requests[0].body
    assert b"ContextKeyType=boolean" in canned.requests[0].body


def test_decisions_of_a_simulation_are_read() -> None:
    """An action denied for one resource is denied; the organisation's part and missing condition
    keys are reported.
    """
    result = {
        "EvalActionName": "s3:GetObject",
        "EvalDecision": "allowed",
        "OrganizationsDecisionDetail": {"AllowedByOrganizations": False},
        "MissingContextValues": ["b"],
        "ResourceSpecificResults": [
            {"EvalResourceDecision": "explicitDeny", "MissingContextValues": ["a"]}
        ],
    }
    assert parse_decision(result) == Decision("s3:GetObject", "explicitDeny", True, ("a", "b"))


def test_lifecycle_rules_of_every_shape() -> None:
    """A prefix may be in three places; tags, dates and noncurrent versions are distinguished."""
    day = datetime(2030, 1, 1, tzinfo=UTC)
    assert parse_lifecycle_rule(
        {"ID": "a", "Prefix": "p/", "Expiration": {"Days": 3}}
    ) == LifecycleRule("a", "p/", expiration_days=3)
    assert parse_lifecycle_rule(
        {"Filter": {"Prefix": "p/"}, "Expiration": {"Date": day}}
    ) == LifecycleRule("", "p/", expiration_date=date(2030, 1, 1))
    both = {"And": {"Prefix": "p/", "Tags": [{"Key": "k", "Value": "v"}]}}
    assert parse_lifecycle_rule({"Filter": both}) == LifecycleRule("", "p/", has_tags=True)
    assert parse_lifecycle_rule({"Filter": {"Tag": {"Key": "k", "Value": "v"}}}).has_tags
    transitions = {
        "Transitions": [
            {"Days": 90, "StorageClass": "DEEP_ARCHIVE"},
            {"Date": day, "StorageClass": "GLACIER"},
        ],
        "NoncurrentVersionTransitions": [{"NoncurrentDays": 5, "StorageClass": "GLACIER"}],
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
    }
    found = parse_lifecycle_rule(transitions)
    assert found.transitions == (
        Transition("DEEP_ARCHIVE", 90),
        Transition("GLACIER"),
        Transition("GLACIER", 5, is_noncurrent=True),
    )
    assert found.abort_days == 7
    assert not found.expires


def test_disabled_rules_are_left_out(canned: CannedS3, inspector: S3Inspector) -> None:
    """A disabled rule does nothing."""
    body = (
        "<LifecycleConfiguration><Rule><ID>on</ID><Status>Enabled</Status><Filter/></Rule>"
        "<Rule><ID>off</ID><Status>Disabled</Status><Filter/></Rule></LifecycleConfiguration>"
    )
    canned.answers = [Answer(body=body.encode())]
    assert [rule.id for rule in inspector.get_bucket_lifecycle_configuration("b")] == ["on"]


def inventories(*rows: tuple[str, str, bool], token: str = "") -> Answer:
    """A page of (name, ARN of the destination, whether it is enabled)."""
    listed = "".join(
        f"<InventoryConfiguration><Id>{name}</Id><IsEnabled>{str(is_on).lower()}</IsEnabled>"
        f"<Destination><S3BucketDestination><Bucket>{arn}</Bucket><Format>CSV</Format>"
        "<Prefix>daily</Prefix></S3BucketDestination></Destination></InventoryConfiguration>"
        for name, arn, is_on in rows
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = (
        f'<ListInventoryConfigurationsResult xmlns="{XML}">{listed}'
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
        "</ListInventoryConfigurationsResult>"
    )
    return Answer(body=body.encode())


def test_inventories_and_their_destinations_are_read(
    canned: CannedS3, inspector: S3Inspector
) -> None:
    """All pages are read; a destination is an ARN in any partition; disabled inventories write
    nothing.
    """
    canned.answers = [
        inventories(("a", "arn:aws:s3:::one", True), ("off", "arn:aws:s3:::x", False), token="t 1"),
        inventories(("b", "arn:aws-us-gov:s3:::two", True)),
    ]
    assert inspector.list_bucket_inventory_configurations("b") == [
        InventoryConfiguration("a", "one", "daily"),
        InventoryConfiguration("b", "two", "daily"),
    ]
    first, second = (request.path for request in canned.requests)
    assert "inventory" in first
    assert "t%201" in second or "t+1" in second
    canned.answers = [inventories()]
    assert inspector.list_bucket_inventory_configurations("b") == []


def test_endless_pages_are_an_error(canned: CannedS3, inspector: S3Inspector) -> None:
    """A server that always claims more is asked a limited number of times."""
    page = inventories(("a", "arn:aws:s3:::one", True), token="again")
    canned.answers = [page]
    found = inspector.list_bucket_inventory_configurations("b")
    assert len(found) == len(canned.requests) == INVENTORY_PAGES_MAX


@pytest.mark.parametrize(
    ("operation", "code", "status", "kind"),
    [
        ("DescribeTrails", "AccessDeniedException", 400, AccessDenied),
        ("GetBucketEncryption", "AccessDenied", 403, AccessDenied),
        ("GetRole", "SomethingForbidden", 403, AccessDenied),
        ("GetRole", "NoSuchEntity", 404, NotFound),
        ("DescribeKey", "NotFoundException", 400, NotFound),
        ("HeadBucket", "404", 404, NoSuchBucket),
        ("DescribeKey", "404", 404, StoreError),
        ("DescribeTrails", "UnknownOperationException", 404, StoreError),
    ],
)
def test_error_codes_of_all_services_are_understood(
    operation: str, code: str, status: int, kind: type[StoreError]
) -> None:
    """Each service has its own code for a refusal and for a missing thing."""
    assert kind_of(operation, code, status) is kind


def test_config_and_trails_are_read(canned: CannedS3, inspector: S3Inspector) -> None:
    """Trails of the organisation are requested too; fields they omit are None."""
    trails = {
        "trailList": [
            {"Name": "t", "S3BucketName": "b", "IsOrganizationTrail": True, "KmsKeyId": "k"},
            {"Name": "u"},
        ]
    }
    canned.answers = [Answer(body=json.dumps(trails).encode())]
    found = inspector.describe_trails()
    assert [(trail.bucket, trail.is_organization, trail.kms_key_id) for trail in found] == [
        ("b", True, "k"),
        ("", False, None),
    ]
    assert json.loads(canned.requests[-1].body) == {"includeShadowTrails": True}


def test_methods_have_boto3s_names(inspector: S3Inspector) -> None:
    """Operations become methods as boto3 spells them."""
    assert to_method("GetBucketLifecycleConfiguration") == "get_bucket_lifecycle_configuration"
    assert all(
        hasattr(boto3.client("s3", region_name="us-east-1"), to_method(name))
        for name in ("HeadBucket", "GetPublicAccessBlock")
    )
