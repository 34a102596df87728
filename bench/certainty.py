"""What certainty costs: confirmations, spilling, a large backlog, scheduled events.

All on the disk that holds the temporary folder; its fsync is measured in the same run.
"""

import tempfile
from pathlib import Path

from processes import Sidecar

SPILL_EVENTS = 3_000_000
BACKLOG_GIB = 10
SCHEDULED_EVENTS = 1_000_000
RELEASE_PER_S = 50_000

# A destination that nobody answers for: what is confirmed stays on disk.
CONFIG = """
[ingest]
confirm_endpoint = ipc://{folder}/confirm.sock
[spool]
path = {folder}/spool.db
sync = {sync}
[destination.collector]
type = http
url = http://127.0.0.1:1/
queue_events_max = 10000
[shutdown]
linger = 0ms
"""


def confirmations(suite, sync):
    """The bench's figures against a new sidecar with a new spool."""
    with tempfile.TemporaryDirectory(prefix="outrider-spool-") as folder:
        config = CONFIG.format(folder=folder, sync=sync)
        with Sidecar.with_config(suite.build, folder, f"ipc://{folder}/emit.sock", config) as sidecar:
            before_s = sidecar.cpu_s()
            seen = suite.figures("deliver_bench", f"ipc://{folder}/confirm.sock", folder)
            seen["cpu_s"] = sidecar.cpu_s() - before_s
    return seen


def deliver(suite):
    full = confirmations(suite, "full")
    normal = confirmations(suite, "normal")
    fsync = f"{full['fsync_p50']:.3g} ms"
    suite.add("`deliver`, confirmed on disk, two threads", full["confirmed_per_s"], "/s",
              at_least=100_000, noise=suite.time_noise)
    suite.add("`deliver`, one at a time, p50", full["confirm_p50"], "ms", f"one fsync {fsync}",
              at_most=2 * full["fsync_p50"], noise=suite.time_noise)
    suite.add("`deliver`, one at a time, p99", full["confirm_p99"], "ms", f"one fsync {fsync}")
    suite.add("the same without waiting for the disk (sync = normal), p50", normal["confirm_p50"],
              "ms")


def spool(suite):
    with tempfile.TemporaryDirectory(prefix="outrider-spool-") as folder:
        seen = suite.figures("spool_bench", folder, "spill", SPILL_EVENTS)
    suite.add("spilling to disk, sync = full", seen["spill_per_s"], "/s", at_least=300_000,
              noise=suite.time_noise)
    suite.add("reading back and settling", seen["reread_per_s"], "/s", at_least=300_000,
              noise=suite.time_noise)
    suite.add("CPU per event, both threads: spilling", seen["spill_cpu"], "ns")
    suite.add("CPU per event, both threads: reading back", seen["reread_cpu"], "ns")


def backlog(suite):
    with tempfile.TemporaryDirectory(prefix="outrider-spool-") as folder:
        suite.figures("spool_bench", folder, "fill", BACKLOG_GIB)
        seen = suite.figures("spool_bench", folder, "open")
        size_gib = Path(folder, "spool.db").stat().st_size / 2**30
    what = f"a backlog of {size_gib:.0f} GiB, {seen['open_events'] / 1e6:.0f} million events"
    suite.add(f"{what}: opening it", seen["open"], "s", at_most=1, noise=suite.time_noise)
    suite.add(f"{what}: until the first event is read", seen["open_to_first_event"], "s")
    suite.add(f"{what}: RSS growth", seen["open_rss_growth"], "MiB", at_most=20)


def schedule(suite):
    with tempfile.TemporaryDirectory(prefix="outrider-spool-") as folder:
        seen = suite.figures("spool_bench", folder, "schedule", SCHEDULED_EVENTS, RELEASE_PER_S)
    what = f"{SCHEDULED_EVENTS:,} scheduled events"
    suite.add(f"{what}: storing them, in no order", seen["schedule_per_s"], "/s")
    suite.add(f"{what}: RSS growth", seen["schedule_rss_growth"], "MiB", at_most=50)
    suite.add(f"{what}: RSS growth while they are released", seen["release_rss_growth"], "MiB",
              at_most=50)
    suite.add(f"released at {RELEASE_PER_S:,}/s: lateness p99", seen["release_late_p99"], "ms",
              at_most=50, noise=suite.time_noise)
