// The pool with a thread that is woken too late: it gets its signal, and runs again only when the work of that list is
// gone. It must be called again for the next list.
// Exit code 0: it was; 1: it slept on; 2: something else went wrong.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_int asleep, hold, held;

// A thread that comes out of its wait stays here, awake and without the lock, until nobody holds it.
static int late_wait(pthread_cond_t *moved, pthread_mutex_t *lock) {
  atomic_fetch_add(&asleep, 1);
  int result = pthread_cond_wait(moved, lock);
  atomic_fetch_sub(&asleep, 1);
  pthread_mutex_unlock(lock);
  atomic_fetch_add(&held, 1);
  while (atomic_load(&hold)) sched_yield();
  pthread_mutex_lock(lock);
  return result;
}
#define pthread_cond_wait late_wait
#include "trainer/engines/cpu/pool.c"
#undef pthread_cond_wait

// In place of every kernel: pieces that wait, where asked, until two threads have taken one.
static atomic_int together, threads;
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int within(double limit, atomic_int *value, int wanted) {
  for (double end = seconds() + limit; atomic_load(value) < wanted; sched_yield())
    if (seconds() > end) return 0;
  return 1;
}
static void meet(void) {
  static _Thread_local int counted;
  if (!atomic_load(&together)) return;
  if (!counted++) atomic_fetch_add(&threads, 1);
  if (!within(5, &threads, 2)) atomic_store(&together, 0);
}
#define KERNEL(name) \
  void name(const Call *call, const Team *team) { (void)call, (void)team, meet(); }
#define PHASED_KERNEL(name) KERNEL(name) long name##_phases(const Call *call) { return call != NULL; }
EACH_KERNEL(KERNEL, PHASED_KERNEL)

int main(void) {
  Pool *pool = pool_open(2);
  Call call = {.kernel = 0};
  float scratch[64];
  if (!pool || !within(20, &asleep, 1)) return 2;

  atomic_store(&hold, 1);
  pool_run(pool, &call, 1, scratch, 0, 0);  // wakes the thread, which is held: the caller does all pieces
  if (!within(20, &held, 1)) return 2;
  atomic_store(&hold, 0);
  if (!within(20, &asleep, 1)) return 2;  // it has looked around, found nothing, and sleeps again

  atomic_store(&together, 1);
  pool_run(pool, &call, 1, scratch, 0, 0);
  pool_close(pool);
  int alone = atomic_load(&threads) < 2;
  if (alone) puts("the thread was not called for the second list");
  return alone;
}
