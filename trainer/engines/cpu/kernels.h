// Every kernel of the CPU engine, one line each: K has one phase, P has NAME_phases(call) of them.
#pragma once
#include "trainer/engines/cpu/kernel.h"

#define EACH_KERNEL(K, P)    \
  K(embedding_forward)      \
  K(embedding_backward)     \
  P(linear_forward)         \
  P(linear_backward_input)  \
  P(linear_backward_weight) \
  K(linear_packed)          \
  K(rmsnorm_forward)        \
  K(rmsnorm_backward)       \
  K(rope_forward)           \
  K(rope_backward)          \
  K(attention_forward)      \
  K(attention_backward)     \
  P(attention_cached)       \
  K(swiglu_forward)         \
  K(swiglu_backward)        \
  K(add_forward)            \
  K(copy)                   \
  K(scale)                  \
  K(cross_entropy_forward)  \
  K(cross_entropy_backward) \
  K(cross_entropy_part)     \
  K(cross_entropy_join)     \
  K(score_forward)          \
  K(score_backward)         \
  P(gradient_norm)          \
  K(draw)                   \
  K(adamw)

#define DECLARE(name) void name(const Call *call, const Team *team);
#define DECLARE_PHASED(name) DECLARE(name) long name##_phases(const Call *call);
EACH_KERNEL(DECLARE, DECLARE_PHASED)
#define ENTRY(name) {#name, name, NULL},
#define ENTRY_PHASED(name) {#name, name, name##_phases},
static const struct {
  const char *name;
  Kernel run;
  long (*phases)(const Call *call);
} KERNELS[] = {EACH_KERNEL(ENTRY, ENTRY_PHASED)};
