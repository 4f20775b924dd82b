import { availableParallelism } from 'node:os';
import { openScorer } from '../../trainer/align/scorer.ts';
import { defineCommand } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import { modelOf, STEP_FLAG } from '../model.ts';
import { pipeMany } from '../pipe.ts';

/** Records that go through the model together. */
const TOGETHER = 128;

export default defineCommand({
  name: 'score',
  summary: 'judge answers of JSON lines by a reward model: {id, prompt, answer} to {id, reward}',
  arguments: [
    { name: '<run>', about: 'a reward model: a run by its name or key, or a folder' },
    { name: '[file]', about: 'JSON lines {id, prompt: [{role, content}…], answer}; - or nothing for standard input' },
  ],
  options: [LAKE_FLAG, STEP_FLAG],
  examples: [
    'garner score align-reward answers.jsonl',
    `echo '{"id":1,"prompt":"What is 4 + 5?","answer":"4 + 5 = 9."}' | garner score align-reward`,
  ],
  async run([run, file], options, terminal) {
    const { folder } = modelOf(run, options);
    const scorer = openScorer(folder, { threads: availableParallelism() });
    try {
      return await pipeMany(file, terminal, TOGETHER, (records) =>
        scorer.score(records).map((found, i) => {
          const { id } = records[i]!;
          if ('reason' in found) return { id, error: found.reason };
          return { id, reward: found.reward, ...(found.cut ? { cut: true } : {}) };
        }),
      );
    } finally {
      scorer.close();
    }
  },
});
