"""The files of words in user_data/wildcards: one choice a line, # before a remark, folders as parts of the name."""

from __future__ import annotations

import difflib
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from studio.api import BadInput

MOST_BYTES = 8 * 2**20
NEAR = 3


class Library:
    """Read when the first name is asked for. A name is found by its whole path or its last part, large or small letters; * and ? stand for letters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def files(self) -> dict[str, Path]:
        if not self.folder.is_dir():
            return {}
        return {path.relative_to(self.folder).with_suffix("").as_posix().lower(): path for path in sorted(self.folder.rglob("*.txt")) if path.is_file()}

    def find(self, name: str) -> list[Path]:
        """The files that a name means, in the order of their names; several only for one with * or ?."""
        wanted = name.lower().strip("/")
        if any(sign in wanted for sign in "*?"):
            return [path for known, path in self.files.items() if fnmatch(known, wanted)]
        if wanted in self.files:
            return [self.files[wanted]]
        return [path for known, path in self.files.items() if known.rpartition("/")[2] == wanted][:1]

    def lines(self, name: str) -> list[str]:
        """The choices of a name. Raises BadInput where there is no such file or nothing in it."""
        paths = self.find(name)
        if not paths:
            raise BadInput(f"There are no words for “__{name}__”.", hint=self._near(name), field="prompt")
        found = [line for path in paths for line in _read(path)]
        if not found:
            raise BadInput(f"The file of words “{name}” is empty.", hint="Write one choice a line into it.", field="prompt")
        return found

    def _near(self, name: str) -> str:
        short = {known: known for known in self.files} | {known.rpartition("/")[2]: known for known in self.files}
        near = list(dict.fromkeys(short[match] for match in difflib.get_close_matches(name.lower(), short, NEAR, 0.5)))
        return f"Did you mean {', '.join(f'__{known}__' for known in near)}?" if near else f"Put {name}.txt, one choice a line, into the folder wildcards of your data."


def _read(path: Path) -> list[str]:
    """Raises BadInput for what is too large or no text."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"The file of words “{path.stem}” is larger than {MOST_BYTES >> 20} MB.", hint="Make it smaller.", field="prompt")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The file of words “{path.stem}” can't be read.", hint="Save it as text in UTF-8.", field="prompt") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
