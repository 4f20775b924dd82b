// npm run bench -- NAME… [--quick] [--json]
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { garnerVersion, packageRoot } from '../core/root.ts';
import { BENCHES } from './cases/index.ts';
import { judged, type Figure } from './harness.ts';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const json = args.includes('--json');
const names = args.filter((a) => !a.startsWith('-'));
const wanted = names.length > 0 ? names : Object.keys(BENCHES);
const unknown = wanted.filter((n) => !Object.hasOwn(BENCHES, n));
if (unknown.length > 0) {
  console.error(`bench: no bench is called ${unknown.join(', ')}\n  the benches: ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}

const results = join(packageRoot, 'bench', 'results');
mkdirSync(results, { recursive: true });
const commit = (() => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: packageRoot,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return garnerVersion;
  }
})();
const circumstances = {
  date: new Date().toISOString().slice(0, 10),
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
  commit,
  quick,
};
let missed = 0;
for (const name of wanted) {
  const { default: bench } = await BENCHES[name]!();
  if (!json) console.log(`\n${bench.name}: ${bench.limit}`);
  for await (const raw of bench.run({
    quick,
    say: (text) => void (json ? console.error(text) : console.log(`  ${text}`)),
  })) {
    const figure = judged(raw);
    if (figure.met === false) missed++;
    console.log(json ? JSON.stringify(figure) : `  ${line(figure)}`);
    appendFileSync(
      join(results, `${name}.jsonl`),
      `${JSON.stringify({ ...figure, ...circumstances, load: Number(loadavg()[0]!.toFixed(2)) })}\n`,
    );
  }
}
process.exit(missed > 0 ? 1 : 0);

function line(f: Figure): string {
  const number = (n: number) =>
    Math.abs(n) >= 1000 ? Math.round(n).toLocaleString('en') : Number(n.toPrecision(4)).toString();
  const rival =
    f.rival === undefined
      ? ''
      : f.rivalValue === undefined
        ? `, ${f.rival}: absent`
        : `, ${f.rival} ${number(f.rivalValue)}`;
  const ratio = f.ratio === undefined ? '' : `, ratio ${f.ratio.toFixed(2)}`;
  const bar =
    f.bar === undefined ? '' : ` (bar ${f.bar}: ${f.met === undefined ? 'not judged' : f.met ? 'met' : 'MISSED'})`;
  return `${f.case}: ${f.metric} ${number(f.value)} ${f.unit}${rival}${ratio}${bar}${f.note ? ` · ${f.note}` : ''}`;
}
