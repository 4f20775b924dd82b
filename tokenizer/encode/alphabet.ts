/** GPT-2's printable stand-ins for the 256 bytes: 33–126, 161–172 and 174–255 stand for themselves, the others for U+0100 on. */
const toCharacter: string[] = [];
const toByte = new Map<string, number>();

for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const character = String.fromCharCode(itself ? byte : next++);
  toCharacter.push(character);
  toByte.set(character, byte);
}

/** A token's bytes as tokenizer.json writes them: a space becomes Ġ. */
export const toAlphabet = (bytes: Uint8Array): string => Array.from(bytes, (b) => toCharacter[b]!).join('');

/** The bytes of a token in tokenizer.json, or null where a character stands for none. */
export function fromAlphabet(token: string): Uint8Array | null {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = toByte.get(token[i]!);
    if (byte === undefined) return null;
    bytes[i] = byte;
  }
  return bytes;
}
