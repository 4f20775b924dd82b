// Runs one task of a training stage in a process that can be killed: node run-task.mjs DIST ORDER.json
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [dist, orderFile] = process.argv.slice(2);
const load = (module) => import(pathToFileURL(`${dist}/${module}.js`).href);
const order = JSON.parse(readFileSync(orderFile, 'utf8'));
const { runTask } = await load('core/stage/task');
const { default: stage } = await load(order.module);
process.send?.('up');
try {
  await runTask(stage, order, { progress: (done) => process.send?.(done), notice() {} });
  process.exit(0);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
