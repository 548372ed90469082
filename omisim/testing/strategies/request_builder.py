"""What a request may name: the resources of a cloud, mostly those that an action takes, and values for parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import Field, Shape
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.model import Image, Snapshot
from omisim.model.ids import PREFIXES
from omisim.model.serialize import api_name
from omisim.spec.lifecycle import LIFECYCLES, get_phase
from omisim.state.buckets import Place, presign
from omisim.testing.laws.visibility import granted
from omisim.testing.strategies.allowed import DATES, INVALID, RARE, TRICKY, VALID, WAYS
from omisim.testing.strategies.networks import ENDS, FITTING, LINKS, VALUES, Where, near, place

__all__ = ["ALL_IDS", "LAUNCHES", "NOW_IDS", "RIGHT_IDS", "Asking", "Draw", "rows_of"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
Value = Callable[["Asking"], Any]

# of twelve choices of an id, the first two are right, the next five of a moment ago, and the last one is nobody's
RIGHT_IDS, NOW_IDS, ALL_IDS = (0, 1), (2, 6), (0, 11)
LATELY, CHANGES = 4, 12  # the calls, and the writes, that were a moment ago
LAUNCHES = ("CreateVms", "CreateImage")  # what official OMIs are for


def rows_of(cloud: Cloud, kind: str) -> list[Any]:
    """Return all rows of a kind, oldest first; export tasks are of two kinds, and links are parts of rows."""
    if kind in LINKS:
        return LINKS[kind](cloud.engine.state)
    parts = ("image_export", "snapshot_export") if kind == "export_task" else (kind,)
    return [
        row for part in parts if part in cloud.engine.state.tables for row in cloud.engine.state.rows(part).values()
    ]


class Asking:
    """What a request may name: the ids of a cloud, values that are allowed, and, if it is careless, others."""

    def __init__(
        self, draw: Draw, cloud: Cloud, caller: Account, *, careless: bool = False, right: bool = False
    ) -> None:
        self.draw: Draw = draw
        self.caller: Account = caller
        self.careless: bool = careless
        self.right: bool = right
        self.cloud: Cloud = cloud
        self.ids = ALL_IDS  # the choices of an id
        self.tricky = True  # whether there may be parameters that much must fit for
        self.action: str = ""
        self.named: Any = None  # the row that was named last
        self.names: dict[str, Any] = {}  # kind → the row of it that was named last
        self.place: Where | None = None  # where these are
        self.anywhere = False  # whether the next one may be elsewhere, and need not fit
        self.devices = 0  # device numbers that were given
        self.taking: bool = False  # whether what is drawn is taken away from it

    def one(self, choices: Any) -> Any:
        """Draw one of these."""
        return self.draw(st.sampled_from(choices))

    def object(self, name: str, shape: Shape) -> dict[str, Any]:
        """Draw an object of a request: what it must have, one of its ways, and a few of the rest."""
        self.action = self.action or name
        fields = shape.fields
        taken = [field.name for field in shape.required]
        ways = WAYS.get(name)
        if ways is not None:
            taken += self.one([way for way in ways if all(self.there(fields[n]) for n in way)] or ways)
        tricky = self.tricky and not self.draw(st.integers(0, 3))
        out = () if self.careless else RARE if tricky else RARE | TRICKY
        rest = [n for n in fields if n not in taken and n not in out]
        if ways is not None and not self.careless:
            named = {n for way in ways for n in way}
            rest = [n for n in rest if n not in named]
        if self.careless and taken and not self.draw(st.integers(0, 2)):
            taken.remove(self.one(taken))
        if rest:
            taken += self.draw(st.lists(st.sampled_from(rest), max_size=2, unique=True))
        taken.sort(key=lambda n: fields[n].id is None)  # the rest may fit what is named
        drawn = {api_name(n): self.value(fields[n]) for n in taken}
        if name in ENDS and not self.careless:
            return ENDS[name](self, drawn)
        return _fitting(drawn) if self.right else drawn

    def there(self, field: Field) -> bool:
        """Whether there is anything that a parameter could name; a careless request does not ask."""
        if self.careless or (self.action in LAUNCHES and field.name == "source_image_id"):
            return True
        if field.name == "file_location":
            return bool(self.objects())
        if field.name == "nics":
            return bool(self.rows("subnet"))
        return field.id is None or field.id.kind == "account" or bool(self.rows(field.id.kind))

    def value(self, field: Field) -> Any:
        """Draw the value of a parameter, a list of one or two where it is one."""
        if not field.many:
            return self.item(field)
        most = 1 if field.id is None and field.shape is None else 2
        least = 0 if self.careless else 1
        return [self.item(field) for _ in range(self.draw(st.integers(least, most)) if most > least else least)]

    def item(self, field: Field) -> Any:
        """Draw one value of a parameter."""
        if field.shape is not None:
            return self.nested(field, field.shape)
        name = field.name
        if self.careless and name in INVALID and self.draw(st.booleans()):
            return self.one(INVALID[name])
        if name in SPECIAL:
            return SPECIAL[name](self)
        if field.id is not None:
            return self.account_id() if field.id.kind == "account" else self.id(field.id.kind)
        return self.one(VALID[name]) if name in VALID else self.plain(field.type)

    def nested(self, field: Field, shape: Shape) -> dict[str, Any]:
        """Draw an object within a request."""
        self.taking = field.name == "removals"
        if field.name != "filters":
            return self.object(getattr(field.type, "__name__", ""), shape)
        return self.filters(self.action) if self.draw(st.booleans()) else {}

    def plain(self, cls: Any) -> Any:
        """Draw a value of a type about which nothing else is known."""
        if cls is bool:
            return self.draw(st.booleans())
        if cls is int:
            return self.draw(st.integers(0, 100))
        return self.one(("drawn", "other")) if cls is str else self.one(DATES)

    def id(self, kind: str) -> str:
        """Draw an id: of one of the rows that `row` draws, or of nothing."""
        row = self.row(kind)
        return f"{PREFIXES[kind][0]}{'0' * (32 if kind == 'keypair' else 8)}" if row is None else str(row.id)

    def row(self, kind: str) -> Any:
        """Draw a row: mostly one of the caller's newest that the action takes or the last calls named.

        Now and then it is one whose state forbids the action, or another's; seldom None.
        """
        rows = self.rows(kind)
        which = self.draw(st.integers(*self.ids))
        if which == ALL_IDS[1] or not rows:
            return None
        mine = [row for row in rows if row.account_id == self.caller.account_id]
        able, unable = ([row for row in mine if self.may(row) is fit] for fit in (True, False))
        shared = [row for row in rows if self.shared(row)]
        others = [row for row in rows if row.account_id != self.caller.account_id]
        lately = self.lately(mine)
        now_able, now_unable = ([row for row in some if row in lately] for some in (able, unable))
        given = shared or unable
        first = (able, now_able, lately, lately, lately, now_unable, now_unable, unable, given, given, others)[which]
        self.named = self.one(next(rows for rows in (first, able, shared, unable, others) if rows)[-3:])
        self.names[kind] = self.named
        self.place = place(self.named) or self.place
        return self.named

    def mostly(self) -> bool:
        """Draw True in three of four times, and always where the request is to be right."""
        return bool(self.right or self.draw(st.integers(0, 3)))

    def lately(self, rows: list[Any]) -> list[Any]:
        """Return those of these rows that the last calls named, or that have changed since."""
        said = " ".join(str(record.parameters) for record in self.cloud.engine.session.calls[-LATELY:])
        changed = {change.id for change in self.cloud.engine.state.journal[-CHANGES:]}
        return [row for row in rows if row.id in changed or row.id in said]

    def may(self, row: Any) -> bool:
        """Whether the action takes a row: it is legal in its state, and the row is where the rest of the request is."""
        fits = FITTING.get((self.action, row.kind))
        if not self.anywhere and (not near(self, row) or (fits is not None and not fits(self, row))):
            return False
        lifecycle = LIFECYCLES.get(row.kind)
        cells = lifecycle.refused.get(self.action) if lifecycle else None
        return not cells or get_phase(row) not in cells

    def shared(self, row: Any) -> bool:
        """Whether another account's OMI or snapshot is shared with the caller."""
        if not isinstance(row, Image | Snapshot) or row.account_id == self.caller.account_id:
            return False
        return self.caller.account_id in granted(row).account_ids or granted(row).global_permission

    def rows(self, kind: str) -> list[Any]:
        """Return the rows of a kind that accounts of tests have, oldest first."""
        users = self.users
        return [row for row in rows_of(self.cloud, kind) if row.account_id in users]

    @property
    def users(self) -> set[str]:
        """The ids of the accounts that tests have made."""
        return {row.account_id for row in self.cloud.engine.state.rows("account").values() if "@" not in row.name}

    def image(self) -> str:
        """Draw the id of an OMI, official ones among them."""
        if self.action not in LAUNCHES or (self.rows("image") and self.draw(st.integers(0, 2))):
            return self.id("image")
        family = str(self.one(("debian", "windows", "rhel")))
        return self.cloud.images.official(family, self.caller.region).image_id

    def account_id(self) -> str:
        """Draw the id of an account, or of none; of one that has it, where it is taken away."""
        if self.taking and isinstance(self.named, Image | Snapshot) and granted(self.named).account_ids:
            return str(self.one(granted(self.named).account_ids))
        here = [row.account_id for row in self.others() if row.region == self.caller.region]
        elsewhere = [row.account_id for row in self.others() if row.region != self.caller.region]
        return str(self.one((*here, *here, *elsewhere, self.caller.account_id, "000000000000")))

    def others(self) -> list[Any]:
        """Return the other accounts that tests have made."""
        rows = (self.cloud.engine.state.get("account", row_id) for row_id in sorted(self.users))
        return [row for row in rows if row.account_id != self.caller.account_id]

    def resource(self) -> str:
        """Draw the id of something that has tags."""
        kinds = ("image", "vm", "volume", "snapshot")
        return self.id(str(self.one(kinds if self.right else tuple(PREFIXES))))

    def location(self) -> str:
        """Draw the signed URL of an object, or of one that is not there."""
        found = self.objects()
        ids = [*(row.id for row in found), f"{self.caller.region}/none/none"]
        region, bucket, name = str(self.one(ids)).split("/", 2)
        owner = next((row.account_id for row in found if row.name == name), self.caller.account_id)
        key = self.cloud.engine.state.find_by("access_key", "account", owner)[0]
        return presign(Place(region, bucket, name), key, self.cloud.now, int(self.one((604_800, 600))))

    def objects(self) -> list[Any]:
        """Return the newest objects that the action could import."""
        end = "manifest.json" if self.action == "CreateImage" else ".gz"
        return [row for row in self.cloud.engine.state.rows("object").values() if row.name.endswith(end)][-2:]

    def bucket(self) -> str:
        """Draw the name of a bucket of the caller's Region, or of none."""
        names = [
            row.name for row in self.cloud.engine.state.rows("bucket").values() if row.region == self.caller.region
        ]
        return str(self.one((*names, *names, "none")))

    def filters(self, action: str) -> dict[str, Any]:
        """Draw one or two of the filters of a read; a date has its counterpart."""
        shape = ACTIONS[action].shape.fields["filters"].shape
        assert shape is not None
        names = self.draw(st.lists(st.sampled_from(list(shape.fields)), min_size=1, max_size=2, unique=True))
        ends = {name.replace("from_", "to_", 1) for name in names}
        found = [field for name, field in shape.fields.items() if name in {*names, *ends}]
        return {api_name(field.name): self.filter(action, field) for field in found}

    def filter(self, action: str, field: Field) -> Any:
        """Draw the value of a filter: what rows of the read have, or what none has."""
        known = [value for value in (*self._values(action, field.name), *VALID.get(field.name[:-1], ())) if value != ""]
        if field.type is str:
            known.append("none of them")
        value = self.one(known) if known and field.type is str else self.plain(field.type)
        return [value] if field.many else value

    def _values(self, action: str, name: str) -> list[str]:
        kind = READ_KINDS.get(action, "")
        rows = list(self.cloud.engine.state.rows(kind).values())[-4:] if kind else []
        found = [getattr(row, name[:-1], None) for row in rows]
        return [str(value) for value in dict.fromkeys(found) if isinstance(value, str)]


def _fitting(drawn: dict[str, Any]) -> dict[str, Any]:
    """Let IOPS go with the type io1, and with no other."""
    if drawn.get("VolumeType") == "io1":
        return {"Iops": 100, **drawn}
    if "VolumeType" in drawn:
        drawn.pop("Iops", None)
    return drawn


READ_KINDS: Mapping[str, str] = {
    "ReadImageExportTasks": "image_export",
    "ReadImages": "image",
    "ReadKeypairs": "keypair",
    "ReadSnapshotExportTasks": "snapshot_export",
    "ReadSnapshots": "snapshot",
    "ReadVms": "vm",
    "ReadVmsState": "vm",
    "ReadVolumeUpdateTasks": "volume_update",
    "ReadVolumes": "volume",
}
SPECIAL: Mapping[str, Value] = {
    **VALUES,
    "file_location": Asking.location,
    "image_id": Asking.image,
    "osu_bucket": Asking.bucket,
    "resource_ids": Asking.resource,
    "source_image_id": Asking.image,
    "source_region_name": lambda asking: asking.caller.region,
    "subregion_name": lambda asking: f"{asking.caller.region}{asking.one('aab')}",
}
