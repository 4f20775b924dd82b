import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  checkpointsIn,
  loadCheckpoint,
  openModel,
  rotateCheckpoints,
  saveCheckpoint,
  type CheckpointParts,
} from '../../../trainer/checkpoint/checkpoint.ts';
import { fromHuggingFace, readConfig, toHuggingFace } from '../../../trainer/checkpoint/config.ts';
import { openSafetensors } from '../../../trainer/checkpoint/safetensors.ts';
import { configOfDepth } from '../../../trainer/model/config.ts';
import { alone } from '../../../trainer/collectives/alone.ts';
import type { Learner } from '../../../trainer/parallel/learner.ts';
import { openLearner, type LearnerOptions } from '../../../trainer/parallel/open.ts';
import { ALONE } from '../../../trainer/parallel/options.ts';
import { bigramConfig, openBigram } from '../fake-session.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-checkpoint-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const options: LearnerOptions = {
  batch: 2,
  sequence: 8,
  threads: 1,
  engine: 'cpu',
  seed: 5,
  documents: false,
  parallel: ALONE,
};

const parts = (learner: Learner, step: number): CheckpointParts => ({
  learner,
  state: { step, samples: step * 8, tokens: step * 100, seed: 3, recipe: 'abc' },
  end: 2,
  beside: { 'tokenizer.json': '{"a":1}' },
});

/** A learner after a few updates, so that its moments are no zeros. */
function trained(steps: number): Learner {
  const config = configOfDepth(1, { vocabulary: 50, context: 8, width: 16, heads: 4, keyValueHeads: 2, headSize: 4 });
  const learner = openLearner(config, options, alone());
  learn(learner, 1, steps);
  return learner;
}

function learn(learner: Learner, from: number, to: number): number[] {
  const losses: number[] = [];
  for (let step = from; step <= to; step++) {
    const { lossSum } = learner.accumulate(1, (_, into) => {
      into.tokens.forEach((_t, i, t) => (t[i] = (i * 7 + step * 3) % 50));
      into.targets.set(into.tokens.map((t) => (t + 7) % 50));
    });
    losses.push(lossSum);
    learner.update({
      step,
      learningRate: 1e-2,
      gradientScale: 1 / 16,
      clip: 1,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
    });
  }
  return losses;
}

test('a learner goes on from a checkpoint as if it had never stopped', async () => {
  const learner = trained(4);
  const path = await saveCheckpoint(join(folder, 'goes-on'), parts(learner, 4));
  const undisturbed = learn(learner, 5, 9);
  const fresh = trained(0);
  expect(loadCheckpoint(path, fresh)).toMatchObject(parts(learner, 4).state);
  expect(learn(fresh, 5, 9)).toEqual(undisturbed);
  for (const { name } of learner.tensors)
    for (const kind of ['weight', 'first', 'second'] as const)
      expect(fresh.collect(name, kind), `${kind} of ${name}`).toEqual(learner.collect(name, kind));
  learner.close();
  fresh.close();
});

test('the files are those that Hugging Face’s readers expect', async () => {
  const learner = trained(1);
  const path = await saveCheckpoint(join(folder, 'files'), parts(learner, 1));
  expect(readdirSync(path)).toEqual([
    'config.json',
    'model.safetensors',
    'optimizer.safetensors',
    'tokenizer.json',
    'trainer.json',
  ]);
  expect(JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))).toMatchObject({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 4,
    vocab_size: 50,
    tie_word_embeddings: true,
    eos_token_id: 2,
  });
  const file = openSafetensors(join(path, 'model.safetensors'));
  expect([...file.tensors.keys()]).toEqual([
    'model.embed_tokens.weight',
    'model.layers.0.input_layernorm.weight',
    'model.layers.0.mlp.down_proj.weight',
    'model.layers.0.mlp.gate_proj.weight',
    'model.layers.0.mlp.up_proj.weight',
    'model.layers.0.post_attention_layernorm.weight',
    'model.layers.0.self_attn.k_proj.weight',
    'model.layers.0.self_attn.o_proj.weight',
    'model.layers.0.self_attn.q_proj.weight',
    'model.layers.0.self_attn.v_proj.weight',
    'model.norm.weight',
  ]);
  expect(file.tensors.get('model.layers.0.self_attn.k_proj.weight')!.shape).toEqual([8, 16]);
  file.close();
  const config = readConfig(join(path, 'config.json'));
  expect(config).toEqual(learner.config);
  const model = openModel(path, config);
  expect(model.weights('lm_head.weight')).toEqual(model.weights('model.embed_tokens.weight'));
  model.close();
  learner.close();
});

test('a checkpoint appears whole or not at all; old ones and leftovers go', async () => {
  const at = join(folder, 'rotate');
  const learner = openBigram(bigramConfig(5), options);
  for (const step of [10, 20, 30]) await saveCheckpoint(at, parts(learner, step));
  mkdirSync(join(at, 'step-00000040.tmp-1-0'));
  writeFileSync(join(at, 'step-00000040.tmp-1-0', 'model.safetensors'), 'half');
  expect(checkpointsIn(at).map((c) => c.step)).toEqual([10, 20, 30]);
  rotateCheckpoints(at, 2);
  expect(readdirSync(at)).toEqual(['step-00000020', 'step-00000030']);
  const broken = { ...parts(learner, 40), beside: { '\0': 'no such name' } };
  await expect(saveCheckpoint(at, broken)).rejects.toThrow();
  expect(readdirSync(at)).toEqual(['step-00000020', 'step-00000030']);
});

test('weights of another shape are refused by name', async () => {
  const path = await saveCheckpoint(join(folder, 'shapes'), parts(openBigram(bigramConfig(5), options), 1));
  expect(() => loadCheckpoint(path, openBigram(bigramConfig(6), options))).toThrow(
    'tensor "model.embed_tokens.weight" is [5, 5], the model needs [6, 6]',
  );
  const learner = trained(0);
  expect(() => loadCheckpoint(path, learner)).toThrow(/is \[5, 5\], the model needs \[50, 16\]/);
  learner.close();
});

const llama = toHuggingFace(configOfDepth(2, { vocabulary: 100, context: 64 }), 1);

test.each([
  [{ architectures: ['GPT2LMHeadModel'] }, 'the architecture is "GPT2LMHeadModel"'],
  [{ hidden_size: undefined }, 'hidden_size is undefined'],
  [{ num_hidden_layers: 2.5 }, 'num_hidden_layers is 2.5'],
  [{ vocab_size: '100' }, 'vocab_size is "100"'],
  [{ rms_norm_eps: -1 }, 'rms_norm_eps is -1'],
  [{ rope_scaling: { rope_type: 'llama3' } }, 'rope_scaling is {"rope_type":"llama3"}: it is not supported'],
  [{ attention_bias: true }, 'attention_bias is true'],
  [{ hidden_act: 'gelu' }, 'hidden_act is "gelu"'],
] as const)('config.json with %j is refused', (over, message) => {
  expect(() => fromHuggingFace('config.json', { ...llama, ...over })).toThrow(message);
});

test('what config.json may leave out', () => {
  const { head_dim: _h, num_key_value_heads: _k, architectures: _a, ...rest } = llama;
  expect(fromHuggingFace('config.json', rest)).toEqual(fromHuggingFace('config.json', llama));
});
