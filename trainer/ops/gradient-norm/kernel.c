#include "trainer/engines/cpu/kernel.h"

#define BLOCK 4096

long gradient_norm_phases(const Call *call) {
  (void)call;
  return 2;
}

// norm [1 + blocks] (float64), gradient [size] · size. Blocks have fixed edges and are added in order.
void gradient_norm(const Call *call, const Team *team) {
  double *norm = F64(call, 0);
  const float *gradient = F32(call, 1);
  long size = LONG(call, 0), blocks = (size + BLOCK - 1) / BLOCK, from, to;
  if (team->phase == 1) {
    if (team->index) return;
    double total = 0;
    for (long i = 0; i < blocks; i++) total += norm[1 + i];
    norm[0] = sqrt(total);
    return;
  }
  share(team, blocks, 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *g = gradient + i * BLOCK;
    long n = size - i * BLOCK < BLOCK ? size - i * BLOCK : BLOCK, k = 0;
    Vec s0 = {0}, s1 = {0};
    for (; k + 2 * LANES <= n; k += 2 * LANES) {
      Vec a = load(g + k), b = load(g + k + LANES);
      s0 += a * a;
      s1 += b * b;
    }
    for (; k < n; k += LANES) {
      Vec a = load_part(g + k, n - k < LANES ? n - k : LANES, 0);
      s0 += a * a;
    }
    double total = 0;
    for (int l = 0; l < LANES; l++) total += (double)s0[l] + s1[l];
    norm[1 + i] = total;
  }
}
