// Lines of these names are written or needed by the proxy itself.
const PINNED: ReadonlySet<string> = new Set(['host', 'via', 'expect', 'content-length', 'transfer-encoding']);

/**
 * Drops the field lines that `Connection` names. Framing lines stay: whatever a peer calls hop-by-hop, it must not
 * change where a body ends.
 *
 * @param lines Start line and field lines, each with its CRLF.
 * @param names Lower-case field names.
 * @see RFC 9110, section 7.6.1
 */
export function withoutNamed(lines: string, names: ReadonlySet<string>): string {
  const [startLine = '', ...fields] = lines.split('\r\n');
  let kept = `${startLine}\r\n`;
  for (const line of fields) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    if (line === '' || (names.has(name) && !PINNED.has(name))) continue;
    kept += `${line}\r\n`;
  }
  return kept;
}
