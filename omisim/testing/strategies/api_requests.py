"""Requests for any action, derived from its signature: its parameters, their types, the kinds of ids they hold.

A request is mostly sensible: it takes one of the ways that an action has, names what the account has, and gives values
that are allowed. Some are right but for one value, some are made again. Now and then one is careless: an id of another
account's or of nobody's, parameters that do not go together, a value of a wrong type, a name that there is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import Shape
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.engine.session import CallRecord
from omisim.model.ids import PREFIXES
from omisim.model.serialize import api_name, snake_name
from omisim.testing.strategies.allowed import INVALID, WAYS, WRONG
from omisim.testing.strategies.request_builder import ALL_IDS, LAUNCHES, NOW_IDS, RIGHT_IDS, Asking, Draw
from omisim.testing.strategies.values import one_of_these

__all__ = ["filters", "kinds", "requests"]


# how requests are: as right as can be; about what was a moment ago; about anything; about things that need not be near
# each other; right but for one value; a try; one that was made before; careless
MOODS = (
    *["right"] * 4, *["now"] * 4, *["mixed"] * 2, "anywhere", *["slip"] * 2, "try", "again", "careless",
)  # fmt: skip
LAST = 3  # requests that are made again


def requests(action: str, cloud: Cloud, account: Account) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the parameters of a call of an action by an account, by the API's names: `account.call(action, **drawn)`.

    About half of the calls succeed in a cloud in which there is something. Raises ValueError for an action that
    is not served.
    """
    one_of_these("an action", action, tuple(ACTIONS))
    _check_account(cloud, account)
    return _request(action, cloud, account)


@cache
def kinds(action: str, *, required: bool) -> tuple[str, ...]:
    """Return the kinds of resources that a request names: those that it must, or those of its first way as well."""
    shape = ACTIONS[action].shape
    names = {field.name for field in shape.required} | set(() if required else WAYS.get(action, ((),))[0])
    ids = (shape.fields[name].id for name in sorted(names))
    named = {one.kind for one in ids if one is not None} - ({"image"} if action in LAUNCHES else set())
    return tuple(sorted(named.intersection((*PREFIXES, "export_task"))))


@st.composite
def _request(draw: Draw, action: str, cloud: Cloud, account: Account) -> dict[str, Any]:
    mood = draw(st.sampled_from(MOODS))
    careless = mood == "careless"
    made = _made(action, cloud, account) if mood == "again" else ()
    if made:
        return made[draw(st.integers(0, len(made) - 1))].parameters
    asking = Asking(draw, cloud, account, careless=careless, right=mood in ("right", "slip"))
    asking.ids = RIGHT_IDS if asking.right else NOW_IDS if mood == "now" else ALL_IDS
    asking.anywhere = mood in ("careless", "anywhere")
    asking.tricky = mood != "right"  # a slip may be in what is tricky, too
    request = asking.object(action, ACTIONS[action].shape)
    if mood == "try":
        request["DryRun"] = True
    elif careless and draw(st.booleans()):
        name = draw(st.sampled_from(sorted({*map(api_name, ACTIONS[action].shape.all_fields), "Nonsense"})))
        request[name] = draw(st.sampled_from(WRONG))
    elif mood == "slip":
        _slip(draw, request)
    return request


def _made(action: str, cloud: Cloud, account: Account) -> Sequence[CallRecord]:
    """Return the last calls of an action by an account: a client that has heard nothing asks again."""
    calls = cloud.engine.session.calls
    return [record for record in calls if record.action == action and record.account == account.name][-LAST:]


def _slip(draw: Draw, request: dict[str, Any]) -> None:
    """Leave out a value, or put one that is refused in its place, at any depth: the rest of the request is right."""
    places = list(_places(request))
    if places:
        holder, key, name = places[draw(st.integers(0, len(places) - 1))]
        if name in INVALID and draw(st.integers(0, 3)):
            holder[key] = draw(st.sampled_from(INVALID[name]))
        else:
            del holder[key]


def _places(holder: Any, above: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield where a request has a value: what holds it, its key, its name."""
    for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
        name = snake_name(key) if isinstance(key, str) else above
        if isinstance(value, dict | list):
            yield from _places(value, name)
        else:
            yield holder, key, name


def filters(action: str, cloud: Cloud, account: Account) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the Filters of a read, one or two of them, with values that its rows have and ones that none has.

    Raises ValueError for an action without filters.
    """
    shapes = {name: found.shape.fields["filters"].shape for name, found in ACTIONS.items() if _filtered(found.shape)}
    one_of_these("an action with filters", action, tuple(shapes))
    _check_account(cloud, account)
    return _filters(action, cloud, account)


def _check_account(cloud: Cloud, account: Account) -> None:
    if not isinstance(account, Account):
        raise ValueError(f"account is what cloud.account() returns, not {account!r}")  # noqa: TRY004 - as every wrong argument
    if account.cloud is not cloud:
        raise ValueError(f"the account {account.name} is of another cloud: take cloud.account({account.name!r})")


@st.composite
def _filters(draw: Draw, action: str, cloud: Cloud, account: Account) -> dict[str, Any]:
    return Asking(draw, cloud, account).filters(action)


def _filtered(shape: Shape) -> bool:
    return "filters" in shape.fields
