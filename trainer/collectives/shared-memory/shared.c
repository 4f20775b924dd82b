// One mapping shared by the ranks of a host: a control page, then one gradient zone a rank.
// Waiting: a few polls that give the core away, then a futex; every 100 ms each waiter looks for an abort, a death, the deadline.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define SHARED_RANKS 64
#define SHARED_NUMBERS 16

#ifdef __linux__
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  _Atomic uint32_t arrived;     // ranks that wait at the barrier
  _Atomic uint32_t generation;  // barriers passed: the futex word
  _Atomic uint32_t aborted;     // 1 + the rank that died or gave up
  int32_t pid[SHARED_RANKS];    // of the ranks that rank 0 has started; only rank 0 reads them
  double numbers[SHARED_RANKS][SHARED_NUMBERS];
} Control;

_Static_assert(sizeof(Control) <= 16384, "the control pages hold it");

// A descriptor of `bytes` of memory that has no name and goes with its last process; -errno when there is not so much.
int32_t shared_create(int64_t bytes) {
  int fd = memfd_create("garner-ranks", 0);
  if (fd < 0) return -errno;
  int failed = posix_fallocate(fd, 0, bytes);
  if (failed) {
    close(fd);
    return -failed;
  }
  return fd;
}

// Address of the mapping, or NULL. It stays until the process ends: views of it do.
void *shared_map(int32_t fd, int64_t bytes) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? NULL : at;
}

int32_t shared_close(int32_t fd) { return close(fd); }

// Another rank than 0 ends with its parent, however that ends. -1: the parent is gone already.
int32_t shared_follow(int32_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return getppid() == parent ? 0 : -1;
}

// Rank 0 says which process is rank `rank`, so that its death is seen.
void shared_expect(Control *c, int32_t rank, int32_t pid) { c->pid[rank] = pid; }

static void give_up(Control *c, int rank) {
  atomic_store(&c->aborted, (uint32_t)rank + 1);
  syscall(SYS_futex, &c->generation, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Rank 0 is the parent of the others: it sees which child has ended (and leaves it to be reaped by its owner).
static int dead_child(Control *c, int32_t ranks) {
  for (int r = 1; r < ranks; r++) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (c->pid[r] > 0 && waitid(P_PID, (id_t)c->pid[r], &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) return r;
  }
  return 0;
}

// Waits for all ranks. 0: all are here; r + 1: rank r has died or given up; -1: nobody moved for `seconds`.
int32_t shared_barrier(Control *c, int32_t rank, int32_t ranks, int32_t polls, double seconds) {
  if (c->aborted) return (int32_t)c->aborted;
  uint32_t generation = c->generation;
  if (atomic_fetch_add(&c->arrived, 1) + 1 == (uint32_t)ranks) {
    c->arrived = 0;
    c->generation = generation + 1;
    syscall(SYS_futex, &c->generation, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    return 0;
  }
  for (int i = 0; i < polls; i++) {
    if (c->generation != generation) return 0;
    sched_yield();
  }
  double end = now() + seconds;
  struct timespec slice = {0, 100000000};
  while (c->generation == generation) {
    syscall(SYS_futex, &c->generation, FUTEX_WAIT, generation, &slice, NULL, 0);
    if (c->generation != generation) break;
    if (c->aborted) return (int32_t)c->aborted;
    int dead = rank == 0 ? dead_child(c, ranks) : 0;
    if (dead) {
      give_up(c, dead);
      return dead + 1;
    }
    if (now() > end) return -1;
  }
  return 0;
}
#else
typedef struct {
  double numbers[SHARED_RANKS][SHARED_NUMBERS];
} Control;
int32_t shared_create(int64_t bytes) { return -ENOSYS; }
void *shared_map(int32_t fd, int64_t bytes) { return 0; }
int32_t shared_close(int32_t fd) { return -1; }
int32_t shared_follow(int32_t parent) { return -1; }
void shared_expect(Control *c, int32_t rank, int32_t pid) {}
int32_t shared_barrier(Control *c, int32_t rank, int32_t ranks, int32_t polls, double seconds) { return -1; }
#endif

// Leaves this rank's numbers for the others.
void shared_put(Control *c, int32_t rank, const double *values, int32_t count) {
  memcpy(c->numbers[rank], values, sizeof(double) * (size_t)count);
}

// Sums over ranks, added in the order of ranks.
void shared_sum_numbers(const Control *c, double *sums, int32_t ranks, int32_t count) {
  for (int i = 0; i < count; i++) {
    double sum = c->numbers[0][i];
    for (int r = 1; r < ranks; r++) sum += c->numbers[r][i];
    sums[i] = sum;
  }
}

// zones: `ranks` zones of floats, `stride` apart. Elements from..to of every zone become their sum, added in the order of ranks.
void shared_sum_zones(float *zones, int64_t stride, int32_t ranks, int64_t from, int64_t to) {
  for (int64_t i = from; i < to; i++) {
    float sum = zones[i];
    for (int r = 1; r < ranks; r++) sum += zones[r * stride + i];
    for (int r = 0; r < ranks; r++) zones[r * stride + i] = sum;
  }
}
