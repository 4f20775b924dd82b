import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { GarnerError, explainSystemError } from '../../../core/errors.ts';
import { isDead, ownName, ownTag, processOf } from '../../../core/machine.ts';
import type { Launch } from './environment.ts';
import type { Invitation } from './guest.ts';
import { addressesOf } from './hosts.ts';
import type { LaunchSettings } from './settings.ts';

/**
 * The file in which rank 0 says where it listens, for ranks that see the same lake. Mode 600: it holds the secret. It is
 * named after its process, so that what a killed one leaves is swept away.
 */
const folderOf = (lake: string): string => join(lake, '.tmp');
const ending = (launch: Launch): string => `-ranks-${launch.id}.json`;

const shape = z.strictObject({
  addresses: z.array(z.string().max(255)).max(64),
  port: z.int().min(1).max(65_535),
  secret: z.string().min(16).max(1000),
});

type Environment = Readonly<Record<string, string | undefined>>;

/** The secret that a person gave all ranks; undefined where a file in the lake is to carry one. Throws a GarnerError for one that can be guessed. */
export function givenSecret(env: Environment = process.env): string | undefined {
  const secret = env['GARNER_SECRET'];
  if (secret === undefined || secret === '') return undefined;
  if (secret.length >= 16) return secret;
  throw new GarnerError({
    what: `GARNER_SECRET has ${secret.length} characters`,
    where: 'environment',
    hint: 'give it at least 16: "export GARNER_SECRET=$(openssl rand -hex 32)"',
    fault: 2,
  });
}

/** A secret of this start alone. */
export const freshSecret = (): string => randomBytes(32).toString('hex');

/** Port that rank 0 listens at: as set, as the launcher says where the others cannot read it from a file, else a free one. */
export const portOf = (launch: Launch, settings: LaunchSettings, given: string | undefined): number =>
  settings.port || (given === undefined ? 0 : (launch.meeting?.port ?? 0));

/** Writes the file; returns what removes it. */
export function writeInvitation(
  lake: string,
  launch: Launch,
  { port, secret, address }: { port: number; secret: string; address: string | undefined },
): () => void {
  const file = join(folderOf(lake), `${ownTag}${ending(launch)}`);
  const text = JSON.stringify({ addresses: address === undefined ? addressesOf() : [address], port, secret });
  try {
    mkdirSync(folderOf(lake), { recursive: true });
    const temporary = `${file}.new`;
    writeFileSync(temporary, text, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, file);
  } catch (error) {
    throw explainSystemError(error, file);
  }
  return () => rmSync(file, { force: true });
}

/**
 * What another rank knows of where rank 0 listens, each time it is asked: from the file, with a person's own secret in place
 * of the file's; without a file from the launcher's variables and the given secret. Throws a GarnerError for a file that others can read.
 */
export function readInvitation(
  lake: string,
  launch: Launch,
  settings: LaunchSettings,
  env: Environment = process.env,
): Invitation | null {
  const given = givenSecret(env);
  const said = readNewest(lake, launch);
  if (said) return { ...said, secret: given ?? said.secret };
  const port = portOf(launch, settings, given);
  if (given === undefined || launch.meeting === null || port === 0) return null;
  return { addresses: [launch.meeting.host], port, secret: given };
}

/** The latest file of this start that is not a dead process's. */
function readNewest(lake: string, launch: Launch): Invitation | null {
  const folder = folderOf(lake);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending(launch))) : [];
  const age = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const living = names.filter((name) => !isDead(processOf(name) ?? ownName));
  const newest = living.toSorted((a, b) => age(b) - age(a))[0];
  return newest === undefined ? null : readFile(join(folder, newest));
}

function readFile(file: string): Invitation | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return null;
  }
  try {
    const { mode, uid, size } = fstatSync(fd);
    if ((mode & 0o077) !== 0 || (process.getuid && uid !== process.getuid()))
      throw new GarnerError({
        what: 'this file holds the secret of the ranks, and others could read or write it',
        where: file,
        hint: 'remove it and start the ranks again; it must be yours, with mode 600',
        fault: 2,
      });
    if (size > 65_536) return null;
    const read = shape.safeParse(JSON.parse(readFileSync(fd, 'utf8')));
    return read.success ? read.data : null;
  } catch (error) {
    if (error instanceof GarnerError) throw error;
    return null;
  } finally {
    closeSync(fd);
  }
}
