"""The FCU protocol without a client: requests, signatures, answers, and input that no client sends."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fcu_requests import FORM, HOST, ask, error_of, send, sign, texts_of

from omisim import Account, Cloud
from omisim.doors.fcu.query import parse_pairs, query_name
from omisim.doors.fcu.shapes import find_operation
from omisim.doors.fcu.table import load_rows
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.model import Image, Vm
from omisim.model.ids import PREFIXES, make_id


class TestRequests:
    @pytest.mark.parametrize("version", ["2016-11-15", "2016-04-01", "2026-11-28", "", '"><&'])
    def test_have_any_version(self, alice: Account, version: str) -> None:
        """The Version of the request is the one in the namespace of the answer. [FCU-001]"""
        response = ask(alice, {"Action": "DescribeVolumes", "Version": version})
        tag = ET.fromstring(response.body).tag
        assert tag == f"{{http://ec2.amazonaws.com/doc/{version}/}}DescribeVolumesResponse"

    def test_for_outscales_own_actions_have_another_namespace(self, alice: Account) -> None:
        """The answers in OUTSCALE's shapes have OUTSCALE's namespace. [FCU-001]"""
        for action in ("DescribeQuotas", "DescribeProductTypes", "DescribeInstanceTypes", "ReadPublicIpRanges"):
            tag = ET.fromstring(ask(alice, {"Action": action, "Version": "2016-11-15"}).body).tag
            assert tag == f"{{http://api.outscale.com/wsdl/fcuext/2014-04-15/}}{action}Response"

    def test_for_quotas_answer_them_by_what_they_are_of(self, alice: Account) -> None:
        """DescribeQuotas groups by reference: the account, then its resources. [CAT-003/resource]"""
        net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
        answer = ask(alice, {"Action": "DescribeQuotas", "QuotaName": "subnet_limit"})
        assert (texts_of(answer, "reference"), texts_of(answer, "name")) == (["global", net_id], ["subnet_limit"] * 2)
        parameters = {"Filter.1.Name": "reference", "Filter.1.Value": net_id}
        answer = ask(alice, {"Action": "DescribeQuotas", **parameters})
        assert texts_of(answer, "name") == ["rtb_limit", "subnet_limit", "vpc_sg_limit"]

    def test_may_be_get_or_post(self, alice: Account) -> None:
        """Parameters are in the query string or in the form body; another method is refused. [FCU-003/method]"""
        query = "Version=1&Filter.1.Name=size&Filter.1.Value.1=4&Action=DescribeVolumes"
        for request in (
            sign(alice, query, method="GET"),
            sign(alice, query),
            sign(alice, body=query),
            sign(alice, "Action=DescribeVolumes", "Version=1"),
        ):
            assert send(alice, request).status == 200
        assert error_of(send(alice, sign(alice, query, method="PUT"))) == (400, "InvalidAction")

    def test_write_booleans_in_any_case(self, alice: Account) -> None:
        """True, TRUE and true are true. [FCU-006/type]"""
        parameters = {"Action": "CreateVolume", "AvailabilityZone": "eu-west-2a", "Size": "1"}
        for text in ("true", "True", "TRUE"):
            assert error_of(ask(alice, {**parameters, "DryRun": text})) == (400, "DryRunOperation")
        assert ask(alice, {**parameters, "DryRun": "False"}).status == 200
        assert error_of(ask(alice, {**parameters, "DryRun": "yes"})) == (400, "InvalidParameterValue")

    def test_number_lists_in_any_order_and_with_gaps(self, alice: Account) -> None:
        """Lists are numbered; a single value needs no number. [FCU-006]"""
        ids = [alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id for _ in range(3)]
        answer = ask(alice, {"Action": "DescribeVolumes", "VolumeId.99": ids[0], "VolumeId.3": ids[2]})
        assert texts_of(answer, "volumeId") == [ids[0], ids[2]]
        assert texts_of(ask(alice, {"Action": "DescribeVolumes", "VolumeId": ids[1]}), "volumeId") == [ids[1]]

    def test_may_number_the_instance_of_the_console(self, alice: Account, vm: Vm) -> None:
        """Boto 2 sends a list of one instance; more are refused. [FCU-063]"""
        request = {"Action": "GetConsoleOutput", "InstanceId.1": vm.vm_id}
        assert texts_of(ask(alice, request), "instanceId") == [vm.vm_id]
        assert error_of(ask(alice, {**request, "InstanceId.2": vm.vm_id})) == (400, "InvalidParameterType")
        nested = {"Action": "GetConsoleOutput", "InstanceId.1.1": vm.vm_id}
        assert error_of(ask(alice, nested)) == (400, "InvalidParameterType")

    def test_to_actions_of_outscale_begin_in_either_case(self, alice: Account, vm: Vm) -> None:
        """Clients capitalize the parameters of OUTSCALE's own actions differently; libcloud sends `instanceId`."""
        for instance_id, key_name in (("InstanceId", "KeyName"), ("instanceId", "keyName")):
            alice.create_keypair(keypair_name=key_name)
            request = {"Action": "ModifyInstanceKeypair", instance_id: vm.vm_id, key_name: key_name}
            assert texts_of(ask(alice, request), "return") == ["true"]
            assert alice.read_vms()[0].keypair_name == key_name

    @pytest.mark.parametrize("prefix", ["s", "S"])
    def test_to_import_a_snapshot_begin_in_either_case(self, alice: Account, prefix: str) -> None:
        """The parameters that OUTSCALE documents in lower case are found when they are capitalized. [SNP-012]"""
        request = {"Action": "ImportSnapshot", f"{prefix}napshotSize": "1", f"{prefix}napshotLocation": "nowhere"}
        assert error_of(ask(alice, request))[1] != "MissingParameter"

    @pytest.mark.parametrize(
        "name",
        [
            "Filter.x.Name", "Filter", "Filter.1", "Filter.1.Value.x", "Filter.1.Other", "VolumeId.x", "VolumeId.-1",
            "Filter.99999999999.Name", "Filter..Name", "Filter.१.Name",
        ],
    )  # fmt: skip
    def test_with_names_of_another_form_are_refused(self, alice: Account, name: str) -> None:
        """A malformed list. [FCU-006]"""
        response = ask(alice, {"Action": "DescribeVolumes", name: "vol-12345678"})
        assert error_of(response) == (400, "InvalidParameterValue")

    @pytest.mark.parametrize("name", ["Filter.1.Name.1", "VolumeId.1.2", "MaxResults.1", "VolumeId.1" + ".1" * 5000])
    def test_give_values_without_an_index(self, alice: Account, name: str) -> None:
        """A list or a structure in place of a value has a code of its own. [FCU-006/text]"""
        response = ask(alice, {"Action": "DescribeVolumes", name: "vol-12345678"})
        assert error_of(response) == (400, "InvalidParameterType")

    @pytest.mark.parametrize(
        ("action", "missing", "parameters"),
        [
            ("CopyImage", "SourceImageId", {"SourceRegion": "eu-west-2"}),
            ("CopySnapshot", "SourceRegion", {"SourceSnapshotId": "snap-12345678"}),
            ("CreateImage", "InstanceId", {"Name": "x"}),
            ("CreateSnapshot", "VolumeId", {"Description": "x"}),
            ("DescribeImageAttribute", "Attribute", {"ImageId": "ami-12345678"}),
            ("ImportKeyPair", "PublicKeyMaterial", {"KeyName": "x"}),
            ("ImportKeyPair", "PublicKeyMaterial", {"KeyName": "x", "PublicKeyMaterial": ""}),
            ("ImportSnapshot", "snapshotLocation", {"snapshotSize": "1"}),
            ("ModifyInstanceKeypair", "KeyName", {"InstanceId": "i-12345678"}),
            ("ResetImageAttribute", "Attribute", {"ImageId": "ami-12345678"}),
            ("ResetSnapshotAttribute", "Attribute", {"SnapshotId": "snap-12345678", "Attribute": ""}),
            ("RunInstances", "MaxCount", {"ImageId": "ami-12345678", "MinCount": "1"}),
        ],
    )
    def test_have_the_required_parameters(
        self, alice: Account, action: str, missing: str, parameters: dict[str, str]
    ) -> None:
        """A parameter that is required in EC2 only is required too; an empty one is absent. [FCU-055]"""
        response = ask(alice, {"Action": action, **parameters})
        assert error_of(response) == (400, "MissingParameter")
        assert f"{missing} is required" in response.body.decode()

    @pytest.mark.parametrize("action", [name for name, row in load_rows().items() if row.ids and not row.lists])
    def test_for_one_resource_have_its_id(self, alice: Account, action: str) -> None:
        """An id that is empty or absent is refused as absent. [REQ-010, REQ-018]"""
        (name,) = load_rows()[action].ids
        for ids in ({}, {name: ""}):
            response = ask(alice, {"Action": action, "Attribute": "description", **ids})
            assert error_of(response) == (400, "MissingParameter")
            assert f"{name} is required" in response.body.decode()

    @pytest.mark.parametrize(
        ("action", "name", "code"),
        [
            ("ModifyImageAttribute", "Description", "InvalidParameterType"),
            ("ModifySnapshotAttribute", "CreateVolumePermission", "InvalidParameterType"),
            ("CreateTags", "Tag.1", "InvalidParameterValue"),
            ("ModifyImageAttribute", "LaunchPermission.1.Add.1.UserId", "InvalidParameterValue"),
        ],
    )
    def test_give_structures_by_their_members(self, alice: Account, action: str, name: str, code: str) -> None:
        """A value in place of a structure has a code of its own, but not in a list. [FCU-006/structure]"""
        assert error_of(ask(alice, {"Action": action, "ImageId": "ami-12345678", name: "x"})) == (400, code)

    def test_are_refused_with_the_names_of_ec2(self, alice: Account) -> None:
        """The path of a nested parameter in a refusal is the one of the request."""
        body = ask(
            alice, {"Action": "CreateImageExportTask", "ImageId": "ami-12345678", "ExportToOsu.OsuBucket": "b"}
        ).body
        assert "ExportToOsu.DiskImageFormat is required" in body.decode()
        assert "OsuExport" not in body.decode()

    def test_are_refused_with_the_indexes_of_ec2(self, alice: Account) -> None:
        """The items of a list are counted from 1, as the request counts them. [FCU-006]"""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        tags = {"Tag.1.Key": "team", "Tag.2.Value": "blue"}
        body = ask(alice, {"Action": "CreateTags", "ResourceId.1": volume_id, **tags}).body
        assert "<Message>Tag.2.Key is required.</Message>" in body.decode()

    @pytest.mark.parametrize("kind", ["Image", "Snapshot"])
    def test_refuse_malformed_ids_of_export_tasks(self, alice: Account, kind: str) -> None:
        """A read of export tasks checks the ids as the other reads do. [ID-015, FCU-004]"""
        action, parameter = f"Describe{kind}ExportTasks", f"{kind}ExportTaskId.1"
        assert error_of(ask(alice, {"Action": action, parameter: "x"}))[1] == f"Invalid{kind}ExportTaskID.Malformed"
        missing = f"{'image' if kind == 'Image' else 'snap'}-export-12345678"
        assert error_of(ask(alice, {"Action": action, parameter: missing}))[1] == f"Invalid{kind}ExportTaskID.NotFound"

    @pytest.mark.parametrize("name", ["Nonsense", ".", "...", "Action.1", "é\r\nX-Evil: 1", "volumeId.1", "x" * 9000])
    def test_with_unknown_names_are_answered_with_a_warning(self, alice: Account, name: str) -> None:
        """An unknown name is ignored; whatever it is, the warning is one line of ASCII. [FCU-005]"""
        response = ask(alice, {"Action": "DescribeVolumes", name: "vol-12345678"})
        assert response.status == 200
        warning = response.headers["X-Omisim-Warning"]
        assert warning.startswith("FCU ignores the parameter ")
        assert warning.isascii()
        assert warning.isprintable()

    def test_with_contradictory_names_are_refused(self, alice: Account) -> None:
        """A name is a value or a structure, not both. [FCU-006]"""
        for body in ("Filter=1&Filter.1.Name=x", "Filter.1.Name=x&Filter=1"):
            response = send(alice, sign(alice, body=f"Action=DescribeVolumes&{body}"))
            assert error_of(response) == (400, "InvalidParameterValue")

    def test_for_unknown_actions_are_refused(self, alice: Account) -> None:
        """An unknown action, and a request without one. [FCU-003/unknown]"""
        for action in ("Nonsense", "", "CreateVms", "__init__"):
            assert error_of(ask(alice, {"Action": action})) == (400, "InvalidAction")

    @pytest.mark.parametrize(
        "text", ["<a>&\"'", "]]>", "\x00\x0b", "\ud800".encode("utf-8", "surrogatepass"), "\ufffe\r\n"]
    )
    def test_with_unsafe_characters_are_answered_in_xml(self, alice: Account, text: str | bytes) -> None:
        """Characters that XML reserves or does not have, in names and values: the answer is XML, never a 500."""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        tags = {"Action": "CreateTags", "ResourceId": volume_id, "Tag.1.Key": text, "Tag.1.Value": text}
        for parameters in (
            tags,
            {"Action": "DescribeVolumes"},
            {"Action": text},
            {"Action": "DescribeVolumes", text: text},
            {"Action": "DescribeVolumes", "Version": text},
            {"Action": "DescribeVolumes", "VolumeId.1": text},
            {"Action": "DescribeVolumes", "Filter.1.Name": text, "Filter.1.Value.1": text},
            {"Action": "CreateVolume", "AvailabilityZone": text, "Size": "1"},
            {"Action": "CreateSecurityGroup", "GroupName": text, "GroupDescription": text},
            {"Action": "CreateKeyPair", "KeyName": text},
        ):
            response = ask(alice, parameters)  # type: ignore[arg-type]  # names may be bytes
            assert response.status in (200, 400), (parameters, response.body)
            ET.fromstring(response.body)

    def test_with_huge_indexes_are_answered(self, alice: Account) -> None:
        """An index of nine digits takes no memory for those before it; a longer one is refused. [FCU-006]"""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        for name in ("VolumeId.999999999", "VolumeId.000000000"):
            assert texts_of(ask(alice, {"Action": "DescribeVolumes", name: volume_id}), "volumeId") == [volume_id]
        for name in ("VolumeId.9999999999", "VolumeId." + "9" * 5000, "Filter.9999999999.Name"):
            response = ask(alice, {"Action": "DescribeVolumes", name: volume_id})
            assert error_of(response) == (400, "InvalidParameterValue")

    def test_of_a_megabyte_are_answered(self, alice: Account) -> None:
        """A long query string is like any other."""
        assert send(alice, sign(alice, "Action=DescribeVolumes&X=" + "y" * 1_000_000)).status == 200
        many = "&".join(f"VolumeId.{number}=vol-{number:08x}" for number in range(30_000))
        assert error_of(send(alice, sign(alice, f"Action=DescribeVolumes&{many}"))) == (400, "InvalidVolume.NotFound")

    def test_without_a_signature_are_refused_but_for_open_actions(self, alice: Account) -> None:
        """DescribeRegions needs no authentication. [AUTH-005, AUTH-011]"""
        for action, status in (("DescribeRegions", 200), ("DescribeVolumes", 401), ("Nonsense", 401)):
            request = HttpRequest("POST", HOST, "/", FORM, f"Action={action}&Version=1".encode())
            assert send(alice, request).status == status


class TestSignatures:
    @pytest.mark.parametrize(
        ("service", "status"), [("ec2", 200), ("fcu", 200), ("api", 401), ("lbu", 401), ("127", 401)]
    )
    def test_are_of_this_service(self, alice: Account, service: str, status: int) -> None:
        """The scope names ec2 or fcu. [FCU-014]"""
        assert ask(alice, {"Action": "DescribeVolumes"}, service=service).status == status

    def test_may_take_the_service_from_the_host(self, alice: Account) -> None:
        """The service of boto 2 at a local server is 127. [FCU-014]"""
        request = sign(alice, body="Action=DescribeVolumes", host="127.0.0.1:8333", service="127")
        assert send(alice, request).status == 200

    def test_cover_the_request(self, alice: Account) -> None:
        """A changed body or query string is refused as SignatureDoesNotMatch. [AUTH-006/signature, FCU-010]"""
        for part, value in (("body", b"Action=DescribeVolumes&Version=2"), ("query", "Version=2")):
            request = sign(alice, body="Action=DescribeVolumes&Version=1")
            setattr(request, part, value)
            assert error_of(send(alice, request)) == (403, "SignatureDoesNotMatch")

    def test_of_version_2_are_refused(self, alice: Account) -> None:
        """Signature Version 2, and a login and password, are refused. [AUTH-004]"""
        query = f"Action=DescribeVolumes&AWSAccessKeyId={alice.access_key}&SignatureVersion=2&Signature=x"
        assert error_of(send(alice, HttpRequest("GET", HOST, "/", {}, b"", query))) == (401, "AuthFailure")
        basic = HttpRequest("GET", HOST, "/", {"authorization": "Basic YTpi"}, b"", "Action=DescribeVolumes")
        assert error_of(send(alice, basic)) == (401, "AuthFailure")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_of_version_2_name_the_caller_where_none_is_verified(self, method: str) -> None:
        """With auth="off", a request of Version 2 is one of the account whose key it names. [AUTH-013]"""
        cloud = Cloud(auth="off")
        alice, bob = cloud.account("alice"), cloud.account("bob")
        form = (
            f"Action=CreateVolume&AvailabilityZone=eu-west-2a&Size=1&AWSAccessKeyId={bob.access_key}&SignatureVersion=2"
        )
        query, body = ("", form) if method == "POST" else (form, "")
        assert send(alice, HttpRequest(method, HOST, "/", FORM, body.encode(), query)).status == 200
        assert (len(alice.read_volumes()), len(bob.read_volumes())) == (0, 1)

    def test_may_be_in_the_query_string(self, alice: Account, cloud: Cloud) -> None:
        """A pre-signed request is valid for its seconds by the cloud's clock. [FCU-017]"""
        url = alice.client("fcu").generate_presigned_url("describe_volumes", ExpiresIn=60, HttpMethod="GET")
        query = url.partition("?")[2]

        def get(text: str, **headers: str) -> HttpResponse:
            return send(alice, HttpRequest("GET", HOST, "/", headers, b"", text))

        assert get(query).status == 200
        for old, new in (("Version=2016", "Version=2017"), ("Expires=60", "Expires=600")):
            assert error_of(get(query.replace(old, new))) == (403, "SignatureDoesNotMatch")
        for broken in ("Expires=x", "Expires=", "Expires=-1", "Expires=9999999"):
            assert error_of(get(query.replace("Expires=60", broken))) == (401, "AuthFailure")
        assert error_of(get(query.replace("Date=2026", "Date=9999"))) == (401, "AuthFailure")
        assert error_of(get(query.replace("%2Fec2%2F", "%2Fs3%2F"))) == (401, "AuthFailure")
        signed = sign(alice, body="Action=DescribeVolumes").headers["authorization"]
        assert error_of(get(query, authorization=signed)) == (401, "AuthFailure")
        cloud.advance(seconds=61)
        assert error_of(get(query)) == (401, "RequestExpired")

    def test_may_be_beside_an_empty_header(self, alice: Account) -> None:
        """An empty Authorization header does not count as a second signature of a pre-signed request. [FCU-017]"""
        url = alice.client("fcu").generate_presigned_url("describe_volumes", HttpMethod="GET")
        request = HttpRequest("GET", HOST, "/", {"authorization": ""}, b"", url.partition("?")[2])
        assert send(alice, request).status == 200


class TestRegions:
    def test_come_from_the_host_the_path_or_the_key(self, alice: Account, cloud: Cloud) -> None:
        """A named Region must be that of the key; an unknown one is refused. [REG-007, AUTH-006]"""
        carol = cloud.account("carol", region="us-east-2")
        for host, path, status in (
            ("fcu.us-east-2.outscale.com", "/", 200),
            ("localhost:8333", "/", 200),
            ("localhost", "/fcu", 200),
            ("localhost", "/us-east-2/fcu/", 200),
            (HOST, "/", 401),
            ("localhost", "/eu-west-2/fcu", 401),
            ("fcu.mars-1.outscale.com", "/", 401),
        ):
            cloud.engine.change_settings(auth="lenient")
            request = sign(carol, body="Action=DescribeVolumes", host=host)
            request.path = path
            assert send(alice, request).status == status, (host, path)


class TestAnswers:
    def test_begin_with_the_id_of_the_request(self, alice: Account) -> None:
        """As in EC2, the id comes first: salt-cloud takes the second element of an answer as the list."""
        for action, name in (("DescribeVolumes", "volumeSet"), ("DescribeProductTypes", "productTypeSet")):
            tags = [element.tag.rpartition("}")[2] for element in ET.fromstring(ask(alice, {"Action": action}).body)]
            assert tags == ["requestId", name]

    def test_to_exports_beyond_the_quota_have_a_code_of_their_own(self) -> None:
        """FCU has a code for too many exports of OMIs. [QTA-010]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice", quotas={"image_export_limit": 1})
        source_id = cloud.images.official("ubuntu").image_id
        image = alice.create_image(source_image_id=source_id, source_region_name=alice.region)
        export = {"ExportToOsu.DiskImageFormat": "qcow2", "ExportToOsu.OsuBucket": "exports"}
        first, second = (
            ask(alice, {"Action": "CreateImageExportTask", "ImageId": image.image_id, **export}) for _ in range(2)
        )
        assert (first.status, error_of(second)) == (200, (400, "PendingImageLimitExceeded"))

    def test_to_refused_requests_name_the_rule(self, alice: Account) -> None:
        """A refusal has the code, the message and the request id, and the rule in a header. [FCU-010]"""
        response = ask(alice, {"Action": "DeleteVolume", "VolumeId": "vol-12345678"})
        root = ET.fromstring(response.body)
        assert [element.tag for element in root] == ["Errors", "RequestID"]
        assert root.findtext("RequestID") == alice.cloud.calls()[-1].request_id
        assert response.headers["X-Omisim-Rule"] == "VOL-020"
        assert response.headers["Content-Type"].startswith("text/xml")

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"Action": "CreateVolume", "AvailabilityZone": "eu-west-2a"}, "Size is required without SnapshotId."),
            ({"Action": "RunInstances", "MinCount": "2", "MaxCount": "1"}, "MinCount must be between 1 and MaxCount"),
            ({"Action": "DescribeVolumes", "NextToken": "x"}, "NextToken cannot be used"),
            ({"Action": "DescribeQuotas", "Marker": "x"}, "Marker cannot be used"),
            (
                {"Action": "ModifyImageAttribute", "LaunchPermission.Add.1.UserId": "1"},
                "1 is not a valid id for LaunchPermission.Add.UserId",
            ),
            (
                {"Action": "CreateTags", "ResourceId.1": "vol-1", "Tag.1.Key": "k"},
                "vol-1 is not a valid id for ResourceId:",
            ),
        ],
    )
    def test_to_refused_requests_name_the_parameters_of_ec2(
        self, alice: Account, parameters: dict[str, str], message: str
    ) -> None:
        """The message names the parameters and the action of the client."""
        image_id = alice.cloud.images.official("ubuntu").image_id
        ids = {"ImageId": image_id} if parameters["Action"] in ("ModifyImageAttribute", "RunInstances") else {}
        response = ask(alice, {**parameters, **ids})
        assert (ET.fromstring(response.body).findtext("Errors/Error/Message") or "").startswith(message)

    def test_to_changes_of_a_running_instance_say_what_they_require(self, alice: Account, vm: Vm) -> None:
        """Some attributes change while the instance is stopped only; the message says so in the terms of the client."""
        parameters = {"Action": "ModifyInstanceAttribute", "InstanceId": vm.vm_id, "InstanceType.Value": "t2.small"}
        message = ET.fromstring(ask(alice, parameters).body).findtext("Errors/Error/Message") or ""
        assert message.endswith("state running; ModifyInstanceAttribute with these parameters requires stopped.")

    def test_to_refused_requests_explain_the_parameters_of_ec2(self, alice: Account) -> None:
        """The explanation in the call log names the action's own parameter, not one of a structure in it."""
        image_id = alice.cloud.images.official("ubuntu").image_id
        launch = {"Action": "RunInstances", "ImageId": image_id, "MinCount": "1", "MaxCount": "1"}
        ask(alice, {**launch, "PrivateIpAddress": "10.0.0.9"})
        error = alice.cloud.calls()[-1].error
        assert error is not None
        assert "Fix: Add SubnetId, or omit PrivateIpAddress." in error.explain()

    def test_to_refused_requests_name_the_action_of_ec2(self, alice: Account, vm: Vm) -> None:
        """A refusal because of a state, and its explanation in the call log, name the action of the client."""
        alice.delete_vms(vm_ids=[vm.vm_id])
        response = ask(alice, {"Action": "StopInstances", "InstanceId.1": vm.vm_id})
        message = ET.fromstring(response.body).findtext("Errors/Error/Message") or ""
        assert (
            message
            == f"The VM {vm.vm_id} is in the state terminated; StopInstances requires running, stopping or stopped."
        )
        error = alice.cloud.calls()[-1].error
        assert error is not None
        assert message in error.explain()

    def test_to_failing_requests_name_the_action_of_ec2(self, alice: Account) -> None:
        """The message of a fault names the action of the client."""
        alice.cloud.faults.add("ReadVolumes")
        response = ask(alice, {"Action": "DescribeVolumes"})
        message = ET.fromstring(response.body).findtext("Errors/Error/Message") or ""
        assert message.startswith("DescribeVolumes was refused")

    def test_to_product_types_are_one_call(self, alice: Account, golden: Image) -> None:
        """The read of the image is omisim's own: the client's faults and call log do not have it. [FCU-018]"""
        alice.cloud.faults.add("ReadImages")
        position = len(alice.cloud.calls())
        assert ask(alice, {"Action": "GetProductType", "ImageId": golden.image_id}).status == 200
        assert [call.action for call in alice.cloud.calls()[position:]] == ["ReadProductTypes"]
        assert len(alice.cloud.faults) == 1

    def test_to_refused_requests_are_recorded_where_they_belong(self, alice: Account) -> None:
        """A refusal after another client's call is in the record of its own call."""
        alice.cloud.faults.add("ReadVolumes", meanwhile=alice.read_vms)
        ask(alice, {"Action": "DescribeVolumes", "Filter.1.Name": "nonsense", "Filter.1.Value.1": "x"})
        rules = {call.action: call.error and call.error.rule for call in alice.cloud.calls()}
        assert rules == {"ReadVolumes": "FCU-013", "ReadVms": None}

    def test_come_from_the_cloud_that_a_fault_has_reset(self, alice: Account) -> None:
        """The reset has a call log of its own, which does not have the request. [THR-002]"""
        cloud = alice.cloud
        alice.create_volume(subregion_name="eu-west-2a", size=1)

        def begin_again() -> None:
            cloud.reset()
            cloud.account("alice")

        cloud.faults.add("ReadVolumes", meanwhile=begin_again)
        assert texts_of(ask(alice, {"Action": "DescribeVolumes"}), "volumeId") == []

    def test_without_a_shape_say_true(self, alice: Account) -> None:
        """An action without a result answers `return`."""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        assert texts_of(ask(alice, {"Action": "DeleteVolume", "VolumeId": volume_id}), "return") == ["true"]

    def test_with_an_id_may_say_true_too(self, alice: Account) -> None:
        """CreateSecurityGroup and AssociateAddress answer `return` beside the id. [FCU-051]"""
        created = ask(alice, {"Action": "CreateSecurityGroup", "GroupName": "web", "GroupDescription": "web"})
        assert (texts_of(created, "return"), len(texts_of(created, "groupId"))) == (["true"], 1)
        ubuntu = alice.cloud.images.official("ubuntu")
        (vm,) = alice.create_vms(image_id=ubuntu.image_id)
        public_ip = alice.create_public_ip().public_ip
        linked = ask(alice, {"Action": "AssociateAddress", "InstanceId": vm.vm_id, "PublicIp": public_ip})
        assert (texts_of(linked, "return"), len(texts_of(linked, "associationId"))) == (["true"], 1)

    @given(text=st.text(max_size=20))
    def test_hold_any_text(self, text: str) -> None:
        """Any text that a door accepts is shown, without what XML cannot represent."""
        alice = Cloud().account("alice")
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        alice.create_tags(resource_ids=[volume_id], tags=[{"key": "k", "value": text}])
        text_in_answer = texts_of(ask(alice, {"Action": "DescribeTags"}), "value")[0] or ""
        assert len(text_in_answer) == len(text)
        assert all(a in (b, "\ufffd") for a, b in zip(text_in_answer, text, strict=True))


NAMES = st.sampled_from(
    ["Filter", "VolumeId", "ImageId", "InstanceId", "Name", "Value", "DryRun", "MaxResults", "NextToken", "Attribute",
     "LaunchPermission", "Add", "Remove", "UserId", "Group", "BlockDeviceMapping", "Ebs", "Tag", "Key", "ResourceId",
     "IpPermissions", "IpProtocol", "IpRanges", "Groups", "GroupId", "PublicIp", "VpcId", "PrivateIpAddresses",
     "1", "2", "0", "x", "", "SnapshotId", "Owner", "OperationType", "UserGroup", "ProductCode", "Description", "Size"]
)  # fmt: skip
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["true", "1", "-1", "1e9", "vol-12345678", "ami-12345678", "i-", "self", "all"]
)
PARAMETERS = st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map(".".join), TEXTS, max_size=5)


FORMS: dict[str, list[str]] = {  # parameters, each in a form that it does not have
    "AllocateAddress": ["Domain.1=vpc"],
    "AuthorizeSecurityGroupIngress": [
        "GroupId.1=sg-12345678", "GroupName.1=x", "GroupName=default&IpPermissions=x",
        "GroupName=default&IpPermissions.x=1", "GroupName=default&IpPermissions.1=x",
        "GroupName=default&IpPermissions.1.Groups=x",
        "GroupName=default&IpPermissions.1.IpRanges.1=x", "GroupName=default&IpPermissions.1.IpProtocol.1=tcp",
        "GroupName=default&IpPermissions.1.Ipv6Ranges=", "GroupName=default&IpProtocol.1=tcp&CidrIp.1=x",
        "GroupName=default&IpProtocol=tcp&FromPort=x&ToPort=1&CidrIp=0.0.0.0/0",
        "GroupName=default&SourceSecurityGroupName.1=x", "GroupName=default&IpPermissions=",
        "GroupName=default&IpPermissions.1.IpProtocol=icmp&IpPermissions.1.FromPort=-1&IpPermissions.1.ToPort.1=x",
    ],
    "CreateNetworkInterface": [
        "PrivateIpAddress.1=x", "SubnetId=subnet-12345678&PrivateIpAddress=10.0.0.4&PrivateIpAddresses=x",
        "SubnetId=subnet-12345678&PrivateIpAddress=10.0.0.4&PrivateIpAddresses.1.Primary=x",
    ],
    "DescribeSecurityGroups": ["GroupName.1.x=1", "GroupId=x", "Filter.1.Name=tag:&Filter.1.Value.1=x&GroupName.1="],
    "ModifyImageAttribute": ["ImageId.1=x", "ImageId.1=x&ProductCode.1=0001"],
    "ModifySubnetAttribute": ["SubnetId.1=x", "SubnetId=subnet-12345678&MapPublicIpOnLaunch=x", "SubnetId="],
    "ReleaseAddress": ["AllocationId.1=x", "PublicIp.1=x", "PublicIp=x&AllocationId=x"],
}  # fmt: skip


@pytest.mark.parametrize("action", FORMS)
def test_parameters_of_a_wrong_form_are_refused(alice: Account, action: str) -> None:
    """A text in place of a list or a structure, a structure in place of a text, and other types. [FCU-006]"""
    before = alice.cloud.fork()
    for form in FORMS[action]:
        status, _ = error_of(send(alice, sign(alice, body=f"Action={action}&{form}")))
        assert status == 400, form
    assert alice.cloud == before


@pytest.mark.parametrize("name", [name for name, row in load_rows().items() if row.prepare])
def test_parameters_of_a_prepared_request_have_their_form(alice: Account, name: str) -> None:
    """A value or a list of values in another form is refused, or ignored with a warning. [FCU-005, FCU-006]"""
    row = load_rows()[name]
    operation = find_operation(row.like or name)
    assert operation is not None
    for member, shape in operation.input_shape.members.items():
        parameter, is_list = query_name(shape, member), shape.type_name == "list"
        if shape.type_name == "structure" or (is_list and shape.member.type_name == "structure"):
            continue
        wrong = f"{parameter}.1.2" if is_list else f"{parameter}.2"
        response = ask(alice, {"Action": name, wrong: "true"})
        refused = response.status == 400 and b"{&apos;" not in response.body and b"{'" not in response.body
        assert refused or parameter in response.headers["X-Omisim-Warning"], parameter
        if parameter in row.reads:
            assert response.headers["X-Omisim-Rule"] == "FCU-006/text", parameter


@pytest.mark.parametrize("name", [name for name, row in load_rows().items() if not row.prepare])
def test_every_action_reads_dry_run(alice: Account, name: str) -> None:
    """DryRun is a parameter also of the actions for which EC2 does not describe it. [FCU-002]"""
    response = ask(alice, {"Action": name, "DryRun": "perhaps"})
    assert response.headers["X-Omisim-Rule"] == "FCU-006/type"


@pytest.mark.parametrize("name", [name for name, row in load_rows().items() if row.lists])
def test_dry_runs_of_reads_are_refused_as_the_reads_are(alice: Account, name: str) -> None:
    """A dry run of a read that would be refused is that refusal. [FCU-002]"""
    row = load_rows()[name]
    ids = {parameter: make_unknown_id(spec["kind"]) for parameter, spec in row.ids.items()}
    wrong = {"Filter.1.Name": "none", "MaxResults": "0", row.pages: "none", **ids}
    for more in ({}, *({parameter: text} for parameter, text in wrong.items())):
        response, dry_run = (ask(alice, {"Action": name, **more, "DryRun": dry}) for dry in ("false", "true"))
        assert error_of(dry_run) == ((400, "DryRunOperation") if response.status == 200 else error_of(response)), more


def make_unknown_id(kind: str) -> str:
    """Return a well-formed id of a kind that no resource has."""
    return make_id(kind, "unknown", 0) if kind in PREFIXES else "none"


def test_dry_runs_of_reads_of_attributes_are_refused_as_the_reads_are(alice: Account, vm: Vm) -> None:
    """A dry run for an attribute that FCU does not show is refused as not implemented. [FCU-002, FCU-052]"""
    parameters = {"Action": "DescribeInstanceAttribute", "InstanceId": vm.vm_id, "DryRun": "true"}
    assert error_of(ask(alice, {**parameters, "Attribute": "kernel"})) == (400, "NotImplemented")
    assert error_of(ask(alice, {**parameters, "Attribute": "instanceType"})) == (400, "DryRunOperation")


def test_dry_runs_of_actions_without_it_in_ec2_change_nothing(alice: Account) -> None:
    """A client that sends DryRun to such an action changes nothing. [FCU-002]"""
    net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
    subnet_id = alice.create_subnet(net_id=net_id, ip_range="10.0.0.0/24").subnet_id
    nic_id = alice.create_nic(subnet_id=subnet_id).nic_id
    before = alice.cloud.fork()
    for action, parameters in (
        ("AssignPrivateIpAddresses", {"NetworkInterfaceId": nic_id, "SecondaryPrivateIpAddressCount": "1"}),
        ("ModifySubnetAttribute", {"SubnetId": subnet_id, "MapPublicIpOnLaunch.Value": "true"}),
        ("ModifyVpcAttribute", {"VpcId": net_id, "EnableDnsHostnames.Value": "true"}),
    ):
        assert error_of(ask(alice, {"Action": action, "DryRun": "true", **parameters})) == (400, "DryRunOperation")
    assert alice.cloud == before


@settings(max_examples=200)
@given(
    action=st.sampled_from(sorted(load_rows())) | st.text(max_size=5), parameters=PARAMETERS, extra=st.text(max_size=9)
)
def test_no_input_ends_in_a_server_error(action: str, parameters: dict[str, str], extra: str) -> None:
    """Whatever the parameters, the answer is XML of EC2's form, below 500."""
    alice = ACCOUNT.cloud.fork().account("alice")
    response = ask(alice, {"Action": action, **parameters, **({extra: extra} if extra else {})})
    assert response.status in (200, 400, 401), response.body
    root = ET.fromstring(response.body)
    assert root.tag == "Response" or root.tag.endswith(f"{action}Response")


@given(text=st.text(st.sampled_from("ab=&+%;2F6é .")))
def test_forms_are_parsed_as_the_standard_library_does(text: str) -> None:
    """The faster parser of forms returns what `urllib.parse.parse_qsl` returns."""
    assert parse_pairs(text) == parse_qsl(text, keep_blank_values=True)


@settings(max_examples=100)
@given(body=st.binary(max_size=60), query=st.text(max_size=30), path=st.sampled_from(["/", "//", "/fcu", "/x", ""]))
def test_no_bytes_end_in_a_server_error(body: bytes, query: str, path: str) -> None:
    """Whatever the bytes, signed or not, the answer is XML, below 500."""
    encoded = quote(query, safe="&=%+.;")
    request = HttpRequest("POST", HOST, path, {**FORM, "authorization": query[:10]}, body, encoded)
    response = send(ACCOUNT, request)
    assert response.status in (200, 400, 401), response.body
    ET.fromstring(response.body)


ACCOUNT = Cloud().account("alice")
