// The door of the crawlers: archives in, main text out.
export { readCapture, readRecords } from './archives/warc.ts';
export type { CaptureContent, CaptureFailure, WarcDamage, WarcRecord } from './archives/warc.ts';
export { decode } from './extract/decode.ts';
export { extract } from './extract/index.ts';
export type { Extraction, ExtractHints } from './extract/index.ts';
