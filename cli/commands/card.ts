import { join, resolve } from 'node:path';
import { GarnerError } from '../../core/errors.ts';
import { readCard, type ModelCard } from '../../trainer/card/card.ts';
import { cardMarkdown, ladderOf } from '../../trainer/card/markdown.ts';
import { costOf, type Cost } from '../../trainer/card/measured.ts';
import { defineCommand } from '../command.ts';
import { LAKE_FLAG } from '../lake.ts';
import { MODEL_ARGUMENT, modelOf, STEP_FLAG, writeText } from '../model.ts';

export default defineCommand({
  name: 'card',
  summary: 'what a model was trained on, as Markdown: text, filters, licences, stages, losses, cost',
  arguments: [MODEL_ARGUMENT],
  options: [LAKE_FLAG, STEP_FLAG, { flag: '--json', about: 'the card as JSON, with what was measured' }],
  examples: ['garner card align-dpo', 'garner card align-dpo --json | jq .parents'],
  async run([run], options, terminal) {
    const { folder, name } = modelOf(run, options);
    const card = readCard(folder);
    if (!card)
      throw new GarnerError({
        what: 'this checkpoint has no card',
        where: name,
        hint: 'it was not made by a training stage of garner, or by one before there were cards; train it again',
        fault: 2,
      });
    const costs = costsOf(card, folder);
    await writeText(
      terminal,
      options['json']
        ? `${JSON.stringify({ ...card, measured: Object.fromEntries(costs) }, null, 2)}\n`
        : cardMarkdown(card, costs),
    );
    return 0;
  },
});

/** What this model's runs have cost, by their keys: their folders stand beside each other in the lake. */
function costsOf(card: ModelCard, checkpoint: string): Map<string, Cost> {
  const runs = resolve(checkpoint, '..', '..', '..');
  const costs = new Map<string, Cost>();
  for (const { key, training } of ladderOf(card)) {
    const cost = /^[0-9a-f]+$/.test(key) ? costOf(join(runs, key), training.step) : null;
    if (cost) costs.set(key, cost);
  }
  return costs;
}
