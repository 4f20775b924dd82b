import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../core/root.ts';
import { scoreSite, type Share } from '../../examples/sample-site/score.ts';
import { buildSite } from '../../examples/sample-site/site.ts';
import { defineBench, type Figure } from '../harness.ts';
import { treeMemory } from '../process-tree.ts';

/** The whole arrow in a fresh lake: seconds, memory, and what was found of what the manifest says. */
export default defineBench({
  name: 'quickstart',
  limit:
    'training: 6 FLOPs a parameter and token; about 1.6e13 for the 2.1 M parameters and 1.2 M tokens of the recipe',
  async *run({ say }) {
    const lake = mkdtempSync(join(tmpdir(), 'garner-bench-quickstart-'));
    try {
      say('running the quickstart in a fresh lake');
      const { seconds, peak, code } = await timed(lake);
      const figure = (metric: string, value: number, unit: string, bar?: string): Figure => ({
        bench: 'quickstart',
        case: 'sample site',
        metric,
        value,
        unit,
        ...(bar ? { bar } : {}),
      });
      yield figure('exit code', code, '', '== 0');
      const manifest = buildSite(1).manifest();
      const base = `http://127.0.0.1:${readFileSync(join(lake, '.site-port'), 'utf8').trim()}`;
      const score = await scoreSite(lake, 'quickstart', manifest, base);
      const share = (s: Share) => s.found / s.of;
      yield figure('outcomes as the manifest says', share(score.outcomes), 'share');
      yield figure('exact duplicates found', share(score.exact), 'share', '== 1');
      yield figure('near-duplicates ≥ 0.85 found', share(score.near), 'share', '>= 0.95');
      yield figure('pairs below 0.8 called duplicates', score.falseNear.found, 'pairs', '== 0');
      for (const [type, found] of Object.entries(score.personal))
        yield figure(`${type} masked`, share(found), 'share', /CARD|CN_ID/.test(type) ? '== 1' : '>= 0.95');
      for (const [language, lost] of Object.entries(score.dropped))
        yield figure(`clean pages dropped, ${language}`, share(lost), 'share', '<= 0.02');
      yield figure('time', seconds, 's', '<= 180');
      yield figure('peak resident memory of the process tree', peak / 1e9, 'GB', '<= 2');
    } finally {
      rmSync(lake, { recursive: true, force: true });
    }
  },
});

function timed(lake: string): Promise<{ seconds: number; peak: number; code: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(packageRoot, 'bin', 'garner'), 'quickstart', '--lake', lake], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err = `${err}${chunk.toString()}`.slice(-2000)));
  let peak = 0;
  const sampling = setInterval(() => (peak = Math.max(peak, treeMemory(child.pid!))), 200);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearInterval(sampling);
      if (code !== 0) console.error(err);
      resolve({ seconds: (performance.now() - started) / 1000, peak, code: code ?? 1 });
    });
  });
}
