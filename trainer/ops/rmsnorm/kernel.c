#include "trainer/engines/cpu/kernel.h"

// y [N, C], r [N], x [N, C], gamma [C] · rows, width, epsilon
void rmsnorm_forward(const Call *call, const Team *team) {
  float *y = F32(call, 0), *r = F32(call, 1);
  const float *x = F32(call, 2), *gamma = F32(call, 3);
  long width = LONG(call, 1), from, to;
  double epsilon = call->number[2];
  share(team, LONG(call, 0), 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *row = x + i * width;
    Vec squares = {0};
    for (long k = 0; k < width; k += LANES) {
      Vec v = k + LANES <= width ? load(row + k) : load_part(row + k, width - k, 0);
      squares += v * v;
    }
    float s = (float)(1 / sqrt(sum(squares) / (double)width + epsilon));
    r[i] = s;
    for (long k = 0; k < width; k++) y[i * width + k] = gamma[k] * (row[k] * s);
  }
}

// dx [N, C], dgamma [C], dy [N, C], x [N, C], gamma [C], r [N] · rows, width
void rmsnorm_backward(const Call *call, const Team *team) {
  float *dx = F32(call, 0), *dgamma = F32(call, 1);
  const float *dy = F32(call, 2), *x = F32(call, 3), *gamma = F32(call, 4), *r = F32(call, 5);
  long rows = LONG(call, 0), width = LONG(call, 1), from, to;
  int add = ADDS(call, 0);
  share(team, rows, 1, &from, &to);
  for (long i = from; i < to; i++) {
    const float *dy_row = dy + i * width, *row = x + i * width;
    Vec products = {0};
    for (long k = 0; k < width; k += LANES) {
      long n = width - k;
      products += n >= LANES ? load(dy_row + k) * load(gamma + k) * load(row + k)
                             : load_part(dy_row + k, n, 0) * load_part(gamma + k, n, 0) * load_part(row + k, n, 0);
    }
    float s = r[i], mean = sum(products) / (float)width * s * s;  // of g * x^ times r
    float *to_row = dx + i * width;
    if (add)
      for (long k = 0; k < width; k++) to_row[k] += s * (gamma[k] * dy_row[k] - row[k] * mean);
    else
      for (long k = 0; k < width; k++) to_row[k] = s * (gamma[k] * dy_row[k] - row[k] * mean);
  }
  // A thread owns columns: the order of the sum is that of the rows.
  share(team, width, 16, &from, &to);
  if (!ADDS(call, 1)) memset(dgamma + from, 0, (size_t)(to - from) * sizeof(float));
  for (long i = 0; i < rows; i++)
    for (long k = from; k < to; k++) dgamma[k] += dy[i * width + k] * (x[i * width + k] * r[i]);
}
