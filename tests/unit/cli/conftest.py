"""The command line in this process, against a store in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.support.world import World

from log_aggregator import wiring
from log_aggregator.cli import main
from log_aggregator.ports.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: bytes
    err: str


Command = Callable[..., Outcome]
PLACE = ("--destination-bucket", "dest")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """`command(world, "extract", "--date", ...)` returns the output and the exit code."""

    def call(
        world: World,
        *arguments: str,
        store: ObjectStore | None = None,
        place: tuple[str, ...] = PLACE,
    ) -> Outcome:
        monkeypatch.setattr(wiring, "connect", lambda *_: wiring.attend(store or world.store))
        # where packs are; what looks at layouts alone has no such option
        own = () if arguments[:1] == ("layouts",) else place
        monkeypatch.setattr(sys, "argv", ["log-aggregator", *arguments, *own])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfdbinary.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        assert "Traceback" not in err.decode()
        return Outcome(code, out, err.decode())

    return call
