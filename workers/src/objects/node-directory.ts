import { DurableObject } from 'cloudflare:workers';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { Env } from '../env.ts';
import { relayNodeStub } from '../repositories/object-stubs.ts';
import type { NodeSeat, SeatFinding } from '../services/live-ports.ts';
import { allocateNode } from './allocate-node.ts';
import { objectServices } from './object-services.ts';

const SCHEMA_VERSION = 1;

/** Changes of several nodes within this time become one message to every relay. */
const ANNOUNCE_DELAY_MS = 50;

/** Owner of the node ids: which key has which, and which nodes are there. One object for the whole cluster. */
export class NodeDirectory extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    void ctx.blockConcurrencyWhile(() => this.#open());
  }

  /**
   * Finds the id of a key and uses up the assertion with which the key was proved.
   *
   * @param expiresAtMs When an assertion of this age is refused anyway.
   */
  present(fingerprint: string, jti: string, expiresAtMs: number): SeatFinding {
    this.#sql.exec('delete from assertions where expires_at < ?', Date.now());
    const fresh = this.#sql.exec(
      'insert into assertions (fingerprint, jti, expires_at) values (?, ?, ?) on conflict do nothing',
      ...[fingerprint, jti, expiresAtMs],
    );
    if (fresh.rowsWritten === 0) return { kind: 'replayed' };
    const [seat] = this.#sql.exec<Seat>('select node_id, relay_group from seats where fingerprint = ?', fingerprint);
    return seat === undefined ? { kind: 'unknown' } : { kind: 'known', node_id: seat.node_id, group: seat.relay_group };
  }

  /** @returns The id of the key, a new one if it has none; null when all are taken. */
  allocate(fingerprint: string, group: string): string | null {
    const seats = this.#sql.exec<Row<NodeSeat>>('select * from seats').toArray();
    const allocation = allocateNode(seats, fingerprint, Date.now());
    switch (allocation.kind) {
      case 'held':
        return allocation.node_id;
      case 'exhausted':
        return null;
      case 'new':
        this.#sql.exec(
          'insert or replace into seats (node_id, fingerprint, relay_group) values (?, ?, ?)',
          ...[allocation.node_id, fingerprint, group],
        );
        return allocation.node_id;
    }
  }

  /** A node's word about itself, whenever its status or address changes. Everybody is told. */
  async report(address: NodeAddress): Promise<void> {
    const { node_id, fingerprint, status } = address;
    const gone = status === 'offline';
    const written = this.#sql.exec(
      'update seats set address = ?, gone_since = ? where node_id = ? and fingerprint = ?',
      ...[gone ? null : JSON.stringify(address), gone ? Date.now() : null, node_id, fingerprint],
    );
    if (written.rowsWritten === 0) return;
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + ANNOUNCE_DELAY_MS);
  }

  /** Nodes that are not offline. */
  peers(): NodeAddress[] {
    return this.#sql
      .exec<{ address: string }>('select address from seats where address is not null order by node_id')
      .toArray()
      .map((row) => JSON.parse(row.address) as NodeAddress);
  }

  override async alarm(): Promise<void> {
    const peers = this.peers();
    await Promise.all(
      peers.map(async ({ node_id, incarnation }) => {
        const others = peers.filter((peer) => peer.node_id !== node_id);
        await relayNodeStub(this.env, node_id).push(incarnation, { type: 'peers', peers: others });
      }),
    );
  }

  async #open(): Promise<void> {
    const version = this.ctx.storage.kv.get<number>('schema_version');
    if (version === SCHEMA_VERSION) return;
    if (version !== undefined) throw new Error(`Cannot read a node directory of version ${version}`);
    // An empty directory beside a filled database (restored, moved): the ids that are given out stay with their keys.
    const seats = await objectServices(this.env).nodes.seats();
    this.#sql.exec(`
      create table if not exists seats (
        node_id text primary key, fingerprint text not null unique, relay_group text not null, gone_since integer,
        address text);
      create table if not exists assertions (
        fingerprint text not null, jti text not null, expires_at integer not null, primary key (fingerprint, jti));`);
    for (const { node_id, fingerprint, relay_group, gone_since } of seats) {
      this.#sql.exec(
        'insert or ignore into seats (node_id, fingerprint, relay_group, gone_since) values (?, ?, ?, ?)',
        ...[node_id, fingerprint, relay_group, gone_since],
      );
    }
    this.ctx.storage.kv.put('schema_version', SCHEMA_VERSION);
  }
}

type Seat = { node_id: string; relay_group: string };

/** A row as the SQL interface wants it typed. */
type Row<T> = { [K in keyof T]: T[K] & SqlStorageValue };
