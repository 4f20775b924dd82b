// The door of the tokenizer: learn merges, text to ids and back, shards of ids.
export { loadTokenizer, readVocabulary, SPLITS, writeTokenizerJson } from './encode/index.ts';
export type { SplitName, Tokenizer, Vocabulary } from './encode/index.ts';
export { openShards, shardFiles } from './shards/reader.ts';
export type { Shards } from './shards/reader.ts';
export { trainTokenizer, vocabularyOf } from './train/index.ts';
