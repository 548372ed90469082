"""Build valid entities without a cloud, for unit tests of code that only reads responses.

    image(image_name="golden")            an Image, as returned by the typed methods
    wire(vm(state="stopped"))             a dict, as in the JSON of the API
    [wire(volume(n)) for n in (1, 2, 3)]  three volumes

The number determines the ids, and entities with the same number refer to each other: `vm(2)` was launched from
`image(2)` and has `volume(2)`, of which `snapshot(2)` was taken. Fields are keyword arguments. Lists and dicts are
converted to tuples and dataclasses, strings to states and dates. Every factory raises ValueError for an unknown field,
a wrong type or an unknown state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from omisim.base.clock import EPOCH
from omisim.base.hosts import DEFAULT_REGION, make_endpoint
from omisim.base.suggest import suggest
from omisim.model import Entity, Image, ImageExportTask, Keypair, Snapshot, SnapshotExportTask, Vm, Volume, ids
from omisim.model.serialize import to_api, unwrap_optional
from omisim.spec.limits import ROOT

__all__ = ["image", "image_export_task", "keypair", "snapshot", "snapshot_export_task", "vm", "volume", "wire"]

T = TypeVar("T")
E = TypeVar("E", bound=Entity)
SEED: Final = "factories"
ACCOUNT: Final = ids.make_account_id(SEED, "alice")
SUBREGION: Final = f"{DEFAULT_REGION}a"
SIZE: Final = 10  # GiB
_NOUNS: Final[Mapping[type, str]] = {str: "a str", int: "an int", bool: "True or False"}


def wire(entity: Entity) -> dict[str, Any]:
    """Return an entity as the JSON dict of the API. Raises ValueError for any other value."""
    if not is_dataclass(type(entity)):
        raise ValueError(f"entity must be an entity, for example image(), not {entity!r}")
    answer: dict[str, Any] = to_api(entity)
    return answer


def image(number: int = 1, /, **values: Any) -> Image:
    """Return an available, private OMI with one device."""
    account, name = values.get("account_id", ACCOUNT), values.get("image_name", f"image-{number}")
    bsu = {
        "delete_on_vm_deletion": True,
        "snapshot_id": _make_id("snapshot", number),
        "volume_size": SIZE,
        "volume_type": "standard",
    }
    return _build_entity(
        Image,
        number,
        values,
        account_id=account,
        block_device_mappings=[{"bsu": bsu, "device_name": ROOT}],
        boot_modes=["legacy", "uefi"],
        creation_date=EPOCH,
        file_location=f"{account}/{name}",
        image_name=name,
        state="available",
    )


def snapshot(number: int = 1, /, **values: Any) -> Snapshot:
    """Return a completed, private snapshot of a volume, 10 GiB."""
    state = values.get("state", "completed")
    return _build_entity(
        Snapshot,
        number,
        values,
        account_id=ACCOUNT,
        creation_date=EPOCH,
        progress=_derive_progress(state),
        state=state,
        volume_id=_make_id("volume", number),
        volume_size=SIZE,
    )


def volume(number: int = 1, /, **values: Any) -> Volume:
    """Return an available volume of 10 GiB; with `state="in-use"` it is linked to the VM with the same number."""
    link = {"device_name": ROOT, "vm_id": _make_id("vm", number), "volume_id": _make_id("volume", number)}
    linked = [{**link, "delete_on_vm_deletion": True, "state": "attached"}] if values.get("state") == "in-use" else []
    return _build_entity(
        Volume,
        number,
        values,
        creation_date=EPOCH,
        linked_volumes=linked,
        size=SIZE,
        state="available",
        subregion_name=SUBREGION,
    )


def vm(number: int = 1, /, **values: Any) -> Vm:
    """Return a running VM with one volume."""
    bsu = {
        "delete_on_vm_deletion": True,
        "link_date": EPOCH,
        "state": "attached",
        "volume_id": _make_id("volume", number),
    }
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return _build_entity(
        Vm,
        number,
        values,
        block_device_mappings=[{"bsu": bsu, "device_name": ROOT}],
        creation_date=EPOCH,
        image_id=_make_id("image", number),
        placement={"subregion_name": SUBREGION, "tenancy": "default"},
        private_dns_name=f"ip-{address.replace('.', '-')}.{DEFAULT_REGION}.compute.internal",
        private_ip=address,
        reservation_id=_make_id("reservation", number),
        security_groups=[{"security_group_id": _make_id("security_group", 1), "security_group_name": "default"}],
        shutdown_behavior_configuration={"guest_action": "stop", "host_action": "stop"},
        state="running",
        vm_type="tinav5.c1r1p2",
    )


def keypair(number: int = 1, /, **values: Any) -> Keypair:
    """Return a keypair as ReadKeypairs does, without its private key."""
    digits = ids.derive_hex(f"{SEED}:{number}:fingerprint")[:32]
    return _build_entity(
        Keypair,
        number,
        values,
        keypair_fingerprint=":".join(digits[at : at + 2] for at in range(0, 32, 2)),
        keypair_name=f"keypair-{number}",
        keypair_type="ssh-rsa",
    )


def image_export_task(number: int = 1, /, **values: Any) -> ImageExportTask:
    """Return a completed export of an OMI."""
    state, image_id = values.get("state", "completed"), values.get("image_id", _make_id("image", number))
    manifest = f"{make_endpoint('oos', DEFAULT_REGION)}/exports/{image_id}/manifest.json"
    return _build_entity(
        ImageExportTask,
        number,
        values,
        comment=f"Export of image {image_id}",
        image_id=image_id,
        osu_export={"disk_image_format": "qcow2", "osu_bucket": "exports", "osu_manifest_url": manifest},
        progress=_derive_progress(state),
        state=state,
    )


def snapshot_export_task(number: int = 1, /, **values: Any) -> SnapshotExportTask:
    """Return a completed export of a snapshot."""
    state, snapshot_id = values.get("state", "completed"), values.get("snapshot_id", _make_id("snapshot", number))
    return _build_entity(
        SnapshotExportTask,
        number,
        values,
        comment=f"Export of snapshot {snapshot_id}",
        osu_export={"disk_image_format": "qcow2", "osu_bucket": "exports"},
        progress=_derive_progress(state),
        snapshot_id=snapshot_id,
        state=state,
    )


def _make_id(kind: str, number: int) -> str:
    if type(number) is not int or number < 0:
        raise ValueError(f"number must be an int of at least 0, not {number!r}; pass fields by name")
    return ids.make_id(kind, SEED, number)


def _derive_progress(state: str) -> int:
    return 100 if state == "completed" else 0


def _build_entity(cls: type[E], number: int, values: Mapping[str, Any], **defaults: Any) -> E:
    """Return an entity with the given values and defaults for the other fields."""
    entity = _build(cls, {cls.key: _make_id(cls.kind, number), **defaults, **values}, "")
    shape = ids.Id(cls.kind)
    if not (shape.has_prefix(entity.id) and shape.is_well_formed(entity.id)):
        raise ValueError(f"{cls.key} must be an id like {_make_id(cls.kind, number)}, not {entity.id!r}")
    return entity


def _build(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    hints = get_type_hints(cls)
    wire_fields = {field.name: field for field in fields(cls) if field.metadata.get("wire", True)}  # type: ignore[arg-type]  # a dataclass
    for name in values:
        if name not in wire_fields:
            raise ValueError(f"{path}{name} is not a field of {cls.__name__}{suggest(name, wire_fields)}")
    missing = [name for name, field in wire_fields.items() if name not in values and field.default is MISSING]
    if missing:
        raise ValueError(f"{path}{missing[0]} is missing; {cls.__name__} requires {', '.join(missing)}")
    return cls(**{name: _convert(hints[name], value, f"{path}{name}") for name, value in values.items()})


def _convert(kind: Any, value: Any, path: str) -> Any:
    """Convert a value to the type of a field. Raises ValueError."""
    inner, origin = unwrap_optional(kind), get_origin(kind)
    if inner is not kind:
        return None if value is None else _convert(inner, value, path)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(get_args(kind)[0], item, f"{path}[{number}]") for number, item in enumerate(value))
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, Mapping):
        return _build(kind, value, f"{path}.")
    if kind is dt.datetime and isinstance(value, str | dt.datetime):
        return _convert_date(value, path)
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in set(kind):
            raise ValueError(f"{path} must be one of {', '.join(kind)}, not {value!r}")
        return kind(value)
    if origin is tuple or type(value) is not kind:
        noun = "a list" if origin is tuple else _NOUNS.get(kind, kind.__name__)
        raise ValueError(f"{path} must be {noun}, not {value!r}")
    return value


def _convert_date(value: str | dt.datetime, path: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{path} must be a date such as 2026-01-01T00:00:00Z, not {value!r}") from None
    if at.tzinfo is None:
        raise ValueError(f"{path} must have a time zone, for example UTC, not {value!r}")
    return at
