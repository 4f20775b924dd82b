// A launcher in a process of its own, for launcher.test.ts: argv has the options of runRanks as JSON. Exit code: the fault of its error.
import { pathToFileURL } from 'node:url';

const { runRanks } = await import(
  pathToFileURL(`${process.env.GARNER_TEST_DIST}/trainer/parallel/launch/launcher.js`).href
);
const reports = { progress() {}, notice: (text) => console.log(text) };
try {
  await runRanks({ ...JSON.parse(process.argv[2]), fds: [], reports });
} catch (error) {
  console.error(error.format?.() ?? error);
  process.exitCode = error.fault ?? 1;
}
