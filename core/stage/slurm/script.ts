import { join } from 'node:path';
import { packageRoot } from '../../root.ts';
import type { Resources } from './settings.ts';

/** A word of a shell, whatever is in it. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** garner by absolute paths: a script is copied to the node before it runs, and the node's PATH may have another Node. */
export const garnerCommand = (): string[] => [process.execPath, join(packageRoot, 'bin', 'garner')];

/** What travels into a job by name. Values stand in no command line and no script: GARNER_KEY is a secret. */
const TRAVELS =
  /^(?:PATH|HOME|USER|LANG|LC_ALL|TZ|LD_LIBRARY_PATH|CC|XDG_CACHE_HOME|NODE_\w+|GARNER_\w+|OMPI_\w+|PMIX_\w+|UCX_\w+|SLURM_CONF)$/;

/** `sbatch --export`: only what garner needs, so that it also works where a cluster's default is to hand on nothing. */
export const exportOption = (): string =>
  `--export=${Object.keys(process.env)
    .filter((name) => TRAVELS.test(name) && name !== 'GARNER_DETACHED')
    .toSorted()
    .join(',')}`;

/** Options of sbatch for what a task asks for. */
export function resourceOptions(r: Resources, shape: { ranks: number; threads: number } | null): string[] {
  const launcher = launcherOf(r);
  const spread = shape !== null && launcher !== 'garner';
  const cpus = r.cpus ?? (shape === null ? 1 : spread ? shape.threads : shape.ranks * shape.threads);
  const memory = r.memory ?? (shape === null ? '2G' : undefined);
  return [
    ...(r.partition === undefined ? [] : [`--partition=${r.partition}`]),
    ...(r.account === undefined ? [] : [`--account=${r.account}`]),
    // A minute's notice before the limit, to the script alone, which hands it on.
    ...(r.time === undefined ? [] : [`--time=${r.time}`]),
    '--signal=B:USR1@60',
    ...(memory === undefined ? [] : [`--mem=${memory}`]),
    `--nodes=${spread ? (r.nodes ?? 1) : 1}`,
    `--ntasks=${spread ? shape.ranks : 1}`,
    `--cpus-per-task=${cpus}`,
    ...(r.options ?? []),
  ];
}

/** Who starts the ranks of a training. */
export const launcherOf = (r: Resources): 'garner' | 'srun' | 'mpirun' =>
  r.launcher ?? ((r.nodes ?? 1) > 1 ? 'srun' : 'garner');

/** How srun tells MPI where the ranks are; ranks on several nodes speak through it. */
export const mpiOf = (r: Resources): string | undefined => r.mpi ?? ((r.nodes ?? 1) > 1 ? 'pmix' : undefined);

/** What stands before the command where the ranks of a training are started by somebody else. */
function launch(r: Resources, shape: { ranks: number } | null): string {
  if (shape === null || launcherOf(r) === 'garner') return '';
  if (launcherOf(r) === 'mpirun') return `mpirun -n ${shape.ranks} `;
  // srun takes the batch script's --export for a wish of its own.
  return `srun --export=ALL --ntasks=${shape.ranks} --kill-on-bad-exit=1${mpiOf(r) === undefined ? '' : ` --mpi=${mpiOf(r)}`} `;
}

/**
 * The script of an array: element e does the tasks e × fold … of the list, each in a process of its own with a log of its
 * own. It hands on the warning before the time limit; a task that then asks for it (code 75) is put back into the queue.
 */
export function arrayScript(a: {
  list: string;
  logs: string;
  fold: number;
  tasks: number;
  resources: Resources;
  shape: { ranks: number; threads: number } | null;
}): string {
  const command = garnerCommand().map(shellWord).join(' ');
  return `#!/bin/bash
# Tasks of garner; what they are stands in the list.
export GARNER_BUILT=1
list=${shellWord(a.list)}
logs=${shellWord(a.logs)}
child=
code=0
trap '[ -n "$child" ] && kill -USR1 "$child"' USR1
trap '[ -n "$child" ] && kill -TERM "$child"' TERM
first=$((SLURM_ARRAY_TASK_ID * ${a.fold}))
last=$((first + ${a.fold} - 1))
[ $last -lt ${a.tasks} ] || last=$((${a.tasks} - 1))
for index in $(seq $first $last); do
  id=$(sed -n "$((index + 2)){s/^{\\"id\\":\\"\\([^\\"]*\\)\\".*/\\1/p;q}" "$list")
  ${launch(a.resources, a.shape)}${command} task "$list" "$index" >>"$logs/\${id:-element-$SLURM_ARRAY_TASK_ID}.log" 2>&1 </dev/null &
  child=$!
  # A trap ends a wait early; the task has ended when it cannot be asked any more.
  while :; do wait "$child"; ended=$?; kill -0 "$child" 2>/dev/null || break; done
  child=
  if [ $ended = 75 ]; then
    scontrol requeue "\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && sleep 60
    exit 75
  fi
  [ $ended = 0 ] || code=$ended
done
exit $code
`;
}
