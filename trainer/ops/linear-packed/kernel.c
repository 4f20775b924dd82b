#include "trainer/engines/cpu/kernel.h"

#define PANEL 64    // columns that lie side by side, as op.ts packs them
#define VECTORS 4   // of a row that are in registers at once
#if LANES == 16
#define TILE 6
#else
#define TILE 3
#endif
#define PRAGMA(x) _Pragma(#x)
#define UNROLL(n) PRAGMA(GCC unroll n)

// y[rows x VECTORS * LANES] = x[rows x in] panel. An element is one sum over `in`, in its order, whatever `rows` is.
static inline __attribute__((always_inline)) void tile(const int rows, long in, const float *x, const float *panel, float *y,
                                                       long out, long columns) {
  Vec acc[TILE][VECTORS] = {{{0}}};
  for (long k = 0; k < in; k++) {
    Vec w[VECTORS];
    UNROLL(4) for (int v = 0; v < VECTORS; v++) w[v] = load(panel + k * PANEL + v * LANES);
    UNROLL(6) for (int i = 0; i < rows; i++) {
      float scalar = x[i * in + k];
      UNROLL(4) for (int v = 0; v < VECTORS; v++) acc[i][v] += scalar * w[v];
    }
  }
  UNROLL(6) for (int i = 0; i < rows; i++)
    UNROLL(4) for (int v = 0; v < VECTORS; v++) {
      long left = columns - v * LANES;
      if (left >= LANES)
        store(y + i * out + v * LANES, acc[i][v]);
      else if (left > 0)
        store_part(y + i * out + v * LANES, acc[i][v], left);
    }
}

static void tiles(long rows, long in, const float *x, const float *panel, float *y, long out, long columns) {
  switch (rows) {
    case 1: tile(1, in, x, panel, y, out, columns); break;
    case 2: tile(2, in, x, panel, y, out, columns); break;
#if TILE == 6
    case 3: tile(3, in, x, panel, y, out, columns); break;
    case 4: tile(4, in, x, panel, y, out, columns); break;
    case 5: tile(5, in, x, panel, y, out, columns); break;
#endif
    default: tile(TILE, in, x, panel, y, out, columns);
  }
}

// y [N, O], x [N, I], w [ceil(O / 64), I, 64] · rows, out, in
void linear_packed(const Call *call, const Team *team) {
  float *y = F32(call, 0);
  const float *x = F32(call, 1), *w = F32(call, 2);
  long rows = LONG(call, 0), out = LONG(call, 1), in = LONG(call, 2), from, to;
  long panels = (out + PANEL - 1) / PANEL, groups = (rows + TILE - 1) / TILE;
  share(team, panels * groups, 1, &from, &to);
  for (long unit = from; unit < to; unit++) {
    long panel = unit / groups, i = unit % groups * TILE;
    long height = rows - i < TILE ? rows - i : TILE;
    for (long j = 0; j < PANEL && panel * PANEL + j < out; j += VECTORS * LANES)
      tiles(height, in, x + i * in, w + panel * PANEL * in + j, y + i * out + panel * PANEL + j, out,
            out - panel * PANEL - j);
  }
}
