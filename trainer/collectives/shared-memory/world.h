// The memory that the ranks of a host share, and what a rank keeps of it. Legend: n members of a group, me this one's place.
//
// control page | blocks of groups | bounce buffers | mailboxes | one window a rank
//
// Everything is sparse: what is used is allocated first (world_allocate), so that want of memory is an answer, not a signal.
#ifndef GARNER_WORLD_H
#define GARNER_WORLD_H
#include <stdatomic.h>
#include <stdint.h>

enum { MOST_RANKS = 256, DEPTH = 64, SMALL = 8192, BOUNCE = 1 << 18 };

// Answers of every function that waits; `Report` says more.
enum { FINE = 0, LOST = 1, MISMATCH = 2, TOO_MANY = 3, NO_MEMORY = 4 };

// Why a rank is lost.
enum { ENDED = 1, GAVE_UP = 2, LATE = 3, LEFT = 4 };

// Calls; types are 0 = float32, 1 = float64.
enum { BARRIER, SUM, MAX, START_SUM, REDUCE_SCATTER, START_REDUCE_SCATTER, ALL_GATHER, BROADCAST, SEND, RECEIVE };

typedef struct {
  _Atomic int32_t pid;       // 0: not there yet
  _Atomic int32_t left;      // 1: it is done, its end is no loss
  _Atomic uint64_t started;  // clock ticks since the machine's start, so that a reused pid is not taken for it
  char line[48];
} Seat;

typedef struct {
  _Atomic uint64_t lost;        // 0, or 1 + rank | why << 16 | call << 24 | sequence << 32
  _Atomic uint32_t next_group;  // blocks that groups beside the world have
  int32_t unused[13];
  Seat seats[MOST_RANKS];
} Control;

typedef struct {
  _Atomic int64_t sequence, finished;  // of the call that the member has come to, and that it has done with; from 1
  int32_t call, type;
  int64_t count;
  int64_t offset;  // of the buffer from the start of the memory; -1: it lies elsewhere
  int64_t shape;   // root, or a digest of the edges
  int64_t unused[2];
} Header;

typedef struct {
  _Atomic uint32_t word;
  char line[60];
} Counter;

typedef struct {
  Counter arrived[DEPTH], finished[DEPTH];  // of the calls s, s + DEPTH, …: counts up n a call
  Counter rounds;                           // steps of the staged calls
  Counter at[MOST_RANKS];                   // in which of them a member is
  // n × DEPTH headers, then 2 × n × SMALL bytes
} Block;

typedef struct {
  int64_t blocks, block, bounces, mailboxes, mailbox, windows, window, bytes;
  int32_t ranks, floats, depth, groups;
} Layout;

typedef struct {
  char *base;
  Layout layout;
  int32_t fd, rank, polls;
  double patience, waited;
  char sends[MOST_RANKS], receives[MOST_RANKS];  // mailboxes that are allocated
  struct Group *groups;                          // all that were opened
  char *own;                                     // where the process sees the part of its window that it has reserved
  int64_t reserved;
} World;

typedef struct {
  Counter written, read;
  // depth × (a line of count and group, then the floats)
} Mailbox;

typedef struct Group Group;
struct Group {
  World *world;
  Group *next;
  Block *block;
  Header *headers;
  char *small;
  int32_t id, n, me, open;
  int64_t sequence, smalls;
  uint32_t rounds;
  int32_t members[MOST_RANKS];
};

// What an answer other than FINE means: LOST rank, why, call, sequence, 1 if this rank found it; MISMATCH two sides, each
// rank, call, type, count, shape.
typedef int64_t Report[10];

// What is waited for: `word` reaching `target`. `missing` says which rank has not come (-1: all have).
typedef struct Wait Wait;
struct Wait {
  _Atomic uint32_t *word;
  uint32_t target;
  int32_t call;
  int64_t sequence;
  int (*missing)(const Wait *);
  Group *group;
  int32_t peer;
};

int32_t world_wait(World *w, const Wait *wait, int64_t *report);
int32_t world_lost(World *w, int64_t *report, int mine);
void world_wake(_Atomic uint32_t *word);
int32_t world_allocate(int32_t fd, int64_t offset, int64_t bytes);
static inline Control *control_of(World *w) { return (Control *)w->base; }
#endif
