"""The sidecar and the sink as child processes, and what /proc says of them."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
WAIT_S_MAX = 60


def wait_for(what, condition, pause_s=0.02):
    deadline = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(pause_s)
    raise RuntimeError(f"waited {WAIT_S_MAX} s for {what}")


class Child:
    """A child process whose output goes to files in `folder`. Killed when its `with` ends."""

    def __init__(self, name, words, folder):
        self.out = Path(folder, name + ".out")
        self.err = Path(folder, name + ".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE,
                                            stdout=out, stderr=err, text=True)
        self.name = name
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def wait_for_line(self, file, pattern):
        def look():
            if self.process.poll() is not None and not re.search(pattern, file.read_text()):
                raise RuntimeError(f"{self.name} ended: {self.err.read_text()}")
            return re.search(pattern, file.read_text(), re.MULTILINE)

        return wait_for(f'{self.name} to say "{pattern}"', look)

    def url(self):
        """Of a program that says where it listens."""
        return self.wait_for_line(self.out, r"^listening on (\S+)$").group(1)

    def say(self, line):
        """To its standard input."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        """Asks it to stop and waits; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S_MAX)


class Receiver(Child):
    """The tests' receiver that misbehaves on command; here mostly one that is slow or full."""

    def __init__(self, build, folder, *options, name="receiver"):
        super().__init__(name, [Path(build, "tests", "fault_receiver"), *options], folder)

    def counts(self):
        """What it has counted so far, by name."""
        begin = self.out.stat().st_size
        self.say("counts")

        def whole_line():
            text = self.out.read_text()[begin:]
            return text if text.endswith("\n") else None

        line = wait_for("the receiver's counts", whole_line, pause_s=0.002)
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


class Sidecar(Child):
    def __init__(self, build, folder, endpoint, url, ca_file, **settings):
        """With the shipped example configuration, but for its addresses and `settings`."""
        config = Path(__file__).resolve().parent.parent / "systemd" / "outrider.conf"
        words = [f"--destination.collector.url={url}/events"]
        if ca_file:
            words.append(f"--destination.collector.ca_file={ca_file}")
        for name, value in settings.items():
            section = "shutdown" if name == "linger" else "destination.collector"
            words.append(f"--{section}.{name}={value}")
        self.start(build, folder, endpoint, config, words)

    @classmethod
    def with_config(cls, build, folder, endpoint, text):
        """With a configuration of the caller's."""
        config = Path(folder, "outrider.conf")
        config.write_text(text)
        sidecar = cls.__new__(cls)
        sidecar.config = config
        sidecar.start(build, folder, endpoint, config, [])
        return sidecar

    def start(self, build, folder, endpoint, config, words):
        super().__init__("sidecar", [Path(build, "bin", "outrider"), "run", "--config", config,
                                     f"--ingest.endpoint={endpoint}", *words], folder)
        self.wait_for_line(self.err, r" ready ")

    def cpu_s(self):
        """User and kernel time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def wait_until_quiet(self):
        """Until it has used no CPU time for a while."""
        last = [-1.0]

        def is_quiet():
            before, last[0] = last[0], self.cpu_s()
            return last[0] == before

        wait_for("the sidecar to come to rest", is_quiet, pause_s=0.5)

    def memory_bytes(self):
        """Rss, Pss and Anonymous, exactly: /proc/PID/status is approximate."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+): +(\d+) kB$", text, re.M)}

    def wake_ups(self):
        """Voluntary context switches of all its threads so far."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$",
                                 (task / "status").read_text(), re.M).group(1)) for task in tasks)

    def ledger(self, destination="collector"):
        """Ends it and reads its report."""
        if self.process.poll() is None:
            self.end()
        row = re.search(rf"^  {destination}" + 9 * r" +(\d+)", self.err.read_text(), re.M)
        names = ("accepted", "delivered", "left", "dropped", "dead", "spooled", "scheduled",
                 "queued", "in_flight")
        return dict(zip(names, map(int, row.groups())))


def start_sink(build, folder, *options):
    cert = Path(folder, "sink.pem")
    sink = Child("sink", [Path(build, "bin", "outrider"), "sink", "--listen", "127.0.0.1:0",
                          "--cert-out", cert, "--quiet", *options], folder)
    return sink, cert
