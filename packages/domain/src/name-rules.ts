import { encodeName, isIpv4, isWithin } from './host-name.ts';
import { decodePunycodeLabel } from './punycode.ts';
import { RESERVED_LABELS } from './reserved-labels.ts';

/** Label of the record that proves a domain of a tenant's own. */
export const PROOF_LABEL = '_tunnox';

/** The name of its proof has a label more, and must be a name too. */
const CUSTOM_LENGTH_MAX = 253 - `${PROOF_LABEL}.`.length;

/** Dots of a name as a person may write them (UTS 46). */
const DOTS = /[.\u3002\uff0e\uff61]/;

/** Why a name is refused. */
export type NameFault =
  | 'empty'
  | 'too_long'
  | 'wildcard'
  | 'several_labels'
  | 'one_label'
  | 'characters'
  | 'hyphen'
  | 'mixed_scripts'
  | 'confusable'
  | 'reserved'
  | 'address'
  | 'base_domain';

/** What each fault means, as the end of a sentence that begins with the name. */
export const NAME_FAULTS: Record<NameFault, string> = {
  empty: 'is empty',
  too_long: `is too long: a label has at most 63 characters, a whole name 253, a domain of your own ${CUSTOM_LENGTH_MAX}`,
  wildcard: 'has a wildcard, which is not allowed here',
  several_labels: 'has a dot: a name under a base domain is a single label',
  one_label: 'is not a whole domain name',
  characters: 'has a character that is not a letter, a digit or a hyphen',
  hyphen: 'begins or ends with a hyphen, or has hyphens in the third and fourth place',
  mixed_scripts: 'mixes scripts, or has letters of one that is not allowed',
  confusable: 'looks like a name in Latin letters and is not one',
  reserved: 'is reserved',
  address: 'is an address, not a name',
  base_domain: 'lies under a base domain: ask for a subdomain instead',
};

export type NameCheck = { ok: true; name: string } | { ok: false; fault: NameFault };

/** Checks a label that somebody chose under a base domain. @returns Its ASCII form. */
export function checkSubdomain(chosen: string): NameCheck {
  if (chosen === '') return refuse('empty');
  if (chosen.includes('*')) return refuse('wildcard');
  if (DOTS.test(chosen)) return refuse('several_labels');
  const checked = checkLabel(chosen);
  if (checked.ok && RESERVED_LABELS.has(checked.name)) return refuse('reserved');
  return checked;
}

/** Checks a whole domain of a tenant's own. @returns Its ASCII form. */
export function checkCustomDomain(chosen: string, baseDomains: readonly string[]): NameCheck {
  const trimmed = DOTS.test(chosen.slice(-1)) ? chosen.slice(0, -1) : chosen;
  if (trimmed === '') return refuse('empty');
  if (trimmed.includes('*')) return refuse('wildcard');
  if (trimmed.length > 253) return refuse('too_long');
  if (isIpv4(trimmed)) return refuse('address');
  const chosenLabels = trimmed.split(DOTS);
  // Below a top-level domain that is no Latin one nobody expects Latin letters.
  const mayLookLatin = encodeName(`a.${chosenLabels.at(-1)}`)?.startsWith('a.xn--') === true;
  const labels = [];
  for (const label of chosenLabels) {
    const checked = checkLabel(label, mayLookLatin);
    if (!checked.ok) return checked;
    labels.push(checked.name);
  }
  const last = labels.at(-1) ?? '';
  if (labels.length < 2) return refuse('one_label');
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(last)) return refuse('address');
  const name = labels.join('.');
  if (name.length > CUSTOM_LENGTH_MAX) return refuse('too_long');
  if (baseDomains.some((base) => isWithin(name, base) || isWithin(base, name))) return refuse('base_domain');
  return { ok: true, name };
}

function checkLabel(chosen: string, mayLookLatin = false): NameCheck {
  if (chosen === '') return refuse('empty');
  if (/^[ -~]*$/.test(chosen)) {
    const label = chosen.toLowerCase();
    if (!/^[a-z0-9-]+$/.test(label)) return refuse('characters');
    if (label.length > 63) return refuse('too_long');
    if (label.startsWith('-') || label.endsWith('-')) return refuse('hyphen');
    if (label.slice(2, 4) !== '--') return { ok: true, name: label };
    if (!label.startsWith('xn--')) return refuse('hyphen');
  }
  // Through the name's whole ASCII form and back: a label that is not in normal form would differ.
  const ascii = encodeName(`${chosen}.example`)?.slice(0, -'.example'.length);
  if (ascii === undefined || ascii === '' || ascii.includes('.')) return refuse('characters');
  if (ascii.length > 63) return refuse('too_long');
  if (!ascii.startsWith('xn--')) return checkAgain(ascii);
  const unicode = decodePunycodeLabel(ascii.slice(4));
  if (unicode === null || encodeName(`${unicode}.example`) !== `${ascii}.example`) return refuse('characters');
  const fault = scriptFault(unicode);
  return fault === null || (fault === 'confusable' && mayLookLatin) ? { ok: true, name: ascii } : refuse(fault);
}

/** Unicode that folds to ASCII (such as full-width letters) obeys the rules for ASCII. */
function checkAgain(ascii: string): NameCheck {
  return /^[a-z0-9-]+$/.test(ascii) && ascii.slice(2, 4) !== '--' ? checkLabel(ascii) : refuse('characters');
}

function refuse(fault: NameFault): NameCheck {
  return { ok: false, fault };
}

/** One writing system a label; Latin only with the letters of European languages. */
const WRITING_SYSTEMS: RegExp[] = [
  /^[a-z0-9\u00df-\u00f6\u00f8-\u0130\u0132-\u0137\u0139-\u017e-]+$/u,
  /^[\p{Script=Cyrillic}0-9-]+$/u,
  /^[\p{Script=Greek}0-9-]+$/u,
  /^(?=.*[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fb\u30fc\u30050-9a-z-]+$/u,
  /^[\p{Script=Han}\p{Script=Hangul}0-9a-z-]+$/u,
  /^(?=.*\p{Script=Arabic})[\p{Script=Arabic}\p{Mn}0-9-]+$/u,
  /^(?=.*\p{Script=Hebrew})[\p{Script=Hebrew}\p{Mn}0-9-]+$/u,
  /^(?=.*\p{Script=Devanagari})[\p{Script=Devanagari}\p{Mn}0-9-]+$/u,
  /^(?=.*\p{Script=Thai})[\p{Script=Thai}\p{Mn}0-9-]+$/u,
];

/** Letters of other scripts that look like Latin ones; a label of these alone is a trap (UTS 39). */
const LOOKS_LATIN =
  /^[0-9\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u044a\u044c\u0455\u0456\u0458\u0501\u04bb\u04cf\u051b\u051d\u0475\u0461\u04bd\u044b\u044e\u050d\u0517\u043f\u0433\u0442\u043a\u043c\u0432\u043d\u03b1\u03b2\u03b3\u03b5\u03b7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c3\u03c4\u03c5\u03c7\u03c9-]+$/u;

/**
 * Latin letters may stand beside Chinese, Japanese and Korean ones, but not with those alone that look like a hyphen, a
 * slash or a Latin letter.
 */
const LOOKS_LATIN_BESIDE_LATIN =
  /^(?=.*[a-z])[a-z0-9\u3007\u4e00\u4e28\u4e36\u4e3f\u4e8c\u5de5\u53e3\u304f\u3078\u30a8\u30bd\u30ce\u30cb\u30d8\u30ed\u30f3\u30fb\u30fc\u30fd\u30fe\u309d\u309e\u1173\u1175\u3161\u3163-]+$/u;

function scriptFault(label: string): 'mixed_scripts' | 'confusable' | null {
  if (!WRITING_SYSTEMS.some((system) => system.test(label))) return 'mixed_scripts';
  return LOOKS_LATIN.test(label) || LOOKS_LATIN_BESIDE_LATIN.test(label) ? 'confusable' : null;
}
