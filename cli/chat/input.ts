import { createInterface } from 'node:readline';
import type { Terminal } from '../command.ts';

/** Lines that come within this time of each other are one message [ms]: pasting, where the terminal does not say so. */
const TOGETHER = 20;

export interface ChatInput {
  /** The next message, several lines where they were pasted; null at the end of the input. Ctrl-C on an empty line ends it. */
  next(): Promise<string | null>;
  /** Runs `work` while Ctrl-C calls `interrupt`; a second one leaves. */
  during(work: () => Promise<void>, interrupt: () => void): Promise<void>;
  close(): void;
}

type Raw = { setRawMode?: (on: boolean) => void };

/** Reads messages from a terminal or a pipe; of a pipe, each line is one. */
export function openChatInput(terminal: Terminal): ChatInput {
  return terminal.stdin.isTTY === true && terminal.stdout.isTTY === true ? fromTerminal(terminal) : fromPipe(terminal);
}

function fromPipe({ stdin }: Terminal): ChatInput {
  const lines = createInterface({ input: stdin, crlfDelay: Infinity });
  const each = lines[Symbol.asyncIterator]();
  let left = false;
  return {
    async next() {
      const { value, done } = left ? { value: undefined, done: true } : await each.next();
      return done ? null : value!;
    },
    during: (work, interrupt) => untilDone(work, interrupt, () => (left = true)),
    close: () => lines.close(),
  };
}

/** Ctrl-C as a signal: the first interrupts, the second leaves. */
async function untilDone(work: () => Promise<void>, interrupt: () => void, leave: () => void): Promise<void> {
  let pressed = 0;
  const stop = () => {
    interrupt();
    if (++pressed > 1) leave();
  };
  process.on('SIGINT', stop);
  try {
    await work();
  } finally {
    process.off('SIGINT', stop);
  }
}

function fromTerminal({ stdin, stdout }: Terminal): ChatInput {
  const lines = createInterface({ input: stdin, output: stdout, terminal: true, historySize: 200, prompt: '> ' });
  // Bracketed paste: the terminal tells where pasted text begins and ends, and Node names these as keys.
  stdout.write('\u001B[?2004h');
  let pasting = false;
  let gathered: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  let waiting: ((message: string | null) => void) | undefined;
  const ready: string[] = [];

  const give = (message: string | null) => {
    if (!waiting) {
      if (message !== null) ready.push(message);
      return;
    }
    const to = waiting;
    waiting = undefined;
    to(message);
  };
  const send = () => {
    const message = gathered.join('\n');
    gathered = [];
    give(message);
  };
  stdin.on('keypress', (_: unknown, key: { name?: string } | undefined) => {
    if (key?.name === 'paste-start') pasting = true;
    if (key?.name === 'paste-end') pasting = false;
  });
  lines.on('line', (line) => {
    gathered.push(line);
    clearTimeout(timer);
    if (!pasting) timer = setTimeout(send, TOGETHER);
  });
  lines.on('SIGINT', () => {
    if (lines.line === '' && gathered.length === 0) return lines.close();
    gathered = [];
    pasting = false;
    // Ctrl-E, Ctrl-U: the line is thrown away
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    stdout.write('\n');
    lines.prompt();
  });
  lines.on('close', () => {
    ended = true;
    stdout.write('\u001B[?2004l\n');
    give(null);
  });

  return {
    next() {
      if (ready.length > 0) return Promise.resolve(ready.shift()!);
      if (ended) return Promise.resolve(null);
      lines.prompt();
      return new Promise((done) => (waiting = done));
    },
    async during(work, interrupt) {
      // Lines are not edited while an answer comes, so Ctrl-C is a signal as everywhere.
      lines.pause();
      (stdin as Raw).setRawMode?.(false);
      try {
        await untilDone(work, interrupt, () => lines.close());
      } finally {
        if (!ended) {
          (stdin as Raw).setRawMode?.(true);
          lines.resume();
        }
      }
    },
    close() {
      if (!ended) lines.close();
    },
  };
}
