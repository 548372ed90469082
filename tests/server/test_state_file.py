"""The file of `omisim serve --state`: durable, private, locked, and never half written."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from support.catalogue import SUBREGION
from support.crashes import Server, crash

from omisim import ApiError, Cloud, SystemClock
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server.app import App
from omisim.server.state_file import open_state_file, read_state_file
from omisim.state.journal_store import StoreError
from omisim.state.sqlite_store import SqliteStore
from omisim.tools.cli import main

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals of POSIX")


@contextmanager
def reopen(path: Path, prepare: Callable[[Cloud], None] = lambda _: None) -> Iterator[Cloud]:
    """Open a state file as the server does; a new one begins with the account alice."""

    def create() -> Cloud:
        cloud = Cloud(clock=SystemClock())
        cloud.account("alice")
        return cloud

    with open_state_file(str(path), create, prepare) as cloud:
        yield cloud


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the path of a state file with one volume."""
    path = tmp_path / "cloud.db"
    with reopen(path) as cloud:
        cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)
    return path


def execute(path: Path, statement: str, *values: Any) -> None:
    """Change a state file behind the server's back."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, values)


@contextmanager
def limit_files(size: int) -> Iterator[None]:
    """Let this process write no further than this into any file, as if the disk were full."""
    import resource  # noqa: PLC0415 - Windows has none

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def default_handling(number: signal.Signals) -> Iterator[None]:
    """Start processes that do not ignore a signal, even if nohup lets this one ignore it."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


class TestContent:
    def test_survives_without_a_clean_stop(self, tmp_path: Path) -> None:
        """Each commit is in the file before it is answered: state, clock, session and settings."""
        with reopen(tmp_path / "cloud.db") as cloud:
            alice = cloud.account("alice")
            cloud.durations["snapshot.pending"] = 5
            cloud.set_capacity(SUBREGION, 3)
            cloud.faults.add("ReadVms", times=2)
            cloud.fail_next("snapshot", comment="planned")
            cloud.advance(86_400)
            mark = cloud.mark()
            alice.create_volume(subregion_name=SUBREGION, size=1)
            cloud.rollback(mark)
            alice.create_volume(subregion_name=SUBREGION, size=2)
            with pytest.raises(ApiError):
                alice.read_vms()
            with pytest.raises(ApiError):
                alice.create_volume(subregion_name=SUBREGION, size=-1)
            for name in ("cloud.db", "cloud.db-wal"):  # as a crash leaves them
                (tmp_path / name.replace("cloud", "crashed")).write_bytes((tmp_path / name).read_bytes())
            now, described, copied_volumes = cloud.now, cloud.engine.describe(), alice.read_volumes()
        with reopen(tmp_path / "crashed.db") as copy:
            assert copy.now >= now
            again = copy.engine.describe()
            assert again["clock"].pop("now") >= described["clock"].pop("now")
            assert again == described
            assert [fault.times for fault in copy.faults] == [1]
            assert copy.account("alice").read_volumes() == copied_volumes

    def test_gives_the_same_ids_as_without_a_restart(self, tmp_path: Path, state: Path) -> None:
        """Ids, numbers and request ids continue where they were."""
        with reopen(state) as cloud:
            uninterrupted = cloud.fork()
            uninterrupted.engine.session.requests = cloud.engine.session.requests
        with reopen(state) as cloud:
            for twin in (uninterrupted, cloud):
                twin.account("alice").call("CreateVolume", SubregionName=SUBREGION, Size=7)
            answers = [twin.account("alice").call("ReadVolumes") for twin in (uninterrupted, cloud)]
            ids = [[volume["VolumeId"] for volume in answer["Volumes"]] for answer in answers]
            assert ids[0] == ids[1]
            assert answers[0]["ResponseContext"] == answers[1]["ResponseContext"]

    def test_leaves_out_faults_that_call_a_function(self, state: Path) -> None:
        """A fault with a `meanwhile` function ends with the process, others are kept."""
        with reopen(state) as cloud:
            cloud.faults.add("ReadVms", meanwhile=list)
            cloud.faults.add("ReadVolumes")
            cloud.advance(1)
        with reopen(state) as cloud:
            assert [fault.action for fault in cloud.faults] == ["ReadVolumes"]

    def test_keeps_lock_outs(self, state: Path) -> None:
        """An account stays locked after a restart. [AUTH-009]"""
        with reopen(state) as cloud:
            account_id, session = cloud.account("alice").account_id, cloud.engine.session
            for _ in range(4):
                session.lockouts = session.lockouts.add_failure(account_id, cloud.now)
            cloud.advance(1)
        with reopen(state) as cloud:
            assert cloud.engine.session.lockouts.locked_until(account_id, cloud.now) is not None

    def test_follows_a_reset_and_a_load(self, state: Path) -> None:
        """The control plane's reset and load replace the content of the file, too."""
        with reopen(state) as cloud:
            control = App(cloud, "t", fresh=cloud.fork().fork).control
            control.endpoints["POST", "reset"]({})
            cloud.account("bob")
        with reopen(state) as cloud:
            assert cloud.accounts == ("alice", "bob")
            other = Cloud()
            other.account("zoe")
            App(cloud, "t").control.endpoints["POST", "load"](other.dump())
            cloud.account("zoe").create_volume(subregion_name=SUBREGION, size=1)
        with reopen(state) as cloud:
            assert cloud.accounts == ("zoe",)
            assert len(cloud.account("zoe").read_volumes()) == 1

    def test_keeps_no_longer_history_than_the_cloud(self, tmp_path: Path) -> None:
        """Changes that the cloud no longer lists leave the file, too."""
        path = tmp_path / "cloud.db"
        with open_state_file(str(path), lambda: Cloud(history=20), lambda _: None) as cloud:
            alice = cloud.account("alice")
            for _ in range(40):
                alice.create_volume(subregion_name=SUBREGION, size=1)
        with reopen(path) as cloud:
            assert len(cloud.engine.state.journal) < 60
            assert len(cloud.account("alice").read_volumes()) == 40

    def test_survives_kills_under_load(self, tmp_path: Path) -> None:
        """After each kill, the cloud has every answered request, and at most one without an answer."""
        _, problems = crash(tmp_path / "cloud.db", kills=2, seed=5)
        assert problems == []


class TestFailures:
    @pytest.fixture
    def full(self, state: Path) -> Iterator[Cloud]:
        """Yield a cloud whose disk is full."""
        with reopen(state) as cloud:
            database: sqlite3.Connection = attrgetter("_keeper.store._database")(cloud.engine)
            database.execute(f"PRAGMA max_page_count = {database.execute('PRAGMA page_count').fetchone()[0]}")
            yield cloud

    def test_of_the_disk_refuse_the_call_and_change_nothing(self, full: Cloud) -> None:
        """A call that cannot be kept is a 503, which clients try again, and the cloud is as before. [THR-004]"""
        alice = full.account("alice")
        before = full.fork()
        with pytest.raises(ApiError, match="full") as refused:
            alice.create_volume(subregion_name=SUBREGION, size=1, client_token="t" * 60)
        assert (refused.value.status, refused.value.rule) == (503, "THR-004")
        assert before.engine.state == full.engine.state
        assert full.calls("CreateVolume")[-1].status == 503

    @pytest.mark.parametrize(
        ("service", "path", "body"),
        [
            ("api", "/api/v1/CreateVms", '{"ImageId": "%s"}'),
            ("fcu", "/fcu", "Action=RunInstances&MinCount=1&MaxCount=1&ImageId=%s"),
        ],
    )
    def test_of_the_disk_are_in_the_call_log_with_their_action(
        self, full: Cloud, service: str, path: str, body: str
    ) -> None:
        """The record of a request that cannot be kept names omisim's action, whatever the door. [THR-004]"""
        full.engine.change_settings(auth="off")
        request = HttpRequest("POST", "", path, {}, (body % full.images.official("ubuntu").image_id).encode())
        assert FrontDoor(full.engine).handle(service, request, full.now).status == 503
        assert full.calls("CreateVms").one().status == 503

    def test_of_the_disk_refuse_python_and_the_control_plane(self, full: Cloud) -> None:
        """Methods of the cloud raise StoreError, the control plane answers 503; nothing has changed."""
        alice = full.account("alice")
        volume_id = alice.read_volumes()[0].volume_id
        before = full.engine.describe()
        with pytest.raises(StoreError, match=r"cloud\.db cannot be written: .*full"):
            full.write(volume_id, "/a", "text" * 100_000)
        request = HttpRequest(
            "POST", "", "/_omisim/write", {"x-omisim-token": "t"},
            json.dumps({"volume_id": volume_id, "path": "/a", "text": "text" * 100_000}).encode(),
        )  # fmt: skip
        answer = App(full, "t").control.handle(request)
        assert isinstance(answer, HttpResponse)
        assert answer.status == 503
        after = full.engine.describe()
        assert after | {"clock": before["clock"]} == before

    @pytest.mark.parametrize("in_unit", [False, True])
    def test_of_the_disk_refuse_a_rollback(
        self, state: Path, monkeypatch: pytest.MonkeyPatch, *, in_unit: bool
    ) -> None:
        """A rollback that cannot be kept changes nothing, in Python as in the control plane, and can be repeated."""
        with reopen(state) as cloud:
            alice, mark = cloud.account("alice"), cloud.mark()
            alice.create_volume(subregion_name=SUBREGION, size=2)
            before = cloud.engine.state.fork()
            with monkeypatch.context() as patch:
                patch.setattr(SqliteStore, "append", mock.Mock(side_effect=StoreError("full")))
                with pytest.raises(StoreError), cloud.engine.atomic() if in_unit else nullcontext():
                    cloud.rollback(mark)
                assert cloud.engine.state == before
            cloud.rollback(mark)
            described = cloud.dump()
        assert read_state_file(str(state)).dump()["rows"] == described["rows"]

    def test_are_over_when_the_disk_has_space_again(self, full: Cloud, state: Path) -> None:
        """The next call that can be kept is kept, and nothing in between."""
        alice = full.account("alice")
        volume_id = alice.read_volumes()[0].volume_id
        with pytest.raises(StoreError):
            full.write(volume_id, "/a", "text" * 100_000)
        database: sqlite3.Connection = attrgetter("_keeper.store._database")(full.engine)
        database.execute("PRAGMA max_page_count = 100000")
        alice.create_volume(subregion_name=SUBREGION, size=3)
        described = full.dump()
        database.execute("PRAGMA locking_mode = NORMAL")
        assert described["rows"].get("content") is None

    @POSIX
    def test_of_the_disk_end_the_start_with_advice(self, tmp_path: Path, state: Path) -> None:
        """Where SQLite says "disk I/O error" alone, the refusal says what it may be, and leaves the file alone."""
        before = state.read_bytes()
        for path in (state, tmp_path / "new.db"):
            with (
                limit_files(1000),
                pytest.raises(ValueError, match=r"db: disk I/O error \(SQLITE_IOERR_\w+\): its disk may be full"),
                reopen(path),
            ):
                pass
        assert state.read_bytes() == before
        assert not (tmp_path / "new.db").exists()

    @POSIX
    def test_while_a_dump_is_kept_leave_no_part_of_it(self, tmp_path: Path) -> None:
        """A FILE.bak that could be written in part only would be in the way of the next start."""
        file = tmp_path / "cloud.json"
        file.write_text(json.dumps(Cloud().dump()))
        with limit_files(100), pytest.raises(ValueError, match="File too large"), reopen(file):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["cloud.json"]

    @POSIX
    def test_by_a_moved_file_refuse_calls_until_it_is_back(self, tmp_path: Path, state: Path) -> None:
        """SQLite would go on writing into a file that was moved or deleted, where the next start does not look."""
        with reopen(state) as cloud:
            for others in ((), ("cloud.db",)):
                moved = state.rename(tmp_path / "moved.db")
                for name in others:
                    (tmp_path / name).write_text("another file")
                with pytest.raises(StoreError, match="was moved, deleted or replaced"):
                    cloud.account("bob")
                moved.replace(state)
            cloud.account("carol")
        with reopen(state) as cloud:
            assert cloud.accounts == ("alice", "carol")

    @POSIX
    def test_by_a_moved_file_are_told_at_the_stop(self, tmp_path: Path, state: Path) -> None:
        """The last changes are in the log then, which the message names."""
        server = reopen(state)
        server.__enter__().account("bob")
        state.rename(tmp_path / "moved.db")
        with pytest.raises(StoreError, match=r"cloud\.db-wal holds its last changes"):
            server.__exit__(None, None, None)
        (tmp_path / "moved.db").rename(state)
        with reopen(state) as cloud:
            assert cloud.accounts == ("alice", "bob")

    @POSIX
    @pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
    def test_of_a_read_only_folder_end_the_start(self, state: Path) -> None:
        """A file that cannot be written is refused before the server is ready."""
        state.parent.chmod(0o500)
        try:
            with pytest.raises(ValueError, match=r"cloud\.db: "), reopen(state):
                pass
        finally:
            state.parent.chmod(0o700)


class TestFile:
    @POSIX
    def test_is_private_with_its_log(self, tmp_path: Path) -> None:
        """FILE and its log have the mode 0600, whatever the umask and the earlier mode are."""
        before = os.umask(0)
        try:
            for _ in range(2):
                with reopen(tmp_path / "cloud.db") as cloud:
                    cloud.account("bob")
                    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
                    assert modes == {"cloud.db": 0o600, "cloud.db-wal": 0o600}
                (tmp_path / "cloud.db").chmod(0o644)
        finally:
            os.umask(before)
        assert [path.name for path in tmp_path.iterdir()] == ["cloud.db"]

    @POSIX
    def test_behind_a_symbolic_link_is_written(self, tmp_path: Path, state: Path) -> None:
        """The target of a link is opened, and created where it does not exist."""
        for target in (state, tmp_path / "new.db"):
            link = tmp_path / f"link-to-{target.name}"
            link.symlink_to(target)
            with reopen(link) as cloud:
                cloud.account("bob")
            assert link.is_symlink()
            with reopen(target) as cloud:
                assert "bob" in cloud.accounts

    def test_has_one_server(self, state: Path) -> None:
        """A second server is refused by the name of the file, and the first goes on."""
        with reopen(state) as cloud:
            with pytest.raises(ValueError, match=r"cloud\.db: another server uses this file"), reopen(state):
                pass
            cloud.account("carol")
        with reopen(state) as cloud:
            assert "carol" in cloud.accounts

    def test_has_one_server_from_its_beginning(self, tmp_path: Path) -> None:
        """Of two servers that start with the same new file at once, the second is refused."""
        path = tmp_path / "cloud.db"
        first = reopen(path)

        def create() -> Cloud:
            first.__enter__()  # after this server has found no file
            return Cloud()

        with pytest.raises(ValueError, match="another server uses this file"):
            open_state_file(str(path), create, lambda _: None).__enter__()
        first.__exit__(None, None, None)
        with reopen(path) as cloud:
            assert cloud.accounts == ("alice",)

    @pytest.mark.parametrize("content", [None, json.dumps(Cloud().dump())])
    def test_does_not_take_over_the_log_of_another(self, tmp_path: Path, content: str | None) -> None:
        """SQLite would apply the log that a killed server has left to a new file of the same name."""
        path, log = tmp_path / "cloud.db", tmp_path / "cloud.db-wal"
        log.write_bytes(b"log")
        if content is not None:
            path.write_text(content)
        with pytest.raises(ValueError, match=r"cloud\.db-wal is left of an earlier file"), reopen(path):
            pass
        assert log.read_bytes() == b"log"

    @POSIX
    def test_has_any_name(self, tmp_path: Path) -> None:
        """A name need not be UTF-8, and may hold what has a meaning in a URL."""
        for name in (b"\xff.db", b"a?b=c#d%41.db"):
            path = tmp_path / os.fsdecode(name)
            try:
                path.touch()
            except OSError:  # macOS has UTF-8 alone
                continue
            path.unlink()
            for _ in range(2):
                with reopen(path) as cloud:
                    cloud.account("bob")
            assert path.is_file()

    def test_is_unchanged_if_an_account_of_the_command_line_is_refused(self, state: Path, tmp_path: Path) -> None:
        """Accounts of the command line are kept together, or none of them."""

        def prepare(cloud: Cloud) -> None:
            cloud.account("bob")
            cloud.account("carol", region="mars")

        for path in (state, tmp_path / "new.db"):
            before = path.read_bytes() if path.exists() else None
            with pytest.raises(ValueError, match="region must be"), reopen(path, prepare):
                pass
            assert (path.read_bytes() if path.exists() else None) == before

    def test_takes_over_a_dump_of_the_first_version(self, tmp_path: Path) -> None:
        """A JSON dump becomes a database with the same cloud, and is kept as FILE.bak."""
        first = Cloud(timing="manual")
        alice = first.account("alice")
        volume_id = alice.create_volume(subregion_name=SUBREGION, size=4).volume_id
        vm_id = alice.create_vms(image_id=first.images.official("debian").image_id)[0].vm_id
        first.complete(volume_id)
        first.complete(vm_id)
        alice.create_snapshot(volume_id=volume_id)
        alice.create_image(vm_id=vm_id, image_name="golden")  # stops the VM and starts it again
        dump = json.loads(json.dumps(first.dump() | {"omisim": 1}))
        rows = [row for _, _, before, after in (entry[2:6] for entry in dump["journal"]) for row in (before, after)]
        rows += [row for kind in ("snapshot", "vm") for _, row in dump["rows"][kind].values()]
        for row in rows:  # as omisim 0.1 named its fields
            if isinstance(row, dict) and "volume_size" in row:
                row["flaw"] = row.pop("import_error", None)
            elif isinstance(row, dict) and "vm_type" in row:
                row["boot_modes"] = ["legacy"]
                row["restarts"] = row.pop("after_stop") == "start"
        del dump["settings"]["licences"], dump["settings"]["unserved"], dump["settings"]["default_region"]
        (tmp_path / "cloud.json").write_text(json.dumps(dump))
        for _ in range(2):
            with reopen(tmp_path / "cloud.json") as cloud:
                assert cloud == first
        assert json.loads((tmp_path / "cloud.json.bak").read_text()) == dump

    def test_keeps_another_backup(self, tmp_path: Path) -> None:
        """A FILE.bak with other content is not overwritten."""
        (tmp_path / "cloud.json").write_text(json.dumps(Cloud().dump()))
        (tmp_path / "cloud.json.bak").write_text("precious")
        with pytest.raises(ValueError, match=r"cloud\.json\.bak is in the way"), reopen(tmp_path / "cloud.json"):
            pass
        assert (tmp_path / "cloud.json.bak").read_text() == "precious"


def damage(dump: dict[str, Any], path: str, value: Any) -> str:
    """Return the text of a dump with another value at a path."""
    *parents, last = path.split("/")
    target: Any = dump
    for name in parents:
        target = target[int(name)] if isinstance(target, list) else target[name]
    target[int(last) if isinstance(target, list) else last] = value
    return json.dumps(dump)


SESSION = {"requests": 0, "faults": [], "added_faults": 0, "failures": [], "lockouts": {}}


class TestDamage:
    @pytest.mark.parametrize(
        ("path", "value", "reason"),
        [
            ("omisim", 3, "unsupported dump version 3"),
            ("settings/history", 0, "settings.history: must be a positive int, not 0"),
            ("settings/durations", {"vm.pending": float("inf")}, "settings.durations.vm.pending: must be a finite"),
            ("settings/capacity", {"eu-west-2a": -1}, "settings.capacity.eu-west-2a: vms must be None or an int of at"),
            ("settings/capacity", {"mars-1a": 1}, "settings.capacity.mars-1a: subregion must be one of"),
            ("settings/timing", "fast", "settings.timing: timing must be one of"),
            ("settings/colour", 1, "settings.colour: unknown key"),
            ("colour", 1, "colour: unknown key"),
            ("clock/now", "yesterday", "clock.now: must be a date with a time zone"),
            ("clock/offset", 1e400, "clock.offset: must be a finite number"),
            ("rows/comet", {}, "rows.comet: unknown key"),
            ("rows/volume/VOLUME/1/size", "1", "rows.volume.VOLUME.size: must be int, not '1'"),
            ("rows/volume/VOLUME/1/colour", "1", "rows.volume.VOLUME.colour: unknown key"),
            ("rows/volume/VOLUME/1/state", "lost", "rows.volume.VOLUME.state: must be one of creating, "),
            ("rows/volume/VOLUME/1/volume_id", "vol-12345678", "rows.volume.VOLUME: must be a creation number and"),
            ("journal", [], None),
            ("journal", [[1, 2]], "journal[0]: "),
            ("clock/now", None, "clock.now: must be str, not None"),
            ("clock/now", "9999-12-31T23:59:59-12:00", "clock.now: start must be in the years 1000 to 8999, not 9999"),
            ("clock/now", "0001-01-01T00:00:00+12:00", "clock.now: start must be in the years 1000 to 8999, not 0001"),
            ("clock/offset", 1e12, "clock.offset: the clock cannot move by 1000000000000.0 seconds: it must not pass"),
            ("clock", {"kind": "manual", "now": "9500-01-01T00:00:00+00:00"}, "clock.now: start must be in the years"),
            ("trimmed", None, "trimmed: must be int, not None"),
            ("session", SESSION | {"requests": None}, "session.requests: must be int, not None"),
            ("session", SESSION | {"failures": [None]}, "session.failures: must be dict, not None"),
            ("session", SESSION | {"lockouts": {"1": [None, None]}}, "session.lockouts: must be int, not None"),
            ("trimmed", 10**30, "trimmed: must be a number from 0 to"),
            ("rows/volume/VOLUME/0", 10**30, "rows.volume.VOLUME: must be a creation number"),
            ("rows/volume/VOLUME/1/account_id", "1", "rows.volume.VOLUME.account_id: there is no account '1'"),
            ("rows/account/ACCOUNT/1/region", "mars", "rows.account.ACCOUNT.region: there is no Region 'mars'"),
            ("rows/account", {}, "account_id: there is no account 'ACCOUNT'"),
        ],
    )
    def test_is_refused_with_the_path_of_the_value(
        self, tmp_path: Path, path: str, value: object, reason: str | None
    ) -> None:
        """A dump with a wrong value is refused in one line, and not changed."""
        cloud = Cloud(clock=SystemClock())
        alice = cloud.account("alice")
        ids = {"VOLUME": alice.create_volume(subregion_name=SUBREGION, size=1).volume_id, "ACCOUNT": alice.account_id}
        for word, row_id in ids.items():
            path, reason = path.replace(word, row_id), reason and reason.replace(word, row_id)
        text = damage(json.loads(json.dumps(cloud.dump())), path, value)
        file = tmp_path / "cloud.json"
        file.write_text(text)
        if reason is None:
            with reopen(file) as cloud:
                assert cloud.events == ()
            return
        pattern = re.escape(f"{file}: ") + ".*" + re.escape(reason)
        with pytest.raises(ValueError, match=pattern) as refused, reopen(file):
            pass
        assert "\n" not in str(refused.value)
        assert file.read_text() == text
        assert [entry.name for entry in tmp_path.iterdir()] == ["cloud.json"]

    @pytest.mark.parametrize("text", ["", "[" * 100_000, '{"omisim": Infinity}', '{"omisim": 1', "\x00", "9" * 5000])
    def test_of_the_text_is_refused_in_one_line(self, tmp_path: Path, text: str) -> None:
        """A file that is not JSON, is too deep or has impossible numbers is refused, and not changed."""
        file = tmp_path / "cloud.json"
        file.write_text(text)
        with pytest.raises(ValueError, match=re.escape(f"{file}: ")) as refused, reopen(file):
            pass
        assert "\n" not in str(refused.value)
        assert file.read_text() == text

    @pytest.mark.parametrize(
        ("statement", "values", "reason"),
        [
            ("PRAGMA user_version = 7", (), "the file is of version 7; this omisim reads version 1"),
            ("PRAGMA application_id = 7", (), "the file is a database of another program"),
            ("UPDATE row SET value = '{' WHERE kind = 'volume'", (), "rows.volume.vol-"),
            ("UPDATE row SET value = '{\"size\": 1}' WHERE kind = 'volume'", (), "rows.volume.vol-"),
            ("UPDATE part SET value = '[]' WHERE name = 'head'", (), "head"),
            ("UPDATE part SET value = '{}' WHERE name = 'settings'", (), "settings.seed: is missing"),
            ("DELETE FROM journal", (), "the journal does not reach from"),
            ("DROP TABLE row", (), "no such table: row"),
            ("UPDATE journal SET value = '5'", (), "is not a list"),
        ],
    )
    def test_of_the_database_is_refused_and_left_alone(
        self, state: Path, statement: str, values: tuple[Any, ...], reason: str
    ) -> None:
        """A database with other content is refused in one line, and not changed."""
        execute(state, statement, *values)
        before = state.read_bytes()
        with (
            pytest.raises(ValueError, match=re.escape(f"{state}: ") + ".*" + re.escape(reason)) as refused,
            reopen(state),
        ):
            pass
        assert "\n" not in str(refused.value)
        assert state.read_bytes() == before

    def test_by_a_cut_is_refused_and_left_alone(self, state: Path) -> None:
        """A truncated database is refused in one line, and not changed."""
        whole = state.read_bytes()
        for length in (20, 5000, len(whole) - 4096):
            state.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=re.escape(f"{state}: ")) as refused, reopen(state):
                pass
            assert "\n" not in str(refused.value)
            assert state.read_bytes() == whole[:length]

    def test_of_a_page_is_refused_in_one_line(self, state: Path) -> None:
        """SQLite describes damage in several lines, which become one."""
        whole = state.read_bytes()
        for start in range(4096, len(whole), 4096):
            state.write_bytes(whole[:start] + b"\xff" * 4096 + whole[start + 4096 :])
            with pytest.raises(ValueError, match=re.escape(f"{state}: ")) as refused, reopen(state):
                pass
            assert "\n" not in str(refused.value)

    @POSIX
    def test_by_a_link_to_itself_is_refused(self, tmp_path: Path) -> None:
        """A symbolic link that leads nowhere is not replaced by a file."""
        (tmp_path / "one").symlink_to(tmp_path / "two")
        (tmp_path / "two").symlink_to(tmp_path / "one")
        with pytest.raises(ValueError, match="a symbolic link that leads to itself"), reopen(tmp_path / "one"):
            pass
        assert (tmp_path / "one").is_symlink()

    @POSIX
    @pytest.mark.parametrize("name", [".", "/"])
    def test_of_a_directory_is_refused(self, name: str) -> None:
        """A directory is refused by the error of opening it, the root directory too."""
        with pytest.raises(ValueError, match="Is a directory"), reopen(Path(name)):
            pass

    @POSIX
    @pytest.mark.parametrize("kind", ["pipe", "device"])
    def test_by_its_kind_is_refused(self, tmp_path: Path, kind: str) -> None:
        """A pipe would be waited for, and a device could be read without end."""
        name = "/dev/zero" if kind == "device" else str(tmp_path / "pipe")
        if kind == "pipe":
            os.mkfifo(name)
        for use in (reopen(Path(name)).__enter__, partial(read_state_file, name)):
            with pytest.raises(ValueError, match=f"^{name}: not a regular file$"):
                use()

    def test_of_bytes_is_refused_in_words(self, tmp_path: Path) -> None:
        """A file that is not text is not described by the decoder's error."""
        file = tmp_path / "cloud.db"
        file.write_bytes(b"\x1f\x8b\xff\xfe")
        with pytest.raises(ValueError, match="neither a state file nor a JSON dump: 'utf-8' codec"), reopen(file):
            pass


SIGNALS = """
import signal, sys, threading, time
from omisim.tools import serve

def interrupt(frame, event, argument):
    if event == "line" and frame.f_code.co_name == "notify_all":  # an Event holds its lock here
        sys.settrace(None)
        signal.raise_signal(signal.SIGHUP)
    return interrupt

def send():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

with vars(serve)["_catch_signals"]() as wait:
    if sys.argv[1] == "twice":
        sys.settrace(interrupt)
        signal.raise_signal(signal.SIGTERM)
    else:
        threading.Thread(target=send, daemon=True).start()
    wait()
"""


class TestCommand:
    @POSIX
    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
    def test_stops_cleanly_on_a_signal(self, tmp_path: Path, number: signal.Signals) -> None:
        """SIGHUP and SIGTERM stop the server with status 0, and its keys are accepted at the next start."""
        with default_handling(number):
            server = Server(tmp_path / "cloud.db")
        server.run.send_signal(number)
        assert server.run.communicate(timeout=60)[1] == ""
        assert server.run.returncode == 0
        assert [path.name for path in tmp_path.iterdir()] == ["cloud.db"]

    @POSIX
    @pytest.mark.parametrize("case", ["twice", "in-thread"])
    def test_stops_on_signals_at_any_moment(self, case: str) -> None:
        """A second signal that comes while the first is handled blocks nothing, nor does one that a thread receives."""
        run = subprocess.run([sys.executable, "-c", SIGNALS, case], timeout=60, capture_output=True, check=False)
        assert (run.returncode, run.stderr) == (0, b"")

    def test_accepts_a_key_that_the_file_has(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """`--account NAME:AK:SK` of an earlier start is accepted; with another secret it is refused by name."""
        path = tmp_path / "cloud.db"
        with reopen(path) as cloud:
            cloud.set_access_key("alice", "AKAKAKAKAKAKAKAKAKAK", "SKSK")
            cloud.account("alice").create_access_key()
        for key, reason in (("AKAKAKAKAKAKAKAKAKAK:OTHER", "already has another secret key"), ("A/K:S", "access_key")):
            assert main(["serve", "--port", "0", "--state", str(path), "--account", f"alice:{key}"]) == 2
            assert reason in capsys.readouterr().err
