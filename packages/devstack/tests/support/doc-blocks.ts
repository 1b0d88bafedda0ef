/** A fenced block of a Markdown page. */
export interface DocBlock {
  language: string;
  /** What follows the language on the fence, such as `404`. */
  note: string;
  text: string;
  /** Line of the fence, from 1. */
  line: number;
}

/** All fenced blocks of a page, in order. @throws {Error} when the last one has no end. */
export function docBlocks(markdown: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: { language: string; note: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\w*) ?(.*)$/.exec(line);
    if (open === null) {
      if (fence !== null) open = { language: fence[1] ?? '', note: fence[2] ?? '', line: index + 1, lines: [] };
    } else if (line === '```') {
      blocks.push({ language: open.language, note: open.note, text: open.lines.join('\n'), line: open.line });
      open = null;
    } else {
      open.lines.push(line);
    }
  }
  if (open !== null) throw new Error(`The block of line ${open.line} has no end`);
  return blocks;
}

/**
 * Compares an answer with the one that a page shows: members and types must be the same, values may differ. Where either
 * has null the other may have anything; items of a list of which no more are shown must be as the first; a member `…` stands
 * for further members.
 *
 * @returns What is different, each with its path.
 */
export function shapeFaults(shown: unknown, actual: unknown, path = ''): string[] {
  if (shown === null || actual === null) return [];
  const [left, right] = [kindOf(shown), kindOf(actual)];
  if (left !== right) return [`${path || '/'}: ${left} is shown, ${right} is answered`];
  if (Array.isArray(shown) && Array.isArray(actual)) {
    if (shown.length === 0) return [];
    if (actual.length === 0) return [`${path || '/'}: items are shown, none is answered`];
    return actual.flatMap((item, index) => shapeFaults(shown[index] ?? shown[0], item, `${path}/${index}`));
  }
  if (left !== 'object') return [];
  return memberFaults(shown as Record<string, unknown>, actual as Record<string, unknown>, path);
}

function memberFaults(shown: Record<string, unknown>, actual: Record<string, unknown>, path: string): string[] {
  const faults: string[] = [];
  for (const [name, value] of Object.entries(shown)) {
    if (name === '…') continue;
    if (name in actual) faults.push(...shapeFaults(value, actual[name], `${path}/${name}`));
    else faults.push(`${path}/${name}: is shown, and not answered`);
  }
  if ('…' in shown) return faults;
  const hidden = Object.keys(actual).filter((name) => !(name in shown));
  return [...faults, ...hidden.map((name) => `${path}/${name}: is answered, and not shown`)];
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'list' : typeof value;
}
