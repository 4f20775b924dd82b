import { createProgress } from '../../core/progress.ts';
import { wholeNumber } from '../arguments.ts';
import { defineCommand } from '../command.ts';
import { QUICKSTART, runQuickstart } from '../quickstart.ts';
import { quickstartReport } from '../report.ts';
import { terminalWidth } from '../table.ts';

export default defineCommand({
  name: 'quickstart',
  summary: 'serve the sample site and run the whole arrow on it, in about two minutes',
  options: [
    { flag: '--lake <dir>', about: 'the lake', default: 'lakes/quickstart' },
    { flag: '--workers <n>', about: 'child processes (default: cores)', parse: wholeNumber('--workers') },
    { flag: '--until <stage>', about: 'stop after this stage' },
  ],
  examples: ['npm run quickstart'],
  async run(_, options, terminal) {
    const started = performance.now();
    const lake = await runQuickstart(
      {
        lake: options['lake'] as string,
        until: options['until'] as string | undefined,
        workers: options['workers'] as number | undefined,
        progress: createProgress(terminal.stderr),
      },
      terminal,
    );
    terminal.stdout.write(
      await quickstartReport(lake, QUICKSTART, (performance.now() - started) / 1000, terminalWidth(terminal)),
    );
    return 0;
  },
});
