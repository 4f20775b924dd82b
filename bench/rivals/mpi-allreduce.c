// The plain C program that the MPI path is held against: MPI_Allreduce in place over n floats, `runs` times after a warm-up.
// Prints the seconds of each run on rank 0, and first the sum at a few places, so that both sides are seen to add the same.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int n = atoi(argv[1]), runs = atoi(argv[2]), rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  float *x = malloc(sizeof *x * (size_t)n);
  for (int i = 0; i < n; i++) x[i] = (float)(i % 1000 + rank);
  MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  if (rank == 0) printf("%g %g\n", x[0], x[n - 1]);
  for (int i = 0; i < n; i++) x[i] = 0;
  for (int run = 0; run < runs; run++) {
    MPI_Barrier(MPI_COMM_WORLD);
    double began = MPI_Wtime();
    MPI_Allreduce(MPI_IN_PLACE, x, n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0) printf("%.9f\n", MPI_Wtime() - began);
  }
  MPI_Finalize();
  return 0;
}
