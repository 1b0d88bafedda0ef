/**
 * Copy of a Latin-1 string in memory of its own. A slice that is kept would hold the whole head that it was cut from
 * for as long as its connection lives.
 */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
