import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job } from 'kubernetes-models/batch/v1';
import { describe, expect, onTestFinished, test } from 'vitest';
import { STAGES } from '../../../../cli/pipeline.ts';
import { jobOf, type JobParts, type TaskJob } from '../../../../core/stage/kubernetes/manifest.ts';
import { faultsOf } from '../../../../core/stage/kubernetes/rules.ts';
import { kubernetesSection } from '../../../../core/stage/kubernetes/settings.ts';

const parts = (more: Partial<JobParts> = {}): JobParts => ({
  stage: 'extract',
  list: '/lake/orders/extract/0c6f8a1f2b3d4e5f/9a8b7c6d5e4f3a2b.jsonl',
  digest: '9a8b7c6d5e4f3a2b',
  tasks: 12,
  lake: '/lake',
  attempts: 3,
  settings: kubernetesSection.parse({}),
  ...more,
});

/** As a server would first look at it: the compiled schemas of kubernetes-models. */
const validate = (job: object) => new Job(job as ConstructorParameters<typeof Job>[0]).validate();

describe('every manifest passes the schema and the rules', () => {
  test.each(STAGES.map((s) => s.name))('stage %s', (stage) => {
    for (const tasks of [1, 2, 99_999, 100_000, 100_001, 250_001, 3_000_000]) {
      const job = jobOf(parts({ stage, tasks }));
      validate(job);
      expect([tasks, faultsOf(job)]).toEqual([tasks, []]);
    }
  });

  test('resources and places come from the recipe, a stage’s own before those of all', () => {
    const settings = kubernetesSection.parse({
      image: 'registry.example/garner:1',
      claim: 'corpus',
      mount: '/data',
      namespace: 'text',
      most: 8,
      cpus: '2',
      memory: '8Gi',
      stages: { dedup: { memory: '32Gi' } },
    });
    const [extract, dedup] = ['extract', 'dedup'].map((stage) => jobOf(parts({ stage, settings })));
    validate(extract!);
    expect(extract!.metadata.namespace).toBe('text');
    expect(extract!.spec.parallelism).toBe(8);
    const container = (job: TaskJob) => job.spec.template.spec.containers[0]!;
    expect(container(extract!)).toMatchObject({
      image: 'registry.example/garner:1',
      resources: { requests: { cpu: '2', memory: '8Gi' }, limits: { memory: '8Gi' } },
      volumeMounts: [{ name: 'lake', mountPath: '/data' }],
    });
    expect(container(dedup!).resources).toEqual({ requests: { cpu: '2', memory: '32Gi' }, limits: { memory: '32Gi' } });
    expect(dedup!.spec.template.spec.volumes[0]!.persistentVolumeClaim.claimName).toBe('corpus');
  });
});

/** A manifest with one value changed. */
function changed(path: string, value: unknown): TaskJob {
  const job = structuredClone(jobOf(parts())) as unknown as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop()!;
  let at = job;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = value;
  return job as unknown as TaskJob;
}

test.each([
  { path: 'spec.completionMode', value: 'Sometimes' },
  { path: 'spec.completions', value: 'twelve' },
  { path: 'spec.template', value: undefined },
  { path: 'kind', value: 'Jobs' },
])('the schema finds $path = $value', ({ path, value }) => {
  expect(() => validate(changed(path, value))).toThrow();
});

test.each([
  { path: 'metadata.name', value: 'Garner_read', says: 'DNS-1123' },
  { path: 'metadata.name', value: 'g'.repeat(61), says: '-<index>' },
  { path: 'metadata.namespace', value: 'a.b', says: 'namespace' },
  { path: 'spec.completions', value: 100_001, says: '100,000' },
  { path: 'spec.parallelism', value: 13, says: 'parallelism' },
  { path: 'spec.completionMode', value: 'NonIndexed', says: 'Indexed' },
  { path: 'spec.template.spec.restartPolicy', value: 'OnFailure', says: 'Never' },
  { path: 'spec.template.spec.containers.0.image', value: 'garner:1\nx: y', says: 'is no image' },
  { path: 'spec.template.spec.containers.0.image', value: '', says: 'is no image' },
  { path: 'spec.template.spec.containers.0.name', value: 'other', says: 'no container "garner"' },
  { path: 'spec.template.spec.volumes.0.name', value: 'other', says: 'no volume "lake"' },
  { path: 'spec.template.spec.containers.0.volumeMounts.0.mountPath', value: 'lake', says: 'place to mount' },
  { path: 'spec.template.spec.volumes.0.persistentVolumeClaim.claimName', value: 'A', says: 'name of a claim' },
])('our own rules find $path = $value', ({ path, value, says }) => {
  expect(faultsOf(changed(path, value)).join()).toContain(says);
});

test('a name of 60 characters leaves room for two digits, and 61 does not', () => {
  expect(faultsOf(changed('metadata.name', 'g'.repeat(60)))).toEqual([]);
});

describe('more tasks than a Job has indexes', () => {
  test('are folded: some in a row on one index', () => {
    expect(jobOf(parts({ tasks: 100_000 })).spec.completions).toBe(100_000);
    expect(jobOf(parts({ tasks: 100_001 })).spec.completions).toBe(50_001);
    expect(jobOf(parts({ tasks: 3_000_000 })).spec.completions).toBe(100_000);
  });

  /** Runs the shell of a folded Job with a `garner` that writes down what it is asked, and ends with `code` on task 4. */
  function fold(index: number, perIndex: number, tasks: number, code = 0): { asked: string[]; status: number | null } {
    const folder = mkdtempSync(join(tmpdir(), 'garner-fold-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const log = join(folder, 'log');
    writeFileSync(log, '');
    writeFileSync(
      join(folder, 'garner'),
      `#!/bin/sh\necho "$1 $2 $3" >> '${log}'\nif [ "$3" = 4 ]; then exit ${code}; fi\n`,
      { mode: 0o755 },
    );
    const [shell, ...rest] = jobOf(parts({ tasks: 100_001 })).spec.template.spec.containers[0]!.command;
    const args = [...rest.slice(0, -2), String(perIndex), String(tasks)];
    const env = { PATH: `${folder}:${process.env['PATH']}`, JOB_COMPLETION_INDEX: String(index) };
    const { status } = spawnSync(shell!, args, { env });
    return { asked: readFileSync(log, 'utf8').split('\n').filter(Boolean), status };
  }

  test('every task is run once', () => {
    const asked = [0, 1, 2].flatMap((index) => fold(index, 3, 8).asked);
    expect(asked).toEqual(Array.from({ length: 8 }, (_, i) => `task ${parts().list} ${i}`));
  });

  test('a task that fails does not keep the others, and its code is the row’s', () => {
    expect(fold(1, 3, 8, 2)).toEqual({ asked: [3, 4, 5].map((i) => `task ${parts().list} ${i}`), status: 2 });
    expect(fold(1, 3, 8)).toMatchObject({ status: 0 });
  });
});
