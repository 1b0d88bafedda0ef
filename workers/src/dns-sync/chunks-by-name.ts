/**
 * Chunks of at most `size`, in which the things of one name stay together and in their order, unless they are more than
 * a chunk.
 */
export function chunksByName<T>(items: readonly T[], nameOf: (item: T) => string, size: number): T[][] {
  const chunks: T[][] = [];
  let chunk: T[] = [];
  const close = () => {
    if (chunk.length > 0) chunks.push(chunk);
    chunk = [];
  };
  for (const group of Map.groupBy(items, nameOf).values()) {
    if (chunk.length + group.length > size) close();
    for (const item of group) {
      if (chunk.length === size) close();
      chunk.push(item);
    }
  }
  close();
  return chunks;
}
