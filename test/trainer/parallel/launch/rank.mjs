// A rank of the tests in launcher.test.ts and restart.test.ts: it does what its order says.
import { existsSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// Signals are not heard yet while a rank loads its modules.
const slow = process.env.GARNER_TEST_SLOW;
if (slow) {
  writeFileSync(join(slow, `rank-${process.env.GARNER_RANK}.pid`), String(process.pid));
  await sleep(700);
}

const dist = process.env.GARNER_TEST_DIST;
const load = (module) => import(pathToFileURL(join(dist, module)).href);
const { serveRank } = await load('trainer/parallel/launch/child.js');
const { stopRequested, stoppedAt } = await load('trainer/parallel/launch/stop.js');
const { RankLost } = await load('trainer/collectives/group.js');
const { GarnerError } = await load('core/errors.js');

serveRank(async ({ rank, ranks, fds, order }, reports) => {
  for (const line of order.say ?? []) console.log(line);
  if (order.folder) writeFileSync(join(order.folder, `rank-${rank}.pid`), String(process.pid));
  reports?.notice(`${ranks} ranks, ${fds.length} descriptors`);
  if (fds.length > 0) writeSync(fds[0], `${rank}`, rank);
  for (let step = 1; step <= (order.steps ?? 0); step++) {
    reports?.progress(step, order.steps);
    const mine = order.die?.rank === rank && order.die.step === step;
    const first = !order.once || !existsSync(order.once);
    if (mine && first) {
      while (readdirSync(order.folder).filter((name) => name.endsWith('.pid')).length < ranks) await sleep(20);
      if (order.once) writeFileSync(order.once, '');
      if (order.die.how === 'kill') process.kill(process.pid, 'SIGKILL');
      if (order.die.how === 'exit') process.exit(3);
      if (order.die.how === 'throw') throw new Error('a wire is loose');
      if (order.die.how === 'words') {
        console.error('terminate called: out of something');
        process.abort();
      }
      if (order.die.how === 'garner')
        throw new GarnerError({ what: 'the disk is full', where: '/data', hint: 'free some space', fault: 1 });
    }
    await sleep(20);
    if (stopRequested()) throw stoppedAt('toy', step);
  }
  if (order.lose !== undefined && order.lose !== rank) throw new RankLost(order.lose, 'did not come to barrier #3');
  // A rank that waits in C hears no message: the kernel must end it.
  if (order.block) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
});
