// Collectives over the shared memory. A call is begun by posting its header, and ended once the headers of all members are
// there: each member then works on its own part, straight from and to the others' buffers.
//
// Three ways, chosen by what all members see alike: small (the numbers go through the block of the group, one wait), direct
// (all buffers lie in the memory: wait, work, wait), staged (piece by piece through the bounce buffers, two waits a piece).
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "trainer/collectives/reduce.h"
#include "trainer/collectives/shared-memory/world.h"

Group *group_open(World *w, int32_t id, const int32_t *members, int32_t n, int32_t me) {
  Group *g = calloc(1, sizeof *g);
  if (!g) return NULL;
  int64_t at = w->layout.blocks + id * w->layout.block;
  int64_t headers = at + (int64_t)sizeof(Block), small = headers + (int64_t)sizeof(Header) * n * DEPTH;
  if (world_allocate(w->fd, at, small + 2 * (int64_t)n * SMALL - at)) {
    free(g);
    return NULL;
  }
  g->world = w;
  g->next = w->groups;
  w->groups = g;
  g->block = (Block *)(w->base + at);
  g->headers = (Header *)(w->base + headers);
  g->small = w->base + small;
  g->id = id, g->n = n, g->me = me;
  memcpy(g->members, members, sizeof *members * (size_t)n);
  return g;
}

// The number of the first of `count` free blocks; -1: there are not so many.
int32_t group_number(World *w, int32_t count) {
  Control *c = control_of(w);
  // Block 0 is the world's.
  uint32_t first = atomic_fetch_add(&c->next_group, (uint32_t)count) + 1;
  return first + (uint32_t)count > (uint32_t)w->layout.groups ? -1 : (int32_t)first;
}

static int slot_of(int64_t s) { return (int)((s - 1) % DEPTH); }
static uint32_t target_of(const Group *g, int64_t s) { return (uint32_t)g->n * (uint32_t)((s - 1) / DEPTH + 1); }
static Header *header_of(const Group *g, int r, int64_t s) { return &g->headers[r * DEPTH + slot_of(s)]; }
static int64_t width_of(const Header *h) { return h->type ? 8 : 4; }

static int not_arrived(const Wait *wait) {
  Group *g = wait->group;
  for (int r = 0; r < g->n; r++)
    if (header_of(g, r, wait->sequence)->sequence < wait->sequence) return g->members[r];
  return -1;
}

static int not_finished(const Wait *wait) {
  Group *g = wait->group;
  for (int r = 0; r < g->n; r++)
    if (header_of(g, r, wait->sequence)->finished < wait->sequence) return g->members[r];
  return -1;
}

static int not_at_round(const Wait *wait) {
  Group *g = wait->group;
  for (int r = 0; r < g->n; r++)
    if ((int32_t)(g->block->at[r].word - g->rounds) < 0) return g->members[r];
  return -1;
}

static void count_up(const Group *g, _Atomic uint32_t *word, uint32_t target) {
  if (atomic_fetch_add(word, 1) + 1 == target && g->n > 1) world_wake(word);
}

static int32_t wait_arrived(Group *g, int call, int64_t s, int64_t *report) {
  Wait wait = {&g->block->arrived[slot_of(s)].word, target_of(g, s), call, s, not_arrived, g, 0};
  return world_wait(g->world, &wait, report);
}

static int32_t wait_finished(Group *g, int call, int64_t s, int64_t *report) {
  Wait wait = {&g->block->finished[slot_of(s)].word, target_of(g, s), call, s, not_finished, g, 0};
  return world_wait(g->world, &wait, report);
}

static int32_t next_round(Group *g, int call, int64_t s, int64_t *report) {
  uint32_t target = ++g->rounds * (uint32_t)g->n;
  g->block->at[g->me].word = g->rounds;
  count_up(g, &g->block->rounds.word, target);
  Wait wait = {&g->block->rounds.word, target, call, s, not_at_round, g, 0};
  return world_wait(g->world, &wait, report);
}

// One wait, no matter where the buffer lies.
static int is_small(const Header *h) {
  return h->count * width_of(h) <= SMALL && h->call != START_SUM && h->call != START_REDUCE_SCATTER;
}

// The place of a member's numbers in a small call; two places take turns, so that nobody waits for readers: who comes to a
// call has read the one before.
static char *small_of(const Group *g, int r) { return g->small + (2 * r + (g->smalls & 1)) * SMALL; }

// Posts a call. FINE: its number is report[0].
int32_t collective_begin(Group *g, int32_t call, int32_t type, const void *x, int64_t count, int64_t shape, int64_t *report) {
  World *w = g->world;
  if (world_lost(w, report, 0)) return LOST;
  if (g->open >= DEPTH) return TOO_MANY;
  int64_t s = g->sequence + 1;
  int32_t answer;
  if (s > DEPTH && (answer = wait_finished(g, call, s - DEPTH, report))) return answer;
  Header *h = header_of(g, g->me, s);
  h->call = call, h->type = type, h->count = count, h->shape = shape;
  int64_t at = (const char *)x - w->own;
  int inside = w->own && at >= 0 && at + count * width_of(h) <= w->reserved;
  h->offset = inside ? w->layout.windows + w->rank * w->layout.window + at : -1;
  g->sequence = s;
  g->open++;
  if (is_small(h)) {
    g->smalls++;
    if (count) memcpy(small_of(g, g->me), x, (size_t)(count * width_of(h)));
  }
  h->sequence = s;
  count_up(g, &g->block->arrived[slot_of(s)].word, target_of(g, s));
  report[0] = s;
  return FINE;
}

static int differs(const Header *a, const Header *b) {
  return a->call != b->call || a->type != b->type || a->count != b->count || a->shape != b->shape;
}

static void tell_side(const Group *g, int r, const Header *h, int64_t *side) {
  side[0] = g->members[r], side[1] = h->call, side[2] = h->type, side[3] = h->count, side[4] = h->shape;
}

static int64_t clamp(int64_t i, int64_t from, int64_t to) { return i < from ? from : i > to ? to : i; }

// The part of places from … to of everybody's numbers that this member works on. p: where place `from` of each member lies;
// out: where the results of this member go, other than for sums and maxima, which go to all.
static void work(const Group *g, const Header *h, char *const *p, char *out, int64_t from, int64_t to, const int64_t *edges, int all) {
  int64_t width = width_of(h);
  if (h->call == SUM || h->call == MAX || h->call == START_SUM) {
    // Whole cache lines, so that two members never write to one.
    int64_t slice = ((to - from) / g->n + 15) & ~(int64_t)15;
    int64_t a = all ? 0 : clamp(slice * g->me, 0, to - from);
    int64_t b = all || g->me == g->n - 1 ? to - from : clamp(a + slice, 0, to - from);
    reduce(p, g->n, all ? &out : p, all ? 1 : g->n, a, b, h->type, h->call == MAX);
  } else if (h->call == REDUCE_SCATTER || h->call == START_REDUCE_SCATTER) {
    int64_t a = clamp(edges[g->me], from, to), b = clamp(edges[g->me + 1], from, to);
    reduce(p, g->n, &out, 1, a - from, b - from, h->type, 0);
  } else if (h->call == ALL_GATHER) {
    for (int i = 1; i < g->n; i++) {
      int r = (g->me + i) % g->n;
      int64_t a = clamp(edges[r], from, to), b = clamp(edges[r + 1], from, to);
      if (b > a) memcpy(out + (a - from) * width, p[r] + (a - from) * width, (size_t)((b - a) * width));
    }
  } else if (h->call == BROADCAST && g->me != h->shape && to > from) {
    memcpy(out, p[h->shape], (size_t)((to - from) * width));
  }
}

static char *bounce_of(const Group *g, int r) {
  return g->world->base + g->world->layout.bounces + (int64_t)g->members[r] * BOUNCE;
}

static int32_t run_staged(Group *g, const Header *h, char *x, const int64_t *edges, int64_t *report) {
  int64_t width = width_of(h), most = BOUNCE / width;
  char *mine = bounce_of(g, g->me);
  int32_t answer;
  for (int64_t from = 0; from < h->count; from += most) {
    int64_t to = clamp(from + most, 0, h->count);
    int copies = h->offset < 0;
    char *p[MOST_RANKS];
    for (int r = 0; r < g->n; r++) {
      int64_t offset = header_of(g, r, h->sequence)->offset;
      p[r] = offset < 0 ? bounce_of(g, r) : g->world->base + offset + from * width;
    }
    if (copies) memcpy(mine, x + from * width, (size_t)((to - from) * width));
    if ((answer = next_round(g, h->call, h->sequence, report))) return answer;
    work(g, h, p, p[g->me], from, to, edges, 0);
    if ((answer = next_round(g, h->call, h->sequence, report))) return answer;
    if (copies) memcpy(x + from * width, mine, (size_t)((to - from) * width));
  }
  return FINE;
}

// Ends call number s: waits for its members, works, and waits until nobody needs x any more.
int32_t collective_end(Group *g, int64_t s, void *x, const int64_t *edges, int64_t *report) {
  Header *h = header_of(g, g->me, s);
  int32_t answer = wait_arrived(g, h->call, s, report);
  if (answer) return answer;
  char *p[MOST_RANKS];
  int staged = 0;
  for (int r = 0; r < g->n; r++) {
    Header *other = header_of(g, r, s);
    if (differs(other, header_of(g, 0, s))) {
      tell_side(g, r, other, report);
      tell_side(g, 0, header_of(g, 0, s), report + 5);
      return MISMATCH;
    }
    if (other->offset < 0) staged = 1;
    p[r] = g->world->base + other->offset;
  }
  int small = is_small(h);
  if (small) {
    for (int r = 0; r < g->n; r++) p[r] = small_of(g, r);
    work(g, h, p, x, 0, h->count, edges, 1);
  } else if (staged) {
    if ((answer = run_staged(g, h, x, edges, report))) return answer;
  } else {
    work(g, h, p, p[g->me], 0, h->count, edges, 0);
  }
  h->finished = s;
  count_up(g, &g->block->finished[slot_of(s)].word, target_of(g, s));
  g->open--;
  // Of a broadcast only the root's numbers are read.
  if (small || staged || (h->call == BROADCAST && g->me != h->shape)) return FINE;
  return wait_finished(g, h->call, s, report);
}

static int peer_of(const Wait *wait) { return wait->peer; }

static Mailbox *mailbox(World *w, int from, int to, char *opened) {
  int64_t at = w->layout.mailboxes + ((int64_t)from * w->layout.ranks + to) * w->layout.mailbox;
  if (!*opened && world_allocate(w->fd, at, w->layout.mailbox)) return NULL;
  *opened = 1;
  return (Mailbox *)(w->base + at);
}

static int64_t *letter_of(const World *w, Mailbox *box, uint32_t number) {
  int64_t bytes = 64 + ((4 * (int64_t)w->layout.floats + 63) & ~(int64_t)63);
  return (int64_t *)((char *)(box + 1) + number % (uint32_t)w->layout.depth * bytes);
}

// Leaves `count` floats for member `to`; waits while its mailbox is full.
int32_t mail_send(Group *g, int32_t to, const float *x, int64_t count, int64_t *report) {
  World *w = g->world;
  if (world_lost(w, report, 0)) return LOST;
  int peer = g->members[to];
  Mailbox *box = mailbox(w, w->rank, peer, &w->sends[peer]);
  if (!box) return NO_MEMORY;
  uint32_t number = box->written.word;
  Wait wait = {&box->read.word, number + 1 - (uint32_t)w->layout.depth, SEND, number + 1, peer_of, g, peer};
  int32_t answer = world_wait(w, &wait, report);
  if (answer) return answer;
  int64_t *letter = letter_of(w, box, number);
  letter[0] = count, letter[1] = g->id;
  if (count) memcpy(letter + 8, x, sizeof *x * (size_t)count);
  box->written.word = number + 1;
  world_wake(&box->written.word);
  return FINE;
}

// MISMATCH: report holds number, count and group of the letter that lies there, and this group.
int32_t mail_receive(Group *g, int32_t from, float *x, int64_t count, int64_t *report) {
  World *w = g->world;
  if (world_lost(w, report, 0)) return LOST;
  int peer = g->members[from];
  Mailbox *box = mailbox(w, peer, w->rank, &w->receives[peer]);
  if (!box) return NO_MEMORY;
  uint32_t number = box->read.word;
  Wait wait = {&box->written.word, number + 1, RECEIVE, number + 1, peer_of, g, peer};
  int32_t answer = world_wait(w, &wait, report);
  if (answer) return answer;
  int64_t *letter = letter_of(w, box, number);
  if (letter[0] != count || letter[1] != g->id) {
    report[0] = number + 1, report[1] = letter[0], report[2] = letter[1], report[3] = g->id;
    return MISMATCH;
  }
  if (count) memcpy(x, letter + 8, sizeof *x * (size_t)count);
  box->read.word = number + 1;
  world_wake(&box->read.word);
  return FINE;
}
