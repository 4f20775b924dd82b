#include "trainer/engines/cpu/kernel.h"

// y (+)= s x [size] · size, s
void scale(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *x = F32(call, 1);
  float factor = (float)call->number[1];
  long from, to;
  share(team, LONG(call, 0), 16, &from, &to);
  if (ADDS(call, 0))
    for (long i = from; i < to; i++) y[i] += factor * x[i];
  else
    for (long i = from; i < to; i++) y[i] = factor * x[i];
}
