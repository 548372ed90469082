"""The base of the model: ids, states, and the class of entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, Union

from omisim.base.frozen import frozen, replace
from omisim.model.address_sets import parse_net_range
from omisim.model.ids import Id

ANY = TypeVar("ANY")
TEXT = TypeVar("TEXT", str, bytes)
MAX_GIB = 1_000_000  # of all disks of a resource; the largest volume has 14,901
# a nested argument: the dataclass, or a dict with snake_case keys
OrDict: TypeAlias = Union[ANY, Mapping[str, Any]]  # noqa: UP007 - mypy takes no other spelling of a generic alias


@frozen()
class MayBeEmpty:
    """Marks a parameter whose empty value has a meaning of its own. Elsewhere an empty value means absent (REQ-018)."""


@frozen()
class Format:
    """Marks a value of a row that `parse` reads. It raises ValueError for another value."""

    name: str
    parse: Callable[[Any], object]


def _one_of(*values: str) -> Format:
    """Return the mark of a text that is one of these."""
    return Format(" or ".join(map(repr, values)), values.index)


Address = Annotated[str, Format("an IPv4 address", IPv4Address)]
IpRange = Annotated[str, Format("an IPv4 range in CIDR notation", IPv4Network)]
NetRange = Annotated[str, Format("an IPv4 range in CIDR notation, /16 to /32", parse_net_range)]
Gib = Annotated[int, Format(f"a number of GiB from 0 to {MAX_GIB}", range(MAX_GIB + 1).index)]
ARCHITECTURES = ("i386", "x86_64")
BOOT_MODES = ("legacy", "uefi")
GUEST_ACTIONS = ("stop", "terminate")
HOST_ACTIONS = ("restart", "stop")
SECURE_BOOT_ACTIONS = ("enable", "disable", "setup-mode", "none", "restore-factory-keys")
BootMode = Annotated[str, _one_of(*BOOT_MODES)]
EventAfterStop = Annotated[str, _one_of("", "start", "delete")]
GuestAction = Annotated[str, _one_of(*GUEST_ACTIONS)]
HostAction = Annotated[str, _one_of(*HOST_ACTIONS)]
SecureBootAction = Annotated[str, _one_of(*SECURE_BOOT_ACTIONS)]
AccountId = Annotated[str, Id("account")]
TextOrEmpty = Annotated[str, MayBeEmpty()]  # a text that may be "", for example a description
ImageId = Annotated[str, Id("image")]
SnapshotId = Annotated[str, Id("snapshot")]
SubnetId = Annotated[str, Id("subnet")]
NetId = Annotated[str, Id("net")]
NicId = Annotated[str, Id("nic")]
LinkNicId = Annotated[str, Id("link_nic")]
SecurityGroupId = Annotated[str, Id("security_group")]
VmId = Annotated[str, Id("vm")]
VolumeId = Annotated[str, Id("volume")]


def internal(default: Any, *, compare: bool = True) -> Any:
    """Declare a field that never appears in an answer. `compare` is whether values that differ in it are unequal."""
    return field(default=default, compare=compare, metadata={"wire": False})


def secret(default: Any = "") -> Any:
    """Declare an internal field with a secret, which the repr of the value and `hide_secrets` leave out."""
    return field(default=default, repr=False, metadata={"wire": False, "secret": True})


def hide_secrets(value: ANY) -> ANY:
    """Return a value as reads answer with it: its fields that `secret` declares have their defaults (AK-009)."""
    return replace(value, **_list_secrets(value.__class__))  # type: ignore[arg-type]  # for mypy, a type may not be hashable


@cache
def _list_secrets(cls: Any) -> Mapping[str, Any]:
    return {one.name: one.default for one in fields(cls) if "secret" in one.metadata}


def omitted_if_empty() -> Any:
    """Declare a list that an answer omits if it is empty, as it is by default."""
    return field(default=(), metadata={"omit_empty": True})


def view_as(cls: Callable[..., ANY], source: Any, **others: Any) -> ANY:
    """Return an instance of a dataclass with the same-named fields of `source`, overridden by `others`."""
    shared = {name: getattr(source, name) for name in _list_field_names(cls) if name not in others}
    return cls(**shared, **others)


@cache
def _list_field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


class ImageState(StrEnum):
    """States of an OMI."""

    PENDING = "pending"
    AVAILABLE = "available"
    FAILED = "failed"


class SnapshotState(StrEnum):
    """States of a snapshot."""

    IN_QUEUE = "in-queue"
    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"
    DELETING = "deleting"


class VolumeState(StrEnum):
    """States of a volume."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"
    DELETING = "deleting"
    ERROR = "error"


class LinkState(StrEnum):
    """States of the link between a volume and a VM."""

    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"


class VmState(StrEnum):
    """States of a VM."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


ENDED_VM_STATES = (VmState.SHUTTING_DOWN, VmState.TERMINATED)  # a VM does not come back from them


class AccessKeyState(StrEnum):
    """States of an access key."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class NetState(StrEnum):
    """States of a Net (NET-018)."""

    AVAILABLE = "available"
    DELETING = "deleting"


class UpdateState(StrEnum):
    """States of a volume update task (ST-VOL-10)."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


def keep_text(render: Callable[[Any], TEXT]) -> Callable[[Any], TEXT]:
    """Return `render`, which an entity that is rendered again answers from a text that it keeps, as it is frozen.

    An entity keeps what the latest of these functions and of those of `keep_view` has returned. Other values are
    rendered each time.
    """

    def get_text(value: Any) -> TEXT:
        kept = getattr(value, "_kept", None)
        if kept is not None and kept[0] is render:
            kept_text: TEXT = kept[1]
            return kept_text
        text = render(value)
        if isinstance(value, Entity):
            object.__setattr__(value, "_kept", (render, text))
        return text

    return get_text


def keep_view(make: Callable[[ANY, Any], ANY]) -> Callable[[ANY, Any], ANY]:
    """Return `make`, the function that makes the answered form of an entity from it and the `parts` to add.

    The entity keeps its latest form, and answers with it again while the parts are equal. A text is kept by the form.
    """

    def get_view(entity: ANY, parts: Any) -> ANY:
        kept = getattr(entity, "_kept", None)
        if kept is not None and kept[0] is make and kept[1] == parts:
            kept_view: ANY = kept[2]
            return kept_view
        view = make(entity, parts)
        object.__setattr__(entity, "_kept", (make, parts, view))
        return view

    return get_view


class Entity:
    """The base class of resources: values with an id and their own row in the State."""

    __slots__ = ("_kept",)
    kind: ClassVar[str]
    key: ClassVar[str]
    ids_filter: ClassVar[str]  # the filter that lists ids: "volume_ids"
    id: str  # the field that `key` names, under a second name (model/__init__.py)
    _kept: tuple[Any, ...] | None  # not a field: see `keep_text` and `keep_view`

    @property
    def is_gone(self) -> bool:
        """Whether reads still show the resource although it counts as absent (NET-018)."""
        return False

    def _repr_html_(self) -> str:
        """Show the fields that have a value as a table in a notebook."""
        from html import escape  # noqa: PLC0415 - only a notebook needs it

        shown = {name: getattr(self, name) for name in getattr(self, "__dataclass_fields__", ())}
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in shown.items()
            if value not in (None, "", ())
        )
        return f"<table><caption>{escape(self.kind)} {escape(self.id)}</caption>{rows}</table>"
