// Products of matrices: packed panels and a register tile, as in Goto & van de Geijn 2008 (doi:10.1145/1356052.1356053).
#include "trainer/engines/cpu/kernel.h"

#define PRAGMA(x) _Pragma(#x)
#define UNROLL(n) PRAGMA(GCC unroll n)

// The tile fills the registers: 24 accumulators of 32 with AVX-512, 12 of 16 with AVX2, 8 of 16 else.
#if LANES == 16
#define TILE_ROWS 12
#elif LANES == 8
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif
#define TILE_COLUMNS (2 * LANES)

// A block of A (BLOCK_ROWS x BLOCK_DEPTH) stays in L2, a panel of B (BLOCK_DEPTH x TILE_COLUMNS) in L1.
#define BLOCK_ROWS (12 * TILE_ROWS)
#define BLOCK_DEPTH 384
#define BLOCK_COLUMNS 4096

// Keeps the compiler from folding a loop over registers back into one over memory.
#define INLINE static inline __attribute__((always_inline))

// c[TILE_ROWS x vectors * LANES] = or += panel of A by panel of B
INLINE void tile(const int vectors, long k, const float *a, const float *b, float *c, long c_row, int add) {
  Vec acc[TILE_ROWS][2];
  UNROLL(12) for (int i = 0; i < TILE_ROWS; i++)
    for (int v = 0; v < vectors; v++) acc[i][v] = add ? load(c + i * c_row + v * LANES) : (Vec){0};
  for (long p = 0; p < k; p++) {
    Vec row[2];
    for (int v = 0; v < vectors; v++) row[v] = load(b + v * LANES);
    UNROLL(12) for (int i = 0; i < TILE_ROWS; i++)
      for (int v = 0; v < vectors; v++) acc[i][v] += a[i] * row[v];
    a += TILE_ROWS;
    b += vectors * LANES;
  }
  UNROLL(12) for (int i = 0; i < TILE_ROWS; i++)
    for (int v = 0; v < vectors; v++) store(c + i * c_row + v * LANES, acc[i][v]);
}

// A tile that reaches over the edge of C: the whole of it goes to the side, what is inside is copied.
static void edge(int vectors, long rows, long columns, long k, const float *a, const float *b, float *c, long c_row,
                 int add) {
  float side[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  if (vectors == 2)
    tile(2, k, a, b, side, TILE_COLUMNS, 0);
  else
    tile(1, k, a, b, side, TILE_COLUMNS, 0);
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) {
      float *to = c + i * c_row + j;
      // c first, as in tile(): the sum of an element must not depend on where it lies
      *to = add ? *to + side[i * TILE_COLUMNS + j] : side[i * TILE_COLUMNS + j];
    }
}

typedef float Four __attribute__((vector_size(16)));
typedef float FourLoose __attribute__((vector_size(16), aligned(4), may_alias));

// Lanes of two vectors side by side, picked by their numbers: clang and newer gcc have one name for it, older gcc another.
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef SHUFFLE
typedef int32_t Pick __attribute__((vector_size(16)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Pick){__VA_ARGS__})
#endif

void transpose(float *to, long to_row, const float *from, long from_row, long rows, long columns) {
  long i = 0;
  for (; i + 4 <= rows; i += 4) {
    const float *source = from + i * from_row;
    float *target = to + i;
    long p = 0;
    for (; p + 4 <= columns; p += 4) {
      Four a = *(const FourLoose *)(source + p), b = *(const FourLoose *)(source + from_row + p);
      Four c = *(const FourLoose *)(source + 2 * from_row + p), d = *(const FourLoose *)(source + 3 * from_row + p);
      Four ab0 = SHUFFLE(a, b, 0, 4, 1, 5), ab1 = SHUFFLE(a, b, 2, 6, 3, 7);
      Four cd0 = SHUFFLE(c, d, 0, 4, 1, 5), cd1 = SHUFFLE(c, d, 2, 6, 3, 7);
      *(FourLoose *)(target + (p + 0) * to_row) = SHUFFLE(ab0, cd0, 0, 1, 4, 5);
      *(FourLoose *)(target + (p + 1) * to_row) = SHUFFLE(ab0, cd0, 2, 3, 6, 7);
      *(FourLoose *)(target + (p + 2) * to_row) = SHUFFLE(ab1, cd1, 0, 1, 4, 5);
      *(FourLoose *)(target + (p + 3) * to_row) = SHUFFLE(ab1, cd1, 2, 3, 6, 7);
    }
    for (; p < columns; p++)
      for (long j = 0; j < 4; j++) target[p * to_row + j] = source[j * from_row + p];
  }
  for (; i < rows; i++)
    for (long p = 0; p < columns; p++) to[p * to_row + i] = from[i * from_row + p];
}

// A size known when this is compiled becomes vector moves.
INLINE void copy_rows(float *panel, long width, const float *source, long step, long k, const long used) {
  for (long p = 0; p < k; p++) memcpy(panel + p * width, source + p * step, (size_t)used * sizeof(float));
}

// panel[p * width + i] = source[i * along + p * step] for i < used, zero up to width
static void pack(float *panel, long width, long used, long k, const float *source, long along, long step) {
  if (used < width)
    for (long p = 0; p < k; p++) memset(panel + p * width + used, 0, (size_t)(width - used) * sizeof(float));
  if (along == 1 && used == TILE_ROWS)
    copy_rows(panel, width, source, step, k, TILE_ROWS);
  else if (along == 1 && used == TILE_COLUMNS)
    copy_rows(panel, width, source, step, k, TILE_COLUMNS);
  else if (along == 1)
    copy_rows(panel, width, source, step, k, used);
  else if (step == 1)
    transpose(panel, width, source, along, used, k);
  else
    for (long p = 0; p < k; p++)
      for (long i = 0; i < used; i++) panel[p * width + i] = source[i * along + p * step];
}

static inline long least(long a, long b) { return a < b ? a : b; }

// Rows [from, to) of C by the panels [first, last) of B that are packed at `b`.
static void block(float *own, long from, long to, long first, long last, long columns, long k, const float *a,
                  long a_row, long a_column, const float *b, float *c, long c_row, int add) {
  for (long i0 = from; i0 < to; i0 += BLOCK_ROWS) {
    long rows = least(BLOCK_ROWS, to - i0);
    for (long i = 0; i < rows; i += TILE_ROWS)
      pack(own + i * k, TILE_ROWS, least(TILE_ROWS, rows - i), k, a + (i0 + i) * a_row, a_row, a_column);
    for (long panel = first; panel < last; panel++) {
      long j = panel * TILE_COLUMNS, width = least(TILE_COLUMNS, columns - j);
      int vectors = width <= LANES ? 1 : 2;
      for (long i = 0; i < rows; i += TILE_ROWS) {
        float *to_c = c + (i0 + i) * c_row + j;
        long height = least(TILE_ROWS, rows - i);
        if (height == TILE_ROWS && width == TILE_COLUMNS)
          tile(2, k, own + i * k, b + j * k, to_c, c_row, add);
        else if (height == TILE_ROWS && width == LANES)
          tile(1, k, own + i * k, b + j * k, to_c, c_row, add);
        else
          edge(vectors, height, width, k, own + i * k, b + j * k, to_c, c_row, add);
      }
    }
  }
}

long gemm_phases(long n, long k) {
  return 2 * ((n + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS) * ((k + BLOCK_DEPTH - 1) / BLOCK_DEPTH);
}

void gemm(const Team *team, long m, long n, long k, const float *a, long a_row, long a_column, const float *b, long b_row,
          long b_column, float *c, long c_row, int add) {
  long deep = (k + BLOCK_DEPTH - 1) / BLOCK_DEPTH, which = team->phase / 2;
  long j0 = which / deep * BLOCK_COLUMNS, p0 = which % deep * BLOCK_DEPTH;
  long columns = least(BLOCK_COLUMNS, n - j0), depth = least(BLOCK_DEPTH, k - p0);
  long strips = (m + TILE_ROWS - 1) / TILE_ROWS, panels = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  if (team->phase % 2 == 0) {
    for (long panel = team->index; panel < panels; panel += team->count) {
      long j = panel * TILE_COLUMNS, used = least(TILE_COLUMNS, columns - j);
      pack(team->shared + j * depth, used <= LANES ? LANES : TILE_COLUMNS, used, depth,
           b + p0 * b_row + (j0 + j) * b_column, b_column, b_row);
    }
    return;
  }
  // The longer side is split; never the sum over k.
  long from = 0, to = strips, first = 0, last = panels;
  if (strips >= panels)
    share(team, strips, 1, &from, &to);
  else
    share(team, panels, 1, &first, &last);
  block(team->own, from * TILE_ROWS, least(m, to * TILE_ROWS), first, last, columns, depth, a + p0 * a_column, a_row,
        a_column, team->shared, c + j0, c_row, add || p0 > 0);
}

INLINE void small_tile(const int rows, const int vectors, long k, const float *a, long a_row, long a_column,
                       const float *b, long b_row, float *c, long c_row, int add) {
  Vec acc[4][4];
  UNROLL(4) for (int i = 0; i < rows; i++)
    UNROLL(4) for (int v = 0; v < vectors; v++) acc[i][v] = add ? load(c + i * c_row + v * LANES) : (Vec){0};
  for (long p = 0; p < k; p++) {
    Vec row[4];
    UNROLL(4) for (int v = 0; v < vectors; v++) row[v] = load(b + p * b_row + v * LANES);
    UNROLL(4) for (int i = 0; i < rows; i++) {
      float scalar = a[i * a_row + p * a_column];
      UNROLL(4) for (int v = 0; v < vectors; v++) acc[i][v] += scalar * row[v];
    }
  }
  UNROLL(4) for (int i = 0; i < rows; i++)
    UNROLL(4) for (int v = 0; v < vectors; v++) store(c + i * c_row + v * LANES, acc[i][v]);
}

#if LANES == 16
#define SMALL_VECTORS 4
#else
#define SMALL_VECTORS 2
#endif

void gemm_small(long m, long n, long k, const float *a, long a_row, long a_column, const float *b, long b_row, float *c,
                long c_row, int add) {
  long j = 0;
  for (; j + SMALL_VECTORS * LANES <= n; j += SMALL_VECTORS * LANES) {
    long i = 0;
    for (; i + 4 <= m; i += 4)
      small_tile(4, SMALL_VECTORS, k, a + i * a_row, a_row, a_column, b + j, b_row, c + i * c_row + j, c_row, add);
    for (; i < m; i++)
      small_tile(1, SMALL_VECTORS, k, a + i * a_row, a_row, a_column, b + j, b_row, c + i * c_row + j, c_row, add);
  }
  for (; j + LANES <= n; j += LANES) {
    long i = 0;
    for (; i + 4 <= m; i += 4)
      small_tile(4, 1, k, a + i * a_row, a_row, a_column, b + j, b_row, c + i * c_row + j, c_row, add);
    for (; i < m; i++)
      small_tile(1, 1, k, a + i * a_row, a_row, a_column, b + j, b_row, c + i * c_row + j, c_row, add);
  }
  if (j < n) {
    long rest = n - j;
    for (long i = 0; i < m; i++) {
      Vec acc = add ? load_part(c + i * c_row + j, rest, 0) : (Vec){0};
      for (long p = 0; p < k; p++) acc += a[i * a_row + p * a_column] * load_part(b + p * b_row + j, rest, 0);
      store_part(c + i * c_row + j, acc, rest);
    }
  }
}
