import type { NodeOwners, NodeRegistry } from './live-ports.ts';
import type { NodeControl, PresenceReader } from './ports.ts';

/** So many clients are named, and their owners asked, in one request at most. */
const CLIENTS_MAX = 500;

/** Commands to relays, and who is attached to them: the relay's notes, checked against the clients' owners. */
export function createNodeControl(
  nodes: Pick<NodeOwners, 'drain' | 'notedClients' | 'forget'>,
  presences: PresenceReader,
  registry: Pick<NodeRegistry, 'free'>,
): NodeControl {
  return {
    drain: (nodeId, deadlineMs) => nodes.drain(nodeId, deadlineMs),
    async clientsOf(nodeId) {
      const noted = await nodes.notedClients(nodeId);
      const asked = noted.slice(0, CLIENTS_MAX);
      const places = await presences.read(asked);
      const here = [...places.values()].filter((presence) => presence.node_id === nodeId);
      const ids = here.map((presence) => presence.client_id).sort((a, b) => a - b);
      return { ids, total: ids.length + noted.length - asked.length };
    },
    async forget(nodeId) {
      // Its object first: from then on its token counts no more, so that it cannot come back under this id.
      return (await nodes.forget(nodeId)) && (await registry.free(nodeId));
    },
  };
}
