import { availableParallelism } from 'node:os';
import type { Message } from '../../trainer/chat/conversations.ts';
import { fitConversation } from '../../trainer/chat/fit.ts';
import { parametersOf } from '../../trainer/model/size.ts';
import { openSampler, type Sampler } from '../../trainer/sample/sampler.ts';
import { openChatInput, type ChatInput } from '../chat/input.ts';
import { defineCommand, type Terminal } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import {
  MODEL_ARGUMENT,
  modelOf,
  noConversations,
  SAMPLING_FLAGS,
  samplingOf,
  STEP_FLAG,
  writeText,
} from '../model.ts';
import { wholeNumber } from '../run.ts';

const HELP = `  /reset          forget what was said
  /system TEXT    what the model is told first; without a text, nothing
  /help           this
  /exit           leave, as Ctrl-D does
  Ctrl-C stops an answer, a second one leaves. Pasted lines are one message.
  A message that begins with / is written with two.
`;

/** A conversation, and how it goes on. */
interface Talk {
  system: Message[];
  turns: Message[];
  /** Answers so far: each has draws of its own. */
  answers: number;
}

export default defineCommand({
  name: 'chat',
  summary: 'talk with a model that was fine-tuned on conversations',
  arguments: [MODEL_ARGUMENT],
  options: [
    { flag: '--system <text>', about: 'what the model is told first' },
    { flag: '-t, --tokens <n>', about: 'most tokens of an answer', default: 512, parse: wholeNumber('--tokens', 1) },
    ...SAMPLING_FLAGS,
    STEP_FLAG,
    LAKE_FLAG,
  ],
  examples: ['garner chat quickstart-finetune', 'echo "What is 3 + 4?" | garner chat --temperature 0'],
  async run([run], options, terminal) {
    const { folder, name } = modelOf(run, options);
    const sampler = openSampler(folder, { threads: availableParallelism() });
    if (!sampler.chat) throw noConversations(`let it go on with a text: garner sample ${run ?? name} --prompt "…"`);
    const input = openChatInput(terminal);
    try {
      const told = options['system'] as string | undefined;
      const talk: Talk = { system: told ? [{ role: 'system', content: told }] : [], turns: [], answers: 0 };
      const settings = { ...samplingOf(options), tokens: options['tokens'] as number };
      if (terminal.stdin.isTTY) note(terminal, greeting(name, sampler));
      for (let text = await input.next(); text !== null; text = await input.next()) {
        if (text.trim() === '') continue;
        if (/^\/(?!\/)/.test(text)) {
          if (obey(text, talk, terminal) === 'leave') break;
        } else await say(text.replace(/^\/\//, '/'), talk, { sampler, settings, input, terminal });
      }
    } finally {
      input.close();
      sampler.close();
    }
    return 0;
  },
});

const greeting = (name: string, { config }: Sampler): string =>
  `${name}: ${(parametersOf(config) / 1e6).toFixed(1)} M parameters, ${config.context} tokens of context; /help for more`;

/** What is no answer goes to standard error, so that a pipe holds answers alone. */
const note = (terminal: Terminal, text: string) => void terminal.stderr.write(`(${text})\n`);

function obey(text: string, talk: Talk, terminal: Terminal): 'leave' | 'stay' {
  const [, command, rest] = /^\/(\S*)\s*([^]*)$/.exec(text)!;
  switch (command) {
    case 'reset':
      talk.turns = [];
      talk.answers = 0;
      note(terminal, 'forgotten');
      return 'stay';
    case 'system':
      talk.system = rest!.trim() ? [{ role: 'system', content: rest!.trim() }] : [];
      note(terminal, rest!.trim() ? 'the model is told this first from now on' : 'the model is told nothing first');
      return 'stay';
    case 'help':
      terminal.stderr.write(HELP);
      return 'stay';
    case 'exit':
    case 'quit':
      return 'leave';
    default:
      note(terminal, `there is no /${command}; /help lists what there is`);
      return 'stay';
  }
}

interface Parts {
  sampler: Sampler;
  settings: Record<'tokens' | 'temperature' | 'topK' | 'topP' | 'seed', number>;
  input: ChatInput;
  terminal: Terminal;
}

/** Takes a message and streams the answer; what was said before it is forgotten from the beginning where it no longer fits. */
async function say(text: string, talk: Talk, { sampler, settings, input, terminal }: Parts): Promise<void> {
  const { context } = sampler.config;
  const turns = [...talk.turns, { role: 'user', content: text } as const];
  const room = context - Math.min(settings.tokens, Math.floor(context / 4));
  const fitted = fitConversation(sampler.chat!, [...talk.system, ...turns], room);
  if (!fitted) {
    const { length } = sampler.chat!.prompt([...talk.system, turns.at(-1)!]);
    return note(terminal, `this has ${length} tokens, and ${room} are the most that leave room to answer: shorten it`);
  }
  if (fitted.dropped > 0)
    note(terminal, `the oldest ${fitted.dropped} messages no longer fit into ${context} tokens and are forgotten`);
  let stopped = false;
  let answer = '';
  await input.during(
    async () => {
      const pieces = sampler.stream(fitted.prompt, { ...settings, sequence: talk.answers });
      for (let next = await pieces.next(); ; next = await pieces.next()) {
        if (next.done) {
          await writeText(terminal, '\n');
          if (next.value.ended !== 'stop') note(terminal, whyCut(next.value.ended, settings.tokens));
          return;
        }
        answer += next.value;
        await writeText(terminal, next.value);
        if (!stopped) continue;
        await pieces.return({ ended: 'tokens', tokens: 0 });
        await writeText(terminal, '\n');
        return note(terminal, 'stopped');
      }
    },
    () => (stopped = true),
  );
  talk.answers++;
  talk.turns = fitted.messages.slice(talk.system.length);
  if (answer === '') talk.turns.pop();
  else talk.turns.push({ role: 'assistant', content: answer });
}

const whyCut = (ended: 'tokens' | 'context', tokens: number): string =>
  ended === 'tokens' ? `cut after ${tokens} tokens` : 'cut: the context is full';
