"""The check of our English finds what it is for, in each place where people read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_prose import check_prose, keep_messages, main, read_vocabulary

PHRASES = [phrase for row in read_vocabulary() for phrase in row.avoided]


def test_every_phrase_of_the_vocabulary_is_found_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("".join(f"It {phrase} there.\n\n" for phrase in PHRASES))
    found = {each.line for each in check_prose([page]) if "instead write" in each.message}
    assert found == {1 + 2 * row for row in range(len(PHRASES))}


def test_docstrings_comments_and_messages_are_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Whoever reads this."""\n'
        "# whoever reads that\n"
        'raise ValueError(f"{name} is for whoever asks")\n'
        "if whoever is None: pass\n"
    )
    assert [each.line for each in check_prose([module])] == [1, 2, 3]


def test_a_page_is_checked_for_spelling_and_for_long_sentences(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        f"It is a mistaek of `UploadPart` and CloudTrail.\n\nIt {'is very ' * 25}long.\n"
    )
    spelling, length = check_prose([page])
    assert (spelling.line, spelling.message.partition(":")[0]) == (1, "'mistaek'")
    assert length.line == 3
    assert "words long" in length.message


def test_plain_english_passes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Originals are deleted only after their pack is verified.\n")
    assert check_prose([page]) == []


def test_a_finding_ends_with_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("check_prose.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("Plain words.\n\nWhoever reads this.\n")
    assert main([str(page)]) == 1
    assert capsys.readouterr().out.startswith("page.md:3: 'Whoever': instead write: anyone who")
    page.write_text("Plain words.\n")
    assert main([str(page)]) == 0


def test_messages_keep_their_lines() -> None:
    source = '"""A docstring."""\nx = "name"\nraise ValueError(\n    "two words"\n    " more"\n)\n'
    assert keep_messages(source) == "\n\n\ntwo words more. \n\n\n"
