"""Objects in the random world apart from logs with AWS's keys: free logs and their declarations,
objects that are not logs, and decoys.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.truth import Fate
from tests.support.world import ACCOUNT, DAY, WINDOW, flow_key, pack_gzip, trail_key

from log_aggregator.model import LogObject
from log_aggregator_lab.organisation.strangers import NO_LOG_KEYS, UNKNOWN_KEYS

if TYPE_CHECKING:
    from tests.simulation.randomworld import RandomWorld

Deliver = Callable[["RandomWorld", int], LogObject]

EXPORT_FOLDER = "exported/"
DECLARATIONS: Sequence[Mapping[str, str]] = (
    {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}.gz"},
    {"name": "orders", "pattern": "orders/{host}/{YYYY-MM-DD}-{hour}"},
    {"name": "edge", "pattern": "edge/{YYYYMMDD}/{*}.log.gz"},
    {"name": "wide", "pattern": "wide/{team}/{YYYY}/{MM}/{DD}/{**}"},
    {
        "name": "exported",
        "pattern": f"{EXPORT_FOLDER}{{task}}/{{stream}}/{{part}}.gz",
        "date": "last-modified",
    },
)
"""The broad declaration matches nearly everything in its folder: objects that are not logs must
stay there too.
"""


def free_key(name: str, number: int, day: date = DAY) -> str:
    """A key of that declared layout."""
    match name:
        case "nginx":
            return f"nginx/web-{number}/access.log-{day:%Y%m%d}.gz"
        case "orders":
            return f"orders/node-{number}/{day:%Y-%m-%d}-{number % 24:02}"
        case "edge":
            return f"edge/{day:%Y%m%d}/{day:%Y%m%d}T100000Z_{number:08x}.log.gz"
        case "wide":
            return f"wide/team-{number}/{day:%Y/%m/%d}/release-2024-01-01/trace.{number}.out"
    return f"{EXPORT_FOLDER}task-{number}/stream/000000.gz"


def no_log_keys(number: int) -> list[str]:
    """One of each, in a folder of their own and in that of the broad declaration."""
    folders = (f"team-{number}/", f"wide/team-{number}/{DAY:%Y/%m/%d}/")
    return [f"{folder}{_fill_in(form)}" for form in NO_LOG_KEYS for folder in folders]


def decoy_keys(number: int) -> list[str]:
    """Keys in which several parts look like a date or a Region, and undeclared ones."""
    return [f"team-{number}/{_fill_in(form)}" for form in UNKNOWN_KEYS]


def vended_key(number: int) -> str:
    name = f"{ACCOUNT}_VpcLattice_eu-west-1_sn-0a1b_{DAY:%Y%m%d}T1000Z_{number:08x}.json.gz"
    return f"AWSLogs/{ACCOUNT}/VpcLattice/AccessLogs/eu-west-1/{DAY:%Y/%m/%d}/sn-0a1b/{name}"


def firehose_key(number: int) -> str:
    name = f"audit-1-{DAY:%Y-%m-%d}-10-00-{number % 60:02}-{uuid.UUID(int=number)}"
    return f"ship/{DAY:%Y/%m/%d}/10/{name}"


def is_dated_when_put(key: str) -> bool:
    """Its layout takes the date from LastModified, so overwriting it changes the date."""
    return key.startswith(EXPORT_FOLDER)


def _fill_in(form: str) -> str:
    forms: dict[str, Any] = {
        "day": DAY,
        "slashed": f"{DAY:%Y/%m/%d}",
        "compact": f"{DAY:%Y%m%d}",
        "account": ACCOUNT,
    }
    return form.format(**forms)


def _body(world: RandomWorld, key: str) -> bytes:
    text = f"a line of {key}\n".encode() * world.random.randrange(1, 9)
    if world.random.random() < 0.2:  # unlike its name suggests
        return world.random.choice(
            (b"\0" + world.random.randbytes(60), text.decode().encode("utf-16"))
        )
    return pack_gzip(text) if key.endswith(".gz") else text


def _free(world: RandomWorld, number: int) -> LogObject:
    """A log of the day; it is deleted if its layout is declared."""
    key = free_key(world.random.choice(("nginx", "orders", "edge", "wide")), number)
    return world.put(key, _body(world, key), world.fate_of_free_logs)


def _free_of_another_day(world: RandomWorld, number: int) -> LogObject:
    name = world.random.choice(("nginx", "orders", "edge", "wide"))
    key = free_key(name, number, DAY + timedelta(days=world.random.choice((-300, -3, 3))))
    return world.put(key, _body(world, key), Fate.STAY)


def _exported(world: RandomWorld, number: int) -> LogObject:
    """Put on the day, or too late for it; sometimes for the second time."""
    key = free_key("exported", number)
    day = DAY + timedelta(days=world.random.choice((0, 0, 2)))
    fate = world.fate_of_free_logs if day in WINDOW else Fate.STAY
    put_at = datetime.combine(day, time(23, 59, 59), UTC)
    if world.random.random() < 0.4:
        before = put_at - timedelta(days=40)
        world.put(key, _body(world, key), fate, last_modified=before)
    return world.put(key, _body(world, key) + b"\0", fate, last_modified=put_at)


def _one_of(keys: Callable[[int], Sequence[str]]) -> Deliver:
    """They stay, whatever is declared."""

    def deliver(world: RandomWorld, number: int) -> LogObject:
        key = world.random.choice(keys(number))
        return world.put(key, _body(world, key), Fate.STAY)

    return deliver


def _by_head_or_name(key: Callable[[int], str]) -> Deliver:
    """They are deleted without a declaration, wherever they are looked for."""
    return lambda world, number: world.put(key(number), _body(world, key(number)))


def _in_a_folder_like_a_region(world: RandomWorld, number: int) -> LogObject:
    """In no Region: wanted whatever Regions are wanted, and never discarded."""
    folder = world.random.choice(("web-server-01", "prod-cluster-1", "ab-c-1"))
    return world.put(trail_key(number, region=folder), pack_gzip(b'{"Records": []}'))


def _head_behind_another_day(world: RandomWorld, number: int) -> LogObject:
    """A log of the day, unless a declared layout gives it another day."""
    key = f"edge/20240101/{flow_key(f'{number}.log.gz')}"
    return world.put(key, _body(world, key), Fate.STAY if world.declares else Fate.GO)


FREE_KINDS: dict[str, tuple[float, Deliver]] = {
    "free log": (4, _free),
    "free log of another day": (1, _free_of_another_day),
    "exported": (1, _exported),
    "no log": (3, _one_of(no_log_keys)),
    "decoy": (2, _one_of(decoy_keys)),
    "vended": (1, _by_head_or_name(vended_key)),
    "Firehose": (1, _by_head_or_name(firehose_key)),
    "head behind another day": (1, _head_behind_another_day),
    "folder like a Region": (1, _in_a_folder_like_a_region),
}
"""Name -> (how often, how it is delivered)."""
