"""Strategies for requests of any action, derived from its signature: parameters, their types, and the kinds of ids.

Most requests use one parameter set of the action, resources of the account, and valid values. Some have one invalid
value, and some repeat an earlier request. A few are arbitrary: ids of other accounts or of no resource, parameters that
cannot be combined, values of a wrong type, unknown parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.session import CallRecord
from omisim.model.ids import PREFIXES
from omisim.model.serialize import api_name, snake_name
from omisim.testing.strategies.allowed import INVALID, MISTYPED, PARAMETER_SETS
from omisim.testing.strategies.request_builder import ALL_IDS, LAUNCHES, RECENT_IDS, VALID_IDS, Draw, RequestBuilder
from omisim.testing.strategies.values import check_choice

__all__ = ["filters", "kinds", "requests"]


# styles of requests, repeated by frequency. valid: as valid as possible. recent: about recently used resources.
# mixed: about any resources. scattered: about resources in different Nets or Subregions. flawed: valid except for one
# value. dry-run: with DryRun. repeated: equal to an earlier request. arbitrary: any parameters with any values.
# Hypothesis shrinks an index step by step: each style from mixed on draws what the one before it can draw, and more.
STYLES = (
    *["valid"] * 4, *["recent"] * 4, *["flawed"] * 2, *["mixed"] * 2, "scattered", "dry-run", "repeated", "arbitrary",
)  # fmt: skip
LAST = 3  # number of earlier requests to repeat


def requests(action: str, cloud: Cloud, account: Account) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the parameters of a call by an account, with the API's names: `account.call(action, **drawn)`.

    About half of the calls succeed in a cloud with resources. Raises ValueError for an action that omisim does not
    serve and for an account of another cloud.
    """
    check_choice("action", action, tuple(ACTIONS), "an action that omisim serves")
    _check_account(cloud, account)
    return _request(action, cloud, account)


@cache
def kinds(action: str, *, required: bool) -> tuple[str, ...]:
    """Return the kinds of resources that a request needs: required ones, or also those of the first parameter set."""
    shape = ACTIONS[action].shape
    names = {field.name for field in shape.required} | set(() if required else PARAMETER_SETS.get(action, ((),))[0])
    ids = (shape.fields[name].id for name in sorted(names))
    needed = {row_id.kind for row_id in ids if row_id is not None} - ({"image"} if action in LAUNCHES else set())
    return tuple(sorted(needed.intersection((*PREFIXES, "export_task"))))


@st.composite
def _request(draw: Draw, action: str, cloud: Cloud, account: Account) -> dict[str, Any]:
    style = draw(st.sampled_from(STYLES))
    is_arbitrary = style == "arbitrary"
    earlier = _list_recent_calls(action, cloud, account) if style == "repeated" else ()
    if earlier:
        return earlier[draw(st.integers(0, len(earlier) - 1))].unredacted_parameters
    builder = RequestBuilder(draw, cloud, account, arbitrary=is_arbitrary, valid=style in ("valid", "flawed"))
    builder.id_choices = VALID_IDS if builder.valid else RECENT_IDS if style == "recent" else ALL_IDS
    builder.scattered = style in ("arbitrary", "scattered")
    builder.uses_seldom = style != "valid"  # a flaw may be in such a parameter
    request = builder.draw_object(action, ACTIONS[action].shape)
    if style == "dry-run":
        request["DryRun"] = True
    elif is_arbitrary and draw(st.booleans()):
        name = draw(st.sampled_from(sorted({*map(api_name, ACTIONS[action].shape.all_fields), "Nonsense"})))
        request[name] = draw(st.sampled_from(MISTYPED))
    elif style == "flawed":
        _add_flaw(draw, request)
    return request


def _list_recent_calls(action: str, cloud: Cloud, account: Account) -> Sequence[CallRecord]:
    """Return the last calls of an action by an account, as a client repeats them when an answer is lost."""
    calls = cloud.engine.session.calls
    return [record for record in calls if record.action == action and record.account == account.name][-LAST:]


def _add_flaw(draw: Draw, request: dict[str, Any]) -> None:
    """Remove one value of a request, or replace it by an invalid one, at any depth."""
    values = list(_iter_values(request))
    if values:
        holder, key, name = values[draw(st.integers(0, len(values) - 1))]
        if name in INVALID and draw(st.integers(0, 3)):
            holder[key] = draw(st.sampled_from(INVALID[name]))
        else:
            del holder[key]


def _iter_values(holder: Any, parent_name: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield the location of each value in a request: the dict or list, the key or index, the parameter name."""
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        name = snake_name(key) if isinstance(key, str) else parent_name
        if isinstance(value, dict | list):
            yield from _iter_values(value, name)
        else:
            yield holder, key, name


def filters(action: str, cloud: Cloud, account: Account) -> st.SearchStrategy[dict[str, Any]]:
    """Draw one or two Filters of a read, with values that match rows or match none.

    Raises ValueError for an action without filters and for an account of another cloud.
    """
    reads = tuple(name for name, row in ACTIONS.items() if "filters" in row.shape.fields)
    check_choice("action", action, reads, "an action with filters")
    _check_account(cloud, account)
    return _draw_filters(action, cloud, account)


def _check_account(cloud: Cloud, account: Account) -> None:
    if not isinstance(account, Account):
        raise ValueError(f"account must be an Account of the cloud, not {account!r}")
    if account.cloud is not cloud:
        raise ValueError(f"account must belong to the given cloud; use cloud.account({account.name!r})")


@st.composite
def _draw_filters(draw: Draw, action: str, cloud: Cloud, account: Account) -> dict[str, Any]:
    return RequestBuilder(draw, cloud, account).draw_filters(action)
