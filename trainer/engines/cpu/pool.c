// Threads that run a list of kernel calls together: each walks the whole list, takes its share of every call, and meets
// the others at a barrier between two. Waiting spins for some microseconds, then sleeps: a busy machine must not pay.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "trainer/engines/cpu/kernel.h"
#include "trainer/engines/cpu/kernels.h"

#define SPINS 2000

struct Pool {
  pthread_mutex_t lock;
  pthread_cond_t moved;
  atomic_long generation, arrived, sleepers;
  long count;
  const Call *calls;
  long length;
  float *scratch;
  long shared, each;
  int closing;
  pthread_t *threads;
};

typedef struct {
  Pool *pool;
  long index;
} Seat;

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void meet(Pool *pool) {
  if (pool->count == 1) return;
  long seen = atomic_load(&pool->generation);
  if (atomic_fetch_add(&pool->arrived, 1) == pool->count - 1) {
    atomic_store(&pool->arrived, 0);
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0) {
      pthread_mutex_lock(&pool->lock);
      pthread_cond_broadcast(&pool->moved);
      pthread_mutex_unlock(&pool->lock);
    }
    return;
  }
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load(&pool->generation) != seen) return;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->moved, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

void team_wait(const Team *team) { meet(team->pool); }

static void walk(Pool *pool, long index) {
#if defined(__SSE__)
  // Adam's moments decay into denormals, which are slow: they count as zero here, and only here.
  unsigned int mode = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mode | 0x8040);
#endif
  // Copied, since the caller may already set the next list while another thread looks whether this one is at its end.
  const Call *calls = pool->calls;
  long length = pool->length;
  Team team = {index, pool->count, pool->scratch + pool->shared + index * pool->each, pool->scratch, pool};
  for (long i = 0; i < length; i++) {
    KERNELS[calls[i].kernel].run(calls + i, &team);
    meet(pool);
  }
#if defined(__SSE__)
  __builtin_ia32_ldmxcsr(mode);
#endif
}

static void *work(void *argument) {
  Seat seat = *(Seat *)argument;
  free(argument);
  for (;;) {
    meet(seat.pool);  // the start of a list
    if (seat.pool->closing) return NULL;
    walk(seat.pool, seat.index);
  }
}

// A team of `count` threads, the caller's own among them; NULL where the system gives none.
void *pool_open(int32_t count) {
  Pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->moved, NULL);
  pool->count = 1;
  pool->threads = calloc((size_t)count, sizeof *pool->threads);
  long started = 1;
  pool->count = count;
  for (; pool->threads && started < count; started++) {
    Seat *seat = malloc(sizeof *seat);
    if (!seat) break;
    *seat = (Seat){pool, started};
    if (pthread_create(&pool->threads[started], NULL, work, seat)) {
      free(seat);
      break;
    }
  }
  if (started == count) return pool;
  // Those that did start wait at a barrier that will never fill: they are left asleep, and the caller is told.
  return NULL;
}

// Runs a list. scratch has shared + count * each floats.
void pool_run(void *handle, const void *calls, int64_t length, void *scratch, int64_t shared, int64_t each) {
  Pool *pool = handle;
  pool->calls = calls;
  pool->length = length;
  pool->scratch = scratch;
  pool->shared = shared;
  pool->each = each;
  meet(pool);
  walk(pool, 0);
}

void pool_close(void *handle) {
  Pool *pool = handle;
  pool->closing = 1;
  meet(pool);
  for (long i = 1; i < pool->count; i++) pthread_join(pool->threads[i], NULL);
  free(pool->threads);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->moved);
  free(pool);
}

// The number of a kernel by its name, or -1.
int32_t kernel_number(const uint8_t *name) {
  for (int32_t i = 0; i < (int32_t)(sizeof KERNELS / sizeof KERNELS[0]); i++)
    if (strcmp(KERNELS[i].name, (const char *)name) == 0) return i;
  return -1;
}

int64_t address_of(const void *p) { return (int64_t)(intptr_t)p; }
