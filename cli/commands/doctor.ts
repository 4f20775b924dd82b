import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { arch, cpus, freemem, platform, totalmem } from 'node:os';
import { execFileSync } from 'node:child_process';
import { garnerVersion } from '../../core/root.ts';
import { cacheFolder, findCompiler } from '../../core/native/compile.ts';
import { findBrowser } from '../../crawlers/web/browser-path.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, formatTable, terminalWidth, type Cell } from '../table.ts';

export default defineCommand({
  name: 'doctor',
  summary: 'what this machine has, and what that means',
  options: [{ flag: '--json', about: 'one JSON object' }],
  examples: ['garner doctor'],
  run(_, options, terminal) {
    const findings = examine();
    if (options['json']) terminal.stdout.write(`${JSON.stringify(findings)}\n`);
    else
      terminal.stdout.write(
        `${formatTable(
          ['what', 'found', 'so'],
          findings.map((f): Cell[] => [f.what, f.found, f.meaning]),
          Math.max(terminalWidth(terminal), 120),
        )}\n`,
      );
    return Promise.resolve(0);
  },
});

interface Finding {
  what: string;
  found: string;
  meaning: string;
}

/** What is here, and what garner does with it. */
export function examine(): Finding[] {
  const compiler = findCompiler();
  const vectors = vectorUnit();
  const browser = findBrowser();
  const gpu = findGpu();
  const disk = statfsSync(process.cwd());
  return [
    { what: 'garner', found: garnerVersion, meaning: '' },
    {
      what: 'Node',
      found: `${process.version}, ${platform()} ${arch()}`,
      meaning: Number(process.versions.node.split('.')[0]) >= 20 ? 'fine' : 'Node 20.19 or newer is needed',
    },
    {
      what: 'cores',
      found: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
      meaning: `${cpus().length} tasks at once; training uses as many threads`,
    },
    {
      what: 'memory',
      found: `${formatBytes(totalmem())}, ${formatBytes(freemem())} free`,
      meaning: totalmem() > 4e9 ? 'fine' : 'under 4 GB: use --workers 1',
    },
    {
      what: 'disk here',
      found: `${formatBytes(disk.bavail * disk.bsize)} free`,
      meaning: 'a lake takes about twice its raw pages',
    },
    {
      what: 'C compiler',
      found: compiler ? compiler.version : 'none',
      meaning: compiler
        ? `kernels are built once and kept in ${cacheFolder()}`
        : 'TypeScript twins run in their place, 10 to 100 times slower: install gcc or clang',
    },
    {
      what: 'vectors',
      found: vectors,
      meaning: vectors === 'none found' ? 'kernels run with 128-bit vectors' : 'kernels are built for them',
    },
    {
      what: 'browser',
      found: browser ?? 'none',
      meaning: browser
        ? 'pages that only scripts fill are rendered'
        : 'such pages get the outcome needs_browser: install Chromium, or set GARNER_CHROMIUM',
    },
    {
      what: 'GPU',
      found: gpu ?? 'none',
      meaning: gpu ? 'not used yet: this version trains on the CPU' : 'training runs on the CPU',
    },
  ];
}

function vectorUnit(): string {
  if (!existsSync('/proc/cpuinfo')) return 'none found';
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'));
  const flags = new Set(line?.[1]!.split(/\s+/));
  const known = ['avx2', 'avx512f', 'avx512_bf16'].filter((f) => flags.has(f));
  return known.length > 0 ? known.join(', ') : 'none found';
}

function findGpu(): string | null {
  try {
    return (
      execFileSync('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim() || null
    );
  } catch {
    return null;
  }
}
