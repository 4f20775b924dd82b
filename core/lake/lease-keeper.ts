// The thread that shows a lease's signs of life. Started by lease.ts.
import { openSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { renew, SILENT_MS, type LeaseText } from './lease.ts';

const { path, mine, renewMs } = workerData as { path: string; mine: LeaseText; renewMs: number };
let fd: number | undefined;
let beat = 0;
let lastSign = performance.now();

const timer = setInterval(() => {
  try {
    fd ??= openSync(path, 'r+');
    const holder = renew(fd, path, mine, ++beat);
    lastSign = performance.now();
    if (holder !== null) lost(holder);
  } catch (error) {
    // A server may be away for a moment; after so long without a sign of life others may take over.
    if (performance.now() - lastSign > SILENT_MS * 0.75) lost(`nobody for sure (${(error as Error).message})`);
  }
}, renewMs);

function lost(holder: string): void {
  clearInterval(timer);
  parentPort!.postMessage(holder);
}
