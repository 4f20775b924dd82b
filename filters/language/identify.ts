import { dependencyVersion } from '../../core/root.ts';
import { characters, classAt, codePointAt } from '../../core/text/index.ts';

/** The model that names languages: fastText's lid.176.ftz, which ships inside the package. */
const LANGUAGE_MODEL = 'lid.176.ftz';

/** What stored languages depend on. */
export const languageModelVersion = (): string =>
  `${LANGUAGE_MODEL} in fasttext.wasm.js ${dependencyVersion('fasttext.wasm.js')}`;

export interface Language {
  /** ISO 639-1, or 639-3 where there is no shorter code. */
  language: string;
  /** The model's probability as it gives it (rounding may take it a hair over 1); it answers `en` 0.1245 to a text it knows nothing of. */
  score: number;
}

export type Identify = (text: string) => Language;

/** A longer text is judged by its beginning and its middle, half of this each [code units]. */
const WINDOW = 4000;

/** What the model is shown of a text: no line feeds, which end its input, and at most WINDOW code units. */
export function languageWindow(text: string): string {
  const half = WINDOW / 2;
  const middle = text.length >> 1;
  const shown = text.length <= WINDOW ? text : `${text.slice(0, half)} ${text.slice(middle, middle + half)}`;
  return shown.replaceAll('\n', ' ').toWellFormed();
}

interface Predictions {
  size(): number;
  get(index: number): [number, string];
  delete(): void;
}

/** From here on the model is believed; the threshold of FineWeb's language filter. */
export const CERTAIN = 0.65;

/** Fewer letters say too little: the model calls three Han characters Chinese, and a few Latin ones anything [count]. */
const LEAST_LETTERS = 20;

/**
 * Whose rules and words a text gets: the identified language where the model is certain; Chinese always where most letters are
 * Han and few are kana (a page of Chinese with much code is English to the model, a list of names Japanese); else `en`, whose numbers the rules were
 * published with.
 */
export function languageOfRules({ language, score }: Language, units: Uint16Array): string {
  const { letters, han, kana } = countLetters(units);
  if (letters < LEAST_LETTERS) return 'en';
  if (han * 2 > letters && kana * 20 < han) return 'zh';
  return score >= CERTAIN ? language : 'en';
}

const KANA_FIRST = 0x3040;
const KANA_LAST = 0x30ff;

/** Letters of the beginning, and how many of them are Han or kana. */
function countLetters(units: Uint16Array): { letters: number; han: number; kana: number } {
  let [letters, han, kana] = [0, 0, 0];
  const end = Math.min(units.length, WINDOW);
  for (let i = 0; i < end; i++) {
    const c = classAt(units, i, end);
    if (c & characters.LETTER) letters++;
    if (c & characters.HAN) han++;
    else if (units[i]! >= KANA_FIRST && units[i]! <= KANA_LAST) kana++;
    if (codePointAt(units, i, end) > 0xffff) i++;
  }
  return { letters, han, kana };
}

let opened: Promise<Identify> | undefined;

/** Loads the model (0.1 s, once a process) and gives the function that names a text's language. */
export function openLanguage(): Promise<Identify> {
  opened ??= load();
  return opened;
}

async function load(): Promise<Identify> {
  const { getLIDModel } = await import('fasttext.wasm.js');
  const lid = await getLIDModel();
  await lid.load();
  const model = lid.model as unknown as { predict(text: string, k: number, threshold: number): Predictions };
  return (text) => {
    const found = model.predict(languageWindow(text), 1, 0);
    try {
      if (found.size() === 0) return { language: 'en', score: 0 };
      const [score, label] = found.get(0);
      return { language: label.replace('__label__', ''), score };
    } finally {
      // Memory of WebAssembly is not garbage-collected.
      found.delete();
    }
  };
}
