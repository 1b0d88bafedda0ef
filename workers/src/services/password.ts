import { scrypt } from 'node:crypto';
import { randomBytes } from './random.ts';

/** 16 MiB and about 50 ms for each of five passes: what an isolate can afford. */
const LOG_N = 14;
const BLOCK_SIZE = 8;
const PASSES = 5;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** Dearer hashes are not imported: checking one must not take an isolate's memory. */
const LOG_N_MAX = 15;
const PASSES_MAX = 8;
const BCRYPT_COST_MAX = 12;

const SCRYPT_FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
const BCRYPT_FORMAT = /^\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}$/;

/** Hashes a password with scrypt. @returns PHC format: `$scrypt$ln=14,r=8,p=5$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt);
  return `$scrypt$ln=${LOG_N},r=${BLOCK_SIZE},p=${PASSES}$${encode(salt)}$${encode(hash)}`;
}

/** Tells why a hash from elsewhere cannot be imported; null: it can. */
export function passwordHashFault(hash: string): string | null {
  const bcrypt = BCRYPT_FORMAT.exec(hash);
  if (bcrypt !== null) {
    return Number(bcrypt[1]) <= BCRYPT_COST_MAX ? null : `must not cost more than ${BCRYPT_COST_MAX}`;
  }
  const [, logN, blockSize, passes] = SCRYPT_FORMAT.exec(hash) ?? [];
  if (logN === undefined) return 'must be a scrypt hash in PHC format or a bcrypt hash';
  const cheap = Number(logN) <= LOG_N_MAX && Number(blockSize) <= BLOCK_SIZE && Number(passes) <= PASSES_MAX;
  return cheap ? null : `must not cost more than ln=${LOG_N_MAX},r=${BLOCK_SIZE},p=${PASSES_MAX}`;
}

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cost = { N: 2 ** LOG_N, r: BLOCK_SIZE, p: PASSES };
  // The limit is exclusive, and some bytes are needed beside the blocks.
  const maxmem = 128 * cost.N * cost.r + 2 ** 20;
  scrypt(password.normalize('NFKC'), salt, HASH_BYTES, { ...cost, maxmem }, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return promise;
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
