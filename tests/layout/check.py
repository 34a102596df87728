#!/usr/bin/env python3
"""What the compiler does not check of the project's layout, as a test.

Which module may include which is checked by the build itself: CMakeLists.txt has the table, and a
header that is not in it is not found.

    check.py SOURCE_DIR
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
LINES_MAX = 600

# Who wraps which library: its headers are included here and nowhere else.
WRAPPED_BY = {
    r"curl/": [
        "sidecar/http/curl_multi.hpp",
        "sidecar/http/curl_request.hpp",
        "sidecar/cli/admin_client.cpp",
        "sidecar/cli/version_command.cpp",
    ],
    r"zmq\.h(pp)?": [
        "sdk/src/link.cpp",
        "sidecar/net/zmq_context.cpp",
        "sidecar/net/zmq_socket.cpp",
        "sidecar/ingest/zmq_listener.hpp",
        "sidecar/ingest/zmq_source.cpp",
        "sidecar/fanout/connection_monitor.cpp",
        "sidecar/fanout/held_messages.cpp",
        "sidecar/fanout/zmq_transport.cpp",
        "sidecar/cli/version_command.cpp",
    ],
    r"msgpack\.hpp": [
        "sdk/include/outrider/packing.hpp",
        "proto/confirm.cpp",
        "proto/frame_writer.cpp",
        "sidecar/base/json_document.cpp",
    ],
    r"spdlog/": ["sidecar/base/log.cpp"],
    r"boost/": ["sidecar/arguments/arguments.cpp"],
    r"httplib\.h": ["sidecar/sink/sink_server.cpp"],
    r"microhttpd\.h": ["sidecar/admin/http_server.cpp"],
    r"rapidjson/": [
        "sidecar/admin/json_output.hpp",
        "sidecar/base/json_document.hpp",
        "sidecar/base/json_document.cpp",
        "sidecar/sink/received_body.cpp",
    ],
    r"openssl/": [
        "sidecar/config/pem.cpp",
        "sidecar/config/sha256.cpp",
        "sidecar/config/signing_secret.cpp",
        "sidecar/http/signer.cpp",
        "sidecar/http/tls_offer.cpp",
        "sidecar/http/tls_session.cpp",
        "sidecar/http/trust.cpp",
        "sidecar/sink/certificate.cpp",
        "sidecar/cli/version_command.cpp",
    ],
    r"libdeflate\.h": ["sidecar/encode/gzip_compressor.cpp", "sidecar/spool/store.cpp"],
    r"sqlite3\.h": ["sidecar/spool/database.cpp"],
    r"cctz/": ["sidecar/cron/time_zone.cpp"],
    r"zstd\.h": ["sidecar/encode/zstd_compressor.cpp", "sidecar/sink/zstd_decoder.cpp"],
}

# Clocks are read in one place and passed on; commands are their own place. These have no turn:
# libzmq calls the gate, and the other two wait for threads of their own, before or after all turns.
READS_CLOCKS = [
    "sidecar/base/clock.cpp",
    "sidecar/net/intake.cpp",
    "sidecar/base/line_writer.cpp",
    "sidecar/net/socket_gate.cpp",
    "sidecar/base/thread_probe.cpp",
    "sidecar/cli/",
    "sidecar/sink/",
]

# Phrases that a reader stumbles over, each with plainer words. In pages, comments and texts.
PLAIN_WORDS = [
    (r"(?:^[\W\d]*|[.:;] )What (?!.*\?)", 'name the thing: not "What is left is sent" but "The rest ..."'),
    (r"\b(?:is|are|was|were) told\b", 'say "gets", "is reported" or "is described"'),
    (r"\bstands? (?:on disk|in|at|there|here|behind|beside)\b", 'say "is"'),
    (r"\b(?:comes?|goes|stands?) behind\b|\bone behind the other\b", 'say "follows" or "back to back"'),
    (r"\b(?:is|are) said\b", 'say "is logged" or "is reported"'),
    (r"\bso many (?:bytes|events)\b|\b(?:for|of) so (?:long|many)\b", 'say "this many", "this long"'),
]
# Past pages, and files that are not plain yet (only ever take names out).
KEEPS_ITS_WORDS = re.compile(r"^CHANGELOG\.md|_log\.[ch]pp$|^sidecar/spool/store_(?:keeper|scheduled)")

problems = []


def complain(path, line, text):
    problems.append(f"{path}:{line}: {text}")


def tracked(*patterns):
    names = subprocess.run(
        ["git", "-C", ROOT, "ls-files", *patterns], capture_output=True, text=True, check=True
    ).stdout.split()
    return [Path(name) for name in names if (ROOT / name).is_file()]


def check_line(path, number, line):
    name = str(path)
    is_product = name.startswith(("proto/", "sdk/", "sidecar/"))
    if re.search(r'#include "\.\./', line):
        complain(path, number, "an include that goes round the module walls")
    if re.search(r"\b(TODO|FIXME|XXX)\b", line):
        complain(path, number, "a mark of unfinished work")
    if not is_product:
        return
    for header, wrappers in WRAPPED_BY.items():
        if re.search(rf"#include <{header}", line) and name not in wrappers:
            complain(path, number, f"only {', '.join(wrappers)} may include this")
    if name.startswith("sidecar/") and re.search(r"_clock::now\(\)", line):
        if not name.startswith(tuple(READS_CLOCKS)):
            complain(path, number, "reads a clock; the time of the turn is passed in")


def check_words(path):
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        for phrase, better in PLAIN_WORDS:
            if re.search(phrase, line):
                complain(path, number, better)


for path in tracked("*.md", "proto", "sdk", "sidecar", "examples", "systemd"):
    if path.suffix in (".md", ".cpp", ".hpp", ".h", ".py", ".sh", ".txt", ".in"):
        if not KEEPS_ITS_WORDS.search(str(path)):
            check_words(path)

for path in tracked("*.cpp", "*.hpp", "*.h", "*.c"):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    if len(lines) > LINES_MAX:
        complain(path, LINES_MAX, f"more than {LINES_MAX} lines; would two files be easier to read?")
    for number, line in enumerate(lines, 1):
        check_line(path, number, line)
    if path.suffix == ".hpp" and not any(line.startswith("//") for line in lines[:1]):
        complain(path, 1, "a header opens with its contract")

# All of the sidecar is one namespace and one program: of the functions that the compiler makes for
# two types of one name the linker keeps one, without a word.
defined = {}
for path in tracked("sidecar/*.hpp"):
    for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r"(?:enum )?(?:struct|class) (?:\[\[.*?\]\] )?(\w+)(?: final)?( : [^;]*)? \{", line)
        if found and defined.setdefault(found[1], path) != path:
            complain(path, number, f"{found[1]} is defined in {defined[found[1]]} too")

listed = "\n".join((ROOT / path).read_text() for path in tracked("tests/*CMakeLists.txt"))
for path in tracked("tests/*_test.cpp"):
    if path.name not in listed:
        complain(path, 1, "a test that no CMakeLists.txt builds")

for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
