// Ranks as threads over one mapping, for sanitizers: every call of the shared memory with sizes around its borders, in an
// order drawn from a seed, and all results compared. Usage: sanitized RANKS SEED one|own: one mapping for all, so that the thread
// sanitizer sees what they do to each other, or one each as processes have, closed at the end. Says how many calls were right.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trainer/collectives/shared-memory/world.h"

int32_t world_create(int64_t bytes);
void *world_map(int32_t fd, int64_t bytes);
void world_abort(void *base, int32_t rank, int32_t why);
int32_t world_reserve(World *w, void *at, int64_t bytes);
void world_close(World *w);
World *world_open(void *base, int32_t fd, const int64_t *layout, int32_t rank, int32_t polls, double patience);
Group *group_open(World *w, int32_t id, const int32_t *members, int32_t n, int32_t me);
int32_t group_number(World *w, int32_t count);
int32_t collective_begin(Group *g, int32_t call, int32_t type, const void *x, int64_t count, int64_t shape, int64_t *report);
int32_t collective_end(Group *g, int64_t s, void *x, const int64_t *edges, int64_t *report);
int32_t mail_send(Group *g, int32_t to, const float *x, int64_t count, int64_t *report);
int32_t mail_receive(Group *g, int32_t from, float *x, int64_t count, int64_t *report);

enum { CALLS = 80, MOST = 140001, FLOATS = 1000, LETTERS = 2, WINDOW = 1 << 21 };

static int n, fd, own;
static World *worlds[16];
static uint64_t seed;
static char *base;
static int64_t layout[12];
static _Atomic int32_t right;

#define MUST(x)                                                        \
  do {                                                                 \
    if (!(x)) {                                                        \
      fprintf(stderr, "line %d: %s\n", __LINE__, #x);                  \
      exit(1);                                                         \
    }                                                                  \
  } while (0)

static int64_t up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

static uint32_t draw(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}

// Whole numbers, so that sums are exact in any order.
static double value(int rank, int call, int64_t i) { return (double)((rank * 131 + call * 17 + i * 7) % 1000); }
static double get(const void *x, int type, int64_t i) { return type ? ((const double *)x)[i] : (double)((const float *)x)[i]; }
static void set(void *x, int type, int64_t i, double v) {
  if (type) ((double *)x)[i] = v;
  else ((float *)x)[i] = (float)v;
}

static double wanted(int kind, int call, int64_t i, int root, int owner) {
  if (kind == BROADCAST) return value(root, call, i);
  if (kind == ALL_GATHER) return value(owner, call, i);
  double all = value(0, call, i);
  for (int r = 1; r < n; r++) {
    double v = value(r, call, i);
    all = kind == MAX ? (v > all ? v : all) : all + v;
  }
  return all;
}

typedef struct {
  int kind, type, root, id;
  int64_t count, sequence, edges[17];
  void *x;
} Made;

// The same draws on every rank; where the buffer lies is each rank's own.
static Made plan(uint64_t *state, int call, int kind) {
  static const int64_t sizes[] = {0, 1, 15, 17, 1023, 1025, 2047, 2048, 2049, 4097, 65535, 65537, 131073, MOST};
  Made m = {.kind = kind, .id = call};
  m.count = kind == BARRIER ? 0 : sizes[draw(state) % (sizeof sizes / sizeof *sizes)];
  m.type = kind == START_SUM || kind == START_REDUCE_SCATTER ? 0 : (int)(draw(state) & 1);
  m.root = (int)(draw(state) % (uint32_t)n);
  for (int r = 1; r < n; r++) m.edges[r] = m.count ? (int64_t)(draw(state) % (uint32_t)(m.count + 1)) : 0;
  for (int a = 1; a < n; a++)
    for (int b = a; b > 1 && m.edges[b] < m.edges[b - 1]; b--) {
      int64_t t = m.edges[b];
      m.edges[b] = m.edges[b - 1], m.edges[b - 1] = t;
    }
  m.edges[n] = m.count;
  return m;
}

static void begin(Group *g, Made *m, void *x) {
  int64_t report[10];
  m->x = x;
  for (int64_t i = 0; i < m->count; i++) set(x, m->type, i, value(g->me, m->id, i));
  MUST(collective_begin(g, m->kind, m->type, x, m->count, m->kind == BROADCAST ? m->root : 7, report) == FINE);
  m->sequence = report[0];
}

static void end(Group *g, Made *m) {
  int64_t report[10];
  int cut = m->kind == REDUCE_SCATTER || m->kind == START_REDUCE_SCATTER || m->kind == ALL_GATHER;
  MUST(collective_end(g, m->sequence, m->x, cut ? m->edges : NULL, report) == FINE);
  int part = m->kind == REDUCE_SCATTER || m->kind == START_REDUCE_SCATTER;
  for (int64_t i = part ? m->edges[g->me] : 0; i < (part ? m->edges[g->me + 1] : m->count); i++) {
    int owner = 0;
    while (m->kind == ALL_GATHER && i >= m->edges[owner + 1]) owner++;
    MUST(get(m->x, m->type, i) == wanted(m->kind, m->id, i, m->root, owner));
  }
  right++;
}

static void letters(Group *g, int call) {
  int64_t report[10];
  float x[FLOATS];
  for (int k = 0; k < 3; k++) {
    for (int i = 0; i < FLOATS; i++) x[i] = (float)value(g->me, call + k, i);
    MUST(mail_send(g, (g->me + 1) % n, x, FLOATS - k, report) == FINE);
    int from = (g->me + n - 1) % n;
    MUST(mail_receive(g, from, x, FLOATS - k, report) == FINE);
    for (int i = 0; i < FLOATS - k; i++) MUST(x[i] == (float)value(from, call + k, i));
    right++;
  }
}

static void *rank_of(void *number) {
  int me = (int)(intptr_t)number;
  char *at = own ? world_map(fd, layout[7]) : base;
  MUST(at);
  World *w = worlds[me] = world_open(at, own ? dup(fd) : fd, layout, me, n == 2 ? 300 : 0, 60);
  MUST(w);
  // Over itself, so that the sanitizer sees the same addresses as the other ranks use.
  MUST(world_reserve(w, at + layout[5] + me * layout[6], WINDOW) == 0);
  int32_t members[16];
  for (int r = 0; r < n; r++) members[r] = r;
  Group *g = group_open(w, 0, members, n, me);
  MUST(g);
  uint64_t state = seed, mine = seed * 1000 + (uint64_t)me;
  int64_t report[10];
  char *inside = w->own;
  void *outside = malloc(WINDOW);
  MUST(outside);
  for (int call = 0; call < CALLS; call++) {
    int kind = (int)(draw(&state) % 10);
    if (kind == SEND || kind == RECEIVE) {
      letters(g, call);
    } else if (kind == START_SUM || kind == START_REDUCE_SCATTER) {
      // Several at once; they end in the order in which they began.
      Made some[5];
      int many = 2 + (int)(draw(&state) % 4);
      for (int k = 0; k < many; k++) {
        some[k] = plan(&state, call * 8 + k, kind);
        if (some[k].count > 60000) some[k].count = 60000 + k, some[k].edges[n] = some[k].count;
        for (int r = 1; r < n; r++)
          if (some[k].edges[r] > some[k].count) some[k].edges[r] = some[k].count;
        begin(g, &some[k], (draw(&mine) & 1 ? inside : (char *)outside) + k * 65536 * 4);
      }
      for (int k = 0; k < many; k++) end(g, &some[k]);
    } else {
      Made m = plan(&state, call * 8, kind);
      begin(g, &m, draw(&mine) % 3 ? inside + 64 * (draw(&mine) % 3) : outside);
      end(g, &m);
    }
  }
  // A rank that is elsewhere, then one that gives up: an answer on all, never a wait without end.
  float x[4] = {0};
  MUST(collective_begin(g, SUM, 0, x, me == n - 1 ? 3 : 4, 0, report) == FINE);
  MUST(collective_end(g, report[0], x, NULL, report) == MISMATCH);
  right++;
  if (me == 0) world_abort(at, 0, GAVE_UP);
  else {
    int32_t answer = collective_begin(g, BARRIER, 0, x, 0, 0, report);
    if (answer == FINE) answer = collective_end(g, report[0], x, NULL, report);
    MUST(answer == LOST && report[0] == 0 && report[1] == GAVE_UP);
  }
  right++;
  free(outside);
  if (own) world_close(w);
  return NULL;
}

int main(int argc, char **argv) {
  MUST(argc == 4);
  n = atoi(argv[1]), seed = strtoull(argv[2], NULL, 10), own = argv[3][1] == 'w';
  int64_t page = 4096, blocks = up(sizeof(Control), page);
  int64_t block = up((int64_t)sizeof(Block) + n * (64 * DEPTH + 2 * SMALL), page);
  int64_t bounces = blocks + 2 * block, mailboxes = bounces + n * (int64_t)BOUNCE;
  int64_t mailbox = up(128 + LETTERS * (64 + up(4 * FLOATS, 64)), page);
  int64_t windows = up(mailboxes + n * n * mailbox, WINDOW), bytes = windows + n * (int64_t)WINDOW;
  int64_t numbers[] = {blocks, block, bounces, mailboxes, mailbox, windows, WINDOW, bytes, n, FLOATS, LETTERS, 2};
  memcpy(layout, numbers, sizeof numbers);
  fd = world_create(bytes);
  MUST(fd >= 0 && world_allocate(fd, 0, blocks) == 0 && world_allocate(fd, bounces, n * (int64_t)BOUNCE) == 0);
  base = world_map(fd, bytes);
  MUST(base);
  pthread_t threads[16];
  for (int r = 0; r < n; r++) MUST(pthread_create(&threads[r], NULL, rank_of, (void *)(intptr_t)r) == 0);
  for (int r = 0; r < n; r++) pthread_join(threads[r], NULL);
  printf("%d calls\n", right);
  return 0;
}
