// Sums and maxima over members by the pairwise tree of their places, in pieces that stay in the first cache.
#ifndef GARNER_REDUCE_H
#define GARNER_REDUCE_H
#include <stdint.h>

// Places from … to of n lists of numbers (type 0: float, 1: double) are added (max: the greatest, NaN wins); the result goes
// to the same places of `outs` lists, which may be those that are read.
void reduce(char *const *from, int n, char *const *out, int outs, int64_t a, int64_t b, int type, int max);
#endif
