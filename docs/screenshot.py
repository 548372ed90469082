"""Takes the screenshot of the console: `python docs/screenshot.py` writes console.png. It needs Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from omisim import ApiError, Cloud

__all__ = ["SCREENSHOT", "play", "take_screenshot"]

SCREENSHOT = Path(__file__).with_name("console.png")


def play() -> Cloud:
    """Return a cloud in which alice builds an OMI and shares it with bob, who launches VMs from it."""
    cloud = Cloud(timing="clock")
    alice, bob = cloud.account("alice"), cloud.account("bob")
    carol = cloud.account("carol", region="us-east-2")
    (builder,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
    alice.create_tags(resource_ids=[builder.vm_id], tags=[{"key": "Name", "value": "builder"}])
    cloud.settle()
    golden = alice.create_image(vm_id=builder.vm_id, image_name="golden")
    cloud.settle()
    for image_id in (golden.image_id, golden.image_id):
        try:
            bob.create_vms(image_id=image_id, min_vms_count=2, max_vms_count=2)
        except ApiError:  # not shared yet
            share = {"additions": {"account_ids": [bob.account_id]}}
            alice.update_image(image_id=image_id, permissions_to_launch=share)
    for number, vm in enumerate(bob.read_vms(), 1):
        bob.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "Name", "value": f"web-{number}"}])
    cloud.settle()
    bob.create_image(source_image_id=golden.image_id, source_region_name=bob.region, image_name="golden-copy")
    volume = carol.create_volume(subregion_name="us-east-2a", size=20)
    cloud.settle()
    carol.create_snapshot(volume_id=volume.volume_id)
    bob.stop_vms(vm_ids=[bob.read_vms()[1].vm_id])
    try:
        alice.create_image(vm_id=builder.vm_id, image_name="golden")
    except ApiError:  # the name is taken
        return cloud
    raise AssertionError("a name was given twice")


def take_screenshot(browser: Browser, path: Path, width: int = 1280, height: int = 800) -> None:
    """Write the picture of a console with a selected OMI."""
    with play().serve() as server:
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
        page.goto(f"{server.url}/_omisim/#token={server.token}")
        page.locator(".card", has_text="golden").first.click()
        page.locator("table.access").wait_for()
        page.get_by_role("tab", name="Refusals").click()
        page.screenshot(path=path)
        page.close()


if __name__ == "__main__":
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take_screenshot(chromium, SCREENSHOT)
        chromium.close()
