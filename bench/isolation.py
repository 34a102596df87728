"""What sick destinations cost the healthy one beside them."""

import json
import socket
import statistics
import time
from pathlib import Path

from processes import Child, Receiver, Sidecar, start_sink, wait_for

EVENTS = 300_000
RATE = 1_000_000  # as fast as it goes
ROUNDS = 5
DEAD = 63
IDLE_DESTINATIONS = 1000
IDLE_S = 10
SICK_EVENTS_PER_S = 500
SICK_TOPIC = "sick.one"

LIVE = """
[destination.collector]
type = http
topics = orders.>
url = {url}/events
ca_file = {cert}
queue_events_max = 1000000
queue_bytes_max = 1GiB
[shutdown]
linger = 0ms
"""

SICK = """
[destination.{name}]
type = http
topics = sick.>
url = {url}
queue_events_max = 1000
timeout = 2s
"""

# What the sick destination's receiver does: options of the receiver, and a line to say to it.
SICKNESSES = {
    "refuses connections": ([], "refuse"),
    "never accepts": ([], "ignore"),
    "never answers": (["--fault", "never_answers"], None),
    "resets connections": (["--fault", "reset_in_request_body"], None),
    "sends one byte a second": (["--fault", "slow_head"], None),
    "breaks the TLS handshake": ([], None),
}


class Bed:
    """One live destination, and sick ones that get events of their own all the time."""

    def __init__(self, suite, sick):
        self.sink, cert = start_sink(suite.build, suite.folder, "--exit-after", str(EVENTS))
        config = LIVE.format(url=self.sink.url(), cert=cert) + sick
        self.sidecar = Sidecar.with_config(suite.build, suite.folder, suite.endpoint, config)
        self.sick_load = suite.start_load(SICK_EVENTS_PER_S * 60, SICK_EVENTS_PER_S, SICK_TOPIC)
        self.suite = suite

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in (self.sick_load, self.sidecar, self.sink):
            child.__exit__()

    def throughput(self):
        """Events a second of the live destination, from the first emitted to the last received."""
        time.sleep(0.5)  # for the sick ones to be in the midst of it
        begin = time.monotonic()
        self.suite.load(EVENTS, RATE)
        self.sink.process.wait(60)
        return EVENTS / (time.monotonic() - begin)


def throughput(suite, sick=""):
    with Bed(suite, sick) as bed:
        return bed.throughput()


def latency_p99_ms(suite, sick=""):
    cert = Path(suite.folder, "receiver.pem")
    with Child("latency", [suite.program("latency_bench"), suite.endpoint, cert],
               suite.folder) as receiver:
        config = LIVE.format(url=receiver.url(), cert=cert) + sick
        with Sidecar.with_config(suite.build, suite.folder, suite.endpoint, config), \
                suite.start_load(SICK_EVENTS_PER_S * 60, SICK_EVENTS_PER_S, SICK_TOPIC):
            receiver.process.wait(60)
            lines = receiver.out.read_text().splitlines()[1:]
    return {line["name"]: line["value"] for line in map(json.loads, lines)}["latency_p99"]


def compare(suite, what, sick, has_budget=True):
    """In pairs, one after the other, so that both see the same weather."""
    pairs = [(throughput(suite), throughput(suite, sick)) for _ in range(ROUNDS)]
    ratio = statistics.median(with_sick / alone for alone, with_sick in pairs)
    alone = statistics.median(alone for alone, _ in pairs)
    suite.add(f"throughput beside {what}", ratio, "of alone", f"{alone:,.0f} events/s alone",
              at_least=0.95 if has_budget else None, noise=suite.ratio_noise)


def compare_latency(suite, what, sick, alone_ms):
    suite.add(f"latency p99 beside {what}", latency_p99_ms(suite, sick) / alone_ms, "of alone",
              f"{alone_ms:.2f} ms alone", at_most=2, noise=suite.time_noise)


def dead_url():
    """Bound, but it does not listen: connections are refused."""
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))
    return nobody, "http://127.0.0.1:%d/" % nobody.getsockname()[1]


def measure(suite):
    alone_ms = latency_p99_ms(suite)
    for what, (options, line) in SICKNESSES.items():
        with Receiver(suite.build, suite.folder, *options, name="sick") as receiver:
            url = receiver.url()
            if line:
                receiver.say(line)
            if "TLS" in what:
                url = url.replace("http://", "https://")  # it answers a handshake in plain HTTP
            sick = SICK.format(name="sick", url=url)
            compare(suite, f"one that {what}", sick)
            compare_latency(suite, f"one that {what}", sick, alone_ms)
    nobody, url = dead_url()
    with nobody:
        compare(suite, f"{DEAD} dead ones",
                "".join(SICK.format(name=f"dead{i}", url=url) for i in range(DEAD)))
        # Not sickness but fan-out: every event is offered to 64 queues, 63 of which are full.
        same = SICK.replace("sick.>", ">")
        compare(suite, f"{DEAD} dead ones that want the same events",
                "".join(same.format(name=f"dead{i}", url=url) for i in range(DEAD)), has_budget=False)


def idle_destinations(suite):
    nobody, url = dead_url()
    with nobody:
        config = "".join(SICK.format(name=f"d{i}", url=url) for i in range(IDLE_DESTINATIONS))
        with Sidecar.with_config(suite.build, suite.folder, suite.endpoint, config) as sidecar:
            sidecar.wait_until_quiet()
            before = sidecar.wake_ups()
            time.sleep(IDLE_S)
            rate = (sidecar.wake_ups() - before) / IDLE_S
            suite.add_memory(f"idle with {IDLE_DESTINATIONS:,} destinations", sidecar, at_most=50)
            suite.add(f"idle with {IDLE_DESTINATIONS:,} destinations, wake-ups", rate, "/s",
                      at_most=10)
