"""The lines of the auxiliary logs: one function for each source, which makes one line (without its
newline) for a moment in time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random

FLOW_HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes "
    "start end action log-status"
)
CLOUDFRONT_HEADER = (
    "#Version: 1.0\n"
    "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem "
    "sc-status cs(Referer) cs(User-Agent) cs-uri-query "
    "cs(Cookie) x-edge-result-type x-edge-request-id"
)
_FLOW_COLUMNS = ("account_id", "interface_id", "srcaddr", "dstaddr", "action", "log_status")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when a line, or a whole log, comes from."""

    account: str
    region: str
    when: datetime


def flow_line(origin: Origin, random: Random) -> str:
    start = int(origin.when.timestamp())
    action = "REJECT" if random.random() < 0.2 else "ACCEPT"
    ports = f"{random.randrange(1024, 65536)} {random.choice((22, 53, 80, 443, 5432))}"
    addresses = f"eni-{random.getrandbits(68):017x} {_address(random)} {_address(random)}"
    volume = f"{random.randrange(1, 200)} {random.randrange(40, 200_000)}"
    return f"2 {origin.account} {addresses} {ports} 6 {volume} {start} {start + 60} {action} OK"


def alb_line(origin: Origin, random: Random) -> str:
    moment = f"{origin.when:%Y-%m-%dT%H:%M:%S}"
    head = (
        f"https {moment}.{random.randrange(10**6):06}Z app/web/50dc6c495c0c9188 "
        f"{_address(random)}:{random.randrange(1024, 65536)}"
    )
    times = f"0.{random.randrange(1000):03} 0.{random.randrange(1000):03} 0.000"
    volume = f"{random.randrange(40, 900)} {random.randrange(100, 90_000)}"
    target = (
        f"arn:aws:elasticloadbalancing:{origin.region}:{origin.account}:targetgroup/web/"
        f"{random.getrandbits(64):016x}"
    )
    trace = f"Root=1-{random.getrandbits(32):08x}-{random.getrandbits(96):024x}"
    return (
        f'{head} 10.0.1.7:8080 {times} 200 200 {volume} "GET '
        f'https://www.example.com:443/item/{random.randrange(10**6)} HTTP/2.0" '
        f'"Mozilla/5.0 (X11; Linux x86_64)" TLS_AES_128_GCM_SHA256 TLSv1.3 {target} '
        f'"{trace}" "www.example.com" "session-reused" 0 '
        f'{moment}.000000Z "forward" "-" "-" "10.0.1.7:8080" "200" "-" "-" '
        f"TID_{random.getrandbits(96):024x}"
    )


def clb_line(origin: Origin, random: Random) -> str:
    times = (
        f"0.{random.randrange(10**6):06} 0.{random.randrange(10**6):06} 0.000037 200 200 0 "
        f"{random.randrange(20_000)}"
    )
    client = f"{_address(random)}:{random.randrange(1024, 65536)}"
    moment = f"{origin.when:%Y-%m-%dT%H:%M:%S}.{random.randrange(10**6):06}Z"
    return (
        f'{moment} old-lb {client} 10.0.2.9:80 {times} "GET http://old.example.com:80/ HTTP/1.1" '
        '"curl/8.5.0" - -'
    )


def access_line(origin: Origin, random: Random) -> str:
    owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
    request = f"{random.getrandbits(64):016X}"
    key = f"o-exampleorg1/AWSLogs/{origin.account}/CloudTrail/{random.getrandbits(48):012x}.json.gz"
    return (
        f"{owner} aws-controltower-logs [{origin.when:%d/%b/%Y:%H:%M:%S} +0000] "
        f"{_address(random)} svc:cloudtrail.amazonaws.com {request} "
        f'REST.PUT.OBJECT {key} "PUT /{key} HTTP/1.1" 200 - - '
        f"{random.randrange(400, 30_000)} {random.randrange(10, 300)} "
        f'{random.randrange(5, 90)} "-" "cloudtrail.amazonaws.com" - '
        f"{random.randbytes(24).hex()} SigV4 TLS_AES_128_GCM_SHA256 AuthHeader "
        f"aws-controltower-logs.s3.{origin.region}.amazonaws.com TLSv1.3 - -"
    )


def waf_line(origin: Origin, random: Random) -> str:
    action = random.choice(("ALLOW", "ALLOW", "ALLOW", "BLOCK"))
    request = {
        "clientIp": _address(random),
        "country": random.choice(("DE", "FR", "US")),
        "headers": [{"name": "Host", "value": "www.example.com"}],
        "uri": f"/item/{random.randrange(10**6)}",
        "httpMethod": "GET",
        "requestId": f"{random.getrandbits(128):032x}",
    }
    line = {
        "timestamp": int(origin.when.timestamp()) * 1000 + random.randrange(1000),
        "formatVersion": 1,
        "webaclId": (
            f"arn:aws:wafv2:{origin.region}:{origin.account}:regional/webacl/front-door/1f2e3d4c"
        ),
        "terminatingRuleId": "Default_Action",
        "action": action,
        "httpRequest": request,
    }
    return _compact(line)


def dns_line(origin: Origin, random: Random) -> str:
    line = {
        "version": "1.100000",
        "account_id": origin.account,
        "region": origin.region,
        "vpc_id": "vpc-0a1b2c3d4e5f60718",
        "query_timestamp": f"{origin.when:%Y-%m-%dT%H:%M:%SZ}",
        "query_name": f"host-{random.randrange(10**4)}.internal.example.com.",
        "query_type": random.choice(("A", "AAAA")),
        "query_class": "IN",
        "rcode": random.choice(("NOERROR", "NXDOMAIN")),
        "answers": [{"Rdata": _address(random), "Type": "A", "Class": "IN"}],
        "srcaddr": _address(random),
        "srcport": str(random.randrange(1024, 65536)),
        "transport": "UDP",
        "srcids": {"instance": f"i-{random.getrandbits(68):017x}"},
    }
    return _compact(line)


def cloudfront_line(origin: Origin, random: Random) -> str:
    moment = origin.when.replace(minute=random.randrange(60), second=random.randrange(60))
    fields = (
        f"{moment:%Y-%m-%d}",
        f"{moment:%H:%M:%S}",
        random.choice(("FRA56-P3", "DUB56-P1", "IAD89-C1")),
        str(random.randrange(200, 90_000)),
        _address(random),
        "GET",
        "d111111abcdef8.cloudfront.net",
        f"/assets/{random.getrandbits(32):08x}.js",
        "200",
        "-",
        "Mozilla/5.0%20(X11;%20Linux%20x86_64)",
        "-",
        "-",
        random.choice(("Hit", "Miss")),
        random.randbytes(20).hex(),
    )
    return "\t".join(fields)


def guardduty_line(origin: Origin, random: Random) -> str:
    identity = f"{random.getrandbits(128):032x}"
    line = {
        "schemaVersion": "2.0",
        "accountId": origin.account,
        "region": origin.region,
        "partition": "aws",
        "id": identity,
        "arn": (
            f"arn:aws:guardduty:{origin.region}:{origin.account}:detector/"
            f"12abc34d567e8fa901bc2d34e56789f0/finding/{identity}"
        ),
        "type": random.choice(
            (
                "Recon:EC2/PortProbeUnprotectedPort",
                "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
            )
        ),
        "service": {
            "serviceName": "guardduty",
            "count": random.randrange(1, 50),
            "archived": False,
        },
        "severity": random.choice((2, 5, 8)),
        "createdAt": f"{origin.when:%Y-%m-%dT%H:%M:%S}.000Z",
        "title": "A synthetic finding",
    }
    return _compact(line)


def empty_parquet(random: Random) -> bytes:
    """A parquet file with the columns of a flow log and no rows, written by hand so that no parquet
    library is needed.

    Parquet finds its data by offsets from the footer. Where data pages would be, there are random
    bytes that no offset points to.
    """
    filler = random.randbytes(random.randrange(2_000, 12_000))
    footer = _parquet_footer()
    return b"".join((b"PAR1", filler, footer, len(footer).to_bytes(4, "little"), b"PAR1"))


def _parquet_footer() -> bytes:
    """FileMetaData in Thrift's compact protocol: version 2, the schema, 0 rows, no row groups, the
    writer's name.
    """
    root = b"\x48" + _thrift_text("schema") + b"\x15" + bytes([2 * len(_FLOW_COLUMNS)]) + b"\x00"
    # Type BYTE_ARRAY, repetition OPTIONAL, the name, converted type UTF8, end.
    columns = b"".join(
        b"\x15\x0c\x25\x02\x18" + _thrift_text(name) + b"\x25\x00\x00" for name in _FLOW_COLUMNS
    )
    schema = b"\x19" + bytes([(1 + len(_FLOW_COLUMNS)) << 4 | 0x0C]) + root + columns
    return (
        b"\x15\x04"
        + schema
        + b"\x16\x00"
        + b"\x19\x0c"
        + b"\x28"
        + _thrift_text("synthetic")
        + b"\x00"
    )


def _thrift_text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _address(random: Random) -> str:
    return f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def _compact(line: Mapping[str, object]) -> str:
    return json.dumps(line, separators=(",", ":"))
