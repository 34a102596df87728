#!/usr/bin/env python3
"""A client without an SDK: any language with ZeroMQ and msgpack can send events.

    emit.py ENDPOINT [COUNT [WAIT_MS]]

Ends with 1 if not every event is known to be on its way to a sidecar. It waits for one, and for
room, but never longer than WAIT_MS (5000). A context and its sockets belong to the process that made them:
after a fork the child makes its own.
"""

import sys
import time

import msgpack
import zmq


def send_all(push, count, wait_ms):
    """The number of events that ZeroMQ took; fewer if there was no room for wait_ms."""
    for number in range(count):
        event = ["orders.paid", time.time_ns(), {"amount": 49.99, "number": number}]
        frame = msgpack.packb([1, {}, [event]])
        # Never a plain send(): without a sidecar, or with one that is stuck, it blocks for good.
        if not push.poll(wait_ms, zmq.POLLOUT):
            return number
        push.send(frame, zmq.NOBLOCK)
    return count


def main():
    endpoint = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    wait_ms = int(sys.argv[3]) if len(sys.argv) > 3 else 5000
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.setsockopt(zmq.SNDHWM, 1000)  # frames; the bound of what waits in this process
    push.setsockopt(zmq.IMMEDIATE, 1)  # no room before there is a connection
    push.setsockopt(zmq.LINGER, wait_ms)
    push.connect(endpoint)
    taken = send_all(push, count, wait_ms)
    if taken < count:
        print(f"{count - taken} of {count} events not sent: no room at {endpoint}", file=sys.stderr)
    begin = time.monotonic()
    push.close()
    context.term()  # sends what ZeroMQ still holds, and says only by its time whether it could
    is_sent = time.monotonic() - begin < wait_ms / 1000
    if not is_sent:
        print(f"some of {taken} events may be lost: {endpoint} took no more", file=sys.stderr)
    return 0 if is_sent and taken == count else 1


if __name__ == "__main__":
    sys.exit(main())
