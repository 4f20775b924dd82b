// node dist/examples/sample-site/main.js [--port N] [--seed N] [--manifest FILE]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { GarnerError } from '../../core/errors.ts';
import { serveSite } from './server.ts';
import { buildSite } from './site.ts';

const { values } = parseArgs({
  options: { port: { type: 'string' }, seed: { type: 'string' }, manifest: { type: 'string' } },
});

try {
  const site = buildSite(Number(values.seed ?? 1));
  if (values.manifest) writeFileSync(values.manifest, `${JSON.stringify(site.manifest(), null, 1)}\n`);
  const server = await serveSite(site, { port: Number(values.port ?? 0) });
  console.log(server.url);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
} catch (error) {
  if (!(error instanceof GarnerError)) throw error;
  console.error(`sample site: ${error.format()}`);
  process.exitCode = error.fault;
}
