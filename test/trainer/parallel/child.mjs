// A rank of the tests in collectives.test.ts: it does what its order says and leaves its numbers in the shared gradients.
import { pathToFileURL } from 'node:url';

// What ends a rank is what the tests ask about: nothing of it is printed.
process.on('unhandledRejection', () => process.exit(1));

process.on('message', async ({ place, rank, order }) => {
  const { enterShared } = await import(
    pathToFileURL(`${order.dist}/trainer/collectives/shared-memory/collective.js`).href
  );
  const collective = enterShared(place, rank);
  for (let round = 0; round < order.rounds; round++) {
    if (order.dieAt?.rank === rank && order.dieAt.round === round) {
      if (order.dieAt.how === 'fail') {
        process.send({ message: 'no', garner: { what: 'the disk is full', hint: 'free some space', fault: 1 } });
        await new Promise((resolve) => setTimeout(resolve, 20));
        process.exit(1);
      }
      process.kill(process.pid, 'SIGKILL');
    }
    collective.gradients.forEach((_, i, g) => (g[i] = Math.fround(Math.sin(i + 1) * 10 ** (rank + (i % 7)) + round)));
    collective.sumGradients();
    const sums = collective.sum([rank + round, 1 / (rank + 3)]);
    if (collective.gradients.some((g) => !Number.isFinite(g)) || sums.length !== 2) process.exit(9);
  }
  if (order.stay) setInterval(() => {}, 1000);
  else process.disconnect();
});
