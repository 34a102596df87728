#!/usr/bin/python3
"""Writes frames.json and answers.json: frames, and answers to them, as bytes and what a reader
must make of them.

    /usr/bin/python3 proto/golden/generate.py

The tests of every implementation read both (proto/README.md says how); this script is run only
when vectors are added. It packs with python3-msgpack and knows nothing of our own code, and it
lets python3-msgpack confirm that what should unpack does and what should not does not.
"""
import json
import pathlib
import struct

import msgpack

FRAME_BYTES_MAX = 4096
EVENT_BYTES_MAX = 1024
DEPTH_LEVELS_MAX = 32

NONE = 0
FRAME_TOO_LARGE, FRAME_TRUNCATED, FRAME_MALFORMED, FRAME_TOO_DEEP = 1, 2, 3, 4
FRAME_SHAPE, FRAME_VERSION, FRAME_HEADER, FRAME_TRAILING = 5, 6, 7, 8
EVENT_SHAPE, EVENT_TOPIC, EVENT_TIME, EVENT_TOO_LARGE, EVENT_ATTRIBUTES = 16, 17, 18, 19, 20
EVENT_DATE = 24

TIME = 1769860800123456789  # 2026-01-31T12:00:00.123456789Z
YEAR_2000_NS = 946684800 * 10**9
CLIENT_ID = bytes(range(16))
vectors = []


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def raw_map(*pairs):
    """A map whose keys may repeat; every key and value is packed already."""
    return bytes([0x80 | len(pairs)]) + b"".join(key + value for key, value in pairs)


def raw_array(*elements):
    """An array of elements that are packed already."""
    return bytes([0x90 | len(elements)]) + b"".join(elements)


def frame_of(*events, header=b"\x80"):
    return raw_array(b"\x01", header, raw_array(*events))


def event_of(data=b"\xc0", topic="a", time=0, attributes=None):
    elements = [pack(topic), pack(time), data]
    return raw_array(*elements, *([] if attributes is None else [attributes]))


def unpacks(frame):
    try:
        msgpack.unpackb(frame, raw=True, strict_map_key=False,
                        object_pairs_hook=list, ext_hook=lambda code, data: None)
        return True
    except Exception:
        return False


def good(name, frame, events, header=None, unpacked_by_python=True):
    """A frame that is taken. An event is a refusal number or a dict of what it holds."""
    assert unpacks(frame) == unpacked_by_python, name
    add(name, frame, NONE, events, header)


def bad(name, frame, refusal):
    """A frame that is refused whole."""
    assert unpacks(frame) == (refusal not in (FRAME_TRUNCATED, FRAME_MALFORMED, FRAME_TRAILING)), name
    add(name, frame, refusal, [], None)


def add(name, frame, refusal, events, header):
    vector = {"name": name, "hex": frame.hex(), "refusal": refusal}
    if header is not None:
        vector["header"] = header
    if refusal == NONE:
        vector["events"] = [{"refusal": e} if isinstance(e, int) else {"refusal": 0, **e}
                            for e in events]
    vectors.append(vector)


def holds(data=b"\xc0", topic="a", time=0, attributes=None):
    """The content of an event; attributes are written as they are given, ids in hex."""
    event = {"topic": topic, "time": time, "data_hex": data.hex()}
    if attributes:
        event["attributes"] = attributes
    return event


def nested_arrays(levels):
    return b"\x91" * (levels - 1) + b"\x90"


def nested_maps(levels):
    return b"\x81\xa1k" * (levels - 1) + b"\x80"


def add_good_frames():
    good("no events", frame_of(), [])
    good("the one line of a client without an SDK",
         pack([1, {}, [["orders.paid", TIME, {"amount": 49.99}]]]),
         [holds(pack({"amount": 49.99}), "orders.paid", TIME)])
    good("the worked frame of the specification",
         pack([1, {"s": 7, "h": "web-1"}, [["orders.paid", TIME, {"id": 42}, {"key": "u9"}]]]),
         [holds(pack({"id": 42}), "orders.paid", TIME, {"key": "u9"})],
         {"s": 7, "h": "web-1"})
    good("every header key",
         frame_of(event_of(), header=pack({"c": CLIENT_ID, "s": 2**64 - 1, "h": "host", "p": 4321,
                                           "l": "python/1.0", "d": {"full": 3, "closed": 0}})),
         [holds()],
         {"c": CLIENT_ID.hex(), "s": 2**64 - 1, "h": "host", "p": 4321, "l": "python/1.0",
          "d": {"full": 3, "closed": 0}})
    good("unknown header keys are ignored",
         frame_of(event_of(), header=pack({"x": [1, {"y": 2}], 5: "five", "s": 9})),
         [holds()], {"s": 9})
    good("the last of two equal header keys counts",
         frame_of(header=raw_map((pack("s"), pack(1)), (pack("s"), pack(2)))), [], {"s": 2})
    good("elements behind the attributes are ignored",
         frame_of(raw_array(pack("a"), pack(0), pack(1), b"\x80", b"\xc3", pack([2]))),
         [holds(pack(1))])
    good("the same frame in the longest forms of every length",
         b"\xdd\x00\x00\x00\x03\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xdf\x00\x00\x00\x00"
         b"\xdd\x00\x00\x00\x01\xdd\x00\x00\x00\x03\xdb\x00\x00\x00\x01a\xd3\x00\x00\x00\x00"
         b"\x00\x00\x00\x05\xc0",
         [holds(time=5)])
    good("one hundred events", raw_array(b"\x01", b"\x80", b"\xdc\x00\x64" + event_of() * 100),
         [holds()] * 100)
    for name, data in DATA.items():
        good("data: " + name, frame_of(event_of(data)), [holds(data)])


DATA = {
    "nil": b"\xc0", "false": b"\xc2", "true": b"\xc3",
    "positive fixint": b"\x7f", "negative fixint": b"\xe0",
    "uint 8": b"\xcc\xff", "uint 16": b"\xcd\xff\xff", "uint 32": b"\xce" + b"\xff" * 4,
    "uint 64": b"\xcf" + b"\xff" * 8,
    "int 8": b"\xd0\x80", "int 16": b"\xd1\x80\x00", "int 32": b"\xd2\x80\x00\x00\x00",
    "int 64": b"\xd3\x80" + b"\x00" * 7,
    "float 32": b"\xca" + struct.pack(">f", 0.1), "float 64": b"\xcb" + struct.pack(">d", 0.1),
    "NaN": b"\xcb\x7f\xf8" + b"\x00" * 6, "infinity": b"\xcb\x7f\xf0" + b"\x00" * 6,
    "fixstr": b"\xa3abc", "str 8": b"\xd9\x03abc", "str 16": b"\xda\x00\x03abc",
    "str 32": b"\xdb\x00\x00\x00\x03abc",
    "str that is not UTF-8": b"\xa2\xff\xfe",
    "bin 8": b"\xc4\x03abc", "bin 16": b"\xc5\x00\x03abc", "bin 32": b"\xc6\x00\x00\x00\x03abc",
    "fixarray": b"\x92\x01\x02", "array 16": b"\xdc\x00\x01\x01", "array 32": b"\xdd\x00\x00\x00\x01\x01",
    "fixmap": b"\x81\xa1k\x01", "map 16": b"\xde\x00\x01\xa1k\x01",
    "map 32": b"\xdf\x00\x00\x00\x01\xa1k\x01",
    "fixext 1": b"\xd4\x05a", "fixext 2": b"\xd5\x05ab", "fixext 4": b"\xd6\x05abcd",
    "fixext 8": b"\xd7\x05abcdefgh", "fixext 16": b"\xd8\x05abcdefghijklmnop",
    "ext 8": b"\xc7\x03\x05abc", "ext 16": b"\xc8\x00\x03\x05abc",
    "ext 32": b"\xc9\x00\x00\x00\x03\x05abc", "ext 8 of no bytes": b"\xc7\x00\x05",
    "timestamp": b"\xd6\xff\x00\x00\x00\x01",
    "duplicate keys": b"\x82\xa1k\x01\xa1k\x02",
    "keys that are no text": b"\x83\x05\x01\x91\x06\x02\x81\x07\x08\x03",
    "arrays as deep as allowed": nested_arrays(DEPTH_LEVELS_MAX),
    "maps as deep as allowed": nested_maps(DEPTH_LEVELS_MAX),
}


def add_bad_frames():
    bad("empty message", b"", FRAME_TRUNCATED)
    for name, data in DATA.items():
        frame = frame_of(event_of(data))
        if len(data) > 1 and not name.endswith("allowed"):
            bad("cut off behind the first byte of " + name, frame[:-len(data) + 1], FRAME_TRUNCATED)
        if len(data) > 2:
            bad("cut off before the last byte of " + name, frame[:-1], FRAME_TRUNCATED)
    whole = pack([1, {"s": 7, "d": {"full": 1}}, [["a.b", TIME, [1, 2], {"id": "e"}]]])
    for size in range(1, len(whole)):
        bad("cut off after %d of %d bytes" % (size, len(whole)), whole[:size], FRAME_TRUNCATED)
    bad("a count of events beyond the frame", b"\x93\x01\x80\xdd\xff\xff\xff\xff", FRAME_TRUNCATED)
    bad("a count of elements beyond the frame",
        frame_of(event_of(b"\xdd\xff\xff\xff\xff")), FRAME_TRUNCATED)
    bad("a count of pairs beyond the frame",
        frame_of(event_of(b"\xdf\xff\xff\xff\xff")), FRAME_TRUNCATED)
    bad("a str longer than the frame", frame_of(event_of(b"\xdb\xff\xff\xff\xff")), FRAME_TRUNCATED)
    bad("an ext longer than the frame",
        frame_of(event_of(b"\xc9\xff\xff\xff\xff\x05")), FRAME_TRUNCATED)

    bad("0xc1 alone", b"\xc1", FRAME_MALFORMED)
    bad("0xc1 as data", frame_of(event_of(b"\xc1")), FRAME_MALFORMED)
    bad("0xc1 inside data", frame_of(event_of(b"\x92\x01\xc1")), FRAME_MALFORMED)
    bad("0xc1 as a key", frame_of(event_of(b"\x81\xc1\x01")), FRAME_MALFORMED)
    bad("0xc1 in the header", frame_of(header=b"\x81\xa1x\xc1"), FRAME_MALFORMED)
    bad("0xc1 as an event", frame_of(b"\xc1"), FRAME_MALFORMED)

    bad("arrays one level too deep",
        frame_of(event_of(nested_arrays(DEPTH_LEVELS_MAX + 1))), FRAME_TOO_DEEP)
    bad("maps one level too deep",
        frame_of(event_of(nested_maps(DEPTH_LEVELS_MAX + 1))), FRAME_TOO_DEEP)
    bad("keys one level too deep",
        frame_of(event_of(b"\x81" * DEPTH_LEVELS_MAX + b"\x80" + b"\xc0" * DEPTH_LEVELS_MAX)),
        FRAME_TOO_DEEP)
    bad("attributes too deep",
        frame_of(event_of(attributes=raw_map((pack("x"), nested_arrays(DEPTH_LEVELS_MAX))))),
        FRAME_TOO_DEEP)
    bad("header too deep",
        frame_of(header=raw_map((pack("x"), nested_arrays(DEPTH_LEVELS_MAX + 1)))), FRAME_TOO_DEEP)

    for name, value in {"nil": None, "a map": {}, "text": "frame", "a number": 1, "an empty array": []}.items():
        bad("not an array but " + name, pack(value), FRAME_SHAPE)
    bad("two elements", pack([1, {}]), FRAME_SHAPE)
    bad("four elements", pack([1, {}, [], 0]), FRAME_SHAPE)
    bad("version as text", pack(["1", {}, []]), FRAME_SHAPE)
    bad("version as a float", pack([1.0, {}, []]), FRAME_SHAPE)
    bad("version -1", pack([-1, {}, []]), FRAME_SHAPE)
    bad("header is an array", pack([1, [], []]), FRAME_SHAPE)
    bad("header is nil", pack([1, None, []]), FRAME_SHAPE)
    bad("events are a map", pack([1, {}, {}]), FRAME_SHAPE)
    bad("events are nil", pack([1, {}, None]), FRAME_SHAPE)
    bad("version 0", pack([0, {}, []]), FRAME_VERSION)
    bad("version 2", pack([2, {}, []]), FRAME_VERSION)
    bad("version 2 of another shape", pack([2, "whatever"]), FRAME_VERSION)
    bad("version 2^64-1", pack([2**64 - 1, {}, []]), FRAME_VERSION)

    for name, header in {
        "client id of 15 bytes": {"c": bytes(15)}, "client id as text": {"c": "x" * 16},
        "sequence as text": {"s": "1"}, "negative sequence": {"s": -1}, "host as bin": {"h": b"h"},
        "host of 256 bytes": {"h": "h" * 256}, "pid as a float": {"p": 1.0},
        "library as a number": {"l": 1}, "library of 256 bytes": {"l": "l" * 256},
        "drops as an array": {"d": []}, "drops with a negative count": {"d": {"full": -1}},
        "drops with a number as reason": {"d": {1: 1}},
    }.items():
        bad(name, frame_of(header=pack(header)), FRAME_HEADER)

    bad("a byte behind the frame", frame_of() + b"\x00", FRAME_TRAILING)
    bad("two frames in one message", frame_of() * 2, FRAME_TRAILING)

    room = FRAME_BYTES_MAX - len(frame_of(event_of(b"\xc5\x00\x00")))
    good("a frame of exactly frame_bytes_max",
         frame_of(event_of(b"\xc5" + struct.pack(">H", room) + bytes(room))), [EVENT_TOO_LARGE])
    bad("a frame of one byte more",
        frame_of(event_of(b"\xc5" + struct.pack(">H", room + 1) + bytes(room + 1))), FRAME_TOO_LARGE)


def add_events():
    before, after = event_of(pack(1)), event_of(pack(2))

    def among(name, event, expected):
        """The event between two good ones, which are taken whatever it is."""
        good(name, frame_of(before, event, after), [holds(pack(1)), expected, holds(pack(2))])

    for name, event in {"nil": None, "a map": {}, "text": "a", "an empty array": [],
                        "an array of two": ["a", 0]}.items():
        among("an event that is " + name, pack(event), EVENT_SHAPE)

    for topic in ["a", "orders.paid", "A-Z_09.x", "a" * 255, ".".join(["a"] * 128)]:
        among("topic of %d bytes: %s" % (len(topic), topic[:16]), event_of(topic=topic),
              holds(topic=topic))
    for topic in ["", ".", "a.", ".a", "a..b", "a b", "a/b", "a.*", ">", "gr\u00fc\u00dfe", "a\n",
                  "a\0", "a" * 256]:
        among("topic refused: " + json.dumps(topic[:16]), event_of(topic=topic), EVENT_TOPIC)
    for topic in [None, 1, b"a", ["a"]]:
        among("topic that is %r" % (topic,), event_of(topic=topic), EVENT_TOPIC)

    def timestamp(name, time, expected):
        among("time: " + name, raw_array(pack("a"), time, b"\xc0"), expected)

    among("time 0", event_of(time=0), holds(time=0))
    among("time 2^64-1", event_of(time=2**64 - 1), holds(time=2**64 - 1))
    for time in [-1, 1.5, None, "now", b"\0", [1], {}]:
        among("time that is %r" % (time,), event_of(time=time), EVENT_TIME)
    timestamp("timestamp 32", b"\xd6\xff" + struct.pack(">I", 7), holds(time=7 * 10**9))
    timestamp("timestamp 64", b"\xd7\xff" + struct.pack(">Q", 5 << 34 | 7), holds(time=7 * 10**9 + 5))
    timestamp("timestamp 96", b"\xc7\x0c\xff" + struct.pack(">Iq", 5, 7), holds(time=7 * 10**9 + 5))
    timestamp("timestamp 96 in ext 16", b"\xc8\x00\x0c\xff" + struct.pack(">Iq", 5, 7),
              holds(time=7 * 10**9 + 5))
    timestamp("timestamp before 1970", b"\xc7\x0c\xff" + struct.pack(">Iq", 5, -7), EVENT_TIME)
    timestamp("timestamp beyond 64 bits of nanoseconds",
              b"\xc7\x0c\xff" + struct.pack(">Iq", 0, 18446744074), EVENT_TIME)
    good("time: timestamp with 10^9 nanoseconds",
         frame_of(raw_array(pack("a"), b"\xd7\xff" + struct.pack(">Q", 10**9 << 34), b"\xc0")),
         [EVENT_TIME], unpacked_by_python=False)
    good("time: timestamp of five bytes",
         frame_of(raw_array(pack("a"), b"\xc7\x05\xff" + bytes(5), b"\xc0")),
         [EVENT_TIME], unpacked_by_python=False)
    timestamp("ext of another type", b"\xd6\x01" + bytes(4), EVENT_TIME)

    shell = len(event_of(b"\xc5\x00\x00"))
    largest = b"\xc5" + struct.pack(">H", EVENT_BYTES_MAX - shell) + bytes(EVENT_BYTES_MAX - shell)
    among("an event of exactly event_bytes_max", event_of(largest), holds(largest))
    larger = b"\xc5" + struct.pack(">H", EVENT_BYTES_MAX - shell + 1) + bytes(EVENT_BYTES_MAX - shell + 1)
    among("an event of one byte more", event_of(larger), EVENT_TOO_LARGE)

    def attributes(name, packed, expected):
        among("attributes: " + name, event_of(attributes=packed),
              expected if isinstance(expected, int) else holds(attributes=expected))

    attributes("none", b"\x80", {})
    attributes("all", pack({"id": CLIENT_ID, "key": "user-9", "at": TIME, "ttl": 60000, "pri": 2,
                            "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}),
               {"id_hex": CLIENT_ID.hex(), "key": "user-9", "at": TIME, "ttl": 60000, "pri": 2,
                "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    attributes("id as text", pack({"id": "evt-1"}), {"id": "evt-1"})
    attributes("id of 64 bytes of text", pack({"id": "x" * 64}), {"id": "x" * 64})
    attributes("a ttl of 0 is as if there were none", pack({"ttl": 0}), {})
    attributes("a date behind the end of the ttl, which counts from the date",
               pack({"at": TIME, "ttl": 1}), {"at": TIME, "ttl": 1})
    attributes("the longest ttl", pack({"ttl": 2**64 - 1}), {"ttl": 2**64 - 1})
    attributes("priority low", pack({"pri": 0}), {"pri": 0})
    attributes("unknown keys are ignored", pack({"x": {"y": [1]}, 7: 8, "key": "k"}), {"key": "k"})
    attributes("the last of two equal keys counts",
               raw_map((pack("key"), pack("k1")), (pack("key"), pack("k2"))), {"key": "k2"})
    attributes("an id as text and then as bytes",
               raw_map((pack("id"), pack("evt-1")), (pack("id"), pack(CLIENT_ID))),
               {"id_hex": CLIENT_ID.hex()})
    attributes("an id as bytes and then as text",
               raw_map((pack("id"), pack(CLIENT_ID)), (pack("id"), pack("evt-1"))), {"id": "evt-1"})
    attributes("nil", b"\xc0", EVENT_ATTRIBUTES)
    attributes("an array", b"\x90", EVENT_ATTRIBUTES)
    for key, value in [("id", ""), ("id", "x" * 65), ("id", bytes(15)), ("id", bytes(17)), ("id", 1),
                       ("key", 1), ("key", b"k"), ("key", "k" * 256), ("at", -1), ("at", "soon"),
                       ("ttl", 1.5), ("ttl", -1), ("pri", 3), ("pri", -1), ("pri", "high"),
                       ("trace", 1), ("trace", "t" * 256)]:
        shown = "%s of %d" % (type(value).__name__, len(value)) if isinstance(value, (str, bytes)) else repr(value)
        attributes("%s is %s" % (key, shown), pack({key: value}), EVENT_ATTRIBUTES)
    for unit, date in [("seconds", TIME // 10**9), ("milliseconds", TIME // 10**6), ("microseconds", TIME // 10**3),
                       ("nanoseconds, at the end of 1999", YEAR_2000_NS - 1)]:
        attributes("at in " + unit, pack({"at": date}), EVENT_DATE)
    attributes("at the beginning of 2000", pack({"at": YEAR_2000_NS}), {"at": YEAR_2000_NS})
    attributes("an at of 0 is as if there were none", pack({"at": 0}), {})
    attributes("a date in seconds before a bad priority", pack({"at": 1, "pri": 3}), EVENT_DATE)
    attributes("a bad priority before a date in seconds", pack({"pri": 3, "at": 1}), EVENT_ATTRIBUTES)
    good("every event refused, the frame taken", frame_of(b"\xc0", event_of(topic="")),
         [EVENT_SHAPE, EVENT_TOPIC])


answers = []


def good_answer(name, packed, sequence, status, refused=(), limits=None):
    """An answer that is read as given; `refused` are pairs of index and refusal, ascending."""
    assert unpacks(packed), name
    answer = {"sequence": sequence, "status": status, "refused": refused}
    if limits is not None:
        answer["limits"] = limits
    answers.append({"name": name, "hex": packed.hex(), "answer": answer})


def bad_answer(name, packed):
    answers.append({"name": name, "hex": packed.hex()})


def add_answers():
    taken = pack([1, "c", 7, 0])
    good_answer("taken", taken, 7, 0)
    good_answer("the first frame", pack([1, "c", 1, 0]), 1, 0)
    good_answer("the largest numbers", pack([1, "c", 2**64 - 1, 2**64 - 1]), 2**64 - 1, 2**64 - 1)
    good_answer("refused for good", pack([1, "c", 7, FRAME_VERSION]), 7, FRAME_VERSION)
    good_answer("not now", pack([1, "c", 7, 32]), 7, 32)
    good_answer("a status that nobody knows yet", pack([1, "c", 7, 31]), 7, 31)
    good_answer("two events refused", pack([1, "c", 7, 0, {0: EVENT_TOPIC, 3: EVENT_TIME}]),
                7, 0, [[0, EVENT_TOPIC], [3, EVENT_TIME]])
    good_answer("refused events in any order", pack([1, "c", 7, 0, {3: EVENT_TIME, 0: EVENT_TOPIC}]),
                7, 0, [[0, EVENT_TOPIC], [3, EVENT_TIME]])
    good_answer("an event refused by a number that nobody knows yet", pack([1, "c", 7, 0, {0: 300}]),
                7, 0, [[0, 300]])
    good_answer("no event refused, said explicitly", pack([1, "c", 7, 0, {}]), 7, 0)
    good_answer("further elements", pack([1, "c", 7, 0, {}, "x", [1, {2: 3}]]), 7, 0)
    good_answer("limits", pack([1, "c", 7, 0, {}, {"f": 4194304, "e": 1048576}]), 7, 0,
                limits={"f": 4194304, "e": 1048576})
    good_answer("an event refused, and limits", pack([1, "c", 7, 0, {1: 35}, {"f": 4096, "e": 64}]),
                7, 0, [[1, 35]], limits={"f": 4096, "e": 64})
    good_answer("limits beside a final refusal", pack([1, "c", 7, 1, {}, {"f": 4096, "e": 64}]),
                7, 1, limits={"f": 4096, "e": 64})
    good_answer("limits with unknown keys, and elements behind them",
                pack([1, "c", 7, 0, {}, {"x": [1], 5: 6, "f": 9, "e": 8}, "more"]),
                7, 0, limits={"f": 9, "e": 8})
    good_answer("limits of a kind that nobody knows yet", pack([1, "c", 7, 0, {}, {"f": "9"}]), 7, 0)
    wide = raw_array(b"\xcf" + struct.pack(">Q", 1), b"\xd9\x01c", b"\xcd\x00\x07",
                     b"\xd3" + bytes(8), b"\xde\x00\x01\xcc\x02\xce" + struct.pack(">I", EVENT_SHAPE))
    good_answer("every value in a wide form", wide, 7, 0, [[2, EVENT_SHAPE]])

    for end in range(len(taken)):
        bad_answer("cut to %d bytes" % end, taken[:end])
    with_refused = pack([1, "c", 7, 0, {1: EVENT_SHAPE}])
    for end in range(len(taken), len(with_refused)):
        bad_answer("with refused events, cut to %d bytes" % end, with_refused[:end])
    bad_answer("a byte behind it", taken + b"\x00")
    bad_answer("a byte that msgpack does not have", taken[:-1] + b"\xc1")
    for value in ["no array", {"c": 7}, [], [1], [1, "c", 7], [2, "c", 7, 0], [0, "c", 7, 0],
                  ["1", "c", 7, 0], [1, "d", 7, 0], [1, "", 7, 0], [1, b"c", 7, 0], [1, 1, 7, 0],
                  [1, "c", 0, 0], [1, "c", -7, 0], [1, "c", "7", 0], [1, "c", 7.0, 0],
                  [1, "c", 7, -1], [1, "c", 7, None], [1, "c", 7, 0, None], [1, "c", 7, 0, []],
                  [1, "c", 7, 0, {0: 0}], [1, "c", 7, 0, {0: -1}], [1, "c", 7, 0, {-1: 17}],
                  [1, "c", 7, 0, {"0": 17}], [1, "c", 7, 0, {2**32: 17}], [1, "c", 7, 0, {0: 2**32}]]:
        bad_answer(repr(value), pack(value))
    bad_answer("an index twice",
               raw_array(pack(1), pack("c"), pack(7), pack(0), raw_map(*[(pack(0), pack(17))] * 2)))
    head = b"\x95" + taken[1:]
    bad_answer("a map of 2^32 - 1 pairs", head + b"\xdf\xff\xff\xff\xff")
    bad_answer("an array of 2^32 - 1 elements", b"\xdd\xff\xff\xff\xff" + taken[1:] + b"\x80")
    bad_answer("a further element that nests too deep",
               b"\x96" + taken[1:] + b"\x80" + b"\x91" * (DEPTH_LEVELS_MAX + 1) + b"\xc0")


def write(file_name, before, key, rows):
    assert len({row["name"] for row in rows}) == len(rows)
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    pathlib.Path(__file__).with_name(file_name).write_text(
        '{\n%s  "%s": [\n%s\n  ]\n}\n' % (before, key, lines))
    print(file_name, len(rows), "vectors")


add_good_frames()
add_bad_frames()
add_events()
add_answers()
write("frames.json", '  "limits": {"frame_bytes_max": %d, "event_bytes_max": %d},\n'
      % (FRAME_BYTES_MAX, EVENT_BYTES_MAX), "frames", vectors)
write("answers.json", "", "answers", answers)
