// The process that holds the model: its kernels block it for a step at a time, and the server goes on answering meanwhile.
import { openSampler, type Sampler } from '../sample/sampler.ts';
import type { Order, Report } from './protocol.ts';

let sampler: Sampler | undefined;
const running = new Map<number, () => void>();
let stepping = false;

const send = (report: Report) => process.send!(report);

// Ctrl-C reaches the whole process group; the server decides what happens.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));

process.on('message', (order: Order) => {
  try {
    take(order);
  } catch (error) {
    send({ type: 'failed', message: (error as Error).message });
    process.exit(1);
  }
});

function take(order: Order): void {
  if (order.type === 'open') {
    sampler = openSampler(order.checkpoint, order);
    send({ type: 'open' });
  } else if (order.type === 'stop') {
    running.get(order.id)?.();
    running.delete(order.id);
  } else add(sampler!, order.id, order.request);
}

let said: Extract<Report, { type: 'step' }> = { type: 'step', tokens: [], ends: [] };

function add(from: Sampler, id: number, request: Extract<Order, { type: 'add' }>['request']): void {
  const stop = from.batch.add(
    { ...request, stop: from.stop },
    {
      token(token) {
        // What ends a text is no part of it.
        if (!from.stop.includes(token.id)) said.tokens.push({ id, token });
      },
      end(ended) {
        running.delete(id);
        said.ends.push({ id, ended });
      },
    },
  );
  running.set(id, stop);
  if (!stepping) step();
}

/** A step, and the next one when orders that came meanwhile have been taken. */
function step(): void {
  stepping = sampler!.batch.step();
  if (said.tokens.length + said.ends.length > 0) {
    send(said);
    said = { type: 'step', tokens: [], ends: [] };
  }
  if (stepping) setImmediate(step);
}
