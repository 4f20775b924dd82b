// garner as a library: one door a folder, also as garner/core, garner/filters and so on.
export * as core from './core/index.ts';
export * as crawlers from './crawlers/index.ts';
export * as datasets from './datasets/index.ts';
export * as filters from './filters/index.ts';
export * as studio from './studio/index.ts';
export * as tokenizer from './tokenizer/index.ts';
export * as trainer from './trainer/index.ts';
