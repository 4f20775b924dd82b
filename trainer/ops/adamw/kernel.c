#include "trainer/engines/cpu/kernel.h"

// weight, first, second, gradient [size], norm [1 + …] (float64), hyper [9] (float64) · size, decayed
void adamw(const Call *call, const Team *team) {
  float *weight = F32(call, 0), *first = F32(call, 1), *second = F32(call, 2);
  const float *gradient = F32(call, 3);
  const double *norm = F64(call, 4), *hyper = F64(call, 5);
  double rate = hyper[0], scale = hyper[1], clip = hyper[2], beta1 = hyper[3], beta2 = hyper[4];
  double length = norm[0] * fabs(scale);
  if (!isfinite(length)) return;
  if (length > clip) scale *= clip / (length + 1e-6);
  // p - rate (m / c1) / (sqrt(s / c2) + eps), with the corrections taken out of the loop
  float step = (float)(rate / hyper[7]), root = (float)(1 / sqrt(hyper[8])), epsilon = (float)hyper[5];
  float b1 = (float)beta1, b2 = (float)beta2, a1 = (float)(1 - beta1), a2 = (float)(1 - beta2), by = (float)scale;
  long decayed = LONG(call, 1), from, to;
  share(team, LONG(call, 0), 64, &from, &to);
  for (int part = 0; part < 2; part++) {
    long begin = part == 0 ? from : (from > decayed ? from : decayed);
    long end = part == 0 ? (to < decayed ? to : decayed) : to;
    float keep = part == 0 ? (float)(1 - rate * hyper[6]) : 1.0f;
    for (long i = begin; i < end; i++) {
      float g = gradient[i] * by;
      float m = b1 * first[i] + a1 * g;
      float s = b2 * second[i] + a2 * (g * g);
      first[i] = m;
      second[i] = s;
      weight[i] = weight[i] * keep - step * m / (__builtin_sqrtf(s) * root + epsilon);
    }
  }
}
