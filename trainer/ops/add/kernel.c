#include "trainer/engines/cpu/kernel.h"

// y, a, b [size] · size
void add_forward(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *a = F32(call, 1), *b = F32(call, 2);
  long from, to;
  share(team, LONG(call, 0), 16, &from, &to);
  for (long i = from; i < to; i++) y[i] = a[i] + b[i];
}

// y (+)= x [size] · size
void copy(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *x = F32(call, 1);
  long from, to;
  share(team, LONG(call, 0), 16, &from, &to);
  if (ADDS(call, 0))
    for (long i = from; i < to; i++) y[i] += x[i];
  else
    memcpy(y + from, x + from, (size_t)(to - from) * sizeof(float));
}
