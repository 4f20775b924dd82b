// Runs one task of a training stage in a process that kills itself where it is told:
// node run-task.mjs DIST ORDER.json [KIND COUNT], at the COUNT-th "step", "write" (half of it done) or "rename",
// or "after" step COUNT, where ranks of their own report now and then.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { pathToFileURL } from 'node:url';

const [dist, orderFile, kind, count] = process.argv.slice(2);
const load = (module) => import(pathToFileURL(`${dist}/${module}.js`).href);
const die = () => process.kill(process.pid, 'SIGKILL');
let left = Number(count);
/** True at the moment that was asked for. */
const isIt = (moment) => moment === kind && --left === 0;

const { writeSync, renameSync } = fs;
const { rename } = fs.promises;
fs.writeSync = (file, bytes, offset, length, position) => {
  if (typeof bytes === 'string' || !isIt('write')) return writeSync(file, bytes, offset, length, position);
  writeSync(file, bytes, offset ?? 0, (length ?? bytes.length) >> 1, position);
  return die();
};
fs.renameSync = (from, to) => (isIt('rename') ? die() : renameSync(from, to));
fs.promises.rename = (from, to) => (isIt('rename') ? die() : rename(from, to));
syncBuiltinESMExports();

const order = JSON.parse(fs.readFileSync(orderFile, 'utf8'));
const { runTask } = await load('core/stage/task');
const { default: stage } = await load(order.module);
try {
  await runTask(stage, order, {
    progress(done) {
      if (isIt('step') || (kind === 'after' && done >= left)) die();
    },
    notice() {},
  });
  process.exit(0);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
