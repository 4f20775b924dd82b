// Text to token ids: split (split.h), look the pre-token up, else merge its bytes. twin.ts gives the same ids.
#include "tokenizer/encode/split.h"
#include <stdlib.h>
#include <string.h>

#define NONE 0xffffffffu
#define ID_BITS 21           // ids and priorities are packed with their pair into one word of 64 bits
#define PRIORITY_BITS 22
#define MISSING 0x1fffffu    // the id of a byte that the vocabulary lacks; no token has it
#define EMPTY 0xffffffffffffffffull
#define SHORT 128   // pieces up to here are merged by scanning, longer ones with a queue [bytes]
#define CACHE_KEY 24
#define CACHE_IDS 7

typedef struct { uint32_t hash, id; } word_t;                    // an empty slot has id NONE
typedef struct { uint64_t hash; uint8_t length, count, unused[2]; uint32_t ids[CACHE_IDS]; uint8_t key[CACHE_KEY]; } slot_t;

// All tables belong to the caller. The number of slots of each is a power of two; *_bits is its logarithm.
typedef struct {
  const uint32_t *byte_ids;     // [256] MISSING where the vocabulary lacks a byte
  const uint32_t *first;        // [65536] priority of the merge of two single bytes, or NONE
  const uint64_t *pairs;        // all merges: left, right, priority; EMPTY elsewhere
  int pair_bits;
  const uint32_t *filter;       // bits of the pairs' hashes: most pairs are no merge, and this says so from a nearer cache
  const uint32_t *made;         // id that a merge makes, by its priority; null where that is the priority itself
  const word_t *words;          // pre-tokens that are one token
  int word_bits;
  const uint8_t *bytes;         // the tokens' bytes in a row,
  const uint32_t *offsets;      // and where each begins [vocabulary + 1]
} model_t;

static inline uint64_t hash_pair(uint64_t key, int bits) { return key * 0x9e3779b97f4a7c15ull >> (64 - bits); }
static inline uint64_t filter_bit(uint64_t key, int bits) { return hash_pair(key, bits + 2); }

// Priority of the merge of two ids, or NONE.
static inline uint32_t find_pair(const model_t *m, uint32_t left, uint32_t right) {
  uint64_t mask = ((uint64_t)1 << m->pair_bits) - 1, key = (uint64_t)left << ID_BITS | right;
  uint64_t bit = filter_bit(key, m->pair_bits);
  if (!(m->filter[bit >> 5] >> (bit & 31) & 1)) return NONE;
  for (uint64_t i = hash_pair(key, m->pair_bits);; i = (i + 1) & mask) {
    uint64_t p = m->pairs[i];
    if (p == EMPTY) return NONE;
    if (p >> PRIORITY_BITS == key) return (uint32_t)p & ((1u << PRIORITY_BITS) - 1);
  }
}

static inline uint32_t made_by(const model_t *m, uint32_t priority) { return m->made ? m->made[priority] : priority; }

static inline uint32_t find_word(const model_t *m, const uint8_t *s, int64_t n, uint64_t hash) {
  uint64_t mask = ((uint64_t)1 << m->word_bits) - 1;
  for (uint64_t i = hash & mask;; i = (i + 1) & mask) {
    word_t w = m->words[i];
    if (w.id == NONE) return NONE;
    if (w.hash == (uint32_t)(hash >> 32) && m->offsets[w.id + 1] - m->offsets[w.id] == n &&
        memcmp(m->bytes + m->offsets[w.id], s, (size_t)n) == 0)
      return w.id;
  }
}

// A pair's priority and its place in one number, so that the least of them names both. 7 bits hold a place < SHORT.
static inline uint32_t keyed(uint32_t priority, int place) { return priority == NONE ? NONE : priority << 7 | (uint32_t)place; }

// The leftmost pair of the lowest priority is merged until none is left. n <= SHORT.
static int64_t merge_short(const model_t *m, const uint8_t *s, int n, uint32_t *out) {
  uint32_t ids[SHORT], keys[SHORT + 16];
  uint8_t next[SHORT + 1], prev[SHORT + 1];
  for (int i = 0; i < n; i++) ids[i] = m->byte_ids[s[i]], next[i] = (uint8_t)(i + 1), prev[i] = (uint8_t)(i - 1);
  for (int i = 0; i + 1 < n; i++) keys[i] = keyed(m->first[(uint32_t)s[i] << 8 | s[i + 1]], i);
  int lanes = (n - 1 + 15) & ~15, count = n;
  for (int i = n - 1; i < lanes; i++) keys[i] = NONE;
  for (;;) {
    uint32_t best = NONE;
    for (int i = 0; i < lanes; i++) best = keys[i] < best ? keys[i] : best;
    if (best == NONE) break;
    int place = best & (SHORT - 1), gone = next[place], after = next[gone], before = prev[place];
    ids[place] = made_by(m, best >> 7);
    keys[place] = keys[gone] = NONE;
    next[place] = (uint8_t)after, prev[after] = (uint8_t)place;
    count--;
    if (after < n) keys[place] = keyed(find_pair(m, ids[place], ids[after]), place);
    if (place > 0) keys[before] = keyed(find_pair(m, ids[before], ids[place]), before);
  }
  for (int i = 0, k = 0; k < count; i = next[i]) out[k++] = ids[i];
  return count;
}

static void sift_down(uint64_t *heap, int64_t n, int64_t i) {
  uint64_t x = heap[i];
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && heap[child + 1] < heap[child]) child++;
    if (heap[child] >= x) break;
    heap[i] = heap[child];
  }
  heap[i] = x;
}

// What is still to be merged, as priority << 32 | place. Numbers that come in ascending order, as they do in a run of one
// letter, wait in a ring and cost nothing; the others, and those beyond its room, wait in a heap.
typedef struct { uint64_t *ring, *heap, last; int64_t room, head, waiting, size, heap_room; int failed; } queue_t;

static void push(queue_t *q, uint32_t priority, int64_t place) {
  if (priority == NONE) return;
  uint64_t x = (uint64_t)priority << 32 | (uint64_t)place;
  if (q->waiting == 0 || (x >= q->last && q->waiting < q->room)) {
    int64_t at = q->head + q->waiting++;
    q->ring[at < q->room ? at : at - q->room] = q->last = x;
    return;
  }
  if (q->size == q->heap_room) {
    int64_t room = q->heap_room ? 2 * q->heap_room : 1024;
    uint64_t *bigger = realloc(q->heap, (size_t)room * sizeof *bigger);
    if (!bigger) {
      q->failed = 1;
      return;
    }
    q->heap = bigger, q->heap_room = room;
  }
  int64_t i = q->size++;
  for (int64_t up; i > 0 && q->heap[up = (i - 1) / 2] > x; i = up) q->heap[i] = q->heap[up];
  q->heap[i] = x;
}

static uint64_t pop(queue_t *q) {
  if (q->size == 0 || (q->waiting > 0 && q->ring[q->head] <= q->heap[0])) {
    uint64_t x = q->ring[q->head++];
    if (q->head == q->room) q->head = 0;
    q->waiting--;
    return x;
  }
  uint64_t x = q->heap[0];
  q->heap[0] = q->heap[--q->size];
  if (q->size > 0) sift_down(q->heap, q->size, 0);
  return x;
}

// The same over a linked list with a queue: n log n at most. -1 where memory is short.
static int64_t merge_long(const model_t *m, const uint8_t *s, int64_t n, uint32_t *out) {
  uint32_t *ids = malloc((size_t)n * 4 * sizeof(uint32_t));
  queue_t q = {.ring = malloc((size_t)n * sizeof(uint64_t)), .room = n};
  if (!ids || !q.ring) {
    free(ids), free(q.ring);
    return -1;
  }
  uint32_t *priority = ids + n, *next = priority + n, *prev = next + n;
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) {
    ids[i] = m->byte_ids[s[i]], next[i] = (uint32_t)i + 1, prev[i] = (uint32_t)i - 1;
    priority[i] = i + 1 < n ? m->first[(uint32_t)s[i] << 8 | s[i + 1]] : NONE;
    push(&q, priority[i], i);
  }
  while (q.size > 0 || q.waiting > 0) {
    uint64_t best = pop(&q);
    uint32_t place = (uint32_t)best, wanted = (uint32_t)(best >> 32);
    if (priority[place] != wanted) continue;   // the pair that stood there is gone
    uint32_t gone = next[place], after = next[gone], before = prev[place];
    ids[place] = made_by(m, wanted);
    priority[gone] = priority[place] = NONE;
    next[place] = after;
    if (before != NONE) push(&q, priority[before] = find_pair(m, ids[before], ids[place]), before);
    if (after < n) {
      prev[after] = place;
      push(&q, priority[place] = find_pair(m, ids[place], ids[after]), place);
    }
  }
  for (int64_t i = 0; i < n; i = next[i]) out[count++] = ids[i];
  free(ids), free(q.ring), free(q.heap);
  return q.failed ? -1 : count;
}

static int64_t merge(const model_t *m, const uint8_t *s, int64_t n, uint32_t *out) {
  return n <= SHORT ? merge_short(m, s, (int)n, out) : merge_long(m, s, n, out);
}

// out [n] <- ids of s [n]; returns how many, or -1 where memory is short. A byte that the vocabulary lacks gives nothing.
int64_t encode(uint32_t *out, const uint8_t *s, int64_t n, int32_t split, const uint16_t *blocks, const uint8_t *classes,
               const uint32_t *byte_ids, const uint32_t *first, const uint32_t *pairs, int32_t pair_bits,
               const uint32_t *filter, const uint32_t *made, const uint32_t *words, int32_t word_bits,
               const uint8_t *bytes, const uint32_t *offsets, uint8_t *cache, int32_t cache_bits) {
  text_t text = {s, n, blocks, classes};
  model_t model = {byte_ids, first, (const uint64_t *)pairs, pair_bits, filter, made, (const word_t *)words,
                   word_bits, bytes, offsets};
  slot_t *slots = (slot_t *)cache;
  uint64_t slot_mask = ((uint64_t)1 << cache_bits) - 1;
  int64_t count = 0;
  for (int64_t i = 0, end; i < n; i = end) {
    end = next_piece(&text, i, split);
    int64_t length = end - i;
    const uint8_t *piece = s + i;
    uint64_t hash = hash_piece(piece, length, 0);
    uint32_t word = find_word(&model, piece, length, hash);
    if (word != NONE) {
      out[count++] = word;
      continue;
    }
    slot_t *slot = slots + ((hash >> 20) & slot_mask);
    if (length <= CACHE_KEY && slot->hash == hash && slot->length == length && memcmp(slot->key, piece, (size_t)length) == 0) {
      memcpy(out + count, slot->ids, slot->count * sizeof(uint32_t));
      count += slot->count;
      continue;
    }
    int64_t got = merge(&model, piece, length, out + count);
    if (got < 0) return -1;
    int64_t kept = 0;
    for (int64_t k = 0; k < got; k++)
      if (out[count + k] != MISSING) out[count + kept++] = out[count + k];
    if (length <= CACHE_KEY && kept <= CACHE_IDS) {
      slot->hash = hash, slot->length = (uint8_t)length, slot->count = (uint8_t)kept;
      memcpy(slot->key, piece, (size_t)length);
      memcpy(slot->ids, out + count, (size_t)kept * sizeof(uint32_t));
    }
    count += kept;
  }
  return count;
}

static void add_pair(uint64_t *pairs, int bits, uint32_t *filter, uint32_t left, uint32_t right, uint32_t priority) {
  uint64_t mask = ((uint64_t)1 << bits) - 1, key = (uint64_t)left << ID_BITS | right, i = hash_pair(key, bits);
  for (; pairs[i] != EMPTY; i = (i + 1) & mask)
    if (pairs[i] >> PRIORITY_BITS == key) return;   // the first of two equal merges counts
  pairs[i] = key << PRIORITY_BITS | priority;
  uint64_t bit = filter_bit(key, bits);
  filter[bit >> 5] |= 1u << (bit & 31);
}

// pairs [2 << pair_bits], all bits set, and filter [1 << pair_bits >> 3], all bits clear <- merges [3 * count] of (left,
// right, merged) in order of priority.
void index_merges(uint32_t *pairs, int32_t pair_bits, uint32_t *filter, const uint32_t *merges, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    add_pair((uint64_t *)pairs, pair_bits, filter, merges[3 * i], merges[3 * i + 1], (uint32_t)i);
}

// Every two tokens whose bytes in a row are a token: how many there are; written as merges with the id as priority
// where pair_bits > 0. words must hold all tokens.
int64_t index_ranks(uint32_t *pairs, int32_t pair_bits, uint32_t *filter, const uint32_t *words, int32_t word_bits, const uint8_t *bytes,
                    const uint32_t *offsets, int64_t vocabulary) {
  model_t m = {0, 0, 0, 0, 0, 0, (const word_t *)words, word_bits, bytes, offsets};
  int64_t count = 0;
  for (int64_t id = 0; id < vocabulary; id++) {
    const uint8_t *s = bytes + offsets[id];
    int64_t n = offsets[id + 1] - offsets[id];
    for (int64_t cut = 1; cut < n; cut++) {
      uint32_t left = find_word(&m, s, cut, hash_piece(s, cut, 0));
      if (left == NONE) continue;
      uint32_t right = find_word(&m, s + cut, n - cut, hash_piece(s + cut, n - cut, 0));
      if (right == NONE) continue;
      count++;
      if (pair_bits > 0) add_pair((uint64_t *)pairs, pair_bits, filter, left, right, (uint32_t)id);
    }
  }
  return count;
}

// first [65536] <- priority of the merge of every two bytes.
void index_bytes(uint32_t *first, const uint32_t *byte_ids, const uint32_t *pairs, int32_t pair_bits,
                 const uint32_t *filter) {
  model_t m = {byte_ids, 0, (const uint64_t *)pairs, pair_bits, filter, 0, 0, 0, 0, 0};
  for (int i = 0; i < 65536; i++) first[i] = find_pair(&m, byte_ids[i >> 8], byte_ids[i & 255]);
}

// words [2 << word_bits], filled with NONE <- the tokens that a pre-token can be as a whole: all of them, or, where
// `verify`, those to which the merges lead. Returns 0, or -1 where memory is short.
int32_t index_words(uint32_t *words, int32_t word_bits, const uint32_t *byte_ids, const uint32_t *first,
                    const uint32_t *pairs, int32_t pair_bits, const uint32_t *filter, const uint32_t *made, const uint8_t *bytes,
                    const uint32_t *offsets, int64_t vocabulary, int32_t verify) {
  model_t m = {byte_ids, first, (const uint64_t *)pairs, pair_bits, filter, made, (const word_t *)words, word_bits, bytes, offsets};
  uint64_t mask = ((uint64_t)1 << word_bits) - 1;
  uint32_t longest = 1;
  for (int64_t id = 0; id < vocabulary; id++)
    if (offsets[id + 1] - offsets[id] > longest) longest = offsets[id + 1] - offsets[id];
  uint32_t *out = malloc(longest * sizeof(uint32_t));
  if (!out) return -1;
  for (int64_t id = 0; id < vocabulary; id++) {
    const uint8_t *s = bytes + offsets[id];
    int64_t n = offsets[id + 1] - offsets[id];
    if (n == 0) continue;
    if (verify) {
      int64_t got = merge(&m, s, n, out);
      if (got < 0) {
        free(out);
        return -1;
      }
      if (got != 1 || out[0] != id) continue;
    }
    uint64_t hash = hash_piece(s, n, 0), i = hash & mask;
    word_t *w = (word_t *)words;
    while (w[i].id != NONE) i = (i + 1) & mask;
    w[i] = (word_t){(uint32_t)(hash >> 32), (uint32_t)id};
  }
  free(out);
  return 0;
}
