"""The console in a file: `Cloud.report`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.storing import BUCKET, create_bucket, presign_url

from omisim import Account, ApiError, Cloud
from omisim.cloud.console.page import list_page_files
from omisim.model import Image

OpenReport = Callable[[str], Page]


def read_view(path: Path) -> dict[str, object]:
    """Return the data in a report."""
    match = re.search(r'<script type="application/json" id="view">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert match is not None
    view: dict[str, object] = json.loads(match[1])
    return view


@pytest.fixture(name="open_report")
def _open_report(page: Page, cloud: Cloud, tmp_path: Path) -> OpenReport:
    """Open a report of the cloud in a browser that has no network."""
    requested: list[str] = []

    def open_report(title: str = "") -> Page:
        path = tmp_path / "cloud.html"
        cloud.report(path, title)
        page.context.set_offline(True)
        page.on("request", lambda request: requested.append(request.url))
        page.goto(path.as_uri())
        expect(page.locator(".place")).to_be_visible()
        assert requested == [path.as_uri()]
        return page

    return open_report


class TestReport:
    def test_opens_without_a_server_or_a_network(self, open_report: OpenReport, golden: Image) -> None:
        """The file shows the cards and the title, and requests nothing else."""
        report = open_report("test_golden <b>")
        expect(report.locator(".title")).to_have_text("test_golden <b>")
        expect(report.locator(f'.card[data-id="{golden.image_id}"]')).to_contain_text("available")

    def test_goes_back_to_any_call(self, open_report: OpenReport, alice: Account, golden: Image) -> None:
        """The slider works as on a server, by the keyboard too."""
        alice.delete_image(image_id=golden.image_id)
        report = open_report("")
        card = report.locator(f'.card[data-id="{golden.image_id}"]')
        expect(card).to_have_count(0)
        report.get_by_label("Point in the history").focus()
        report.keyboard.press("ArrowLeft")
        expect(card).to_contain_text("available")

    def test_has_refusals_and_access(self, open_report: OpenReport, alice: Account, golden: Image) -> None:
        """Rules and fixes are in the file, and so is who may use an OMI. [OMI-022]"""
        with pytest.raises(ApiError):
            alice.create_image(vm_id=alice.read_vms()[0].vm_id, image_name="golden")
        report = open_report("")
        report.get_by_role("tab", name="Refusals").click()
        expect(report.locator(".refusal")).to_contain_text("OMI-022")
        report.locator(f'.card[data-id="{golden.image_id}"]').click()
        expect(report.locator("table.access")).to_contain_text("OMI-121")

    def test_shows_any_name_as_it_is(self, open_report: OpenReport, alice: Account) -> None:
        """No name ends the script that holds the data, or runs."""
        names = ("</script><script>alert(1)</script>", "\u2028 \u00e9 <!--", "&lt;b&gt;")
        vms = alice.create_vms(image_id=alice.cloud.images.official("debian").image_id, max_vms_count=len(names))
        for vm, name in zip(vms, names, strict=True):
            alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "Name", "value": name}])
        report = open_report("")
        for vm, name in zip(vms, names, strict=True):
            shown = report.locator(f'.card[data-id="{vm.vm_id}"] .name').text_content()
            assert shown == name

    def test_escapes_lone_surrogates(self, cloud: Cloud, alice: Account, tmp_path: Path) -> None:
        """A refused call may have a name that UTF-8 cannot encode."""
        with pytest.raises(ApiError):
            alice.call("ReadVms", **{"\ud800": 1})
        cloud.report(tmp_path / "cloud.html")
        assert r"\ud800" in (tmp_path / "cloud.html").read_text("utf-8")

    def test_reads_no_more_than_the_history(self, tmp_path: Path) -> None:
        """A cloud that forgets old changes has a report that says so."""
        cloud = Cloud(history=3)
        alice = cloud.account("alice")
        for number in range(20):
            alice.create_keypair(keypair_name=f"k{number}")
        cloud.report(tmp_path / "cloud.html")
        view = read_view(tmp_path / "cloud.html")
        assert view["complete"] is False
        assert len(str(view["base"])) > len("{}")

    def test_is_refused_where_it_cannot_be_written(self, cloud: Cloud, tmp_path: Path) -> None:
        """A missing folder is named."""
        with pytest.raises(FileNotFoundError, match=r"nowhere"):
            cloud.report(tmp_path / "nowhere" / "cloud.html")


class TestSecrets:
    def test_are_in_no_report(self, cloud: Cloud, alice: Account, tmp_path: Path) -> None:
        """Keys, passwords and signatures of URLs are left out, in parameters, cards and errors."""
        key = alice.create_access_key()
        private_key = alice.create_keypair(keypair_name="k").private_key
        create_bucket(alice)
        url = presign_url(alice, f"{BUCKET}/disk.qcow2")
        signature = re.search(r"Signature=([^&]+)", url)
        assert signature is not None
        with pytest.raises(ApiError):
            alice.create_snapshot(file_location=url, snapshot_size=10 * 2**30)
        api_key = {"ApiKeyId": key.access_key_id, "SecretKey": "s3cr3t-of-an-export"}
        export = {"DiskImageFormat": "qcow2", "OsuBucket": BUCKET, "OsuApiKey": api_key}
        with pytest.raises(ApiError):
            alice.call("CreateImageExportTask", ImageId="ami-12345678", OsuExport=export)
        cloud.report(tmp_path / "cloud.html")
        text = (tmp_path / "cloud.html").read_text("utf-8")
        secrets = [alice.secret_key, alice.password, key.secret_key, signature[1], "s3cr3t-of-an-export"]
        assert [secret for secret in secrets if secret in text] == []
        assert (private_key or "PRIVATE KEY").splitlines()[0] not in text


class TestFiles:
    def test_name_everything_once(self) -> None:
        """A report joins the modules into one script, so no two of them declare the same name."""
        names: list[str] = []
        for name, (_, body) in list_page_files().items():
            if name.endswith(".js"):
                pattern = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)"
                names += re.findall(pattern, body.decode(), re.MULTILINE)
        assert [name for name in set(names) if names.count(name) > 1] == []

    def test_never_parse_a_text_as_html(self) -> None:
        """Everything is put in as text."""
        scripts = b"".join(body for name, (_, body) in list_page_files().items() if name.endswith(".js"))
        assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function", scripts)
