#include "trainer/engines/cpu/kernel.h"

// The greatest logit of a row, and the sum of exp(z - greatest).
static double exponentials_of(const float *row, long vocabulary, float *greatest_of) {
  long whole = vocabulary / LANES * LANES, rest = vocabulary - whole;
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
  *greatest_of = m;
  return total;
}

// loss [N] (float64), lse [N], logits [N, V], targets [N], scales [N] · rows, vocabulary
void cross_entropy_forward(const Call *call, const Team *team) {
  double *loss = F64(call, 0);
  float *lse = F32(call, 1);
  const float *logits = F32(call, 2);
  const int32_t *targets = I32(call, 3);
  const float *scales = F32(call, 4);
  long vocabulary = LONG(call, 1), from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    if (targets[i] < 0) {
      loss[i] = 0;
      lse[i] = 0;
      continue;
    }
    float m;
    double total = exponentials_of(row, vocabulary, &m), log_sum = m + log(total);
    lse[i] = (float)log_sum;
    loss[i] = scales[i] * (log_sum - row[targets[i]]);
  }
}

// sums [N, 3], logits [N, V], targets [N] · rows, vocabulary, first
void cross_entropy_part(const Call *call, const Team *team) {
  float *sums = F32(call, 0);
  const float *logits = F32(call, 1);
  const int32_t *targets = I32(call, 2);
  long vocabulary = LONG(call, 1), first = LONG(call, 2), from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    long target = targets[i] - first;
    sums[3 * i + 1] = (float)exponentials_of(row, vocabulary, &sums[3 * i]);
    sums[3 * i + 2] = targets[i] >= 0 && target >= 0 && target < vocabulary ? row[target] : 0;
  }
}

// loss [N] (float64), lse [N], sums [P, N, 3], targets [N], scales [N] · rows, parts
void cross_entropy_join(const Call *call, const Team *team) {
  double *loss = F64(call, 0);
  float *lse = F32(call, 1);
  const float *sums = F32(call, 2);
  const int32_t *targets = I32(call, 3);
  const float *scales = F32(call, 4);
  long rows = LONG(call, 0), parts = LONG(call, 1), from, to;
  share(team, rows, 16, &from, &to);
  for (long i = from; i < to; i++) {
    loss[i] = 0;
    lse[i] = 0;
    if (targets[i] < 0) continue;
    float most = sums[3 * i];
    for (long p = 1; p < parts; p++) most = fmaxf(most, sums[3 * (p * rows + i)]);
    double total = 0, target = 0;
    for (long p = 0; p < parts; p++) {
      const float *of = sums + 3 * (p * rows + i);
      total += of[1] * exp((double)of[0] - most);
      target += of[2];
    }
    double log_sum = most + log(total);
    lse[i] = (float)log_sum;
    loss[i] = scales[i] * (log_sum - target);
  }
}

// dlogits [N, V] (may lie over logits), logits, lse [N], targets [N], scales [N] · rows, vocabulary, first
void cross_entropy_backward(const Call *call, const Team *team) {
  float *dlogits = F32(call, 0);
  const float *logits = F32(call, 1), *lse = F32(call, 2);
  const int32_t *targets = I32(call, 3);
  const float *scales = F32(call, 4);
  long vocabulary = LONG(call, 1), first = LONG(call, 2), from, to;
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    float scale = scales[i];
    float *out = dlogits + i * vocabulary;
    if (targets[i] < 0) {
      memset(out, 0, (size_t)vocabulary * sizeof(float));
      continue;
    }
    long k = 0;
    for (; k + LANES <= vocabulary; k += LANES) store(out + k, vexp(load(row + k) - lse[i]) * scale);
    if (k < vocabulary) store_part(out + k, vexp(load_part(row + k, vocabulary - k, 0) - lse[i]) * scale, vocabulary - k);
    long target = targets[i] - first;
    if (target >= 0 && target < vocabulary) out[target] -= scale;
  }
}
