#!/usr/bin/env python3
"""The model of test/trainer/oracle.test.ts in PyTorch, differentiated by autograd, for numbers that do not come from garner.

Formulas as in Hugging Face's modeling_llama.py: rotate_half, repeat_kv, RMSNorm, silu(gate) * up.
Standard input: JSON {config, tokens, targets, weights: {name: {shape, values}}}. Standard output: JSON with the sum of
losses, the logits of the last token and, for each weight, the gradient's norm and some of its elements, in float64.
"""
import json
import sys

import torch
import torch.nn.functional as F

given = json.load(sys.stdin)
c = given["config"]
w = {
    name: torch.tensor(t["values"], dtype=torch.float64).reshape(t["shape"]).requires_grad_()
    for name, t in given["weights"].items()
}
ids = torch.tensor(given["tokens"])
targets = torch.tensor(given["targets"])
batch, length = ids.shape
heads, groups, size = c["heads"], c["keyValueHeads"], c["headSize"]

inverse = 1.0 / (c["ropeTheta"] ** (torch.arange(0, size, 2, dtype=torch.float64) / size))
angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse)
angles = torch.cat((angles, angles), dim=-1)
cos, sin = angles.cos(), angles.sin()


def rotate_half(x):
    return torch.cat((-x[..., size // 2:], x[..., : size // 2]), dim=-1)


def norm(x, name):
    variance = x.pow(2).mean(-1, keepdim=True)
    return w[name] * (x * torch.rsqrt(variance + c["normEpsilon"]))


def split(x, n):
    return x.view(batch, length, n, size).transpose(1, 2)


x = F.embedding(ids, w["model.embed_tokens.weight"])
future = torch.full((length, length), float("-inf"), dtype=torch.float64).triu(1)
for i in range(c["layers"]):
    p = f"model.layers.{i}."
    a = norm(x, p + "input_layernorm.weight")
    q = split(a @ w[p + "self_attn.q_proj.weight"].T, heads)
    k = split(a @ w[p + "self_attn.k_proj.weight"].T, groups)
    v = split(a @ w[p + "self_attn.v_proj.weight"].T, groups)
    q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
    k, v = (t.repeat_interleave(heads // groups, dim=1) for t in (k, v))
    scores = (q @ k.transpose(2, 3) / size**0.5 + future).softmax(-1)
    o = (scores @ v).transpose(1, 2).reshape(batch, length, heads * size)
    x = x + o @ w[p + "self_attn.o_proj.weight"].T
    m = norm(x, p + "post_attention_layernorm.weight")
    y = F.silu(m @ w[p + "mlp.gate_proj.weight"].T) * (m @ w[p + "mlp.up_proj.weight"].T)
    x = x + y @ w[p + "mlp.down_proj.weight"].T
logits = norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T
loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum")
loss.backward()
json.dump(
    {
        "torch": torch.__version__,
        "loss": loss.item(),
        "logits": logits[-1, -1].tolist(),
        "gradients": {
            name: {"norm": t.grad.norm().item(), "some": t.grad.flatten()[:: max(1, t.numel() // 8)][:8].tolist()}
            for name, t in w.items()
        },
    },
    sys.stdout,
)
