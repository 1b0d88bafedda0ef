import { apiLines, apiMarkdown } from './api/api-markdown.ts';
import { measureApi } from './api/measure-api.ts';
import { describeMachine, versionOf } from './machine.ts';
import { bulkMeasure } from './measures/bulk.ts';
import { httpMeasure, type HttpGenerator } from './measures/http.ts';
import { measureIdle } from './measures/idle.ts';
import { openingMeasure } from './measures/opening.ts';
import type { BenchOptions } from './options.ts';
import { allPeers, idlePeers } from './peers/all.ts';
import { directPeer } from './peers/direct.ts';
import { startPeer } from './peers/start-peer.ts';
import type { ProcessGroup } from './process-group.ts';
import { IDLE_SHOWN, shownOf, toMarkdown, toRatioLines, type Report } from './report.ts';
import { runRounds } from './run-rounds.ts';
import { settingsOf, type BenchSettings } from './settings.ts';
import type { Peer, PeerStart, Subject } from './subject.ts';
import { startTarget } from './target.ts';

export interface BenchResult {
  report: Report;
  markdown: string;
  /** For the terminal. */
  ratioLines: string[];
}

/**
 * One whole run: starts the target and every peer, measures, and puts the figures together. Processes belong to
 * `group`; they are stopped before the result is returned, and the caller may stop the group earlier.
 */
export async function runBench(
  options: BenchOptions,
  group: ProcessGroup,
  log: (line: string) => void,
  settings: BenchSettings = settingsOf(options.quick),
): Promise<BenchResult> {
  const startedAt = new Date();
  const machine = describeMachine();
  const generator = settings.httpGenerator === 'own' ? 'own' : await bestGenerator();
  const report: Report = {
    startedAt: startedAt.toISOString(),
    seconds: 0,
    machine,
    settings: {
      quick: options.quick,
      repeats: options.repeats,
      httpGenerator: generator === 'wrk' ? 'wrk' : 'the client of the bench (wrk is not installed)',
    },
    peers: [],
    missing: [],
    rows: [],
  };
  const presence = (peer: Peer, started: PeerStart) => note(report, peer, started);
  const measures = [
    openingMeasure(settings.opening),
    httpMeasure(settings.http, generator),
    bulkMeasure(settings.bulk),
  ];

  if (options.measures.includes('idle')) {
    const idle = { ...settings.idle, repeats: options.repeats };
    report.rows.push(...(await measureIdle(wantedOf(idlePeers(options.quick), options), idle, group, presence, log)));
  }
  const wanted = measures.filter(({ name }) => options.measures.includes(name));
  if (wanted.length > 0) {
    const subjects = await startAll(wantedOf(allPeers(options.quick), options), group, presence, log);
    for (const measure of wanted) {
      report.rows.push(...(await runRounds(measure, subjects, options.repeats, group, log)));
    }
  }
  if (options.measures.includes('api') && options.peers.length === 0) {
    report.api = await measureApi({ ...settings.api, repeats: options.repeats }, group.child(), log);
  }
  await group.stop();
  report.seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
  const shown = shownOf([IDLE_SHOWN, ...measures], options.measures);
  const [markdown, lines] = report.api === undefined ? ['', []] : [apiMarkdown(report.api), apiLines(report.api)];
  return {
    report,
    markdown: toMarkdown(report, shown) + markdown,
    ratioLines: [...toRatioLines(report, shown), ...lines],
  };
}

async function bestGenerator(): Promise<HttpGenerator> {
  return (await versionOf('wrk', ['-v'])) === null ? 'own' : 'wrk';
}

async function startAll(
  peers: readonly Peer[],
  group: ProcessGroup,
  presence: (peer: Peer, started: PeerStart) => void,
  log: (line: string) => void,
): Promise<Subject[]> {
  const target = await startTarget(group);
  const subjects: Subject[] = [];
  for (const peer of peers) {
    log(`Starting ${peer.name}`);
    const started = await startPeer(peer, { target, group });
    presence(peer, started);
    if (started.kind === 'ready') subjects.push(...started.subjects);
  }
  return subjects;
}

/** Names a peer in the report, once, as measured or as missing. */
function note({ peers, missing }: Report, { name }: Peer, started: PeerStart): void {
  if (started.kind === 'ready' && !peers.some((one) => one.name === name)) {
    peers.push({ name, version: started.version });
  }
  if (started.kind === 'missing' && !missing.some((one) => one.name === name)) {
    missing.push({ name, reason: started.reason });
  }
}

function wantedOf(peers: readonly Peer[], { peers: names }: BenchOptions): Peer[] {
  return peers.filter(
    (peer) => names.length === 0 || peer === directPeer || names.some((name) => peer.name.includes(name)),
  );
}
