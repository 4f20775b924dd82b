// Byte-level BPE training: count distinct pre-tokens, then merge the most frequent pair again and again. twin.ts makes the
// same merges. Ties: the greatest count, then the smaller left id, then the smaller right id.
#include "tokenizer/encode/split.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NONE 0xffffffffu
#define FULL (-1)          // memory is short
#define LONGEST (1 << 20)  // a longer pre-token is counted in pieces of this size [bytes]

typedef struct { uint64_t hash; int64_t count; uint32_t offset, length; } piece_t;
typedef struct { int64_t count; uint64_t key; uint32_t pair; } entry_t;   // key: left << 32 | right

typedef struct {
  // Counting: distinct pre-tokens, found by hash.
  uint8_t *bytes;
  piece_t *pieces;
  uint32_t *slots;   // 1 + index into pieces, 0 empty
  int64_t used, room, count, capacity, slot_count;
  int64_t text_bytes, seen, forgotten;
  uint64_t seed;     // unforeseeable, so that no text can be made whose pre-tokens all fall on one slot; no output depends on it
  // Merging. A place is a byte of `bytes`; a token stands at the place of its first byte.
  uint32_t *symbol, *next, *prev, *pair_at, *piece_of;
  int64_t *weight;            // [pieces] how often the pre-token occurs
  uint32_t *left, *right;     // [pairs] ids
  int64_t *total, *begin;     // [pairs] how often it occurs now; where its places begin in `pool`
  uint32_t *length;           // [pairs] places, gone ones too
  int64_t pairs, pair_room;
  uint32_t *pool;
  int64_t pool_used, pool_room;
  uint32_t *events;           // (pair, place) of one merge
  int64_t event_room;
  entry_t *heap;
  int64_t heap_size, heap_room;
  uint32_t *left_of, *right_of;   // [ids] the pair (id, new) and (new, id) of the present merge, NONE if not met
  int64_t id_room;
  int64_t tokens, made;
} trainer_t;

static int grow(void **array, int64_t *room, int64_t wanted, size_t width) {
  if (wanted <= *room) return 0;
  int64_t more = *room < 1024 ? 1024 : *room;
  while (more < wanted) more += more / 2;
  void *bigger = realloc(*array, (size_t)more * width);
  if (!bigger) return FULL;
  *array = bigger, *room = more;
  return 0;
}

void *train_open(void) {
  struct timespec now;
  trainer_t *t = calloc(1, sizeof(trainer_t));
  clock_gettime(CLOCK_REALTIME, &now);
  if (t) t->seed = mix_words((uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)t, (uint64_t)now.tv_sec ^ 0xa0761d6478bd642full);
  return t;
}

void train_close(void *handle) {
  trainer_t *t = handle;
  void *all[] = {t->bytes, t->pieces, t->slots, t->symbol, t->next, t->prev, t->pair_at, t->piece_of, t->weight, t->left,
                 t->right, t->total, t->begin, t->length, t->pool, t->events, t->heap, t->left_of, t->right_of};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free(t);
}

static int rehash(trainer_t *t, int64_t slot_count) {
  uint32_t *slots = calloc((size_t)slot_count, sizeof *slots);
  if (!slots) return FULL;
  for (int64_t p = 0; p < t->count; p++) {
    int64_t i = (int64_t)(t->pieces[p].hash & (uint64_t)(slot_count - 1));
    while (slots[i]) i = (i + 1) & (slot_count - 1);
    slots[i] = (uint32_t)p + 1;
  }
  free(t->slots);
  t->slots = slots, t->slot_count = slot_count;
  return 0;
}

// Forgets the rarest pre-tokens until half of the limit is free again.
static int forget(trainer_t *t, int64_t limit) {
  for (int64_t rare = 1; t->used > limit / 2; rare *= 2) {
    int64_t kept = 0, used = 0;
    for (int64_t p = 0; p < t->count; p++) {
      piece_t piece = t->pieces[p];
      if (piece.count <= rare) continue;
      memmove(t->bytes + used, t->bytes + piece.offset, piece.length);
      piece.offset = (uint32_t)used, used += piece.length;
      t->pieces[kept++] = piece;
    }
    t->forgotten += t->count - kept, t->count = kept, t->used = used;
  }
  return rehash(t, t->slot_count);
}

static int count_piece(trainer_t *t, const uint8_t *s, int64_t n, int64_t limit) {
  t->seen++;
  uint64_t hash = hash_piece(s, n, t->seed), mask = (uint64_t)t->slot_count - 1, i = hash & mask;
  for (; t->slots[i]; i = (i + 1) & mask) {
    piece_t *p = t->pieces + t->slots[i] - 1;
    if (p->hash == hash && p->length == n && memcmp(t->bytes + p->offset, s, (size_t)n) == 0) {
      p->count++;
      return 0;
    }
  }
  if (grow((void **)&t->bytes, &t->room, t->used + n, 1)) return FULL;
  if (grow((void **)&t->pieces, &t->capacity, t->count + 1, sizeof *t->pieces)) return FULL;
  memcpy(t->bytes + t->used, s, (size_t)n);
  t->pieces[t->count] = (piece_t){hash, 1, (uint32_t)t->used, (uint32_t)n};
  t->slots[i] = (uint32_t)++t->count;
  t->used += n;
  if (t->used > limit) return forget(t, limit);
  return 2 * t->count > t->slot_count ? rehash(t, 2 * t->slot_count) : 0;
}

// Counts the pre-tokens of a text s [n]. limit: bytes of distinct pre-tokens that are held, under 2^31.
int32_t train_add(void *handle, const uint8_t *s, int64_t n, int32_t split, const uint16_t *blocks,
                  const uint8_t *classes, int64_t limit) {
  trainer_t *t = handle;
  text_t text = {s, n, blocks, classes};
  if (!t->slots && rehash(t, 1 << 16)) return FULL;
  t->text_bytes += n;
  for (int64_t i = 0; i < n;) {
    int64_t end = next_piece(&text, i, split);
    for (; end - i > LONGEST; i += LONGEST)
      if (count_piece(t, s + i, LONGEST, limit)) return FULL;
    if (count_piece(t, s + i, end - i, limit)) return FULL;
    i = end;
  }
  return 0;
}

static inline int comes_first(const entry_t *a, const entry_t *b) {
  return a->count > b->count || (a->count == b->count && a->key < b->key);
}

static void sift_down(entry_t *heap, int64_t n, int64_t i) {
  entry_t x = heap[i];
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && comes_first(heap + child + 1, heap + child)) child++;
    if (!comes_first(heap + child, &x)) break;
    heap[i] = heap[child];
  }
  heap[i] = x;
}

static int push(trainer_t *t, uint32_t pair) {
  if (grow((void **)&t->heap, &t->heap_room, t->heap_size + 1, sizeof *t->heap)) return FULL;
  entry_t x = {t->total[pair], (uint64_t)t->left[pair] << 32 | t->right[pair], pair};
  int64_t i = t->heap_size++;
  for (int64_t up; i > 0 && comes_first(&x, t->heap + (up = (i - 1) / 2)); i = up) t->heap[i] = t->heap[up];
  t->heap[i] = x;
  return 0;
}

static uint32_t new_pair(trainer_t *t, uint32_t left, uint32_t right) {
  if (t->pairs == t->pair_room) {
    int64_t room = t->pair_room, more = room;
    if (grow((void **)&t->left, &more, room + 1, sizeof *t->left)) return NONE;
    if (more = room, grow((void **)&t->right, &more, room + 1, sizeof *t->right)) return NONE;
    if (more = room, grow((void **)&t->total, &more, room + 1, sizeof *t->total)) return NONE;
    if (more = room, grow((void **)&t->begin, &more, room + 1, sizeof *t->begin)) return NONE;
    if (more = room, grow((void **)&t->length, &more, room + 1, sizeof *t->length)) return NONE;
    t->pair_room = more;
  }
  uint32_t p = (uint32_t)t->pairs++;
  t->left[p] = left, t->right[p] = right, t->total[p] = 0, t->length[p] = 0;
  return p;
}

// Ends the counting and lays out the places. Returns 0, or -1 where memory is short.
int32_t train_begin(void *handle) {
  trainer_t *t = handle;
  size_t n = (size_t)t->used + 1;
  free(t->slots), t->slots = NULL;
  t->symbol = malloc(n * 4), t->next = malloc(n * 4), t->prev = malloc(n * 4), t->pair_at = malloc(n * 4);
  t->piece_of = malloc(n * 4), t->pool = malloc(n * 4), t->pool_room = (int64_t)n;
  t->weight = malloc(((size_t)t->count + 1) * sizeof *t->weight);
  uint32_t *first = malloc(65536 * sizeof *first);
  int failed = !t->symbol || !t->next || !t->prev || !t->pair_at || !t->piece_of || !t->pool || !t->weight || !first;
  if (!failed) memset(first, 0xff, 65536 * sizeof *first);
  for (int64_t p = 0; !failed && p < t->count; p++) {
    piece_t piece = t->pieces[p];
    t->weight[p] = piece.count;
    t->tokens += piece.count * piece.length;
    for (uint32_t k = 0; k < piece.length; k++) {
      uint32_t at = piece.offset + k;
      t->symbol[at] = t->bytes[at], t->piece_of[at] = (uint32_t)p, t->pair_at[at] = NONE;
      t->prev[at] = k == 0 ? NONE : at - 1;
      t->next[at] = k + 1 == piece.length ? NONE : at + 1;
      if (k + 1 == piece.length) continue;
      uint32_t *pair = first + ((uint32_t)t->bytes[at] << 8 | t->bytes[at + 1]);
      if (*pair == NONE && (*pair = new_pair(t, t->bytes[at], t->bytes[at + 1])) == NONE) {
        failed = 1;
        break;
      }
      t->pair_at[at] = *pair, t->total[*pair] += piece.count, t->length[*pair]++;
    }
  }
  free(first);
  if (failed) return FULL;
  for (int64_t p = 0; p < t->pairs; p++) t->begin[p] = t->pool_used, t->pool_used += t->length[p], t->length[p] = 0;
  for (int64_t at = 0; at < t->used; at++) {
    uint32_t p = t->pair_at[at];
    if (p != NONE) t->pool[t->begin[p] + t->length[p]++] = (uint32_t)at;
  }
  for (int64_t p = 0; p < t->pairs; p++)
    if (push(t, (uint32_t)p)) return FULL;
  return 0;
}

// Replaces every place of `pair` by the token z and notes the pairs that arise, in ascending order of place.
static int64_t replace(trainer_t *t, uint32_t pair, uint32_t z) {
  int64_t events = 0;
  for (uint32_t k = 0; k < t->length[pair]; k++) {
    uint32_t at = t->pool[t->begin[pair] + k];
    if (t->pair_at[at] != pair) continue;   // swallowed by another token since
    uint32_t gone = t->next[at], after = t->next[gone], before = t->prev[at];
    int64_t weight = t->weight[t->piece_of[at]];
    t->symbol[at] = z, t->next[at] = after, t->pair_at[at] = NONE, t->tokens -= weight;
    if (grow((void **)&t->events, &t->event_room, 2 * events + 4, sizeof *t->events)) return FULL;
    if (before != NONE) {
      uint32_t *p = t->left_of + t->symbol[before];
      t->total[t->pair_at[before]] -= weight;
      if (*p == NONE && (*p = new_pair(t, t->symbol[before], z)) == NONE) return FULL;
      t->pair_at[before] = *p, t->total[*p] += weight, t->length[*p]++;
      t->events[2 * events] = *p, t->events[2 * events++ + 1] = before;
    }
    if (after != NONE) {
      uint32_t *p = t->right_of + t->symbol[after];
      t->prev[after] = at;
      t->total[t->pair_at[gone]] -= weight;
      if (*p == NONE && (*p = new_pair(t, z, t->symbol[after])) == NONE) return FULL;
      t->pair_at[at] = *p, t->total[*p] += weight, t->length[*p]++;
      t->events[2 * events] = *p, t->events[2 * events++ + 1] = at;
    }
    t->pair_at[gone] = NONE;
  }
  return events;
}

// Gives the pairs from `from` on their lists of places, and a place in the heap.
static int enlist(trainer_t *t, int64_t from, int64_t events) {
  if (grow((void **)&t->pool, &t->pool_room, t->pool_used + events, sizeof *t->pool)) return FULL;
  for (int64_t p = from; p < t->pairs; p++) t->begin[p] = t->pool_used, t->pool_used += t->length[p], t->length[p] = 0;
  for (int64_t e = 0; e < events; e++) {
    uint32_t p = t->events[2 * e], at = t->events[2 * e + 1];
    if (t->pair_at[at] == p) t->pool[t->begin[p] + t->length[p]++] = at;
  }
  for (int64_t p = from; p < t->pairs; p++) {
    // Ids beyond this merge's are never looked up under these names again.
    t->left_of[t->left[p]] = NONE, t->right_of[t->right[p]] = NONE;
    if (t->total[p] > 0 && push(t, (uint32_t)p)) return FULL;
  }
  return 0;
}

// merges [2 * most] <- left and right of the next merges, counts [most] <- how often each pair occurred. Returns how many were
// made: fewer than `most` where no pair is left; -1 where memory is short.
int64_t train_merge(void *handle, uint32_t *merges, double *counts, int64_t most) {
  trainer_t *t = handle;
  int64_t ids = 256 + t->made + most, room = t->id_room;
  if (grow((void **)&t->left_of, &room, ids, sizeof *t->left_of)) return FULL;
  room = t->id_room;
  if (grow((void **)&t->right_of, &room, ids, sizeof *t->right_of)) return FULL;
  for (; t->id_room < room; t->id_room++) t->left_of[t->id_room] = t->right_of[t->id_room] = NONE;
  for (int64_t step = 0; step < most;) {
    if (t->heap_size == 0) return step;
    entry_t best = t->heap[0];
    int64_t now = t->total[best.pair];
    if (now != best.count) {   // counts only fall: the pair goes down to where it belongs now
      if (now > 0) t->heap[0].count = now;
      else t->heap[0] = t->heap[--t->heap_size];
      if (t->heap_size > 0) sift_down(t->heap, t->heap_size, 0);
      continue;
    }
    t->heap[0] = t->heap[--t->heap_size];
    if (t->heap_size > 0) sift_down(t->heap, t->heap_size, 0);
    merges[2 * step] = t->left[best.pair], merges[2 * step + 1] = t->right[best.pair], counts[step] = (double)now;
    step++;
    int64_t from = t->pairs;
    int64_t events = replace(t, best.pair, (uint32_t)(256 + t->made++));
    if (events < 0 || enlist(t, from, events)) return FULL;
    t->total[best.pair] = 0;
  }
  return most;
}

// out [6]: bytes of text, pre-tokens, distinct ones, their bytes, tokens that the text has now, distinct ones forgotten.
void train_figures(void *handle, double *out) {
  trainer_t *t = handle;
  double figures[] = {(double)t->text_bytes, (double)t->seen, (double)t->count, (double)t->used, (double)t->tokens,
                      (double)t->forgotten};
  memcpy(out, figures, sizeof figures);
}
