import type { Peer } from '../subject.ts';

/** Name of the baseline: every ratio is taken to it. */
export const DIRECT = 'direct';

/** No proxy at all. */
export const directPeer: Peer = {
  name: DIRECT,
  start: async ({ target }) => ({
    kind: 'ready',
    version: 'no proxy',
    subjects: [{ name: DIRECT, layer: 'tcp', bytes: target.bytes, http: target.http, processes: {} }],
  }),
};
