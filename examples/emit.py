#!/usr/bin/env python3
"""A client without an SDK: any language with ZeroMQ and msgpack can send events.

    emit.py ENDPOINT [COUNT]
"""

import sys
import time

import msgpack
import zmq

endpoint = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1

push = zmq.Context().socket(zmq.PUSH)
push.setsockopt(zmq.LINGER, 5000)
push.connect(endpoint)
for number in range(count):
    event = ["orders.paid", time.time_ns(), {"amount": 49.99, "number": number}]
    push.send(msgpack.packb([1, {}, [event]]))
push.close()
zmq.Context.instance().term()
