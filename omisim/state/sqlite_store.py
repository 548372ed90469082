"""`SqliteStore`: a JournalStore in a SQLite database, with a write-ahead log.

A commit is one transaction. It has reached the operating system when it returns, so that `kill -9` loses nothing. It
has not reached the disk: a power failure may lose the last commits, but leaves the file whole.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

from omisim.state.journal_store import COUNTER, Delta, StoreError

__all__ = [
    "APPLICATION_ID", "FORMAT", "IN_USE", "LOG_PAGES", "SqliteStore", "create_tables", "explain_error",
    "load_json", "read_dump", "read_head",
]  # fmt: skip

APPLICATION_ID = 0x6F6D6973  # "omis", in the header of the file
FORMAT = 1  # the version of the tables, in the header of the file; the dump inside has a version of its own
LOG_PAGES = 4000  # pages in the log before SQLite copies them into the file
IN_USE = "another server uses this file"
# the beginning of SQLite's name of an error → what to do
_ADVICE = {
    "SQLITE_CANTOPEN": "its folder must be writable and have room for another file",
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_IOERR": "its disk may be full, or the size of files limited (ulimit -f)",
    "SQLITE_READONLY": "the file and its folder must be writable",
}
_TABLES = (
    "CREATE TABLE part (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE row (kind TEXT, id TEXT, number INTEGER, value TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID",
    "CREATE TABLE journal (first INTEGER PRIMARY KEY, value TEXT NOT NULL)",
)
_SET_PART = "INSERT INTO part VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_SET_ROW = (
    "INSERT INTO row VALUES (?, ?, ?, ?) "
    "ON CONFLICT (kind, id) DO UPDATE SET number = excluded.number, value = excluded.value"
)
_TRIM = "DELETE FROM journal WHERE first < (SELECT max(first) FROM journal WHERE first <= ?)"
_CHANGES = 1000  # in a row of the journal when a whole dump is written


class SqliteStore:
    """The store in an open database, which it owns. `name` is the file's name in errors.

    The database must be in autocommit mode (`isolation_level=None`), and be used under the lock of one engine.
    `find_problem` returns why nothing must be written at the moment, or "".
    """

    def __init__(self, database: sqlite3.Connection, name: str, find_problem: Callable[[], str] = str) -> None:
        self._database = database
        self._name = name
        self._find_problem = find_problem
        self._trimmed = 0  # the number of the oldest kept change at the last commit
        self._end: float = inf  # blocks of the journal may begin before this number; unknown at first

    def append(self, delta: Delta) -> None:
        """Keep one commit. Raises StoreError, and changes nothing, if the file cannot be written."""
        run = self._database.execute
        with self._transaction():
            for kind, row_id, number, value in delta.rows:
                run(_SET_ROW, (kind, _escape(row_id), number, value))
            for kind, row_id in delta.gone:
                run("DELETE FROM row WHERE kind = ? AND id = ?", (kind, _escape(row_id)))
            if delta.first < self._end:
                run("DELETE FROM journal WHERE first >= ?", (delta.first,))  # undone since
            if delta.journal:
                run("INSERT INTO journal VALUES (?, ?)", (delta.first, delta.journal))
            if delta.trimmed != self._trimmed:
                run(_TRIM, (delta.trimmed,))
            if delta.settings is not None:
                run(_SET_PART, ("settings", delta.settings))
            run(_SET_PART, ("head", delta.head))
        self._trimmed, self._end = delta.trimmed, delta.first + 1

    def replace(self, dump: Mapping[str, Any]) -> None:
        """Keep this dump in place of everything so far. Raises StoreError if the file cannot be written."""
        run = self._database.execute
        with self._transaction():
            for table in ("part", "row", "journal"):
                run(f"DELETE FROM {table}")  # noqa: S608 - a name from the line above
            _fill(self._database, dump)

    def close(self) -> None:
        """Close the file. Its log is copied into it. Raises StoreError if the file cannot be written any more."""
        try:
            self._database.close()
        except sqlite3.Error as error:
            raise StoreError(f"{self._name} cannot be written: {explain_error(error)}") from error
        self._check()

    def _check(self) -> None:
        if problem := self._find_problem():
            raise StoreError(f"{self._name} cannot be written: {problem}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._check()
        try:
            self._roll_back()  # an interruption may have left a transaction open
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                self._roll_back()
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"{self._name} cannot be written: {explain_error(error)}") from error
            raise

    def _roll_back(self) -> None:
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")


def explain_error(error: sqlite3.Error) -> str:
    """Return what SQLite says of an error, in one line, and what to do."""
    code = getattr(error, "sqlite_errorname", "")  # the errors of Python's module have none
    if code.startswith("SQLITE_BUSY"):
        return IN_USE
    advice = [text for beginning, text in _ADVICE.items() if code.startswith(beginning)]
    return f"{error} ({code}): {advice[0]}" if advice else f"the file is damaged: {error}"


def create_tables(database: sqlite3.Connection, dump: Mapping[str, Any]) -> None:
    """Make an empty database a state file that holds a dump, with its session."""
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {FORMAT}")
    database.execute("BEGIN")
    for table in _TABLES:
        database.execute(table)
    _fill(database, dump)
    database.execute("COMMIT")


def _fill(database: sqlite3.Connection, dump: Mapping[str, Any]) -> None:
    journal = dump["journal"]
    head = {name: dump[name] for name in ("clock", "trimmed", "session")}
    head |= {"position": dump["trimmed"] + len(journal), "counters": dump["rows"].get(COUNTER, {})}
    parts = {"omisim": dump["omisim"], "settings": dump["settings"], "head": head}
    database.executemany("INSERT INTO part VALUES (?, ?)", ((name, json.dumps(part)) for name, part in parts.items()))
    rows = (
        (kind, _escape(row_id), number, json.dumps(row))
        for kind, saved in dump["rows"].items()
        if kind != COUNTER
        for row_id, (number, row) in saved.items()
    )
    database.executemany("INSERT INTO row VALUES (?, ?, ?, ?)", rows)
    starts = range(0, len(journal), _CHANGES)
    blocks = ((dump["trimmed"] + start, json.dumps(journal[start : start + _CHANGES])) for start in starts)
    database.executemany("INSERT INTO journal VALUES (?, ?)", blocks)


def read_head(database: sqlite3.Connection) -> str:
    """Return the part of a state file that every commit changes."""
    row = database.execute("SELECT value FROM part WHERE name = 'head'").fetchone()
    return "" if row is None else str(row[0])


def read_dump(database: sqlite3.Connection) -> dict[str, Any]:
    """Return the dump in a state file, with its session.

    Raises ValueError, with the place, for a damaged file, and sqlite3.Error for one that SQLite cannot read.
    """
    try:
        if (problem := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise ValueError(f"the file is damaged: {' '.join(problem.split())}")
        parts = {name: _parse(f"the part {name}", text) for name, text in database.execute("SELECT * FROM part")}
        head = parts.pop("head")
        position, counters = head.pop("position"), head.pop("counters")
        rows = database.execute("SELECT kind, id, number, value FROM row ORDER BY kind, number").fetchall()
        blocks = database.execute("SELECT first, value FROM journal ORDER BY first").fetchall()
    except (AttributeError, KeyError, TypeError):
        raise ValueError("the file is damaged: its table `part` has no head with position and counters") from None
    journal = _join_blocks(blocks, head.get("trimmed"), position)
    kinds: dict[str, Any] = _group_rows(rows) | ({COUNTER: counters} if counters else {})
    dump: dict[str, Any] = {**parts, **head, "rows": kinds, "journal": journal}
    return dump


def _group_rows(rows: list[tuple[str, str, int, str]]) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    for kind, row_id, number, value in rows:
        texts.setdefault(kind, []).append(f'"{row_id}":[{number},{value}]')
    try:
        return {kind: load_json(f"{{{','.join(lines)}}}") for kind, lines in texts.items()}
    except ValueError:
        for kind, row_id, _, value in rows:
            _parse(f"rows.{kind}.{row_id}", value)
        raise


def _join_blocks(blocks: list[tuple[int, str]], trimmed: Any, position: Any) -> list[Any]:
    """Return the kept changes: a block replaces those of earlier blocks from its first number on."""
    changes: dict[int, Any] = {}
    for first, text in blocks:
        block = _parse(f"the journal from {first}", text)
        if not isinstance(block, list):
            raise ValueError(f"the file is damaged: the journal from {first} is not a list")
        changes |= {first + number: change for number, change in enumerate(block)}
    if type(trimmed) is not int or type(position) is not int or not 0 <= position - trimmed <= len(changes):
        raise ValueError(f"the file is damaged: the journal does not reach from {trimmed!r} to {position!r}")
    return [changes.get(number) for number in range(trimmed, position)]


def _parse(place: str, text: Any) -> Any:
    try:
        return load_json(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the file is damaged: {place} is not JSON: {error}") from None


def load_json(text: str) -> Any:
    """Return the value of a JSON text, in half the time of `parse_json`: the reader of a dump judges the values.

    Raises ValueError for other text, and for values nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the value is nested too deep") from None


def _escape(row_id: str) -> str:
    """Return an id as it stands in JSON between quotes: SQLite takes no text with a lone surrogate."""
    return json.dumps(row_id)[1:-1]
