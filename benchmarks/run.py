"""Runs the benchmarks, prints a table for each, and at the end which targets were met.

    python benchmarks/run.py [--only chain,combine] [--quick] [--full] [--json FILE]

`--json` keeps what FILE has of benchmarks that are not run; benchmarks/page.py makes
docs/performance.md of it.

Timing never fails it: the exit code is 0 unless a benchmark breaks. Everything runs on this
machine, against a server of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import (
    chain,
    combine,
    coverage,
    cpu,
    fanout,
    find,
    formats,
    lambda_memory,
    listing,
    memory,
    pages,
    peers,
    planning,
    report_page,
    scale,
    search,
    startup,
    terms,
    whole,
)
from benchmarks.machine import describe_machine
from benchmarks.report import Options, Outcome, render_outcome, render_summary

BENCHMARKS: dict[str, Callable[[Options], Outcome]] = {
    "startup": startup.measure,
    "page": report_page.measure,
    "pages": pages.measure,
    "listing": listing.measure,
    "find": find.measure,
    "search": search.measure,
    "coverage": coverage.measure,
    "terms": terms.measure,
    "formats": formats.measure,
    "planning": planning.measure,
    "combine": combine.measure,
    "cpu": cpu.measure,
    "memory": memory.measure,
    "lambda_memory": lambda_memory.measure,
    "fanout": fanout.measure,
    "chain": chain.measure,
    "peers": peers.measure,
    "whole": whole.measure,
    "scale": scale.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    print("\n".join(f"{name:<12}{value}" for name, value in describe_machine().items()))
    outcomes: dict[str, Outcome] = {}
    described = (
        json.loads(options.json.read_text(encoding="utf-8"))
        if options.json is not None and options.json.exists()
        else {}
    )
    began = time.perf_counter()
    for name in options.only:
        print(f"\n[{name}] ...", flush=True)
        machine, started = describe_machine(), time.perf_counter()
        outcomes[name] = BENCHMARKS[name](Options(options.quick, options.full))
        print("\n".join(render_outcome(outcomes[name])), flush=True)
        described[name] = {
            "machine": machine,
            "seconds": round(time.perf_counter() - started, 1),
            **outcomes[name].describe(),
        }
        if (
            options.json is not None
        ):  # each at once: what took a quarter of an hour is not lost with what comes behind it
            options.json.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    print("\n".join(render_summary(outcomes, time.perf_counter() - began)))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--only", type=_names, default=tuple(BENCHMARKS), help=f"some of {','.join(BENCHMARKS)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to try it out; the numbers mean little"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=(
            "run the chain over 1,000 objects, and all of lambda_memory: half an hour, 10 GB of "
            "disk"
        ),
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all numbers to this file, too"
    )
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in BENCHMARKS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(BENCHMARKS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
