"""Runs the benchmarks, prints a table for each, and at the end which targets were met.

    python benchmarks/run.py [--only chain,combine] [--quick] [--full] [--json FILE]

Timing never fails it: the exit code is 0 unless a benchmark breaks. Everything runs on this machine, against a server of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import chain, combine, cpu, fanout, find, lambda_memory, listing, memory, pages
from benchmarks.machine import describe_machine
from benchmarks.report import Options, Outcome, render_outcome, render_summary

BENCHMARKS: dict[str, Callable[[Options], Outcome]] = {
    "pages": pages.measure,
    "listing": listing.measure,
    "find": find.measure,
    "combine": combine.measure,
    "cpu": cpu.measure,
    "memory": memory.measure,
    "lambda_memory": lambda_memory.measure,
    "fanout": fanout.measure,
    "chain": chain.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    machine = describe_machine()
    print("\n".join(f"{name:<12}{value}" for name, value in machine.items()))
    outcomes: dict[str, Outcome] = {}
    began = time.perf_counter()
    for name in options.only:
        print(f"\n[{name}] ...", flush=True)
        outcomes[name] = BENCHMARKS[name](Options(options.quick, options.full))
        print("\n".join(render_outcome(outcomes[name])), flush=True)
    print("\n".join(render_summary(outcomes, time.perf_counter() - began)))
    if options.json is not None:
        described = {"machine": machine, "benchmarks": {name: outcome.describe() for name, outcome in outcomes.items()}}
        options.json.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", type=_names, default=tuple(BENCHMARKS), help=f"some of {','.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out; the numbers mean little")
    parser.add_argument(
        "--full", action="store_true", help="run the chain over 1,000 objects, and all of lambda_memory: half an hour, 10 GB of disk"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to this file, too")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in BENCHMARKS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(BENCHMARKS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
