"""Logs as in AWS's documentation, and the terms read from them."""

from __future__ import annotations

import json

import pytest

from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Field, Unsearched
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.core.terms.table import ROWS, has_terms

Found = dict[str, set[str]]


def read(log_type: str, text: str) -> tuple[Found, list[Unsearched], set[int | None]]:
    """(values by field, why the member is unsearched, times)."""
    collector = Collector(log_type)
    collector.add(0, text.encode())
    head, sightings = decode_terms(collector.finish("packs/a", int))
    found: Found = {}
    times: set[int | None] = set()
    for sighting in sightings:
        assert sighting.members == (0,)
        found.setdefault(sighting.term.field.value, set()).add(sighting.term.value)
        times |= {sighting.first, sighting.last}
    return found, list(head.unsearched), times


def records(*events: object) -> str:
    return json.dumps({"Records": events})


ASSUMED = "arn:aws:sts::111111111111:assumed-role/deploy/alice"
ROLE = "arn:aws:iam::111111111111:role/deploy"


def test_cloudtrail_is_read() -> None:
    event = {
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:alice",
            "arn": ASSUMED,
            "accountId": "111111111111",
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": ROLE, "userName": "deploy"}
            },
        },
        "eventTime": "2026-04-01T12:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "sourceIPAddress": "cloudformation.amazonaws.com",
        "userAgent": "never-this",
        "errorCode": "AccessDenied",
        "errorMessage": "never-this",
        "requestParameters": {
            "userName": "bob",
            "policyDocument": {"Statement": [{"roleArn": "never-this"}]},
            "instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]},
            "launchTemplate": {"launchTemplateId": "lt-1"},
            "securityGroupIds": ["sg-1", 7, "sg-2"],
            "documentName": "AWS-RunShellScript",
            "tagSet": [{"name": "never-this"}],
            "roleSessionName": "alice",
            "externalId": "never-this",
            "maxResults": 5,
        },
        "responseElements": {
            "accessKey": {"accessKeyId": "AKIAEXAMPLE", "status": "Active"},
            "publicIp": "198.51.100.7",
            "networkInterfaceId": "eni-1",
            "requestId": "never-this",
        },
        "resources": [{"ARN": ROLE, "type": "AWS::IAM::Role"}, {"ARNPrefix": "arn:aws:s3:::b/"}],
        "requestID": "never-this",
        "eventID": "never-this",
    }
    assert read("CloudTrail", records(event)) == (
        {
            "principal": {ASSUMED, ROLE, "deploy"},
            "session": {"alice"},
            "access-key": {"ASIAEXAMPLE", "AKIAEXAMPLE"},
            "address": {"198.51.100.7"},
            "host": {"cloudformation.amazonaws.com"},
            "event": {"iam:createaccesskey"},
            "error": {"accessdenied"},
            "interface": {"eni-1"},
            "resource": {ROLE, "i-1", "i-2", "lt-1", "sg-1", "sg-2"},
            "name": {"bob", "AWS-RunShellScript"},
        },
        [],
        {1_775_044_800},
    )


def test_a_caller_without_an_arn_gets_its_principal_id() -> None:
    """This applies to a caller of another account or a service."""
    other = {"type": "AWSAccount", "principalId": "AROAEXAMPLE:alice", "accountId": "2"}
    service = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    found, unsearched, _ = read(
        "CloudTrail", records({"userIdentity": other}, {"userIdentity": service})
    )
    assert found == {"principal": {"AROAEXAMPLE", "ec2.amazonaws.com"}, "session": {"alice"}}
    assert unsearched == []


def test_identities_behind_a_session_are_found() -> None:
    """An IAM Identity Center user has neither ARN nor principal id; chained roles keep the identity
    they began with.
    """
    center = {
        "type": "IdentityCenterUser",
        "onBehalfOf": {"userId": "94d00cd8", "identityStoreArn": "never-this"},
        "credentialId": "never-this",
    }
    chained = {"arn": ASSUMED, "sessionContext": {"sourceIdentity": "bob@example.com"}}
    found, unsearched, _ = read(
        "CloudTrail", records({"userIdentity": center}, {"userIdentity": chained})
    )
    assert found == {
        "principal": {"94d00cd8", ASSUMED, "bob@example.com"},
        "session": {"alice"},
    }
    assert unsearched == []


def test_web_identities_and_sign_ins_are_read() -> None:
    web = {
        "type": "WebIdentityUser",
        "principalId": "accounts.google.com:audience.apps:user-1",
        "userName": "user-1",
        "identityProvider": "accounts.google.com",
    }
    sign_in = {
        "userIdentity": {"type": "Root", "principalId": "1", "arn": "arn:aws:iam::1:root"},
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {
            "LoginTo": "never-this",
            "MFAIdentifier": "arn:aws:iam::1:mfa/root-account-mfa-device",
        },
    }
    found, unsearched, _ = read("CloudTrail", records({"userIdentity": web}, sign_in))
    assert found == {
        "principal": {"accounts.google.com", "user-1", "arn:aws:iam::1:root"},
        "session": {"audience.apps:user-1"},
        "event": {"signin:consolelogin"},
        "resource": {"arn:aws:iam::1:mfa/root-account-mfa-device"},
    }
    assert unsearched == []


def test_events_of_services_are_read() -> None:
    """They have no caller, and their source is AWS itself."""
    event = {
        "userIdentity": {"accountId": "1", "invokedBy": "AWS Internal"},
        "eventSource": "kms.amazonaws.com",
        "eventName": "RotateKey",
        "sourceIPAddress": "AWS Internal",
        "requestParameters": None,
        "eventType": "AwsServiceEvent",
        "serviceEventDetails": {"keyId": "key-1", "rotationType": "never-this"},
    }
    without = {"eventName": "a", "eventSource": "b", "userIdentity": None}
    found, unsearched, _ = read("CloudTrail", records(event, without))
    assert found == {
        "principal": {"AWS Internal"},
        "host": {"aws internal"},
        "event": {"kms:rotatekey", "b:a"},
        "resource": {"key-1"},
    }
    assert unsearched == []


def test_events_without_a_time_are_found() -> None:
    _, unsearched, times = read("CloudTrail", records({"sourceIPAddress": "192.0.2.1"}))
    assert unsearched == []
    assert times == {None}


def test_insights_are_read() -> None:
    details = {
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "errorCode": "Client.InsufficientInstanceCapacity",
        "insightContext": {
            "attributions": [
                {
                    "attribute": "userIdentityArn",
                    "insight": [{"value": ASSUMED, "average": 1.5}],
                    "baseline": [{"value": ROLE, "average": 0.1}],
                },
                {"attribute": "userAgent", "insight": [{"value": "never-this"}]},
            ]
        },
    }
    text = records({"eventTime": "2026-04-01T12:00:00Z", "insightDetails": details})
    assert read("CloudTrail-Insight", text)[0] == {
        "principal": {ASSUMED, ROLE},
        "event": {"ec2:runinstances"},
        "error": {"client.insufficientinstancecapacity"},
    }


ITEM = {
    "configurationItemCaptureTime": "2026-04-01T12:00:00.123Z",
    "resourceId": "vpc-1",
    "resourceName": "main",
    "ARN": "arn:aws:ec2:eu-west-1:111111111111:vpc/vpc-1",
    "relationships": [{"resourceId": "i-1", "resourceName": "web", "name": "Contains Instance"}],
    "configuration": {"instanceId": "never-this"},
    "tags": {"Name": "never-this"},
}


@pytest.mark.parametrize(
    "document",
    [
        {"fileVersion": "1.0", "configurationItems": [ITEM]},
        {"configurationItemDiff": {}, "configurationItem": ITEM},
    ],
)
def test_config_is_read(document: object) -> None:
    """History, snapshots, and a notification too large for SNS are read."""
    arn = "arn:aws:ec2:eu-west-1:111111111111:vpc/vpc-1"
    assert read("Config", json.dumps(document)) == (
        {"resource": {"vpc-1", arn, "i-1"}, "name": {"main", "web"}},
        [],
        {1_775_044_800},
    )


def test_flow_logs_of_any_format_are_read() -> None:
    text = (
        "instance-id pkt-dstaddr srcaddr dstaddr interface-id end\n"
        "i-1 10.0.0.3 10.0.0.1 10.0.0.2 eni-1 1775044800\n"
        "- - 2001:DB8::1 10.0.0.1 eni-2 1775044860\n"
    )
    assert read("vpcflowlogs", text) == (
        {
            "address": {"10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1"},
            "interface": {"eni-1", "eni-2"},
            "resource": {"i-1"},
        },
        [],
        {1_775_044_800, 1_775_044_860},
    )


ALB = (
    "h2 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 10.0.1.252:48160 "
    '10.0.0.66:9000 0.000 0.002 0.000 200 200 5 257 "GET https://10.0.2.105:773/ HTTP/2.0" '
    '"curl/7.46.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
    "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "
    '"Root=1-58337327-72bd00b0343d75b906739c42" "api.example.com" '
    '"arn:aws:acm:us-east-2:123456789012:certificate/12345678-1234-1234-1234-123456789012" '
    '1 2018-07-02T22:22:48.364000Z "redirect" "https://example.com:80/" "-" "10.0.0.66:9000" '
    '"200" "-" "-" TID_123456\n'
)
ALB_HOSTS = {"10.0.2.105", "api.example.com"}
NLB = (
    "tls 2.0 2018-12-20T02:59:40 net/my-network-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd "
    "72.21.218.154:51341 172.100.100.185:443 5 2 98 246 - "
    "arn:aws:acm:us-east-2:671290407336:certificate/2a108f19-aded-46b0-8493-c63eb1ef4a99 - "
    "ECDHE-RSA-AES128-SHA tlsv12 - "
    "my-network-loadbalancer-c6e77e28c25b2234.elb.us-east-2.amazonaws.com h2 h2 - -\n"
)
CLB = (
    "2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000086 "
    '0.001048 0.001337 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.38.0" '
    "DHE-RSA-AES128-SHA TLSv1.2\n"
)
CLB_TCP = (
    "2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.40:2817 10.0.0.1:80 0.001069 "
    '0.000028 0.000041 - - 82 305 "- - - " "-" - -\n'
)
CONNECTION = (
    "2023-10-04T17:05:15.514108Z 203.0.113.1 36280 443 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 4.036 "
    '"CN=amazondomains.com,O=endEntity" NotBefore=2023-09-21T22:43:21Z 2A5B 0a\n'
)


@pytest.mark.parametrize(
    ("line", "address", "hosts"),
    [
        (ALB, "10.0.1.252", ALB_HOSTS),
        (ALB.replace("10.0.1.252:48160", "[2001:db8::1]:48160"), "2001:db8::1", ALB_HOSTS),
        (ALB.replace("curl/7.46.0", r"a \"quoted\" agent"), "10.0.1.252", ALB_HOSTS),
        (
            NLB,
            "72.21.218.154",
            {"my-network-loadbalancer-c6e77e28c25b2234.elb.us-east-2.amazonaws.com"},
        ),
        (CLB, "192.168.131.39", {"www.example.com"}),
        (CLB_TCP, "192.168.131.40", set()),
        (CONNECTION, "203.0.113.1", set()),
    ],
)
def test_load_balancer_logs_are_read(line: str, address: str, hosts: set[str]) -> None:
    found, unsearched, _ = read("elasticloadbalancing", line)
    assert unsearched == []
    assert found["address"] == {address}
    assert found.get("host", set()) == (
        {"10.0.2.105", "api.example.com"} if hosts is None else hosts
    )


def test_misleading_quotation_marks_make_a_line_unsearched() -> None:
    """Otherwise a wrong word would be taken for a host."""
    found, unsearched, _ = read("elasticloadbalancing", ALB.replace("curl/7.46.0", 'a" b"c'))
    assert unsearched == [Unsearched.UNPARSABLE]
    assert found == {}


def test_cloudfront_is_read_by_its_header() -> None:
    text = (
        "#Version: 1.0\n#Fields: date time c-ip cs(Host) x-host-header\n"
        "2019-12-04\t21:02:31\t192.0.2.100\td111111abcdef8.cloudfront.net\twww.example.com\n"
        "#Fields: x-host-header date time c-ip\n"
        "-\t2019-12-04\t21:02:31\t2001:DB8::2\n"
    )
    hosts = {"d111111abcdef8.cloudfront.net", "www.example.com"}
    assert read("CloudFront", text)[:2] == (
        {"address": {"192.0.2.100", "2001:db8::2"}, "host": hosts},
        [],
    )


@pytest.mark.parametrize(
    "moment", [{"date": "2024-11-14", "time": "22:06:20"}, {"timestamp": "1731621980"}]
)
def test_cloudfront_json_is_read(moment: dict[str, str]) -> None:
    line = {
        **moment,
        "c-ip": "192.0.2.100",
        "cs(Host)": "d111111abcdef8.cloudfront.net",
        "x-host-header": "-",
    }
    found, unsearched, times = read("CloudFront", json.dumps(line) + "\n")
    assert found == {"address": {"192.0.2.100"}, "host": {"d111111abcdef8.cloudfront.net"}}
    assert (unsearched, times) == ([], {1_731_621_980})


OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
S3_LINE = (
    f"{OWNER} amzn-s3-demo-bucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {OWNER} "
    '3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 403 '
    'AccessDenied 113 - 7 - "-" "S3Console/0.4" - s9lzHYrFp76ZVxRcpX9= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com "
    "TLSV1.2 arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes us-east-1\n"
)


@pytest.mark.parametrize(
    "line",
    [
        S3_LINE,
        S3_LINE.replace("S3Console/0.4", 'an "odd" agent'),
        S3_LINE.replace('"-" "S3Console/0.4"', '"-" -'),
        S3_LINE.replace('"GET /amzn-s3-demo-bucket1?versioning HTTP/1.1"', "-"),
    ],
)
def test_s3_access_logs_are_read(line: str) -> None:
    assert read("S3AccessLogs", line) == (
        {
            "principal": {OWNER},
            "address": {"192.0.2.3"},
            "name": {"amzn-s3-demo-bucket1"},
            "error": {"accessdenied"},
            "host": {"amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com"},
        },
        [],
        {1_549_411_238},
    )


def test_older_s3_access_logs_have_no_host() -> None:
    found, unsearched, _ = read("S3AccessLogs", S3_LINE.partition(" s9lz")[0] + "\n")
    assert unsearched == []
    assert "host" not in found


def test_waf_logs_are_read() -> None:
    """Matching rules are found, also within rule groups; rules that did not match are not."""
    group = {
        "ruleGroupId": "AWS#AWSManagedRulesCommonRuleSet",
        "terminatingRule": {"ruleId": "SizeRestrictions_BODY", "action": "BLOCK"},
        "nonTerminatingMatchingRules": [{"ruleId": "NoUserAgent_HEADER", "action": "COUNT"}],
        "excludedRules": [{"exclusionType": "EXCLUDED_AS_COUNT", "ruleId": "GenericRFI_BODY"}],
    }
    line = {
        "timestamp": 1_683_355_579_981,
        "webaclId": "arn:aws:wafv2:eu-west-1:111111111111:regional/webacl/a/b",
        "terminatingRuleId": "CommonRules",
        "nonTerminatingMatchingRules": [{"ruleId": "CountAll", "action": "COUNT"}],
        "ruleGroupList": [group, {"ruleGroupId": "other", "terminatingRule": None}],
        "httpRequest": {
            "clientIp": "52.46.82.45",
            "headers": [{"name": "host", "value": "A.example"}, {"name": "Cookie", "value": "no"}],
            "uri": "/never-this",
        },
    }
    rules = {"CommonRules", "CountAll", "SizeRestrictions_BODY", "NoUserAgent_HEADER"}
    assert read("WAFLogs", json.dumps(line)) == (
        {
            "address": {"52.46.82.45"},
            "host": {"a.example"},
            "rule": rules | {"GenericRFI_BODY"},
        },
        [],
        {1_683_355_579},
    )


def test_resolver_queries_are_read() -> None:
    line = {
        "query_timestamp": "2020-02-20T19:00:00Z",
        "query_name": "Evil.example.com.",
        "answers": [{"Rdata": "198.51.100.9"}],
        "srcaddr": "4.5.64.102",
        "srcids": {"instance": "i-0d15cd0d3adb2c2b6"},
    }
    assert read("vpcdnsquerylogs", json.dumps(line))[0] == {
        "host": {"evil.example.com"},
        "address": {"4.5.64.102"},
        "resource": {"i-0d15cd0d3adb2c2b6"},
    }


def test_findings_are_read() -> None:
    bucket = {
        "arn": "arn:aws:s3:::b",
        "name": "b",
        "tags": [{"key": "never", "name": "never-this"}],
    }
    line = {
        "id": "never-this",
        "arn": "never-this",
        "type": "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS",
        "resource": {
            "accessKeyDetails": {"accessKeyId": "ASIAEXAMPLE", "userName": "deploy"},
            "s3BucketDetails": [bucket],
            "instanceDetails": {
                "instanceId": "i-1",
                "networkInterfaces": [
                    {
                        "networkInterfaceId": "eni-1",
                        "privateIpAddress": "10.0.0.1",
                        "ipv6Addresses": ["2001:DB8::1"],
                    }
                ],
            },
        },
        "service": {
            "eventLastSeen": "2026-04-01T12:00:00Z",
            "action": {
                "dnsRequestAction": {"domain": "evil.example"},
                "awsApiCallAction": {"remoteIpDetails": {"ipAddressV4": "198.51.100.1"}},
            },
        },
        "createdAt": "2020-01-01T00:00:00Z",
    }
    assert read("GuardDuty", json.dumps(line)) == (
        {
            "finding": {"unauthorizedaccess:iamuser/instancecredentialexfiltration.outsideaws"},
            "access-key": {"ASIAEXAMPLE"},
            "principal": {"deploy"},
            "resource": {"arn:aws:s3:::b", "i-1"},
            "name": {"b"},
            "interface": {"eni-1"},
            "address": {"10.0.0.1", "2001:db8::1", "198.51.100.1"},
            "host": {"evil.example"},
        },
        [],
        {1_775_044_800},
    )


PARTLY = {
    "CloudTrail": records({"errorCode": "a"}, {"errorCode": 5}),
    "CloudTrail-Insight": records(
        {"insightDetails": {"errorCode": "a"}}, {"insightDetails": {"errorCode": 5}}
    ),
    "Config": json.dumps({"configurationItems": [{"resourceId": "a"}, {"resourceId": 5}]}),
    "vpcflowlogs": "interface-id start\neni-1 5\neni-2\n",
    "elasticloadbalancing": f"{CLB}nonsense\n",
    "CloudFront": "#Fields: c-ip date\n192.0.2.1\t2026-04-01\n192.0.2.2\n",
    "S3AccessLogs": f"{S3_LINE}nonsense\n",
    "WAFLogs": '{"terminatingRuleId":"a"}\n{"terminatingRuleId":5}\n',
    "vpcdnsquerylogs": '{"query_name":"a"}\n{"query_name":\n',
    "GuardDuty": '{"type":"a"}\n[]\n',
}
JSON_LINES = {"WAFLogs", "vpcdnsquerylogs", "GuardDuty"}
"""In which `{"a":1}` is an event that holds nothing of what is looked for."""
NONSENSE = ("nonsense", "\0\0", '{"a":1}', "[" * 100_000, '"' * 99)


@pytest.mark.parametrize("log_type", ROWS)
def test_a_damaged_log_is_partly_read_and_unsearched(log_type: str) -> None:
    text = PARTLY.get(log_type, PARTLY["CloudTrail"])
    found, unsearched, _ = read(log_type, text)
    assert unsearched == [Unsearched.UNPARSABLE]
    assert found


@pytest.mark.parametrize("log_type", sorted(set(ROWS) - JSON_LINES))
def test_other_contents_are_unsearched(log_type: str) -> None:
    for text in NONSENSE:
        if log_type == "CloudFront" and text.startswith("{"):
            continue  # its JSON may have any selection of fields
        assert read(log_type, text)[:2] == ({}, [Unsearched.UNPARSABLE])


def test_which_log_types_have_terms() -> None:
    assert has_terms("CloudTrail")
    assert not has_terms("CloudTrail-Digest")
    assert {field for row in ROWS.values() for field in row.places} == set(Field)
