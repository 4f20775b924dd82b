import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { asset } from '../../core/root.ts';
import { defineCommand } from '../command.ts';

export default defineCommand({
  name: 'init',
  summary: 'write a commented recipe to start from',
  arguments: [{ name: '[file]', about: 'where to (default: recipe.yaml)' }],
  options: [{ flag: '--force', about: 'write over a file that is there' }],
  examples: ['garner init my.yaml && garner run my.yaml --dry-run'],
  run([file = 'recipe.yaml'], options, terminal) {
    if (existsSync(file) && !options['force'])
      throw new GarnerError({
        what: 'the file is there already',
        where: file,
        hint: 'choose another name, or add --force',
        fault: 2,
      });
    const name = basename(file).replace(/\.ya?ml$/, '');
    writeFileSync(file, readFileSync(asset('examples/recipe.yaml'), 'utf8').replace(/^name: .*$/m, `name: ${name}`));
    terminal.stdout.write(
      `${file} is written. Next:\n  garner run ${file} --dry-run   what would run\n  garner run ${file}             run it\n`,
    );
    return Promise.resolve(0);
  },
});
