import { Writable } from 'node:stream';
import type { Terminal } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { main } from './main.ts';

/** docs/cli.md: the help of every command, as a terminal of 80 columns shows it. */
export async function helpPages(): Promise<string> {
  const pages = ['# Commands\n\nGenerated from the commands themselves; a test checks that it is current.\n'];
  for (const name of ['', ...Object.keys(COMMANDS)]) {
    const text = await helpOf(name);
    pages.push(`## garner ${name}`.trimEnd() + `\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`);
  }
  return pages.join('\n');
}

/** What `garner NAME --help` prints. */
export async function helpOf(name: string): Promise<string> {
  let text = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  await main([...(name ? [name] : []), '--help'], { stdin: process.stdin, stdout, stderr: process.stderr } as Terminal);
  return text;
}
