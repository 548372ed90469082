"""The file of `omisim serve --state FILE`: a SQLite database that holds everything that the cloud has committed.

The server that has it open holds an exclusive lock on it. A JSON dump in its place, as omisim 0.1 wrote it, is taken
over.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from omisim.base.garbage import pause_collections
from omisim.base.private_file import PRIVATE, write_private
from omisim.cloud.cloud import Cloud
from omisim.state.sqlite_store import (
    APPLICATION_ID,
    FORMAT,
    IN_USE,
    LOG_PAGES,
    SqliteStore,
    create_tables,
    explain_error,
    load_json,
    read_dump,
    read_head,
)

try:
    import fcntl
except ImportError:  # Windows: two servers that take over one dump at the same moment are not kept apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["open_state_file", "read_state_file"]

DATABASE = b"SQLite format 3\0"  # how the file of a database begins


@contextmanager
def open_state_file(name: str, create: Callable[[], Cloud], prepare: Callable[[Cloud], None]) -> Iterator[Cloud]:
    """Yield the cloud that a state file holds, and keep in the file whatever it commits until the context exits.

    `create` returns the cloud for a file that does not exist yet. `prepare` adds the accounts of the command line; if
    it raises, the file is as before. Raises ValueError, which begins with the file's name, if the file is damaged, of
    another version or program, in use, or cannot be written.
    """
    path = Path(os.path.realpath(name))  # the target of a symbolic link is written
    try:
        with pause_collections():
            cloud, database = _open(path, create, prepare)
    except sqlite3.Error as error:
        raise ValueError(f"{name}: {explain_error(error)}") from None
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror or error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    store = SqliteStore(database, name, partial(_find_move, path, path.stat()))
    try:
        cloud.engine.keep_in(store)
        with cloud.engine.atomic():
            prepare(cloud)
        yield cloud
    finally:
        store.close()


def _find_move(path: Path, opened: os.stat_result) -> str:
    """Return what to do if the opened file is not at its place any more, or "". SQLite would go on writing to it."""
    try:
        if os.path.samestat(opened, os.stat(path)):  # noqa: PTH116 - half the time of Path.stat, at each commit
            return ""
    except OSError:
        pass
    return f"the file was moved, deleted or replaced: bring it back ({path.name}-wal holds its last changes)"


def read_state_file(name: str) -> Cloud:
    """Return the cloud of a state file that no server uses, or of a JSON dump, and leave the file as it is.

    Raises OSError for a file that cannot be read, and ValueError for one that is neither, is damaged, or is in use.
    """
    path = Path(os.path.realpath(name))
    try:
        _check_kind(path)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    with Path(name).open("rb") as file:  # an OSError names the file as the caller does
        is_database = file.read(len(DATABASE)) == DATABASE
    try:
        with pause_collections():
            return _read(path)[0] if is_database else _load_dump(path.read_bytes())
    except sqlite3.Error as error:
        raise ValueError(f"{name} cannot be read: {explain_error(error)}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _open(
    path: Path, create: Callable[[], Cloud], prepare: Callable[[Cloud], None]
) -> tuple[Cloud, sqlite3.Connection]:
    """Return the cloud of a file, and its database, locked."""
    if not path.parent.is_dir():
        raise ValueError("the directory does not exist")
    _check_kind(path)
    has_log = _has_log(path)  # asked first: a server that has begun since has a file, too
    if not path.exists():
        _check_log(path, has_log)
        cloud = create()
        prepare(cloud)
        return cloud, _lock(path, _write_new(path, cloud, _move_to_new_name))
    with path.open("rb") as file:
        if file.read(len(DATABASE)) != DATABASE:
            return _take_over(path, file, prepare)
    cloud, head = _read(path)
    return cloud, _lock(path, head)


def _check_kind(path: Path) -> None:
    """Refuse an existing pipe or device, which could be read without end, and a symbolic link without a target."""
    if path.is_symlink():  # of a link that has one, the target is opened
        raise ValueError("a symbolic link that leads to itself")
    if path.exists() and not (path.is_file() or path.is_dir()):  # opening a directory has an error of its own
        raise ValueError("not a regular file")


def _has_log(path: Path) -> bool:
    return Path(f"{path}-wal").exists()


def _check_log(path: Path, has_log: bool) -> None:
    """Refuse a log without its file: SQLite would apply it to a new one."""
    if has_log:
        log = f"{path.name}-wal"
        raise ValueError(f"{log} is left of an earlier file: bring that file back, or delete {log}, too")


def _read(path: Path) -> tuple[Cloud, str]:
    """Return the cloud of a database, and its head."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0)) as database:
        _check_header(database)
        dump, head = read_dump(database), read_head(database)
    return Cloud.load(dump), head


def _load_dump(text: bytes) -> Cloud:
    try:
        data = load_json(text.decode())
    except ValueError as error:
        raise ValueError(f"neither a state file nor a JSON dump: {error}") from None
    return Cloud.load(data)


def _check_header(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ValueError("the file is a database of another program")
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        raise ValueError(f"the file is of version {version}; this omisim reads version {FORMAT}")


def _take_over(path: Path, file: BinaryIO, prepare: Callable[[Cloud], None]) -> tuple[Cloud, sqlite3.Connection]:
    """Replace a JSON dump by a database with the same cloud, and keep the dump as FILE.bak."""
    _lock_dump(path, file)
    file.seek(0)
    text = file.read()
    if not text:
        raise ValueError("the file is empty: delete it to begin with a new cloud")
    _check_log(path, _has_log(path))
    cloud = _load_dump(text)
    prepare(cloud)
    backup = path.with_name(path.name + ".bak")
    if not backup.exists():
        with _draft(backup) as draft:
            write_private(draft, text)
            draft.replace(backup)
    elif backup.read_bytes() != text:
        raise ValueError(f"{backup.name} is in the way: the dump would be kept under this name")
    return cloud, _lock(path, _write_new(path, cloud, Path.replace))


def _lock_dump(path: Path, file: BinaryIO) -> None:
    """Keep other servers from taking over the same dump, for as long as the file is open."""
    if fcntl is not None and sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(IN_USE) from None
    if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise ValueError(IN_USE)


def _write_new(path: Path, cloud: Cloud, move: Callable[[Path, Path], object]) -> str:
    """Write the database of a cloud beside its place, move it there, and return its head."""
    with _draft(path) as draft:
        with closing(sqlite3.connect(draft, isolation_level=None)) as database:
            create_tables(database, cloud.engine.describe())
            head = read_head(database)
        move(draft, path)
    return head


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Yield an empty file beside a path, which is removed at the end unless it was moved."""
    handle, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _move_to_new_name(draft: Path, path: Path) -> None:
    """Give a file a new name. Raises ValueError if another server has just given it to another file."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise ValueError(IN_USE) from None
    except OSError:  # a file system without hard links, such as FAT
        draft.replace(path)


def _check_head(database: sqlite3.Connection, head: str) -> None:
    if read_head(database) != head:
        raise ValueError("another server has just used this file: start again")


def _lock(path: Path, head: str) -> sqlite3.Connection:
    """Open a database with an exclusive lock, and write to it once, to see that it can be written."""
    try:
        path.chmod(PRIVATE)  # SQLite creates its log with the same mode
    except PermissionError:
        raise ValueError("the file belongs to another user, who alone can make it private (chmod 600)") from None
    database = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=0
    )
    try:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {pragma}").fetchone()
        database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        database.execute("UPDATE part SET value = value")
        path.with_name(path.name + "-shm").unlink(missing_ok=True)  # of readers; an exclusive lock needs none
        _check_head(database, head)
    except BaseException:
        database.close()
        raise
    return database
