// Runs the kernels over random and hostile bytes in buffers of exactly their size, built with address and undefined-
// behaviour sanitizers. Arguments: a file with `blocks` [0x1100 × 2 bytes] and then `classes`. Ends with 0 where all is well.
#include "tokenizer/encode/encode.c"
#undef NONE
#define push push_of_train
#define sift_down sift_down_of_train
#include "tokenizer/train/train.c"
#include <stdio.h>

static uint32_t state = 1;
static uint32_t below(uint32_t n) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state % n;
}

// Bytes of one of six kinds in a buffer of exactly n.
static uint8_t *text(int64_t n, int kind) {
  static const char *letters = "abAB'sl \n\r/1!";
  uint8_t *s = malloc(n > 0 ? (size_t)n : 1);
  for (int64_t i = 0; i < n; i++)
    s[i] = kind == 0   ? (uint8_t)below(256)
           : kind == 1 ? (uint8_t)letters[below(13)]
           : kind == 2 ? (uint8_t)(0xc0 + below(64))
           : kind == 3 ? (uint8_t)(below(3) ? 0x80 + below(64) : 0xe0 + below(32))
           : kind == 4 ? 'a'
                       : (uint8_t)"\xe4\xb8\xad\xef\xbc\x8c"[i % 6];
  return s;
}

int main(int argc, char **argv) {
  FILE *f = argc == 2 ? fopen(argv[1], "rb") : 0;
  if (!f) return 2;
  fseek(f, 0, SEEK_END);
  size_t size = (size_t)ftell(f), class_bytes = size - 0x1100 * 2;
  uint16_t *blocks = malloc(0x1100 * 2);
  uint8_t *classes = malloc(class_bytes);
  rewind(f);
  if (fread(blocks, 2, 0x1100, f) != 0x1100 || fread(classes, 1, class_bytes, f) != class_bytes) return 2;
  fclose(f);

  for (int split = 0; split < 3; split++) {
    enum { MERGES = 700 };
    uint32_t *merges = malloc(2 * MERGES * 4);
    double *counts = malloc(MERGES * 8), figures[6];
    trainer_t *t = train_open();
    for (int k = 0; k < 120; k++) {
      int64_t n = below(k < 100 ? 300 : 20000);
      uint8_t *s = text(n, k % 6);
      if (train_add(t, s, n, split, blocks, classes, k < 60 ? 1 << 20 : 30000)) return 3;
      free(s);
    }
    if (train_begin(t)) return 3;
    int64_t made_count = train_merge(t, merges, counts, MERGES / 2);
    made_count += train_merge(t, merges + 2 * made_count, counts + made_count, MERGES - made_count);
    train_figures(t, figures);
    train_close(t);

    int64_t vocabulary = 256 + made_count;
    uint32_t *offsets = malloc(((size_t)vocabulary + 1) * 4), *triples = malloc((size_t)made_count * 12),
             *made = malloc((size_t)made_count * 4), byte_ids[256];
    uint8_t *bytes = malloc(1 << 22);
    offsets[0] = 0;
    for (int64_t id = 0; id < vocabulary; id++) {
      uint8_t *to = bytes + offsets[id];
      if (id < 256) {
        byte_ids[id] = id == 33 ? MISSING : (uint32_t)id;
        *to = (uint8_t)id, offsets[id + 1] = offsets[id] + 1;
        continue;
      }
      uint32_t length = 0;
      for (int side = 0; side < 2; side++) {
        uint32_t part = merges[2 * (id - 256) + side], n = offsets[part + 1] - offsets[part];
        triples[3 * (id - 256) + side] = part;
        memcpy(to + length, bytes + offsets[part], n), length += n;
      }
      triples[3 * (id - 256) + 2] = made[id - 256] = (uint32_t)id;
      offsets[id + 1] = offsets[id] + length;
    }
    bytes = realloc(bytes, offsets[vocabulary]);

    enum { BITS = 12, CACHE = 3 };
    for (int ranks = 0; ranks < 2; ranks++) {
      uint32_t *pairs = malloc(8 << BITS), *words = malloc(8 << BITS), *filter = calloc(1 << (BITS - 3), 4);
      uint32_t *first = malloc(65536 * 4);
      uint8_t *cache = calloc(1 << CACHE, 64);
      memset(pairs, 0xff, 8 << BITS), memset(words, 0xff, 8 << BITS);
      if (ranks) {
        if (index_words(words, BITS, byte_ids, first, pairs, BITS, filter, 0, bytes, offsets, vocabulary, 0)) return 4;
        index_ranks(pairs, BITS, filter, words, BITS, bytes, offsets, vocabulary);
      } else {
        index_merges(pairs, BITS, filter, triples, made_count);
      }
      index_bytes(first, byte_ids, pairs, BITS, filter);
      if (!ranks && index_words(words, BITS, byte_ids, first, pairs, BITS, filter, made, bytes, offsets, vocabulary, 1)) return 4;
      for (int k = 0; k < 600; k++) {
        int64_t n = k < 560 ? below(400) : below(30000);
        uint8_t *s = text(n, k % 6);
        uint32_t *out = malloc(n > 0 ? (size_t)n * 4 : 1);
        int64_t count = encode(out, s, n, split, blocks, classes, byte_ids, first, pairs, BITS, filter, ranks ? 0 : made,
                               words, BITS, bytes, offsets, cache, CACHE);
        // The tokens' bytes in a row are the text, but for the byte that is missing.
        int64_t at = 0;
        for (int64_t i = 0; i < count; i++)
          for (uint32_t b = offsets[out[i]]; b < offsets[out[i] + 1]; b++, at++) {
            while (at < n && s[at] == 33 && bytes[b] != 33) at++;
            if (at >= n || s[at] != bytes[b]) return 5;
          }
        for (; at < n; at++)
          if (s[at] != 33) return 5;
        free(s), free(out);
      }
      free(pairs), free(words), free(filter), free(first), free(cache);
    }
    free(merges), free(counts), free(offsets), free(triples), free(made), free(bytes);
  }
  free(blocks), free(classes);
  return 0;
}
