import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { GarnerError } from '../../../core/errors.ts';
import type { WorldOptions } from '../group.ts';
import { createRecorder } from '../recorder/record.ts';
import { BOUNCE, CONTROL_BYTES, DEPTH, MOST_RANKS, SMALL, WHY, worldLibrary } from './library.ts';

/** Groups that `split` can make in a world. */
export const MOST_GROUPS = 1024;
const PAGE = 4096;
/** Of all windows together: half of what a process can address. */
const MOST_ADDRESSES = 2 ** 46;

/** The memory that ranks of one host share: plain data, which the one who made it hands to every rank. */
export interface SharedWorld {
  /** Descriptor of the memory in the process that made it. */
  fd: number;
  /** Descriptor in the process that reads this, where it has inherited one; without it the memory is opened through /proc. */
  inherited?: number;
  creator: number;
  /** Of the memory, so that no other file is taken for it. */
  device: number;
  inode: number;
  ranks: number;
  layout: Layout;
}

/** Places in the memory [bytes]; the memory is sparse, so that only what is used counts. */
export interface Layout {
  blocks: number;
  block: number;
  bounces: number;
  mailboxes: number;
  mailbox: number;
  windows: number;
  window: number;
  bytes: number;
  floats: number;
  depth: number;
}

/** What only the process that made the memory can do. */
export interface WorldMemory {
  place: SharedWorld;
  /** Names the process of a rank before it enters, so that its early death is seen. */
  expect(rank: number, pid: number): void;
  /** Tells all ranks that this one cannot go on. */
  abort(rank: number): void;
  /** Gives the memory up; ranks that have entered keep it. */
  close(): void;
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

function layOut(ranks: number, { floats, depth }: WorldOptions['mailbox']): Layout {
  const blocks = up(CONTROL_BYTES, PAGE);
  // Counters and rounds (a line each), then headers and two small buffers a member.
  const block = up(64 * (2 * DEPTH + 1 + MOST_RANKS) + ranks * (64 * DEPTH + 2 * SMALL), PAGE);
  const bounces = blocks + (MOST_GROUPS + 1) * block;
  const mailboxes = bounces + ranks * BOUNCE;
  const mailbox = up(128 + depth * (64 + up(4 * floats, 64)), PAGE);
  const windows = up(mailboxes + ranks * ranks * mailbox, 2 ** 21);
  const window = Math.min(up(totalmem(), 2 ** 21), Math.floor(MOST_ADDRESSES / ranks / 2 ** 21) * 2 ** 21);
  return {
    blocks,
    block,
    bounces,
    mailboxes,
    mailbox,
    windows,
    window,
    bytes: windows + ranks * window,
    floats,
    depth,
  };
}

/**
 * Makes memory for `ranks` ranks on this host, without a name, so that nothing stays behind after a kill. Each rank enters
 * with `enterWorld`. Makes the file of the flight recorder, where there shall be one. Throws a GarnerError when the machine refuses.
 */
export function createWorldMemory(ranks: number, options: Pick<WorldOptions, 'mailbox' | 'recorder'>): WorldMemory {
  if (!Number.isInteger(ranks) || ranks < 1 || ranks > MOST_RANKS)
    throw new GarnerError({ what: `${ranks} ranks: 1 to ${MOST_RANKS} can share one host`, fault: 2 });
  const c = worldLibrary();
  if (options.recorder !== undefined) createRecorder(options.recorder, ranks);
  const layout = layOut(ranks, options.mailbox);
  const refuse = (why: string) =>
    new GarnerError({ what: `no shared memory for ${ranks} ranks (${why})`, hint: 'train with fewer ranks' });
  const fd = Number(c.world_create(layout.bytes));
  if (fd < 0) throw refuse(`error ${-fd}`);
  const failed =
    Number(c.world_allocate(fd, 0, layout.blocks)) || Number(c.world_allocate(fd, layout.bounces, ranks * BOUNCE));
  const control = failed ? null : (c.world_map(fd, layout.blocks) as bigint | null);
  if (!control) {
    closeSync(fd);
    throw refuse(failed ? `error ${failed}` : 'it cannot be mapped');
  }
  const { dev: device, ino: inode } = fstatSync(fd);
  let open = true;
  return {
    place: { fd, creator: process.pid, device, inode, ranks, layout },
    expect: (rank, pid) => void (open && c.world_seat(control, rank, pid)),
    abort: (rank) => void (open && c.world_abort(control, rank, WHY.gaveUp)),
    close() {
      if (!open) return;
      open = false;
      c.world_unmap(control, layout.blocks);
      closeSync(fd);
    },
  };
}

/** Opens the memory in this process: by the descriptor that it has inherited, else through its maker's /proc. */
export function openWorldMemory(place: SharedWorld): number {
  const { inherited, device, inode, creator } = place;
  const paths = [`/proc/${creator}/fd/${place.fd}`];
  if (inherited !== undefined) paths.unshift(`/proc/self/fd/${inherited}`);
  for (const path of paths) {
    try {
      const { dev, ino } = statSync(path);
      if (dev !== device || ino !== inode) continue;
      const fd = openSync(path, 'r+');
      if (path.startsWith('/proc/self/')) closeSync(inherited!);
      return fd;
    } catch {
      // The next way.
    }
  }
  throw new GarnerError({
    what: `the memory that the ranks share cannot be opened: process ${creator} has ended, or belongs to another user or container`,
    hint: 'start the ranks again, all of one host in one container',
  });
}
