import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryName } from '../../../core/files.ts';
import { ownName } from '../../../core/machine.ts';
import { sweepHalfWritten, sweepTemporary } from '../../../core/stage/temporary.ts';

test('half-written files of dead processes go; those of the living and of other hosts stay', async () => {
  const lake = mkdtempSync(join(tmpdir(), 'garner-sweep-'));
  try {
    mkdirSync(join(lake, 'recipes'));
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const names = {
      dead: `my.json.tmp-${ownName.machine}-${dead}-1-0`,
      mine: temporaryName('my.json'),
      elsewhere: `my.json.tmp-00000000-${dead}-1-0`,
      whole: 'my.json',
    };
    for (const name of Object.values(names)) writeFileSync(join(lake, 'recipes', name), '');
    await sweepTemporary(lake);
    expect(readdirSync(join(lake, 'recipes')).toSorted()).toEqual(
      [names.mine, names.elsewhere, names.whole].toSorted(),
    );
    expect(() => sweepHalfWritten(join(lake, 'nowhere'))).not.toThrow();
  } finally {
    rmSync(lake, { recursive: true });
  }
});
