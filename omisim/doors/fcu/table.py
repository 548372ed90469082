"""The table of actions: how each EC2 action is done by an action of omisim. One TOML file per family.

A file has up to three kinds of tables.

`[actions.X]` is the EC2 action X:

- `calls`: the action of omisim that does it.
- `parameters`: parameter of X → parameter of `calls`. Either side may be a path with dots. Instead of a name there may
  be `{ to = "…", each = "Y" }` for a list of structures (`[inputs.Y]`) or `{ to = "…", form = "…" }` for a function of
  `forms.py`. `default` is used when the parameter is absent. An empty name reads a parameter for the row's functions.
- `required`: parameters that must have a value, which `calls` does not require.
- `ignored`: parameters that are accepted without effect, because clients send them by themselves (FCU-007).
- `defaults`: values of parameters of `calls` that X does not have.
- `answers`: what X answers, a view of the result of `calls`: the name of a view, or a view. With `group`, the view is
  of each item, and the answer is the group that the function makes.
- `attributes`: for an X with the parameter Attribute: attribute → `answers`.
- `lists`: for a read: the member of its answer with the list, and the view of an item. `ids`, `scopes`, `filters`,
  MaxResults and NextToken apply to it. `group` names a function that makes the items of the answer from those. With
  `items`, the entities are in this field of the results. With `pages`, it is the parameter in place of NextToken.
- `ids`: parameter with an id, or a list of ids → `{ kind, attribute, filter }`: their kind, the field of the entity,
  and the filter of `calls` that takes them, if it has one. An id that is not found is refused (FCU-004). With
  `malformed = "missing"`, so is a malformed one (FCU-041). Entities that have the field `without` are not found.
- `scopes`: parameter → a function of `forms.py` that selects among the results.
- `filters`: name of a filter → path in an item of the answer. With a leading colon, it is a path of the entity; with a
  leading `=`, the text that all items have; with a leading `@`, a function of `forms.py` that gets what the answer does
  not show; an empty one is for what no item has. A list whose items have tags takes `tag:<key>`, `tag-key` and
  `tag-value` too.
- `prepare`: a function that rewrites the parameters of the request first, to those of X, or to those of the EC2 action
  in `like`. `reads` are parameters that only this function reads: their form is checked before it runs. `before`: a
  function whose result `answers` sees.
- A list with the view `Nothing` is always empty, and takes any filter: omisim does not serve its family.
- `open`: whether X needs no authentication.
- `forgives`: ids of the rules whose refusals count as success.

`[views.X]` shows an entity: member of an answer (or a path) → field of the entity (or a path). Instead of a path there
may be `["path", "View"]` for a part or a list of parts, with the default if it is None (`["path", "View", []]`),
`{ value = … }`, or `{ path = "…", form = "…" }`. The path "." is the value itself. In `answers` only,
`@ec2_parameters.X` is a parameter of the request, `@at` the time of the call, and `@before` the result of `before`.

`[inputs.X]` is a structure in a request, in the form of `parameters`. The target "." is for a structure of one value,
which omisim takes without the structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen

__all__ = ["FAMILIES", "Row", "load_rows", "load_section"]

FAMILIES = (
    "accounts", "empty", "exports", "images", "instances", "interfaces", "networks", "platform", "security_groups",
    "snapshots", "volumes",
)  # fmt: skip

Spec = Mapping[str, Any]


@frozen(kw_only=True)
class Row:
    """One action of the table; the fields are explained above."""

    name: str
    calls: str
    parameters: Spec = field(default_factory=dict)
    required: Sequence[str] = ()
    ignored: Sequence[str] = ()
    defaults: Spec = field(default_factory=dict)
    answers: str | Spec | None = None
    attributes: Spec | None = None
    lists: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    items: str = ""
    pages: str = "NextToken"
    open: bool = False
    ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    prepare: str = ""
    reads: Sequence[str] = ()
    like: str = ""
    before: str = ""
    forgives: Sequence[str] = ()


@cache
def load_rows() -> Mapping[str, Row]:
    """Return all actions by their names."""
    return {name: Row(name=name, **row) for name, row in load_section("actions").items()}


@cache
def load_section(section: str) -> Mapping[str, Any]:
    """Return the tables of one kind from all files: "actions", "views" or "inputs"."""
    tables: dict[str, Any] = {}
    for family in FAMILIES:
        tables |= _load_family(family).get(section, {})
    return tables


@cache
def _load_family(family: str) -> Mapping[str, Any]:
    return load_toml("omisim.doors.fcu", f"{family}.toml")
