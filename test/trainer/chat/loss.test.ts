import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { growTokenizer } from '../../../trainer/chat/grow.ts';
import { packedChats } from '../../../trainer/chat/pack.ts';
import { chatTemplate, marksOf, TEMPLATE_NAMES } from '../../../trainer/chat/template.ts';
import type { Message } from '../../../trainer/chat/conversations.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import type { Fill } from '../../../trainer/parallel/learner.ts';
import { openLearner } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { openVocabulary } from '../../../trainer/sample/vocabulary.ts';
import { toyModel } from '../toy-model.ts';
import { readFileSync } from 'node:fs';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'garner-loss-'));
  await toyModel(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const ANSWERS = ['The whale saw the harbour.', '我们喜欢大海。', 'Yes'];
const messages: Message[] = [
  { role: 'system', content: 'Be short.' },
  ...ANSWERS.flatMap((content, i): Message[] => [
    { role: 'user', content: `Question ${i}: who saw the harbour?` },
    { role: 'assistant', content },
  ]),
];

describe.each(TEMPLATE_NAMES)('under %s', (name) => {
  test('only answers and the ends of their turns take loss: seen in the gradient', () => {
    const path = join(folder, 'tokenizer.json');
    const { vocabulary } = growTokenizer(readFileSync(path, 'utf8'), openVocabulary(path), marksOf(name));
    const chat = chatTemplate(vocabulary, name);
    const rendered = chat.render(messages);
    const sequence = rendered.ids.length - 1;
    // Found again in the ids without a word of the renderer: what is predicted at i is ids[i + 1].
    const answer = new Set<number>();
    let at = 0;
    for (const text of ANSWERS) {
      const ids = [...vocabulary.encode(text), chat.end];
      while (!ids.every((id, k) => rendered.ids[at + k] === id)) at++;
      ids.forEach((_, k) => answer.add(at + k - 1));
    }
    const config = configOfDepth(1, { vocabulary: vocabulary.size, context: sequence, width: 32, headSize: 16 });
    const learner = openLearner(
      config,
      { batch: 1, sequence, threads: 1, engine: 'cpu', seed: 1, documents: true, parallel: ALONE },
      alone(),
    );
    const samples = packedChats([rendered], { sequence, padding: vocabulary.endOfText, seed: 1 });
    const fill: Fill = (slot, into) => samples.fill(slot, into, 0);
    const still = {
      step: 1,
      learningRate: 0,
      gradientScale: 1,
      clip: Infinity,
      beta1: 0,
      beta2: 0,
      epsilon: 1,
      weightDecay: 0,
    };
    const gradientUnder = (counts: (place: number) => boolean) => {
      learner.accumulate(1, fill, (_, __, scales) => {
        for (let i = 0; i < sequence; i++) scales[i] = counts(i) ? 1 : 0;
      });
      const { gradientNorm } = learner.update(still);
      return { gradientNorm, first: learner.collect('model.embed_tokens.weight', 'first')!.slice() };
    };
    const all = gradientUnder(() => true);
    expect(all.gradientNorm).toBeGreaterThan(0.1);
    expect(gradientUnder((i) => answer.has(i))).toEqual(all);
    expect(gradientUnder((i) => !answer.has(i)).gradientNorm).toBe(0);
    // Each place of an answer, its end of turn among them, has a part in it.
    for (const place of answer) expect(gradientUnder((i) => i === place).gradientNorm).toBeGreaterThan(1e-3);
    expect(answer.size).toBe(rendered.learned.filter(Boolean).length);
    learner.close();
  });
});
