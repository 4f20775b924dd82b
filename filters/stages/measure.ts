import { documentParts, readDocuments, type Part } from '../../core/lake/documents.ts';
import { writeTable, type TableWriter } from '../../core/lake/parquet.ts';
import type { Table } from '../../core/records/index.ts';
import { defineStage, type TaskContext } from '../../core/stage/index.ts';
import { findFilter } from '../index.ts';
import { languageModelVersion } from '../language/identify.ts';
import { language } from '../language/language.ts';
import { chosenFilters, type FiltersRecipe } from '../recipe.ts';
import { signalTable, type Filter } from '../rules.ts';
import { wordListsVersion } from '../safety/word-list.ts';
import { openTexts, wordsVersion, type WordRule } from '../text.ts';

interface Params {
  words: WordRule;
  filters: string[];
}

/** Each filter's unit depends on what that filter needs, and on nothing else. */
const unitOf = (filter: Filter, words: WordRule) => ({
  name: filter.name,
  version: filter.version,
  params: {
    words: filter.needs.includes('words') ? wordsVersion(words) : null,
    language: filter.needs.includes('language') ? languageModelVersion() : null,
    ...(filter.needs.includes('word lists') ? { lists: wordListsVersion() } : {}),
  },
});

/**
 * Documents → signals, one file a filter and part. The text is prepared once for all filters that are still to be measured.
 * The language is always measured: thresholds are chosen by it.
 */
export default defineStage<FiltersRecipe, Params>({
  name: 'measure',
  version: 1,
  module: 'filters/stages/measure',
  inputs: ['read', 'extract'],
  params: ({ filters }) => {
    if (!filters) return null;
    const names = chosenFilters(filters).map(({ filter }) => filter.name);
    return { words: filters.words, filters: [...new Set([language.name, ...names])].toSorted() };
  },
  units: ({ words, filters }) => filters.map((name) => unitOf(findFilter(name)!, words)),
  tasks: (inputs) => documentParts(inputs).map((part) => ({ id: part.id, input: part })),
  async run(task, { words }, io) {
    const part = task.input as Part;
    const prepare = await openTexts(words);
    const outputs = await openOutputs(io, part);
    let documents = 0;
    for await (const batch of readDocuments(io.lake, part, ['id', 'text'])) {
      for (const { id, text } of batch) {
        const prepared = prepare(text);
        for (const { filter, writer } of outputs) writer.append({ document_id: id, ...filter.measure(prepared) });
        documents++;
      }
      io.progress(documents, null);
    }
    for (const { writer } of outputs) await writer.close();
    return { documents };
  },
});

/** One writer of untyped rows a pending filter: its table is made from the filter's signals. */
type SignalWriter = Omit<TableWriter<Table>, 'append'> & { append(row: Record<string, unknown>): void };

async function openOutputs(io: TaskContext, part: Part): Promise<{ filter: Filter; writer: SignalWriter }[]> {
  const outputs = [];
  for (const name of io.pending) {
    const filter = findFilter(name)!;
    const path = io.file('signals', `${part.id}.parquet`, name);
    const table = signalTable(filter);
    io.facts({ signals: Object.fromEntries(Object.entries(table.columns).map(([c, { about }]) => [c, about])) }, name);
    outputs.push({ filter, writer: (await writeTable(path, table)) as SignalWriter });
  }
  return outputs;
}
