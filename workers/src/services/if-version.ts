/** Versions of which an object must have one for a change to be made; null: whatever it has. */
export type IfVersion = readonly number[] | null;
