"""Storage: how much each visitor keeps on the disk, and who has too much. The studio's owner may fill it; visitors are all others who sign in.

Counted are outputs (in the trash too), files given to jobs, and for a day what was uploaded to the page, which is as long as it lies there.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import StorageFull
from studio.gate import LOCAL_OWNER
from studio.inputs import Inputs
from studio.store import Store

KEY = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{2,4}")  # of an input
UPLOAD = "upload:"  # before the id of an upload, which is no input yet
UPLOAD_SECONDS = 24 * 3600  # how long the page's uploads are kept
FRESH_SECONDS = 3600  # a page may still hold an input that no job has named yet


class Storage:
    """`limit` gives GB for each visitor, 0 for no limit. Sums come from the database, never from a walk through folders."""

    def __init__(self, store: Store, limit: Callable[[], float]) -> None:
        self.store = store
        self.limit = limit

    def limits(self, owner: str) -> bool:
        return owner != LOCAL_OWNER and self.limit() > 0

    def used(self, owner: str) -> int:
        """Bytes."""
        return self.store.bytes_of(owner, uploads=UPLOAD, since=time.time() - UPLOAD_SECONDS)

    def admit(self, owner: str, more: int = 0) -> None:
        """Raises StorageFull for a visitor who keeps as much as is allowed, or would with `more` bytes."""
        if not self.limits(owner) or self._fits(owner, more):
            return
        self._free(owner)
        if not self._fits(owner, more):
            used, most = f"{self.used(owner) / 2**30:.2f}", f"{self.limit():g}"
            raise StorageFull(
                f"This takes {more / 2**20:.1f} MB, and {used} of the {most} GB that you may keep here are used." if more else f"Your storage here is full: {used} of {most} GB are used.",
                hint="Move outputs to the gallery's trash and empty it; uploads stop counting after a day.",
            )

    def _fits(self, owner: str, more: int) -> bool:
        used, most = self.used(owner), self.limit() * 2**30
        return used + more <= most if more else used < most

    def uploaded(self, owner: str, size: int) -> str:
        """An upload to the page is about to come: its key. Raises StorageFull."""
        self.admit(owner, size)
        key = f"{UPLOAD}{uuid.uuid4().hex}"
        self.store.note_input(owner, key, size)
        return key

    def broken_off(self, owner: str, key: str, came: int) -> None:
        """Of an upload only so much came, which is all that lies on the disk."""
        self.store.resize_input(owner, key, came)

    def inputs(self, owner: str) -> Inputs:
        """Inputs that a person gives: what is new of them is counted, or refused by a StorageFull."""

        def given(key: str, size: int) -> None:
            if not self.store.has_input(owner, key):
                self.admit(owner, size)
            self.store.note_input(owner, key, size)

        return Inputs(self.store.data / "inputs", given)

    def named(self, owner: str, params: dict[str, Any], inputs: Inputs) -> None:
        """The inputs that a job names are its owner's from now on, however they came."""
        for key in set(KEY.findall(json.dumps(params))):
            path = inputs.folder / key
            if path.is_file():
                self.store.note_input(owner, key, path.stat().st_size)

    def _free(self, owner: str) -> None:
        """What a visitor gave and nothing of anybody's names any more: such files go, as do notes of uploads that are gone."""
        now = time.time()
        self.store.forget_uploads(UPLOAD, now - UPLOAD_SECONDS)
        self.store.forget_inputs(owner, now - FRESH_SECONDS, KEY, Path(self.store.data / "inputs"))
