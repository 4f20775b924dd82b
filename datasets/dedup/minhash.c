// MinHash signatures: for each of `count` functions the least a[f] * x mod 2^64 over all x, compared as signed.
// minhash.ts has the same in TypeScript, bit for bit. With AVX-512 a function costs a product and a minimum per 8 lanes,
// with AVX2 about 28 instructions per 4; the compiler finds both in this plain loop.
#include <stdint.h>

enum { BLOCK = 56, REST = 8 };

// `size` is a constant at each call, so that the minima stay in registers.
static inline __attribute__((always_inline)) void
block(const uint64_t *x, int64_t n, const uint64_t *a, int64_t *out, int size) {
  int64_t least[BLOCK];
  for (int f = 0; f < size; f++) least[f] = INT64_MAX;
  for (int64_t i = 0; i < n; i++) {
    uint64_t v = x[i];
    for (int f = 0; f < size; f++) {
      int64_t r = (int64_t)(a[f] * v);
      least[f] = r < least[f] ? r : least[f];
    }
  }
  for (int f = 0; f < size; f++) out[f] = least[f];
}

// x: n values, a: count odd multipliers, out: count minima; count is a multiple of 8.
void garner_minhash(const uint64_t *restrict x, int64_t n, const uint64_t *restrict a, int64_t count,
                    int64_t *restrict out) {
  int64_t f = 0;
  for (; f + BLOCK <= count; f += BLOCK) block(x, n, a + f, out + f, BLOCK);
  for (; f < count; f += REST) block(x, n, a + f, out + f, REST);
}
