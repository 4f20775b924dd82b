#include "trainer/engines/cpu/kernel.h"

static void rotate(const Call *call, const Team *team, float sign) {
  float *y = F32(call, 0);
  const float *x = F32(call, 1), *table = F32(call, 2);
  const int32_t *positions = I32(call, 3);
  long heads = LONG(call, 1), size = LONG(call, 2), half = size / 2, from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *cosine = table + positions[i] * size, *sine = cosine + half;
    for (long h = 0; h < heads; h++) {
      const float *a = x + (i * heads + h) * size;
      float *b = y + (i * heads + h) * size;
      for (long j = 0; j < half; j++) {
        float low = a[j], high = a[j + half], s = sign * sine[j];  // y may lie over x
        b[j] = low * cosine[j] - high * s;
        b[j + half] = high * cosine[j] + low * s;
      }
    }
  }
}

// y [N, H Q], x [N, H Q], table [P, Q], positions [N] · rows, heads, size
void rope_forward(const Call *call, const Team *team) { rotate(call, team, 1); }
// dx, dy, table, positions: the turn back
void rope_backward(const Call *call, const Team *team) { rotate(call, team, -1); }
