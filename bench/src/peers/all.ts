import type { Peer } from '../subject.ts';
import { binaryPeers } from './binaries.ts';
import { directPeer } from './direct.ts';
import { haproxyPeer } from './haproxy.ts';
import { nginxPeer } from './nginx.ts';
import { sshPeer } from './ssh.ts';
import { tunnoxPeer } from './tunnox.ts';

/** Everything that is measured in rounds. */
export function allPeers(quick: boolean): Peer[] {
  return [
    directPeer,
    tunnoxPeer('tunnox', quick ? ['tls', 'plain'] : ['tls', 'ws', 'plain'], ['a', 'b', 'c']),
    ...otherPeers(),
  ];
}

/** Everything whose idle connections are weighed: one peer for each way, as each gets fresh processes. */
export function idlePeers(quick: boolean): Peer[] {
  const ways = [tunnoxPeer('tunnox a tls', ['tls'], ['a']), tunnoxPeer('tunnox b tls', ['tls'], ['b'])];
  if (!quick) ways.push(tunnoxPeer('tunnox a ws', ['ws'], ['a']), tunnoxPeer('tunnox c tls', ['tls'], ['c']));
  return [...ways, ...otherPeers()];
}

function otherPeers(): Peer[] {
  return [nginxPeer, haproxyPeer, sshPeer, ...binaryPeers(process.env)];
}
