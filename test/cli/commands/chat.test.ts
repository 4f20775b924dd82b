import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Terminal } from '../../../cli/command.ts';
import { main } from '../../../cli/main.ts';
import { toyModel } from '../../trainer/toy-model.ts';

const folder = mkdtempSync(join(tmpdir(), 'garner-chat-command-'));
const model = join(folder, 'toy');
const endless = join(folder, 'endless');
const short = join(folder, 'short');
const base = join(folder, 'base');
beforeAll(async () => {
  await toyModel(model);
  await toyModel(endless, { endless: true, context: 8192 });
  await toyModel(short, { endless: true, context: 200 });
  await toyModel(base, { base: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const streams = (tty: boolean) => {
  const of = () => {
    const stream = Object.assign(new PassThrough(), { isTTY: tty, columns: 80, rows: 24, setRawMode: () => {} });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { stream, text: () => text };
  };
  const [out, err] = [of(), of()];
  const stdin = Object.assign(new PassThrough(), { isTTY: tty, setRawMode: () => {} });
  const terminal = { stdin, stdout: out.stream, stderr: err.stream } as unknown as Terminal;
  return { terminal, stdin, out: out.text, err: err.text };
};

/** A pipe with these lines. */
async function piped(lines: string, ...args: string[]) {
  const { terminal, stdin, out, err } = streams(false);
  stdin.end(lines);
  const code = await main(['chat', ...args], terminal);
  return { code, out: out(), err: err() };
}

test('in a pipe each line is a message, and standard output holds answers alone', async () => {
  const { code, out, err } = await piped('Hello\n\nAnd?\n', model, '--tokens', '8', '--temperature', '0');
  expect(code).toBe(0);
  expect(out.endsWith('\n')).toBe(true);
  expect(err).not.toContain('parameters');
  const first = await piped('Hello\n', model, '--tokens', '8', '--temperature', '0');
  expect(out.startsWith(first.out)).toBe(true);
  expect(out.length).toBeGreaterThan(first.out.length);
  // the same seed says the same
  expect(await piped('Hello\n', model, '--seed', '4')).toEqual(await piped('Hello\n', model, '--seed', '4'));
});

test('what was said matters until it is forgotten, and what the model is told first', async () => {
  const answer = async (lines: string) => {
    const { out } = await piped(lines, endless, '--tokens', '12', '--temperature', '0');
    return out.slice(out.trimEnd().lastIndexOf('\n') + 1);
  };
  const [alone, after, reset, told, untold] = await Promise.all(
    ['Who?\n', 'Hello\nWho?\n', 'Hello\n/reset\nWho?\n', '/system Be brief\nWho?\n', '/system x\n/system\nWho?\n'].map(
      answer,
    ),
  );
  expect(after).not.toBe(alone);
  expect(reset).toBe(alone);
  expect(told).not.toBe(alone);
  expect(untold).toBe(alone);
});

test('commands answer on standard error; a message may begin with a slash', async () => {
  const { err, out } = await piped('/help\n/nonsense\n/exit\nnever read\n', model);
  expect(err).toContain('/reset          forget what was said');
  expect(err).toContain('(there is no /nonsense; /help lists what there is)');
  expect(out).toBe('');
  expect((await piped('//help\n', endless, '--tokens', '3')).err).toBe('(cut after 3 tokens)\n');
});

test('what no longer fits is forgotten from the beginning, with a note; what never fits is refused', async () => {
  const lines = Array.from({ length: 6 }, (_, i) => `The whale saw the harbour, number ${i}.\n`).join('');
  const { err, code } = await piped(lines, model, '--tokens', '20');
  expect(code).toBe(0);
  expect(err).toMatch(/\(the oldest \d+ messages no longer fit into 256 tokens and are forgotten\)/);
  const long = await piped(`${'many words '.repeat(300)}\nHello\n`, model, '--tokens', '5', '--temperature', '0');
  expect(long.err).toMatch(/^\(this has \d+ tokens, and \d+ are the most that leave room to answer: shorten it\)/);
  // and the talk goes on as if it had not been said
  expect(long.out).toBe((await piped('Hello\n', model, '--tokens', '5', '--temperature', '0')).out);
  expect((await piped('Hello\n', short, '--tokens', '9000')).err).toContain('(cut: the context is full)');
});

test('a base model is one sentence', async () => {
  expect(await piped('Hello\n', base)).toEqual({
    code: 2,
    out: '',
    err: `garner: this model was not fine-tuned on conversations\n  let it go on with a text: garner sample ${base} --prompt "…"\n`,
  });
});

const until = async (what: () => boolean) => {
  for (let i = 0; i < 1000 && !what(); i++) await sleep(5);
  expect(what()).toBe(true);
};

test('in a terminal: pasted lines are one message, Ctrl-C stops an answer, a second one leaves', async () => {
  const { terminal, stdin, out, err } = streams(true);
  const done = main(['chat', endless, '--tokens', '8000', '--temperature', '0'], terminal);
  await until(() => out().includes('> '));
  expect(err()).toContain('8192 tokens of context; /help for more');
  stdin.write('\u001B[200~one\ntwo\u001B[201~');
  await sleep(60);
  // nothing is sent before Enter
  expect(err()).not.toContain('stopped');
  const before = out().length;
  stdin.write('\r');
  await until(() => out().length > before + 50);
  process.emit('SIGINT');
  await until(() => err().includes('(stopped)'));
  await until(() => out().endsWith('> ') || out().includes('> \u001B'));
  // no cursor is moved by what the model writes
  expect(out().slice(before)).not.toMatch(/[\u0007\u0008\u202e]/);
  stdin.write('half a line');
  await until(() => out().includes('half a line'));
  stdin.write('\u0003');
  await sleep(50);
  stdin.write('\u0003');
  expect(await done).toBe(0);
});

test('in a terminal: Ctrl-C twice while it answers leaves at once', async () => {
  const { terminal, stdin, out } = streams(true);
  const done = main(['chat', endless, '--tokens', '8000'], terminal);
  await until(() => out().includes('> '));
  stdin.write('Hello\r');
  await until(() => out().length > 200);
  process.emit('SIGINT');
  process.emit('SIGINT');
  expect(await done).toBe(0);
});
