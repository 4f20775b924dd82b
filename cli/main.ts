import { Command as Parser, CommanderError, Option } from 'commander';
import { explainSystemError, GarnerError } from '../core/errors.ts';
import { garnerVersion } from '../core/root.ts';
import { formatError, Interrupted, Told, type Command, type Terminal } from './command.ts';
import { COMMANDS } from './commands/index.ts';

const ABOUT =
  'Turns websites and archives into a clean, deduplicated text corpus that answers\nSQL, and trains language models on any slice of it.';

/**
 * Runs one command line; returns the exit code: 0 done, 2 an argument or recipe must change, 75 stopped by SIGTERM or SIGUSR1 and
 * ready to go on (a cluster may put it back into its queue), 130 after Ctrl-C, 1 everything else.
 */
export async function main(
  argv: readonly string[],
  terminal: Terminal = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
): Promise<number> {
  let code = 0;
  // `garner sql … | head -1`: the reader has what it wanted.
  terminal.stdout.on('error', (error: { code?: string }) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  // Nobody listens to the progress any more; the work goes on.
  if (terminal.stderr.listenerCount('error') === 0) terminal.stderr.on('error', () => {});
  const parser = new Parser('garner')
    .description(ABOUT)
    .version(garnerVersion, '-v, --version')
    .helpCommand(false)
    .exitOverride()
    .showSuggestionAfterError();
  parser.configureOutput({
    writeOut: (text) => void terminal.stdout.write(text),
    writeErr: (text) => void terminal.stderr.write(text.replace(/^error: /, 'garner: ')),
  });
  // `garner help run` and `garner help` mean what other programs mean by them.
  if (argv[0] === 'help') return main([...argv.slice(1, 3), '--help'], terminal);
  // A command of two words: `garner plan tasks`.
  const two = argv.slice(0, 2).join(' ');
  if (argv.length > 1 && Object.hasOwn(COMMANDS, two)) return main([two, ...argv.slice(2)], terminal);
  const wanted = argv.find((a) => !a.startsWith('-'));
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const sub = parser.createCommand(name).copyInheritedSettings(parser).description(summary);
    parser.addCommand(sub);
    if (name === wanted) describe(sub, (await load()).default, terminal, (c) => (code = c));
  }
  parser.addHelpText(
    'after',
    '\nStart with:\n  garner init my.yaml        a commented recipe\n  garner run my.yaml         run it\n  garner sql "from documents limit 5"',
  );
  try {
    if (argv.length === 0) {
      parser.outputHelp();
      return 0;
    }
    await parser.parseAsync(argv as string[], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof Interrupted) {
      terminal.stderr.write('garner: stopped; the same command goes on where it stopped\n');
      return 130;
    }
    if (error instanceof Told) return error.code;
    const known = explainSystemError(error);
    if (known instanceof GarnerError) {
      terminal.stderr.write(`${formatError(known)}\n`);
      return known.fault;
    }
    if (Object(error).code === 'EPIPE') return 0;
    terminal.stderr.write(`garner: a bug of garner's: ${(error as Error).stack ?? String(error)}\n`);
    return 1;
  }
}

function describe(sub: Parser, command: Command, terminal: Terminal, done: (code: number) => void): void {
  for (const a of command.arguments ?? []) sub.argument(a.name, a.about);
  for (const o of command.options ?? []) {
    const option = new Option(o.flag, o.about);
    if (o.default !== undefined) option.default(o.default);
    if (o.parse) option.argParser(o.parse);
    if (o.hidden) option.hideHelp();
    sub.addOption(option);
  }
  if (command.examples.length > 0)
    sub.addHelpText(
      'after',
      `\nExample${command.examples.length > 1 ? 's' : ''}:\n${command.examples.map((e) => `  ${e}`).join('\n')}`,
    );
  sub.exitOverride();
  sub.action(async (...all: unknown[]) => {
    const given = all
      .slice(0, sub.registeredArguments.length)
      .flat()
      .filter((v) => v !== undefined) as string[];
    done(await command.run(given, sub.opts(), terminal));
  });
}
