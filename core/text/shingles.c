// Text to shingle hashes, and text to its bare letters. shingles.ts has the same in TypeScript, bit for bit.
#include <stdint.h>
#include <stddef.h>

enum { SPACE, IDEOGRAPH, WORD, VISIBLE, IGNORABLE, APOSTROPHE };
enum { WIDTH = 5 };

typedef struct { uint32_t a, b; } Token;

static inline uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static inline uint32_t finish(uint32_t h) {
  h ^= h >> 16; h *= 0x85ebca6bu;
  h ^= h >> 13; h *= 0xc2b2ae35u;
  return h ^ h >> 16;
}

static inline int64_t pair(const uint16_t *units, int64_t n, int64_t at) {
  uint16_t high = units[at];
  if ((high & 0xfc00) != 0xd800 || at + 1 >= n || (units[at + 1] & 0xfc00) != 0xdc00) return -1;
  return 0x10000 + ((int64_t)(high & 0x3ff) << 10 | (units[at + 1] & 0x3ff));
}

static inline uint8_t class_at(const uint16_t *units, int64_t n, int64_t at, const uint8_t *classes, int *size) {
  int64_t code = pair(units, n, at);
  *size = code < 0 ? 1 : 2;
  return classes[code < 0 ? units[at] : code];
}

// The lanes mix with each other: a * x carries upwards only, so the low lane must know the high one.
static inline uint64_t shingle(const Token *last, int64_t first, int count) {
  uint32_t a = count, b = ~(uint32_t)count;
  for (int i = 0; i < count; i++) {
    Token t = last[(first + i) & 7];
    a = (a + t.a) * 0x9e3779b1u;
    b = (b + t.b) * 0x846ca68bu;
  }
  a ^= rotate(b, 13); a *= 0x9e3779b1u; a ^= a >> 15;
  b ^= a;             b *= 0x85ebca77u; b ^= b >> 13;
  a ^= rotate(b, 7);  a *= 0xc2b2ae3du; a ^= a >> 16;
  b ^= rotate(a, 17);
  return (uint64_t)a << 32 | b;
}

// Shingles of n code units to out (room for n); returns how many. A text of 1 to 4 tokens has one shingle.
int64_t garner_shingles(const uint16_t *units, int64_t n, const uint8_t *classes, uint64_t *out) {
  Token last[8];
  int64_t tokens = 0, made = 0;
  for (int64_t i = 0; i < n;) {
    int size;
    uint8_t class = class_at(units, n, i, classes, &size);
    if (class == SPACE || class >= IGNORABLE) { i += size; continue; }
    uint32_t a = 0x811c9dc5u, b = 0x2f0b4a27u;
    uint8_t first = class;
    do {
      for (int k = 0; k < size; k++) {
        a = (a ^ units[i + k]) * 0x01000193u;
        b = (rotate(b, 5) ^ units[i + k]) * 0x5bd1e995u;
      }
      i += size;
      if (first != WORD || i >= n) break;
      class = class_at(units, n, i, classes, &size);
      // Ignorable characters, and an apostrophe with a letter after it, are passed over inside a word.
      while (class >= IGNORABLE) {
        int64_t next = i + size;
        int next_size = 1;
        uint8_t next_class = next < n ? class_at(units, n, next, classes, &next_size) : SPACE;
        if (class == APOSTROPHE && next_class != WORD) break;
        i = next; size = next_size; class = next_class;
      }
    } while (class == WORD);
    last[tokens & 7] = (Token){finish(a), finish(b)};
    if (++tokens >= WIDTH) out[made++] = shingle(last, tokens - WIDTH, WIDTH);
  }
  if (tokens > 0 && tokens < WIDTH) out[made++] = shingle(last, 0, (int)tokens);
  return made;
}

// Keeps the code units whose code point has class 1; writes them to out (room for n), returns how many.
int64_t garner_letters(const uint16_t *units, int64_t n, const uint8_t *classes, uint16_t *out) {
  int64_t made = 0;
  for (int64_t i = 0; i < n;) {
    int size;
    uint8_t keep = class_at(units, n, i, classes, &size);
    for (int k = 0; k < size; k++, i++) if (keep) out[made++] = units[i];
  }
  return made;
}

// Sorts n values by their bytes and drops repeats; scratch has room for n. Returns how many are left.
int64_t garner_sort_distinct(uint64_t *values, int64_t n, uint64_t *scratch) {
  uint64_t *from = values, *to = scratch;
  if (n < 64) {
    for (int64_t i = 1; i < n; i++) {
      uint64_t v = values[i];
      int64_t j = i;
      for (; j > 0 && values[j - 1] > v; j--) values[j] = values[j - 1];
      values[j] = v;
    }
  } else {
    for (int shift = 0; shift < 64; shift += 8) {
      int64_t starts[256] = {0};
      for (int64_t i = 0; i < n; i++) starts[from[i] >> shift & 255]++;
      int64_t sum = 0;
      for (int d = 0; d < 256; d++) { int64_t count = starts[d]; starts[d] = sum; sum += count; }
      for (int64_t i = 0; i < n; i++) to[starts[from[i] >> shift & 255]++] = from[i];
      uint64_t *swap = from; from = to; to = swap;
    }
  }
  int64_t made = 0;
  for (int64_t i = 0; i < n; i++) if (i == 0 || values[i] != values[i - 1]) values[made++] = values[i];
  return made;
}
