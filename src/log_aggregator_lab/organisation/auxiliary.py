"""The auxiliary buckets: a table of sources, each with its key and its lines. Sources of the keys'
grammars: docs/reference/layouts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from random import Random

from log_aggregator_lab.organisation import text_documents
from log_aggregator_lab.organisation.cloudtrail import midnight
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Oddity, Purpose, SyntheticObject
from log_aggregator_lab.organisation.text_documents import Origin


@dataclass(frozen=True, slots=True)
class AuxiliarySource:
    """One row: the name in `AuxiliaryCounts`, the specification's field for the bucket, the key,
    and the lines (None: parquet).
    """

    name: str
    bucket_field: str
    key: Callable[[Origin, Random], str]
    line: Callable[[Origin, Random], str] | None
    header: str = ""
    is_gzip: bool = True
    line_count_max: int = 60


def list_auxiliary(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """Every source's logs of the wanted days."""
    for source in SOURCES:
        for day in spec.wanted_days:
            yield from list_source(spec, source, day, getattr(spec.auxiliary, source.name))


def list_source(
    spec: OrganisationSpec,
    source: AuxiliarySource,
    day: date,
    count: int,
    *,
    purpose: Purpose = Purpose.LOG,
    key_prefix: str = "",
    oddity: Oddity = Oddity.NONE,
) -> Iterator[SyntheticObject]:
    random = Random(f"{spec.seed}/{source.name}/{day}/{purpose}/{key_prefix}")
    for number in range(count):
        account, region = spec.chains[number % len(spec.chains)]
        origin = Origin(
            account,
            region,
            midnight(day) + timedelta(seconds=number * 86_400 // count // 300 * 300),
        )
        key = key_prefix + source.key(origin, random)
        yield SyntheticObject(
            bucket=getattr(spec, source.bucket_field),
            key=key,
            make=partial(_body, source.name, f"{spec.seed}/{key}", origin, spec.compression_level),
            source=source.name.replace("_", "-"),
            purpose=purpose,
            day=day,
            oddity=oddity,
        )


def source_named(name: str) -> AuxiliarySource:
    return _SOURCES_BY_NAME[name]


def _body(name: str, seed: str, origin: Origin, level: int) -> bytes:
    source, random = _SOURCES_BY_NAME[name], Random(seed)
    if source.line is None:
        return text_documents.empty_parquet(random)
    # Squared, so that most logs are short, as in reality.
    count = 1 + int(random.random() ** 2 * source.line_count_max)
    lines = [source.header] if source.header else []
    lines += (source.line(origin, random) for _ in range(count))
    text = "".join(f"{line}\n" for line in lines).encode()
    return gzip_member(text, level) if source.is_gzip else text


def _flow_key(origin: Origin, random: Random, suffix: str = "log.gz", root: str = "") -> str:
    name = (
        f"{origin.account}_vpcflowlogs_{origin.region}_fl-0a1b2c3d4e5f60718_"
        f"{origin.when:%Y%m%dT%H%MZ}_{random.getrandbits(32):08x}.{suffix}"
    )
    return (
        f"{root}AWSLogs/{origin.account}/vpcflowlogs/{origin.region}/{origin.when:%Y/%m/%d}/{name}"
    )


def _flow_parquet_key(origin: Origin, random: Random) -> str:
    return _flow_key(origin, random, "log.parquet", "parquet/")


def _alb_key(origin: Origin, random: Random) -> str:
    return _elb_key(
        origin, "app.web.50dc6c495c0c9188", f"10.0.1.7_{random.getrandbits(40):010x}.log.gz"
    )


def _clb_key(origin: Origin, random: Random) -> str:
    return _elb_key(origin, "old-lb", f"10.0.2.9_{random.getrandbits(40):010x}.log")


def _elb_key(origin: Origin, balancer: str, ending: str) -> str:
    name = (
        f"{origin.account}_elasticloadbalancing_{origin.region}_{balancer}_"
        f"{origin.when:%Y%m%dT%H%MZ}_{ending}"
    )
    folder = f"AWSLogs/{origin.account}/elasticloadbalancing/{origin.region}"
    return f"{folder}/{origin.when:%Y/%m/%d}/{name}"


def _access_key(origin: Origin, random: Random) -> str:
    moment = origin.when + timedelta(seconds=random.randrange(300))
    return f"{moment:%Y-%m-%d-%H-%M-%S}-{random.getrandbits(64):016X}"


def _waf_key(origin: Origin, random: Random) -> str:
    name = (
        f"{origin.account}_waflogs_{origin.region}_front-door_{origin.when:%Y%m%dT%H%MZ}_"
        f"{random.getrandbits(32):08x}.log.gz"
    )
    return (
        f"AWSLogs/{origin.account}/WAFLogs/{origin.region}/front-door/{origin.when:%Y/%m/%d/%H/%M}/"
        f"{name}"
    )


def _dns_key(origin: Origin, random: Random) -> str:
    vpc = f"vpc-0a1b2c3d4e5f6{origin.account[:4]}"
    name = (
        f"{vpc}_vpcdnsquerylogs_{origin.account}_{origin.when:%Y%m%dT%H%MZ}_"
        f"{random.getrandbits(32):08x}.log.gz"
    )
    return f"AWSLogs/{origin.account}/vpcdnsquerylogs/{vpc}/{origin.when:%Y/%m/%d}/{name}"


def _cloudfront_key(origin: Origin, random: Random) -> str:
    return f"EEXAMPLE{origin.account[:6]}.{origin.when:%Y-%m-%d-%H}.{random.getrandbits(32):08x}.gz"


def _guardduty_key(origin: Origin, random: Random) -> str:
    hexes = f"{random.getrandbits(128):032x}"
    identity = f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:]}"
    return (
        f"AWSLogs/{origin.account}/GuardDuty/{origin.region}/{origin.when:%Y/%m/%d}/"
        f"{identity}.jsonl.gz"
    )


def _vended_key(origin: Origin, random: Random) -> str:
    name = (
        f"{origin.account}_VpcLattice_{origin.region}_sn-0a1b_{origin.when:%Y%m%dT%H%MZ}_"
        f"{random.getrandbits(32):08x}.json.gz"
    )
    return f"AWSLogs/{origin.account}/VpcLattice/{origin.region}/{origin.when:%Y/%m/%d}/{name}"


def _firehose_key(origin: Origin, random: Random) -> str:
    hexes = f"{random.getrandbits(128):032x}"
    identity = f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:]}"
    return (
        f"ship/{origin.when:%Y/%m/%d/%H}/audit-trail-1-{origin.when:%Y-%m-%d-%H-%M-%S}-{identity}"
    )


def _nginx_key(origin: Origin, random: Random) -> str:
    return f"nginx/web{random.getrandbits(24):06x}/access.log-{origin.when:%Y%m%d}.gz"


def _app_key(origin: Origin, random: Random) -> str:
    return f"app/orders-{random.getrandbits(24):06x}.log.{origin.when:%Y-%m-%d-%H}"


def _edge_key(origin: Origin, random: Random) -> str:
    moment = f"{origin.when:%Y%m%dT%H%M%SZ}"
    return f"edge/{origin.when:%Y%m%d}/{moment}_{moment}_{random.getrandbits(32):08x}.log.gz"


SOURCES = (
    AuxiliarySource(
        "flow",
        "flow_bucket",
        _flow_key,
        text_documents.flow_line,
        text_documents.FLOW_HEADER,
        line_count_max=300,
    ),
    AuxiliarySource("flow_parquet", "flow_bucket", _flow_parquet_key, None),
    AuxiliarySource("alb", "elb_bucket", _alb_key, text_documents.alb_line),
    AuxiliarySource("clb", "elb_bucket", _clb_key, text_documents.clb_line, is_gzip=False),
    AuxiliarySource(
        "access",
        "access_bucket",
        _access_key,
        text_documents.access_line,
        is_gzip=False,
        line_count_max=40,
    ),
    AuxiliarySource("waf", "waf_bucket", _waf_key, text_documents.waf_line),
    AuxiliarySource("dns", "dns_bucket", _dns_key, text_documents.dns_line),
    AuxiliarySource(
        "cloudfront",
        "cloudfront_bucket",
        _cloudfront_key,
        text_documents.cloudfront_line,
        text_documents.CLOUDFRONT_HEADER,
    ),
    AuxiliarySource(
        "guardduty",
        "guardduty_bucket",
        _guardduty_key,
        text_documents.guardduty_line,
        line_count_max=12,
    ),
    AuxiliarySource("vended", "flow_bucket", _vended_key, text_documents.waf_line),
    AuxiliarySource(
        "firehose", "app_bucket", _firehose_key, text_documents.waf_line, is_gzip=False
    ),
    AuxiliarySource("nginx", "app_bucket", _nginx_key, text_documents.access_line),
    AuxiliarySource("app", "app_bucket", _app_key, text_documents.access_line, is_gzip=False),
    AuxiliarySource("edge", "app_bucket", _edge_key, text_documents.waf_line),
)
_SOURCES_BY_NAME = {source.name: source for source in SOURCES}
