import { z } from 'zod';
import { kubernetesSection } from '../kubernetes/settings.ts';

const resources = {
  partition: z.string().min(1).optional().describe('sbatch --partition; default: the cluster’s own'),
  account: z.string().min(1).optional().describe('sbatch --account'),
  time: z
    .string()
    .regex(/^\d+(?:-\d+(?::\d+){0,2}|(?::\d+){0,2})$/, 'as sbatch has it: minutes, hours:minutes:seconds or days-hours')
    .optional()
    .describe('time limit of a task, as sbatch has it; default: the partition’s'),
  memory: z
    .string()
    .regex(/^\d+[KMGT]?$/, 'a whole number and K, M, G or T')
    .optional()
    .describe('memory of a task; default: 2G, in training the cluster’s own'),
  cpus: z.int().min(1).optional().describe('CPUs of a task; default: 1, in training ranks × threads of the recipe'),
  nodes: z.int().min(1).optional().describe('training: nodes over which the ranks are spread; default: 1'),
  launcher: z
    .enum(['garner', 'srun', 'mpirun'])
    .optional()
    .describe('training: who starts the ranks; default: garner on one node, else srun'),
  mpi: z.string().min(1).optional().describe('srun --mpi; default: pmix on several nodes, else none'),
  options: z.array(z.string().startsWith('-')).optional().describe('more options of sbatch, e.g. ["--qos=low"]'),
};

/** The recipe's section `executor`: where tasks run. It changes no output and stands in no key. */
export const executorSection = z.strictObject({
  slurm: z
    .strictObject({
      ...resources,
      most: z
        .int()
        .min(1)
        .optional()
        .describe('tasks of a stage that run at once; default: as many as the cluster gives'),
      here: z
        .array(z.string())
        .default([])
        .describe('stages that run where garner runs, e.g. [crawl] where only that host reaches the internet'),
      stages: z
        .record(z.string(), z.strictObject(resources))
        .default({})
        .describe('other values for single stages, e.g. {dedup: {memory: 16G}}'),
    })
    .prefault({})
    .describe('for --executor slurm'),
  kubernetes: kubernetesSection.optional(),
});

export type SlurmSettings = z.output<typeof executorSection>['slurm'];
export type Resources = Omit<SlurmSettings, 'most' | 'here' | 'stages'>;

/** What a stage's tasks ask for: its own values, else those of all. */
export function resourcesOf(settings: SlurmSettings, stage: string): Resources {
  const all: Partial<SlurmSettings> = { ...settings };
  for (const name of ['most', 'here', 'stages'] as const) delete all[name];
  return { ...all, ...settings.stages[stage] };
}
