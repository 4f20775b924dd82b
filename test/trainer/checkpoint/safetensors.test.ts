import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../../../trainer/checkpoint/safetensors.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'garner-safetensors-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, header: string, data: number | Uint8Array, length = Buffer.byteLength(header)) => {
  const path = join(folder, name);
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(length));
  writeFileSync(path, Buffer.concat([head, Buffer.from(header), typeof data === 'number' ? Buffer.alloc(data) : data]));
  return path;
};

test('what is written is read back to the last bit, NaN and infinities too; the same tensors give the same bytes', () => {
  const odd = Float32Array.of(1.1, -0, Infinity, -Infinity, NaN, 1e-45);
  const tensors = [
    { name: 'b.weight', shape: [2, 3], data: () => odd },
    { name: 'a.weight', shape: [], data: () => Float32Array.of(7) },
    { name: 'empty', shape: [0, 4], data: () => new Float32Array() },
  ];
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  writeSafetensors(one, tensors);
  writeSafetensors(two, tensors.toReversed());
  expect(readFileSync(one)).toEqual(readFileSync(two));
  const file = openSafetensors(one);
  expect([...file.tensors.keys()]).toEqual(['a.weight', 'b.weight', 'empty']);
  expect(file.metadata).toEqual({ format: 'pt' });
  expect(Buffer.from(file.read('b.weight').buffer)).toEqual(Buffer.from(odd.buffer));
  expect(file.tensors.get('a.weight')).toEqual({ dtype: 'F32', shape: [], begin: 0, end: 4 });
  expect([...file.read('empty')]).toEqual([]);
  expect(() => file.read('c')).toThrow('there is no tensor "c"');
  file.close();
  const bytes = readFileSync(one);
  expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0);
  expect(bytes[8]).toBe(0x7b);
});

test('half types become fp32', () => {
  const halves = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x7e00, 0x3555).buffer);
  const f16 = openSafetensors(write('f16', '{"x":{"dtype":"F16","shape":[7],"data_offsets":[0,14]}}', halves));
  expect([...f16.read('x')]).toEqual([1, -2, 2 ** -24, Infinity, -Infinity, NaN, 0.333251953125]);
  const words = Buffer.from(Uint16Array.of(0x3f80, 0xc040, 0x7f80).buffer);
  const bf16 = openSafetensors(write('bf16', '{"x":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}', words));
  expect([...bf16.read('x')]).toEqual([1, -3, Infinity]);
  const ints = openSafetensors(write('ints', '{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', 8));
  expect(() => ints.read('x')).toThrow('tensor "x" is I64');
});

const f32 = (shape: string, begin: number, end: number) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

const hostile: [string, string, number, RegExp][] = [
  ['no JSON', '{nope', 0, /the header is no JSON/],
  ['an array', '[1]', 0, /no JSON object/],
  ['no brace first', ' {}', 0, /no JSON object/],
  ['a tensor without a description', '{"a":1}', 0, /"a" has no description/],
  ['an unknown type', '{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}', 16, /the type "F128"/],
  [
    'a type from the prototype',
    '{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,4]}}',
    4,
    /the type "constructor"/,
  ],
  ['a negative size', `{"a":${f32('[-1]', 0, 4)}}`, 4, /no valid shape/],
  ['a fraction', `{"a":${f32('[1.5]', 0, 6)}}`, 6, /no valid shape/],
  ['a size that overflows', `{"a":${f32('[4294967296,4294967296,4294967296]', 0, 4)}}`, 4, /has 4 bytes/],
  ['fewer bytes than the shape', `{"a":${f32('[2]', 0, 4)}}`, 4, /has 4 bytes/],
  ['end before begin', `{"a":${f32('[0]', 4, 0)}}`, 4, /has -4 bytes/],
  ['offsets beyond the file', `{"a":${f32('[2]', 0, 8)}}`, 4, /the tensors end at \d+, the file at/],
  ['a rest behind the tensors', `{"a":${f32('[1]', 0, 4)}}`, 9, /the tensors end at/],
  ['a hole', `{"a":${f32('[1]', 0, 4)},"b":${f32('[1]', 8, 12)}}`, 12, /"b" begins at 8, the one before it ends at 4/],
  ['an overlap', `{"a":${f32('[2]', 0, 8)},"b":${f32('[2]', 4, 12)}}`, 12, /"b" begins at 4/],
  ['a name twice', `{"a":${f32('[1]', 0, 4)},"\\u0061":${f32('[1]', 0, 4)}}`, 4, /the name "a" stands twice/],
  ['metadata that is no text', '{"__metadata__":{"a":1}}', 0, /__metadata__/],
  ['three offsets', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 4, /data_offsets/],
];

test.each(hostile)('refused: %s', (name, header, data, message) => {
  expect(() => openSafetensors(write(`hostile-${name}`, header, data))).toThrow(message);
});

test('a header length that is a lie is refused before anything is allocated', () => {
  expect(() => openSafetensors(write('long', '{}', 0, 2 ** 40))).toThrow(/a header of 1099511627776 bytes/);
  expect(() => openSafetensors(write('longer', '{}', 0, 100))).toThrow(/a header of 100 bytes in 10/);
  writeFileSync(join(folder, 'tiny'), 'abc');
  expect(() => openSafetensors(join(folder, 'tiny'))).toThrow(/3 bytes/);
  writeFileSync(
    join(folder, 'latin'),
    Buffer.concat([Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{"\xe9": {}}', 'latin1')]),
  );
  expect(() => openSafetensors(join(folder, 'latin'))).toThrow(/the header is no JSON/);
  expect(() => openSafetensors(join(folder, 'absent'))).toThrow(/no such file/);
});

test('braces and colons inside names are no structure', () => {
  const name = 'a:{"[\\\\" }';
  const path = write('names', `{${JSON.stringify(name)}:${f32('[1]', 0, 4)},"b":${f32('[1]', 4, 8)}}`, 8);
  expect([...openSafetensors(path).tensors.keys()]).toEqual([name, 'b']);
});
