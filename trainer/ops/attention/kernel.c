// Causal attention inside documents. Vectors run over queries: the largest score, the sum and the rescaling of the online
// softmax (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao 2023, arXiv:2307.08691) are then plain vector operations.
#include "trainer/engines/cpu/kernel.h"

#define QUERIES 64  // of a block; scores lie as [keys, queries]
#define KEYS 64
#define STEP 16     // keys that share a first query in a block on the diagonal

// to[d][i] = from[i][d] for i < n, zero up to QUERIES
static void turn(float *to, const float *from, long row, long n, long size) {
  transpose(to, QUERIES, from, row, n, size);
  if (n < QUERIES)
    for (long d = 0; d < size; d++) memset(to + d * QUERIES + n, 0, (size_t)(QUERIES - n) * sizeof(float));
}

// The first query of the block that sees key j, rounded down to whole vectors.
static inline long first_lane(long j, long i0) { return j <= i0 ? 0 : (j - i0) / LANES * LANES; }

typedef struct {
  long i0, n;                // queries i0 .. i0 + n
  int32_t query[QUERIES] __attribute__((aligned(64)));
  int32_t start[QUERIES] __attribute__((aligned(64)));  // the first key of each; of queries that are none, beyond all keys
  long begin;                // the first key of the block
} Block;

static Block open_block(const int32_t *starts, long i0, long length) {
  Block b = {.i0 = i0, .n = length - i0 < QUERIES ? length - i0 : QUERIES};
  for (long i = 0; i < QUERIES; i++) {
    b.query[i] = (int32_t)(i0 + i);
    b.start[i] = i < b.n ? starts[i0 + i] : INT32_MAX;
  }
  b.begin = b.start[0];
  return b;
}

// Whether keys j0 .. j0 + n need no mask: every query sees them all.
static inline int whole(const Block *b, long j0, long n) {
  return j0 + n - 1 <= b->i0 && b->start[QUERIES - 1] <= j0;
}

static inline VecI sees(const Block *b, long j, long lane) {
  VecI query, start;
  memcpy(&query, b->query + lane, sizeof query);
  memcpy(&start, b->start + lane, sizeof start);
  return (query >= (int32_t)j) & (start <= (int32_t)j);
}

static inline Vec only(Vec v, VecI mask) { return (Vec)((VecI)v & mask); }

// o [B T, H Q], lse [B H T], q [B T, H Q], k, v [B T, G Q], starts [B T] · batch, length, heads, groups, size
void attention_forward(const Call *call, const Team *team) {
  float *o = F32(call, 0), *lse = F32(call, 1);
  const float *q = F32(call, 2), *k = F32(call, 3), *v = F32(call, 4);
  const int32_t *starts = I32(call, 5);
  long batch = LONG(call, 0), length = LONG(call, 1), heads = LONG(call, 2), groups = LONG(call, 3), size = LONG(call, 4);
  long blocks = (length + QUERIES - 1) / QUERIES, row = heads * size, kv_row = groups * size;
  float *qt = team->own, *ot = qt + size * QUERIES, *s = ot + size * QUERIES;
  float scale = (float)(1 / sqrt((double)size));
  for (long unit = team->index; unit < batch * heads * blocks; unit += team->count) {
    long which = unit / blocks, b = which / heads, h = which % heads;
    long i0 = (unit + which) % blocks * QUERIES;  // shifted, so that a thread does not always get the long ones
    Block block = open_block(starts + b * length, i0, length);
    const float *keys = k + b * length * kv_row + h / (heads / groups) * size;
    const float *values = v + (keys - k);
    turn(qt, q + (b * length + i0) * row + h * size, row, block.n, size);
    for (long at = 0; at < size * QUERIES; at += LANES) store(qt + at, load(qt + at) * scale);
    memset(ot, 0, (size_t)(size * QUERIES) * sizeof(float));
    float most[QUERIES] __attribute__((aligned(64))), total[QUERIES] __attribute__((aligned(64)));
    for (long i = 0; i < QUERIES; i++) most[i] = -INFINITY, total[i] = 0;
    for (long j0 = block.begin; j0 < i0 + block.n; j0 += KEYS) {
      long n = i0 + block.n - j0 < KEYS ? i0 + block.n - j0 : KEYS;
      int clear = whole(&block, j0, n);
      for (long j = 0, step = clear ? n : STEP; j < n; j += step) {
        long lane = clear ? 0 : first_lane(j0 + j, i0), m = n - j < step ? n - j : step;
        gemm_small(m, QUERIES - lane, size, keys + (j0 + j) * kv_row, kv_row, 1, qt + lane, QUERIES,
                   s + j * QUERIES + lane, QUERIES, 0);
      }
      for (long lane = 0; lane < QUERIES; lane += LANES) {
        long last = n;  // keys from here on, in whole steps, are seen by no query of this vector
        if (!clear && i0 + lane + LANES - j0 < n) {
          last = i0 + lane + LANES - j0;
          if (last <= 0) continue;
          last = (last + STEP - 1) / STEP * STEP;
          if (last > n) last = n;
        }
        Vec before = load(most + lane), now = before;
        for (long j = 0; j < last; j++) {
          Vec score = load(s + j * QUERIES + lane);
          if (!clear) {
            VecI mask = sees(&block, j0 + j, lane);
            score = (Vec)(((VecI)score & mask) | ((VecI)splat(-INFINITY) & ~mask));
            store(s + j * QUERIES + lane, score);
          }
          now = larger(score, now);
        }
        Vec base = only(now, now > -INFINITY);  // a query that has seen no key yet
        Vec added = {0};
        for (long j = 0; j < last; j++) {
          Vec score = load(s + j * QUERIES + lane), p = vexp(score - base);
          if (!clear) p = only(p, score != -INFINITY);
          store(s + j * QUERIES + lane, p);
          added += p;
        }
        Vec fade = vexp(before - base);
        store(total + lane, load(total + lane) * fade + added);
        store(most + lane, now);
        if (j0 > block.begin)
          for (long d = 0; d < size; d++) store(ot + d * QUERIES + lane, load(ot + d * QUERIES + lane) * fade);
      }
      for (long j = 0, step = clear ? n : STEP; j < n; j += step) {
        long lane = clear ? 0 : first_lane(j0 + j, i0), m = n - j < step ? n - j : step;
        // lanes past the diagonal inside a vector were masked to zero; whole vectors before it are left out
        gemm_small(size, QUERIES - lane, m, values + (j0 + j) * kv_row, 1, kv_row, s + j * QUERIES + lane, QUERIES,
                   ot + lane, QUERIES, 1);
      }
    }
    for (long i = 0; i < QUERIES; i++) {
      if (i < block.n) lse[which * length + i0 + i] = most[i] + logf(total[i]);
      total[i] = total[i] == 0 ? 0 : 1 / total[i];
    }
    for (long d = 0; d < size; d++)
      for (long lane = 0; lane < QUERIES; lane += LANES) {
        float *p = ot + d * QUERIES + lane;
        store(p, load(p) * load(total + lane));
      }
    transpose(o + (b * length + i0) * row + h * size, row, ot, QUERIES, size, block.n);
  }
}

// dq [B T, H Q], dk, dv [B T, G Q], do, o [B T, H Q], lse [B H T], q, k, v, starts · batch, length, heads, groups, size
// One piece has a group of heads of one row: dk and dv are written by nobody else.
void attention_backward(const Call *call, const Team *team) {
  float *dq = F32(call, 0), *dk = F32(call, 1), *dv = F32(call, 2);
  const float *grad = F32(call, 3), *o = F32(call, 4), *lse = F32(call, 5), *q = F32(call, 6), *k = F32(call, 7),
              *v = F32(call, 8);
  const int32_t *starts = I32(call, 9);
  long batch = LONG(call, 0), length = LONG(call, 1), heads = LONG(call, 2), groups = LONG(call, 3), size = LONG(call, 4);
  long row = heads * size, kv_row = groups * size, of_group = heads / groups;
  float *qt = team->own, *dot = qt + size * QUERIES, *dqt = dot + size * QUERIES, *p = dqt + size * QUERIES,
        *ds = p + KEYS * QUERIES;
  float scale = (float)(1 / sqrt((double)size));
  for (long unit = team->index; unit < batch * groups; unit += team->count) {
    long b = unit / groups, group = unit % groups, kv_at = b * length * kv_row + group * size;
    const float *keys = k + kv_at, *values = v + kv_at;
    for (long j = 0; j < length; j++) {
      if (!ADDS(call, 1)) memset(dk + kv_at + j * kv_row, 0, (size_t)size * sizeof(float));
      if (!ADDS(call, 2)) memset(dv + kv_at + j * kv_row, 0, (size_t)size * sizeof(float));
    }
    for (long h = group * of_group; h < (group + 1) * of_group; h++)
      for (long i0 = 0; i0 < length; i0 += QUERIES) {
        Block block = open_block(starts + b * length, i0, length);
        long at = (b * length + i0) * row + h * size;
        turn(qt, q + at, row, block.n, size);
        turn(dot, grad + at, row, block.n, size);
        turn(dqt, o + at, row, block.n, size);
        float level[QUERIES] __attribute__((aligned(64))) = {0}, delta[QUERIES] __attribute__((aligned(64))) = {0};
        for (long i = 0; i < block.n; i++) level[i] = lse[(b * heads + h) * length + i0 + i];
        for (long d = 0; d < size; d++)
          for (long l = 0; l < QUERIES; l += LANES)
            store(delta + l, load(delta + l) + load(dot + d * QUERIES + l) * load(dqt + d * QUERIES + l));
        memset(dqt, 0, (size_t)(size * QUERIES) * sizeof(float));
        for (long j0 = block.begin; j0 < i0 + block.n; j0 += KEYS) {
          long n = i0 + block.n - j0 < KEYS ? i0 + block.n - j0 : KEYS;
          int clear = whole(&block, j0, n);
          for (long j = 0, step = clear ? n : STEP; j < n; j += step) {
            long lane = clear ? 0 : first_lane(j0 + j, i0), m = n - j < step ? n - j : step, key = (j0 + j) * kv_row;
            float *p0 = p + j * QUERIES, *ds0 = ds + j * QUERIES;
            gemm_small(m, QUERIES - lane, size, keys + key, kv_row, 1, qt + lane, QUERIES, p0 + lane, QUERIES, 0);
            gemm_small(m, QUERIES - lane, size, values + key, kv_row, 1, dot + lane, QUERIES, ds0 + lane, QUERIES, 0);
            for (long jj = 0; jj < m; jj++)
              for (long l = lane; l < QUERIES; l += LANES) {
                float *pp = p0 + jj * QUERIES + l, *dd = ds0 + jj * QUERIES + l;
                Vec prob = vexp(load(pp) * scale - load(level + l));
                Vec slope = prob * (load(dd) - load(delta + l)) * scale;
                if (!clear) {
                  VecI mask = sees(&block, j0 + j + jj, l);
                  prob = only(prob, mask);
                  slope = only(slope, mask);
                }
                store(pp, prob);
                store(dd, slope);
              }
            long left = block.n - lane;
            if (left <= 0) continue;
            gemm_small(m, size, left, p0 + lane, QUERIES, 1, grad + at + lane * row, row, dv + kv_at + key, kv_row, 1);
            gemm_small(m, size, left, ds0 + lane, QUERIES, 1, q + at + lane * row, row, dk + kv_at + key, kv_row, 1);
            gemm_small(size, QUERIES - lane, m, keys + key, 1, kv_row, ds0 + lane, QUERIES, dqt + lane, QUERIES, 1);
          }
        }
        if (!ADDS(call, 0)) {
          transpose(dq + at, row, dqt, QUERIES, size, block.n);
          continue;
        }
        for (long i = 0; i < block.n; i++)
          for (long d = 0; d < size; d++) dq[at + i * row + d] += dqt[d * QUERIES + i];
      }
  }
}

long attention_cached_phases(const Call *call) {
  (void)call;
  return 2;
}

#define BLOCK 64  // keys of the cache that lie side by side

// scores -> exp(score * scale - most), zero from n to the end of a block; returns their sum
static float weights_of(float *s, long n, float scale) {
  Vec most = splat(-INFINITY), total = {0};
  for (long j = 0; j < n; j += LANES) most = larger(n - j < LANES ? load_part(s + j, n - j, -INFINITY) : load(s + j), most);
  float top = greatest(most) * scale;
  for (long j = 0; j < n; j += LANES) {
    Vec p = vexp(load(s + j) * scale - top);
    if (n - j < LANES) p = load_part((const float *)&p, n - j, 0);
    store(s + j, p);
    total += p;
  }
  return sum(total);
}

// o [N, H Q], keys [S, G, P / 64, Q, 64], values [S, G, P, Q] (the cache), q [N, H Q], k, v [N, G Q], slots, positions [N]
// · rows, heads, groups, size, room
void attention_cached(const Call *call, const Team *team) {
  float *o = F32(call, 0), *keys = F32(call, 1), *values = F32(call, 2);
  const float *q = F32(call, 3), *k = F32(call, 4), *v = F32(call, 5);
  const int32_t *slots = I32(call, 6), *positions = I32(call, 7);
  long rows = LONG(call, 0), heads = LONG(call, 1), groups = LONG(call, 2), size = LONG(call, 3), room = LONG(call, 4);
  long of_group = heads / groups, from, to;
  share(team, rows * groups, 1, &from, &to);
  for (long unit = from; unit < to; unit++) {
    long i = unit / groups, at = positions[i], n = at + 1;
    long cache = (slots[i] * groups + unit % groups) * room * size;
    if (team->phase == 0) {
      float *block = keys + cache + at / BLOCK * BLOCK * size + at % BLOCK;
      for (long d = 0; d < size; d++) block[d * BLOCK] = k[unit * size + d];
      memcpy(values + cache + at * size, v + unit * size, (size_t)size * sizeof(float));
      continue;
    }
    const float *query = q + unit * of_group * size;
    float *s = team->own, *out = o + unit * of_group * size;
    for (long j = 0; j < n; j += BLOCK)
      gemm_small(of_group, BLOCK, size, query, size, 1, keys + cache + j * size, BLOCK, s + j, room, 0);
    float total[of_group];
    for (long h = 0; h < of_group; h++)
      total[h] = weights_of(s + h * room, n, (float)(1 / sqrt((double)size)));
    gemm_small(of_group, size, n, s, room, 1, values + cache, size, out, size, 0);
    for (long h = 0; h < of_group; h++)
      for (long d = 0; d < size; d++) out[h * size + d] /= total[h];
  }
}
