// The door of the datasets: duplicates, and questions to a lake.
export { createDeduplicator } from './dedup/stream.ts';
export type { Answer, Deduplicator, StreamOptions } from './dedup/stream.ts';
export { openCatalog } from './lake/catalog.ts';
export { query } from './lake/query.ts';
export type { Catalog, CatalogOptions } from './lake/catalog.ts';
export { stats } from './lake/stats.ts';
export { why } from './lake/why.ts';
