"""Keys with terminal escape sequences, which anyone with write access to a log bucket can
choose.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.world import DAY, World, flow_key, make_world, pack_gzip
from tests.unit.cli.conftest import Command

HOSTILE = flow_key("line\nbreak \x1b]0;title\x07.log.gz")
ON_THE_DAY = ("--date", f"{DAY}")


def packed() -> World:
    world = make_world()
    world.put("logs", HOSTILE, pack_gzip(b"x\n"))
    assert world.run().failures == []
    return world


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", *ON_THE_DAY],
        ["put-back", *ON_THE_DAY, "--dry-run"],
        ["extract", *ON_THE_DAY, "--lines"],
        ["extract", f"{HOSTILE}x", "--output", "-"],
        ["thaw", *ON_THE_DAY],
    ],
)
def test_no_escape_sequence_reaches_the_terminal(command: Command, arguments: list[str]) -> None:
    """It holds for keys that were found, that failed, and that were asked for but do not exist."""
    world = packed()
    if arguments[0] == "extract":
        (pack,) = world.store.list_objects("dest", prefix="packs/").objects
        damaged = bytearray(world.store.get_object("dest", pack.key).data)
        damaged[12] ^= 1
        world.store.put("dest", pack.key, bytes(damaged))
    done = command(world, *arguments)
    assert "\x1b" not in done.out.decode() + done.err
    if arguments[0] in ("find", "put-back"):
        assert "line\\nbreak \\x1b]0;title\\x07.log.gz" in done.out.decode() + done.err


def test_a_file_with_a_hostile_name_is_renamed(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --output the file is named after the key's last segment, where a file name can be."""
    monkeypatch.chdir(tmp_path)
    assert command(packed(), "extract", HOSTILE).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["line%0Abreak %1B]0;title%07.log.gz"]
