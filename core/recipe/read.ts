import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument, isMap, type Document as YamlDocument } from 'yaml';
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
  const lines = new LineCounter();
  const doc = parseDocument(source, { lineCounter: lines, strict: true });
  const broken = doc.errors[0];
  if (broken) {
    const at = broken.linePos?.[0] ?? { line: 1, col: 1 };
    throw new GarnerError({
      what: broken.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
      where: `${file}:${at.line}:${at.col}`,
      hint: 'the file is not valid YAML there',
      fault: 2,
    });
  }
  const value: unknown = doc.toJS() ?? {};
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw describe(file, doc, lines, schema, result.error.issues[0]!);
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
    const all = names.length > 0 ? `(all keys: ${names.join(', ')})` : 'no keys are expected here';
    return new GarnerError({
      what: `unknown key "${key}"${path.length > 0 ? ` in ${path.join('.')}` : ''}`,
      where: position(file, doc, lines, path, key),
      hint: guess ? `did you mean "${guess}"? ${all}` : all,
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
        ? node.items.find((p) => String((p.key as { value?: unknown }).value) === key)
        : undefined;
    const range = ((pair?.key ?? node) as { range?: [number, number, number] } | undefined)?.range;
    if (range) {
      const at = lines.linePos(range[0]);
      return `${file}:${at.line}:${at.col}`;
    }
  }
  return `${file}:1:1`;
}
