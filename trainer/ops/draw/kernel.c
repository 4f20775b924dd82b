#include "trainer/engines/cpu/kernel.h"

#define BLOCK 512  // logits that are added up in float32; blocks are added in float64
#define LEAST 1e-37f  // vexp of what is far below: such a token is never drawn

static inline Vec part_of(const float *p, long n, float rest) { return n >= LANES ? load(p) : load_part(p, n, rest); }

// The likeliest token that is allowed, of equal ones the lowest.
static int32_t likeliest(const float *row, const float *allowed, long vocabulary) {
  long best = -1;
  for (long k = 0; k < vocabulary; k++)
    if (allowed[k] > 0 && (best < 0 || row[k] > row[best])) best = k;
  return best < 0 ? 0 : (int32_t)best;
}

// The token at `target` of the sums of allowed weights, block by block.
static int32_t walk(const float *row, const float *allowed, long vocabulary, float scale, float most, const double *sums,
                    double target) {
  int32_t last = -1;
  for (long b = 0; b * BLOCK < vocabulary; b++) {
    long end = (b + 1) * BLOCK < vocabulary ? (b + 1) * BLOCK : vocabulary;
    int final = end == vocabulary;
    if (!final && target >= sums[b]) {
      target -= sums[b];
      continue;
    }
    for (long k = b * BLOCK; k < end; k += LANES) {
      Vec w = vexp(part_of(row + k, end - k, -INFINITY) * scale - most);
      for (long l = 0; l < LANES && k + l < end; l++) {
        if (!(allowed[k + l] > 0 && w[l] > LEAST)) continue;
        last = (int32_t)(k + l);
        target -= w[l];
        if (target < 0) return last;
      }
    }
    target = 0;  // rounding: the first of what comes next
  }
  return last < 0 ? likeliest(row, allowed, vocabulary) : last;
}

// picked [N], levels [N] (float64), logits [N, V], allowed [V], temperature [N] (float64), u [N] (float64) · rows, vocabulary
void draw(const Call *call, const Team *team) {
  int32_t *picked = (int32_t *)call->slot[0];
  double *levels = F64(call, 1), *sums = (double *)team->own;
  const float *logits = F32(call, 2), *allowed = F32(call, 3);
  const double *temperature = F64(call, 4), *u = F64(call, 5);
  long rows = LONG(call, 0), vocabulary = LONG(call, 1), from, to;
  share(team, rows, 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = logits + i * vocabulary;
    float scale = temperature[i] > 0 ? (float)(1 / temperature[i]) : 1;
    Vec m = splat(-INFINITY);
    for (long k = 0; k < vocabulary; k += LANES) m = larger(m, part_of(row + k, vocabulary - k, -INFINITY));
    float most = greatest(m) * scale;
    double total = 0, within = 0;
    for (long b = 0; b * BLOCK < vocabulary; b++) {
      long end = (b + 1) * BLOCK < vocabulary ? (b + 1) * BLOCK : vocabulary;
      Vec all = {0}, some = {0};
      for (long k = b * BLOCK; k < end; k += LANES) {
        Vec w = vexp(part_of(row + k, end - k, -INFINITY) * scale - most);
        if (end - k < LANES) w *= load_part((const float[LANES]){[0 ... LANES - 1] = 1}, end - k, 0);
        all += w;
        some += w * part_of(allowed + k, end - k, 0);
      }
      total += sum(all);
      within += sums[b] = sum(some);
    }
    levels[i] = most + log(total);
    picked[i] = temperature[i] > 0 ? walk(row, allowed, vocabulary, scale, most, sums, u[i] * within)
                                   : likeliest(row, allowed, vocabulary);
  }
}
