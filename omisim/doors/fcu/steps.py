"""The functions that the table runs before a call: `prepare` and `before`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from omisim.actions.framework.schema import find_id_problem
from omisim.doors.fcu.context import Context
from omisim.doors.fcu.network_steps import NETWORK_PREPARE
from omisim.doors.fcu.query import Tree
from omisim.doors.fcu.selection import make_not_found
from omisim.doors.fcu.table import load_rows
from omisim.model import Image
from omisim.model.ids import Id
from omisim.spec.catalog import LINUX
from omisim.spec.rules import refuse
from omisim.state.buckets import Place, make_object_url
from omisim.state.lineage import get_product_codes
from omisim.state.storage_signatures import find_active_key, presign

__all__ = ["BEFORE", "PREPARE"]

IMAGE_ATTRIBUTES = ("description", "launchpermission", "productcodes")  # those that can be modified, in lower case

# --- rewriting the parameters of a request: `prepare`


def _prepare_permissions(member: str) -> Callable[[Context, Tree], Tree]:
    """Rewrite the older form of a change (Attribute, OperationType, UserId, UserGroup) to the newer one."""

    def prepare(_: Context, tree: Tree) -> Tree:
        kind = tree.pop("OperationType", "") or "add"
        users, groups = _list_texts(tree.pop("UserId", {})), _list_texts(tree.pop("UserGroup", {}))
        if users or groups:
            if kind not in ("add", "remove"):
                raise refuse("FCU-006/type", parameter="OperationType", value=kind, expected="add or remove")
            items = [{"UserId": user} for user in users] + [{"Group": group} for group in groups]
            _put_older_form(tree, "UserId" if users else "UserGroup", member, {kind.capitalize(): _number(items)})
        return tree

    return prepare


def _put_older_form(tree: Tree, parameter: str, member: str, value: Tree) -> None:
    """Put a change in its older form, of `parameter`, into the member that is its newer form (FCU-064)."""
    if member in tree:
        raise refuse("FCU-064", parameter=parameter, other=member)
    tree[member] = value


def _list_texts(node: Any) -> list[str]:
    return [text for text in (node.values() if isinstance(node, dict) else [node]) if text and isinstance(text, str)]


def _number(items: Iterable[Any]) -> Tree:
    """Return a list as a request has it."""
    return {str(number): item for number, item in enumerate(items, 1)}


def _prepare_image_change(context: Context, tree: Tree) -> Tree:
    """Prepare ModifyImageAttribute, whose product codes are added to those of the OMI (FCU-009)."""
    attribute = "imdsSupport" if "ImdsSupport" in tree else tree.pop("Attribute", "") or None
    name = str(attribute).lower()  # Ansible sends Description and LaunchPermission, as EC2 accepts them
    if attribute is not None and name not in IMAGE_ATTRIBUTES:
        raise refuse("FCU-046", attribute=attribute)
    if "Value" in tree and name == "description":
        _put_older_form(tree, "Value", "Description", {"Value": tree.pop("Value")})
    codes = _list_texts(tree.get("ProductCode", {}))
    if "ProductCode" in tree and not codes:
        raise refuse("REQ-010", parameter="ProductCode")
    image: Image | None = context.engine.state.get("image", str(tree.get("ImageId", "")))
    if codes and tree.get("OperationType") == "remove":
        raise refuse("FCU-009/remove")
    if codes and image is not None:
        tree["ProductCode"] = _number(dict.fromkeys((*image.product_codes, *codes)))
    return _prepare_permissions("LaunchPermission")(context, tree)


def _prepare_snapshot_change(context: Context, tree: Tree) -> Tree:
    attribute = tree.pop("Attribute", "")
    if attribute and attribute.lower() != "createvolumepermission":
        raise refuse("FCU-046/snapshot", attribute=attribute)
    tree = _prepare_permissions("CreateVolumePermission")(context, tree)
    change = tree.get("CreateVolumePermission", {})
    if isinstance(change, dict) and change.keys().isdisjoint(("Add", "Remove")):
        raise refuse("FCU-065")
    return tree


def _prepare_reset(kind: str, attribute: str, member: str, field: str) -> Callable[[Context, Tree], Tree]:
    """Rewrite the reset of permissions to the removal of all of them."""

    def prepare(context: Context, tree: Tree) -> Tree:
        requested_attribute = tree.pop("Attribute", "")
        if not requested_attribute:
            raise refuse("REQ-010", parameter="Attribute")
        if requested_attribute != attribute:
            raise refuse("FCU-006/type", parameter="Attribute", value=requested_attribute, expected=attribute)
        entity: Any = context.engine.state.get(kind, str(tree.get(f"{kind.capitalize()}Id", "")))
        accounts = getattr(entity, field).account_ids if entity else ()
        items = [{"UserId": account_id} for account_id in accounts] + [{"Group": "all"}]
        tree[member] = {"Remove": _number(items)}
        return tree

    return prepare


def _prepare_registration(context: Context, tree: Tree) -> Tree:
    """Prepare RegisterImage: its source (FCU-062), an architecture (FCU-008), and a URL for a path (FCU-060)."""
    location = tree.get("ImageLocation")
    if not (location or tree.get("BlockDeviceMapping") or tree.get("RootDeviceName")):
        raise refuse("FCU-062")
    if not location:
        tree["Architecture"] = tree.get("Architecture") or "i386"
    elif isinstance(location, str) and "/" in location and "://" not in location:
        tree["ImageLocation"] = _presign(context, location)
    return tree


def _presign(context: Context, path: str) -> str:
    """Return a URL with which the caller can read the object at a path, which begins with the bucket."""
    bucket, _, name = path.partition("/")
    place, state = Place(context.region, bucket, name), context.engine.state
    for key in state.find_by("access_key", "account_id", context.account_id):
        if find_active_key(state, key.access_key_id, context.region, context.at) is not None:
            return presign(place, key, context.at)
    return make_object_url(place)  # of a caller without a valid key, whom nothing but auth="off" lets in


def _prepare_console(_: Context, tree: Tree) -> Tree:
    """Prepare GetConsoleOutput, to which boto 2 sends a list of one instance (FCU-063)."""
    node = tree.get("InstanceId")
    return {**tree, "InstanceId": node["1"]} if isinstance(node, dict) and [*node] == ["1"] else tree


def _prepare_product_types(context: Context, tree: Tree) -> Tree:
    """Find the product codes of an image or a snapshot that the caller can see (FCU-018)."""
    image_id, snapshot_id = tree.pop("ImageId", ""), tree.pop("SnapshotId", "")
    if bool(image_id) == bool(snapshot_id):
        raise refuse("FCU-018")
    kind, parameter = ("image", "ImageId") if image_id else ("snapshot", "SnapshotId")
    row_id = str(image_id or snapshot_id)
    problem = find_id_problem(Id(kind), row_id, parameter)
    if problem is not None:
        raise problem
    rows = context.read("ReadImages" if kind == "image" else "ReadSnapshots", {f"{kind}_ids": [row_id]})
    if not rows:
        raise make_not_found(kind, row_id)
    codes = rows[0].product_codes if kind == "image" else get_product_codes(context.engine.state, row_id)
    return {**tree, "ProductTypeId": _number(codes or (LINUX,))}


def _prepare_instance_change(_: Context, tree: Tree) -> Tree:
    """Rewrite the older form of a change (Attribute, Value) to the newer one."""
    attribute = tree.pop("Attribute", "")
    if attribute and "Value" in tree:
        member, value = attribute[0].upper() + attribute[1:], {"Value": tree.pop("Value")}
        paths = load_rows()["ModifyInstanceAttribute"].parameters
        known = [path.removesuffix(".Value") for path in paths if path.endswith(".Value")]
        if member not in known:
            names = ", ".join(name[0].lower() + name[1:] for name in known)
            raise refuse("FCU-046/instance", attribute=attribute, known=names)
        _put_older_form(tree, "Value", member, value)
    return tree


PREPARE: Mapping[str, Callable[[Context, Tree], Tree]] = {
    **NETWORK_PREPARE,
    "console": _prepare_console,
    "image_change": _prepare_image_change,
    "image_reset": _prepare_reset("image", "launchPermission", "LaunchPermission", "permissions_to_launch"),
    "instance_change": _prepare_instance_change,
    "product_types": _prepare_product_types,
    "registration": _prepare_registration,
    "snapshot_change": _prepare_snapshot_change,
    "snapshot_reset": _prepare_reset(
        "snapshot", "createVolumePermission", "CreateVolumePermission", "permissions_to_create_volume"
    ),
}


# --- what was there before the call: `before`


def _find_volume_link(context: Context, parameters: Mapping[str, Any]) -> Any:
    """Return the link of a volume of the caller, which must be the one that the request describes (FCU-011)."""
    state, volume_id = context.engine.state, parameters.get("VolumeId", "")
    link, volume = state.get("volume_link", volume_id), state.get("volume", volume_id)
    if link is not None and volume.account_id == context.account_id:
        for name, value in (("InstanceId", link.vm_id), ("Device", link.device_name)):
            if (parameters.get(name) or value) != value:
                raise refuse("FCU-011", volume_id=link.volume_id, parameter=name, value=parameters[name], actual=value)
    return link


BEFORE: Mapping[str, Callable[[Context, Mapping[str, Any]], Any]] = {
    "volume_link": _find_volume_link,
}
