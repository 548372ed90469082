"""Measure the console with 2,000 resources: `python benchmarks/console.py`. It needs Chromium.

A report is measured in CPU time of this process. The browser's figures are its own: the first paint with content after
the navigation (before it has the cards, the page has nothing to paint), and the time from a click that goes one call
back to the end of the frame that shows it: the least of several, because other programs may keep the machine busy.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from omisim import Cloud

VMS, IMAGES, ROUNDS, UPDATES = 400, 100, 5, 20  # of each of two accounts; a VM has a volume, an OMI a snapshot
REPORT_SECONDS, REPORT_MB, PAINT_MS, UPDATE_MS = 1.0, 3.0, 1000.0, 50.0
FIRST_PAINT = """() => new Promise((done) => {
  const take = (list) => done(list.getEntriesByName("first-contentful-paint")[0].startTime);
  const observer = new PerformanceObserver(take);
  observer.observe({ type: "paint", buffered: true });
})"""
UPDATE = """async () => {
  const place = document.querySelector(".place").textContent;
  const start = performance.now();
  document.querySelector("[aria-label='One step back']").click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  if (document.querySelector(".place").textContent === place) throw new Error("nothing was drawn");
  return performance.now() - start;
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


def measure_report(cloud: Cloud) -> tuple[float, float]:
    """Return the CPU seconds of a report, and its size in MB."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cloud.html"
        start = time.process_time()
        cloud.report(path)
        return time.process_time() - start, path.stat().st_size / 1e6


def measure_page(url: str, browser: Browser) -> tuple[float, float]:
    """Return the milliseconds until the cards are painted, and the least of those until a step is."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url)
    page.wait_for_selector(".card")
    painted: float = page.evaluate(FIRST_PAINT)
    updates: list[float] = [page.evaluate(UPDATE) for _ in range(UPDATES)]
    page.close()
    return painted, min(updates)


def main() -> int:
    """Print the figures, and return 1 if a limit is exceeded."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium is installed: apt install chromium")
        return 1
    cloud = build()
    seconds, sizes = zip(*(measure_report(cloud) for _ in range(ROUNDS)), strict=True)
    with cloud.serve() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        url = f"{server.url}/_omisim/#token={server.token}"
        paints, updates = zip(*(measure_page(url, browser) for _ in range(ROUNDS)), strict=True)
        browser.close()
    rows = [
        ("report, CPU time", median(seconds), REPORT_SECONDS, "s"),
        ("report, size", sizes[0], REPORT_MB, "MB"),
        ("first paint", min(paints), PAINT_MS, "ms"),
        ("update", min(updates), UPDATE_MS, "ms"),
    ]
    for name, value, limit, unit in rows:
        print(f"{name:<18} {value:8.2f} {unit} (limit {limit:g})")
    return int(any(value > limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
