"""What the admin interface costs: in itself, while nobody asks, and when it is scraped."""

import http.client
import socket
import statistics
import threading
import time

from processes import Sidecar, start_sink

PAIRS = 7
SCRAPE_EVERY_S = 1.0
IDLE_S = 10
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


class Scraper(threading.Thread):
    """Asks for /metrics every second, as Prometheus does, until its `with` ends."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.ended = threading.Event()
        self.scrapes = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        while not self.ended.is_set():
            connection = UnixConnection(self.path)
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            if answer.status != 200 or b"outrider_" not in answer.read():
                raise RuntimeError(f"a scrape failed: {answer.status}")
            connection.close()
            self.scrapes += 1
            self.ended.wait(SCRAPE_EVERY_S)


def measure(suite):
    scraped_cost(suite)
    idle_cost(suite)


def scraped_cost(suite):
    """Each pair in turns of order, so that both see the same weather."""
    path = f"{suite.folder}/admin.sock"
    ratios = []
    for pair in range(PAIRS):
        cpu_ns = {}
        for is_scraped in (pair % 2 == 0, pair % 2 != 0):
            if is_scraped:
                cpu_ns[True] = suite.sidecar_round(beside=lambda: Scraper(path))["cpu_ns"]
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
