import { splitList } from './connection-options.ts';

/**
 * Value of a field in checked field lines, several lines of one name joined by commas. For the few fields that are
 * only sometimes asked for; what every request needs is read while its head is parsed.
 *
 * @param lines Field lines, a start line before them if need be, each with its CRLF.
 * @param name Lower-case name.
 */
export function findField(lines: string, name: string): string | null {
  let found: string | null = null;
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon !== name.length || line.slice(0, colon).toLowerCase() !== name) continue;
    const value = line.slice(colon + 1).trim();
    found = found === null ? value : `${found}, ${value}`;
  }
  return found;
}

/** Value of one cookie, or null. */
export function findCookie(lines: string, name: string): string | null {
  const header = findField(lines, 'cookie');
  if (header === null) return null;
  for (const list of splitList(header)) {
    for (const pair of list.split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return null;
}
