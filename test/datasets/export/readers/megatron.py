"""Reads Megatron-LM's .bin and .idx by the description of the format; prints a JSON line a document: its tokens."""
import json
import struct
import sys
from array import array

prefix = sys.argv[1]
with open(prefix + ".idx", "rb") as f:
    assert f.read(9) == b"MMIDIDX\x00\x00", "magic"
    (version,) = struct.unpack("<Q", f.read(8))
    assert version == 1, "version"
    (code,) = struct.unpack("<B", f.read(1))
    kind = {8: "H", 4: "i"}[code]
    sequences, boundaries = struct.unpack("<QQ", f.read(16))
    lengths = struct.unpack(f"<{sequences}i", f.read(4 * sequences))
    offsets = struct.unpack(f"<{sequences}q", f.read(8 * sequences))
    documents = struct.unpack(f"<{boundaries}q", f.read(8 * boundaries))
    assert f.read() == b"", "something follows"
assert documents[0] == 0 and documents[-1] == sequences, "document index"
data = open(prefix + ".bin", "rb").read()
size = array(kind).itemsize
assert sum(lengths) * size == len(data), "size of .bin"
for first, after in zip(documents, documents[1:]):
    tokens = array(kind)
    for i in range(first, after):
        tokens.frombytes(data[offsets[i] : offsets[i] + lengths[i] * size])
    print(json.dumps(list(tokens)))
