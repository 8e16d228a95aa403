"""Files that people give to a job, kept by their content in user_data/inputs: a job can be run again after a restart, the original is never touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

from studio.errors import BadInput, NotFound

KINDS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"GIF8": ".gif"}


class Inputs:
    """Keys are "<sha256><suffix>"; the suffix comes from the content, never from a name."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def keep(self, data: bytes) -> str:
        """Raises BadInput for what is no picture."""
        suffix = next((suffix for start, suffix in KINDS.items() if data.startswith(start)), "")
        if suffix == ".webp" and data[8:12] != b"WEBP":
            suffix = ""
        if suffix == ".gif" and not (data[6:8].strip(b"\0") and data[8:10].strip(b"\0")):  # no width or no height
            suffix = ""
        if not suffix:
            raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG, WebP or GIF file.", field="image")
        key = hashlib.sha256(data).hexdigest() + suffix
        path = self.folder / key
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        return key

    def path(self, key: str) -> Path:
        """Raises NotFound where it is gone; a key is a name, never a path."""
        path = self.folder / Path(key).name
        if not key or not path.is_file():
            raise NotFound("The picture that was given is not here any more.", hint="Give it again.", field="image")
        return path
