import type { ActualRecord, ConflictReason, DesiredRecord } from './plan.ts';

/** Why a record cannot be put in place, and what to do, as a sentence for people. */
export function conflictText(
  { type, name, value }: DesiredRecord,
  reason: ConflictReason,
  foreign: readonly ActualRecord[],
): string {
  const others = foreign
    .slice(0, 3)
    .map((record) => `${record.type} ${record.value}`)
    .join(', ');
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : '';
  switch (reason) {
    case 'exists':
      return `${name} has the record ${type} ${value} already, and it was not made here. Remove it there, or let it be taken over (adopt=identical).`;
    case 'other_values':
      return `${name} has other ${type} records that were not made here: ${others}${more}. They would share its visitors: remove them there, or choose another name.`;
    case 'cname_beside_others':
      return foreign.length === 0
        ? `${name} cannot have a CNAME beside other records: an older record of yours stands there.`
        : `${name} cannot have a CNAME beside other records, and it has ${others}${more}, not made here. Remove them there, or choose another name.`;
  }
}
