import { z } from 'zod';

/** Kubernetes' way to write amounts: 500m, 2, 4Gi. */
const quantity = z
  .string()
  .regex(/^\d{1,9}(?:\.\d{1,3})?(?:m|k|[MGT]i?|Ki)?$/, 'a number and m, k, Ki, M, Mi, G, Gi, T or Ti');

const resources = {
  cpus: quantity.optional().describe('CPUs that a task asks for; default: 1'),
  memory: quantity.optional().describe('memory of a task, asked for and not exceeded; default: 4Gi'),
};

/** The key `kubernetes` of the recipe's section `executor`. It changes no output and stands in no key. */
export const kubernetesSection = z
  .strictObject({
    image: z.string().min(1).optional().describe('image with garner in its PATH; default: garner:<version>'),
    claim: z
      .string()
      .min(1)
      .optional()
      .describe('PersistentVolumeClaim (ReadWriteMany) that holds the lake; default: garner'),
    mount: z
      .string()
      .startsWith('/')
      .optional()
      .describe('where the claim is mounted, here and in the pods; default: the lake’s own folder'),
    namespace: z.string().min(1).optional().describe('namespace of the Jobs; default: kubectl’s own'),
    most: z.int().min(1).max(10_000).optional().describe('pods of a stage that run at once; default: 100'),
    ...resources,
    stages: z
      .record(z.string(), z.strictObject(resources))
      .default({})
      .describe('other values for single stages, e.g. {dedup: {memory: 16Gi}}'),
  })
  .describe('for garner plan tasks --kubernetes');

export type KubernetesSettings = z.output<typeof kubernetesSection>;
