import { bearsMark, ownershipMark } from '@tunnox/dns-plan/ownership';
import type { ActualRecord } from '@tunnox/dns-plan/plan';
import { RECORD_TYPES, type RecordType } from '@tunnox/dns-plan/record-type';
import { z } from 'zod';
import { ProviderError, type ZoneChange } from '../zone-provider.ts';
import { canonicalContent, quoteContent } from './content.ts';

/** Records of one name and type, as PowerDNS has them: all of them are replaced at once. */
export const rrsetSchema = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  records: z.array(z.object({ content: z.string(), disabled: z.boolean().default(false) })).default([]),
  comments: z
    .array(z.object({ content: z.string(), account: z.string().default(''), modified_at: z.number().optional() }))
    .default([]),
});
export type Rrset = z.infer<typeof rrsetSchema>;

/** What `ttl: 1` means here. */
const TTL_DEFAULT_S = 300;

/** Records of a set that are served. */
export function recordsOf(set: Rrset, tag: string): ActualRecord[] {
  const name = nameOf(set);
  const served = set.records.filter(({ disabled }) => !disabled);
  const values = served.map(({ content }) => canonicalContent(set.type, content, name));
  const isShared = values.some((value) => !isOurs(set, value, tag));
  return values.map((value) => {
    const id = idOf({ name, type: set.type, value });
    const owned = isOurs(set, value, tag);
    return { id, type: set.type, name, value, ttl: owned && isShared ? null : set.ttl, proxied: null, owned };
  });
}

/**
 * The set with the changes in it: values and comments of others, and records that are switched off, stay as they are. A
 * comment for each value of ours bears the mark, with the value.
 *
 * @param set As it is now.
 * @throws {ProviderError} `rejected` when somebody has changed it meanwhile so that the changes would take what is theirs
 */
export function changedSet(set: Rrset | undefined, changes: readonly ZoneChange[], tag: string): Rrset {
  const [first] = changes;
  if (first === undefined) throw new Error('Cannot replace a set without changes');
  const { name, type } = placeOf(first);
  const there = set ?? { name: `${name}.`, type, ttl: TTL_DEFAULT_S, records: [], comments: [] };
  const gone = new Set(changes.flatMap((change) => (change.kind === 'create' ? [] : [change.actual.value])));
  const wished = changes.flatMap((change) => (change.kind === 'delete' ? [] : [change.record]));
  const valueOf = ({ content }: { content: string }) => canonicalContent(type, content, name);
  refuseForeign(there, changes, tag);
  const touched = new Set([...gone, ...wished.map(({ value }) => value)]);
  const kept = there.records.filter((record) => record.disabled || !touched.has(valueOf(record)));
  const isFree = kept.every((record) => record.disabled || isOurs(there, valueOf(record), tag));
  const [wish] = wished;
  return {
    name: there.name,
    type,
    // One that is shared keeps the TTL of the others.
    ttl: wish === undefined || !isFree ? there.ttl : wish.ttl === 1 ? TTL_DEFAULT_S : wish.ttl,
    records: [
      ...kept,
      ...wished.map(({ value }) => ({
        content: withDot(type, quoteContent(type as RecordType, value)),
        disabled: false,
      })),
    ],
    comments: [
      ...there.comments.filter(({ content }) => ![...touched].some((value) => isCommentOf(content, tag, value))),
      ...wished.map(({ comment, value }) => ({ content: `${comment} | ${value}`, account: 'tunnox' })),
    ],
  };
}

/** What takes the place of the set; one without records goes with its comments. */
export function toRequest({ name, type, ttl, records, comments }: Rrset): object {
  if (records.length === 0) return { name, type, changetype: 'DELETE' };
  return { name, type, ttl, changetype: 'REPLACE', records, comments };
}

/** Whole name of a set without a dot at its end. */
export function nameOf({ name }: { name: string }): string {
  return name.replace(/\.$/, '').toLowerCase();
}

export function placeOf(change: ZoneChange): { name: string; type: string } {
  return change.kind === 'delete' ? change.actual : change.record;
}

/** It has no ids: what a record says is what it is. */
export function idOf({ name, type, value }: { name: string; type: string; value: string }): string {
  return `${name}/${type}/${value}`;
}

/** The list is older than the set: what was ours then may be somebody's now, and what was free may be taken. */
function refuseForeign(set: Rrset, changes: readonly ZoneChange[], tag: string): void {
  const now = recordsOf(set, tag);
  const refuse = (what: string) => {
    throw new ProviderError(
      'rejected',
      `Somebody has changed ${nameOf(set)} ${set.type} at PowerDNS meanwhile: ${what}`,
    );
  };
  for (const change of changes) {
    if (change.kind !== 'create') {
      const record = now.find(({ value }) => value === change.actual.value);
      if (record !== undefined && change.actual.owned && !record.owned) refuse(`${record.value} is no longer ours`);
      continue;
    }
    const taken = now.find((record) => !record.owned && record.value === change.record.value);
    if (taken !== undefined) refuse(`${taken.value} was made by somebody else`);
    const isAlone = RECORD_TYPES[change.record.type].beside !== 'all';
    const adopted = changes.flatMap((one) => (one.kind === 'update' ? [one.actual.value] : []));
    const other = now.find((record) => !record.owned && !adopted.includes(record.value));
    if (isAlone && other !== undefined) refuse(`${other.value} was made by somebody else`);
  }
}

function isOurs(set: Rrset, value: string, tag: string): boolean {
  return set.comments.some(({ content }) => isCommentOf(content, tag, value));
}

function isCommentOf(content: string, tag: string, value: string): boolean {
  return content.startsWith(ownershipMark(tag)) && bearsMark(content, tag) && content.endsWith(` | ${value}`);
}

/** Names in values are absolute there. */
function withDot(type: string, content: string): string {
  return type === 'CNAME' || type === 'MX' || type === 'SRV' ? `${content}.` : content;
}
