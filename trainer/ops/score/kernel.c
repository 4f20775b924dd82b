#include "trainer/engines/cpu/kernel.h"

// loss [N] (float64), y [N], targets [N], scales [N] · rows
void score_forward(const Call *call, const Team *team) {
  double *loss = F64(call, 0);
  const float *y = F32(call, 1), *scales = F32(call, 3);
  const int32_t *targets = I32(call, 2);
  long from, to;
  share(team, LONG(call, 0), 16, &from, &to);
  for (long i = from; i < to; i++) loss[i] = targets[i] < 0 ? 0 : (double)scales[i] * y[i];
}

// dy [N], targets [N], scales [N] · rows, from, to
void score_backward(const Call *call, const Team *team) {
  float *dy = F32(call, 0);
  const int32_t *targets = I32(call, 1);
  const float *scales = F32(call, 2);
  long first = LONG(call, 1), last = LONG(call, 2), from, to;
  share(team, LONG(call, 0), 16, &from, &to);
  for (long i = from; i < to; i++) dy[i] = targets[i] < 0 || i < first || i >= last ? 0 : scales[i];
}
