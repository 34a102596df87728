"""What operation costs: the idle admin interface, scrapes of it, and reloads."""

import contextlib
import http.client
import itertools
import signal
import socket
import statistics
import threading
import time

from processes import Sidecar, start_sink

PAIRS = 7
SCRAPE_EVERY_S = 1.0
IDLE_S = 10
RELOAD_PAIRS = 3
RELOAD_EVERY_S = 5
CONFIG = """
[ingest]
endpoint = {endpoint}
[admin]
listen = {listen}
[destination.collector]
topics = >
url = {url}/events
"""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Beside(threading.Thread):
    """Does something every few seconds until its `with` ends."""

    def __init__(self, period_s, work):
        super().__init__(daemon=True)
        self.period_s = period_s
        self.work = work
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        while not self.ended.wait(self.period_s):
            self.work()


def scrape(path):
    """As Prometheus does."""
    connection = UnixConnection(path)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    if answer.status != 200 or b"outrider_" not in answer.read():
        raise RuntimeError(f"a scrape failed: {answer.status}")
    connection.close()


def measure(suite):
    scraped_cost(suite)
    idle_cost(suite)
    reload_latency(suite)


def scraped_cost(suite):
    """Each pair in turns of order, so that both see the same weather."""
    path = f"{suite.folder}/admin.sock"
    ratios = []
    for pair in range(PAIRS):
        cpu_ns = {}
        for is_scraped in (pair % 2 == 0, pair % 2 != 0):
            if is_scraped:
                scraper = Beside(SCRAPE_EVERY_S, lambda: scrape(path))
                cpu_ns[True] = suite.sidecar_round(beside=scraper)["cpu_ns"]
            else:
                cpu_ns[False] = suite.sidecar_round()["cpu_ns"]
        ratios.append(cpu_ns[True] / cpu_ns[False])
    spread = f"from {min(ratios):.3f} to {max(ratios):.3f} in {PAIRS} pairs"
    suite.add("sidecar CPU per event, scraped every second against not", statistics.median(ratios),
              "x", spread, at_most=1.01, noise=suite.ratio_noise)


def idle_cost(suite):
    """With the interface as it is by default, and without it."""
    own = {"none": [], "default": []}
    wake_ups = {"none": [], "default": []}
    for _ in range(3):
        for name in own:
            listen = f"unix://{suite.folder}/admin.sock" if name == "default" else "none"
            sink, _ = start_sink(suite.build, suite.folder)
            with sink:
                text = CONFIG.format(endpoint=suite.endpoint, listen=listen, url=sink.url())
                with Sidecar.with_config(suite.build, suite.folder, suite.endpoint,
                                         text) as sidecar:
                    sidecar.wait_until_quiet()
                    before = sidecar.wake_ups()
                    time.sleep(IDLE_S)
                    wake_ups[name].append((sidecar.wake_ups() - before) / IDLE_S)
                    own[name].append(sidecar.memory_bytes()["Anonymous"] / 2**20)
    difference = {name: statistics.median(value["default"]) - statistics.median(value["none"])
                  for name, value in (("own", own), ("wake_ups", wake_ups))}
    suite.add("admin interface, idle: own memory", difference["own"], "MiB", at_most=1.5)
    suite.add("admin interface, idle: wake-ups", difference["wake_ups"], "/s", at_most=0.05)


def reload_latency(suite):
    """With another timeout every few seconds, which changes the connections too, and without."""
    ratios = []
    for pair in range(RELOAD_PAIRS):
        p99_ms = {}
        for is_reloaded in (pair % 2 == 0, pair % 2 != 0):
            p99_ms[is_reloaded] = latency_p99(suite, is_reloaded)
        ratios.append(p99_ms[True] / p99_ms[False])
    spread = f"from {min(ratios):.2f} to {max(ratios):.2f} in {RELOAD_PAIRS} pairs"
    suite.add(f"`emit` to receiver, p99, reloads every {RELOAD_EVERY_S} s against none",
              statistics.median(ratios), "x", spread, at_most=1.1, noise=suite.time_noise)


def latency_p99(suite, is_reloaded):
    with suite.latency_receiver() as (receiver, cert):
        text = CONFIG.format(endpoint=suite.endpoint, url=receiver.url(),
                             listen=f"unix://{suite.folder}/admin.sock") + f"ca_file = {cert}\n"
        with Sidecar.with_config(suite.build, suite.folder, suite.endpoint, text) as sidecar:
            timeouts_s = itertools.cycle((11, 12))

            def reload():
                sidecar.config.write_text(text + f"timeout = {next(timeouts_s)}s\n")
                sidecar.process.send_signal(signal.SIGHUP)

            with Beside(RELOAD_EVERY_S, reload) if is_reloaded else contextlib.nullcontext():
                seen = suite.latency_figures(receiver)
            reloads = sidecar.err.read_text().count("the configuration was reloaded")
    if is_reloaded == (reloads == 0):
        raise RuntimeError(f"there were {reloads} reloads")
    return seen["latency_p99"]
