import { z } from 'zod';
import type { Message } from '../chat/conversations.ts';
import { refusal } from '../chat/template.ts';
import { ApiError } from './errors.ts';

const text = z.strictObject({ type: z.literal('text'), text: z.string() });
const message = z.strictObject({
  role: z.string(),
  content: z.union([z.string(), z.array(text)]).nullish(),
  name: z.string().nullish(),
  // what an answer of this API holds, for clients that send answers back as they came
  refusal: z.null().optional(),
  annotations: z.array(z.unknown()).max(0).nullish(),
  audio: z.null().optional(),
  tool_calls: z.array(z.unknown()).nullish(),
  function_call: z.null().optional(),
  tool_call_id: z.string().nullish(),
});
const nothing = <T extends z.ZodType>(value: T) => value.nullish();

const schema = z.strictObject({
  model: z.string(),
  messages: z.array(message).min(1).max(10_000),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z.int().min(1).max(128).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string().min(1).max(500), z.array(z.string().min(1).max(500)).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  user: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: z.boolean().nullish(),
  service_tier: z.enum(['auto', 'default']).nullish(),
  // Many clients send these with the value that changes nothing.
  presence_penalty: nothing(z.literal(0)),
  frequency_penalty: nothing(z.literal(0)),
  logit_bias: nothing(z.strictObject({})),
  response_format: nothing(z.strictObject({ type: z.literal('text') })),
  tools: nothing(z.array(z.unknown()).max(0)),
  tool_choice: nothing(z.literal('none')),
});

/** A request with its defaults. */
export interface ChatRequest {
  model: string;
  messages: Message[];
  /** Most new tokens; null for as many as the context has. */
  tokens: number | null;
  /** Name of the field that said so, for errors. */
  tokensField: 'max_tokens' | 'max_completion_tokens';
  temperature: number;
  topP: number;
  n: number;
  /** Null: another one each time. */
  seed: number | null;
  stop: string[];
  stream: boolean;
  includeUsage: boolean;
  logprobs: boolean;
  topLogprobs: number;
}

/** Checks the body of /v1/chat/completions. Throws an ApiError that names the field. */
export function readChatRequest(body: unknown): ChatRequest {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw explain(parsed.error.issues[0]!, body);
  const p = parsed.data;
  if (p.top_logprobs && !p.logprobs)
    throw new ApiError(400, 'invalid_value', "'top_logprobs' needs 'logprobs' to be true.", 'top_logprobs');
  if (p.stream_options && !p.stream)
    throw new ApiError(400, 'invalid_value', "'stream_options' needs 'stream' to be true.", 'stream_options');
  const tokensField = p.max_completion_tokens != null ? 'max_completion_tokens' : 'max_tokens';
  return {
    model: p.model,
    messages: p.messages.map(toMessage),
    tokens: p[tokensField] ?? null,
    tokensField,
    temperature: p.temperature ?? 1,
    topP: p.top_p ?? 1,
    n: p.n ?? 1,
    seed: p.seed ?? null,
    // half of a surrogate pair stands in no text
    stop: [p.stop ?? []].flat().map((s) => Buffer.from(s).toString()),
    stream: p.stream ?? false,
    includeUsage: p.stream_options?.include_usage ?? false,
    logprobs: p.logprobs ?? false,
    topLogprobs: p.top_logprobs ?? 0,
  };
}

function toMessage({ role, content, tool_calls: calls }: z.infer<typeof message>, i: number): Message {
  const said = typeof content === 'string' || content == null ? content : content.map((part) => part.text).join('');
  const turn = { role: calls?.length ? 'tool_call' : role === 'developer' ? 'system' : role, content: said };
  const reason = refusal([turn]);
  if (reason === null) return turn as Message;
  const what =
    reason === 'template_has_no_tools'
      ? 'This model knows no tools.'
      : reason === 'no_content'
        ? 'A message needs a content.'
        : `'${role}' is no role: system, developer, user and assistant are.`;
  throw new ApiError(400, reason, what, `messages[${i}].${reason === 'no_content' ? 'content' : 'role'}`);
}

/** The first fault of a body in words; of a union, what is wrong is told about the value as a whole. */
function explain(issue: z.core.$ZodIssue, body: unknown): ApiError {
  const at = (path: readonly PropertyKey[]) =>
    path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('');
  if (issue.code === 'unrecognized_keys') {
    const param = at([...issue.path, issue.keys[0]!]);
    return new ApiError(400, 'unknown_parameter', `Unknown parameter: '${param}'.`, param);
  }
  const param = at(issue.path);
  if (param === '') return new ApiError(400, null, 'The body must be a JSON object.');
  if (issue.path.length === 1 && !Object.hasOwn(Object(body) as object, issue.path[0]!))
    return new ApiError(400, 'missing_required_parameter', `Missing required parameter: '${param}'.`, param);
  const code = issue.code === 'invalid_type' || issue.code === 'invalid_union' ? 'invalid_type' : 'invalid_value';
  return new ApiError(400, code, `Invalid value for '${param}': ${wordsOf(issue)}.`, param);
}

const wordsOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_union'
    ? 'it has a type that is not accepted here'
    : issue.message.replace(/^Invalid input: /, '').replace(/^[A-Z]/, (c) => c.toLowerCase());
