"""The transcript of the demo, and its actors, each an account with an SDK gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from requests import HTTPError

from omisim.base.frozen import frozen
from omisim.base.texts import pluralize
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.cloud.lineage import Lineage
from omisim.spec.rules import get_rule

__all__ = ["Actor", "Story", "StoryStep"]

POLL = 10  # virtual seconds between two polls


@frozen()
class StoryStep:
    """One line of the story: a call and its answer, or an observation (with `action` "")."""

    who: str
    action: str
    parameters: dict[str, Any]
    status: int
    answer: str
    means: str
    refusal: dict[str, str] | None = None


@dataclass(slots=True)
class Story:
    """The transcript, and the final lineage of the official OMI with which the story begins."""

    cloud: Cloud
    steps: list[StoryStep] = field(default_factory=list)
    lineage: Lineage | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the story as plain JSON data."""
        tree = self.lineage.to_dict() if self.lineage else None
        return {"steps": [asdict(step) for step in self.steps], "lineage": tree}

    def add_observation(self, who: str, answer: str, means: str) -> None:
        """Record an observation that is not an API call."""
        self.steps.append(StoryStep(who, "", {}, 0, answer, means))


class Actor:
    """One account with its SDK gateway."""

    def __init__(self, story: Story, account: Account) -> None:
        self.account = account
        self._story = story
        self._gateway = account.gateway()

    def call(
        self, action: str, means: str, describe: Callable[[dict[str, Any]], str] = lambda _: "", /, **parameters: Any
    ) -> dict[str, Any]:
        """Make a call that succeeds; `describe` returns the text of its answer for the transcript."""
        answer: dict[str, Any] = getattr(self._gateway, action)(**parameters)
        self._story.steps.append(StoryStep(self.account.name, action, parameters, 200, describe(answer), means))
        return answer

    def expect_refusal(self, action: str, means: str, /, **parameters: Any) -> None:
        """Make a call that the cloud must refuse."""
        try:
            getattr(self._gateway, action)(**parameters)
        except HTTPError as error:
            response = error.response
            body = response.json()["Errors"][0]
            rule = response.headers["X-Omisim-Rule"]
            refusal = {
                "code": body["Code"],
                "type": body["Type"],
                "details": body["Details"],
                "rule": rule,
            }
            refusal["says"] = get_rule(rule).says
            step = StoryStep(
                self.account.name, action, parameters, response.status_code, body["Details"], means, refusal
            )
            self._story.steps.append(step)
        else:
            raise AssertionError(f"{action} was not refused")

    def poll(self, action: str, key: str, state: str, **filters: Any) -> dict[str, Any]:
        """Read one resource every ten virtual seconds until it is in a state. Returns the resource."""
        cloud, states = self._story.cloud, []
        start = cloud.now
        while True:
            row: dict[str, Any] = getattr(self._gateway, action)(Filters=filters)[key][0]
            states.append(row["State"])
            if row["State"] == state:
                break
            cloud.advance(POLL)
        seconds = round((cloud.now - start).total_seconds())
        path = " → ".join(dict.fromkeys(states))
        means = f"{pluralize(len(states), 'poll')}, {pluralize(seconds, 'virtual second')}"
        self._story.steps.append(StoryStep(self.account.name, action, {"Filters": filters}, 200, path, means))
        return row
