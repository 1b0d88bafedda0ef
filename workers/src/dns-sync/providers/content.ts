import { canonicalValue, RECORD_TYPES, type RecordType } from '@tunnox/dns-plan/record-type';
import { quoteTxt } from '@tunnox/dns-plan/txt';

/** A record's content as a provider has it, in canonical form; that of an unknown type, or of a bad one, as it is. */
export function canonicalContent(type: string, content: string, name: string): string {
  if (!(type in RECORD_TYPES)) return content;
  // Where it stands does not matter for what it says: the zone is given as another name.
  const parsed = canonicalValue(type as RecordType, content, { name, zone: `zone-of.${name}` });
  return parsed.ok ? parsed.value : content;
}

/** A canonical value as providers want it. */
export function quoteContent(type: RecordType, value: string): string {
  return type === 'TXT' ? quoteTxt(value) : value;
}
