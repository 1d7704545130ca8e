"""Templates of CloudTrail records: a dozen API calls, made by three identities in every account.

The fields and their order are those of
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import NamedTuple


@lru_cache(maxsize=512)
def record_templates(account: str, region: str) -> tuple[str, ...]:
    """One template for each event and identity. Its `%s` are session, time, parameter, request id,
    event id, endpoint.
    """
    random = Random(f"templates/{account}/{region}")
    return tuple(
        _template(account, region, identity, event, random)
        for identity in _identities(account)
        for event in _EVENTS
    )


class _Event(NamedTuple):
    """One API call. In the parameters `%s` stands for 17 hex digits, `@account` and `@region` for
    where it happened.
    """

    service: str
    name: str
    read_only: bool
    agent: str
    parameters: str
    response: str = "null"


_EVENTS = (
    _Event(
        "ec2",
        "DescribeInstances",
        True,
        "aws-sdk-go-v2/1.32.6 os/linux",
        '{"instancesSet":{"items":[{"instanceId":"i-%s"}]}}',
    ),
    _Event(
        "ec2",
        "DescribeVolumes",
        True,
        "Boto3/1.35.90 lang/python#3.13.1",
        '{"maxResults":500,"volumeSet":{},"nextToken":"%s"}',
    ),
    _Event(
        "sts",
        "AssumeRole",
        True,
        "autoscaling.amazonaws.com",
        '{"roleArn":"arn:aws:iam::@account:role/service/deploy-%s","roleSessionName":"session","durationSeconds":3600}',
        '{"credentials":{"accessKeyId":"ASIAEXAMPLEEXAMPLE00","expiration":"Mar 14, 2026, '
        '11:59:59 PM"}}',
    ),
    _Event("sts", "GetCallerIdentity", True, "aws-cli/2.22.12 md/prompt#off", '{"note":"%s"}'),
    _Event(
        "s3",
        "GetBucketAcl",
        True,
        "[S3Console/0.4]",
        '{"bucketName":"data-%s","Host":"s3.@region.amazonaws.com","acl":""}',
    ),
    _Event(
        "s3",
        "PutBucketTagging",
        False,
        "APN/1.0 HashiCorp/1.0 Terraform/1.9.8",
        '{"bucketName":"data-%s","tagging":"","Tagging":{"TagSet":{"Tag":{"Key":"team","Value":"platform"}}}}',
    ),
    _Event(
        "kms",
        "Decrypt",
        True,
        "secretsmanager.amazonaws.com",
        '{"encryptionContext":{"SecretARN":"arn:aws:secretsmanager:@region:@account:secret:database-%s"},'
        '"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}',
    ),
    _Event(
        "kms",
        "GenerateDataKey",
        True,
        "s3.amazonaws.com",
        '{"keySpec":"AES_256","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::application-data-%s"}}',
    ),
    _Event(
        "logs",
        "CreateLogStream",
        False,
        "awslambda-worker/1.0",
        '{"logGroupName":"/aws/lambda/orders","logStreamName":"2026/03/14/[$LATEST]%s"}',
    ),
    _Event(
        "ssm",
        "UpdateInstanceInformation",
        False,
        "aws-sdk-go/1.55.5 amazon-ssm-agent/3.3.1345.0",
        '{"instanceId":"i-%s","agentVersion":"3.3.1345.0","platformType":"Linux"}',
    ),
    _Event(
        "lambda",
        "UpdateFunctionCode20150331v2",
        False,
        "cloudformation.amazonaws.com",
        '{"functionName":"orders-%s","publish":true,"dryRun":false}',
        '{"runtime":"python3.13","handler":"orders.handler","memorySize":512,"state":"Active"}',
    ),
    _Event(
        "iam",
        "CreateAccessKey",
        False,
        "console.amazonaws.com",
        '{"userName":"deployer-%s"}',
        '{"accessKey":{"status":"Active","userName":"deployer"}}',
    ),
)
_IDENTITIES = (
    ("OrganizationAccountAccessRole", "alex"),
    ("AWSControlTowerExecution", "baseline"),
    ("application", "i-0f00d00d"),
)


def _template(account: str, region: str, identity: str, event: _Event, random: Random) -> str:
    address = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    parameters = event.parameters.replace("@account", account).replace("@region", region)
    host = f"{event.service}.{region}.amazonaws.com"
    return (
        f'{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"%sZ","eventSource":"{event.service}.amazonaws.com",'
        f'"eventName":"{event.name}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{event.agent}",'
        f'"requestParameters":{parameters},"responseElements":{event.response},"requestID":"%s","eventID":"%s",'
        f'"readOnly":{json.dumps(event.read_only)},"eventType":"AwsApiCall","managementEvent":true,"vpcEndpointId":"vpce-%s",'
        f'"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3",'
        f'"cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{host}"}}}}'
    )


def _identities(account: str) -> Iterator[str]:
    for number, (role, session) in enumerate(_IDENTITIES):
        principal = f"AROAEXAMPLE000000000{number}"
        yield (
            f'{{"type":"AssumedRole","principalId":"{principal}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{session}",'
            f'"accountId":"{account}","accessKeyId":"ASIAEXAMPL%s","sessionContext":{{"sessionIssuer":{{"type":"Role",'
            f'"principalId":"{principal}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},'
            f'"attributes":{{"creationDate":"2026-03-14T00:00:00Z","mfaAuthenticated":"false"}}}}}}'
        )
