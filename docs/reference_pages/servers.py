"""Servers: what `make servers` saw of each, in servers.json, by the promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.steps.promises.asking import Promise, Rests
from log_aggregator.steps.promises.table import PROMISES
from reference_pages.table import ROOT, table

SEEN: dict[str, Any] = json.loads(
    (ROOT / "docs" / "reference_pages" / "servers.json").read_text(encoding="utf-8")
)
CELLS = {"kept": "yes", "broken": "**no**", "refused": "refuses", "not asked": "-"}
HEADINGS = {
    Rests.SAFETY: "What safety depends on",
    Rests.COMMAND: "What commands need",
    Rests.COST: "What saves requests, or is useful",
}
COUNTS = ("packed", "deleted", "found", "extracted", "put_back")
DAYS = ("without versions", "with versions")


def make_servers() -> Iterator[str]:
    servers: list[dict[str, Any]] = SEEN["servers"]
    yield "# Servers"
    yield ""
    yield "Which S3 servers the program works with, and what happens on each of them."
    yield (
        "The program is made for Amazon S3 and relies on what S3 promises; other servers with "
        "the same API keep some of these promises."
    )
    yield "`make servers` starts the servers that pip or npm can install, and writes this page."
    yield ""
    yield "To test any other server, run"
    yield ""
    yield "```sh"
    yield "log-aggregator rehearse --endpoint-url https://s3.example.com"
    yield "```"
    yield ""
    yield (
        "which creates its own buckets, packs a small organisation's logs there, and removes "
        "everything again: see [Rehearse](../how-to/rehearse.md)."
    )
    yield ""
    yield from _list_servers(servers)
    yield ""
    yield "## A whole day"
    yield ""
    yield (
        "`run` packs, verifies and deletes a day of a synthetic organisation; then `find` counts "
        "it, `extract` reads it and `put-back` restores it, and the results are compared byte for "
        "byte."
    )
    yield ""
    yield from _make_days(servers)
    yield ""
    yield "In the tables below"
    yield ""
    yield "- yes: the promise is kept."
    yield "- **no**: the server does something else without an error."
    yield (
        "- refuses: it answers with an error; nothing is then deleted because of it, and the run "
        "or the command says what failed."
    )
    yield "- a dash: the server has no versions, or no locks."
    for rests, heading in HEADINGS.items():
        yield ""
        yield f"## {heading}"
        yield ""
        yield from _make_promises([each for each in PROMISES if each.rests is rests], servers)


def _list_servers(servers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for server in servers:
        note = f", started as {server['note']}" if server["note"] else ""
        yield f"- {server['title']} {server['version']}{note}"
    for title, why in SEEN["absent"].items():
        yield f"- {title} was not here: it {why}"


def _make_days(servers: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    notes: list[str] = []
    rows = [
        [f"in a bucket {state}", *(_describe_day(server, state, notes) for server in servers)]
        for state in DAYS
    ]
    yield from table(["a day", *(server["title"] for server in servers)], rows)
    if notes:
        yield ""
    yield from notes


def _describe_day(server: Mapping[str, Any], state: str, notes: list[str]) -> str:
    """The cell; what the program said instead goes into the notes."""
    day = server["days"].get(state)
    if day is None:
        return "-"
    if all(day[name] == day["logs"] for name in COUNTS) and not day["said"]:
        return "yes"
    notes += [f"- {server['title']}, {state}: {said}" for said in day["said"]]
    if day["lost"]:
        return f"**{day['lost']} of {day['logs']} lost**"
    if not day["packed"]:
        return "nothing is touched"
    if not day["deleted"]:
        return "packed, found and extracted; originals are kept"
    return ", ".join(f"{day[name]} {name.replace('_', ' ')}" for name in COUNTS)


def _make_promises(
    promises: Sequence[Promise], servers: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A table, and under it what follows where a promise is not kept."""
    notes: list[str] = []
    rows = []
    for promise in promises:
        answers = {server["title"]: server["promises"][promise.name] for server in servers}
        number = ""
        if any(answer["seen"] in ("broken", "refused") for answer in answers.values()):
            number = f" ({len(notes) + 1})"
            notes.append(_describe_failures(promise, answers))
        rows.append(
            [promise.text + number, *(CELLS[answer["seen"]] for answer in answers.values())]
        )
    yield from table(["promise", *(server["title"] for server in servers)], rows)
    if notes:
        yield ""
    for number, note in enumerate(notes, 1):
        yield f"{number}. {note}"


def _describe_failures(promise: Promise, answers: Mapping[str, Mapping[str, str]]) -> str:
    """In one line: what needs the promise, what the program does without it, who did what."""
    seen: dict[str, list[str]] = {}
    for title, answer in answers.items():
        if answer["seen"] in ("broken", "refused"):
            seen.setdefault(answer["what"], []).append(title)
    who = "; ".join(f"{', '.join(titles)}: {_quote(what)}" for what, titles in seen.items())
    return f"Why: {promise.why}. Otherwise: {promise.otherwise}. Seen: {who}."


def _quote(what: str) -> str:
    """Nothing in it is Markdown."""
    return f"`{what}`"
