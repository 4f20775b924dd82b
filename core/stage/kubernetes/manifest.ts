import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { AGAIN } from '../../errors.ts';
import { garnerVersion } from '../../root.ts';
import type { KubernetesSettings } from './settings.ts';

/** The most completions of an Indexed Job; beyond, an index stands for several tasks. */
const MOST_INDEXES = 100_000;

export interface JobParts {
  stage: string;
  /** Absolute path of the task list, the same here and in the pods. */
  list: string;
  /** Names the list; hexadecimal digits. */
  digest: string;
  /** Tasks of the list. */
  tasks: number;
  /** The lake's folder (absolute): where the claim is mounted unless the settings say otherwise. */
  lake: string;
  /** How often a failing task is tried. */
  attempts: number;
  settings: KubernetesSettings;
}

/**
 * The Indexed Job that runs a task list: index = place of the task in the list, counted from 0; with more than 100,000
 * tasks, an index runs several in a row. A failing index is tried again by itself; exit code 2 (another version, a bad
 * argument) is not, and code 75 (stopped, to be started again) and evictions do not count.
 */
export function jobOf(parts: JobParts) {
  const { stage, list, digest, tasks, lake, attempts, settings } = parts;
  const fold = Math.ceil(tasks / MOST_INDEXES);
  const completions = Math.ceil(tasks / fold);
  const { cpus = '1', memory = '4Gi' } = { ...settings, ...settings.stages[stage] };
  const name = `garner-${stage}-${digest.slice(0, 10)}`;
  const labels = { 'app.kubernetes.io/name': 'garner', 'app.kubernetes.io/component': stage };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }),
      labels,
      annotations: { 'garner/list': list, 'garner/tasks': String(tasks), 'garner/tasks-per-index': String(fold) },
    },
    spec: {
      completionMode: 'Indexed',
      completions,
      parallelism: Math.min(completions, settings.most ?? 100),
      backoffLimitPerIndex: attempts - 1,
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          { action: 'Ignore', onExitCodes: { containerName: 'garner', operator: 'In', values: [AGAIN] } },
          { action: 'FailIndex', onExitCodes: { containerName: 'garner', operator: 'In', values: [2] } },
        ],
      },
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 60,
          containers: [
            {
              name: 'garner',
              image: settings.image ?? `garner:${garnerVersion}`,
              command:
                fold === 1
                  ? ['garner', 'task', list]
                  : ['/bin/sh', '-c', FOLDED, 'garner', list, `${fold}`, `${tasks}`],
              resources: { requests: { cpu: cpus, memory }, limits: { memory } },
              volumeMounts: [{ name: 'lake', mountPath: settings.mount ?? lake }],
            },
          ],
          volumes: [{ name: 'lake', persistentVolumeClaim: { claimName: settings.claim ?? 'garner' } }],
        },
      },
    },
  } satisfies Job;
}

export type TaskJob = ReturnType<typeof jobOf>;

/**
 * What the pods of a folded list run: arguments are the list, tasks an index, tasks in all. Every task is tried; the code
 * is that of the last one that failed. A warning to stop reaches the task and ends the row.
 */
const FOLDED = `i=$((JOB_COMPLETION_INDEX * $2)); end=$((i + $2)); [ $end -gt $3 ] && end=$3; code=0
stop() { kill -TERM $task 2>/dev/null; wait $task; exit ${AGAIN}; }
trap stop TERM
while [ $i -lt $end ]; do garner task "$1" $i & task=$!; wait $task || code=$?; i=$((i + 1)); done
exit $code`;
