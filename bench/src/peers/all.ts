import type { Peer } from '../subject.ts';
import { binaryPeers } from './binaries.ts';
import { directPeer } from './direct.ts';
import { haproxyPeer } from './haproxy.ts';
import { nginxPeer } from './nginx.ts';
import { sshPeer } from './ssh.ts';

/** Everything that is measured in rounds. */
export function allPeers(_quick: boolean): Peer[] {
  return [directPeer, nginxPeer, haproxyPeer, sshPeer, ...binaryPeers(process.env)];
}

/** Everything whose idle connections are weighed, each with one subject. */
export function idlePeers(): Peer[] {
  return [nginxPeer, haproxyPeer, sshPeer, ...binaryPeers(process.env)];
}
