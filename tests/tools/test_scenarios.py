"""Scenarios: files that set a cloud up, and the errors for wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim import ApiError, Cloud, SystemClock
from omisim.tools.scenario import list_shipped

FILES = Path(__file__).parents[2] / "fixtures" / "scenarios"
ALICE = "[accounts]\nalice = {}\nbob = {}\n"
VM = '[[steps]]\ndo = "CreateVms"\nas = "builder"\nImageId = "{official/debian}"\n'


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def read_mistake(place: Path, text: str) -> tuple[int, str]:
    """Return the line and the message with which a scenario is refused."""
    place.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(str(place))) as failure:
        Cloud.from_scenario(place)
    match = re.fullmatch(rf"{re.escape(str(place))}:(\d+): (.+)", str(failure.value))
    assert match, failure.value
    return int(match[1]), match[2]


class TestShippedScenarios:
    @pytest.mark.parametrize("name", list_shipped())
    def test_are_set_up_without_entries_in_the_call_log(self, name: str) -> None:
        """Each shipped scenario is loaded by its bare name; a test sees only its own calls and warnings."""
        cloud = Cloud.from_scenario(name)
        assert cloud.events
        assert cloud.calls() == ()
        assert cloud.warnings == ()

    @pytest.mark.parametrize("path", list_shipped().values(), ids=lambda path: path.stem)
    def test_begin_with_a_comment_that_describes_them(self, path: Path) -> None:
        """Each file begins with a comment that contains its name."""
        first = path.read_text().splitlines()[0]
        words = path.stem.replace("-", " ").replace("image", "OMI")
        assert first.startswith("# ")
        assert all(word.lower() in first.lower() for word in words.split())

    def test_include_a_shared_image_that_bob_may_launch(self) -> None:
        """Bob launches golden and finds its file; mallory and carol may not."""
        cloud = Cloud.from_scenario("shared-image")
        bob, golden = cloud.account("bob"), cloud.named("golden")
        vm = bob.create_vms(image_id=golden)[0]
        assert cloud.read(vm.block_device_mappings[0].bsu.volume_id, "/etc/motd") == "golden"
        assert not cloud.account("mallory").can("CreateVms", ImageId=golden)
        assert not cloud.account("carol").can("CreateVms", ImageId=golden)

    def test_include_a_windows_licence_lost_by_bare_snapshots(self) -> None:
        """The OMIs golden and copied have the product code of Windows, bare has that of Linux."""
        cloud = Cloud.from_scenario("windows-licence")
        codes = {image.image_id: image.product_codes for image in cloud.account("alice").read_images()}
        licence_codes = [codes[cloud.named(name)] for name in ("golden", "copied", "bare")]
        assert licence_codes == [("0002",), ("0002",), ("0001",)]

    def test_include_a_quota_with_room_for_one_more(self) -> None:
        """One more VM, volume or snapshot fits; a second of its kind is refused for the quota."""
        cloud = Cloud.from_scenario("nearly-full-quota")
        alice = cloud.account("alice")
        calls: dict[str, dict[str, Any]] = {
            "CreateVms": {"ImageId": cloud.images.official("debian").image_id},
            "CreateVolume": {"SubregionName": "eu-west-2a", "Size": 1},
            "CreateSnapshot": {"VolumeId": cloud.named("data")},
        }
        for action, parameters in calls.items():
            with cloud.savepoint():
                alice.call(action, **parameters)
                assert alice.why_not(action, **parameters)[0].type == "TooManyResources (QuotaExceded)"

    def test_include_a_snapshot_chain_with_the_content_of_each_day(self) -> None:
        """A snapshot lacks later writes to its volume, and the OMI has its own content."""
        cloud = Cloud.from_scenario("snapshot-chain")
        alice = cloud.account("alice")
        assert cloud.read(cloud.named("restored"), "/version") == "tuesday"
        assert cloud.read(cloud.named("data"), "/version") == "wednesday"
        assert cloud.named("golden/dev/sda1") == cloud.named("wednesday")
        assert not alice.can("DeleteSnapshot", SnapshotId=cloud.named("wednesday"))
        assert alice.can("DeleteSnapshot", SnapshotId=cloud.named("monday"))

    def test_include_an_image_that_is_pending_for_40_minutes(self) -> None:
        """The OMI in progress is available after 40 minutes of the cloud's time, and no sooner."""
        cloud = Cloud.from_scenario("slow-region")
        alice, ids = cloud.account("alice"), [cloud.named("golden")]
        cloud.advance(2399)
        assert alice.read_images(filters={"image_ids": ids})[0].state == "pending"
        cloud.advance(1)
        assert alice.read_images(filters={"image_ids": ids})[0].state == "available"

    def test_include_a_throttled_cloud_that_fails_every_third_read(self) -> None:
        """Every third ReadImages is throttled, and the OMI exists although its answer was lost."""
        cloud = Cloud.from_scenario("throttled")
        alice = cloud.account("alice")
        alice.read_images()
        alice.read_images()
        with pytest.raises(ApiError, match=r"^503 6 AccessDenied"):
            alice.read_images()
        with pytest.raises(ApiError, match=r"^500 2000 InternalError"):
            alice.create_image(vm_id=cloud.named("builder"), image_name="golden")
        assert [image.image_name for image in alice.read_images(filters={"image_names": ["golden"]})] == ["golden"]

    def test_are_in_the_wheel(self, tmp_path: Path) -> None:
        """The wheel contains them under omisim/scenarios, where a bare name is looked up, and no tests."""
        build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=FILES.parent.parent, check=True, timeout=60)
        with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
            wheel.extractall(tmp_path / "site")
            assert not any({"tests", "conftest.py"}.intersection(Path(name).parts) for name in wheel.namelist())
        code = "import omisim, sys; print(omisim.Cloud.from_scenario('shared-image').named('golden'), omisim.__file__)"
        run = [sys.executable, "-S", "-c", code]
        site = {"PYTHONPATH": str(tmp_path / "site")}
        printed = subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path, env=site).stdout
        golden = Cloud.from_scenario("shared-image").named("golden")
        assert printed.split() == [golden, str(tmp_path / "site/omisim/__init__.py")]


class TestScenarioNames:
    def test_give_a_test_the_ids_of_resources_and_devices(self) -> None:
        """A test finds what a scenario made by its name there, and the resources behind its devices."""
        cloud = Cloud.from_scenario("shared-image")
        golden = cloud.account("bob").read_images(filters={"image_ids": [cloud.named("golden")]})[0]
        assert golden.image_name == "golden"
        assert cloud.named("golden/dev/sda1") == golden.block_device_mappings[0].bsu.snapshot_id  # type: ignore[union-attr]

    def test_that_are_unknown_are_refused_with_a_suggestion(self) -> None:
        """A mistyped name is refused with the one probably meant and the known ones."""
        with pytest.raises(ValueError, match=r"unknown name 'goldn'; did you mean golden\?; known: builder, "):
            Cloud.from_scenario("shared-image").named("goldn")

    def test_are_kept_by_forks_and_dumps(self) -> None:
        """A fork and a reloaded dump know the names too."""
        cloud = Cloud.from_scenario("shared-image")
        saved = Cloud.load(json.loads(json.dumps(cloud.dump())))
        assert cloud.named("golden") == cloud.fork().named("golden") == saved.named("golden")
        assert saved == cloud

    def test_are_a_list_for_several_resources(self, place: Path) -> None:
        """A step that makes several resources takes a list of names."""
        many = VM.replace('"builder"', '["a", "b"]') + "MinVmsCount = 2\nMaxVmsCount = 2\n"
        place.write_text(ALICE + many)
        cloud = Cloud.from_scenario(place)
        assert [vm.vm_id for vm in cloud.account("alice").read_vms()] == [cloud.named("a"), cloud.named("b")]


class TestScenarioSteps:
    def test_end_before_the_next_step_and_take_no_time(self, place: Path) -> None:
        """In timing "clock" too, an OMI can be made from the VM of the step before, and all is ready at the start."""
        place.write_text(
            f'[cloud]\ntiming = "clock"\n{ALICE}{VM}'
            '[[steps]]\ndo = "CreateImage"\nVmId = "{builder}"\nImageName = "mine"\n'
        )
        cloud = Cloud.from_scenario(place)
        assert cloud.now.isoformat() < "2026-01-01T00:00:01"
        assert cloud.account("alice").read_images(filters={"image_names": ["mine"]})[0].state == "available"
        assert (
            cloud.account("alice").create_vms(image_id=cloud.images.official("debian").image_id)[0].state == "pending"
        )
        assert len(cloud.account("alice").read_vms(filters={"vm_state_names": ["running"]})) == 1

    def test_are_done_by_the_named_account(self, place: Path) -> None:
        """`by` names the account; the default is the first."""
        place.write_text(ALICE + VM + VM.replace("builder", "bobs") + 'by = "bob"\n')
        cloud = Cloud.from_scenario(place)
        assert cloud.account("alice").read_vms()[0].vm_id == cloud.named("builder")
        assert cloud.account("bob").read_vms()[0].vm_id == cloud.named("bobs")

    def test_may_publish_and_subscribe_to_products(self, place: Path) -> None:
        """A product of the Marketplace is published and subscribed to by name."""
        place.write_text(
            '[accounts]\nseller = { region = "cloudgouv-eu-west-1" }\nbuyer = { region = "cloudgouv-eu-west-1" }\n'
            + VM
            + '[[steps]]\ndo = "CreateImage"\nas = "golden"\nVmId = "{builder}"\nImageName = "golden"\n'
            '[[steps]]\ndo = "marketplace.publish"\nas = "product"\nseller = "{seller}"\nimage_id = "{golden}"\n'
            '[[steps]]\ndo = "marketplace.subscribe"\nproduct = "{product}"\nbuyer = "{buyer}"\n'
            '[[steps]]\ndo = "CreateVms"\nas = "bought"\nby = "buyer"\nImageId = "{official/ubuntu}"\n'
        )
        cloud = Cloud.from_scenario(place)
        product = cloud.named("product")
        images = cloud.account("buyer").read_images(filters={"product_codes": [product]})
        assert [image.account_alias for image in images] == ["Marketplace"]

    def test_may_make_images_with_empty_disks(self, place: Path) -> None:
        """A device without a snapshot has no name."""
        place.write_text(
            ALICE + VM + '[[steps]]\ndo = "CreateImage"\nas = "golden"\nVmId = "{builder}"\nImageName = "golden"\n'
            '[[steps]]\ndo = "CreateImage"\nas = "roomy"\nImageName = "roomy"\nRootDeviceName = "/dev/sda1"\n'
            'BlockDeviceMappings = [\n  { DeviceName = "/dev/sda1", Bsu.SnapshotId = "{golden/dev/sda1}" },\n'
            '  { DeviceName = "/dev/sdb", Bsu.VolumeSize = 20 },\n]\n'
        )
        cloud = Cloud.from_scenario(place)
        assert cloud.named("roomy/dev/sda1") == cloud.named("golden/dev/sda1")
        with pytest.raises(ValueError, match="unknown name 'roomy/dev/sdb'"):
            cloud.named("roomy/dev/sdb")

    def test_may_call_object_storage(self, place: Path) -> None:
        """`oos.<method>` is a call of boto3, so that an export finds its bucket."""
        place.write_text(
            ALICE
            + VM
            + '[[steps]]\ndo = "CreateImage"\nas = "golden"\nVmId = "{builder}"\nImageName = "golden"\n'
            + '[[steps]]\ndo = "oos.create_bucket"\nBucket = "exports"\n'
            '[[steps]]\ndo = "CreateImageExportTask"\nas = "task"\nImageId = "{golden}"\n'
            'OsuExport = { DiskImageFormat = "qcow2", OsuBucket = "exports" }\n'
        )
        cloud = Cloud.from_scenario(place)
        objects = cloud.account("alice").client("oos").list_objects_v2(Bucket="exports")["Contents"]
        assert f"{cloud.named('golden')}/manifest.json" in [item["Key"] for item in objects]
        task = cloud.account("alice").read_image_export_tasks()[0]
        assert (task.task_id, task.state) == (cloud.named("task"), "completed")

    def test_may_order_a_failure_in_the_test(self, place: Path) -> None:
        """A failure that the last step orders happens in the test."""
        place.write_text(f'{ALICE}{VM}[[steps]]\ndo = "fail_next"\nkind = "snapshot"\ncomment = "no room"\n')
        cloud = Cloud.from_scenario(place)
        alice = cloud.account("alice")
        alice.create_image(vm_id=cloud.named("builder"), image_name="golden")
        failed = alice.read_images(filters={"image_names": ["golden"]})[0]
        assert (failed.state, failed.state_comment.state_message) == ("failed", "no room")


class TestScenarioArguments:
    def test_take_precedence_over_the_file(self) -> None:
        """The seed, timing and clock of the caller replace those of the file."""
        slow = Cloud.from_scenario("slow-region", timing="eager", seed=7, clock=SystemClock())
        assert slow.account("alice").read_images(filters={"image_names": ["golden"]})[0].state == "available"
        assert slow.named("golden") != Cloud.from_scenario("slow-region").named("golden")

    def test_that_the_constructor_does_not_take_are_refused(self) -> None:
        """Arguments are those of the constructor of Cloud."""
        with pytest.raises(TypeError, match="colour"):
            Cloud.from_scenario("slow-region", colour="red")  # type: ignore[call-arg]


class TestScenarioMistakes:
    @pytest.mark.parametrize("name", ["shared-imge", "", "shared image", "../scenarios"])
    def test_in_a_bare_name_are_answered_with_the_shipped_ones(self, name: str) -> None:
        """An unknown bare name is refused with the shipped scenarios."""
        with pytest.raises(
            ValueError, match=rf"unknown scenario {re.escape(repr(name))}.*; shipped are nearly-full-quota, "
        ):
            Cloud.from_scenario(name)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("nowhere.toml", "No such file or directory$"),
            ("folder.toml", "Is a directory$"),
            ("latin.toml", "the file must be UTF-8: "),
        ],
    )
    def test_in_a_path_are_answered_with_the_path(self, tmp_path: Path, name: str, reason: str) -> None:
        """A file that cannot be read is named once, with the reason."""
        (tmp_path / "folder.toml").mkdir()
        (tmp_path / "latin.toml").write_bytes(b"\xe9")
        with pytest.raises(ValueError, match=rf"^{re.escape(str(tmp_path / name))}: {reason}"):
            Cloud.from_scenario(tmp_path / name)

    @pytest.mark.parametrize(
        ("text", "line", "message"),
        [
            (
                "[cloud]\nseed = 1\ntiming = 'slow'\n",
                3,
                "timing must be one of eager, clock, manual, reads, not 'slow'",
            ),
            ("[cloud]\ntimings = 'clock'\n", 2, "unknown entry of cloud 'timings'; did you mean timing?"),
            (
                "[cloud]\n[cloud.switches]\nsnapshot_cut = 'request'\nstart_runing = 1\n",
                4,
                "unknown switch 'start_runing'; did you mean start_running?",
            ),
            ("cloud = 1\n", 1, "write it as [cloud]"),
            ("steps = [1]\n", 1, "write it as [[steps]]"),
            ("\n[account]\nalice = {}\n", 2, "unknown table of a scenario 'account'; did you mean accounts?"),
            ("[accounts]\nalice = 3\n", 2, "alice must be a table of region, alias, quotas, not 3"),
            ("[accounts]\nalice = {}\nbob = { region = 'mars' }\n", 3, "region must be one of eu-west-2, "),
            ("[accounts.alice]\nquotas.volume_limit = 1\nquotas.vms = 2\n", 3, "quota must be one of vm_limit, "),
            (
                "[accounts.alice]\nquotas.vm_limit = 'many'\n",
                2,
                "quota vm_limit must be an int of at least 0, not",
            ),
            ("[accounts.'']\n", 1, "name must be a non-empty str, not ''"),
            (
                "[durations]\n'snapshot.pending' = 3\n'image.pending' = 3\n",
                3,
                "key must be a transient state, not 'image.pending'",
            ),
            (
                "[durations]\n'snapshot.pending' = 'long'\n",
                2,
                "duration must be a finite, non-negative number of seconds up to 1000000000, not 'long'",
            ),
            (f"{ALICE}[[steps]]\nby = 'alice'\n", 4, "a step needs a call"),
            (f"{ALICE}[[steps]]\ndo = 'RunInstances'\n", 5, "names of the OUTSCALE API here: CreateVms"),
            (f"{ALICE}[[steps]]\ndo = 'CreateVm'\n", 5, "; did you mean CreateVms?"),
            (
                f"{ALICE}[[steps]]\ndo = 'CreateLoadBalancer'\n",
                5,
                "do must be a served action or one of adopt, ",
            ),
            (f"{ALICE}[[steps]]\ndo = 'mark'\n", 5, "do must be a served action or one of adopt, "),
            ("[[steps]]\ndo = 'ReadImages'\n", 2, "ReadImages needs an account: name one in [accounts]"),
            (f"{ALICE}{VM}by = 'carol'\n", 8, "unknown account of this scenario 'carol'; known: alice, bob"),
            (
                f"{ALICE}{VM}VmTypo = 'tinav5.c1r1p2'\n",
                8,
                "unknown parameter of CreateVms 'VmTypo'; did you mean VmType?",
            ),
            (
                f"{ALICE}{VM}vm_type = 'tinav5.c1r1p2'\n",
                8,
                "unknown parameter of CreateVms 'vm_type'; did you mean VmType?",
            ),
            (
                f"{ALICE}{VM}KeypairName = 3\n",
                8,
                "CreateVms by alice is refused: 400 4110 InvalidParameterValue (REQ-009): ",
            ),
            (
                f"{ALICE}{VM}Placement.Tenanci = 'x'\n",
                8,
                "CreateVms by alice is refused: 400 3001 InvalidParameter (REQ-008): ",
            ),
            (f"{ALICE}{VM}VmType = 't2.big'\n", 4, "CreateVms by alice is refused: 400 5024 InvalidResource (VMT-"),
            (f"{ALICE}{VM}UserData = '{{missing}}'\n", 8, "no earlier step defines {missing}"),
            (f"{ALICE}{VM}UserData = '{{bilder}}'\n", 8, "no earlier step defines {bilder}"),
            (f"{ALICE}{VM}UserData = '{{offical/rhel}}'\n", 8, "{offical/rhel}; did you mean official/rhel?"),
            (f"{ALICE}{VM}{VM}", 10, "'builder' is already in use"),
            (f"{ALICE}{VM.replace('builder', 'a b')}", 6, "'a b' is not a valid name (letters, digits, _ and -)"),
            (f"{ALICE}{VM.replace('builder', 'alice')}", 6, "'alice' is already in use"),
            (f"{ALICE}{VM}MinVmsCount = 2\nMaxVmsCount = 2\n", 6, "`as` must be a list of 2 names"),
            (f"{ALICE}{VM}files = {{ '/a' = 1 }}\n", 8, "text must be a str, not 1"),
            (f"{ALICE}[[steps]]\ndo = 'ReadVms'\nfiles.a = 'b'\n", 6, "ReadVms creates no VM or volume"),
            (
                f"{ALICE}{VM}[[steps]]\ndo = 'StopVms'\nVmIds = ['{{builder}}']\nfiles.a = 'b'\n",
                11,
                "StopVms creates no VM",
            ),
            (
                f"{ALICE}{VM}[[steps]]\ndo = 'DeleteVms'\nas = 'x'\nVmIds = ['{{builder}}']\n",
                10,
                "DeleteVms creates no resource",
            ),
            ("[[steps]]\ndo = 'advance'\nby = 'alice'\nseconds = 3\n", 3, "advance is not a call of an account"),
            (
                "[[steps]]\ndo = 'advance'\nsecond = 3\n",
                3,
                "unknown parameter of advance 'second'; did you mean seconds?",
            ),
            (
                "[[steps]]\ndo = 'advance'\n",
                1,
                "advance: Cloud.advance() missing 1 required positional argument: 'seconds'",
            ),
            ("[[steps]]\ndo = 'advance'\nseconds = -1\n", 1, "advance: "),
            ("[[steps]]\ndo = 'faults.add'\naction = 'ReadImage'\n", 1, "did you mean ReadImages?"),
            (
                f"{ALICE}[[steps]]\ndo = 'oos.make_bucket'\nBucket = 'b'\n",
                5,
                "unknown method 'make_bucket' of the object",
            ),
            (
                f"{ALICE}[[steps]]\ndo = 'oos.head_bucket'\nBucket = 'b'\n",
                4,
                "oos.head_bucket: An error occurred (404) ",
            ),
            (
                f"{ALICE}[[steps]]\ndo = 'oos.head_bucket'\nBuckt = 'b'\n",
                6,
                "unknown parameter of oos.head_bucket 'Buckt'; did ",
            ),
            (
                f"{ALICE}{VM}as = 3\n".replace('as = "builder"\n', ""),
                7,
                "`as` must be a name or a list of names",
            ),
            (f"{ALICE}{VM}files = 'x'\n", 8, "`files` must be a table from paths to texts, not 'x'"),
            (f"{ALICE}[[steps]]\ndo = 'retire'\nimage_id = 3\n", 4, "retire: "),
            (f"{ALICE}[[steps]]\ndo = 'adopt'\nimage_id = 3\n", 4, "adopt: "),
            (
                f"{ALICE}[[steps]]\ndo = 'marketplace.publish'\nimage_id = 'ami-12345678'\nseller = 'alice'\n",
                7,
                "seller must be one of {alice}, {bob}, not 'alice'",
            ),
            (
                f"{ALICE}[[steps]]\ndo = 'marketplace.unpublish'\nproduct = '{{alice}}'\n",
                6,
                "product must be one of none defined so far, not '{alice}'",
            ),
            ("[accounts\n", 1, "Expected ']' at the end of a table declaration"),
            ("[accounts]\nalice = {}\nalice = {}\n", 3, "Cannot overwrite a value"),
            ("a = '''\n\n", 3, "Expected"),
        ],
    )
    def test_in_a_file_are_answered_with_the_line_and_the_known(
        self, place: Path, text: str, line: int, message: str
    ) -> None:
        """The error is one line: `file:line: what is wrong`."""
        mistake = read_mistake(place, text)
        assert message in mistake[1]
        assert mistake[0] == line

    def test_in_a_call_are_answered_with_the_refusal(self, place: Path) -> None:
        """The error shows the rule of a refused call, and the ApiError is its cause."""
        image = '[[steps]]\ndo = "CreateImage"\nVmId = "{builder}"\nImageName = "golden"\n'
        place.write_text(ALICE + VM + image + image)
        with pytest.raises(
            ValueError, match=r":12: CreateImage by alice is refused: 409 9015 \w+ \(OMI-022\): "
        ) as failure:
            Cloud.from_scenario(place)
        assert isinstance(failure.value.__cause__, ApiError)

    @given(
        before=st.lists(st.sampled_from(["\n", "# [[steps]]\n", '# \'"""\n'])),
        count=st.integers(0, 3),
    )
    def test_are_found_behind_comments_and_long_texts(
        self, tmp_path_factory: pytest.TempPathFactory, before: list[str], count: int
    ) -> None:
        """The line number is right behind comments and texts of several lines."""
        volume = '[[steps]]\ndo = "CreateVolume"\nSize = 1\nSubregionName = """\neu-west-2a"""\n'
        padding = "".join(before)
        text = f"{ALICE}{padding}{volume * count}{padding}{volume}{padding}Sise = [\n  # too many\n  1,\n]\n{padding}"
        mistake = read_mistake(tmp_path_factory.getbasetemp() / "padded.toml", text)
        assert mistake == (
            text[: text.index("Sise")].count("\n") + 1,
            "unknown parameter of CreateVolume 'Sise'; did you mean Size?",
        )

    @given(
        name=st.sampled_from(sorted(list_shipped())),
        cut=st.integers(0, 60),
        put=st.sampled_from(
            [
                "",
                "= 3\n",
                "do = 3\n",
                "[[steps]]\n",
                "as = []\n",
                "{ }\n",
                "[cloud]\n",
                "files = 1\n",
                "by = 1\n",
                "by = []\n",
                "as = 3\n",
                "do = []\n",
                "action = 3\n",
                "volume_id = []\n",
                "quotas = 3\n",
                "x = '\0'\n",
            ]
        ),
    )
    def test_of_any_kind_are_one_line(
        self, tmp_path_factory: pytest.TempPathFactory, name: str, cut: int, put: str
    ) -> None:
        """A damaged scenario either sets up a cloud, or is refused with its line."""
        lines = list_shipped()[name].read_text().splitlines(keepends=True)
        place = tmp_path_factory.getbasetemp() / "damaged.toml"
        place.write_text("".join([*lines[:cut], put, *lines[cut + 1 :]]))
        output = ""
        try:
            Cloud.from_scenario(place)
        except ValueError as error:
            output = str(error)
        assert not output or re.match(rf"{re.escape(str(place))}:\d+: \S", output), output
