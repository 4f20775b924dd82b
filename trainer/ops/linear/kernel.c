#include "trainer/engines/cpu/kernel.h"

// A few rows: packing would cost more than the product. The weights are streamed once, in their order.
static void few_rows(const Team *team, float *y, const float *x, const float *w, long rows, long out, long in) {
  long from, to;
  share(team, out, 16, &from, &to);
  for (long j = from; j < to; j++)
    for (long i = 0; i < rows; i++) {
      const float *a = x + i * in, *b = w + j * in;
      Vec s0 = {0}, s1 = {0};
      long k = 0;
      for (; k + 2 * LANES <= in; k += 2 * LANES) {
        s0 += load(a + k) * load(b + k);
        s1 += load(a + k + LANES) * load(b + k + LANES);
      }
      for (; k < in; k += LANES) {
        long rest = in - k < LANES ? in - k : LANES;
        s0 += load_part(a + k, rest, 0) * load_part(b + k, rest, 0);
      }
      y[i * out + j] = sum(s0 + s1);
    }
}

#define FEW 3

long linear_forward_phases(const Call *call) {
  return LONG(call, 0) <= FEW ? 1 : gemm_phases(LONG(call, 1), LONG(call, 2));
}
long linear_backward_input_phases(const Call *call) { return gemm_phases(LONG(call, 2), LONG(call, 1)); }
long linear_backward_weight_phases(const Call *call) { return gemm_phases(LONG(call, 2), LONG(call, 0)); }

// y [N, O] = x [N, I] w[O, I]^T · rows, out, in
void linear_forward(const Call *call, const Team *team) {
  long rows = LONG(call, 0), out = LONG(call, 1), in = LONG(call, 2);
  if (rows <= FEW)
    few_rows(team, F32(call, 0), F32(call, 1), F32(call, 2), rows, out, in);
  else
    gemm(team, rows, out, in, F32(call, 1), in, 1, F32(call, 2), 1, in, F32(call, 0), out, 0);
}

// dx [N, I] (+)= dy [N, O] w [O, I] · rows, out, in
void linear_backward_input(const Call *call, const Team *team) {
  long rows = LONG(call, 0), out = LONG(call, 1), in = LONG(call, 2);
  gemm(team, rows, in, out, F32(call, 1), out, 1, F32(call, 2), in, 1, F32(call, 0), in, ADDS(call, 0));
}

// dw [O, I] (+)= dy[N, O]^T x [N, I] · rows, out, in
void linear_backward_weight(const Call *call, const Team *team) {
  long rows = LONG(call, 0), out = LONG(call, 1), in = LONG(call, 2);
  gemm(team, out, in, rows, F32(call, 1), 1, out, F32(call, 2), in, 1, F32(call, 0), in, ADDS(call, 0));
}
