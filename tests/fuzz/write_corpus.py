#!/usr/bin/python3
"""Writes the golden frames as one file each: write_corpus.py FRAMES_JSON FOLDER."""
import json
import pathlib
import sys

frames = json.loads(pathlib.Path(sys.argv[1]).read_text())["frames"]
folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for number, frame in enumerate(frames):
    (folder / ("golden-%03d" % number)).write_bytes(bytes.fromhex(frame["hex"]))
