#include "trainer/engines/cpu/kernel.h"

// y [N, C], table [V, C], ids [N] · rows, width, vocabulary, first. Ids outside first .. first + V give zeros.
void embedding_forward(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *table = F32(call, 1);
  const int32_t *ids = I32(call, 2);
  long width = LONG(call, 1), vocabulary = LONG(call, 2), first = LONG(call, 3), from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    long row = ids[i] - first;
    if (row >= 0 && row < vocabulary) memcpy(y + i * width, table + row * width, (size_t)width * sizeof(float));
    else memset(y + i * width, 0, (size_t)width * sizeof(float));
  }
}

// dtable [V, C], dy [N, C], ids [N] · rows, width, vocabulary, first. A thread owns columns: the order of the sum is that of the rows.
void embedding_backward(const Call *call, const Team *team) {
  float *dtable = F32(call, 0);
  const float *dy = F32(call, 1);
  const int32_t *ids = I32(call, 2);
  long rows = LONG(call, 0), width = LONG(call, 1), vocabulary = LONG(call, 2), first = LONG(call, 3), from, to;
  share(team, width, 16, &from, &to);
  if (!ADDS(call, 0))
    for (long i = 0; i < vocabulary; i++) memset(dtable + i * width + from, 0, (size_t)(to - from) * sizeof(float));
  for (long i = 0; i < rows; i++) {
    long row = ids[i] - first;
    if (row < 0 || row >= vocabulary) continue;
    float *into = dtable + row * width;
    for (long j = from; j < to; j++) into[j] += dy[i * width + j];
  }
}
