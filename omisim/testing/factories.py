"""Valid entities without a cloud, for unit tests of code that only reads answers.

    image(image_name="golden")            an Image, as the typed methods return them
    wire(vm(state="stopped"))             a dict, as the API's JSON has it
    [wire(volume(n)) for n in (1, 2, 3)]  three of them

The number decides the ids, and things of one number belong together: `vm(2)` was launched from `image(2)` and has
`volume(2)`, of which `snapshot(2)` was taken. Fields are given by name; lists and dicts may stand for tuples and
dataclasses, texts for states and dates. Raises ValueError for a field, a type or a state that cannot be.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from omisim.base.clock import EPOCH
from omisim.base.hosts import DEFAULT_REGION, endpoint
from omisim.base.suggest import suggest
from omisim.model import Entity, Image, ImageExportTask, Keypair, Snapshot, SnapshotExportTask, Vm, Volume, ids
from omisim.model.serialize import to_api

__all__ = ["image", "image_export_task", "keypair", "snapshot", "snapshot_export_task", "vm", "volume", "wire"]

T = TypeVar("T")
E = TypeVar("E", bound=Entity)
SEED: Final = "factories"
ACCOUNT: Final = ids.make_account_id(SEED, "alice")
SUBREGION: Final = f"{DEFAULT_REGION}a"
ROOT: Final = "/dev/sda1"
SIZE: Final = 10  # GiB
_NOUNS: Final[Mapping[type, str]] = {str: "a text", int: "an integer", bool: "True or False"}


def wire(entity: Entity) -> dict[str, Any]:
    """Return an entity as the API's JSON has it. Raises ValueError for what is none."""
    if not is_dataclass(type(entity)):
        raise ValueError(f"wire takes an entity, for example image(); not {entity!r}")
    found: dict[str, Any] = to_api(entity)
    return found


def image(number: int = 1, /, **given: Any) -> Image:
    """Return an OMI: available, private, of one device."""
    account, name = given.get("account_id", ACCOUNT), given.get("image_name", f"image-{number}")
    bsu = {
        "delete_on_vm_deletion": True,
        "snapshot_id": _id("snapshot", number),
        "volume_size": SIZE,
        "volume_type": "standard",
    }
    return _entity(
        Image,
        number,
        given,
        account_id=account,
        block_device_mappings=[{"bsu": bsu, "device_name": ROOT}],
        boot_modes=["legacy", "uefi"],
        creation_date=EPOCH,
        file_location=f"{account}/{name}",
        image_name=name,
        state="available",
    )


def snapshot(number: int = 1, /, **given: Any) -> Snapshot:
    """Return a snapshot of a volume: completed, private, of 10 GiB."""
    state = given.get("state", "completed")
    return _entity(
        Snapshot,
        number,
        given,
        account_id=ACCOUNT,
        creation_date=EPOCH,
        progress=_progress(state),
        state=state,
        volume_id=_id("volume", number),
        volume_size=SIZE,
    )


def volume(number: int = 1, /, **given: Any) -> Volume:
    """Return a volume of 10 GiB: available, or linked to the VM of its number with `state="in-use"`."""
    link = {"device_name": ROOT, "vm_id": _id("vm", number), "volume_id": _id("volume", number)}
    linked = [{**link, "delete_on_vm_deletion": True, "state": "attached"}] if given.get("state") == "in-use" else []
    return _entity(
        Volume,
        number,
        given,
        creation_date=EPOCH,
        linked_volumes=linked,
        size=SIZE,
        state="available",
        subregion_name=SUBREGION,
    )


def vm(number: int = 1, /, **given: Any) -> Vm:
    """Return a running VM with one volume."""
    bsu = {"delete_on_vm_deletion": True, "link_date": EPOCH, "state": "attached", "volume_id": _id("volume", number)}
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return _entity(
        Vm,
        number,
        given,
        block_device_mappings=[{"bsu": bsu, "device_name": ROOT}],
        creation_date=EPOCH,
        image_id=_id("image", number),
        placement={"subregion_name": SUBREGION, "tenancy": "default"},
        private_dns_name=f"ip-{address.replace('.', '-')}.{DEFAULT_REGION}.compute.internal",
        private_ip=address,
        reservation_id=_id("reservation", number),
        security_groups=[{"security_group_id": _id("security_group", 1), "security_group_name": "default"}],
        shutdown_behavior_configuration={"guest_action": "stop", "host_action": "restart"},
        state="running",
        vm_type="tinav5.c1r1p2",
    )


def keypair(number: int = 1, /, **given: Any) -> Keypair:
    """Return a keypair, as it is read: without its private half."""
    digits = ids.derive_hex(SEED, number, "fingerprint")[:32]
    return _entity(
        Keypair,
        number,
        given,
        keypair_fingerprint=":".join(digits[at : at + 2] for at in range(0, 32, 2)),
        keypair_name=f"keypair-{number}",
        keypair_type="ssh-rsa",
    )


def image_export_task(number: int = 1, /, **given: Any) -> ImageExportTask:
    """Return the export of an OMI, completed."""
    state, image_id = given.get("state", "completed"), given.get("image_id", _id("image", number))
    manifest = f"{endpoint('oos', DEFAULT_REGION)}/exports/{image_id}/manifest.json"
    return _entity(
        ImageExportTask,
        number,
        given,
        comment=f"Export of image {image_id}",
        image_id=image_id,
        osu_export={"disk_image_format": "qcow2", "osu_bucket": "exports", "osu_manifest_url": manifest},
        progress=_progress(state),
        state=state,
    )


def snapshot_export_task(number: int = 1, /, **given: Any) -> SnapshotExportTask:
    """Return the export of a snapshot, completed."""
    state, snapshot_id = given.get("state", "completed"), given.get("snapshot_id", _id("snapshot", number))
    return _entity(
        SnapshotExportTask,
        number,
        given,
        comment=f"Export of snapshot {snapshot_id}",
        osu_export={"disk_image_format": "qcow2", "osu_bucket": "exports"},
        progress=_progress(state),
        snapshot_id=snapshot_id,
        state=state,
    )


def _id(kind: str, number: int) -> str:
    if type(number) is not int or number < 0:
        raise ValueError(f"the number of a factory is an integer from 0 up, not {number!r}: fields are given by name")
    return ids.make_id(kind, SEED, number)


def _progress(state: str) -> int:
    return 100 if state == "completed" else 0


def _entity(cls: type[E], number: int, given: Mapping[str, Any], **usual: Any) -> E:
    """Return an entity with what is given, and with what is usual for the rest."""
    made = _made(cls, {cls.key: _id(cls.kind, number), **usual, **given}, "")
    shape = ids.Id(cls.kind)
    if not (shape.has_prefix(made.id) and shape.is_well_formed(made.id)):
        raise ValueError(f"{cls.key} is like {_id(cls.kind, number)}, not {made.id!r}")
    return made


def _made(cls: type[T], given: Mapping[str, Any], path: str) -> T:
    hints = get_type_hints(cls)
    known = {field.name: field for field in fields(cls) if field.metadata.get("wire", True)}  # type: ignore[arg-type]  # a dataclass
    for name in given:
        if name not in known:
            raise ValueError(f"{path}{name} is no field of {cls.__name__}{suggest(name, known)}")
    missing = [name for name, field in known.items() if name not in given and field.default is MISSING]
    if missing:
        raise ValueError(f"{path}{missing[0]} is missing: {cls.__name__} needs {', '.join(missing)}")
    return cls(**{name: _checked(hints[name], value, f"{path}{name}") for name, value in given.items()})


def _checked(kind: Any, value: Any, path: str) -> Any:
    """Return a value as a field of this type holds it."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = next(arg for arg in get_args(kind) if arg is not NoneType)
        return None if value is None else _checked(inner, value, path)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_checked(get_args(kind)[0], item, f"{path}[{number}]") for number, item in enumerate(value))
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
        return _made(kind, value, f"{path}.")
    if kind is dt.datetime and isinstance(value, str | dt.datetime):
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if at.tzinfo is None:
            raise ValueError(f"{path} needs a time zone, for example UTC: {value!r} has none")
        return at
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in set(kind):
            raise ValueError(f"{path} is one of {', '.join(kind)}; not {value!r}")
        return kind(value)
    if origin is tuple or type(value) is not kind:
        noun = "a list" if origin is tuple else _NOUNS.get(kind, kind.__name__)
        raise ValueError(f"{path} is {noun}, not {value!r}")
    return value
