// One rank that another launcher has started, for external.test.ts: argv has {dist, lake, recipe, say, die}. It enters shared memory where it can and adds up.
import { pathToFileURL } from 'node:url';

const { dist, lake, recipe, die } = JSON.parse(process.argv[2]);
const load = (module) => import(pathToFileURL(`${dist}/${module}.js`).href);
const { launchOf } = await load('trainer/parallel/launch/environment');
const { launchSettings } = await load('trainer/parallel/launch/settings');
const { hostRanks, followRanks, meetingHere } = await load('trainer/parallel/launch/external');
const { chooseHome } = await load('trainer/parallel/launch/home');
const { createWorldMemory } = await load('trainer/collectives/shared-memory/memory');
const { enterWorld } = await load('trainer/collectives/shared-memory/world');

const launch = launchOf(process.env);
const options = { launch, settings: launchSettings(), lake, recipe, notice: (text) => console.error(text) };
const work = (place) => {
  if (die === launch.rank) process.kill(process.pid, 'SIGKILL');
  const world = enterWorld(place, launch.rank, { patience: 20 });
  const [sum] = world.sum([launch.rank + 1]);
  world.close();
  return sum;
};
try {
  if (launch.rank > 0)
    await followRanks(options, async (guest, place) => guest.answer({ rank: launch.rank, sum: work(place) }));
  else
    await hostRanks(options, async () => {
      const meeting = meetingHere();
      const members = await meeting.gather();
      const memory = createWorldMemory(launch.ranks, { mailbox: { floats: 1, depth: 1 } });
      for (const { rank, pid } of members) memory.expect(rank, pid);
      const others = meeting.ask(memory.place);
      others.catch(() => {});
      let mine;
      try {
        mine = work(memory.place);
      } catch (error) {
        await others;
        throw error;
      }
      console.log(JSON.stringify({ home: chooseHome(members), sums: [mine, ...(await others).map((a) => a.sum)] }));
    });
} catch (error) {
  console.error(`${error.message}\n  ${error.hint ?? ''}`);
  process.exitCode = error.fault ?? 1;
}
