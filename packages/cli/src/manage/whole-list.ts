/** Every item of a list; lists of the management API end. */
export async function wholeList<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A list for people: a table, or a sentence that there is nothing. */
export function linesOrNothing(lines: string[], count: number, nothing: string): string[] {
  return count === 0 ? [nothing] : lines;
}
