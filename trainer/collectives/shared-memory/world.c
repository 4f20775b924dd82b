// Making and entering the memory, waiting in it, and noticing that a rank is gone.
// Waiting: a few polls that give the core away, then a futex; every 100 ms each waiter looks for a loss and the deadline.
#define _GNU_SOURCE
#include "trainer/collectives/shared-memory/world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(Seat) == 64 && sizeof(Header) == 64 && sizeof(Counter) == 64, "a cache line each");

// A descriptor of `bytes` of memory without a name, which goes with its last process; nothing is allocated yet. -errno.
int32_t world_create(int64_t bytes) {
  int fd = memfd_create("garner-ranks", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  if (ftruncate(fd, bytes) == 0) return fd;
  int failed = errno;
  close(fd);
  return -failed;
}

// NULL where the machine refuses.
void *world_map(int32_t fd, int64_t bytes) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  return at == MAP_FAILED ? NULL : at;
}

// Allocates a part, zeroed if it was not there; 0 or errno.
int32_t world_allocate(int32_t fd, int64_t offset, int64_t bytes) {
  if (bytes == 0) return 0;
  int failed;
  do failed = posix_fallocate(fd, offset, bytes);
  while (failed == EINTR);
  return failed;
}

int32_t world_unmap(void *base, int64_t bytes) { return munmap(base, bytes); }

// This process ends when the one that started it does. -1: that has ended already.
int32_t world_follow(int32_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return getppid() == parent ? 0 : -1;
}

// Clock ticks from the machine's start to the process's, 0 if it has ended (or is a zombie), 1 if nobody can know.
static uint64_t start_of(int32_t pid) {
  if (kill(pid, 0) != 0 && errno == ESRCH) return 0;
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT && kill(pid, 0) != 0 ? 0 : 1;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return kill(pid, 0) != 0 ? 0 : 1;
  text[n] = 0;
  // The name may hold anything: fields are counted from the last bracket. State is the third, the start the 22nd.
  char *at = strrchr(text, ')');
  if (!at) return 1;
  if (at[2] == 'Z' || at[2] == 'X') return 0;
  for (int field = 2; field < 22 && at; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at + 1, NULL, 10) : 1;
}

// Rank `rank` is process `pid`: said by that rank, or before it comes by who started it.
void world_seat(void *base, int32_t rank, int32_t pid) {
  Seat *seat = &((Control *)base)->seats[rank];
  uint64_t started = start_of(pid);
  seat->started = started;
  seat->pid = pid;
}

World *world_open(void *base, int32_t fd, const int64_t *layout, int32_t rank, int32_t polls, double patience) {
  World *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->base = base;
  w->fd = fd;
  w->rank = rank;
  w->polls = polls;
  w->patience = patience;
  Layout *l = &w->layout;
  l->blocks = layout[0], l->block = layout[1], l->bounces = layout[2], l->mailboxes = layout[3], l->mailbox = layout[4];
  l->windows = layout[5], l->window = layout[6], l->bytes = layout[7];
  l->ranks = (int32_t)layout[8], l->floats = (int32_t)layout[9], l->depth = (int32_t)layout[10], l->groups = (int32_t)layout[11];
  world_seat(base, rank, getpid());
  return w;
}

double world_waited(World *w) { return w->waited; }

// Marks a rank as lost, unless another is already.
void world_abort(void *base, int32_t rank, int32_t why) {
  uint64_t none = 0;
  atomic_compare_exchange_strong(&((Control *)base)->lost, &none, (uint64_t)(rank + 1) | (uint64_t)why << 16);
}

// Allocates `bytes` of this rank's window, zeroed, and lays them over memory that the caller owns (whole pages at `at`), which
// from then on is the window: so a caller's buffer may be larger than what could be made from a foreign address. 0 or errno.
int32_t world_reserve(World *w, void *at, int64_t bytes) {
  int64_t window = w->layout.windows + w->rank * w->layout.window;
  int failed = world_allocate(w->fd, window, bytes);
  if (failed) return failed;
  if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, w->fd, window) == MAP_FAILED) return errno;
  w->own = at;
  w->reserved = bytes;
  return 0;
}

// Leaves, and frees this rank's window: who still reads what it has reserved reads zeros.
void world_close(World *w) {
  Layout *l = &w->layout;
  control_of(w)->seats[w->rank].left = 1;
  if (w->reserved > 0)
    fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, l->windows + w->rank * l->window, w->reserved);
  close(w->fd);
  munmap(w->base, l->bytes);
  for (Group *g = w->groups, *next; g; g = next) next = g->next, free(g);
  free(w);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void world_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }

// LOST and the report, if a rank is; else FINE.
int32_t world_lost(World *w, int64_t *report, int mine) {
  uint64_t lost = control_of(w)->lost;
  if (!lost) return FINE;
  report[0] = (int64_t)(lost & 0xffff) - 1;
  report[1] = (int64_t)(lost >> 16 & 0xff);
  report[2] = (int64_t)(lost >> 24 & 0xff);
  report[3] = (int64_t)(lost >> 32);
  report[4] = mine;
  return LOST;
}

static int32_t lose(World *w, const Wait *wait, int rank, int why, int64_t *report) {
  uint64_t none = 0;
  uint64_t lost = (uint64_t)(rank + 1) | (uint64_t)why << 16 | (uint64_t)wait->call << 24 | (uint64_t)wait->sequence << 32;
  int mine = atomic_compare_exchange_strong(&control_of(w)->lost, &none, lost);
  return world_lost(w, report, mine);
}

static int reached(const Wait *wait) { return (int32_t)(*wait->word - wait->target) >= 0; }

// A rank that has ended without leaving, or one that has left and is waited for.
static int32_t look(World *w, const Wait *wait, int64_t *report) {
  if (world_lost(w, report, 0)) return LOST;
  Control *c = control_of(w);
  for (int r = 0; r < w->layout.ranks; r++) {
    Seat *seat = &c->seats[r];
    int32_t pid = seat->pid;
    if (pid == 0 || r == w->rank) continue;
    uint64_t started = seat->left ? 1 : start_of(pid);
    // It may leave between two looks: `left` is written before the process ends.
    if ((started == 0 || (started > 1 && seat->started > 1 && started != seat->started)) && !seat->left)
      return lose(w, wait, r, ENDED, report);
  }
  int missing = wait->missing(wait);
  if (missing >= 0 && c->seats[missing].left && !reached(wait)) return lose(w, wait, missing, LEFT, report);
  return FINE;
}

int32_t world_wait(World *w, const Wait *wait, int64_t *report) {
  if (reached(wait)) return FINE;
  if (world_lost(w, report, 0)) return LOST;
  double began = now(), looked = began;
  int32_t answer = FINE;
  for (int i = 0; i < w->polls && !reached(wait); i++) sched_yield();
  struct timespec slice = {0, 100000000};
  while (!reached(wait)) {
    uint32_t seen = *wait->word;
    if (reached(wait)) break;
    syscall(SYS_futex, wait->word, FUTEX_WAIT, seen, &slice, NULL, 0);
    if (reached(wait)) break;
    double t = now();
    if (t - looked < 0.1) continue;
    looked = t;
    if ((answer = look(w, wait, report))) break;
    if (t - began > w->patience) {
      int missing = wait->missing(wait);
      if (missing >= 0 && (answer = lose(w, wait, missing, LATE, report))) break;
    }
  }
  w->waited += now() - began;
  return answer;
}
