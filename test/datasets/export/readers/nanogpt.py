"""Reads nanoGPT's train.bin or val.bin and meta.pkl; prints the size of the vocabulary and the tokens, a JSON line each."""
import json
import os
import pickle
import sys
from array import array

folder, name = sys.argv[1:]
meta = os.path.join(folder, "meta.pkl")
print(json.dumps(pickle.load(open(meta, "rb"))["vocab_size"] if os.path.exists(meta) else None))
tokens = array("H")
tokens.frombytes(open(os.path.join(folder, name), "rb").read())
print(json.dumps(list(tokens)))
