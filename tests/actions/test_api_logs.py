"""The log of an account's calls, as ReadApiLogs answers it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from requests import HTTPError
from support.expect import expect_refusal
from support.sign import sign_request

from omisim import Account, ApiError, Cloud
from omisim.doors.oapi import OapiDoor
from omisim.model.filters.dicts import FiltersApiLogDict

HOUR = 3600


def logs(account: Account, **parameters: Any) -> list[dict[str, Any]]:
    """Read the log by API names."""
    entries: list[dict[str, Any]] = account.call("ReadApiLogs", **parameters)["Logs"]
    return entries


class TestLogEntries:
    def test_have_the_request_and_the_answer(self, cloud: Cloud, alice: Account) -> None:
        """A call by a real client is logged with its key, headers, sizes and answer. [CAT-010]"""
        answer = alice.gateway().ReadVms(Filters={"VmIds": []})
        log = logs(alice)[0]
        assert log["RequestId"] == answer["ResponseContext"]["RequestId"]
        assert (log["QueryCallName"], log["ResponseStatusCode"], log["AccountId"]) == ("ReadVms", 200, alice.account_id)
        assert (log["QueryAccessKey"], log["QueryApiName"], log["QueryApiVersion"]) == (
            alice.access_key,
            "oapi",
            "1.42",
        )
        assert (log["QueryDate"], log["QueryIpAddress"]) == ("2026-01-01T00:00:00.000Z", "127.0.0.1")
        assert json.loads(log["QueryPayloadRaw"]) == {"Filters": {"VmIds": []}}
        assert log["ResponseSize"] == len(json.dumps(answer, separators=(",", ":")))
        assert "osc-sdk-python" in log["QueryUserAgent"]

    def test_mask_the_signature(self, alice: Account) -> None:
        """The headers are logged, the Authorization header is masked. [CAT-010]"""
        alice.gateway().ReadVms()
        log = logs(alice)[0]
        assert "Authorization: *****" in log["QueryHeaderRaw"].splitlines()
        assert log["QueryHeaderSize"] == len(log["QueryHeaderRaw"])
        assert log["QueryPayloadSize"] == len(log["QueryPayloadRaw"])

    def test_include_refused_calls(self, cloud: Cloud, alice: Account) -> None:
        """A refused call is logged with its status, whatever refused it. [CAT-010]"""
        with pytest.raises(HTTPError):
            alice.gateway().DeleteVolume(VolumeId="vol-00000000")
        OapiDoor(cloud.engine).handle(sign_request(alice, "/api/v1/CreateLoadBalancer"), cloud.now)
        entries = [(log["QueryCallName"], log["ResponseStatusCode"], "ResponseSize" in log) for log in logs(alice)]
        assert entries == [("DeleteVolume", 400, True), ("CreateLoadBalancer", 400, True)]

    def test_leave_out_other_apis_and_unknown_callers_and_actions(self, cloud: Cloud, alice: Account) -> None:
        """Calls of FCU are not logged, nor what is refused with the status 401 or 404. [CAT-010/scope]"""
        ec2 = alice.client("fcu")
        ec2.create_volume(AvailabilityZone="eu-west-2a", Size=1)
        with pytest.raises(ClientError):
            ec2.describe_hosts()
        OapiDoor(cloud.engine).handle(sign_request(alice, "/api/v1/Nonsense"), cloud.now)
        assert [call.status for call in cloud.calls()] == [200, 400, 404]
        assert logs(alice) == []

    def test_include_calls_from_python(self, alice: Account) -> None:
        """A call without headers is logged, without an access key. [CAT-010]"""
        alice.read_vms(filters={"vm_ids": ["i-12345678"]})
        log = logs(alice)[0]
        assert (log["QueryPayloadRaw"], log["QueryHeaderSize"]) == ('{"Filters": {"VmIds": ["i-12345678"]}}', 0)
        assert "QueryAccessKey" not in log

    def test_belong_to_one_account(self, alice: Account, bob: Account) -> None:
        """An account reads its own log only, and the call that reads it is not in it. [CAT-010]"""
        alice.read_vms()
        assert logs(bob) == []
        assert [log["QueryCallName"] for log in logs(bob)] == ["ReadApiLogs"]

    def test_have_the_duration_of_the_call(self, cloud: Cloud, alice: Account) -> None:
        """A call takes as long as a fault delays it; a dropped call has no answer. [CAT-010]"""
        cloud.faults.add("ReadVms", delay=2)
        cloud.faults.add("ReadImages", drop=True)
        alice.read_vms()
        with pytest.raises(ConnectionError):
            alice.read_images()
        alice.read_volumes()
        assert [(log["QueryCallName"], log["CallDuration"]) for log in logs(alice)] == [
            ("ReadVms", 2_000_000),
            ("ReadVolumes", 0),
        ]

    def test_are_kept_by_a_rollback(self, cloud: Cloud, alice: Account) -> None:
        """A rollback undoes what a call did, and not its entry; a fork has a log of its own. [CAT-010]"""
        with cloud.savepoint():
            alice.create_volume(subregion_name="eu-west-2a", size=1)
            cloud.advance(30 * HOUR)
            alice.read_volumes()
        assert [log["QueryCallName"] for log in logs(alice)] == ["CreateVolume", "ReadVolumes"]
        assert logs(cloud.fork().account("alice")) == []


class TestDefaultLogWindow:
    @pytest.fixture(name="start")
    def _start(self, cloud: Cloud, alice: Account) -> dt.datetime:
        """The time of a first call; others follow 30 hours and 60 hours later."""
        start = cloud.now
        alice.read_vms()
        for _ in range(2):
            cloud.advance(seconds=30 * HOUR)
            alice.read_volumes()
        return start

    def test_is_the_last_48_hours(self, alice: Account, start: dt.datetime) -> None:
        """Without dates the last 48 hours are read. [CAT-010]"""
        assert [log.query_call_name for log in alice.read_api_logs()] == ["ReadVolumes", "ReadVolumes"]

    def test_extends_48_hours_from_one_given_date(self, alice: Account, start: dt.datetime) -> None:
        """One date gives the two days after or before it, two dates the time between. [CAT-010]"""
        windows: list[tuple[FiltersApiLogDict, int]] = [
            ({"query_date_after": start}, 2),
            ({"query_date_before": start + dt.timedelta(hours=40)}, 2),
            ({"query_date_before": start}, 1),
            ({"query_date_after": start, "query_date_before": start + dt.timedelta(hours=60)}, 3),
        ]
        for filters, count in windows:
            entries = alice.read_api_logs(filters={**filters, "query_call_names": ["ReadVms", "ReadVolumes"]})
            assert len(entries) == count, filters

    def test_ends_after_32_days(self, cloud: Cloud, alice: Account, start: dt.datetime) -> None:
        """Older calls are no longer in the log. [CAT-010]"""
        cloud.advance(seconds=31 * 24 * HOUR)
        everything: FiltersApiLogDict = {"query_date_after": start, "query_date_before": cloud.now}
        assert [log.query_call_name for log in alice.read_api_logs(filters=everything)] == ["ReadVolumes"]

    def test_refuses_an_end_before_its_start(self, alice: Account) -> None:
        """A window that ends before it begins is refused. [FLT-009]"""
        dates = {"QueryDateAfter": "2026-01-02", "QueryDateBefore": "2026-01-01"}
        assert expect_refusal(alice, "ReadApiLogs", Filters=dates).code == "4098"

    def test_shows_dates_in_a_refusal_as_in_answers(self, alice: Account) -> None:
        """Details write a date in UTC, with milliseconds and a Z. [FLD-008]"""
        dates = {"QueryDateAfter": "2026-01-02T01:00:00+01:00", "QueryDateBefore": "2026-01-01"}
        details = expect_refusal(alice, "ReadApiLogs", Filters=dates).details
        assert details == "The range starts at 2026-01-02T00:00:00.000Z, after its end 2026-01-01T00:00:00.000Z."


class TestReadApiLogs:
    def test_has_pages(self, alice: Account) -> None:
        """The pages together are the whole log, with the call that has read the first one. [CAT-010, PAG-001]"""
        for _ in range(5):
            alice.read_volumes()
        first = alice.call("ReadApiLogs", ResultsPerPage=3)
        second = alice.call("ReadApiLogs", ResultsPerPage=3, NextPageToken=first["NextPageToken"])
        assert [log["QueryCallName"] for log in first["Logs"]] == ["ReadVolumes"] * 3
        assert [log["QueryCallName"] for log in second["Logs"]] == ["ReadVolumes", "ReadVolumes", "ReadApiLogs"]

    def test_filters_by_every_field_of_an_entry(self, alice: Account) -> None:
        """Entries are found by each of their fields. [CAT-010]"""
        alice.gateway().ReadVms()
        with pytest.raises(ApiError):
            alice.call("ReadImages", Nonsense=1)
        first, second = logs(alice)
        for name, field in {
            "QueryAccessKeys": "QueryAccessKey",
            "QueryCallNames": "QueryCallName",
            "QueryUserAgents": "QueryUserAgent",
            "RequestIds": "RequestId",
            "ResponseStatusCodes": "ResponseStatusCode",
        }.items():
            assert logs(alice, Filters={name: [first[field]]})[0] == first, name
            assert second not in logs(alice, Filters={name: [first[field]]}), name
        everywhere = {"QueryApiNames": ["oapi"], "QueryIpAddresses": ["127.0.0.1"]}
        assert logs(alice, Filters=everywhere)[:2] == [first, second]
        assert logs(alice, Filters={"QueryApiNames": ["fcu"]}) == []

    def test_leaves_out_the_fields_that_with_excludes(self, alice: Account) -> None:
        """`With` leaves fields out. [CAT-010]"""
        alice.read_vms()
        full = logs(alice)[0]
        unwanted = {name: False for name in full if name != "QueryCallName"}
        assert logs(alice, With=unwanted)[0] == {"QueryCallName": "ReadVms"}
        assert alice.read_api_logs(with_={"query_call_name": False})[0].query_call_name is None

    def test_answers_in_pages(self, alice: Account) -> None:
        """A page has the requested number of entries. [CAT-010]"""
        for _ in range(3):
            alice.read_vms()
        assert len(logs(alice, ResultsPerPage=2)) == 2
