#include "trainer/engines/cpu/kernel.h"

// loss [N] (float64), lse [N], logits [N, V], targets [N] · rows, vocabulary
void cross_entropy_forward(const Call *call, const Team *team) {
  double *loss = F64(call, 0);
  float *lse = F32(call, 1);
  const float *logits = F32(call, 2);
  const int32_t *targets = I32(call, 3);
  long vocabulary = LONG(call, 1), whole = vocabulary / LANES * LANES, rest = vocabulary - whole, from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    if (targets[i] < 0) {
      loss[i] = 0;
      lse[i] = 0;
      continue;
    }
    Vec most = splat(-INFINITY), exponentials = {0};
    for (long k = 0; k < whole; k += LANES) most = larger(most, load(row + k));
    if (rest) most = larger(most, load_part(row + whole, rest, -INFINITY));
    float m = greatest(most);
    for (long k = 0; k < whole; k += LANES) exponentials += vexp(load(row + k) - m);
    double total = 0;
    for (int l = 0; l < LANES; l++) total += exponentials[l];
    if (rest) {
      Vec last = vexp(load_part(row + whole, rest, 0) - m);
      for (long l = 0; l < rest; l++) total += last[l];
    }
    double log_sum = m + log(total);
    lse[i] = (float)log_sum;
    loss[i] = log_sum - row[targets[i]];
  }
}

// dlogits [N, V] (may lie over logits), logits, lse [N], targets [N] · rows, vocabulary
void cross_entropy_backward(const Call *call, const Team *team) {
  float *dlogits = F32(call, 0);
  const float *logits = F32(call, 1), *lse = F32(call, 2);
  const int32_t *targets = I32(call, 3);
  long vocabulary = LONG(call, 1), from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    float *out = dlogits + i * vocabulary;
    if (targets[i] < 0) {
      memset(out, 0, (size_t)vocabulary * sizeof(float));
      continue;
    }
    long k = 0;
    for (; k + LANES <= vocabulary; k += LANES) store(out + k, vexp(load(row + k) - lse[i]));
    if (k < vocabulary) store_part(out + k, vexp(load_part(row + k, vocabulary - k, 0) - lse[i]), vocabulary - k);
    out[targets[i]] -= 1;
  }
}
