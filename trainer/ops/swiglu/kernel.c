#include "trainer/engines/cpu/kernel.h"

static inline Vec sigmoid(Vec a) { return 1.0f / (1.0f + vexp(-a)); }

// y, gate, up [size] · size
void swiglu_forward(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *gate = F32(call, 1), *up = F32(call, 2);
  long from, to;
  share(team, LONG(call, 0), 64, &from, &to);
  for (long i = from; i < to; i += LANES) {
    long n = to - i;
    if (n >= LANES) {
      Vec a = load(gate + i);
      store(y + i, a * sigmoid(a) * load(up + i));
    } else {
      Vec a = load_part(gate + i, n, 0);
      store_part(y + i, a * sigmoid(a) * load_part(up + i, n, 0), n);
    }
  }
}

// dgate, dup, dy, gate, up [size] · size
void swiglu_backward(const Call *call, const Team *team) {
  float *dgate = F32(call, 0), *dup = F32(call, 1);
  const float *dy = F32(call, 2), *gate = F32(call, 3), *up = F32(call, 4);
  int adds = ADDS(call, 0), adds_up = ADDS(call, 1);
  long from, to;
  share(team, LONG(call, 0), 64, &from, &to);
  for (long i = from; i < to; i += LANES) {
    long n = to - i < LANES ? to - i : LANES;
    int whole = n == LANES;
    Vec a = whole ? load(gate + i) : load_part(gate + i, n, 0), d = whole ? load(dy + i) : load_part(dy + i, n, 0);
    Vec b = whole ? load(up + i) : load_part(up + i, n, 0), s = sigmoid(a);
    Vec to_gate = d * b * s * (1.0f + a * (1.0f - s)), to_up = d * a * s;
    if (adds) to_gate += load_part(dgate + i, n, 0);
    if (adds_up) to_up += load_part(dup + i, n, 0);
    if (whole) {
      store(dgate + i, to_gate);
      store(dup + i, to_up);
    } else {
      store_part(dgate + i, to_gate, n);
      store_part(dup + i, to_up, n);
    }
  }
}
