"""An exception at any line leaves a cloud as it was before, or as it is afterwards."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing

import pytest
from support.injection import OPERATIONS, TIMINGS, Case, Injection, iter_lines

from omisim import Account, Cloud
from omisim.engine.engine import Engine
from omisim.engine.keeper import Keeper
from omisim.state.sqlite_store import SqliteStore, create_tables, read_dump

SHARE = 8  # lines of each operation; `tests/tools/injection.py` takes all


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_exception_at_any_line_changes_nothing_or_everything(name: str) -> None:
    """Rows, indexes, ids, the clock, the call log and the state file agree after an interruption anywhere."""
    number = zlib.crc32(name.encode())
    injection = Injection(Case(name, TIMINGS[number % len(TIMINGS)]), stored=number % 2 == 0)
    step = injection.lines // SHARE + 1
    problems = [injection.try_line(*line) for line in iter_lines(injection, step, 1 + number % step)]
    assert len(problems) > SHARE // 2
    assert not any(problems)


def test_an_interrupted_unit_restores_each_attribute_of_the_engine(cloud: Cloud) -> None:
    """A checkpoint knows all attributes of an engine and of its session, except those that no unit replaces."""
    # only `keep_in` and a forked process replace some of them
    fixed = {"lock", "_start", "_is_copy", "_keeper", "__weakref__"}
    nested = {"_unit"}  # by the unit itself

    def replace(owner: object, name: str) -> None:
        setattr(owner, name, object())
        raise KeyboardInterrupt

    for owner, left_out in ((cloud.engine, {*fixed, *nested}), (cloud.engine.session, set[str]())):
        for name in {*owner.__slots__} - left_out:
            value = getattr(owner, name)
            with pytest.raises(KeyboardInterrupt):
                cloud.engine.run(replace, owner, name)
            assert getattr(owner, name) is value, name


def test_an_exception_in_a_fault_undoes_the_call(cloud: Cloud, alice: Account) -> None:
    """An error of a `meanwhile` function ends the call, and the call log does not have it."""

    def fail() -> None:
        raise RuntimeError("planned")

    cloud.faults.add("ReadVms", meanwhile=fail)
    before = cloud.fork()
    with pytest.raises(RuntimeError, match="planned"):
        alice.read_vms()
    assert cloud == before
    assert cloud.calls() == ()
    assert len(list(cloud.faults)) == 1


def test_an_exception_in_a_block_undoes_it(cloud: Cloud, alice: Account) -> None:
    """`engine.atomic` is all or nothing, nested units included."""
    before = cloud.fork()

    def change() -> None:
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        cloud.advance(60)
        cloud.faults.add("ReadVms")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cloud.engine.atomic():
        change()
    assert cloud == before
    assert (cloud.calls(), list(cloud.faults)) == ((), [])
    assert cloud.faults.add("ReadVms").number == 1


def test_an_exception_after_the_store_has_a_refusal_undoes_it_there(
    cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused call changes the count of requests alone; the store loses that, too."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        create_tables(database, cloud.engine.describe())
        cloud.engine.keep_in(SqliteStore(database, "memory"))
        before, real = read_dump(database), Keeper.save

        def save(keeper: Keeper, engine: Engine) -> None:
            real(keeper, engine)
            monkeypatch.undo()
            raise KeyboardInterrupt

        monkeypatch.setattr(Keeper, "save", save)
        with pytest.raises(KeyboardInterrupt):
            alice.call("DeleteVolume", VolumeId="vol-12345678")
        assert read_dump(database) == before == cloud.engine.describe()
