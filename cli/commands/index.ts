import type { Command } from '../command.ts';

/** Every command, in the order of the arrow; loaded only when it is asked for, since some of them import heavy libraries. */
export const COMMANDS: Record<string, { summary: string; load: () => Promise<{ default: Command }> }> = {
  init: { summary: 'write a commented recipe to start from', load: () => import('./init.ts') },
  quickstart: {
    summary: 'serve the sample site and run the whole arrow on it, in about two minutes',
    load: () => import('./quickstart.ts'),
  },
  align: {
    summary: 'the whole ladder on made sums: fine-tuning, reward model, DPO, GRPO; about ten minutes',
    load: () => import('./align.ts'),
  },
  run: { summary: 'run a recipe: make what is missing, reuse what is there', load: () => import('./run.ts') },
  status: { summary: 'what is done, running and stale on a lake', load: () => import('./status.ts') },
  task: {
    summary: 'for clusters: run one task of a stage from a task list in the lake',
    load: () => import('./task.ts'),
  },
  gc: { summary: 'free the space of outputs that no recipe stands for any more', load: () => import('./gc.ts') },
  crawl: {
    summary: 'crawl a website, with manners, into WARC files and a table of captures',
    load: () => import('./crawl.ts'),
  },
  extract: {
    summary: 'find the main text of HTML: a folder, pages, WARC files, or JSON lines {id, html} or {id, path}',
    load: () => import('./extract.ts'),
  },
  filter: {
    summary: 'judge JSON lines by quality filters: {id, text, language?} to {id, keep, verdicts}',
    load: () => import('./filter.ts'),
  },
  language: {
    summary: 'name the language of JSON lines: {id, text} to {id, language, score}',
    load: () => import('./language.ts'),
  },
  mask: {
    summary: 'find and mask personal data in JSON lines: {id, text} to {id, text, spans}',
    load: () => import('./mask.ts'),
  },
  dedup: {
    summary: 'find exact and near-duplicates in JSON lines: {id, text} to {id, duplicateOf, similarity}',
    load: () => import('./dedup.ts'),
  },
  tokenizer: {
    summary: 'train a tokenizer on texts: garner tokenizer train FILE…',
    load: () => import('./tokenizer.ts'),
  },
  tokenize: {
    summary: 'turn texts of JSON lines into token ids: {id, text} to {id, ids}',
    load: () => import('./tokenize.ts'),
  },
  train: { summary: 'train a recipe’s model, on a selection in SQL where asked', load: () => import('./train.ts') },
  plan: {
    summary: 'what a training will cost: time, money, energy, memory and mesh',
    load: () => import('./plan.ts'),
  },
  'plan tasks': {
    summary: 'the next stage of a recipe as a manifest for a cluster, from its task list',
    load: () => import('./plan-tasks.ts'),
  },
  sample: { summary: 'let a trained model write', load: () => import('./sample.ts') },
  eval: {
    summary: 'how often a model is right: pass@k and best of n, by a checker',
    load: () => import('./eval.ts'),
  },
  score: {
    summary: 'judge answers of JSON lines by a reward model: {id, prompt, answer} to {id, reward}',
    load: () => import('./score.ts'),
  },
  card: {
    summary: 'what a model was trained on, as Markdown: text, filters, licences, stages, losses, cost',
    load: () => import('./card.ts'),
  },
  chat: {
    summary: 'talk with a model that was fine-tuned on conversations',
    load: () => import('./chat.ts'),
  },
  serve: {
    summary: 'answer OpenAI’s chat API on 127.0.0.1 with a fine-tuned model',
    load: () => import('./serve.ts'),
  },
  rank: {
    summary: 'compare sampled answers by hand on a local page; export and import what was judged',
    load: () => import('./rank.ts'),
  },
  sql: { summary: 'ask the lake in SQL (DuckDB); a prompt without a query', load: () => import('./sql.ts') },
  stats: {
    summary: 'documents, bytes and tokens by source, language, domain and reason; the funnel',
    load: () => import('./stats.ts'),
  },
  why: {
    summary: 'the whole story of one page: from capture to token shard, or to the rule that dropped it',
    load: () => import('./why.ts'),
  },
  export: {
    summary: 'write a snapshot for another trainer: Megatron, llm.c, nanoGPT, nanochat, MosaicML, Parquet, JSONL',
    load: () => import('./export.ts'),
  },
  doctor: { summary: 'what this machine has, and what that means', load: () => import('./doctor.ts') },
  schema: { summary: 'the JSON Schema of recipes, for editors', load: () => import('./schema.ts') },
};
