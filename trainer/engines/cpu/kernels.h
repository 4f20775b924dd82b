// Every kernel of the CPU engine, one line each.
#pragma once
#include "trainer/engines/cpu/kernel.h"

#define EACH_KERNEL(K)      \
  K(embedding_forward)      \
  K(embedding_backward)     \
  K(linear_forward)         \
  K(linear_backward_input)  \
  K(linear_backward_weight) \
  K(rmsnorm_forward)        \
  K(rmsnorm_backward)       \
  K(rope_forward)           \
  K(rope_backward)          \
  K(attention_forward)      \
  K(attention_backward)     \
  K(attention_cached)       \
  K(swiglu_forward)         \
  K(swiglu_backward)        \
  K(add_forward)            \
  K(copy)                   \
  K(cross_entropy_forward)  \
  K(cross_entropy_backward) \
  K(gradient_norm)          \
  K(adamw)

#define DECLARE(name) void name(const Call *call, const Team *team);
EACH_KERNEL(DECLARE)
#define ENTRY(name) {#name, name},
static const struct {
  const char *name;
  Kernel run;
} KERNELS[] = {EACH_KERNEL(ENTRY)};
