"""Measure the console with 2,000 resources: `python benchmarks/console.py`. It needs Chromium.

Everything is CPU time, because other programs may keep the machine busy: of this process, which is the server, and of
the thread of the page that runs its scripts and lays it out. A paint takes both, from the navigation to the frame that
shows the cards; an update is a click that goes one call back, to the end of the frame that shows it. The elapsed time,
the least of several rounds, is printed beside them.
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
from omisim.server import Running

VMS, IMAGES, ROUNDS, UPDATES = 400, 100, 5, 20  # of each of two accounts; a VM has a volume, an OMI a snapshot
REPORT_SECONDS, REPORT_MB, PAINT_MS, UPDATE_MS = 1.0, 3.0, 1000.0, 50.0
NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
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


def measure_page(server: Running, browser: Browser) -> tuple[float, float, float, float]:
    """Return the CPU and the elapsed milliseconds of the first paint, and those of an update."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    thread = page.context.new_cdp_session(page)
    thread.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read_thread() -> float:
        metrics = {metric["name"]: metric["value"] for metric in thread.send("Performance.getMetrics")["metrics"]}
        return 1000 * float(metrics["TaskDuration"])

    cpu, ticks, start = time.process_time(), read_thread(), time.perf_counter()
    page.goto(f"{server.url}/_omisim/#token={server.token}")
    page.wait_for_selector(".card")
    page.evaluate(NEXT_FRAME)
    elapsed = 1000 * (time.perf_counter() - start)
    paint = 1000 * (time.process_time() - cpu) + read_thread() - ticks
    ticks = read_thread()
    updates = [page.evaluate(UPDATE) for _ in range(UPDATES)]
    update = (read_thread() - ticks) / UPDATES
    page.close()
    return paint, elapsed, update, min(updates)


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
        rounds = [measure_page(server, browser) for _ in range(ROUNDS)]
        browser.close()
    paint, elapsed_paint, update, elapsed_update = (min(figures) for figures in zip(*rounds, strict=True))
    rows = [
        ("report", median(seconds), REPORT_SECONDS, "s"),
        ("size of the report", sizes[0], REPORT_MB, "MB"),
        ("first paint", paint, PAINT_MS, "ms"),
        ("update", update, UPDATE_MS, "ms"),
    ]
    for name, value, limit, unit in rows:
        print(f"{name:<18} {value:8.2f} {unit} (limit {limit:g})")
    print(f"elapsed: first paint {elapsed_paint:.0f} ms, update {elapsed_update:.1f} ms")
    return int(any(value > limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
