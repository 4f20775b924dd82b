// Threads that run a list of kernel calls together. The caller walks the list; every call is cut into pieces that whoever
// is there takes. So nobody waits for a thread that the system has not woken yet: on a busy machine the caller does the
// work alone. Waiting spins for some microseconds, then yields; threads without work sleep at last.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "trainer/engines/cpu/kernel.h"
#include "trainer/engines/cpu/kernels.h"

#define SPINS 2000
#define YIELDS 500
#define PIECES_A_THREAD 2

// What is to be done now, in one word, so that taking a piece (adding 1) succeeds only while it is still that:
// number of the list, call, phase, next piece.
typedef uint64_t Ticket;
#define PIECE_BITS 12
#define PHASE_BITS 18
#define CALL_BITS 18
#define FIELD(t, shift, bits) ((long)((t) >> (shift) & ((1ull << (bits)) - 1)))
#define PIECE(t) FIELD(t, 0, PIECE_BITS)
#define PHASE(t) FIELD(t, PIECE_BITS, PHASE_BITS)
#define CALL(t) FIELD(t, PIECE_BITS + PHASE_BITS, CALL_BITS)
#define LIST_UNIT (1ull << (PIECE_BITS + PHASE_BITS + CALL_BITS))

typedef struct {
  _Atomic Ticket ticket;
  atomic_long done, sleepers;
  atomic_int closing;
  _Atomic(const Call *) calls;
  _Atomic(float *) scratch;
  atomic_long shared, each;
  long count, pieces;
  Ticket list;
  pthread_mutex_t lock;
  pthread_cond_t moved;
  pthread_t *threads;
} Pool;

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

// Adam's moments decay into denormals, which are slow: they count as zero in the kernels, and only there.
static inline unsigned int flush_denormals(void) {
#if defined(__SSE__)
  unsigned int mode = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mode | 0x8040);
  return mode;
#else
  return 0;
#endif
}
static inline void restore_denormals(unsigned int mode) {
#if defined(__SSE__)
  __builtin_ia32_ldmxcsr(mode);
#endif
}

// Takes one piece of what is to be done and does it; false where none is left.
static int take(Pool *pool, long index) {
  Ticket now = atomic_load(&pool->ticket);
  if (PIECE(now) >= pool->pieces) return 0;
  // These belong to the ticket: they change only when all its pieces are done, and then the exchange below fails.
  const Call *call = atomic_load(&pool->calls) + CALL(now);
  float *scratch = atomic_load(&pool->scratch);
  long shared = atomic_load(&pool->shared), each = atomic_load(&pool->each);
  if (!atomic_compare_exchange_strong(&pool->ticket, &now, now + 1)) return 1;
  Team team = {PIECE(now), pool->pieces, PHASE(now), scratch + shared + index * each, scratch};
  KERNELS[call->kernel].run(call, &team);
  atomic_fetch_add(&pool->done, 1);
  return 1;
}

// Once awake it looks around for a while before it counts itself as a sleeper again: work may have come and gone.
static void sleep_until_work(Pool *pool) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  if (PIECE(atomic_load(&pool->ticket)) >= pool->pieces && !atomic_load(&pool->closing))
    pthread_cond_wait(&pool->moved, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

// Only when somebody sleeps.
static void wake(Pool *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->sleepers, 0);
  pthread_cond_broadcast(&pool->moved);
  pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument) {
  Seat seat = *(Seat *)argument;
  free(argument);
  flush_denormals();
  for (long idle = 0; !atomic_load(&seat.pool->closing);) {
    if (take(seat.pool, seat.index))
      idle = 0;
    else if (idle++ < SPINS)
      relax();
    else if (idle < SPINS + YIELDS)
      sched_yield();
    else
      sleep_until_work(seat.pool), idle = 0;
  }
  return NULL;
}

void pool_close(void *handle);

// A team of `count` threads, the caller's own among them; NULL where the system gives none.
void *pool_open(int32_t count) {
  Pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->moved, NULL);
  pool->pieces = count == 1 ? 1 : PIECES_A_THREAD * count;
  atomic_store(&pool->ticket, (Ticket)pool->pieces);
  pool->threads = calloc((size_t)count, sizeof *pool->threads);
  for (pool->count = 1; pool->threads && pool->count < count; pool->count++) {
    Seat *seat = malloc(sizeof *seat);
    if (!seat) break;
    *seat = (Seat){pool, pool->count};
    if (pthread_create(&pool->threads[pool->count], NULL, work, seat)) {
      free(seat);
      break;
    }
  }
  if (pool->threads && pool->count == count) return pool;
  pool_close(pool);
  return NULL;
}

// Runs a list. scratch has shared + count * each floats. Threads that sleep are called at its first piece.
void pool_run(void *handle, const void *calls, int64_t length, void *scratch, int64_t shared, int64_t each) {
  Pool *pool = handle;
  unsigned int mode = flush_denormals();
  atomic_store(&pool->calls, (const Call *)calls);
  atomic_store(&pool->scratch, (float *)scratch);
  atomic_store(&pool->shared, shared);
  atomic_store(&pool->each, each);
  pool->list += LIST_UNIT;
  for (long i = 0; i < length; i++) {
    const Call *call = (const Call *)calls + i;
    long phases = KERNELS[call->kernel].phases ? KERNELS[call->kernel].phases(call) : 1;
    for (long phase = 0; phase < phases; phase++) {
      atomic_store(&pool->done, 0);
      atomic_store(&pool->ticket, pool->list | (Ticket)i << (PIECE_BITS + PHASE_BITS) | (Ticket)phase << PIECE_BITS);
      if (pool->count > 1) wake(pool);
      while (take(pool, 0)) {
      }
      for (long idle = 0; atomic_load(&pool->done) < pool->pieces; idle++) {
        if (idle < SPINS)
          relax();
        else
          sched_yield();
      }
    }
  }
  restore_denormals(mode);
}

void pool_close(void *handle) {
  Pool *pool = handle;
  atomic_store(&pool->closing, 1);
  atomic_store(&pool->sleepers, 1);
  wake(pool);
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
