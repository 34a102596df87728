#!/usr/bin/env python3
"""A client without an SDK: any language with ZeroMQ and msgpack can send events.

    emit.py ENDPOINT [COUNT]

Status 0: all frames are with the operating system, on their way to a sidecar; 1: not all of them.
"""

import os
import sys
import time

import msgpack
import zmq


class Emitter:
    """Emits and never blocks. At most `frames_max` frames wait for a sidecar; what comes then is
    dropped and counted. For one thread; after a fork the child gets a connection of its own."""

    def __init__(self, endpoint, frames_max=1000):
        self.endpoint = endpoint
        self.frames_max = frames_max
        self.dropped = 0
        self._inherited = []
        self._connect()

    def emit(self, topic, data, wait_ms=0):
        """False: dropped, because there was no room, not even after `wait_ms`."""
        if self._pid != os.getpid():
            # ZeroMQ's threads have stayed with the parent. What was its, nobody may touch here.
            self._inherited.append((self._context, self._push))
            self._connect()
        frame = msgpack.packb([1, {}, [[topic, time.time_ns(), data]]])
        try:
            if wait_ms > 0:
                self._push.poll(wait_ms, zmq.POLLOUT)
            self._push.send(frame, zmq.DONTWAIT)
            return True
        except zmq.Again:
            self.dropped += 1
            return False

    def close(self, linger_ms=1000):
        """False: frames may be lost. ZeroMQ does not say so, but then it has used up the time."""
        begin = time.monotonic()
        self._push.close(linger_ms)
        self._context.term()
        return time.monotonic() - begin < linger_ms / 1000

    def _connect(self):
        self._pid = os.getpid()
        self._context = zmq.Context()
        self._push = self._context.socket(zmq.PUSH)
        self._push.setsockopt(zmq.SNDHWM, self.frames_max)
        self._push.setsockopt(zmq.LINGER, 1000)
        self._push.connect(self.endpoint)


def main():
    emitter = Emitter(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    for number in range(count):
        if not emitter.emit("orders.paid", {"amount": 49.99, "number": number}, wait_ms=5000):
            break  # a sidecar that takes nothing for so long will not take the next one either
    is_complete = emitter.close() and emitter.dropped == 0
    if not is_complete:
        print(f"emit.py: the sidecar at {emitter.endpoint} did not take all events", file=sys.stderr)
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
