"""Does the sidecar find the concurrency that suits a receiver, and does it notice when that changes?

The receiver serves so many requests at a time, each for so long, and lets the others wait.
"""

import statistics
import time

from processes import Receiver, Sidecar

CAPACITY = 8
LATENCIES_MS = (1, 20, 200)
FIXED = (2, 4, 8, 16, 32, 64)
WARM_UP_S = 4
MEASURED_S = 3
EVENTS_PER_S = 20_000  # more than any of the receivers takes with one event a request

CONFIG = """
[destination.collector]
type = http
url = {url}
format = payload
concurrency_min = {least}
concurrency_max = {most}
queue_events_max = 1000000
queue_bytes_max = 1GiB
when_full = drop_oldest
[shutdown]
linger = 0ms
"""


class Run:
    """A receiver, a sidecar, and more load than the receiver takes."""

    def __init__(self, suite, latency_ms, least, most):
        self.receiver = Receiver(suite.build, suite.folder, "--capacity", CAPACITY,
                                 "--latency", f"{latency_ms}ms")
        self.sidecar = Sidecar.with_config(
            suite.build, suite.folder, suite.endpoint,
            CONFIG.format(url=self.receiver.url(), least=least, most=most))
        self.load = suite.start_load(EVENTS_PER_S * 60, EVENTS_PER_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in (self.load, self.sidecar, self.receiver):
            child.__exit__()

    def rate(self, duration_s):
        """Answers a second."""
        before, begin = self.receiver.counts()["answered"], time.monotonic()
        time.sleep(duration_s)
        answered = self.receiver.counts()["answered"] - before
        return answered / (time.monotonic() - begin)

    def on_the_way(self):
        """Requests at the receiver, on average over a moment."""
        samples = []
        for _ in range(20):
            counts = self.receiver.counts()
            samples.append(counts["in_service"] + counts["waiting"])
            time.sleep(0.005)
        return sum(samples) / len(samples)

    def time_until_at_most(self, requests, patience_s):
        """Until so few are at the receiver, and stay so few."""
        begin = time.monotonic()
        last_above = begin
        while time.monotonic() < begin + patience_s:
            if self.on_the_way() > requests:
                last_above = time.monotonic()
        return last_above - begin


def throughput(suite, latency_ms, least, most):
    with Run(suite, latency_ms, least, most) as run:
        time.sleep(WARM_UP_S)
        return run.rate(MEASURED_S)


def measure(suite):
    for latency_ms in LATENCIES_MS:
        fixed = {n: throughput(suite, latency_ms, n, n) for n in FIXED}
        best = max(fixed, key=fixed.get)
        with Run(suite, latency_ms, 1, 64) as run:
            time.sleep(WARM_UP_S)
            found = run.rate(MEASURED_S)
            settled = statistics.mean(run.on_the_way() for _ in range(5))
            suite.add(f"requests a second found, receiver of {CAPACITY} x {latency_ms} ms",
                      found / fixed[best], "of the best",
                      f"{quantity(fixed[best])} /s with {best} at a time", at_least=0.9,
                      noise=suite.ratio_noise)
            run.receiver.say(f"capacity {CAPACITY // 2}")
            # What is more than half way from the old level to the new one.
            took_s = run.time_until_at_most(settled * 0.75, 6)
            suite.add(f"the same, until it backs off when the capacity halves ({settled:.0f} on the way"
                      f" before)", took_s, "s", at_most=2, noise=0)


def quantity(value):
    return f"{value:,.0f}"
