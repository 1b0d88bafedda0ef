import { DurableObject } from 'cloudflare:workers';
import type { NodeAddress } from '@tunnox/domain/presence';
import type { Jwks } from '@tunnox/domain/relay-api';
import type { Env } from '../env.ts';
import { relayNodeStub } from '../repositories/object-stubs.ts';
import type { Assertion, NodeSeat, SeatFinding, Seating, VoidedTickets } from '../services/live-ports.ts';
import { allocateNode } from './allocate-node.ts';
import type { UnsentMessage } from './message-queue.ts';
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

  /** Finds the id of a key and uses up the assertion with which it was proved. Strangers leave nothing behind. */
  present(fingerprint: string, assertion: Assertion): SeatFinding {
    const [seat] = this.#sql.exec<Seat>('select node_id, relay_group from seats where fingerprint = ?', fingerprint);
    if (seat === undefined) return { kind: 'unknown' };
    if (!this.#useUp(fingerprint, assertion)) return { kind: 'replayed' };
    return { kind: 'known', node_id: seat.node_id, group: seat.relay_group };
  }

  /** Finds the id of a key that a join token has let in, a new one if it has none, and uses up the assertion. */
  allocate(fingerprint: string, group: string, assertion: Assertion): Seating {
    const seats = this.#sql.exec<Row<NodeSeat>>('select * from seats').toArray();
    const allocation = allocateNode(seats, fingerprint, Date.now());
    if (allocation.kind === 'exhausted') return { kind: 'exhausted' };
    if (!this.#useUp(fingerprint, assertion)) return { kind: 'replayed' };
    if (allocation.kind === 'new') {
      // Gone until it reports: a relay that never comes must not keep the id for ever.
      this.#sql.exec(
        'insert or replace into seats (node_id, fingerprint, relay_group, gone_since) values (?, ?, ?, ?)',
        ...[allocation.node_id, fingerprint, group, Date.now()],
      );
    }
    return { kind: 'seated', node_id: allocation.node_id };
  }

  /** @returns false when the assertion was used before. */
  #useUp(fingerprint: string, { jti, expiresAtMs }: Assertion): boolean {
    this.#sql.exec('delete from assertions where expires_at < ?', Date.now());
    const fresh = this.#sql.exec(
      'insert into assertions (fingerprint, jti, expires_at) values (?, ?, ?) on conflict do nothing',
      ...[fingerprint, jti, expiresAtMs],
    );
    return fresh.rowsWritten > 0;
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

  /** Gives the id of an offline node free. @returns false when it is not offline. */
  free(nodeId: string): boolean {
    const [seat] = this.#sql.exec<{ here: number }>(
      'select address is not null as here from seats where node_id = ?',
      nodeId,
    );
    if (seat?.here === 1) return false;
    this.#sql.exec('delete from seats where node_id = ?', nodeId);
    return true;
  }

  /** Tells every node; one that is away at this moment gets it with its next session, or has let go of its clients. */
  async voidTickets(voided: VoidedTickets): Promise<void> {
    await this.#tell({ type: 'void_tickets', ...voided });
  }

  /** Tells every node by which keys tickets may be signed; one that comes later hears it when it registers. */
  async tellKeys(keys: Jwks): Promise<void> {
    await this.#tell({ type: 'keys', ticket_keys: keys });
  }

  /** Tells every node that there are certificates to fetch; one that misses it looks by itself. */
  async tellCertificates(version: number): Promise<void> {
    await this.#tell({ type: 'certificates', version });
  }

  async #tell(message: UnsentMessage): Promise<void> {
    await Promise.all(
      this.peers().map(async ({ node_id, incarnation }) => {
        await relayNodeStub(this.env, node_id).push(incarnation, message);
      }),
    );
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
