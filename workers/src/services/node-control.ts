import type { NodeOwners } from './live-ports.ts';
import type { NodeControl, PresenceReader } from './ports.ts';

/** So many owners are asked in one request at most; beyond that, the relay's notes count. */
const PRESENCES_MAX = 500;

/** Commands to relays, and who is attached to them: the relay's notes, checked against the clients' owners. */
export function createNodeControl(nodes: NodeOwners, presences: PresenceReader): NodeControl {
  return {
    drain: (nodeId, deadlineMs) => nodes.drain(nodeId, deadlineMs),
    async clientsOf(nodeId) {
      const noted = await nodes.notedClients(nodeId);
      const places = await presences.read(noted.slice(0, PRESENCES_MAX));
      const here = [...places.values()].filter((presence) => presence.node_id === nodeId);
      const ids = [...here.map((presence) => presence.client_id), ...noted.slice(PRESENCES_MAX)];
      return ids.sort((a, b) => a - b);
    },
  };
}
