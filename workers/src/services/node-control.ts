import type { NodeOwners } from './live-ports.ts';
import type { NodeControl, PresenceReader } from './ports.ts';

/** Commands to relays, and who is attached to them: the relay's notes, checked against the clients' owners. */
export function createNodeControl(nodes: NodeOwners, presences: PresenceReader): NodeControl {
  return {
    drain: (nodeId, deadlineMs) => nodes.drain(nodeId, deadlineMs),
    async clientsOf(nodeId) {
      const places = await presences.read(await nodes.notedClients(nodeId));
      const here = [...places.values()].filter((presence) => presence.node_id === nodeId);
      return here.map((presence) => presence.client_id).sort((a, b) => a - b);
    },
  };
}
