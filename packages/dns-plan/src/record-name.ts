import { encodeName, isWithin } from '@tunnox/domain/host-name';

export type NameFault =
  | 'empty_label'
  | 'label_too_long'
  | 'too_long'
  | 'characters'
  | 'hyphen'
  | 'wildcard'
  | 'outside_zone';

/** What each fault means, as the end of a sentence that begins with the name. */
export const NAME_FAULTS: Record<NameFault, string> = {
  empty_label: 'has an empty label: two dots stand side by side, or one at the beginning',
  label_too_long: 'has a label of more than 63 characters',
  too_long: 'is longer than 253 characters together with its zone',
  characters: 'has a character other than letters, digits, hyphens and underscores',
  hyphen: 'has a label that begins or ends with a hyphen',
  wildcard: 'has a wildcard that is not its whole first label',
  outside_zone: 'does not lie in the zone',
};

export type NameResult = { ok: true; name: string } | { ok: false; fault: NameFault };

const NAME_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;

/**
 * Whole name of a record, lower-case ASCII without a dot at its end.
 *
 * `@` and the empty name are the zone itself; a name that ends with a dot, and one that ends with the zone, is absolute;
 * any other is relative: `a.b` → `a.b.example.com`. Nobody who writes `www.example.com` means
 * `www.example.com.example.com` (which can be had with a dot at its end).
 *
 * @param zone In normal form: `example.com`.
 */
export function absoluteName(name: string, zone: string): NameResult {
  const wish = name.trim();
  if (wish === '' || wish === '@') return { ok: true, name: zone };
  const checked = asciiName(wish.endsWith('.') ? wish.slice(0, -1) : wish, { wildcard: true });
  if (!checked.ok) return checked;
  if (isWithin(checked.name, zone)) return checked;
  if (wish.endsWith('.')) return { ok: false, fault: 'outside_zone' };
  const whole = `${checked.name}.${zone}`;
  return whole.length > NAME_LENGTH_MAX ? { ok: false, fault: 'too_long' } : { ok: true, name: whole };
}

/** The name as people see it within its zone: `@`, `www`. */
export function relativeName(name: string, zone: string): string {
  if (name === zone) return '@';
  return name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : `${name}.`;
}

/** Checks a whole name and puts it into lower-case ASCII (IDN: UTS 46). */
export function asciiName(name: string, options: { wildcard: boolean }): NameResult {
  const ascii = isAscii(name) ? name.toLowerCase() : encodeIdn(name);
  if (ascii === null) return { ok: false, fault: 'characters' };
  const labels = ascii.split('.');
  for (const [index, label] of labels.entries()) {
    const fault = labelFault(label, options.wildcard && index === 0 && labels.length > 1);
    // `*` alone is a name relative to its zone.
    if (fault !== null && !(options.wildcard && labels.length === 1 && label === '*')) return { ok: false, fault };
  }
  if (ascii.length > NAME_LENGTH_MAX) return { ok: false, fault: 'too_long' };
  return { ok: true, name: ascii };
}

function labelFault(label: string, mayBeWildcard: boolean): NameFault | null {
  if (label === '') return 'empty_label';
  if (label.includes('*')) return mayBeWildcard && label === '*' ? null : 'wildcard';
  if (!/^[a-z0-9_-]+$/.test(label)) return 'characters';
  if (label.length > LABEL_LENGTH_MAX) return 'label_too_long';
  if (label.startsWith('-') || label.endsWith('-')) return 'hyphen';
  return null;
}

/** A wildcard stands before the name that is encoded. */
function encodeIdn(name: string): string | null {
  if (!name.startsWith('*.')) return encodeName(name);
  const rest = encodeName(name.slice(2));
  return rest === null ? null : `*.${rest}`;
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}
