"""`omisim tour` and `omisim.teach`: the lessons, the predictions, the goals and the progress."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.snapshots import WIDTHS, check_snapshot

from omisim import Account, Cloud, teach
from omisim.actions.framework.registry import ACTIONS
from omisim.tools.cli import main
from omisim.tools.tour.command import Tour
from omisim.tools.tour.goals import GOALS
from omisim.tools.tour.progress import Progress

NUMBERS = [lesson.number for lesson in teach.lessons()]


@pytest.fixture(autouse=True)
def _state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the progress of the tests apart."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("OMISIM_URL", raising=False)


def make_tour(tmp_path: Path, answers: Iterator[str], width: int = 80) -> tuple[Tour, io.StringIO]:
    """Return a tour with a student who gives these answers, and what it prints."""
    printed = io.StringIO()
    console = Console(file=printed, width=width, highlight=False)
    return Tour(console, Progress({"XDG_STATE_HOME": str(tmp_path)}, tmp_path), lambda _: next(answers, "q")), printed


class TestLessons:
    @pytest.mark.parametrize("width", WIDTHS)
    @pytest.mark.parametrize("number", NUMBERS)
    def test_read_well_at_two_widths(self, tmp_path: Path, number: int, width: int) -> None:
        """The transcript of each lesson, with its questions answered by the model."""
        tour, printed = make_tour(tmp_path, iter([""] * 30), width)
        assert tour.play(number) == 0
        assert [line for line in printed.getvalue().splitlines() if len(line) > width] == []
        check_snapshot(f"tour-{number}-{width}.txt", printed.getvalue())

    @pytest.mark.parametrize("number", NUMBERS)
    def test_have_questions_and_lines_that_fit(self, number: int) -> None:
        """Each lesson asks at least one question about a real action, names a rule, and its code fits 80 columns."""
        lesson = teach.lesson(number)
        questions = [played for played in lesson.play() if played.answer is not None]
        assert questions
        for played in questions:
            assert played.step.action in ACTIONS
            assert played.answer is not None
            assert played.answer.rule
            assert played.answer.rule in str(played)
        assert all(len(line) <= 78 for step in lesson.steps for line in step.run.splitlines())
        assert 8 <= len(teach.lessons()) <= 10

    def test_are_chosen_by_number(self) -> None:
        """Another number is refused with the valid ones."""
        for number in (0, 11, "1", True):
            with pytest.raises(ValueError, match="lesson must be a number from 1 to 10, not"):
                teach.lesson(number)  # type: ignore[arg-type]  # the point

    def test_begin_with_the_same_cloud(self) -> None:
        """Two plays of a lesson give the same text."""
        first, second = (list(map(str, teach.lesson(2).play())) for _ in range(2))
        assert first == second

    def test_skip_what_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the extra for object storage, its steps say how to install it."""
        monkeypatch.setattr("omisim.tools.tour.course.find_spec", lambda _name: None)
        outputs = [played.output for played in teach.lesson(6).play()]
        assert outputs.count("(skipped: it needs pip install 'omisim[oos]')") == 2


def reach_1(alice: Account, bob: Account, carol: Account) -> None:
    """Launch an official OMI."""
    alice.create_vms(image_id=alice.cloud.images.official("ubuntu").image_id)


def bake(alice: Account, family: str = "ubuntu", name: str = "golden") -> Any:
    """Return a new OMI of alice's, made from a VM."""
    (vm,) = alice.create_vms(image_id=alice.cloud.images.official(family).image_id)
    alice.cloud.settle()
    image = alice.create_image(vm_id=vm.vm_id, image_name=name, no_reboot=True)
    alice.cloud.settle()
    return alice.read_images(filters={"image_ids": [image.image_id]})[0]


def register(alice: Account, image: Any, **fields: Any) -> None:
    """Register an OMI from the snapshot of another."""
    disk = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": image.block_device_mappings[0].bsu.snapshot_id}}
    alice.create_image(image_name="registered", root_device_name="/dev/sda1", block_device_mappings=[disk], **fields)


def share(alice: Account, image: Any, bob: Account, change: str = "additions") -> None:
    """Share an OMI with bob, or stop sharing it."""
    accounts = {"account_ids": [bob.account_id]}
    alice.update_image(image_id=image.image_id, permissions_to_launch={change: accounts})


def reach_2(alice: Account, bob: Account, carol: Account) -> None:
    """Make an OMI from a VM and another from its snapshot."""
    register(alice, bake(alice))


def reach_3(alice: Account, bob: Account, carol: Account) -> None:
    """Override the disks of a VM."""
    data = {"volume_size": 20, "volume_type": "gp2", "delete_on_vm_deletion": False}
    disks = [{"device_name": "/dev/sda1", "bsu": {"volume_size": 50}}, {"device_name": "/dev/sdb", "bsu": data}]
    alice.create_vms(image_id=alice.cloud.images.official("debian").image_id, block_device_mappings=disks)


def reach_4(alice: Account, bob: Account, carol: Account) -> None:
    """Share an OMI with bob, who launches it."""
    golden = bake(alice)
    share(alice, golden, bob)
    bob.create_vms(image_id=golden.image_id)


def reach_5(alice: Account, bob: Account, carol: Account) -> None:
    """Bob copies an OMI that alice shares for a while."""
    golden = bake(alice)
    share(alice, golden, bob)
    bob.create_image(source_image_id=golden.image_id, source_region_name=bob.region)
    share(alice, golden, bob, "removals")


def export(alice: Account, image: Any, bucket: str) -> None:
    """Export an OMI."""
    alice.create_image_export_task(
        image_id=image.image_id, osu_export={"disk_image_format": "qcow2", "osu_bucket": bucket}
    )
    alice.cloud.settle()


def reach_6(alice: Account, bob: Account, carol: Account) -> None:
    """Carol imports an export of alice's."""
    golden = bake(alice)
    oos = alice.client("oos")
    oos.create_bucket(Bucket="exports")
    export(alice, golden, "exports")
    key = {"Bucket": "exports", "Key": f"{golden.image_id}/manifest.json"}
    carol.create_image(file_location=oos.generate_presigned_url("get_object", Params=key), image_name="golden")


def reach_7(alice: Account, bob: Account, carol: Account) -> None:
    """Register a RHEL snapshot with its product code."""
    register(alice, bake(alice, "rhel"), product_codes=["0001", "0006"])


def reach_8(alice: Account, bob: Account, carol: Account) -> None:
    """Make an OMI without a reboot."""
    bake(alice)


def reach_9(alice: Account, bob: Account, carol: Account) -> None:
    """Delete an OMI, then its snapshot."""
    golden = bake(alice)
    alice.delete_image(image_id=golden.image_id)
    alice.delete_snapshot(snapshot_id=golden.block_device_mappings[0].bsu.snapshot_id)


def reach_10(alice: Account, bob: Account, carol: Account) -> None:
    """Export to a bucket that does not exist, then to one that does."""
    golden = bake(alice)
    export(alice, golden, "not-there")
    alice.client("oos").create_bucket(Bucket="there")
    export(alice, golden, "there")


SOLUTIONS: dict[int, Callable[[Account, Account, Account], None]] = {
    1: reach_1, 2: reach_2, 3: reach_3, 4: reach_4, 5: reach_5, 6: reach_6, 7: reach_7, 8: reach_8, 9: reach_9,
    10: reach_10,
}  # fmt: skip


def try_4(alice: Account, bob: Account, carol: Account) -> None:
    """Share an OMI that bob does not launch."""
    share(alice, bake(alice, name="first"), bob)


def try_5(alice: Account, bob: Account, carol: Account) -> None:
    """Go on sharing an OMI that bob has copied."""
    first = bake(alice, name="first")
    share(alice, first, bob)
    bob.create_image(source_image_id=first.image_id, source_region_name=bob.region, image_name="first")


def try_6(alice: Account, bob: Account, carol: Account) -> None:
    """Import an export of which a disk fails."""
    first = bake(alice, name="first")
    oos = alice.client("oos")
    oos.create_bucket(Bucket="earlier")
    export(alice, first, "earlier")
    alice.cloud.fail_next("snapshot")
    key = {"Bucket": "earlier", "Key": f"{first.image_id}/manifest.json"}
    carol.create_image(file_location=oos.generate_presigned_url("get_object", Params=key), image_name="first")


def try_8(alice: Account, bob: Account, carol: Account) -> None:
    """Make an OMI that fails."""
    alice.cloud.fail_next("snapshot")
    bake(alice, name="first")


def try_9(alice: Account, bob: Account, carol: Account) -> None:
    """Delete an OMI and keep its snapshot."""
    alice.delete_image(image_id=bake(alice, name="first").image_id)


ATTEMPTS: dict[int, Callable[[Account, Account, Account], None]] = {4: try_4, 5: try_5, 6: try_6, 8: try_8, 9: try_9}


class TestGoals:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_are_not_reached_at_first_and_can_be_reached(self, number: int) -> None:
        """A new cloud misses something; a solution reaches the goal, also after a dump."""
        lesson = teach.lesson(number)
        cloud = teach.start(lesson.timing)
        assert lesson.check(cloud)
        SOLUTIONS[number](*(cloud.account(name) for name in ("alice", "bob", "carol")))
        cloud.settle()
        assert lesson.check(cloud) == ""
        assert lesson.check(Cloud.load(json.loads(json.dumps(cloud.dump())))) == ""

    @pytest.mark.parametrize("number", NUMBERS)
    def test_judge_a_cloud_without_accounts(self, number: int) -> None:
        """A cloud without alice reaches nothing, and breaks nothing."""
        assert teach.lesson(number).check(Cloud())

    def test_are_all_used(self) -> None:
        """Each predicate belongs to one lesson."""
        assert sorted(lesson.predicate for lesson in teach.lessons()) == sorted(GOALS)

    def test_say_what_is_missing(self) -> None:
        """A goal that is half reached says what is left."""
        cloud = teach.start()
        golden = bake(cloud.account("alice"))
        share(cloud.account("alice"), golden, cloud.account("bob"))
        assert teach.lesson(4).check(cloud) == "bob has no VM from golden"
        assert teach.lesson(2).check(cloud) == "alice has no OMI registered that was registered from a snapshot"

    @pytest.mark.parametrize("number", ATTEMPTS)
    def test_are_reached_after_a_failed_attempt(self, number: int) -> None:
        """An attempt that went wrong, and is left behind, does not hide a later one that reached the goal."""
        cloud = teach.start()
        accounts = [cloud.account(name) for name in ("alice", "bob", "carol")]
        ATTEMPTS[number](*accounts)
        assert teach.lesson(number).check(cloud)
        SOLUTIONS[number](*accounts)
        assert teach.lesson(number).check(cloud) == ""

    def test_count_a_public_omi_as_shared(self) -> None:
        """The goal of lesson 5 is to stop sharing, also with everyone."""
        cloud = teach.start()
        alice, bob = cloud.account("alice"), cloud.account("bob")
        golden = bake(alice)
        alice.update_image(image_id=golden.image_id, permissions_to_launch={"additions": {"global_permission": True}})
        bob.create_image(source_image_id=golden.image_id, source_region_name=bob.region)
        assert teach.lesson(5).check(cloud) == "alice still shares golden with bob"


SCRIPT = """
import time
source = alice.ReadImages(Filters={"AccountAliases": ["Outscale"], "ImageNames": ["Ubuntu*"]})["Images"][0]
vm = alice.CreateVms(ImageId=source["ImageId"])["Vms"][0]
while alice.ReadVms(Filters={"VmIds": [vm["VmId"]]})["Vms"][0]["State"] != "running":
    time.sleep(5)
alice.CreateImage(VmId=vm["VmId"], ImageName="golden", NoReboot=True)
"""


class TestCheck:
    def test_runs_a_script_with_the_real_sdk(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The script has gateways of the accounts, and its waiting takes no time."""
        script = tmp_path / "solution.py"
        script.write_text(SCRIPT, "utf-8")
        assert main(["tour", "--lesson", "8", "--check", str(script)]) == 0
        assert "✓ Lesson 8: Lifecycles and time: the goal is reached" in capsys.readouterr().out
        assert main(["tour", "--list"]) == 0
        assert "goal reached" in capsys.readouterr().out

    def test_gives_a_script_the_accounts_of_the_lessons(self, tmp_path: Path) -> None:
        """The code of a lesson works with `cloud.account`, and boto3 reaches the buckets of alice."""
        script = tmp_path / "solution.py"
        script.write_text(
            "import boto3\naccount = cloud.account('alice')\n"
            "boto3.client('s3').create_bucket(Bucket='exports')\n"
            "assert account.client('oos').list_buckets()['Buckets'][0]['Name'] == 'exports'\n"
            "filters = {'AccountAliases': ['Outscale'], 'ImageNames': ['Ubuntu*']}\n"
            "ubuntu = account.call('ReadImages', Filters=filters)['Images'][-1]\n"
            "account.call('CreateVms', ImageId=ubuntu['ImageId'])\n",
            "utf-8",
        )
        assert main(["tour", "--lesson", "1", "--check", str(script)]) == 0

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("1/0", ":1: ZeroDivisionError: division by zero"),
            ("\nalice.DeleteImage(ImageId='ami-00000000')", ":2: HTTPError: {"),
            ("x = (", "SyntaxError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
        ],
    )
    def test_reports_an_error_in_the_script(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, problem: str
    ) -> None:
        """The error names the line, in one line and without a traceback; a refusal names its rule."""
        script = tmp_path / "solution.py"
        script.write_text(source, "utf-8")
        assert main(["tour", "--lesson", "1", "--check", str(script)]) == 2
        error = capsys.readouterr().err
        assert problem in error
        assert "Traceback" not in error

    def test_runs_a_script_as_python_does(self, tmp_path: Path) -> None:
        """A script imports a module beside it, sees its own command line, and may exit with success."""
        (tmp_path / "beside_the_script.py").write_text("SYSTEM = 'Ubuntu*'", "utf-8")
        script = tmp_path / "solution.py"
        script.write_text(
            "import sys\nfrom beside_the_script import SYSTEM\nassert sys.argv == [__file__]\n"
            "images = alice.ReadImages(Filters={'AccountAliases': ['Outscale'], 'ImageNames': [SYSTEM]})\n"
            "alice.CreateVms(ImageId=images['Images'][0]['ImageId'])\nsys.exit()\n",
            "utf-8",
        )
        assert main(["tour", "--lesson", "1", "--check", str(script)]) == 0

    def test_judges_a_dump(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a script, a cloud is judged: for one lesson, or for all."""
        cloud = teach.start()
        reach_1(*(cloud.account(name) for name in ("alice", "bob", "carol")))
        dump = tmp_path / "dump.json"
        dump.write_text(json.dumps(cloud.dump()), "utf-8")
        assert main(["tour", "--lesson", "1", "--check", "--state", str(dump)]) == 0
        assert main(["tour", "--check", "--state", str(dump)]) == 1
        assert capsys.readouterr().out.count("✗") == 9

    def test_judges_a_running_server(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The goal may be reached by clients of a server, and is judged through its control plane."""
        cloud = teach.start()
        with cloud.serve() as server:
            check = ["tour", "--lesson", "1", "--check", "--url", server.url, "--token", server.token]
            assert main(check) == 1
            reach_1(*(cloud.account(name) for name in ("alice", "bob", "carol")))
            assert main(check) == 0
        assert "✓" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            (["--check"], "--check needs a SCRIPT, or a cloud: --url URL, --state FILE or --scenario NAME"),
            (["--check", "x.py"], "--check SCRIPT needs --lesson N"),
            (["--lesson", "2", "--check", "missing.py"], "missing.py"),
            (["--lesson", "11"], "lesson must be a number from 1 to 10, not 11"),
        ],
    )
    def test_reports_wrong_options(self, capsys: pytest.CaptureFixture[str], options: list[str], problem: str) -> None:
        """A mistake is one line on standard error."""
        assert main(["tour", *options]) == 2
        error = capsys.readouterr().err
        assert problem in error
        assert len(error.splitlines()) == 1


class TestTour:
    def test_judges_predictions(self, tmp_path: Path) -> None:
        """A prediction is right or wrong; any other text is not taken as a prediction."""
        tour, printed = make_tour(tmp_path, iter(["", "no", "", "yes", "perhaps", ""]))
        tour.play(4)
        text = printed.getvalue()
        assert "Right. No. The OMI" in text
        assert "Not so. No. The OMI" in text
        assert "  Yes. Sharing an OMI does not" in text

    def test_goes_on_where_the_student_stopped(self, tmp_path: Path) -> None:
        """A lesson that was left counts as not read; one that was finished is not shown again."""
        tour, printed = make_tour(tmp_path, iter(["", "", "yes", "", "q"]))
        tour.play(None)
        assert tour.progress.read == {1}
        later, printed = make_tour(tmp_path, iter(["q"]))
        later.play(None)
        assert printed.getvalue().startswith("Lesson 2:")

    def test_ends_with_the_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A closed standard input ends the tour without a traceback."""

        def closed(_prompt: str) -> str:
            raise EOFError

        monkeypatch.setattr("omisim.tools.tour.command._choose_pause", lambda _options: closed)
        assert main(["tour", "--lesson", "1"]) == 130

    def test_does_not_wait_without_a_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In a pipe, or with --yes, nothing is asked."""
        assert main(["tour", "--lesson", "5"]) == 0
        assert capsys.readouterr().out.startswith("Lesson 5:")


class TestProgress:
    def test_survives_damage(self, tmp_path: Path) -> None:
        """A damaged file counts as no progress, and is replaced."""
        progress = Progress({"XDG_STATE_HOME": str(tmp_path)}, tmp_path)
        assert progress.path is not None
        for damage in ("", "[]", "[" * 100_000, '{"read": "x"}', '{"read": [1, "a", null], "reached": 3}'):
            progress.path.parent.mkdir(exist_ok=True)
            progress.path.write_text(damage, "utf-8")
            assert Progress({"XDG_STATE_HOME": str(tmp_path)}, tmp_path).read <= {1}
        progress.read.add(2)
        assert progress.save()
        assert Progress({"XDG_STATE_HOME": str(tmp_path)}, tmp_path).read == {2}
        progress.clear()
        assert Progress({"XDG_STATE_HOME": str(tmp_path)}, tmp_path).read == set()

    def test_does_without_a_folder(self, tmp_path: Path) -> None:
        """Where the folder cannot be written, nothing is kept, and nothing fails; the default is in the home."""
        (tmp_path / "file").write_text("", "utf-8")
        assert not Progress({"XDG_STATE_HOME": str(tmp_path / "file")}, tmp_path).save()
        assert Progress({}, tmp_path).path == tmp_path / ".local" / "state" / "omisim" / "tour.json"
