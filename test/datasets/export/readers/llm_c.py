"""Reads llm.c's shards by the description of the format; prints a JSON line a file: its tokens."""
import glob
import json
import struct
import sys
from array import array

for path in sorted(glob.glob(sys.argv[1])):
    data = open(path, "rb").read()
    header = struct.unpack("<256i", data[:1024])
    magic, version, count = header[:3]
    kind = {(20240520, 1): "H", (20240801, 7): "I"}[(magic, version)]
    assert not any(header[3:]), "rest of the header"
    tokens = array(kind)
    tokens.frombytes(data[1024:])
    assert len(tokens) == count, f"{path}: {len(tokens)} tokens, its header says {count}"
    print(json.dumps(list(tokens)))
