"""The declarations of the stack: a file that each run reads once at its start and records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.support.cloud import WORK, Cloud, make_cloud
from tests.support.statemachine import StateError
from tests.support.world import DAY, World, document, fail_on, make_world, trail_key

from log_aggregator.core.custody import decode_record
from log_aggregator.errors import AccessDenied, ObjectFrozen
from log_aggregator.handlers import entry
from log_aggregator.handlers.prepare import LAYOUTS_BYTES_MAX, LAYOUTS_KEY
from log_aggregator.steps.fanout.folder import RunFolder
from log_aggregator.steps.fanout.gather import read_record

NGINX = """
[[layouts]]
name = "nginx"
pattern = "nginx/{host}/access.log-{YYYYMMDD}"
buckets = ["lo*"]
kind = "text"
"""
APP = """
[[layouts]]
name = "app"
pattern = "app/{YYYY}/{MM}/{DD}/{*}"
"""
EVERYTHING = """
[[layouts]]
name = "everything"
pattern = "{**}/{YYYY-MM-DD}/{**}"
"""
NGINX_KEY = f"nginx/web-1/access.log-{DAY:%Y%m%d}"
APP_KEY = f"app/{DAY:%Y/%m/%d}/worker.log"
FILE = f"s3://{WORK}/{LAYOUTS_KEY}"

MakeCloud = Callable[[World], Cloud]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def make_free_world() -> World:
    world = make_world()
    for key in (NGINX_KEY, APP_KEY):
        world.put("logs", key, f"GET {key}\n".encode())
    return world


def declare(world: World, text: str | bytes) -> None:
    world.store.put(WORK, LAYOUTS_KEY, text.encode() if isinstance(text, str) else text)


def keys_of(world: World, bucket: str = "logs") -> list[str]:
    return [found.key for found in world.store.list_objects(bucket).objects]


def packed_log_types(world: World) -> set[str]:
    return {key.split("/")[2] for key in keys_of(world, "dest") if key.startswith("packs/")}


def read_json(world: World, name: str) -> Any:
    (key,) = (key for key in keys_of(world, WORK) if key.endswith(f"/{name}"))
    return json.loads(world.store.get_object(WORK, key).data)


def error_of(cloud: Cloud) -> StateError:
    with pytest.raises(StateError) as caught:
        cloud.run()
    return caught.value


def test_without_the_file_nothing_is_declared(clouds: MakeCloud) -> None:
    """Free keys stay in place, and the run reports that it used no declarations."""
    world = make_free_world()
    clouds(world).run()
    assert sorted(keys_of(world)) == sorted([NGINX_KEY, APP_KEY])
    result = read_json(world, "result.json")
    assert (result["layouts"], result["objects"]["unknown"]) == ([], 2)


def test_declared_logs_are_packed(clouds: MakeCloud) -> None:
    """Nothing else is packed; the next run uses the file's contents at that time."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)
    cloud.run()
    assert keys_of(world) == [APP_KEY]
    assert packed_log_types(world) == {"nginx"}
    declare(world, NGINX + APP)
    cloud.run()
    assert keys_of(world) == []
    assert packed_log_types(world) == {"nginx", "app"}


def test_a_run_records_its_declarations(clouds: MakeCloud) -> None:
    """The run record, its result and its custody record hold the declarations as declared."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX + APP)
    cloud.run()
    declared = [
        {
            "name": "nginx",
            "pattern": "nginx/{host}/access.log-{YYYYMMDD}",
            "buckets": ["lo*"],
            "kind": "text",
        },
        {"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}"},
    ]
    assert read_json(world, "run.json")["layouts"] == declared
    assert read_json(world, "result.json")["layouts"] == declared
    _, key = (key for key in keys_of(world, "dest") if key.startswith("custody/"))
    assert list(decode_record(world.store.get_object("dest", key).data).layouts) == declared


@pytest.mark.parametrize("text", ["", APP, "[[layouts", None], ids=repr)
@pytest.mark.parametrize(
    "function",
    [
        "ListFunction",
        "PlanFunction",
        "CombineFunction",
        "VerifyFunction",
        "DeleteFunction",
        "FinishFunction",
    ],
)
def test_a_run_keeps_the_declarations_it_started_with(
    function: str, text: str | None, clouds: MakeCloud
) -> None:
    """Later changes to the file apply to the next run."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)

    def change(called: str, _payload: Any) -> None:
        if called == function and text is None:
            world.store.delete(WORK, LAYOUTS_KEY)
        elif called == function:
            declare(world, text or "")

    cloud.break_function = change
    cloud.run()
    assert keys_of(world) == [APP_KEY]
    assert packed_log_types(world) == {"nginx"}
    assert [row["name"] for row in read_json(world, "result.json")["layouts"]] == ["nginx"]


def test_only_prepare_reads_the_file(clouds: MakeCloud) -> None:
    """The file and its size are requested once in a run."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)
    cloud.run()
    assert [
        (function, call.operation) for function, call in cloud.calls if call.key == LAYOUTS_KEY
    ] == [("PrepareFunction", "HeadObject"), ("PrepareFunction", "GetObject")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (NGINX.replace("{YYYYMMDD}", "{YYYYMMDX}"), "layouts: nginx: pattern = "),
        (NGINX.replace("{YYYYMMDD}", "{*}"), "it has no date"),
        (NGINX + NGINX, "two are called 'nginx'"),
        (NGINX.replace('"text"', '"json"'), "layouts: nginx: kind = 'json': expected gzip, text"),
        (NGINX.replace('"text"', '["text"]'), "layouts: nginx: kind = ['text']: expected gzip"),
        (NGINX.replace("[[layouts]]", "[layouts]"), "expected tables that begin with [[layouts]]"),
        ("readers = 5\n" + NGINX, "readers: expected nothing but tables that begin with"),
        ("[[layouts]\n", "not a TOML file: "),
        (NGINX.encode("utf-16"), "not a TOML file: "),
        (b"#" * (LAYOUTS_BYTES_MAX + 1), "1048577 bytes: expected at most 1048576"),
    ],
)
def test_a_broken_file_stops_the_run_before_it_begins(
    content: str | bytes, expected: str, clouds: MakeCloud
) -> None:
    """One line names the file and what is wrong in it. Nothing is listed, read or written."""
    world = make_free_world()
    world.put("logs", trail_key(1), document(1))
    cloud = clouds(world)
    declare(world, content)
    error = error_of(cloud)
    message = json.loads(error.cause)["errorMessage"]
    assert error.name == "SettingsError"
    assert message.startswith(f"{FILE}: ")
    assert expected in message
    assert "\n" not in message
    assert {call.key for _, call in cloud.calls} == {LAYOUTS_KEY}
    assert len(keys_of(world)) == 3
    assert keys_of(world, WORK) == [LAYOUTS_KEY]


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ("HeadObject", AccessDenied("no", code="AccessDenied", operation="HeadObject")),
        ("GetObject", AccessDenied("kms", code="AccessDenied", operation="GetObject")),
        ("GetObject", ObjectFrozen("cold", code="InvalidObjectState", operation="GetObject")),
    ],
    ids=str,
)
def test_an_unreadable_file_does_not_count_as_missing(
    operation: str, error: AccessDenied, clouds: MakeCloud
) -> None:
    """The run does not begin, and its error names the file."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)
    cloud.decide = fail_on(
        lambda call: call.key == LAYOUTS_KEY and call.operation == operation, error
    )
    ended = error_of(cloud)
    assert ended.name == "CannotStart"
    assert f"{FILE}: cannot be read" in ended.cause
    assert keys_of(world, WORK) == [LAYOUTS_KEY]


def test_a_byte_order_mark_is_accepted(clouds: MakeCloud) -> None:
    """Some editors write a byte order mark."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, b"\xef\xbb\xbf" + NGINX.encode())
    cloud.run()
    assert packed_log_types(world) == {"nginx"}


def test_the_work_bucket_is_never_touched(clouds: MakeCloud) -> None:
    """The work bucket stays even if an auxiliary bucket's name matches it, and a declaration its
    keys.
    """
    world = make_world(other_buckets=["logs", WORK])
    world.put("logs", "any/2025-04-03/x.log", b"free\n")
    cloud = clouds(world)
    manifest = f"runs/{DAY}/older/run.json"
    world.store.put(WORK, manifest, b"{}")
    declare(
        world, EVERYTHING + '[[layouts]]\nname = "rest"\npattern = "{**}"\ndate = "last-modified"\n'
    )
    cloud.run()
    assert keys_of(world) == []
    assert {manifest, LAYOUTS_KEY} <= set(keys_of(world, WORK))
    assert read_json(world, "result.json")["objects"]["held"] >= 1
    assert {key.split("/")[1] for key in keys_of(world, "dest") if key.startswith("packs/")} == {
        "logs"
    }


def test_a_retried_prepare_keeps_the_first_record(clouds: MakeCloud) -> None:
    """The first answer was lost, and the file changed before the retry."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)
    event = {"execution": "once", "input": {}}
    run = cloud.call("PrepareFunction", event)["run"]
    declare(world, APP)
    assert cloud.call("PrepareFunction", event)["run"] == run
    record = read_record(RunFolder(world.store, WORK, run))
    assert [layout.name for layout in record.layouts.declared] == ["nginx"]


def test_a_run_of_an_earlier_version_has_no_declarations(clouds: MakeCloud) -> None:
    """The stack was updated during the run, whose record has no declarations."""
    world = make_free_world()
    cloud = clouds(world)
    declare(world, NGINX)
    run = cloud.call("PrepareFunction", {"execution": "once", "input": {}})["run"]
    folder = RunFolder(world.store, WORK, run)
    older = folder.read_json(folder.record_key)
    del older["layouts"]
    world.store.put(WORK, folder.record_key, json.dumps(older).encode())
    assert read_record(folder).layouts.declared == ()


def test_the_environment_cannot_declare_layouts(clouds: MakeCloud) -> None:
    """The stack has one place for declarations."""
    rows = json.dumps([{"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}"}])
    settings = entry.settings_of(
        {"LOG_AGGREGATOR_OTHER_BUCKETS": "logs", "LOG_AGGREGATOR_LAYOUTS": rows}
    )
    assert settings.layouts.declared == ()
