"""`RequestBuilder`: draws a request for an action from the resources of a cloud and the tables of values."""

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
from omisim.state.buckets import Place
from omisim.state.initial_state import iter_users
from omisim.state.state import State
from omisim.state.storage_signatures import presign
from omisim.testing.laws.visibility import get_permissions
from omisim.testing.strategies.allowed import DATES, INVALID, PARAMETER_SETS, SELDOM, UNFITTING, VALID
from omisim.testing.strategies.networks import ACCEPTED, COMPLETIONS, LINKS, VALUES, Location, get_location, is_near
from omisim.testing.vocabulary import NOUNS

__all__ = ["ALL_IDS", "LAUNCHES", "READ_KINDS", "RECENT_IDS", "VALID_IDS", "Draw", "RequestBuilder", "list_rows"]

Draw = Callable[[st.SearchStrategy[Any]], Any]
Value = Callable[["RequestBuilder"], Any]

# ranges of the twelve choices in draw_row: 0 and 1 are valid rows, 2 to 6 recent rows, 11 is an id without a row
VALID_IDS, RECENT_IDS, ALL_IDS = (0, 1), (2, 6), (0, 11)
RECENT_CALLS, RECENT_CHANGES = 4, 12  # how many calls and changes count as recent
LAUNCHES = ("CreateVms", "CreateImage")  # actions that take official OMIs


def list_rows(cloud: Cloud, kind: str) -> list[Any]:
    """Return all rows of a kind, oldest first. "export_task" stands for both export kinds; links are parts of rows."""
    if kind in LINKS:
        return LINKS[kind](cloud.engine.state)
    kinds = ("image_export", "snapshot_export") if kind == "export_task" else (kind,)
    return [
        row for name in kinds if name in cloud.engine.state.tables for row in cloud.engine.state.rows(name).values()
    ]


class RequestBuilder:
    """Draws the parameters of one request: ids of a cloud, valid values, and, if `arbitrary`, any other values."""

    def __init__(
        self, draw: Draw, cloud: Cloud, caller: Account, *, arbitrary: bool = False, valid: bool = False
    ) -> None:
        self.draw: Draw = draw
        self.caller: Account = caller
        self.arbitrary: bool = arbitrary
        self.valid: bool = valid
        self.cloud: Cloud = cloud
        self.id_choices = ALL_IDS  # range of the choices in draw_row
        self.uses_seldom = True  # whether parameters in SELDOM may be drawn
        self.action: str = ""
        self.last_row: Any = None  # the last row drawn
        self.rows_by_kind: dict[str, Any] = {}  # kind → its last row drawn
        self.location: Location | None = None  # the location of these rows
        self.scattered: bool = False  # whether further rows may be in another location
        self.device_count: int = 0  # device numbers drawn so far
        self.is_removal: bool = False  # whether the values are removals from the last row

    @property
    def state(self) -> State:
        """The state of the cloud."""
        return self.cloud.engine.state

    def choose(self, choices: Any) -> Any:
        """Draw one of the choices."""
        return self.draw(st.sampled_from(choices))

    def draw_object(self, name: str, shape: Shape) -> dict[str, Any]:
        """Draw an object of a request: the required parameters, one parameter set, and a few other parameters."""
        self.action = self.action or name
        fields = shape.fields
        chosen = [field.name for field in shape.required]
        sets = PARAMETER_SETS.get(name)
        if sets is not None:
            chosen += self.choose(
                [names for names in sets if all(self.has_candidates(fields[n]) for n in names)] or sets
            )
        uses_seldom = self.uses_seldom and not self.draw(st.integers(0, 3))
        excluded = () if self.arbitrary else UNFITTING if uses_seldom else UNFITTING | SELDOM
        rest = [n for n in fields if n not in chosen and n not in excluded]
        if sets is not None and not self.arbitrary:
            in_sets = {n for names in sets for n in names}
            rest = [n for n in rest if n not in in_sets]
        if self.arbitrary and chosen and not self.draw(st.integers(0, 2)):
            chosen.remove(self.choose(chosen))
        if rest:
            chosen += self.draw(st.lists(st.sampled_from(rest), max_size=2, unique=True))
        chosen.sort(key=lambda n: fields[n].id is None)  # ids first: other values may depend on their rows
        values = {api_name(n): self.draw_value(fields[n]) for n in chosen}
        if name in COMPLETIONS and not self.arbitrary:
            return COMPLETIONS[name](self, values)
        return _fit_iops(values) if self.valid else values

    def has_candidates(self, field: Field) -> bool:
        """Whether the cloud has a resource for a parameter; True for an arbitrary request."""
        if self.arbitrary or (self.action in LAUNCHES and field.name == "source_image_id"):
            return True
        if field.name == "file_location":
            return bool(self.list_importable())
        if field.name == "nics":
            return bool(self.list_rows("subnet"))
        return field.id is None or field.id.kind == "account" or bool(self.list_rows(field.id.kind))

    def draw_value(self, field: Field) -> Any:
        """Draw the value of a parameter; for a list parameter, one or two values."""
        if not field.many:
            return self.draw_item(field)
        maximum = 1 if field.id is None and field.shape is None else 2
        minimum = 0 if self.arbitrary else 1
        count = self.draw(st.integers(minimum, maximum)) if maximum > minimum else minimum
        return [self.draw_item(field) for _ in range(count)]

    def draw_item(self, field: Field) -> Any:
        """Draw one value of a parameter."""
        if field.shape is not None:
            return self.draw_nested(field, field.shape)
        name = field.name
        if self.arbitrary and name in INVALID and self.draw(st.booleans()):
            return self.choose(INVALID[name])
        if name in SPECIAL:
            return SPECIAL[name](self)
        if field.id is not None:
            return self.draw_account_id() if field.id.kind == "account" else self.draw_id(field.id.kind)
        return self.choose(VALID[name]) if name in VALID else self.draw_plain(field.type)

    def draw_nested(self, field: Field, shape: Shape) -> dict[str, Any]:
        """Draw a nested object of a request."""
        self.is_removal = field.name == "removals"
        if field.name != "filters":
            return self.draw_object(getattr(field.type, "__name__", ""), shape)
        return self.draw_filters(self.action) if self.draw(st.booleans()) else {}

    def draw_plain(self, cls: Any) -> Any:
        """Draw a value by its type alone."""
        if cls is bool:
            return self.draw(st.booleans())
        if cls is int:
            return self.draw(st.integers(0, 100))
        return self.choose(("drawn", "other")) if cls is str else self.choose(DATES)

    def draw_id(self, kind: str) -> str:
        """Draw the id of a row, or an id of no resource."""
        row = self.draw_row(kind)
        return f"{PREFIXES[kind][0]}{'0' * (32 if kind == 'keypair' else 8)}" if row is None else str(row.id)

    def draw_row(self, kind: str) -> Any:
        """Draw a row: mostly one of the caller's newest rows that the action accepts or the last calls named.

        Sometimes a row in a state that forbids the action, or a row of another account; rarely None.
        """
        rows = self.list_rows(kind)
        choice = self.draw(st.integers(*self.id_choices))
        if choice == ALL_IDS[1] or not rows:
            return None
        own = [row for row in rows if row.account_id == self.caller.account_id]
        accepted_rows, refused_rows = (
            [row for row in own if self.accepts(row) is accepted] for accepted in (True, False)
        )
        shared = [row for row in rows if self.is_shared(row)]
        others = [row for row in rows if row.account_id != self.caller.account_id]
        recent = self.select_recent(own)
        recent_accepted, recent_refused = (
            [row for row in rows if row in recent] for rows in (accepted_rows, refused_rows)
        )
        shared_or_refused = shared or refused_rows
        candidates = (
            *(accepted_rows, recent_accepted, recent, recent, recent, recent_refused, recent_refused),
            *(refused_rows, shared_or_refused, shared_or_refused, others),
        )[choice]
        pool = next(group for group in (candidates, accepted_rows, shared, refused_rows, others) if group)
        self.last_row = self.choose(pool[-3:])
        self.rows_by_kind[kind] = self.last_row
        self.location = get_location(self.last_row) or self.location
        return self.last_row

    def draw_mostly(self) -> bool:
        """Draw True three times out of four, and always for a valid request."""
        return bool(self.valid or self.draw(st.integers(0, 3)))

    def select_recent(self, rows: list[Any]) -> list[Any]:
        """Return the rows that the last calls named or the last changes wrote."""
        parameters = " ".join(str(record.parameters) for record in self.cloud.engine.session.calls[-RECENT_CALLS:])
        changed = {change.id for change in self.state.journal[-RECENT_CHANGES:]}
        return [row for row in rows if row.id in changed or row.id in parameters]

    def accepts(self, row: Any) -> bool:
        """Whether the action accepts a row: its state is legal, and it is near the other rows of the request."""
        condition = ACCEPTED.get((self.action, row.kind))
        if not self.scattered and (not is_near(self, row) or (condition is not None and not condition(self, row))):
            return False
        lifecycle = LIFECYCLES.get(row.kind)
        cells = lifecycle.refused.get(self.action) if lifecycle else None
        return not cells or get_phase(row) not in cells

    def is_shared(self, row: Any) -> bool:
        """Whether another account's OMI or snapshot is shared with the caller."""
        if not isinstance(row, Image | Snapshot) or row.account_id == self.caller.account_id:
            return False
        permissions = get_permissions(row)
        return self.caller.account_id in permissions.account_ids or permissions.global_permission

    def list_rows(self, kind: str) -> list[Any]:
        """Return the rows of a kind that belong to accounts of tests, oldest first."""
        owners = {row.account_id for row in iter_users(self.state)}
        return [row for row in list_rows(self.cloud, kind) if row.account_id in owners]

    def draw_image(self) -> str:
        """Draw the id of an OMI; for a launch or a copy also of an official one."""
        if self.action not in LAUNCHES or (self.draw(st.integers(0, 2)) and self.list_rows("image")):
            return self.draw_id("image")
        family = str(self.choose(("debian", "windows", "rhel")))
        return self.cloud.images.official(family, self.caller.region).image_id

    def draw_account_id(self) -> str:
        """Draw an account id, possibly of no account; for a removal, one that has the permission."""
        if self.is_removal and isinstance(self.last_row, Image | Snapshot):
            grantees = get_permissions(self.last_row).account_ids
            if grantees:
                return str(self.choose(grantees))
        accounts = sorted(iter_users(self.state), key=lambda row: row.account_id)
        others = [row for row in accounts if row.account_id != self.caller.account_id]
        same_region = [row.account_id for row in others if row.region == self.caller.region]
        other_region = [row.account_id for row in others if row.region != self.caller.region]
        return str(self.choose((*same_region, *same_region, *other_region, self.caller.account_id, "000000000000")))

    def draw_taggable(self) -> str:
        """Draw the id of a resource with tags."""
        kinds = ("image", "vm", "volume", "snapshot")
        return self.draw_id(str(self.choose(kinds if self.valid else tuple(PREFIXES))))

    def draw_location(self) -> str:
        """Draw the signed URL of an object, or of a missing object."""
        objects = self.list_importable()
        ids = [*(row.id for row in objects), f"{self.caller.region}/none/none"]
        region, bucket, name = str(self.choose(ids)).split("/", 2)
        owner = next((row.account_id for row in objects if row.name == name), self.caller.account_id)
        key = self.state.find_by("access_key", "account_id", owner)[0]
        return presign(Place(region, bucket, name), key, self.cloud.now, int(self.choose((604_800, 600))))

    def list_importable(self) -> list[Any]:
        """Return the newest objects that the action could import."""
        end = "manifest.json" if self.action == "CreateImage" else ".gz"
        return [row for row in self.state.rows("object").values() if row.name.endswith(end)][-2:]

    def draw_bucket(self) -> str:
        """Draw the name of a bucket in the caller's Region, or of a missing bucket."""
        names = [row.name for row in self.state.rows("bucket").values() if row.region == self.caller.region]
        return str(self.choose((*names, *names, "none")))

    def draw_filters(self, action: str) -> dict[str, Any]:
        """Draw one or two filters of a read; both ends of a date range are drawn together."""
        shape = ACTIONS[action].shape.fields["filters"].shape
        assert shape is not None
        names = self.draw(st.lists(st.sampled_from(list(shape.fields)), min_size=1, max_size=2, unique=True))
        ends = {name.replace("from_", "to_", 1) for name in names}
        fields = [field for name, field in shape.fields.items() if name in {*names, *ends}]
        return {api_name(field.name): self.draw_filter(action, field) for field in fields}

    def draw_filter(self, action: str, field: Field) -> Any:
        """Draw the value of a filter: one that rows of the read have, or one that matches no row."""
        if field.type is str:
            known = (*self._list_values(action, field.name), *VALID.get(field.name[:-1], ()))
            value = self.choose([*filter(None, known), "none of them"])
        else:
            value = self.draw_plain(field.type)
        return [value] if field.many else value

    def _list_values(self, action: str, name: str) -> list[str]:
        kind = READ_KINDS.get(action, "")
        rows = list(self.state.rows(kind).values())[-4:] if kind else []
        values = [getattr(row, name[:-1], None) for row in rows]
        return [str(value) for value in dict.fromkeys(values) if isinstance(value, str)]


def _fit_iops(values: dict[str, Any]) -> dict[str, Any]:
    """Add IOPS for the type io1, and remove them for all other types."""
    if values.get("VolumeType") == "io1":
        return {"Iops": 100, **values}
    if "VolumeType" in values:
        values.pop("Iops", None)
    return values


# the action that reads a kind → the kind
READ_KINDS: Mapping[str, str] = {
    **{read: kind for kind in NOUNS if (read := f"Read{api_name(kind)}s") in ACTIONS},
    "ReadImageExportTasks": "image_export",
    "ReadSnapshotExportTasks": "snapshot_export",
    "ReadVmsState": "vm",
    "ReadVolumeUpdateTasks": "volume_update",
}
SPECIAL: Mapping[str, Value] = {
    **VALUES,
    "file_location": RequestBuilder.draw_location,
    "image_id": RequestBuilder.draw_image,
    "osu_bucket": RequestBuilder.draw_bucket,
    "resource_ids": RequestBuilder.draw_taggable,
    "source_image_id": RequestBuilder.draw_image,
    "source_region_name": lambda builder: builder.caller.region,
    "subregion_name": lambda builder: f"{builder.caller.region}{builder.choose('aab')}",
}
