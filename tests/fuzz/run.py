"""Fuzzes the laws, guided by coverage, each in a separate process.

    python tests/fuzz/run.py [--seconds 30] [--only key,index] [--jobs 2]

Needs atheris: `make fuzz` makes the environment. Exit code 1 if a law was broken; the bytes that
broke it are then in build/fuzz, and belong in a test.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
FINDINGS = ROOT / "build" / "fuzz"
MEMORY_MB_MAX = 1024
INPUT_BYTES_MAX = 4096
SECONDS_EACH_MAX = 60
"""The limit for one input: readers are linear in its size, and take milliseconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fuzzes everything that reads what others wrote.")
    parser.add_argument("--seconds", type=int, default=30, help="for each law")
    parser.add_argument("--only", default="", help="some of the laws, with commas in between")
    parser.add_argument("--jobs", type=int, default=2, help="laws at once")
    parser.add_argument("--law", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", help=argparse.SUPPRESS)
    told = parser.parse_args(arguments)
    if told.law:
        fuzz_here(told.law, told.corpus, told.seconds)
    from tests.fuzz.laws import LAWS  # noqa: PLC0415 - a child imports it under atheris' eyes

    names = told.only.split(",") if told.only else sorted(LAWS)
    unknown = sorted(set(names) - set(LAWS))
    if unknown:
        parser.error(f"no such law: {', '.join(unknown)}; there are {', '.join(sorted(LAWS))}")
    with ThreadPoolExecutor(told.jobs) as pool:
        held = list(pool.map(partial(fuzz, seconds=told.seconds), names))
    broken = [name for name, has_held in zip(names, held, strict=True) if not has_held]
    if broken:
        print(f"broken: {', '.join(broken)}; the bytes are in {FINDINGS.relative_to(ROOT)}")
    return 1 if broken else 0


def fuzz(name: str, seconds: int) -> bool:
    """Whether the law held. The corpus begins with the examples."""
    from tests.fuzz.laws import LAWS  # noqa: PLC0415 - a child imports it under atheris' eyes

    FINDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        for number, example in enumerate(LAWS[name].examples):
            (Path(corpus) / f"example-{number}").write_bytes(example[:INPUT_BYTES_MAX])
        command = [
            sys.executable,
            __file__,
            "--law",
            name,
            "--corpus",
            corpus,
            "--seconds",
            str(seconds),
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds + 1_200,
            )
        except subprocess.TimeoutExpired:
            print(f"{name:<14} did not end")
            return False
    print(f"{name:<14} {describe(done.stderr)}", flush=True)
    if done.returncode:
        print(done.stderr[-3000:])
    return done.returncode == 0


def describe(told: str) -> str:
    """From libFuzzer's output: the number of inputs, and of places in the code they reached."""
    runs = re.findall(r"Done (\d+) runs", told) or re.findall(r"^#(\d+)", told, re.MULTILINE)
    coverage = re.findall(r"cov: (\d+)", told)
    return (
        f"{int(runs[-1]) if runs else 0:>9,} inputs, {coverage[-1] if coverage else '?':>5} places"
    )


def fuzz_here(name: str, corpus: str, seconds: int) -> None:
    """Does not return: libFuzzer ends the process."""
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["log_aggregator"]):
        from tests.fuzz.laws import LAWS  # noqa: PLC0415 - a child imports it under atheris' eyes
    limits = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={SECONDS_EACH_MAX}",
    ]
    atheris.Setup(
        [sys.argv[0], *limits, f"-artifact_prefix={FINDINGS}/{name}-", corpus], LAWS[name].check
    )
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
