import type { Numbers } from '../define.ts';

const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));

/** y = silu(gate) ⊙ up, silu(a) = a·σ(a). */
export function forward({ y, gate, up }: Record<'y' | 'gate' | 'up', Numbers>, { size }: Record<'size', number>): void {
  for (let i = 0; i < size; i++) y[i] = gate[i]! * sigmoid(gate[i]!) * up[i]!;
}

/** dgate = dy·up·σ(a)(1 + a(1 − σ(a))), dup = dy·silu(a). */
export function backward(
  { dgate, dup, dy, gate, up }: Record<'dgate' | 'dup' | 'dy' | 'gate' | 'up', Numbers>,
  { size }: Record<'size', number>,
): void {
  for (let i = 0; i < size; i++) {
    const a = gate[i]!;
    const s = sigmoid(a);
    dgate[i]! += dy[i]! * up[i]! * s * (1 + a * (1 - s));
    dup[i]! += dy[i]! * a * s;
  }
}
