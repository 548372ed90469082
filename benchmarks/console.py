"""The console with 2,000 resources, in Chromium.

Everything is CPU time: of this process, which is the server, and of the thread of the page that runs its scripts and
lays it out. A paint takes both, from the navigation to the frame that shows the cards; an update is a click that goes
one call back, to the end of the frame that shows it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from benchmarks.goal import Goal, Limit, single
from omisim import Cloud
from omisim.server import Running

VMS, IMAGES, UPDATES = 400, 100, 20  # of each of two accounts; a VM has a volume, an OMI a snapshot
NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
UPDATE = """async () => {
  const place = document.querySelector(".place").textContent;
  document.querySelector("[aria-label='One step back']").click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  if (document.querySelector(".place").textContent === place) throw new Error("nothing was drawn");
}"""


def build() -> Cloud:
    """Return a cloud with 2,000 resources: VMs, volumes, snapshots and OMIs."""
    cloud = Cloud(history=20_000)
    source = cloud.images.official("debian").image_id
    for name in ("alice", "bob"):
        account = cloud.account(name, quotas={"vm_limit": 0})
        (vm, *_) = account.create_vms(image_id=source, min_vms_count=VMS, max_vms_count=VMS)
        for number in range(IMAGES):
            account.create_image(vm_id=vm.vm_id, image_name=f"image-{number}", no_reboot=True)
    return cloud


def measure_page(server: Running, browser: Browser) -> tuple[float, float]:
    """Return the CPU milliseconds of the first paint and of an update."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    thread = page.context.new_cdp_session(page)
    thread.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read_thread() -> float:
        metrics = {metric["name"]: metric["value"] for metric in thread.send("Performance.getMetrics")["metrics"]}
        return 1000 * float(metrics["TaskDuration"])

    cpu, ticks = time.process_time(), read_thread()
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    page.wait_for_selector(".card")
    page.evaluate(NEXT_FRAME)
    paint = 1000 * (time.process_time() - cpu) + read_thread() - ticks
    ticks = read_thread()
    for _ in range(UPDATES):
        page.evaluate(UPDATE)
    update = (read_thread() - ticks) / UPDATES
    page.close()
    return paint, update


def goals() -> Iterator[Goal]:
    """Yield the goals of the console; none of a page where Chromium is not installed."""
    cloud = build()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.html"

        def report() -> float:
            start = time.process_time()
            cloud.report(path)
            return time.process_time() - start

        sides = {"omisim": report, "size": lambda: path.stat().st_size / 1e6}
        limits = (Limit("s", single(), 1), Limit("MB", single("size"), 3))
        yield Goal("a report of 2,000 resources", sides, limits, rounds=5)
    chromium = shutil.which("chromium")
    if chromium is None:
        return
    with cloud.serve() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        milliseconds: dict[str, float] = {}

        def open_page() -> float:
            milliseconds["paint"], milliseconds["update"] = measure_page(server, browser)
            return milliseconds["paint"]

        sides = {"paint": open_page, "update": lambda: milliseconds["update"]}
        limits = (Limit("ms of the first paint", single("paint"), 1000), Limit("ms an update", single("update"), 50))
        yield Goal("the page with 2,000 resources", sides, limits, rounds=5)
        browser.close()
