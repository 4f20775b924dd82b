import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Job } from 'kubernetes-models/batch/v1';
import { parse, parseAllDocuments } from 'yaml';
import { sha256 } from '../../../../core/hash.ts';
import { compiledModule, packageRoot } from '../../../../core/root.ts';
import type { TaskJob } from '../../../../core/stage/kubernetes/manifest.ts';
import { faultsOf } from '../../../../core/stage/kubernetes/rules.ts';
import { commandLine } from '../../../datasets/export/lake.ts';
import { madeText } from '../../../datasets/lake.ts';

// No cluster was to be had: a stand-in starts each index as a local process. It is no test of Kubernetes.

let folder = '';
const STAND_IN = join(packageRoot, 'test', 'core', 'stage', 'kubernetes', 'stand-in.mjs');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'garner-kubernetes-'));
  mkdirSync(join(folder, 'bin'));
  const program = join(folder, 'garner.mjs');
  writeFileSync(
    program,
    `const { main } = await import(${JSON.stringify(compiledModule('cli/main'))});\nprocess.exitCode = await main(process.argv.slice(2));\n`,
  );
  writeFileSync(join(folder, 'bin', 'garner'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, {
    mode: 0o755,
  });
  for (const [i, name] of ['a', 'b', 'c'].entries())
    writeFileSync(
      join(folder, `${name}.jsonl`),
      Array.from({ length: 60 }, (_, k) => `${JSON.stringify({ id: `${k}`, text: madeText(i * 50 + k, 80) })}\n`).join(
        '',
      ),
    );
  writeFileSync(
    join(folder, 'recipe.yaml'),
    'name: made\nfiles: [{path: a.jsonl, name: a}, {path: b.jsonl, name: b}, {path: c.jsonl, name: c}]\n' +
      'dedup: {}\nmix: {}\ntokenizer: {vocabulary: 300}\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function garner(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(join(folder, 'bin', 'garner'), args, {
    env: { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...said })));
}

const planned = (lake: string, ...more: string[]) =>
  commandLine(['plan', 'tasks', join(folder, 'recipe.yaml'), '--kubernetes', '--lake', join(folder, lake), ...more]);

/** Everything that counts in a lake: not the seconds, not the lock. */
const bytesOf = (lake: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(folder, lake), { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile() && e.name !== 'timing.json' && !e.name.startsWith('.lock') && e.name !== '.lease')
      .map((e) => join(e.parentPath, e.name).slice(join(folder, lake).length + 1))
      .toSorted()
      .map((path) => [path, sha256(readFileSync(join(folder, lake, path)))]),
  );

test('a waiter that gives each manifest to the (stand-in) cluster makes the bytes of a local run, a lost node included', async () => {
  const local = await garner(['run', join(folder, 'recipe.yaml'), '--lake', join(folder, 'local'), '--workers', '1']);
  expect([local.code, local.stderr]).toEqual([0, local.stderr]);
  const log = join(folder, 'log');
  const submit = `tee -a '${join(folder, 'jobs.yaml')}' | '${process.execPath}' '${STAND_IN}'`;
  const { code, stdout, stderr } = await garner(
    [
      'plan',
      'tasks',
      join(folder, 'recipe.yaml'),
      '--kubernetes',
      '--lake',
      join(folder, 'cluster'),
      '--submit',
      submit,
    ],
    { STAND_IN_LOG: log, STAND_IN_KILL: '100' },
  );
  expect([code, stdout, stderr]).toEqual([0, '', stderr]);
  expect(bytesOf('cluster')).toEqual(bytesOf('local'));
  expect(Object.keys(bytesOf('local')).length).toBeGreaterThan(20);

  const runs = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { job: string; index: number; code: number });
  const jobs = [...new Set(runs.map((r) => r.job.split('-')[1]!))];
  expect(jobs).toEqual(['read', 'signatures', 'dedup', 'mix', 'tokenizer', 'shards']);
  expect(
    runs
      .filter((r) => r.job.includes('-read-') && r.code === 0)
      .map((r) => r.index)
      .toSorted((a, b) => a - b),
  ).toEqual([0, 1, 2]);
  expect(runs.some((r) => r.code === 137)).toBe(true);
  const manifests = readFileSync(join(folder, 'jobs.yaml'), 'utf8')
    .split(/^(?=apiVersion: )/m)
    .map((text) => parse(text) as TaskJob);
  expect(manifests.length).toBe(6);
  for (const job of manifests) {
    new Job(job as unknown as ConstructorParameters<typeof Job>[0]).validate();
    expect(faultsOf(job)).toEqual([]);
  }
});

test('without a waiter: a manifest a call, the next stage once the markers stand, of missing tasks only', async () => {
  const first = await planned('steps', '--until', 'signatures', '--memory', '1Gi');
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('gives the next stage')]);
  const job = parse(first.stdout) as TaskJob;
  expect(parseAllDocuments(first.stdout)).toHaveLength(1);
  expect(job.spec).toMatchObject({ completions: 3, completionMode: 'Indexed', backoffLimitPerIndex: 2 });
  expect(job.spec.template.spec.containers[0]!.resources.limits.memory).toBe('1Gi');
  // Nothing was started: the same call gives the same manifest.
  expect((await planned('steps', '--until', 'signatures', '--memory', '1Gi')).stdout).toBe(first.stdout);

  const [, ...command] = job.spec.template.spec.containers[0]!.command;
  expect((await garner(command, { JOB_COMPLETION_INDEX: '1' })).code).toBe(0);
  const rest = parse((await planned('steps', '--until', 'signatures')).stdout) as TaskJob;
  expect(rest.spec.completions).toBe(2);
  expect(rest.metadata.name).not.toBe(job.metadata.name);

  const [, ...left] = rest.spec.template.spec.containers[0]!.command;
  for (const index of ['0', '1']) expect((await garner(left, { JOB_COMPLETION_INDEX: index })).code).toBe(0);
  const next = parse((await planned('steps', '--until', 'signatures')).stdout) as TaskJob;
  expect(next.metadata.name).toMatch(/^garner-signatures-/);
  expect(existsSync(join(folder, 'steps', 'stages', 'read'))).toBe(true);
});

test('what a pod asks for stands in the recipe, and an option stands over it', async () => {
  const recipe = join(folder, 'with-executor.yaml');
  writeFileSync(
    recipe,
    `${readFileSync(join(folder, 'recipe.yaml'), 'utf8')}executor: {kubernetes: {image: 'r/garner:2', memory: 2Gi, most: 2, stages: {read: {cpus: 500m}}}}\n`,
  );
  const lake = join(folder, 'settings');
  const { stdout } = await commandLine(['plan', 'tasks', recipe, '--kubernetes', '--lake', lake, '--memory', '3Gi']);
  const { spec } = parse(stdout) as TaskJob;
  expect(spec.parallelism).toBe(2);
  expect(spec.template.spec.containers[0]).toMatchObject({
    image: 'r/garner:2',
    resources: { requests: { cpu: '500m', memory: '3Gi' }, limits: { memory: '3Gi' } },
  });
});

test.each([
  { why: 'no engine', args: [] as string[], says: 'no engine is named' },
  { why: 'a claim that is no name', args: ['--kubernetes', '--claim', 'A_b'], says: 'no name of a claim' },
  { why: 'an amount that is none', args: ['--kubernetes', '--memory', 'much'], says: '--memory' },
  { why: 'a mount elsewhere', args: ['--kubernetes', '--mount', '/elsewhere'], says: 'does not lie below /elsewhere' },
])('$why: one sentence, exit code 2, no manifest', async ({ args, says }) => {
  const recipe = join(folder, 'recipe.yaml');
  const { code, stdout, stderr } = await commandLine(['plan', 'tasks', recipe, '--lake', join(folder, 'bad'), ...args]);
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(says)]);
});
