import { availableParallelism } from 'node:os';
import { GarnerError } from '../../core/errors.ts';
import { openServer } from '../../trainer/serve/server.ts';
import { defineCommand } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import { MODEL_ARGUMENT, modelOf, STEP_FLAG } from '../model.ts';
import { wholeNumber } from '../run.ts';

export default defineCommand({
  name: 'serve',
  summary: 'answer OpenAI’s chat API on 127.0.0.1 with a fine-tuned model',
  arguments: [MODEL_ARGUMENT],
  options: [
    {
      flag: '-p, --port <n>',
      about: 'where to listen; 0 for any that is free',
      default: 8000,
      parse: (value) => port(wholeNumber('--port')(value)),
    },
    { flag: '--key <text>', about: 'what clients must show (default: GARNER_SERVE_KEY, else nothing)' },
    {
      flag: '--queue <n>',
      about: 'requests that may wait while others are answered',
      default: 32,
      parse: wholeNumber('--queue'),
    },
    {
      flag: '--threads <n>',
      about: 'threads of the model (default: all processors)',
      parse: wholeNumber('--threads', 1),
    },
    STEP_FLAG,
    LAKE_FLAG,
  ],
  examples: ['garner serve quickstart-finetune', 'GARNER_SERVE_KEY=secret garner serve --port 8080'],
  async run([run], options, terminal) {
    const { folder, name } = modelOf(run, options);
    const key = (options['key'] as string | undefined) ?? process.env['GARNER_SERVE_KEY'];
    const server = await openServer({
      checkpoint: folder,
      name,
      port: options['port'] as number,
      key: key ? key : null,
      queue: options['queue'] as number,
      threads: (options['threads'] as number | undefined) ?? availableParallelism(),
    });
    terminal.stderr.write(
      `${name} answers at ${server.url}, ${server.places} at a time${key ? ', with a key' : ''}; Ctrl-C stops it\n`,
    );
    await new Promise<void>((done) => {
      process.once('SIGINT', done);
      process.once('SIGTERM', done);
    });
    await server.close();
    return 0;
  },
});

function port(n: number): number {
  if (n <= 65_535) return n;
  throw new GarnerError({
    what: `--port is "${n}"`,
    where: 'argument',
    hint: 'a whole number up to 65535 is expected',
    fault: 2,
  });
}
