"""The output of `custody`: its JSON is documented field by field, and its lines say what was
found.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from tests.support.custody import START, run_recorded, walk
from tests.support.world import World, document, make_world, trail_key

from log_aggregator.core.custody import record_key
from log_aggregator.core.signatures import Proof, Stamp
from log_aggregator.model import Target
from log_aggregator.reports.custody import (
    describe_life,
    describe_record,
    describe_walk,
    render_life,
    render_record,
    render_walk,
)
from log_aggregator.steps.custody.trace import trace
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.workers import SerialWorkers

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docs"))
JSON_FIELDS: Any = importlib.import_module("reference_pages.json_fields")
DEST = Target("dest")
DAMAGED = record_key(DEST, 2)


def make_history() -> World:
    """A run, packs that no run recorded, and another run whose record was damaged afterwards."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    run_recorded(world, "first")
    world.put("logs", trail_key(2), document(2))
    world.run()
    world.clock.advance(hours=2)
    run_recorded(world, "third")
    world.store.put("dest", DAMAGED, b"damaged")
    run_recorded(world, "fourth")
    return world


def test_the_fields_of_verify_are_documented() -> None:
    """`custody verify --json` has exactly the fields of the page, with breaks, notes and
    signatures.
    """
    (walked,) = walk(make_history())
    stamp = Stamp(START, "CN=Authority")
    walked.proven.newest = Proof(
        1, "0" * 64, START, "ours", is_trusted=True, has_stamp=True, stamp=stamp, ended=START
    )
    described = describe_walk([walked])
    assert set(JSON_FIELDS.flatten(described)) == set(JSON_FIELDS.json_fields("custody verify"))


def test_the_fields_of_trace_are_documented() -> None:
    """`custody trace --json` has exactly the fields of the page, also where a record cannot be
    read.
    """
    world = make_history()
    (life,) = trace(world.job(), "logs", trail_key(2))
    (other,) = trace(world.job(), "logs", trail_key(1))
    fields = set(JSON_FIELDS.flatten({"lives": [describe_life(life), describe_life(other)]}))
    assert fields == set(JSON_FIELDS.json_fields("custody trace"))


def test_the_fields_of_show_are_documented() -> None:
    """The page names these fields; custody.md has the rest."""
    world = make_history()
    records = [
        describe_record(found)
        for found in read_records(
            world.store, SerialWorkers(), DEST, list_records(world.store, DEST)
        )
    ]
    assert set(JSON_FIELDS.json_fields("custody show")) <= set(
        JSON_FIELDS.flatten({"records": records})
    )


def test_a_record_shows_declared_layouts() -> None:
    """Layouts are listed by name, and in full also by pattern; the line is missing where there are
    none.
    """
    rows = [
        {"name": "nginx", "pattern": "nginx/{host}/{YYYYMMDD}"},
        {"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}", "kind": "text"},
    ]
    world = make_world(layouts=rows)
    world.put("logs", "nginx/web-1/20250403", b"GET /\n")
    run_recorded(world, "first")
    _, found = read_records(world.store, SerialWorkers(), DEST, list_records(world.store, DEST))
    described = describe_record(found)
    assert described["layouts"] == rows
    short = list(render_record(described, in_full=False))
    assert "  layouts   2 declared: nginx, app" in short
    full = list(render_record(described, in_full=True))
    assert {"  nginx: nginx/{host}/{YYYYMMDD}", "  app: app/{YYYY}/{MM}/{DD}/{*}"} <= set(full)
    none = render_record(described | {"layouts": []}, in_full=True)
    assert not any("layouts" in line or "nginx: " in line for line in none)


def test_lines_show_what_was_found() -> None:
    """Breaks and notes have their keys; an unreadable record and a life without any record are
    named as that.
    """
    world = make_history()
    lines = list(render_walk(describe_walk(walk(world))))
    assert "BROKEN" in lines[0]
    assert any(line.startswith("  WRONG") and DAMAGED in line for line in lines)
    assert any(line.startswith("  note") and "a run that died" in line for line in lines)
    found = list(read_records(world.store, SerialWorkers(), DEST, list_records(world.store, DEST)))
    texts = ["\n".join(render_record(describe_record(record), in_full=True)) for record in found]
    assert "none: it is the first" in texts[0]
    assert "1 log object," in texts[1]
    assert "cannot be read" in texts[2]
    (life,) = trace(world.job(), "logs", trail_key(2))
    told = list(render_life(describe_life(life)))
    assert any("which no record names" in line for line in told)
    assert told[-1] == "  no record names its pack: the run that wrote it did not finish"
