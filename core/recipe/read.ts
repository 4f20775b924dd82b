import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument, visit, type Document as YamlDocument } from 'yaml';
import { z } from 'zod';
import { explainSystemError, GarnerError, nearest } from '../errors.ts';

type Path = (string | number)[];

/**
 * Reads a YAML recipe against one strict schema. Every fault becomes a GarnerError (exit 2) that says file:line:column,
 * what is wrong, and for an unknown key the nearest one and all that exist.
 */
export function readRecipe<S extends z.ZodType>(file: string, schema: S): z.output<S> {
  let source: string;
  try {
    source = readFileSync(file, 'utf8');
  } catch (error) {
    throw explainSystemError(error, file);
  }
  return parseRecipe(file, source, schema);
}

/** The same for text that is already in hand. */
export function parseRecipe<S extends z.ZodType>(file: string, source: string, schema: S): z.output<S> {
  if (source.length > LONGEST)
    throw new GarnerError({
      what: `the recipe has ${source.length} characters, at most ${LONGEST} are read`,
      where: file,
      hint: 'name the recipe itself, not a file of data',
      fault: 2,
    });
  const lines = new LineCounter();
  // Complex keys and unknown tags would be warned of on standard error, past the one sentence.
  const doc = parseDocument(source, { lineCounter: lines, strict: true, logLevel: 'error' });
  const [broken] = doc.errors;
  if (broken) {
    const at = broken.linePos?.[0] ?? { line: 1, col: 1 };
    throw new GarnerError({
      what: saying(broken.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')),
      where: `${file}:${at.line}:${at.col}`,
      hint: 'the file is not valid YAML there',
      fault: 2,
    });
  }
  const [doubt] = doc.warnings;
  if (doubt)
    throw new GarnerError({
      what: doubt.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
      where: `${file}:${doubt.linePos?.[0].line ?? 1}:${doubt.linePos?.[0].col ?? 1}`,
      hint: 'a recipe needs plain values only: no tags',
      fault: 2,
    });
  visit(doc, {
    Pair(_, { key }) {
      // Lists of free names would pass it over in silence.
      if (isScalar(key) && key.value === '__proto__') {
        const at = lines.linePos(key.range?.[0] ?? 0);
        throw new GarnerError({
          what: 'unknown key "__proto__"',
          where: `${file}:${at.line}:${at.col}`,
          hint: 'no name may be this one',
          fault: 2,
        });
      }
    },
  });
  let value: unknown;
  try {
    value = doc.toJS() ?? {};
  } catch (error) {
    throw new GarnerError(
      {
        what: /Unresolved alias/.test(String(error))
          ? `an alias (*name) has no anchor (&name) before it: ${String(error).split(': ').at(-1)}`
          : 'its aliases (*name) multiply into more than is read, or lead in a circle',
        where: file,
        hint: 'write the values out',
        fault: 2,
      },
      error,
    );
  }
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw describe(file, doc, lines, schema, result.error.issues[0]!);
}

/** A recipe of all filters with comments has some ten thousand characters. */
const LONGEST = 1_000_000;

/** The YAML reader's words, where a person would not know what to do with them. */
function saying(words: string): string {
  if (/call stack/i.test(words)) return 'the values are nested too deeply';
  if (/multiple documents/i.test(words)) return 'a second document begins here (---), a recipe is one';
  if (/keys must be unique/i.test(words)) return 'the same key stands there twice';
  return words;
}

/** The JSON Schema that editors complete recipes with. */
export const recipeJsonSchema = (schema: z.ZodType): unknown =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

function describe(
  file: string,
  doc: YamlDocument,
  lines: LineCounter,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
): GarnerError {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const names = keysAt(schema, path);
    const guess = nearest(key, names);
    const merge = key === '<<' ? 'YAML 1.2 has no merge keys: write the values out. ' : '';
    const all = names.length > 0 ? `(all keys: ${names.join(', ')})` : 'no keys are expected here';
    return new GarnerError({
      what: `unknown key "${key}"${path.length > 0 ? ` in ${path.join('.')}` : ''}`,
      where: position(file, doc, lines, path, key),
      hint: `${merge}${guess ? `did you mean "${guess}"? ` : ''}${all}`,
      fault: 2,
    });
  }
  if (issue.code === 'invalid_union') {
    const inner = deepest(issue.errors.flat());
    if (inner && inner.path.length > 0)
      return describe(file, doc, lines, schema, { ...inner, path: [...path, ...inner.path] } as z.core.$ZodIssue);
  }
  const missing = issue.input === undefined && issue.code === 'invalid_type';
  const name = path.join('.') || 'the recipe';
  let what = missing ? `${name} is missing` : `${name}: ${issue.message}`;
  let hint: string | undefined;
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const guess = typeof issue.input === 'string' ? nearest(issue.input, values) : undefined;
    what = `${name}: ${JSON.stringify(issue.input)} is not one of its values`;
    hint = `${guess ? `did you mean "${guess}"? ` : ''}(all values: ${values.join(', ')})`;
  } else if (issue.code === 'custom') {
    hint = (issue.params as { hint?: string } | undefined)?.hint;
  }
  return new GarnerError({
    what,
    where: position(file, doc, lines, path),
    hint: hint ?? 'see "garner schema" for all keys and their meaning',
    fault: 2,
  });
}

const deepest = (issues: readonly z.core.$ZodIssue[]) =>
  [...issues].toSorted((a, b) => b.path.length - a.path.length)[0];

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
}

function keysAt(schema: z.ZodType, path: Path): string[] {
  const root = recipeJsonSchema(schema) as JsonSchema;
  let here: JsonSchema[] = open(root);
  for (const part of path) {
    here = here.flatMap((s) => {
      const next =
        typeof part === 'number'
          ? s.items
          : (s.properties?.[part] ?? (typeof s.additionalProperties === 'object' ? s.additionalProperties : undefined));
      return next ? open(next) : [];
    });
  }
  return [...new Set(here.flatMap((s) => Object.keys(s.properties ?? {})))];

  function open(s: JsonSchema): JsonSchema[] {
    const target = s.$ref ? root.$defs?.[s.$ref.replace('#/$defs/', '')] : undefined;
    return [s, ...(target ? open(target) : []), ...(s.anyOf ?? []).flatMap(open), ...(s.allOf ?? []).flatMap(open)];
  }
}

/** file:line:column of a value, of a key in it, or of the nearest parent that exists. */
function position(file: string, doc: YamlDocument, lines: LineCounter, path: Path, key?: string): string {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? doc.contents : doc.getIn(path.slice(0, depth), true);
    const pair =
      key !== undefined && isMap(node)
        ? node.items.find(
            (p) => (isScalar(p.key) ? `${p.key.value as string | null}`.replace(/^null$/, '') : '') === key,
          )
        : undefined;
    const range = ((pair?.key ?? node) as { range?: [number, number, number] } | undefined)?.range;
    if (range) {
      const at = lines.linePos(range[0]);
      return `${file}:${at.line}:${at.col}`;
    }
  }
  return `${file}:1:1`;
}
