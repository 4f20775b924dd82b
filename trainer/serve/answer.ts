import type { Token } from '../sample/batch.ts';
import type { Vocabulary } from '../sample/vocabulary.ts';
import { ApiError } from './errors.ts';
import type { RemoteModel } from './model.ts';
import type { ChatRequest } from './request.ts';
import { answerText, type Piece } from './text.ts';

export type Finish = 'stop' | 'length';

/** Hears of the answers of a request, each by its number. */
export interface Answers {
  piece(index: number, piece: Piece): void;
  finish(index: number, finish: Finish): void;
}

export interface Generation {
  /** Resolves with the tokens written; rejects with an ApiError where the model's process is lost, or the signal's reason. */
  done: Promise<number>;
}

/** Writes a request's n answers at once; each place is given back when its answer ends. An aborted signal stops them all. */
export function answer(
  model: RemoteModel,
  vocabulary: Vocabulary,
  request: ChatRequest & { prompt: readonly number[]; most: number; seedUsed: number },
  parts: { answers: Answers; giveBack: () => void; signal: AbortSignal },
): Generation {
  const { answers, giveBack, signal } = parts;
  let written = 0;
  const one = (index: number) =>
    new Promise<void>((done, fail) => {
      const text = answerText((id) => vocabulary.bytes(id), request.stop);
      const leave = () => {
        stop();
        over();
        fail(signal.reason as Error);
      };
      const over = () => {
        signal.removeEventListener('abort', leave);
        giveBack();
      };
      const finish = (why: Finish) => {
        over();
        answers.finish(index, why);
        done();
      };
      const stop = model.add(
        {
          prompt: request.prompt,
          tokens: request.most,
          temperature: request.temperature,
          topK: 0,
          topP: request.topP,
          seed: request.seedUsed,
          sequence: index,
          alternatives: request.logprobs ? request.topLogprobs : 0,
        },
        {
          token(token) {
            written++;
            const { stopped, ...piece } = text.push(token);
            if (stopped) stop();
            if (piece.text !== '' || piece.tokens.length > 0) answers.piece(index, piece);
            if (stopped) finish('stop');
          },
          end(ended) {
            const piece = text.end();
            if (piece.text !== '' || piece.tokens.length > 0) answers.piece(index, piece);
            finish(ended === 'stop' ? 'stop' : 'length');
          },
          lost() {
            over();
            fail(new ApiError(500, 'model_lost', 'The process that holds the model ended; ask again.'));
          },
        },
      );
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
    });
  const all = Promise.all(Array.from({ length: request.n }, (_, index) => one(index)));
  return { done: all.then(() => written) };
}

/** A token as OpenAI's `logprobs.content` has it. */
export function logprobOf({ id, logprob, alternatives }: Token, vocabulary: Vocabulary) {
  const of = (one: number, value: number) => {
    const bytes = vocabulary.bytes(one);
    return { token: Buffer.from(bytes).toString(), logprob: Math.max(value, -9999), bytes: [...bytes] };
  };
  return { ...of(id, logprob), top_logprobs: alternatives.map((a) => of(a.id, a.logprob)) };
}
