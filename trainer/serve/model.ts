import { fork, type ChildProcess } from 'node:child_process';
import { GarnerError } from '../../core/errors.ts';
import { compiledModule } from '../../core/root.ts';
import type { Listener } from '../sample/batch.ts';
import type { Order, Report } from './protocol.ts';

export interface Answering extends Listener {
  /** The process was lost: nothing more comes. */
  lost(): void;
}

/** A model in a process of its own. */
export interface RemoteModel {
  /** Starts a sequence; there must be a place. The function it returns stops it. */
  add(request: Extract<Order, { type: 'add' }>['request'], listener: Answering): () => void;
  /** Sequences that are being written. */
  running(): number;
  close(): void;
}

/** Starts the process and waits until the model is open. A process that is lost later is started again at the next sequence. */
export async function openRemoteModel(order: Omit<Extract<Order, { type: 'open' }>, 'type'>): Promise<RemoteModel> {
  const listeners = new Map<number, Answering>();
  let last = 0;
  let closed = false;
  let child: ChildProcess | undefined;

  const start = (opened: (failure: string | null) => void) => {
    const started = fork(compiledModule('trainer/serve/worker'), [], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    });
    started.on('message', (report: Report) => {
      if (report.type === 'open') return opened(null);
      if (report.type === 'failed') return opened(report.message);
      for (const { id, token } of report.tokens) listeners.get(id)?.token(token);
      for (const { id, ended } of report.ends) {
        const listener = listeners.get(id);
        listeners.delete(id);
        listener?.end(ended);
      }
    });
    const gone = (why: string) => {
      if (child !== started) return;
      child = undefined;
      opened(`the model's process ended (${why})`);
      const left = [...listeners.values()];
      listeners.clear();
      if (!closed) for (const listener of left) listener.lost();
    };
    started.on('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
    started.on('error', (error) => gone(error.message));
    child = started;
    send({ type: 'open', ...order });
  };
  // A message to a process that has just ended is lost with it: `exit` says so.
  const send = (message: Order) => void child?.send(message, () => {});

  await new Promise<void>((done, fail) =>
    start((failure) =>
      failure === null ? done() : fail(new GarnerError({ what: failure, where: order.checkpoint, fault: 1 })),
    ),
  );
  return {
    add(request, listener) {
      if (!child) start(() => {});
      const id = ++last;
      listeners.set(id, listener);
      send({ type: 'add', id, request });
      return () => {
        if (listeners.delete(id)) send({ type: 'stop', id });
      };
    },
    running: () => listeners.size,
    close() {
      closed = true;
      child?.kill('SIGKILL');
    },
  };
}
