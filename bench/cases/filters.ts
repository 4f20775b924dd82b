// Limit: one pass over the code units in JavaScript, about 500 MB/s; what costs is splitting words and looking up n-grams
// (9 lengths), and for masking a scan for "@" and digits.
import { detect } from '../../filters/privacy/detect.ts';
import { findFilter } from '../../filters/index.ts';
import { judge, type Filter } from '../../filters/rules.ts';
import { openTexts, prepare, WORD_RULES, type WordRule } from '../../filters/text.ts';
import { applyEdits } from '../../core/text/edits.ts';
import { jsonLines, sharedFile } from '../data.ts';
import { defineBench, median, type Figure } from '../harness.ts';

const BENCH = 'filters';
const FILTERS = ['gopher_repetition', 'gopher_quality', 'c4', 'fineweb'];
/** As FineWeb runs them. */
const CHAIN = ['gopher_repetition', 'gopher_quality', 'c4_fineweb', 'fineweb'];
const MASKS = { emails: true, addresses: true, phones: null, cards: false, ids: false, ibans: false };

interface Golden {
  id: string;
  source: string;
  text: string;
  verdicts: Record<string, { keep: boolean | null; reason: string | null }>;
  verdictsSimple: Record<string, { keep: boolean | null; reason: string | null }>;
}

export default defineBench({
  name: BENCH,
  limit: 'one pass over the text, about 500 MB/s; words and n-grams of 9 lengths decide',
  async *run(options) {
    const file = sharedFile('filters/english.jsonl.gz');
    if (!file) {
      options.say('absent: ../shared/data/filters');
      return;
    }
    const texts = jsonLines<Golden>(file);
    for (const words of WORD_RULES) for (const name of [...FILTERS, 'c4_fineweb']) yield agreement(texts, name, words);
    const real = texts.filter((t) => !t.source.startsWith('made')).map((t) => t.text);
    const runs = options.quick ? 5 : 15;
    yield rate(real, 'words by spaCy’s rules', runs, (text) => prepare(text, { words: 'spacy', language: 'en' }));
    yield rate(real, 'plain words', runs, (text) => prepare(text, { words: 'simple', language: 'en' }));
    const open = await openTexts('spacy');
    const identified = rate(real, 'spaCy’s rules, language identified first', runs, (text) => open(text));
    delete identified.bar;
    yield identified;
  },
});

/** Share of the texts with datatrove's verdict and reason. */
function agreement(texts: readonly Golden[], name: string, words: WordRule): Figure {
  const filter = findFilter(name)!;
  const key = words === 'simple' ? 'verdictsSimple' : 'verdicts';
  const judgedTexts = texts.filter((t) => t[key][name]!.keep !== null);
  const equal = judgedTexts.filter((t) => {
    const text = prepare(t.text, { words, language: 'en' });
    const dropped = judge(filter.rules, filter.measure(text), 'en').find((v) => !v.keep);
    return (dropped?.rule ?? null) === t[key][name]!.reason;
  });
  return {
    bench: BENCH,
    case: `${name}, ${words}`,
    metric: 'verdicts and reasons equal to datatrove’s',
    value: equal.length / judgedTexts.length,
    unit: 'share',
    bar: words === 'simple' ? '== 1' : '>= 0.98',
    note: `${equal.length} of ${judgedTexts.length}`,
  };
}

/** Every filter of the chain on every text, its rules judged, then e-mails and addresses masked; one core. */
function rate(
  texts: readonly string[],
  name: string,
  runs: number,
  open: (text: string) => ReturnType<typeof prepare>,
): Figure {
  const filters = CHAIN.map((f) => findFilter(f)!) as Filter[];
  const megabytes = texts.reduce((n, t) => n + Buffer.byteLength(t), 0) / 1e6;
  let kept = 0;
  const pass = () => {
    kept = 0;
    const started = process.cpuUsage();
    for (const raw of texts) {
      const text = open(raw);
      let keep = true;
      for (const filter of filters)
        for (const verdict of judge(filter.rules, filter.measure(text), text.language)) keep &&= verdict.keep;
      const spans = detect(raw, MASKS).map(({ start, end, type }) => ({ start, end, replacement: type }));
      if (keep && (spans.length === 0 || applyEdits(raw, spans).length > 0)) kept++;
    }
    const used = process.cpuUsage(started);
    return megabytes / ((used.user + used.system) / 1e6);
  };
  pass();
  const rates = Array.from({ length: runs }, pass);
  return {
    bench: BENCH,
    case: `four filters and masking, ${name}`,
    metric: 'rate, one core',
    value: median(rates),
    unit: 'MB/s',
    bar: '>= 6.6',
    note: `${texts.length} texts, ${megabytes.toFixed(2)} MB, ${kept} kept, process time, ${runs} runs: ${Math.min(...rates).toFixed(1)} to ${Math.max(...rates).toFixed(1)}`,
  };
}
