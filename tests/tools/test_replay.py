"""Replay: send recorded requests to a fresh cloud, and report the differences."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sign import sign_request

from omisim import Account, ApiError, Cloud
from omisim.formats.recording import exchanges, write
from omisim.server import run_server
from omisim.state.settings import Timing
from omisim.testing import strategies
from omisim.testing.machine import CORE
from omisim.tools.cli import main
from omisim.tools.replay import Report, acceptances, replay

RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures" / "recordings").glob("*.jsonl"))
ID = "00000000-0000-4000-8000-000000000000"


def make_exchange(action: str, parameters: Any, answer: Any, status: int = 200, **more: Any) -> dict[str, Any]:
    """Return a recorded exchange."""
    body = {**answer, "ResponseContext": {"RequestId": ID}}
    return {"path": f"/api/v1/{action}", "status": status, "req": {"body": parameters}, "res": {"body": body}, **more}


def make_refusal(action: str, parameters: Any, code: str, status: int = 400) -> dict[str, Any]:
    """Return a recorded refusal."""
    return make_exchange(action, parameters, {"Errors": [{"Code": code, "Details": "", "Type": "T"}]}, status)


def play(*lines: dict[str, Any], accept: str = "", **more: Any) -> Report:
    """Replay lines."""
    return replay(exchanges(map(json.dumps, lines)), acceptances(accept), **more)


def format_divergences(report: Report) -> list[str]:
    """Return the divergences, a string each."""
    return [f"{divergence.line} {divergence.action}: {divergence.says}" for divergence in report.divergences]


def record_calls(cloud: Cloud, calls: Iterable[tuple[Account, str, dict[str, Any]]]) -> list[str]:
    """Make calls and return their recording."""
    stream = io.StringIO()
    for account, action, parameters in calls:
        at, status = cloud.now, 200
        try:
            answer = account.call(action, **parameters)
        except ApiError as error:
            status = error.status
            answer = {"Errors": [{"Code": error.code, "Details": "", "Type": error.type}]}
            answer["ResponseContext"] = {"RequestId": ID}
        body = json.dumps(parameters).encode()
        write(
            stream,
            at,
            f"{account.name}@{account.region}",
            f"/api/v1/{action}",
            body,
            status,
            json.dumps(answer).encode(),
        )
    return stream.getvalue().splitlines()


class TestReplay:
    @pytest.mark.parametrize("place", RECORDINGS, ids=lambda place: place.stem)
    def test_of_each_kept_recording_has_no_divergence(self, place: Path) -> None:
        """The answers are still those of the day when the recording was made."""
        report = replay(exchanges(place.read_text().splitlines()))
        assert format_divergences(report) == [], "on purpose? then write it anew: python tests/tools/record.py"
        assert report.exchanges > 5
        assert not report.skipped

    def test_translates_an_id_inside_a_text(self) -> None:
        """A file location begins with the id of the account; as a filter, it finds the same OMI in another cloud."""
        cloud = Cloud(seed="recorded")
        alice = cloud.account("alice")

        def calls() -> Iterable[tuple[Account, str, dict[str, Any]]]:
            yield alice, "ReadAccounts", {}
            yield alice, "CreateVms", {"ImageId": cloud.images.official("debian").image_id}
            yield alice, "CreateImage", {"VmId": alice.read_vms()[-1].vm_id, "ImageName": "golden"}
            yield alice, "ReadImages", {"Filters": {"FileLocations": [f"{alice.account_id}/golden"]}}

        lines = record_calls(cloud, calls())
        assert format_divergences(replay(exchanges(lines), seed="replayed")) == []

    @settings(max_examples=15)
    @given(st.data(), st.sampled_from(["eager", "clock"]))
    def test_on_a_cloud_with_another_seed_has_no_divergence(self, data: st.DataObject, timing: Timing) -> None:
        """Any history replays without a divergence although every id is another."""
        cloud = Cloud(seed="recorded", timing=timing)
        accounts = [cloud.account("alice"), cloud.account("bob"), cloud.account("carol", region="us-east-2")]

        def calls() -> Iterable[tuple[Account, str, dict[str, Any]]]:
            for account in accounts:
                yield account, "ReadAccounts", {}
                yield account, "CreateVms", {"ImageId": cloud.images.official("debian", account.region).image_id}
                yield account, "CreateVolume", {"Size": 5, "SubregionName": f"{account.region}a"}
            for _ in range(25):
                cloud.advance(data.draw(st.sampled_from([0, 7, 600])))
                account, action = data.draw(st.sampled_from(accounts)), data.draw(st.sampled_from(CORE))
                parameters = data.draw(strategies.requests(action, cloud, account))
                if "FileLocation" not in parameters:  # a signed URL is not an id
                    yield account, action, parameters
            for account in accounts:
                for action in ("ReadImages", "ReadSnapshots", "ReadVms", "ReadVolumes", "ReadTags"):
                    yield account, action, {}

        lines = record_calls(cloud, calls())
        assert format_divergences(replay(exchanges(lines), timing=timing, seed="replayed")) == []


class TestDivergences:
    def test_of_status_or_code_are_reported_with_the_rule(self) -> None:
        """A divergence shows the recorded answer, the new answer and its rule."""
        report = play(
            make_refusal("DeleteVms", {"VmIds": ["i-00000001"]}, "5063"),
            make_refusal("DeleteVms", {"VmIds": ["i-00000001"]}, "5064"),
            make_refusal("ReadVms", {}, "4000"),
            make_exchange("DeleteVolume", {"VolumeId": "vol-00000001"}, {}),
        )
        wrong_code, success, refusal = format_divergences(report)
        assert wrong_code.startswith(
            "2 DeleteVms: status 400, code 5064 was recorded, here it is 400, code 5063 (VM-041"
        )
        assert success == "3 ReadVms: status 400, code 4000 was recorded, here it is 200"
        assert refusal.startswith("4 DeleteVolume: status 200 was recorded, here it is 400, code 5064 (")

    def test_of_fields_and_types_are_reported_one_by_one(self, cloud: Cloud, alice: Account) -> None:
        """An additional field, a missing field and another type are three divergences."""
        line = json.loads(record_calls(cloud, [(alice, "ReadAccounts", {})])[0])
        line["res"]["body"]["Accounts"][0].update(Colour="blue", City=7)
        del line["res"]["body"]["Accounts"][0]["Email"]
        assert format_divergences(play(line)) == [
            "1 ReadAccounts: Accounts[].City: integer was recorded, here it is string",
            "1 ReadAccounts: Accounts[].Colour: (string) was recorded and is not here",
            "1 ReadAccounts: Accounts[].Email: (string) is here and was not recorded",
        ]

    def test_of_the_number_of_results_are_reported(self) -> None:
        """An empty answer has no fields to compare, so the number is reported."""
        assert format_divergences(play(make_exchange("ReadKeypairs", {}, {"Keypairs": [{"KeypairName": "k"}]}))) == [
            "1 ReadKeypairs: Keypairs: 1 item was recorded, here 0 items were"
        ]

    def test_of_what_an_id_refers_to_are_reported(self, cloud: Cloud, alice: Account) -> None:
        """An id must refer to one resource throughout: here a snapshot is of the other volume."""
        volume = {"Size": 1, "SubregionName": "eu-west-2a"}
        lines = record_calls(cloud, [(alice, "CreateVolume", volume), (alice, "CreateVolume", volume)])
        first, second = (json.loads(line)["res"]["body"]["Volume"]["VolumeId"] for line in lines)
        last = json.loads(record_calls(cloud, [(alice, "CreateSnapshot", {"VolumeId": second})])[0])
        last["req"]["body"]["VolumeId"] = first
        divergences = format_divergences(replay(exchanges([*lines, json.dumps(last)]), seed=7))
        assert [says.partition(", which is")[0] for says in divergences] == [
            f"3 CreateSnapshot: Snapshot.VolumeId: the recording has {second} there"
        ]

    def test_of_the_order_of_resources_are_reported_once(self, cloud: Cloud, alice: Account) -> None:
        """Two volumes that change places are one divergence."""
        volume = {"Size": 1, "SubregionName": "eu-west-2a"}
        calls = [(alice, "CreateVolume", volume), (alice, "CreateVolume", volume), (alice, "ReadVolumes", {})]
        lines = [json.loads(line) for line in record_calls(cloud, calls)]
        lines[2]["res"]["body"]["Volumes"].reverse()
        assert format_divergences(play(*lines, seed=7)) == ["3 ReadVolumes: Volumes: the same items, in another order"]

    def test_of_the_order_of_plain_values_are_reported(self, cloud: Cloud, alice: Account) -> None:
        """Values without an id are compared in order too."""
        rhel = cloud.images.official("rhel").image_id
        line = json.loads(record_calls(cloud, [(alice, "ReadImages", {"Filters": {"ImageIds": [rhel]}})])[0])
        line["res"]["body"]["Images"][0]["ProductCodes"].reverse()
        assert format_divergences(play(line)) == [
            "1 ReadImages: Images[0].ProductCodes: the same items, in another order"
        ]


class TestReplayedIds:
    def test_that_the_recording_never_answered_stay_unknown(self) -> None:
        """Such an id is sent unchanged, even if this cloud has given it to another resource."""
        cloud = Cloud(seed=7)
        volume = {"Size": 1, "SubregionName": "eu-west-2a"}
        taken = cloud.account("alice").call("CreateVolume", **volume)["Volume"]["VolumeId"]
        other = Cloud(seed=8)
        lines = record_calls(other, [(other.account("alice"), "CreateVolume", volume)])
        unknown = make_refusal("DeleteVolume", {"VolumeId": taken}, "5064")
        assert format_divergences(replay(exchanges([*lines, json.dumps(unknown)]), seed=7)) == []

    def test_belong_to_the_account_that_called(self) -> None:
        """`account` in a recording names the account and its Region."""
        lines = [
            make_exchange(
                "CreateVolume", {"Size": 1, "SubregionName": "us-east-2a"}, {"Volume": {"VolumeId": "vol-00000001"}}
            ),
            make_refusal("DeleteVolume", {"VolumeId": "vol-00000001"}, "5064"),
        ]
        lines[0]["account"], lines[1]["account"] = "carol@us-east-2", "bob"
        assert [divergence.line for divergence in play(*lines).divergences if "status" in divergence.says] == []

    def test_belong_to_the_region_of_the_option_or_host(self) -> None:
        """The Region comes from `--region`, or from the host that the recording names."""
        parameters = {"SnapshotId": "snap-00000003", "SubregionName": "cloudgouv-eu-west-1a"}
        line = make_refusal("CreateVolume", parameters, "5054")
        assert format_divergences(play(line)) != []
        assert format_divergences(play(line, region="cloudgouv-eu-west-1")) == []
        assert format_divergences(play(line | {"host": "api.cloudgouv-eu-west-1.outscale.com"})) == []


class TestAcceptances:
    DIVERGENT = make_refusal("DeleteVms", {"VmIds": ["i-00000001"]}, "5064")

    @pytest.mark.parametrize(
        "where", ["line = 1", 'action = "DeleteVms"', 'pattern = "*code 5064*"', 'line = 1\naction = "DeleteVms"']
    )
    def test_match_by_line_action_or_words(self, where: str) -> None:
        """An accepted divergence is not a failure, and carries the reason."""
        report = play(self.DIVERGENT, accept=f'[[accept]]\n{where}\nreason = "known"')
        assert (report.failed, [divergence.accepted for divergence in report.divergences]) == ((), ["known"])

    @pytest.mark.parametrize(
        "where", ["line = 2", 'action = "ReadVms"', 'pattern = "code 5064"', 'line = 1\naction = "ReadVms"']
    )
    def test_that_match_nothing_are_reported(self, where: str) -> None:
        """An acceptance without a divergence is reported as out of date."""
        report = play(self.DIVERGENT, accept=f'[[accept]]\n{where}\nreason = "known"')
        assert len(report.failed) == len(report.idle) == 1

    @pytest.mark.parametrize(
        "text",
        ["[[accept]]\nline = 1", '[[accept]]\nreason = "r"', '[[accept]]\nline = true\nreason = "r"',
         '[[accept]]\ncolour = 1\nreason = "r"', "accept = 1", "other = 1", "accept = [1]", "[["],
    )  # fmt: skip
    def test_with_unknown_keys_are_refused(self, text: str) -> None:
        """An acceptance has a reason, and a line, an action or a pattern; nothing else."""
        with pytest.raises(ValueError, match=r"accept|Expected|Invalid"):
            acceptances(text)

    @pytest.mark.parametrize("status", [401, 429, 503])
    def test_are_not_needed_for_throttling_and_signatures(self, status: int) -> None:
        """Throttled and failed calls, and those whose signature was refused, are not replayed."""
        report = play(make_refusal("ReadVms", {}, "25", status))
        assert (report.divergences, list(report.skipped)) == ((), [1])

    @pytest.mark.parametrize("service", ["fcu", "oos"])
    def test_are_not_needed_for_other_services(self, service: str) -> None:
        """A proxy may have recorded requests to FCU or to object storage, which are not calls of the API."""
        line = make_refusal("ReadVms", {}, "7000", 400) | {"host": f"{service}.eu-west-2.outscale.com", "path": "/"}
        report = play(line)
        reason = f"its host is that of {service}, and only calls of the API are replayed"
        assert (report.divergences, report.skipped) == ((), {1: reason})


class TestReplayCommand:
    def write(self, place: Path, *lines: Any) -> str:
        """Write a recording."""
        (place / "r.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
        return str(place / "r.jsonl")

    def test_fails_and_prints_each_divergence(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each divergence is a line with file and line number, and the status is 1; --json prints data."""
        place = self.write(tmp_path, TestAcceptances.DIVERGENT)
        assert main(["replay", place]) == 1
        out, err = capsys.readouterr()
        assert out.startswith(f"{place}:1: DeleteVms: status 400, code 5064 was recorded")
        assert err == "    1 DeleteVms VM-041\n1 exchange, 1 divergence, 0 accepted\n"
        assert main(["replay", place, "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert (report["divergences"][0]["line"], report["severity"]) == (1, "answer")
        assert report["summary"] == [{"action": "DeleteVms", "rule": "VM-041", "count": 1}]

    def test_escapes_control_characters(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A recording that other people made cannot steer the terminal."""
        recording = tmp_path / "recording.jsonl"
        recording.write_text(json.dumps(make_exchange("Read\x1b[2JVms", {}, {"Vms": []})), "utf-8")
        assert main(["replay", str(recording)]) == 1
        printed = capsys.readouterr()
        assert r"Read\x1b[2JVms: status 200" in printed.out
        assert "\x1b" not in printed.out + printed.err

    def test_reads_bodies_that_are_text(self) -> None:
        """A recorder may write the bodies as they were sent; their ids are followed too."""
        volume = {"VolumeId": "vol-11111111"}
        given, answer = {"SubregionName": "eu-west-2a", "Size": 1}, {"Volume": volume}
        lines = [
            {"path": f"/api/v1/{action}", "status": 200, "req": {"body": json.dumps(body)}, "res": {"body": result}}
            for action, body, result in (
                ("CreateVolume", given, json.dumps(answer)),
                ("DeleteVolume", volume, "{}"),
            )
        ]
        statuses = [one.says for one in play(*lines).divergences if one.says.startswith("status")]
        assert statuses == []

    def test_passes_when_every_divergence_is_accepted(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The status is 0 when every divergence is accepted, and the reasons are printed."""
        place = self.write(tmp_path, TestAcceptances.DIVERGENT, make_refusal("ReadVms", {}, "25", 429))
        accept = tmp_path / "accept.toml"
        accept.write_text('[[accept]]\nline = 1\nreason = "known"\n[[accept]]\nline = 9\nreason = "gone"')
        assert main(["replay", place, "--accept", str(accept)]) == 0
        out, err = capsys.readouterr()
        assert out.endswith("[accepted: known]\n")
        assert "not replayed: it was throttled" in err
        assert "unused acceptance: gone" in err

    @pytest.mark.parametrize(
        ("text", "words", "why"),
        [
            ("\n", (), "r.jsonl: the recording is empty\n"),
            ("{", (), "line 1 is not a recorded exchange"),
            ('{"path": "/", "status": 200, "req": 5, "res": {}}', (), "req must be a JSON object, not int"),
            ('{"path": "/", "status": 200, "req": {}, "res": null}', (), "res must be a JSON object, not NoneType"),
            ("\n\n[]", (), "line 3 is not a recorded exchange: the line must be a JSON object"),
            ('{"path": "/x", "status": 200, "res": {}}', (), "it has no 'req'"),
            ('{"path": "/x", "status": "200", "req": {}, "res": {}}', (), "status an integer"),
            ('{"path": "/x", "status": 200, "req": 1, "res": {}}', (), "line 1"),
            ('{"path": "/x", "status": 200, "req": {}, "res": {}, "account": 3}', (), "account must be a string"),
            ('{"path": "/x", "status": 200, "req": {}, "res": {}, "t": "yesterday"}', (), "isoformat"),
            ('{"path": "/x", "status": 200, "req": {}, "res": {}}', ("--region", "mars"), "region must be one of"),
            ('{"path": "/x", "status": 200, "req": {}, "res": {}}', ("--accept", "/nowhere"), "/nowhere"),
        ],
    )  # fmt: skip
    def test_reports_an_unreadable_recording_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: tuple[str, ...], why: str
    ) -> None:
        """A file that is not a recording or an acceptance list is one clear line and status 2."""
        (tmp_path / "r.jsonl").write_text(text)
        assert main(["replay", str(tmp_path / "r.jsonl"), *words]) == 2
        error = capsys.readouterr().err
        assert why in error
        assert error.count("\n") == 1

    def test_reports_a_missing_file_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A missing file is one clear line."""
        assert main(["replay", "/nowhere.jsonl"]) == 2
        assert "/nowhere.jsonl" in capsys.readouterr().err


class TestServerRecording:
    def test_can_be_replayed_and_has_no_key(self, cloud: Cloud, alice: Account, tmp_path: Path) -> None:
        """What a real client does to `omisim serve --record` can be replayed; the recording contains no key."""
        place = tmp_path / "r.jsonl"
        with place.open("w") as stream, run_server(cloud, record=stream) as server:
            for action, body in (("CreateVolume", b'{"Size": 1, "SubregionName": "eu-west-2a"}'), ("ReadVolumes", b"")):
                request = sign_request(alice, f"/api/v1/{action}", body, host=server.url.partition("//")[2])
                assert requests.post(server.url + request.path, data=body, headers=request.headers, timeout=60).ok
        assert alice.secret_key not in place.read_text()
        assert json.loads(place.read_text().splitlines()[0])["account"] == "alice@eu-west-2"
        assert format_divergences(replay(exchanges(place.read_text().splitlines()), seed=7)) == []

    def test_needs_a_new_file_and_a_fresh_cloud(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A recording neither continues an earlier file nor starts from a loaded state."""
        (tmp_path / "state.json").write_text("{}")
        (tmp_path / "r.jsonl").write_text("{}\n")
        fresh = str(tmp_path / "fresh.jsonl")
        for words in (
            ["--record", str(tmp_path / "r.jsonl")],
            ["--record", fresh, "--state", str(tmp_path / "state.json")],
        ):
            assert main(["serve", "--port", "0", *words]) == 2
            assert "--record" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([3], "recorded must be the result of omisim.recording.exchanges(), not 3"),
        ([[], ["all"]], "accepted must be the result of omisim.replay.acceptances(), not ['all']"),
    ],
)
def test_replay_refuses_arguments_of_another_type(arguments: list[Any], expected: str) -> None:
    """The error names the function that reads what `replay` takes."""
    with pytest.raises(ValueError, match=re.escape(expected)):
        replay(*arguments)


class TestValues:
    def test_are_compared_if_requested(self, cloud: Cloud, alice: Account) -> None:
        """Enums, booleans and numbers are compared; ids and dates are not."""
        calls = [(alice, "CreateVolume", {"Size": 1, "SubregionName": "eu-west-2a"})]
        line = json.loads(record_calls(cloud, calls)[0])
        line["res"]["body"]["Volume"] |= {"Size": 2, "CreationDate": "2020-01-01T00:00:00.000Z"}
        assert format_divergences(play(line)) == []
        assert format_divergences(play(line, values=True, seed=7)) == [
            "1 CreateVolume: Volume.Size: 2 was recorded, here it is 1"
        ]

    def test_of_fingerprints_are_not_compared(self, cloud: Cloud, alice: Account) -> None:
        """The keys that a cloud generates are its own, and so are their fingerprints."""
        line = json.loads(record_calls(cloud, [(alice, "CreateKeypair", {"KeypairName": "builder"})])[0])
        line["res"]["body"]["Keypair"]["KeypairFingerprint"] = bytes(range(16)).hex(":")
        assert format_divergences(play(line, values=True, seed=7)) == []

    def test_are_reported_in_the_order_of_the_recording(self, cloud: Cloud, alice: Account) -> None:
        """The divergences of one answer have the same order in each run."""
        calls = [(alice, "CreateVolume", {"Size": 1, "SubregionName": "eu-west-2a"})]
        line = json.loads(record_calls(cloud, calls)[0])
        volume = line["res"]["body"]["Volume"]
        changed = [name for name in volume if name in ("Iops", "Size", "State", "SubregionName", "VolumeType")]
        volume |= {name: type(volume[name])() for name in changed}
        divergences = format_divergences(play(line, values=True, seed=7))
        assert [text.partition("Volume.")[2].partition(":")[0] for text in divergences] == changed

    @pytest.mark.parametrize("place", RECORDINGS, ids=lambda place: place.stem)
    def test_of_each_kept_recording_do_not_differ(self, place: Path) -> None:
        """The values of our own recordings are still those of the day when they were made."""
        assert format_divergences(replay(exchanges(place.read_text().splitlines()), values=True)) == []


class TestRedactions:
    def test_with_a_number_stand_for_the_value_in_their_place(self) -> None:
        """A recording whose ids are redacted can be followed."""
        volume = {"Volume": {"VolumeId": "redacted-1"}}
        lines = [
            make_exchange("CreateVolume", {"Size": 1, "SubregionName": "eu-west-2a"}, volume),
            make_exchange("DeleteVolume", {"VolumeId": "redacted-1"}, {}),
        ]
        assert [one.says for one in play(*lines).divergences if one.severity == "answer"] == []

    def test_are_filled_by_the_given_values(self) -> None:
        """A redaction of the request has a value from outside."""
        line = make_refusal(
            "LinkVolume", {"VmId": "i-00000001", "VolumeId": "vol-00000001", "DeviceName": "redacted-2"}, "5063"
        )
        assert len(play(line).failed) == 1
        assert play(line, fill={"redacted-2": "/dev/sdb"}).failed == ()

    def test_are_reported_if_no_request_contains_them(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A value for a redaction that the recording does not contain is named."""
        recording, fill = tmp_path / "calls.jsonl", tmp_path / "fill.toml"
        recording.write_text(json.dumps(make_exchange("DeleteNet", {"NetId": "redacted-1"}, {})))
        fill.write_text('redacted-1 = "vpc-00000001"\nredacted-2 = "x"\n')
        main(["replay", str(recording), "--fill", str(fill)])
        err = capsys.readouterr().err
        assert f"{fill}: unused value: redacted-2\n" in err
        assert "redacted-1\n" not in err

    def test_are_refused_values_that_json_does_not_have(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A date is a value of TOML, and cannot be sent."""
        recording, fill = tmp_path / "calls.jsonl", tmp_path / "fill.toml"
        recording.write_text(json.dumps(make_exchange("DeleteNet", {"NetId": "redacted-1"}, {})))
        fill.write_text("redacted-1 = 2026-01-01\n")
        assert main(["replay", str(recording), "--fill", str(fill)]) == 2
        assert f"{fill}: redacted-1 must be a value of JSON" in capsys.readouterr().err


class TestFolding:
    LINES = (
        make_exchange(
            "CreateVolume", {"Size": 0, "SubregionName": "eu-west-2a"}, {"Volume": {"VolumeId": "vol-00000001"}}
        ),
        make_exchange("CreateSnapshot", {"VolumeId": "vol-00000001"}, {"Snapshot": {"SnapshotId": "snap-00000001"}}),
        make_exchange("DeleteSnapshot", {"SnapshotId": "snap-00000001"}, {}),
        make_refusal("DeleteVolume", {"VolumeId": "vol-00000002"}, "9999"),
    )

    def test_puts_what_follows_below_its_cause(self) -> None:
        """A call that needs what was not created, at any distance, follows from the first divergence."""
        report = play(*self.LINES)
        assert [one.follows for one in report.divergences] == [None, 1, 1, None]
        assert [one.line for one in report.failed] == [1, 4]
        assert dict(report.summary) == {("CreateVolume", "VOL-004"): 1, ("DeleteVolume", "VOL-020"): 1}

    def test_is_shown_by_the_command(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The command indents the divergences that follow from another, and prints the summary last."""
        place = tmp_path / "r.jsonl"
        place.write_text("\n".join(map(json.dumps, self.LINES)))
        assert main(["replay", str(place)]) == 1
        out, err = capsys.readouterr()
        assert out.splitlines()[1:3] == [
            f"    follows: {place}:2: CreateSnapshot",
            f"    follows: {place}:3: DeleteSnapshot",
        ]
        assert err.endswith("4 exchanges, 2 divergences, 0 accepted, 2 that follow from others\n")


def test_ids_are_learned_from_lists_of_another_length(cloud: Cloud, alice: Account) -> None:
    """An item of a list with another length is found by an id inside it, and its other ids are learned."""
    vm = {"ImageId": cloud.images.official("debian").image_id}
    lines = [json.loads(line) for line in record_calls(cloud, [(alice, "CreateVms", vm), (alice, "ReadVms", {})])]
    rows = lines[1]["res"]["body"]["Vms"]
    rows.insert(0, json.loads(json.dumps(rows[0]).replace(rows[0]["VmId"], "i-00000001")))
    volume = rows[1]["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]
    rows[0]["BlockDeviceMappings"] = []
    snapshot = make_exchange("CreateSnapshot", {"VolumeId": volume}, {})
    assert [one.line for one in play(*lines, snapshot, seed=7).failed if one.severity == "answer"] == []


def test_status_is_3_if_only_the_content_differs(tmp_path: Path) -> None:
    """A missing field is less severe than another status."""
    place = tmp_path / "r.jsonl"
    place.write_text(json.dumps(make_exchange("ReadKeypairs", {}, {"Keypairs": [], "Colour": "blue"})))
    assert main(["replay", str(place)]) == 3
