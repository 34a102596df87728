#!/usr/bin/env python3
"""A client without an SDK: any language with ZeroMQ and msgpack can send events.

    emit.py ENDPOINT [COUNT [WAIT_MS]]

The exit status is 1 if some event may not be on its way to a sidecar, and 2 for wrong arguments. A line
on stderr gives the reason. The program waits for a sidecar and for room, each at most WAIT_MS (5000).
A context and its sockets belong to the process that made them: after a fork the child makes its own.
"""

import sys
import time

try:
    import msgpack
    import zmq
except ImportError as error:
    sys.exit(f"emit.py: {error}; install python3-msgpack and python3-zmq")

USAGE = "usage: emit.py ENDPOINT [COUNT [WAIT_MS]], as in emit.py ipc:///run/outrider/outrider.sock"
NUMBER_MAX = 2**31 - 1


def read_number(name, text):
    if not (text.isascii() and text.isdigit()) or int(text) > NUMBER_MAX:
        raise ValueError(f"{name} must be a number from 0 to {NUMBER_MAX}, not {text!r}")
    return int(text)


def read_words(words):
    if not 1 <= len(words) <= 3:
        raise ValueError(USAGE)
    if words[0].startswith("inproc:"):
        raise ValueError("inproc:// cannot reach a sidecar, which is another process")
    endpoint, count, wait_ms = words + ["1", "5000"][len(words) - 1 :]
    return endpoint, read_number("COUNT", count), read_number("WAIT_MS", wait_ms)


def send_all(push, count, wait_ms):
    """Returns how many events ZeroMQ took: fewer than count if it had no room for wait_ms."""
    for number in range(count):
        event = ["orders.paid", time.time_ns(), {"amount": 49.99, "number": number}]
        frame = msgpack.packb([1, {}, [event]])
        # Never a plain send(): it blocks for ever if there is no sidecar, or if the sidecar hangs.
        if not push.poll(wait_ms, zmq.POLLOUT):
            return number
        try:
            push.send(frame, zmq.NOBLOCK)
        except zmq.Again:  # the sidecar is gone by now
            return number
    return count


def main():
    try:
        endpoint, count, wait_ms = read_words(sys.argv[1:])
    except ValueError as error:
        print(f"emit.py: {error}", file=sys.stderr)
        return 2
    context = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.setsockopt(zmq.SNDHWM, 1000)  # frames that may wait in this process
    push.setsockopt(zmq.IMMEDIATE, 1)  # no frame waits without a connection
    push.setsockopt(zmq.LINGER, wait_ms)
    try:
        push.connect(endpoint)
    except zmq.ZMQError as error:
        print(f"emit.py: cannot send to {endpoint!r}: {error.strerror}", file=sys.stderr)
        return 2
    taken = send_all(push, count, wait_ms)
    if taken < count:
        reason = f"no sidecar listens at {endpoint}, or it has no room"
        print(f"emit.py: {count - taken} of {count} events not sent: {reason}", file=sys.stderr)
    begin = time.monotonic()
    push.close()
    context.term()  # sends the rest; only the time that this takes shows whether it worked
    is_sent = time.monotonic() - begin < wait_ms / 1000
    if not is_sent:
        reason = f"{endpoint} took no more"
        print(f"emit.py: some of {taken} events may be lost: {reason}", file=sys.stderr)
    return 0 if is_sent and taken == count else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("emit.py: interrupted; some events may not be sent")
