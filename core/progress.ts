/** A text without what could move a terminal's cursor or turn its direction: control characters, escapes, bidi overrides. */
export const plain = (text: string): string =>
  text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '');

/** What a long work tells the person who waits for it. */
export interface Progress {
  /** A stage begins; `tasks` of them. */
  begin(stage: string, tasks: number): void;
  /** How far a task is; `total` null where nobody knows. */
  update(stage: string, task: string, done: number, total: number | null, note?: string): void;
  /** A task ended. */
  taskDone(stage: string, task: string): void;
  /** The stage ended. */
  end(stage: string, seconds: number, counts: Record<string, number>): void;
  /** The stage was there already. */
  reused(stage: string): void;
  notice(text: string): void;
  close(): void;
}

/** Nothing is shown (tests, pipes with --quiet). */
export const silent: Progress = {
  begin() {},
  update() {},
  taskDone() {},
  end() {},
  reused() {},
  notice() {},
  close() {},
};

/** Bars on a terminal, JSON lines elsewhere; both on standard error, so that standard output stays data. */
export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY ? bars(stream) : jsonLines(stream);
}

const clock = () => new Date().toISOString().slice(11, 19);

/** `1234567` → `1.23 M`. */
export function short(n: number): string {
  const a = Math.abs(n);
  if (a >= 1e9) return `${(n / 1e9).toPrecision(3)} G`;
  if (a >= 1e6) return `${(n / 1e6).toPrecision(3)} M`;
  if (a >= 1e4) return `${(n / 1e3).toPrecision(3)} k`;
  return Number.isInteger(n) ? String(n) : n.toPrecision(3);
}

const cut = (text: string, width: number) => (text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text);

const describe = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([k, v]) => `${k.replaceAll('_', ' ')} ${short(v)}`)
    .join(', ');

function jsonLines(stream: NodeJS.WriteStream): Progress {
  let last = 0;
  const say = (line: object) => stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
  return {
    begin: (stage, tasks) => void say({ event: 'begin', stage, tasks }),
    update(stage, task, done, total, note) {
      if (Date.now() - last < 5000) return;
      last = Date.now();
      say({ event: 'progress', stage, task, done, total, note });
    },
    taskDone() {},
    end: (stage, seconds, counts) => void say({ event: 'end', stage, seconds: Number(seconds.toFixed(2)), counts }),
    reused: (stage) => void say({ event: 'reused', stage }),
    notice: (text) => void say({ event: 'notice', text }),
    close() {},
  };
}

function bars(stream: NodeJS.WriteStream): Progress {
  const colour = !process.env['NO_COLOR'];
  const dim = (text: string) => (colour ? `\u001B[2m${text}\u001B[22m` : text);
  let line = '';
  let last = 0;
  let tasks = 0;
  let finished = 0;
  const running = new Map<string, number>();
  const clear = () => {
    if (line) stream.write('\r\u001B[2K');
    line = '';
  };
  const print = (text: string) => {
    clear();
    stream.write(`${text}\n`);
  };
  const draw = (stage: string, share: number | null, text: string) => {
    if (Date.now() - last < 80) return;
    last = Date.now();
    const width = 24;
    const full = Math.round((share ?? 0) * width);
    const bar = share === null ? '·'.repeat(width) : '█'.repeat(full) + '░'.repeat(width - full);
    clear();
    line = plain(`${stage.padEnd(18)} ${bar} ${text}`)
      .replaceAll('\n', ' ')
      .slice(0, (stream.columns || 80) - 1);
    stream.write(line);
  };
  return {
    begin(stage, count) {
      [tasks, finished] = [count, 0];
      running.clear();
      last = 0;
      draw(stage, count > 1 ? 0 : null, 'starting');
    },
    update(stage, task, done, total, note) {
      if (total) running.set(task, Math.min(1, done / total));
      const partial = [...running.values()].reduce((a, b) => a + b, 0);
      draw(
        stage,
        total || tasks > 1 ? (finished + partial) / tasks : null,
        note ?? `${short(done)}${total ? ` of ${short(total)}` : ''}`,
      );
    },
    taskDone(stage, task) {
      running.delete(task);
      finished++;
      draw(stage, finished / tasks, `${finished} of ${tasks}`);
    },
    end: (stage, seconds, counts) =>
      print(
        `${stage.padEnd(18)} ${`${seconds.toFixed(1)} s`.padStart(8)}  ${dim(cut(describe(counts), (stream.columns || 80) - 30))}`,
      ),
    reused: (stage) => print(`${stage.padEnd(18)} ${dim('  reused')}`),
    notice: (text) => print(`${dim(clock())} ${plain(text)}`),
    close: clear,
  };
}
