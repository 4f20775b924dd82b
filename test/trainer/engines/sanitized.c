// Runs a file of kernel calls with every tensor in an allocation of its own, for builds with sanitizers, and writes what
// the tensors hold then.
#include <stdio.h>
#include <stdlib.h>
#include "trainer/engines/cpu/kernel.h"

void *pool_open(int32_t count);
void pool_run(void *pool, const void *calls, int64_t length, void *scratch, int64_t shared, int64_t each);
void pool_close(void *pool);
int32_t kernel_number(const uint8_t *name);

static void take(void *to, size_t bytes, FILE *file) {
  if (bytes && fread(to, bytes, 1, file) != 1) {
    fprintf(stderr, "the file of calls ends early\n");
    exit(2);
  }
}
static int64_t word(FILE *file) {
  int64_t w;
  take(&w, 8, file);
  return w;
}

int main(int argc, char **argv) {
  FILE *file = argc > 3 ? fopen(argv[1], "rb") : NULL, *results = argc > 3 ? fopen(argv[3], "wb") : NULL;
  if (!file || !results) return 2;
  int threads = atoi(argv[2]);
  void *pool = pool_open(threads);
  int64_t programs = word(file);
  for (int64_t p = 0; p < programs; p++) {
    int64_t tensors = word(file), length = word(file), shared = word(file), each = word(file);
    void **memory = calloc((size_t)tensors, sizeof *memory);
    size_t *sizes = calloc((size_t)tensors, sizeof *sizes);
    for (int64_t t = 0; t < tensors; t++) {
      size_t bytes = sizes[t] = (size_t)word(file);
      memory[t] = malloc(bytes);
      take(memory[t], bytes, file);
    }
    Call *calls = calloc((size_t)length, sizeof *calls);
    for (int64_t c = 0; c < length; c++) {
      uint8_t name[32];
      take(name, sizeof name, file);
      calls[c].kernel = kernel_number(name);
      calls[c].adds = word(file);
      for (int s = 0; s < SLOTS; s++) {
        int64_t t = word(file);
        calls[c].slot[s] = t < 0 ? NULL : memory[t];
      }
      take(calls[c].number, sizeof calls[c].number, file);
    }
    // exactly as much as was asked for: a kernel that wants more is found
    float *scratch = malloc((size_t)(shared + threads * each) * sizeof(float));
    pool_run(pool, calls, length, scratch, shared, each);
    free(scratch);
    free(calls);
    for (int64_t t = 0; t < tensors; t++) {
      fwrite(memory[t], 1, sizes[t], results);
      free(memory[t]);
    }
    free(sizes);
    free(memory);
  }
  pool_close(pool);
  fclose(file);
  if (fclose(results)) return 2;
  printf("%lld programs\n", (long long)programs);
  return 0;
}
