"""Turns original keys into file paths for Linux and macOS: safe, readable, and never the same for
two keys.

A key is any text of up to 1,024 bytes. Its segments become folders and a file. Characters that a
file system cannot store or would misinterpret, and those that are harmful to print (`escapes`), are
percent-encoded. So is every percent sign, so that the result is unambiguous.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from log_aggregator.escapes import replace_harmful
from log_aggregator.model import Member

NAME_BYTES_MAX = 220
"""The limit for one name. File systems allow 255; files that are named after another one get a
suffix.
"""

_UNSAFE = re.compile(r"[%/\\]")
_EXTENSIONS = re.compile(r"(?:\.(?:json|log|txt|csv|parquet|zip|gz|gzip))+\Z")


def encode_segments(key: str) -> list[str]:
    """The names of the folders and the file, outermost first, different for different keys."""
    return [_encode(segment) for segment in key.split("/")]


def fit_encoding(name: str, encoding: str) -> str:
    """A name for a file system whose encoding is not Unicode: characters that it lacks are
    percent-encoded as well.
    """
    return "".join(char if _is_in(char, encoding) else _percent(char) for char in name)


def name_version(name: str, member: Member) -> str:
    """The name of an older version, with its version id, or its ETag if it has none, before the
    extensions.
    """
    version = (
        member.version_id
        if member.version_id not in (None, "null")
        else f"{member.version_id or 'etag'}-{member.etag}"
    )
    extensions = _EXTENSIONS.search(name)
    end = extensions.start() if extensions else len(name)
    return f"{name[:end]}.version-{_encode(str(version))}{name[end:]}"


class PathNames:
    """Gives every file a path of its own, even on file systems that ignore case or Unicode form. It
    takes 100 bytes of memory for each file.

    The same files in the same order get the same paths.
    """

    def __init__(self) -> None:
        self._files: set[bytes] = set()
        self._folders: set[bytes] = set()

    def place(self, segments: list[str], unique: str) -> list[str]:
        """The segments, shortened and changed as far as needed. `unique` is a text that no other
        file has.
        """
        folders: list[str] = []
        for segment in segments[:-1]:
            folders.append(_shorten(segment))
            if _fold(folders) in self._files:  # another key is a file with this folder's path
                folders[-1] = _shorten(f"{folders[-1]}%folder")
            self._folders.add(_fold(folders))
        return self._take(folders, _shorten(segments[-1]), "", unique)

    def place_beside(self, path: list[str], suffix: str, unique: str) -> list[str]:
        """The path of a file that belongs to the one at `path` and is named after it."""
        return self._take(path[:-1], path[-1], suffix, unique)

    def forget(self, path: list[str]) -> None:
        """Frees the path of a file that was not written."""
        self._files.discard(_fold(path))

    def _take(self, folders: list[str], name: str, suffix: str, unique: str) -> list[str]:
        path = [*folders, name + suffix]
        digest = unique
        while _fold(path) in self._files or _fold(path) in self._folders:
            digest = hashlib.sha256(digest.encode("utf-8", "surrogatepass")).hexdigest()
            path[-1] = f"{name}%{digest[:16]}{suffix}"
        self._files.add(_fold(path))
        return path


def _is_in(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _encode(segment: str) -> str:
    if segment in ("", ".", ".."):
        return "%" + segment.replace(".", "%2E")
    return replace_harmful(_UNSAFE.sub(lambda found: _percent(found[0]), segment), _percent)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def _shorten(name: str) -> str:
    """A name that is too long keeps its beginning and its extensions, and gets a hash."""
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    extensions = _EXTENSIONS.search(name)
    end = extensions[0][-40:] if extensions else ""
    room = NAME_BYTES_MAX - len(end.encode()) - 18
    begin = name.encode()[:room].decode(errors="ignore")
    return f"{begin}%~{hashlib.sha256(name.encode()).hexdigest()[:16]}{end}"


def _fold(path: list[str]) -> bytes:
    """A hash of what file systems that ignore case or Unicode form compare; 16 bytes are enough to
    tell all paths apart.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFD", "/".join(path)).casefold())
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
