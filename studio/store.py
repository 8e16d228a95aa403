"""Store: outputs, jobs, documents and remembered values in one SQLite file, with full-text search.

The files in outputs/ are the truth: each carries its own metadata, and a lost database is rebuilt from them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import metadata
from studio.artifacts import Artifact
from studio.errors import BadInput, DataFolderInUse, DiskFull, NotFound
from studio.host import Output

MIGRATIONS = (
    """
    CREATE TABLE outputs (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, job_id TEXT NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL,
        file TEXT NOT NULL, title TEXT NOT NULL, pipeline TEXT NOT NULL, created REAL NOT NULL, metadata TEXT NOT NULL,
        trashed INTEGER NOT NULL DEFAULT 0, favourite INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX outputs_by_owner ON outputs (owner, trashed, created DESC);
    CREATE VIRTUAL TABLE output_words USING fts5 (words, tokenize = 'trigram');
    CREATE TABLE jobs (id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, params TEXT NOT NULL, extras TEXT NOT NULL DEFAULT '{}', owner TEXT NOT NULL,
        source TEXT NOT NULL, lane TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, started REAL NOT NULL DEFAULT 0,
        finished REAL NOT NULL DEFAULT 0, ordinal INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '{}',
        text TEXT NOT NULL DEFAULT '', summary TEXT NOT NULL DEFAULT '{}', outputs TEXT NOT NULL DEFAULT '[]');
    CREATE INDEX jobs_by_state ON jobs (state, ordinal);
    CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, owner TEXT NOT NULL, title TEXT NOT NULL,
        body TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, deleted INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX documents_by_owner ON documents (kind, owner, deleted, updated DESC);
    CREATE VIRTUAL TABLE document_words USING fts5 (words, tokenize = 'trigram');
    CREATE TABLE remembered (owner TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (owner, key));
    """,
    """
    ALTER TABLE outputs ADD COLUMN bytes INTEGER NOT NULL DEFAULT -1;
    CREATE INDEX outputs_bytes ON outputs (owner, bytes);
    CREATE TABLE inputs (owner TEXT NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL, created REAL NOT NULL, PRIMARY KEY (owner, key));
    """,
)
JOB_JSON = ("params", "extras", "error", "summary", "outputs")
SAFE_NAME = re.compile(r"[^\w\- ]+", re.UNICODE)


@dataclass(frozen=True)
class Document:
    """Something a person keeps: a chat, a preset, a character. `body` is JSON."""

    id: str
    kind: str
    owner: str
    title: str
    body: dict[str, Any]
    created: float
    updated: float


class Store:
    """One data folder, held exclusively. Thread-safe: one connection, one lock, short transactions."""

    def __init__(self, data: Path) -> None:
        """Raises DataFolderInUse; a corrupt database is kept aside and rebuilt from the files (see .warnings)."""
        self.data = Path(data)
        self.outputs_path = self.data / "outputs"
        self.warnings: list[str] = []
        self.outputs_path.mkdir(parents=True, exist_ok=True)
        self._hold = hold_folder(self.data)
        self._lock = threading.RLock()
        self.changes = 0  # grows with every change of the outputs: pages look again when it moved
        self._db = self._open()
        self._measure()

    def close(self) -> None:
        with self._lock:
            self._db.close()
        self._hold.close()

    # -- outputs ---------------------------------------------------------------------------------------------

    def save(self, *, job_id: str, owner: str, pipeline_id: str, artifacts: list[Artifact], metadata: dict[str, Any]) -> list[Output]:
        """Files with their metadata inside and their rows: all of them or none. Raises DiskFull."""
        written: list[Path] = []
        try:
            with self._transaction():
                return [self._save_one(job_id, owner, pipeline_id, artifact, metadata, written) for artifact in artifacts]
        except BaseException as error:
            for path in written:
                path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno == errno.ENOSPC or isinstance(error, sqlite3.OperationalError) and "full" in str(error):
                raise DiskFull("The disk is full: the result could not be saved.", hint="Free some space, then generate again.") from error
            raise

    def output(self, output_id: str) -> Output:
        row = self._one("SELECT * FROM outputs WHERE id = ?", output_id)
        if row is None:
            raise NotFound("That output does not exist any more.", hint="Reload the gallery.")
        return self._output(row)

    def outputs(
        self, *, owner: str | None = None, kind: str = "", query: str = "", pipeline: str = "", trashed: bool = False,
        favourite: bool | None = None, limit: int = 60, offset: int = 0,
    ) -> list[Output]:  # fmt: skip
        where, values = _filters(owner, kind, query, pipeline, trashed, favourite)
        rows = self._all(f"SELECT * FROM outputs WHERE {where} ORDER BY created DESC, number DESC LIMIT ? OFFSET ?", *values, limit, offset)
        return [self._output(row) for row in rows]

    def outputs_of(self, job_id: str) -> list[Output]:
        """What a job has kept so far, in the order it was made."""
        return [self._output(row) for row in self._all("SELECT * FROM outputs WHERE job_id = ? AND trashed = 0 ORDER BY number", job_id)]

    def count(
        self, *, owner: str | None = None, kind: str = "", query: str = "", pipeline: str = "", trashed: bool = False, favourite: bool | None = None
    ) -> int:
        where, values = _filters(owner, kind, query, pipeline, trashed, favourite)
        row = self._one(f"SELECT count(*) FROM outputs WHERE {where}", *values)
        assert row is not None
        return int(row[0])

    def trash(self, ids: Iterable[str], *, owner: str) -> int:
        return self._mark("trashed", 1, ids, owner)

    def untrash(self, ids: Iterable[str], *, owner: str) -> int:
        return self._mark("trashed", 0, ids, owner)

    def favourite(self, output_id: str, on: bool, *, owner: str) -> None:
        self._mark("favourite", int(on), [output_id], owner)

    def adopt(self, path: Path, *, owner: str, about: dict[str, Any], text: str) -> bool:
        """Take a picture of another program in: linked where that can be, else copied; False where it is here already. Raises DiskFull."""
        changed = path.stat().st_mtime
        output_id = hashlib.sha256(f"{owner}\n{path.resolve()}\n{changed}".encode()).hexdigest()[:32]
        if self._one("SELECT 1 FROM outputs WHERE id = ?", output_id):
            return False
        target = self.outputs_path / time.strftime("%Y-%m-%d", time.localtime(changed)) / f"{output_id[:8]}-{SAFE_NAME.sub('', path.stem)[:60]}{path.suffix.lower()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        about = about | {"id": output_id, "title": path.stem, "kind": "image", "created": changed}
        try:
            try:
                os.link(path, target)
            except OSError:  # another disk, or a file system without links
                shutil.copyfile(path, target)
            metadata.sidecar(target).write_text(json.dumps(about), encoding="utf-8")
            with self._transaction():
                self._insert(output_id, "", owner, "image", target, path.stem, about["pipeline"], changed, about, text)
        except OSError as error:
            for half in (target, metadata.sidecar(target)):
                half.unlink(missing_ok=True)
            raise DiskFull(f"“{path.name}” could not be taken in ({error.strerror}).", hint="Free some space, then import again.") from error
        return True

    def purge(self, ids: Iterable[str], *, owner: str) -> int:
        """Delete trashed outputs for good, files too."""
        self.changes += 1
        gone = [output for output in map(self.output, ids) if output.owner == owner and output.trashed]
        with self._transaction():
            for output in gone:
                self._db.execute("DELETE FROM output_words WHERE rowid = (SELECT number FROM outputs WHERE id = ?)", (output.id,))
                self._db.execute("DELETE FROM outputs WHERE id = ?", (output.id,))
        for output in gone:
            path = Path(output.path)
            path.unlink(missing_ok=True)
            metadata.sidecar(path).unlink(missing_ok=True)
        return len(gone)

    def _save_one(self, job_id: str, owner: str, pipeline_id: str, artifact: Artifact, about: dict[str, Any], written: list[Path]) -> Output:
        output_id = uuid.uuid4().hex
        created = float(about.get("created") or time.time())
        about = about | {"id": output_id, "pipeline": pipeline_id, "title": artifact.title, "facts": artifact.facts, "kind": artifact.kind, "created": created}
        path = self._new_path(artifact, created, output_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        written += [part, path]
        whole = metadata.embed(artifact.data, artifact.suffix, about)
        part.write_bytes(whole)
        if whole is artifact.data:  # there is no room in it
            written.append(metadata.sidecar(path))
            metadata.sidecar(path).write_text(json.dumps(about), encoding="utf-8")
        part.replace(path)
        text = artifact.data[:100_000].decode("utf-8", "ignore") if artifact.kind == "text" else ""
        return self._insert(output_id, job_id, owner, artifact.kind, path, artifact.title, pipeline_id, created, about, text)

    def _insert(
        self, output_id: str, job_id: str, owner: str, kind: str, path: Path, title: str, pipeline_id: str, created: float, about: dict[str, Any], text: str
    ) -> Output:
        file = path.relative_to(self.outputs_path).as_posix()
        row = (output_id, job_id, owner, kind, file, title, pipeline_id, created, json.dumps(about, ensure_ascii=False), _size(path))
        self.changes += 1
        number = self._db.execute("INSERT INTO outputs (id, job_id, owner, kind, file, title, pipeline, created, metadata, bytes) VALUES (?,?,?,?,?,?,?,?,?,?)", row).lastrowid
        words = " ".join([title, text, *_strings(about.get("params", {}))])[:200_000]
        self._db.execute("INSERT INTO output_words (rowid, words) VALUES (?, ?)", (number, words))
        return Output(output_id, job_id, owner, kind, str(path), title, pipeline_id, created, about)

    def _new_path(self, artifact: Artifact, created: float, output_id: str) -> Path:
        name = SAFE_NAME.sub("", artifact.title)[:40].strip().replace(" ", "-") or artifact.kind
        day = time.strftime("%Y-%m-%d", time.localtime(created))
        return self.outputs_path / day / f"{time.strftime('%H%M%S', time.localtime(created))}-{name}-{output_id[:8]}{artifact.suffix}"

    def _output(self, row: sqlite3.Row) -> Output:
        return Output(
            row["id"], row["job_id"], row["owner"], row["kind"], str(self.outputs_path / row["file"]), row["title"], row["pipeline"], row["created"],
            json.loads(row["metadata"]), bool(row["trashed"]), bool(row["favourite"]),
        )  # fmt: skip

    def _mark(self, column: str, value: int, ids: Iterable[str], owner: str) -> int:
        self.changes += 1
        with self._transaction():
            return sum(self._db.execute(f"UPDATE outputs SET {column} = ? WHERE id = ? AND owner = ?", (value, one, owner)).rowcount for one in ids)

    # -- jobs ------------------------------------------------------------------------------------------------

    def put_job(self, row: dict[str, Any]) -> None:
        row = _encode(row)
        with self._transaction():
            self._db.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))

    def update_job(self, job_id: str, **fields: Any) -> None:
        fields = _encode(fields)
        with self._transaction():
            self._db.execute(f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in fields)} WHERE id = ?", (*fields.values(), job_id))

    def job_row(self, job_id: str) -> dict[str, Any]:
        row = self._one("SELECT * FROM jobs WHERE id = ?", job_id)
        if row is None:
            raise NotFound("That job is not known any more.")
        return _decode(row)

    def job_rows(self, states: list[str], limit: int = 500) -> list[dict[str, Any]]:
        marks = ", ".join("?" * len(states))
        return [_decode(row) for row in self._all(f"SELECT * FROM jobs WHERE state IN ({marks}) ORDER BY ordinal LIMIT ?", *states, limit)]

    # -- documents and remembered values ---------------------------------------------------------------------

    def put_document(self, *, kind: str, owner: str, title: str, body: dict[str, Any], id: str = "") -> Document:
        """Create, or replace one's own. Raises NotFound for somebody else's id."""
        now = time.time()
        document_id = id or uuid.uuid4().hex
        raw = json.dumps(body, ensure_ascii=False)
        words = " ".join([title, *_strings(body)])[:500_000]
        with self._transaction():
            old = self._one("SELECT * FROM documents WHERE id = ?", document_id)
            if old is not None and old["owner"] != owner:
                raise NotFound("That is not yours to change.")
            if old is None:
                values = (document_id, kind, owner, title, raw, now, now)
                number = self._db.execute("INSERT INTO documents (id, kind, owner, title, body, created, updated) VALUES (?,?,?,?,?,?,?)", values).lastrowid
                self._db.execute("INSERT INTO document_words (rowid, words) VALUES (?, ?)", (number, words))
            else:
                self._db.execute("UPDATE documents SET title = ?, body = ?, updated = ? WHERE id = ?", (title, raw, now, document_id))
                self._db.execute("UPDATE document_words SET words = ? WHERE rowid = ?", (words, old["number"]))
        return Document(document_id, kind, owner, title, body, old["created"] if old is not None else now, now)

    def document(self, document_id: str, *, owner: str) -> Document:
        row = self._one("SELECT * FROM documents WHERE id = ? AND owner = ? AND deleted = 0", document_id, owner)
        if row is None:
            raise NotFound("That does not exist any more.")
        return _document(row)

    def documents(self, kind: str, *, owner: str, query: str = "", limit: int = 200) -> list[Document]:
        where, values = ["kind = ?", "owner = ?", "deleted = 0"], [kind, owner]
        _search(where, values, query, "documents", "document_words")
        rows = self._all(f"SELECT * FROM documents WHERE {' AND '.join(where)} ORDER BY updated DESC LIMIT ?", *values, limit)
        return [_document(row) for row in rows]

    def delete_document(self, document_id: str, *, owner: str) -> None:
        self._mark_document(document_id, owner, 1)

    def undelete_document(self, document_id: str, *, owner: str) -> None:
        self._mark_document(document_id, owner, 0)

    def _mark_document(self, document_id: str, owner: str, deleted: int) -> None:
        with self._transaction():
            self._db.execute("UPDATE documents SET deleted = ? WHERE id = ? AND owner = ?", (deleted, document_id, owner))

    def remember(self, owner: str, key: str, value: Any) -> None:
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", (owner, key, json.dumps(value)))

    def recall(self, owner: str, key: str, default: Any = None) -> Any:
        row = self._one("SELECT value FROM remembered WHERE owner = ? AND key = ?", owner, key)
        return default if row is None else json.loads(row["value"])

    # -- how much is kept ------------------------------------------------------------------------------------

    def bytes_of(self, owner: str, *, uploads: str, since: float) -> int:
        """Bytes of a person's outputs, those in the trash too, and inputs; of those whose key begins with `uploads` only what came after `since`."""
        row = self._one(
            "SELECT (SELECT coalesce(sum(bytes), 0) FROM outputs WHERE owner = ?) + (SELECT coalesce(sum(bytes), 0) FROM inputs WHERE owner = ? AND (created > ? OR substr(key, 1, ?) != ?))",
            owner, owner, since, len(uploads), uploads,
        )  # fmt: skip
        assert row is not None
        return int(row[0])

    def has_input(self, owner: str, key: str) -> bool:
        return self._one("SELECT 1 FROM inputs WHERE owner = ? AND key = ?", owner, key) is not None

    def note_input(self, owner: str, key: str, size: int) -> None:
        """One that is known already is as fresh as if it had come now."""
        with self._transaction():
            self._db.execute("INSERT INTO inputs VALUES (?, ?, ?, ?) ON CONFLICT (owner, key) DO UPDATE SET created = excluded.created", (owner, key, size, time.time()))

    def resize_input(self, owner: str, key: str, size: int) -> None:
        with self._transaction():
            self._db.execute("UPDATE inputs SET bytes = ? WHERE owner = ? AND key = ?", (size, owner, key))

    def forget_uploads(self, uploads: str, before: float) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM inputs WHERE substr(key, 1, ?) = ? AND created <= ?", (len(uploads), uploads, before))

    def forget_inputs(self, owner: str, before: float, pattern: re.Pattern[str], folder: Path) -> None:
        """A person's inputs of an earlier time that no output, waiting job, document or remembered value of anybody names go; with their files, where nobody else gave the same."""
        with self._transaction():
            old = {row["key"] for row in self._all("SELECT key FROM inputs WHERE owner = ? AND created <= ?", owner, before) if pattern.fullmatch(row["key"])}
            places = ("metadata FROM outputs", "params FROM jobs WHERE state IN ('queued', 'running')", "body FROM documents", "value FROM remembered")
            for place in places if old else ():
                for row in self._db.execute(f"SELECT {place}"):
                    old.difference_update(pattern.findall(row[0]))
            for key in old:
                self._db.execute("DELETE FROM inputs WHERE owner = ? AND key = ?", (owner, key))
                if self._one("SELECT 1 FROM inputs WHERE key = ?", key) is None:
                    (folder / key).unlink(missing_ok=True)

    def _measure(self) -> None:
        """Outputs of studios that did not note how large their files are."""
        if rows := self._all("SELECT number, file FROM outputs WHERE bytes < 0"):
            with self._transaction():
                self._db.executemany("UPDATE outputs SET bytes = ? WHERE number = ?", [(_size(self.outputs_path / row["file"]), row["number"]) for row in rows])

    # -- the database ----------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        path = self.data / "studio.db"
        try:
            return _connect(path)
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"studio.broken-{int(time.time() * 1000)}.db")
            path.replace(aside)
            for rest in (path.with_name("studio.db-wal"), path.with_name("studio.db-shm")):
                rest.unlink(missing_ok=True)
            self._db = _connect(path)
            found = self._reindex()
            self.warnings.append(f"The database could not be read ({error}). It was kept as {aside.name}; {found} outputs were found again from their files.")
            return self._db

    def _reindex(self) -> int:
        found = 0
        for path in sorted(self.outputs_path.rglob("*")):
            if path.suffix == ".part" or path.name.endswith(".seisei.json") or not path.is_file():
                continue
            try:
                about = metadata.extract(path)
            except BadInput:
                continue
            text = metadata.body(path)[:100_000].decode("utf-8", "ignore") if path.suffix in (".md", ".txt") else ""
            with self._transaction():
                self._insert(
                    str(about.get("id") or uuid.uuid4().hex), "", "local", str(about.get("kind", "text")), path, str(about.get("title", "")),
                    about["pipeline"], float(about.get("created", path.stat().st_mtime)), about, text,
                )  # fmt: skip
            found += 1
        return found

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._db:
            yield

    def _one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
            return row

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def _size(path: Path) -> int:
    """Bytes; 0 of a file that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def hold_folder(data: Path) -> Any:
    """An exclusive lock that ends with the process. Raises DataFolderInUse."""
    held = (data / "studio.lock").open("a+")
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise DataFolderInUse(
            f"Another studio is using the data folder {data}.", hint="Use the one that is open, or start this one with --data-dir and another folder."
        ) from error
    return held


def _connect(path: Path) -> sqlite3.Connection:
    """Open and migrate. Raises sqlite3.DatabaseError for a file that is not a sound database."""
    db = sqlite3.connect(path, check_same_thread=False, timeout=30)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if (result := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(result)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise sqlite3.DatabaseError("it was written by a newer version of the studio")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _filters(owner: str | None, kind: str, query: str, pipeline: str, trashed: bool, favourite: bool | None) -> tuple[str, list[Any]]:
    where: list[str] = ["trashed = ?"]
    values: list[Any] = [int(trashed)]
    if pipeline.endswith("."):  # a family: "text." is text.chat and text.complete
        where.append("substr(pipeline, 1, ?) = ?")
        values += [len(pipeline), pipeline]
        pipeline = ""
    for column, value in (("owner", owner), ("kind", kind), ("pipeline", pipeline), ("favourite", None if favourite is None else int(favourite))):
        if value not in (None, ""):
            where.append(f"{column} = ?")
            values.append(value)
    _search(where, values, query, "outputs", "output_words")
    return " AND ".join(where), values


def _search(where: list[str], values: list[Any], query: str, table: str, index: str) -> None:
    """Each word must occur. Words under three letters are looked for without the index (trigrams need three)."""
    for word in query.split():
        if len(word) >= 3:
            where.append(f"{table}.number IN (SELECT rowid FROM {index} WHERE {index} MATCH ?)")
            values.append('"' + word.replace('"', '""') + '"')
        else:
            where.append(f"{table}.number IN (SELECT rowid FROM {index} WHERE words LIKE ? ESCAPE '\\')")
            values.append("%" + re.sub(r"([%_\\])", r"\\\1", word) + "%")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _encode(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in JOB_JSON else value for name, value in row.items()}


def _decode(row: sqlite3.Row) -> dict[str, Any]:
    return {name: json.loads(row[name]) if name in JOB_JSON else row[name] for name in row.keys()}  # noqa: SIM118 (a Row is no dict)


def _document(row: sqlite3.Row) -> Document:
    return Document(row["id"], row["kind"], row["owner"], row["title"], json.loads(row["body"]), row["created"], row["updated"])
