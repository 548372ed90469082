"""All doors agree: a typed call, `Account.call`, the SDK in process, HTTP and boto3 through FCU, under one machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from support.agreement import Doors, OtherDoors
from support.entrances import ENTRANCES, NO_ANSWER, Disagreement

from omisim import Account, Cloud
from omisim.actions.framework.request import Request
from omisim.cloud import account
from omisim.doors import http
from omisim.doors.fcu.actions import FcuAction
from omisim.doors.fcu.query import Query
from omisim.doors.oapi import OapiDoor
from omisim.engine import calls
from omisim.engine.engine import Engine

Patch = pytest.MonkeyPatch
HUNT = settings(
    max_examples=100,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

Doors.TestCase.settings = OtherDoors.TestCase.settings = settings(
    max_examples=settings().max_examples // 10 or 1, stateful_step_count=40, deadline=None
)
TestTheModel = Doors.TestCase
TestTheRest = OtherDoors.TestCase


@pytest.mark.parametrize("name", ENTRANCES)
class TestAgreementOfDoors:
    def test_skips_a_dropped_connection(self, name: str, cloud: Cloud, alice: Account) -> None:
        """A dropped call has neither an answer nor a refusal; the next call is answered."""
        cloud.faults.add("ReadVms", times=1, drop=True)
        door = ENTRANCES[name]()
        assert [door(alice, "ReadVms", {}) for _ in range(2)] == [NO_ANSWER, {"body": {"Vms": []}}]
        door.close()

    def test_covers_calls_that_a_door_cannot_carry(self, name: str, alice: Account) -> None:
        """A call that a door cannot make, or refuses itself, reaches the cloud by its detour."""
        door = ENTRANCES[name]()
        assert door(alice, "CreateVolume", {"Size": 1, "SubregionName": "eu-west-2a", "DryRun": True}) == {"body": {}}
        outcomes = [door(alice, "ReadVolumes", {"ResultsPerPage": 0}), door(alice, "ReadVolumes", {"Nonsense": 0})]
        assert [(outcome["status"], outcome["rule"]) for outcome in outcomes] == [(400, "PAG-001"), (400, "REQ-008")]
        door.close()


# --- bugs of one door


def plant_equal_statuses(patch: Patch) -> None:
    """Every refusal on the wire is a 400."""
    handle = OapiDoor.handle

    def handle_with_status_400(door: OapiDoor, request: http.HttpRequest, host_time: dt.datetime) -> http.HttpResponse:
        response = handle(door, request, host_time)
        response.status = min(response.status, 400)
        return response

    patch.setattr(OapiDoor, "handle", handle_with_status_400)


def plant_dropped_false(patch: Patch) -> None:
    """A typed call leaves out what is false."""
    patch.setattr(
        account, "copy_arguments", lambda parameters: {name: value for name, value in parameters.items() if value}
    )


def plant_ticking_reads(patch: Patch) -> None:
    """A read that comes by a request moves the clock; one that Python makes does not."""
    answer_call = calls.answer_call

    def answer_and_tick(engine: Engine, request: Request, account_id: str, region: str, headers: Any) -> Any:
        answer = answer_call(engine, request, account_id, region, headers)
        if headers and request.action.startswith("Read"):
            engine.clock.tick()
        return answer

    patch.setattr(calls, "answer_call", answer_and_tick)


def plant_other_sizes(patch: Patch) -> None:
    """FCU makes volumes of another size."""
    answer = FcuAction.answer

    def answer_with_size(action: FcuAction, context: Any, query: Query, *args: Any) -> Any:
        pairs = tuple((name, "7" if name == "Size" else text) for name, text in query.pairs)
        return answer(action, context, replace(query, pairs=pairs), *args)

    patch.setattr(FcuAction, "answer", answer_with_size)


class TestBugInOneDoor:
    @pytest.mark.parametrize(
        ("plant", "door", "message"),
        [
            (plant_equal_statuses, "http", "http differs from call: status: 400, not 409: "),
            (plant_dropped_false, "typed", "typed differs from call: |typed records "),
            (plant_other_sizes, "fcu", "fcu records |the cloud behind fcu differs: "),
            (plant_ticking_reads, "sdk", "the cloud behind sdk differs: in its time or its history"),
        ],
    )
    def test_is_reported_with_the_name_of_the_door(
        self, monkeypatch: Patch, plant: Callable[[Patch], None], door: str, message: str
    ) -> None:
        """A bug in one door is a disagreement, and names the door."""
        plant(monkeypatch)
        machine = type("One", (Doors,), {"doors": (door,)})
        with pytest.raises(Disagreement, match=message):
            run_state_machine_as_test(machine, settings=HUNT)
