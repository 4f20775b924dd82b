#include "trainer/collectives/reduce.h"

#include <string.h>

enum { PIECE = 1024, MOST_LISTS = 4096, LEVELS = 13 };

#define PLUS(a, b) ((a) + (b))
#define GREATER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))

// The left half is the greatest power of two below n; scratch holds one piece a level.
#define TREE(name, T, JOIN)                                                                    \
  static void name(char *const *from, int n, int64_t i, int length, T *restrict out, T *restrict scratch) { \
    const T *a = (const T *)from[0] + i;                                                       \
    if (n == 1) {                                                                              \
      memcpy(out, a, sizeof(T) * (size_t)length);                                              \
      return;                                                                                  \
    }                                                                                          \
    if (n == 2) {                                                                              \
      const T *b = (const T *)from[1] + i;                                                     \
      for (int k = 0; k < length; k++) out[k] = JOIN(a[k], b[k]);                              \
      return;                                                                                  \
    }                                                                                          \
    int left = 1;                                                                              \
    while (left * 2 < n) left *= 2;                                                            \
    name(from, left, i, length, out, scratch);                                                 \
    name(from + left, n - left, i, length, scratch, scratch + PIECE);                          \
    for (int k = 0; k < length; k++) out[k] = JOIN(out[k], scratch[k]);                        \
  }

TREE(sum_floats, float, PLUS)
TREE(sum_doubles, double, PLUS)
TREE(max_floats, float, GREATER)
TREE(max_doubles, double, GREATER)

void reduce(char *const *from, int n, char *const *out, int outs, int64_t a, int64_t b, int type, int max) {
  double pieces[LEVELS + 1][PIECE];
  int64_t width = type ? 8 : 4;
  for (int64_t i = a; i < b; i += PIECE) {
    int length = b - i < PIECE ? (int)(b - i) : PIECE;
    if (type) (max ? max_doubles : sum_doubles)(from, n, i, length, pieces[0], pieces[1]);
    else (max ? max_floats : sum_floats)(from, n, i, length, (float *)pieces[0], (float *)pieces[1]);
    for (int r = 0; r < outs; r++) memcpy(out[r] + i * width, pieces[0], (size_t)(length * width));
  }
}

// Adds (max: the greatest of) n lists of `count` numbers, list r at scratch + r · stride numbers but list `me` at own, to own.
void reduce_strided(char *scratch, int64_t stride, int32_t n, int32_t me, char *own, int64_t count, int32_t type, int32_t max) {
  char *lists[MOST_LISTS];
  for (int r = 0; r < n; r++) lists[r] = r == me ? own : scratch + r * stride * (type ? 8 : 4);
  reduce(lists, n, &own, 1, 0, count, type, max);
}
