"""Reads a folder of MosaicML's MDS by the description of the format; prints a JSON line a sample."""
import ctypes
import ctypes.util
import json
import os
import struct
import sys
from array import array


def unzip(data, size):
    """One call with the size that the frame states, as Python's `zstd` does it."""
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_getFrameContentSize.restype = ctypes.c_uint64
    lib.ZSTD_getFrameContentSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    assert lib.ZSTD_getFrameContentSize(data, len(data)) == size, "the frame does not state its content's size"
    out = ctypes.create_string_buffer(size)
    assert lib.ZSTD_decompress(out, size, data, len(data)) == size, "the frame does not unpack"
    return out.raw


def decode(encoding, data):
    if encoding == "str":
        return data.decode("utf-8")
    name, kind, shape = encoding.split(":")
    assert (name, kind) == ("ndarray", "int32")
    values = array("i")
    values.frombytes(data)
    assert len(values) == int(shape), "shape"
    return list(values)


folder = sys.argv[1]
index = json.load(open(os.path.join(folder, "index.json")))
assert index["version"] == 2
for shard in index["shards"]:
    assert shard["version"] == 2 and shard["format"] == "mds"
    raw, packed = shard["raw_data"], shard["zip_data"]
    data = open(os.path.join(folder, (packed or raw)["basename"]), "rb").read()
    assert len(data) == (packed or raw)["bytes"]
    if packed:
        assert shard["compression"] == "zstd" and packed["basename"] == raw["basename"] + ".zstd"
        data = unzip(data, raw["bytes"])
    assert len(data) == raw["bytes"]
    (samples,) = struct.unpack_from("<I", data)
    assert samples == shard["samples"]
    offsets = struct.unpack_from(f"<{samples + 1}I", data, 4)
    config = json.loads(data[4 + 4 * (samples + 1) : offsets[0]])
    for key in ("column_names", "column_encodings", "column_sizes", "compression", "size_limit"):
        assert config[key] == shard[key], key
    assert offsets[-1] == len(data)
    for begin, end in zip(offsets, offsets[1:]):
        at = begin
        sizes = []
        for size in shard["column_sizes"]:
            if size is None:
                (size,) = struct.unpack_from("<I", data, at)
                at += 4
            sizes.append(size)
        sample = {}
        for name, encoding, size in zip(shard["column_names"], shard["column_encodings"], sizes):
            sample[name] = decode(encoding, data[at : at + size])
            at += size
        assert at == end
        print(json.dumps(sample))
