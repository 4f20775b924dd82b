// What every CPU kernel sees: a call, the team of threads that runs it, and vectors as wide as the processor has.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#define SLOTS 12
#define NUMBERS 12

// One entry of a step's list; engines/cpu/engine.ts writes it word by word.
typedef struct {
  int64_t kernel, adds;
  void *slot[SLOTS];
  double number[NUMBERS];
} Call;

// A call is cut into pieces; which thread takes a piece is decided while it runs, and changes no bit of the result.
typedef struct {
  long index, count;  // this piece, of how many
  long phase;         // a kernel of several phases: all pieces of one are done before the next begins
  float *own;         // working memory of the thread
  float *shared;      // and of all
} Team;

typedef void (*Kernel)(const Call *call, const Team *team);

#define F32(call, i) ((float *)(call)->slot[i])
#define I32(call, i) ((int32_t *)(call)->slot[i])
#define F64(call, i) ((double *)(call)->slot[i])
#define LONG(call, i) ((long)(call)->number[i])
#define ADDS(call, i) (((call)->adds >> (i)) & 1)

// Rows from..to of n belong to this piece, in multiples of `grain` (16 floats are a cache line).
static inline void share(const Team *team, long n, long grain, long *from, long *to) {
  long pieces = (n + grain - 1) / grain;
  *from = pieces * team->index / team->count * grain;
  *to = pieces * (team->index + 1) / team->count * grain;
  if (*from > n) *from = n;
  if (*to > n) *to = n;
}

// Never wider than the target: gcc spills a wider type and is 50 times slower.
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float Vec __attribute__((vector_size(LANES * 4)));
typedef int32_t VecI __attribute__((vector_size(LANES * 4)));
typedef float Loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

static inline Vec load(const float *p) { return *(const Loose *)p; }
static inline void store(float *p, Vec v) { *(Loose *)p = v; }
static inline Vec splat(float x) { return x - (Vec){0}; }
// The second where one of them is no number.
static inline Vec larger(Vec a, Vec b) {
  VecI m = a > b;
  return (Vec)(((VecI)a & m) | ((VecI)b & ~m));
}
// The first n lanes from memory, `rest` in the others: nothing is read beyond.
static inline Vec load_part(const float *p, long n, float rest) {
  Vec v = splat(rest);
  memcpy(&v, p, (size_t)n * sizeof(float));
  return v;
}
static inline void store_part(float *p, Vec v, long n) { memcpy(p, &v, (size_t)n * sizeof(float)); }

// In a fixed order.
static inline float sum(Vec v) {
  float s = 0;
  for (int i = 0; i < LANES; i++) s += v[i];
  return s;
}
static inline float greatest(Vec v) {
  float m = v[0];
  for (int i = 1; i < LANES; i++) m = v[i] > m ? v[i] : m;
  return m;
}

// e^x within 2 ulp, as at -87.3 below that and as at 88.4 above; of what is no number, none (larger() gives its second).
static inline Vec vexp(Vec x) {
  x = larger(splat(-87.33654f), x);
  x = -larger(splat(-88.37626f), -x);
  const Vec magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  Vec t = x * splat(1.44269504f) + magic;
  Vec n = t - magic;
  Vec r = x - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  Vec p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * r * r + r + splat(1.0f);
  VecI power = ((VecI)t - (VecI)magic + 127) << 23;
  return p * (Vec)power;
}

// C[m x n] = or += A[m x k] B[k x n], in gemm_phases(n, k) phases. Element (i, j) of A lies at A[i * a_row + j * a_column],
// of B likewise; C is row-major with rows of `c_row`. An element's sum runs in one order whatever the pieces are.
long gemm_phases(long n, long k);
void gemm(const Team *team, long m, long n, long k, const float *a, long a_row, long a_column, const float *b, long b_row,
          long b_column, float *c, long c_row, int add);

// The same for one thread and small blocks that lie in the caches: nothing is packed. B and C are row-major.
void gemm_small(long m, long n, long k, const float *a, long a_row, long a_column, const float *b, long b_row, float *c,
                long c_row, int add);

// to[c * to_row + r] = from[r * from_row + c] for `rows` rows of `columns`
void transpose(float *to, long to_row, const float *from, long from_row, long rows, long columns);
