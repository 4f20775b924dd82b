// A stand-in for a Kubernetes cluster, not one: it reads an Indexed Job (YAML) on standard input and starts each index as a
// process of this machine, with JOB_COMPLETION_INDEX. Of Kubernetes' rules it keeps parallelism, backoffLimitPerIndex and
// the exit codes of podFailurePolicy. Images, volumes, resources and the network are passed over.
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const { metadata, spec } = parse(readFileSync(0, 'utf8'));
const [{ command }] = spec.template.spec.containers;
/** With STAND_IN_KILL, the first process of index 0 is killed: what the loss of a node looks like. */
const killed = process.env.STAND_IN_KILL;

const start = (index, attempt) =>
  new Promise((resolve) => {
    const env = { ...process.env, JOB_COMPLETION_INDEX: String(index) };
    const child = spawn(command[0], command.slice(1), { env, stdio: ['ignore', 2, 2] });
    if (killed && index === 0 && attempt === 0) setTimeout(() => child.kill('SIGKILL'), Number(killed));
    child.on('error', () => resolve(127));
    child.on('exit', (code, signal) => resolve(signal ? 137 : code));
  });

const ruleOf = (code) => spec.podFailurePolicy.rules.find((r) => r.onExitCodes?.values.includes(code))?.action;

async function runIndex(index) {
  let failures = 0;
  for (let attempt = 0; ; attempt++) {
    const code = await start(index, attempt);
    if (process.env.STAND_IN_LOG)
      appendFileSync(process.env.STAND_IN_LOG, `${JSON.stringify({ job: metadata.name, index, attempt, code })}\n`);
    if (code === 0) return true;
    const action = ruleOf(code);
    if (action === 'FailIndex') return false;
    if (action !== 'Ignore' && ++failures > spec.backoffLimitPerIndex) return false;
  }
}

const indexes = Array.from({ length: spec.completions }, (_, i) => i);
const results = [];
await Promise.all(
  Array.from({ length: Math.min(spec.parallelism, 2) }, async () => {
    for (let index = indexes.shift(); index !== undefined; index = indexes.shift()) results.push(await runIndex(index));
  }),
);
process.exitCode = results.every(Boolean) ? 0 : 1;
