"""Plants one bug after the other into a copy of the tree, and shows that each is caught.

    python -m tests.mutants.run [--only NAME]... [--jobs 2] [--seeds N] [--timeout 240]
    python -m tests.mutants.run --list > docs/internals/planted-bugs.md

Exit code 0 if all were caught; 1 if one survived, did not apply, or its proof did not end; 2 if a
proof fails without any bug.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import FrameType

from tests.mutants.page import make_page
from tests.mutants.planting import SIMULATION, DoesNotApply, Mutant, plant
from tests.mutants.proving import SEEDS, Outcome, Prover, Verdict
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "deployment", "statemachines", "docs", "pyproject.toml", "template.yaml")
"""What the proofs read."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    if options.list:
        sys.stdout.write(make_page())
        return 0
    unknown = sorted(set(options.only) - {mutant.name for mutant in MUTANTS})
    if unknown:
        print(f"no such bug: {', '.join(unknown)}", file=sys.stderr)
        return 2
    chosen = [mutant for mutant in MUTANTS if not options.only or mutant.name in options.only]
    signal.signal(signal.SIGTERM, interrupt)
    prover = Prover(options.seeds, options.timeout)
    try:
        with tempfile.TemporaryDirectory(prefix="planted-bugs-") as folder:
            return run_all(prover, chosen, Path(folder), options.jobs)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants.run", description="Plants bugs and shows that each is caught."
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this bug; may be given several times",
    )
    parser.add_argument("--jobs", type=int, default=2, help="proofs at once")
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="seeds that the simulator tries on each"
    )
    parser.add_argument(
        "--timeout", type=float, default=1_200.0, metavar="SECONDS", help="for the proof of one bug"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the page of the bugs, and plant none"
    )
    return parser.parse_args(arguments)


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run_all(prover: Prover, mutants: Sequence[Mutant], folder: Path, jobs: int) -> int:
    """The tree is copied once at the beginning, so later changes to it have no effect."""
    began = time.monotonic()
    pristine = folder / "pristine"
    copy_tree(ROOT, pristine)
    if not baseline_holds(prover, pristine, mutants, jobs):
        return 2

    def prove(mutant: Mutant) -> Verdict:
        return prove_one(prover, pristine, folder / mutant.name, mutant)

    width = max(len(mutant.name) for mutant in mutants)
    missed = []
    for mutant, verdict in side_by_side(prover, prove, mutants, jobs):
        text = describe(mutant, verdict, width)
        print(text, flush=True)
        if verdict.outcome is not Outcome.CAUGHT:
            missed.append(text)
    print(
        f"\n{len(mutants) - len(missed)} of {len(mutants)} planted bugs were caught, in "
        f"{time.monotonic() - began:.0f} s"
    )
    for text in missed:  # again: people read the end of a long log
        print(text)
    return 1 if missed else 0


def baseline_holds(prover: Prover, pristine: Path, mutants: Iterable[Mutant], jobs: int) -> bool:
    """A test that fails without a bug proves nothing. All pytest tests run in one call, as most of
    the time goes into starting.
    """
    proofs = dict.fromkeys(mutant.proof for mutant in mutants)
    tests = " ".join(proof for proof in proofs if proof != SIMULATION)
    all_tests = f"-n {jobs} --dist loadfile {tests}"
    for proof in [*([SIMULATION] if SIMULATION in proofs else []), *([all_tests] if tests else [])]:
        verdict = prover.prove(pristine, proof, len(proofs))
        if verdict.outcome is not Outcome.SURVIVED:
            print(
                f"without any bug: {verdict.outcome} by {verdict.by}: {verdict.said}",
                file=sys.stderr,
            )
            return False
        print(
            f"without any bug: {'simulation' if proof == SIMULATION else 'the other tests'} "
            f"held, {verdict.seconds:.0f} s",
            flush=True,
        )
    return True


def side_by_side(
    prover: Prover, prove: Callable[[Mutant], Verdict], mutants: Sequence[Mutant], jobs: int
) -> Iterable[tuple[Mutant, Verdict]]:
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(prove, mutant): mutant for mutant in mutants}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            prover.stop()
            raise


def prove_one(prover: Prover, pristine: Path, tree: Path, mutant: Mutant) -> Verdict:
    try:
        copy_tree(pristine, tree)
        plant(tree, mutant)
        return prover.prove(tree, mutant.proof)
    except DoesNotApply as error:
        return Verdict(Outcome.BROKEN, said=str(error))
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def copy_tree(source: Path, target: Path) -> None:
    """Includes the compiled modules, which have the same age as their sources."""
    target.mkdir()
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copy2(source / name, target / name)


def describe(mutant: Mutant, verdict: Verdict, width: int) -> str:
    by = f"by {verdict.by}" if verdict.by else ""
    return (
        f"{mutant.name:{width}}  {verdict.outcome:9}  {verdict.seconds:5.1f} s  "
        f"{by}\n{'':{width}}  {verdict.said[:150]}"
    )


if __name__ == "__main__":
    sys.exit(main())
