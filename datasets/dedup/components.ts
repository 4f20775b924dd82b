/** Union-find over 0 … n−1, 4 bytes each. A root is the least number of its component, whatever the order of the edges. */
export interface Components {
  union(a: number, b: number): void;
  root(a: number): number;
}

/** `n` components of one. */
export function createComponents(n: number): Components {
  const parent = Uint32Array.from({ length: n }, (_, i) => i);
  const root = (a: number): number => {
    while (parent[a] !== a) {
      parent[a] = parent[parent[a]!]!;
      a = parent[a]!;
    }
    return a;
  };
  return {
    root,
    union(a, b) {
      a = root(a);
      b = root(b);
      if (a < b) parent[b] = a;
      else parent[a] = b;
    },
  };
}
