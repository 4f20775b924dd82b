import type { TaskJob } from './manifest.ts';

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/**
 * What a server would refuse and no schema says, from Kubernetes' documentation: names, the room for `-<index>` in the
 * pods' host names, which settings go together. A sentence each; none where all is well.
 */
export function faultsOf(job: TaskJob): string[] {
  const { metadata, spec } = job;
  const pod = spec.template.spec;
  const faults: string[] = [];
  const must = (fine: boolean, otherwise: string) => void (fine || faults.push(otherwise));
  const longest = 63 - `-${Math.max(0, spec.completions - 1)}`.length;
  must(LABEL.test(metadata.name), `"${metadata.name}" is no DNS-1123 label`);
  must(metadata.name.length <= longest, `the name has more than ${longest} characters: -<index> has to fit behind it`);
  if (metadata.namespace !== undefined)
    must(LABEL.test(metadata.namespace) && metadata.namespace.length <= 63, `"${metadata.namespace}" is no namespace`);
  for (const value of Object.values(metadata.labels))
    must(/^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value), `"${value}" is no value of a label`);
  must(Number.isInteger(spec.completions) && spec.completions >= 1, 'completions must be at least 1');
  must(spec.completions <= 100_000, 'an Indexed Job has at most 100,000 completions');
  must(spec.parallelism >= 1 && spec.parallelism <= spec.completions, 'parallelism must lie between 1 and completions');
  must(spec.completionMode === 'Indexed', 'backoffLimitPerIndex is for completionMode Indexed only');
  must(pod.restartPolicy === 'Never', 'backoffLimitPerIndex and podFailurePolicy need restartPolicy Never');
  must(spec.backoffLimitPerIndex >= 0, 'backoffLimitPerIndex must not be negative');
  for (const rule of spec.podFailurePolicy.rules) {
    const { onExitCodes } = rule;
    if (!onExitCodes) continue;
    must(
      pod.containers.some((c) => c.name === onExitCodes.containerName),
      `no container "${onExitCodes.containerName}"`,
    );
    must(!onExitCodes.values.includes(0), 'podFailurePolicy cannot ask for exit code 0');
  }
  for (const {
    persistentVolumeClaim: { claimName },
  } of pod.volumes)
    must(SUBDOMAIN.test(claimName) && claimName.length <= 253, `"${claimName}" is no name of a claim`);
  for (const container of pod.containers) {
    must(/^[^\s"'`\\]{1,1000}$/.test(container.image), `"${container.image.slice(0, 100)}" is no image`);
    for (const mount of container.volumeMounts) {
      must(
        pod.volumes.some((v) => v.name === mount.name),
        `no volume "${mount.name}"`,
      );
      must(
        mount.mountPath.startsWith('/') && !mount.mountPath.includes(':'),
        `"${mount.mountPath}" is no place to mount`,
      );
    }
  }
  return faults;
}
