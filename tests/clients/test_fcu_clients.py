"""EC2 clients as they are, against the server and in process: osc-cli, boto3's waiters and resources, aiobotocore."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import EC2QueryParser
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st
from support.interpreter import run_python

from omisim import Account, Cloud
from omisim.clients.botocore_parts import AnswerParsers, read_timestamp
from omisim.clients.intercept.signing import sign_at
from omisim.doors.fcu.shapes import find_operation
from omisim.doors.fcu.table import load_rows
from omisim.server import Running

OSC_CLI = shutil.which("osc-cli", path=str(Path(sys.executable).parent))
ZONE = "eu-west-2a"


@pytest.fixture(name="server")
def _server(cloud: Cloud, alice: Account) -> Iterator[Running]:
    with cloud.serve() as running:
        yield running


@pytest.mark.skipif(OSC_CLI is None, reason="osc-cli is not installed")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # by osc-cli itself
class TestOscCli:
    """osc-cli 1.11: POST forms and GET, the service `fcu`, booleans as True and False, today's date as Version."""

    @pytest.fixture(name="call")
    def _call(self, alice: Account, server: Running) -> Any:
        from osc_sdk.sdk import FcuCall  # noqa: PLC0415 - may not be installed

        def call(action: str, method: str = "POST", **parameters: Any) -> dict[str, Any]:
            keys = {"access_key": alice.access_key, "secret_key": alice.secret_key}
            client = FcuCall(endpoint=server.url, region_name=alice.region, https=False, method=method, **keys)
            client.make_request(action, **parameters)
            (answer,) = client.response.values()
            return dict(answer)

        return call

    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_calls_actions_of_ec2_and_of_outscale(self, call: Any, alice: Account, method: str) -> None:
        """The calls of osc-cli's own tests, and the actions that EC2 does not have. [FCU-019]"""
        assert call("CreateKeyPair", method, KeyName="k")["keyName"] == "k"
        assert call("DeleteKeyPair", method, KeyName="k")["return"] == "true"
        volume = call("CreateVolume", method, AvailabilityZone=ZONE, Size=4)["volumeId"]
        filters = [{"Name": "size", "Value": ["4", "5 6"]}, {"Name": "encrypted", "Value": False}]
        assert call("DescribeVolumes", method, Filter=filters)["volumeSet"]["item"]["volumeId"] == volume
        assert call("DescribeRegions", method)["regionInfo"]["item"][0]["regionName"] == alice.region
        assert call("ReadPublicIpRanges", method)["publicIpSet"]["item"]
        types = call("DescribeInstanceTypes", method, Filter=[{"Name": "name", "Value": "t2.nano"}])
        assert types["instanceTypeSet"]["item"]["vcpu"] == "1"
        quotas = call("DescribeQuotas", method, QuotaName=["vm_limit"])["referenceQuotaSet"]["item"]
        assert (quotas["reference"], quotas["quotaSet"]["item"]["name"]) == ("global", "vm_limit")

    def test_exports_images_and_snapshots(self, call: Any, alice: Account, golden: Any) -> None:
        """Export tasks are made, read and cancelled in OUTSCALE's shapes. [EXP-001, EXP-040]"""
        alice.client("oos").create_bucket(Bucket="exports")
        target = {"DiskImageFormat": "qcow2", "OsuBucket": "exports", "OsuPrefix": "p"}
        task = call("CreateImageExportTask", ImageId=golden.image_id, ExportToOsu=target)["imageExportTask"]
        assert (task["imageExport"], task["state"]) == ({"imageId": golden.image_id}, "pending/queued")
        parameters = {"ImageExportTaskId": [task["imageExportTaskId"]]}
        item = call("DescribeImageExportTasks", **parameters)["imageExportTaskSet"]["item"]
        assert (item["state"], item["completion"]) == ("completed", "100")
        assert alice.read_image_export_tasks()[0].task_id == task["imageExportTaskId"]
        snapshot_id = golden.block_device_mappings[0].bsu.snapshot_id
        keys = {"AccessKey": alice.access_key, "SecretKey": alice.secret_key}
        export = {"SnapshotId": snapshot_id, "ExportToOsu": {**target, "aksk": keys}}
        task = call("CreateSnapshotExportTask", **export)["snapshotExportTask"]
        assert task["snapshotExport"] == {"snapshotId": snapshot_id}
        assert task["exportToOsu"] == {"diskImageFormat": "qcow2", "osuBucket": "exports", "osuPrefix": "p"}

    def test_imports_a_snapshot_by_url(self, call: Any, alice: Account, golden: Any) -> None:
        """ImportSnapshot reads the file of an export, whose size is in bytes. [SNP-012]"""
        oos = alice.client("oos")
        oos.create_bucket(Bucket="exports")
        snapshot_id = golden.block_device_mappings[0].bsu.snapshot_id
        target = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
        call("CreateSnapshotExportTask", SnapshotId=snapshot_id, ExportToOsu=target)
        (item,) = oos.list_objects_v2(Bucket="exports")["Contents"]
        url = oos.generate_presigned_url("get_object", Params={"Bucket": "exports", "Key": item["Key"]})
        answer = call("ImportSnapshot", snapshotLocation=url, snapshotSize=10 * 2**30, description="again")
        (snapshot,) = alice.read_snapshots(filters={"snapshot_ids": [answer["snapshotId"]]})
        assert (snapshot.volume_size, snapshot.description, snapshot.state) == (10, "again", "completed")

    def test_finds_product_types(self, call: Any, alice: Account, golden: Any) -> None:
        """GetProductTypes takes an image or a snapshot. [FCU-018]"""
        from osc_sdk.sdk import OscApiException  # noqa: PLC0415 - may not be installed

        assert call("GetProductTypes", ImageId=golden.image_id)["productTypeSet"]["item"]["productTypeId"] == "0001"
        snapshot_id = golden.block_device_mappings[0].bsu.snapshot_id
        assert call("GetProductType", SnapshotId=snapshot_id)["productTypeId"] == "0001"
        assert len(call("DescribeProductTypes")["productTypeSet"]["item"]) >= 5
        for parameters, code in (
            ({}, "InvalidParameterCombination"),
            ({"ImageId": golden.image_id, "SnapshotId": snapshot_id}, "InvalidParameterCombination"),
            ({"ImageId": "ami-12345678"}, "InvalidAMIID.NotFound"),
            ({"ImageId": "foo"}, "InvalidAMIID.Malformed"),
        ):
            with pytest.raises(OscApiException) as caught:
                call("GetProductTypes", **parameters)
            assert (caught.value.status_code, caught.value.error_code) == (400, code)

    def test_reads_a_refusal(self, call: Any) -> None:
        """osc-cli shows the code, the message and the request id of a refusal."""
        from osc_sdk.sdk import OscApiException  # noqa: PLC0415 - may not be installed

        with pytest.raises(OscApiException) as caught:
            call("DescribeQuotas", QuotaName=["foo"])
        assert (caught.value.status_code, caught.value.error_code) == (400, "NotImplemented")
        assert caught.value.request_id

    def test_passes_its_own_tests(self, alice: Account, server: Running, tmp_path: Path) -> None:
        """The tests that osc-cli's package contains pass, all but those of ICU, a service that omisim does not have."""
        endpoints = {"OSC_TEST_ENDPOINT_API": server.url, "OSC_TEST_ENDPOINT_FCU": server.url}
        keys = {"OSC_TEST_ACCESS_KEY": alice.access_key, "OSC_TEST_SECRET_KEY": alice.secret_key}
        others = {"OSC_TEST_REGION": alice.region, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment = {**os.environ, **endpoints, **keys, **others}
        modules = ("osc_sdk.test_noauth", "osc_sdk.test_errors", "osc_sdk.test_auth")
        options = ("-q", "-p", "no:cacheprovider", "-k", "not icu", "--pyargs", *modules)
        command = [sys.executable, "-m", "pytest", *options]
        run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "7 passed, 4 deselected" in run.stdout, run.stdout

    def test_runs_as_a_command(self, alice: Account, server: Running, tmp_path: Path) -> None:
        """The program itself prints an answer as JSON."""
        keys = {"access_key": alice.access_key, "secret_key": alice.secret_key, "region": alice.region}
        (tmp_path / ".osc").mkdir()
        profile = {"default": {**keys, "endpoint": server.url, "https": False}}
        (tmp_path / ".osc" / "config.json").write_text(json.dumps(profile))
        command = [str(OSC_CLI), "fcu", "CreateVolume", "--AvailabilityZone", ZONE, "--Size", "4"]
        run = subprocess.run(command, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, check=True)
        assert json.loads(run.stdout)["CreateVolumeResponse"]["volumeId"] == alice.read_volumes()[0].volume_id


_SCALARS = {"boolean": "true", "integer": "-7", "long": "8", "float": "0.5", "double": "1.5", "blob": "AAEC",
            "timestamp": "2026-01-01T00:00:00.000Z", "string": "é &amp; &lt;"}  # fmt: skip


BESIDE_MOTO = """
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from omisim import Cloud
seen = []
BotocoreStubber.process_request = lambda self, request: seen.append(request.url)
with mock_aws():
    Cloud().account("alice").client("fcu").describe_volumes()
print(seen)
"""


def make_content(shape: Any, depth: int = 0) -> str:
    """Return the XML content of a shape with all its members: lists of two items, and deep within empty elements."""
    if shape.type_name == "list":
        return f"<item>{make_content(shape.member, depth + 1)}</item>" * (2 if depth < 4 else 0)
    if shape.type_name != "structure":
        return _SCALARS[shape.type_name]
    tags = ((member.serialization.get("name", name), member) for name, member in shape.members.items())
    return "".join(f"<{tag}>{make_content(member, depth + 1)}</{tag}>" for tag, member in tags)


class TestSettings:
    """The settings of omisim's own clients, which save time."""

    @pytest.mark.parametrize("name", sorted(load_rows()))
    def test_read_answers_as_botocore_does(self, name: str) -> None:
        """An answer with all members is parsed to what botocore's own parser makes of it, in the same order."""
        operation = find_operation(name)
        assert operation is not None
        shape = operation.output_shape
        content = make_content(shape) if shape is not None else ""
        body = f'<R xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId>{content}</R>'.encode()
        answer = {"body": body, "headers": {"Content-Type": "text/xml"}, "status_code": 200}
        original = EC2QueryParser(timestamp_parser=read_timestamp)
        assert repr(AnswerParsers().create_parser("ec2").parse(answer, shape)) == repr(original.parse(answer, shape))

    def test_sign_as_botocore_does(self, omi_fcu: Any, cloud: Cloud, alice: Account) -> None:
        """A request has the signature that botocore's own signer makes of it at the cloud's time, header by header."""
        copies: list[AWSRequest] = []

        def copy_request(request: AWSRequest, **_event: Any) -> None:
            request.headers["X-Own"] = "a  b"
            copies.append(AWSRequest(request.method, request.url, dict(request.headers.items()), dict(request.data)))

        omi_fcu.meta.events.register("before-sign.ec2", copy_request)
        omi_fcu.describe_volumes(Filters=[{"Name": "tag:é", "Values": ["a b+c/~&=", ""]}])
        (copied,), sent = copies, cloud.calls()[-1].headers
        signer = SigV4Auth(Credentials(alice.access_key, alice.secret_key), "ec2", alice.region)
        sign_at(cloud.engine.clock.now, signer.add_auth, copied)
        assert {name.lower(): value for name, value in copied.headers.items()}.items() <= sent.items()
        assert copied.headers["Authorization"] == sent["authorization"]

    @given(value=st.datetimes().map(lambda at: f"{at.isoformat(timespec='milliseconds')}Z") | st.integers(0, 10**10))
    @example(value="2026-01-01T00:00:00Z")
    @example(value="2026-01-01T02:00:00.000+02:00")
    @example(value="Thu, 01 Jan 2026 00:00:00 GMT")
    def test_read_timestamps_as_botocore_does(self, value: Any) -> None:
        """A timestamp in the answers' form takes a shorter way to the same time, in a time zone of the same class."""
        at, expected = read_timestamp(value), parse_timestamp(value)
        assert (at, type(at.tzinfo)) == (expected, type(expected.tzinfo))

    def test_show_no_request_to_moto(self) -> None:
        """moto, imported before and in use, does not look at the requests of omisim's own clients."""
        assert run_python(BESIDE_MOTO) == "[]\n"

    def test_let_handlers_change_a_request(self, omi_fcu: Any, cloud: Cloud) -> None:
        """A handler of the event before-send changes a request before the cloud gets it."""

        def add_header(request: AWSPreparedRequest, **_event: Any) -> None:
            request.headers["X-Own"] = "1"

        omi_fcu.meta.events.register("before-send.ec2", add_header)
        omi_fcu.describe_regions()
        assert cloud.calls()[-1].headers["x-own"] == "1"

    def test_name_boto3_as_the_user_agent(self, omi_fcu: Any, cloud: Cloud) -> None:
        """A request says that it is boto3's."""
        omi_fcu.describe_regions()
        assert cloud.calls()[-1].headers["user-agent"].startswith(f"Boto3/{boto3.__version__} ")


class TestWaiters:
    """boto3's waiters where they fail, and over HTTP; `tests/doors/test_fcu_service.py` has all that succeed."""

    @pytest.mark.usefixtures("omi_sleep")
    def test_end_with_a_failure(self, omi_fcu: Any, cloud: Cloud) -> None:
        """A waiter raises when its resource fails."""
        volume = omi_fcu.create_volume(AvailabilityZone=ZONE, Size=4)["VolumeId"]
        omi_fcu.get_waiter("volume_available").wait(VolumeIds=[volume])
        snapshot = omi_fcu.create_snapshot(VolumeId=volume)["SnapshotId"]
        cloud.fail_next("snapshot")
        with pytest.raises(boto3.exceptions.botocore.exceptions.WaiterError, match="terminal failure"):
            omi_fcu.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])

    def test_wait_over_http(self, cloud: Cloud, alice: Account, server: Running) -> None:
        """Over HTTP a waiter ends as soon as the resource is ready."""
        keys = {"aws_access_key_id": alice.access_key, "aws_secret_access_key": alice.secret_key}
        client = boto3.client("ec2", alice.region, endpoint_url=server.url, **keys)
        volume = client.create_volume(AvailabilityZone=ZONE, Size=4)["VolumeId"]
        client.get_waiter("volume_available").wait(VolumeIds=[volume])
        pages = client.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 5})
        ids = [image["ImageId"] for page in pages for image in page["Images"]]
        assert ids == [image.image_id for image in alice.read_images()]


@pytest.mark.usefixtures("omi_env")
class TestResources:
    def test_work_on_the_same_cloud(self, alice: Account, ubuntu: Any) -> None:
        """boto3's resources for EC2, from the variables of the environment."""
        ec2 = boto3.resource("ec2")
        (vm,) = ec2.create_instances(ImageId=ubuntu.image_id, MinCount=1, MaxCount=1)
        vm.wait_until_running()
        vm.create_tags(Tags=[{"Key": "Name", "Value": "web"}])
        assert [v.attachments[0]["InstanceId"] for v in vm.volumes.all()] == [vm.id]
        image = vm.create_image(Name="golden")
        image.wait_until_exists()
        assert ec2.Image(image.id).name == "golden"
        assert [instance.id for instance in ec2.instances.filter(Filters=[{"Name": "tag:Name", "Values": ["w*"]}])] == [
            vm.id
        ]
        vm.terminate()
        assert alice.read_vms()[0].state == "terminated"


@pytest.mark.skipif(find_spec("aiobotocore") is None, reason="aiobotocore is not installed")
def test_aiobotocore_works_over_http(alice: Account, server: Running) -> None:
    """The asynchronous client of EC2."""
    from aiobotocore.session import get_session  # noqa: PLC0415 - may not be installed

    async def make() -> str:
        keys = {"aws_access_key_id": alice.access_key, "aws_secret_access_key": alice.secret_key}
        session = get_session()
        async with session.create_client("ec2", alice.region, endpoint_url=server.url, **keys) as client:
            volume = await client.create_volume(AvailabilityZone=ZONE, Size=4)
            return str(volume["VolumeId"])

    assert asyncio.run(make()) == alice.read_volumes()[0].volume_id
