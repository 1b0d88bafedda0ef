import { scrypt } from 'node:crypto';
import { TunnoxError } from '@tunnox/domain/tunnox-error';
import { compare } from 'bcryptjs';
import { randomBytes } from './random.ts';
import { sameSecret } from './secret.ts';

interface Cost {
  logN: number;
  blockSize: number;
  passes: number;
}

/** 16 MiB and about 50 ms for each of five passes: what an isolate can afford. */
const COST: Cost = { logN: 14, blockSize: 8, passes: 5 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Dearer hashes are not imported: checking one must not take an isolate's memory. */
const LOG_N_MAX = 15;
const PASSES_MAX = 8;
const BCRYPT_COST_MAX = 12;
const BCRYPT_COST_MIN = 4;

/**
 * So many passwords are worked on in an isolate at once. Each takes a quarter of a second, during which the isolate does
 * nothing else, and 16 MiB (an imported one up to 32 MiB of the isolate's 128).
 */
const AT_ONCE_MAX = 4;
const BUSY_RETRY_AFTER_S = 1;

const SCRYPT_FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
const BCRYPT_FORMAT = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;

/** Checked in place of a hash that does not exist, so that it takes as long. Nobody has a password for it. */
const NO_HASH = formatScrypt(COST, new Uint8Array(SALT_BYTES), new Uint8Array(HASH_BYTES));

/** `outdated`: right, and to be hashed anew, because the hash is not of the kind that is made here. */
export type PasswordVerdict = 'wrong' | 'right' | 'outdated';

let working = 0;

/**
 * Hashes a password with scrypt.
 *
 * @returns PHC format: `$scrypt$ln=14,r=8,p=5$salt$hash`.
 * @throws {TunnoxError} `unavailable` while too many passwords are being worked on
 */
export function hashPassword(password: string): Promise<string> {
  return inTurn(async () => {
    const salt = randomBytes(SALT_BYTES);
    return formatScrypt(COST, salt, await derive(password.normalize('NFKC'), salt, COST, HASH_BYTES));
  });
}

/**
 * Checks a password.
 *
 * @param hash As stored; null: there is none, which takes as long as a wrong password.
 * @throws {TunnoxError} `unavailable` while too many passwords are being worked on
 */
export function verifyPassword(password: string, hash: string | null): Promise<PasswordVerdict> {
  return inTurn(async () => {
    if (hash !== null && BCRYPT_FORMAT.test(hash)) return (await compare(password, hash)) ? 'outdated' : 'wrong';
    const verdict = await verifyScrypt(password, hash ?? NO_HASH);
    return hash === null ? 'wrong' : verdict;
  });
}

/** Tells why a hash from elsewhere cannot be imported; null: it can. */
export function passwordHashFault(hash: string): string | null {
  const bcryptCost = BCRYPT_FORMAT.exec(hash)?.[1];
  if (bcryptCost !== undefined) {
    if (Number(bcryptCost) < BCRYPT_COST_MIN) return `must have a cost of ${BCRYPT_COST_MIN} at least`;
    return Number(bcryptCost) <= BCRYPT_COST_MAX ? null : `must not cost more than ${BCRYPT_COST_MAX}`;
  }
  const stored = parseScrypt(hash);
  if (stored === null) return 'must be a scrypt hash in PHC format or a bcrypt hash';
  const { logN, blockSize, passes } = stored.cost;
  if (Math.min(logN, blockSize, passes) < 1) return 'must have ln, r and p of 1 at least';
  // RFC 7914, section 2: N < 2^(128 * r / 8).
  const cheap = logN <= LOG_N_MAX && blockSize <= COST.blockSize && passes <= PASSES_MAX && logN < 16 * blockSize;
  return cheap ? null : `must not cost more than ln=${LOG_N_MAX},r=${COST.blockSize},p=${PASSES_MAX}`;
}

async function verifyScrypt(password: string, hash: string): Promise<PasswordVerdict> {
  const stored = parseScrypt(hash);
  // A hash of a kind that could never be stored: of another version, or a row that was written by hand.
  if (stored === null || passwordHashFault(hash) !== null) return 'wrong';
  const { cost, salt, bytes } = stored;
  const expected = encode(bytes);
  // As it was typed: hashes from elsewhere may be of that.
  for (const text of new Set([password.normalize('NFKC'), password])) {
    if (!sameSecret(encode(await derive(text, salt, cost, bytes.length)), expected)) continue;
    return isAsMadeHere(cost, bytes) ? 'right' : 'outdated';
  }
  return 'wrong';
}

function isAsMadeHere({ logN, blockSize, passes }: Cost, bytes: Uint8Array): boolean {
  const sameCost = logN === COST.logN && blockSize === COST.blockSize && passes === COST.passes;
  return sameCost && bytes.length >= HASH_BYTES;
}

/** Only so many at once: who comes when all are taken is sent away, rather than kept waiting in memory. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (working >= AT_ONCE_MAX) {
    throw new TunnoxError('unavailable', 'Too many passwords are being checked at this moment', {
      retryAfterS: BUSY_RETRY_AFTER_S,
    });
  }
  working += 1;
  try {
    // In workerd, hashing blocks the isolate: whoever has come meanwhile must be counted before the next one begins.
    await new Promise((resolve) => setTimeout(resolve, 0));
    return await work();
  } finally {
    working -= 1;
  }
}

function derive(text: string, salt: Uint8Array, { logN, blockSize, passes }: Cost, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cost = { N: 2 ** logN, r: blockSize, p: passes };
  // The limit is exclusive, and some bytes are needed beside the blocks.
  const maxmem = 128 * cost.N * cost.r + 2 ** 20;
  scrypt(text, salt, length, { ...cost, maxmem }, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return promise;
}

function parseScrypt(hash: string): { cost: Cost; salt: Uint8Array; bytes: Uint8Array } | null {
  const [, logN, blockSize, passes, salt, bytes] = SCRYPT_FORMAT.exec(hash) ?? [];
  if (salt === undefined || bytes === undefined) return null;
  return {
    cost: { logN: Number(logN), blockSize: Number(blockSize), passes: Number(passes) },
    salt: Buffer.from(salt, 'base64'),
    bytes: Buffer.from(bytes, 'base64'),
  };
}

function formatScrypt({ logN, blockSize, passes }: Cost, salt: Uint8Array, bytes: Uint8Array): string {
  return `$scrypt$ln=${logN},r=${blockSize},p=${passes}$${encode(salt)}$${encode(bytes)}`;
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
