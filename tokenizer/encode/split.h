// The three split patterns over UTF-8, one pre-token a call, in time linear in the text. split.ts is the twin.
#ifndef GARNER_SPLIT_H
#define GARNER_SPLIT_H
#include <stdint.h>
#include <string.h>

enum { WHITE_SPACE = 1, LETTER = 2, NUMBER = 4, UPPER_SIDE = 8, LOWER_SIDE = 16, MARK = 32 };
enum { SPLIT_GPT2 = 0, SPLIT_CL100K = 1, SPLIT_O200K = 2 };

// s [n] bytes; blocks [0x1100] and classes as classes.ts makes them.
typedef struct {
  const uint8_t *s;
  int64_t n;
  const uint16_t *blocks;
  const uint8_t *classes;
} text_t;

// Class of the character at i < n, and its length in bytes. A byte that is no UTF-8 is a character without class.
static inline int class_at(const text_t *t, int64_t i, int *length) {
  const uint8_t *s = t->s + i;
  int64_t left = t->n - i;
  uint32_t c = s[0];
  *length = 1;
  if (c < 0x80) return t->classes[c];
  if (c < 0xc0) return 0;
  if (c < 0xe0) {
    if (left < 2 || (s[1] & 0xc0) != 0x80) return 0;
    *length = 2;
    c = (c & 0x1f) << 6 | (s[1] & 0x3f);
  } else if (c < 0xf0) {
    if (left < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80) return 0;
    *length = 3;
    c = (c & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
  } else {
    if (left < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80) return 0;
    c = (c & 0x0f) << 18 | (uint32_t)(s[1] & 0x3f) << 12 | (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    if (c >= 0x110000) return 0;
    *length = 4;
  }
  return t->classes[(uint32_t)t->blocks[c >> 8] << 8 | (c & 0xff)];
}

// The end of the run of characters from i that have one of the bits in `any`.
static inline int64_t run_of(const text_t *t, int64_t i, int any) {
  int length;
  while (i < t->n && (class_at(t, i, &length) & any)) i += length;
  return i;
}

// The end of the run of characters from i that are neither white space, letters nor numbers.
static inline int64_t run_of_others(const text_t *t, int64_t i) {
  int length;
  while (i < t->n && !(class_at(t, i, &length) & (WHITE_SPACE | LETTER | NUMBER))) i += length;
  return i;
}

static inline int is_break(uint8_t c) { return c == '\r' || c == '\n'; }
static inline uint8_t byte_at(const text_t *t, int64_t i) { return i < t->n ? t->s[i] : 0; }

// \s*[\r\n]+ where `breaks`, then \s+(?!\S), then \s+. At i stands white space.
static int64_t end_of_space(const text_t *t, int64_t i, int breaks) {
  int64_t last = i, end = i, after_break = -1;
  int length;
  while (end < t->n && (class_at(t, end, &length) & WHITE_SPACE)) {
    last = end;
    end += length;
    if (is_break(t->s[last])) after_break = end;
  }
  if (breaks && after_break >= 0) return after_break;
  return end == t->n || last == i ? end : last;
}

// 's 't 're 've 'm 'll 'd in either case, and 'ſ (the Rust engine folds case by Unicode): length in bytes, 0 where there is none.
static int contraction(const text_t *t, int64_t i) {
  if (byte_at(t, i) != '\'') return 0;
  uint8_t a = byte_at(t, i + 1), b = byte_at(t, i + 2);
  if (a == 0xc5 && b == 0xbf) return 3;
  a |= 0x20, b |= 0x20;
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return 0;
}

static int64_t next_gpt2(const text_t *t, int64_t i) {
  uint8_t c = t->s[i];
  if (c == '\'') {
    uint8_t a = byte_at(t, i + 1), b = byte_at(t, i + 2);
    if (a == 's' || a == 'd' || a == 'm' || a == 't') return i + 2;
    if ((a == 'l' && b == 'l') || (a == 'v' && b == 'e') || (a == 'r' && b == 'e')) return i + 3;
  }
  int length, class = class_at(t, i, &length);
  int64_t start = i;
  if (c == ' ' && i + 1 < t->n) {
    int next = class_at(t, i + 1, &length);
    if (!(next & WHITE_SPACE)) class = next, start = i + 1;
  }
  if (class & LETTER) return run_of(t, start, LETTER);
  if (class & NUMBER) return run_of(t, start, NUMBER);
  if (!(class & WHITE_SPACE)) return run_of_others(t, start);
  return end_of_space(t, i, 0);
}

// \p{N}{1,3}; ` ?[^\s\p{L}\p{N}]+` with its tail of breaks (and slashes); white space. What cl100k and o200k share.
static int64_t next_without_letters(const text_t *t, int64_t i, int class, int slash) {
  int length;
  if (class & NUMBER) {
    int64_t end = i;
    for (int k = 0; k < 3 && end < t->n && (class_at(t, end, &length) & NUMBER); k++) end += length;
    return end;
  }
  int64_t start = i;
  if (t->s[i] == ' ' && i + 1 < t->n) {
    int next = class_at(t, i + 1, &length);
    if (!(next & WHITE_SPACE)) class = next, start = i + 1;
  }
  if (!(class & (WHITE_SPACE | LETTER | NUMBER))) {
    int64_t end = run_of_others(t, start);
    while (end < t->n && (is_break(t->s[end]) || (slash && t->s[end] == '/'))) end++;
    return end;
  }
  return end_of_space(t, i, 1);
}

static int64_t next_cl100k(const text_t *t, int64_t i) {
  int length, next_length;
  int shortened = contraction(t, i);
  if (shortened) return i + shortened;
  int class = class_at(t, i, &length);
  if (class & LETTER) return run_of(t, i, LETTER);
  if (!(class & NUMBER) && !is_break(t->s[i]) && i + length < t->n &&
      (class_at(t, i + length, &next_length) & LETTER))
    return run_of(t, i + length, LETTER);
  return next_without_letters(t, i, class, 0);
}

// The first letter branch of o200k, [upper side]*[lower side]+, from i: its end, or -1 where it fails.
// *upper_end: where the run of the upper side ends, which is the match of the second branch then.
static int64_t cased_word(const text_t *t, int64_t i, int64_t *upper_end) {
  int64_t end = i, both_end = -1;
  int length = 0, class = 0;
  while (end < t->n && ((class = class_at(t, end, &length)) & UPPER_SIDE)) {
    end += length;
    if (class & LOWER_SIDE) both_end = end;
  }
  *upper_end = end;
  if (end < t->n && (class & LOWER_SIDE)) return run_of(t, end, LOWER_SIDE);
  return both_end;
}

static int64_t next_o200k(const text_t *t, int64_t i) {
  int length, class = class_at(t, i, &length);
  int64_t end = -1, upper_end;
  if (class & LETTER) {
    end = cased_word(t, i, &upper_end);
    if (end < 0) end = upper_end;
  } else if (!(class & NUMBER) && !is_break(t->s[i])) {
    int64_t start = i + length;
    end = cased_word(t, start, &upper_end);
    // A lone mark may be the prefix or the word itself: the branches are tried in the order of the expression.
    if (end < 0 && (class & MARK)) end = cased_word(t, i, &upper_end);
    else if (end < 0 && upper_end > start) end = upper_end;
  }
  if (end >= 0) return end + contraction(t, end);
  return next_without_letters(t, i, class, 1);
}

// Where the pre-token that starts at i < n ends.
static inline int64_t next_piece(const text_t *t, int64_t i, int split) {
  return split == SPLIT_GPT2 ? next_gpt2(t, i) : split == SPLIT_CL100K ? next_cl100k(t, i) : next_o200k(t, i);
}

static inline uint64_t mix_words(uint64_t a, uint64_t b) {
  unsigned __int128 m = (unsigned __int128)a * b;
  return (uint64_t)m ^ (uint64_t)(m >> 64);
}

// A hash of a pre-token s [n >= 1] under a seed: eight bytes at a time, the last eight (or what there is) twice where they overlap.
static inline uint64_t hash_piece(const uint8_t *s, int64_t n, uint64_t seed) {
  uint64_t h = mix_words(seed ^ 0x9e3779b97f4a7c15ull, (uint64_t)n ^ 0x8ebc6af09c88c6e3ull), a;
  if (n >= 8) {
    for (int64_t i = 0; i + 8 < n; i += 8) {
      memcpy(&a, s + i, 8);
      h = mix_words(h ^ a, 0xa0761d6478bd642full);
    }
    memcpy(&a, s + n - 8, 8);
  } else if (n >= 4) {
    uint32_t low, high;
    memcpy(&low, s, 4), memcpy(&high, s + n - 4, 4);
    a = (uint64_t)high << 32 | low;
  } else {
    a = (uint64_t)s[0] << 16 | (uint64_t)s[n >> 1] << 8 | s[n - 1];
  }
  return mix_words(h ^ a, 0xe7037ed1a0b428dbull);
}
#endif
