"""`clouds()`: clouds in reachable states, for tests with `@given`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st

from omisim.actions.framework.registry import ACTIONS
from omisim.base.hosts import DEFAULT_REGION
from omisim.cloud.cloud import Cloud
from omisim.spec.catalog import load_catalog
from omisim.state.settings import Timing
from omisim.testing.core_actions import CORE
from omisim.testing.initial_resources import check_counts, create, initial_resources
from omisim.testing.recorder import Recorder
from omisim.testing.strategies.api_requests import requests
from omisim.testing.strategies.request_builder import Draw
from omisim.testing.strategies.values import check_choice, check_strings

__all__ = ["clouds"]


def clouds(
    *,
    accounts: Mapping[str, str] | Iterable[str] = ("alice", "bob"),
    starts_with: Mapping[str, int] | None = None,
    actions: Collection[str] = CORE,
    max_calls: int = 10,
    timing: Timing = "eager",
) -> st.SearchStrategy[Cloud]:
    """Draw clouds whose accounts have made some calls: every state that it draws can be reached through the API.

    It shrinks towards a cloud whose accounts own nothing. A failing test prints the calls that made its cloud. They
    are not in `cloud.calls`.

    Args:
        accounts: The names of the accounts, or the Region of each by name (default eu-west-2).
        starts_with: The number of resources of each kind that each account begins with, for example `{"image": 3}`:
            at most so many, usually as many.
        actions: The actions to call; by default those of the OMI model.
        max_calls: The largest number of calls, about half of which succeed.
        timing: The timing of the clouds.

    Raises:
        ValueError: For an unknown action, Region or kind, and a number below 0.
    """
    regions_by_name = (
        accounts if isinstance(accounts, Mapping) else dict.fromkeys(check_strings("accounts", [*accounts]), "")
    )
    regions = {name: region or DEFAULT_REGION for name, region in regions_by_name.items()}
    for name, region in regions.items():
        check_choice(f"the Region of {name}", region, tuple(load_catalog().regions))
    if isinstance(accounts, str) or not regions:
        raise ValueError(f"accounts must be a list of at least one name, or Regions by name, not {accounts!r}")
    check_counts(starts_with or {})
    for action in actions:
        check_choice("actions", action, tuple(ACTIONS), "names of actions")
    if type(max_calls) is not int or max_calls < 0:
        raise ValueError(f"max_calls must be an int from 0, not {max_calls!r}")
    Cloud(timing=timing)
    writes = sorted(action for action in actions if not action.startswith("Read"))
    return _draw_cloud(regions, starts_with or {}, writes, max_calls if writes else 0, timing)


@st.composite
def _draw_cloud(
    draw: Draw,
    regions: Mapping[str, str],
    counts: Mapping[str, int],
    actions: list[str],
    max_calls: int,
    timing: Timing,
) -> Cloud:
    recorder = Recorder()
    recorder.start_cloud(timing, regions, buckets=False)
    for name in regions if counts else ():
        create(recorder, name, draw(initial_resources(counts)))
    for _ in range(draw(st.integers(0, max_calls))):
        action, name = draw(st.sampled_from(actions)), draw(st.sampled_from([*regions]))
        recorder.call_unchecked(name, action, **draw(requests(action, recorder.cloud, recorder.account(name))))
    if currently_in_test_context():
        note(recorder.render())
    session = recorder.cloud.engine.session
    session.trim_calls(session.call_position)
    session.warnings.clear()
    return recorder.cloud
