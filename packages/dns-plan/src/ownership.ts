/** Twelve letters and digits that one zone of one installation has for itself. */
const TAG = /^[a-z0-9]{12}$/;
const MARK = /(?:^|\s)tunnox:([a-z0-9]{12})(?=$|[\s;,])/;

/** What stands in the comment of a record of ours; people may write more behind it. */
export function ownershipMark(tag: string): string {
  if (!TAG.test(tag))
    throw new Error(`Cannot mark records with '${tag}': a tag is twelve lower-case letters or digits`);
  return `tunnox:${tag}`;
}

/** Whether a comment bears the mark: of this zone of this installation, not of a sibling's. */
export function bearsMark(comment: string | null | undefined, tag: string): boolean {
  return MARK.exec(comment ?? '')?.[1] === tag;
}
