/** What a `Connection` header says, `names` being the fields that it declares to be for this hop only. */
export interface ConnectionOptions {
  close: boolean;
  keepAlive: boolean;
  upgrade: boolean;
  names: ReadonlySet<string> | null;
}

export const NO_OPTIONS: ConnectionOptions = { close: false, keepAlive: false, upgrade: false, names: null };
const KEEP_ALIVE: ConnectionOptions = { ...NO_OPTIONS, keepAlive: true };
const CLOSE: ConnectionOptions = { ...NO_OPTIONS, close: true };
const UPGRADE: ConnectionOptions = { ...NO_OPTIONS, upgrade: true };

/**
 * Reads the value of `Connection`, several of them joined by commas. What cannot be a field name is passed over.
 *
 * @see RFC 9110, section 7.6.1
 */
export function parseConnectionOptions(value: string): ConnectionOptions {
  if (value === 'keep-alive') return KEEP_ALIVE;
  const lower = value.toLowerCase();
  if (lower === 'close') return CLOSE;
  if (lower === 'upgrade') return UPGRADE;
  const options = { ...NO_OPTIONS };
  const names = new Set<string>();
  for (const token of splitList(lower)) {
    if (token === 'close') options.close = true;
    else if (token === 'keep-alive') options.keepAlive = true;
    else if (token === 'upgrade') options.upgrade = true;
    else if (FIELD_NAME.test(token)) names.add(token);
  }
  return names.size === 0 ? options : { ...options, names };
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Elements of a comma-separated list, trimmed, empty ones left out (RFC 9110, section 5.6.1). */
export function splitList(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}
