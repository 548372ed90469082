"""The access matrix of an OMI, computed for every account with the same predicates and rules as the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from textwrap import wrap
from typing import Any

from omisim.actions.framework.call import Call
from omisim.actions.sharing import get_permissions, is_visible
from omisim.base.frozen import frozen
from omisim.doors import oapi
from omisim.engine.calls import why_not
from omisim.engine.engine import Engine
from omisim.model import AccountRow, Image
from omisim.model.ids import check_id
from omisim.spec.cell_rules import get_cell_rule, get_statement
from omisim.spec.errors import ApiError
from omisim.state.image_origins import find_origin

__all__ = ["RIGHTS", "Access", "Cell", "explain_access", "who_can"]

# right → the action that needs it, and the predicate of the action: the OMI is visible to the account (SHR-002,
# SHR-005, SHR-010), or the account owns it (SHR-006 to SHR-008)
RIGHTS: Mapping[str, tuple[str, Callable[[Call, Image], bool]]] = {
    "read": ("ReadImages", is_visible),
    "launch": ("CreateVms", is_visible),
    "copy": ("CreateImage", is_visible),
    "export": ("CreateImageExportTask", Call.owns),
    "modify": ("UpdateImage", Call.owns),
    "delete": ("DeleteImage", Call.owns),
}
# the rules that give the rights to the owner; SHR-005 gives them to a grantee, SHR-010 to all for a public OMI
_OWNER_RULES: Mapping[str, str] = {
    "read": "OMI-037",
    "launch": "VM-002",
    "copy": "OMI-011",
    "export": "EXP-003",
    "modify": "OMI-106",
    "delete": "OMI-121",
}
_YES, _NO = "✓", "✗"


@frozen()
class Cell:
    """Whether an account has a right on an OMI now, and the id of the rule that decides it."""

    allowed: bool
    rule: str

    def __str__(self) -> str:
        """Show a check mark or a cross, and the rule."""
        return f"{_YES if self.allowed else _NO} {self.rule}"


class Access(dict[str, tuple[str, ...]]):
    """The rights of each account on an OMI, by account name.

    `origins` maps each account to the origin of the OMI as it sees it: "official", "Marketplace", "own", "shared" or
    "imported". `supported_by` is who supports the OMI: "OUTSCALE", the vendor, or the account that created it. `cells`
    maps every account, those without rights too, to its `Cell` of each right.
    """

    def __init__(
        self,
        rights: Mapping[str, tuple[str, ...]],
        origins: Mapping[str, str] | None = None,
        supported_by: str = "",
        cells: Mapping[str, Mapping[str, Cell]] | None = None,
    ) -> None:
        super().__init__(rights)
        self.origins: dict[str, str] = dict(origins or {})
        self.supported_by = supported_by
        self.cells: dict[str, Mapping[str, Cell]] = dict(cells or {})

    def __str__(self) -> str:
        """Return the matrix, each rule in it, and who supports the OMI."""
        return self.text()

    def text(self, width: int = 80) -> str:
        """Return the matrix as text, then each of its rules, wrapped at `width` columns."""
        rows = [["account", *RIGHTS]]
        rows += [[name, *(str(cells[right]) for right in RIGHTS)] for name, cells in self.cells.items()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        for rule, statement in self.list_rules().items():
            lines += wrap(f"{rule}: {statement}", max(width, 24), subsequent_indent="    ")
        return "\n".join([*lines, f"supported by {self.supported_by}"])

    def list_rules(self) -> dict[str, str]:
        """Return what each rule in the cells states, by its id."""
        rules = dict.fromkeys(cell.rule for cells in self.cells.values() for cell in cells.values())
        return {rule: get_statement(rule) for rule in rules}

    def diff(self, later: Access) -> tuple[str, ...]:
        """Return the cells that differ in a later matrix, a line for each: compare before and after a change."""
        lines = []
        for name in dict.fromkeys((*self.cells, *later.cells)):
            for right in RIGHTS:
                old, new = (matrix.cells.get(name, {}).get(right) for matrix in (self, later))
                if old != new:
                    lines.append(f"{name}: {right} {old or '-'} → {new or '-'}")
        return tuple(lines)

    def _repr_html_(self) -> str:
        """Show the matrix in a notebook; each cell has its rule as a tooltip."""
        head = "".join(f"<th>{right}</th>" for right in RIGHTS)
        body = "".join(
            f"<tr><th>{escape(name)}</th>"
            + "".join(f'<td title="{escape(get_statement(cells[right].rule))}">{cells[right]}</td>' for right in RIGHTS)
            + "</tr>"
            for name, cells in self.cells.items()
        )
        return f"<table><tr><th>account</th>{head}</tr>{body}</table>"


def who_can(engine: Engine, image_id: str) -> Access:
    """Return the rights of each account on an OMI, by account name; accounts without rights are left out.

    Raises ValueError for an unknown OMI.
    """
    check_id("image_id", image_id)
    image: Image | None = engine.state.get("image", image_id)
    if image is None:
        raise ValueError(f"{image_id!r} is not an OMI of this cloud")
    tx = engine.begin("who_can", observed=False)
    accounts: Iterable[AccountRow] = engine.state.rows("account").values()
    calls = (Call("who_can", row, row.region, tx) for row in accounts)
    readers = [call for call in calls if is_visible(call, image)]  # without this right, an account has no other
    rights = {call.account.name: _list_rights(call, image) for call in readers}
    origins = {call.account.name: find_origin(engine.state, image, call.account.account_id)[0] for call in readers}
    return Access(rights, origins, find_origin(engine.state, image)[1])


def _list_rights(call: Call, image: Image) -> tuple[str, ...]:
    return tuple(
        [
            right
            for right, (action, allows) in RIGHTS.items()
            if allows(call, image) and (action == "ReadImages" or get_cell_rule("image", action, image.state) is None)
        ]
    )


# --- with the rule behind each cell


def explain_access(engine: Engine, image_id: str, names: tuple[str, ...]) -> Access:
    """Return `who_can` with the cells of the named accounts, the owner first: the rules of real refusals.

    A right is also missing if a rule about the OMI refuses the call itself, such as its licence an export (EXP-018).
    """
    access = who_can(engine, image_id)
    image: Image = engine.state.get("image", image_id)
    owner: AccountRow = engine.state.get("account", image.account_id)
    ordered = sorted(names, key=lambda name: name != owner.name)
    accounts = [engine.state.find_by("account", "name", name)[0] for name in ordered]
    cells = {row.name: _decide(engine, row, image, access.get(row.name, ())) for row in accounts}
    rights = {
        name: tuple(right for right in held if name not in cells or cells[name][right].allowed)
        for name, held in access.items()
    }
    return Access(rights, access.origins, access.supported_by, cells)


def _decide(engine: Engine, account: AccountRow, image: Image, rights: tuple[str, ...]) -> dict[str, Cell]:
    cells = {}
    for right in RIGHTS:
        refusal = _find_refusal(engine, account, image, right) if right != "read" else ""
        allowed = right in rights and not refusal
        cells[right] = Cell(allowed, refusal or _find_rule(account, image, right, allowed=allowed))
    return cells


def _find_rule(account: AccountRow, image: Image, right: str, *, allowed: bool) -> str:
    """Return the rule that gives an account a right, or withholds it without refusing a call."""
    if account.account_id == image.account_id:
        return _OWNER_RULES[right]
    granted = get_permissions(image)
    if not allowed and (granted.global_permission or account.account_id in granted.account_ids):
        return "SHR-002"  # the account is of another Region
    if account.account_id in granted.account_ids:
        return "SHR-005"
    return "SHR-010" if granted.global_permission else _OWNER_RULES[right]


_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "export": {"OsuExport": {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}},
    "modify": {"Description": "changed"},
}


def _find_refusal(engine: Engine, account: AccountRow, image: Image, right: str) -> str:
    """Return the rule that refuses the call of a right because of the OMI; "" for none, or if another rule refuses."""
    copies = {"SourceImageId": image.image_id, "SourceRegionName": account.region}
    parameters = copies if right == "copy" else {"ImageId": image.image_id, **_PARAMETERS.get(right, {})}
    request = oapi.make_request(RIGHTS[right][0], parameters)
    errors: list[ApiError] = why_not(engine, request, account.account_id, account.region)
    return next((error.rule for error in errors if image.image_id in error.facts.values()), "")
