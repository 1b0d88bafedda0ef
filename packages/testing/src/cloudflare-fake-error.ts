/** An answer of Cloudflare's API that is no success. */
export class CloudflareFault extends Error {
  readonly status: number;
  readonly code: number;
  /** What is wrong in detail, as validation says it. */
  readonly chain: { code: number; message: string }[];

  constructor(status: number, code: number, message: string, chain: { code: number; message: string }[] = []) {
    super(message);
    this.name = 'CloudflareFault';
    this.status = status;
    this.code = code;
    this.chain = chain;
  }

  /** The envelope of every answer. */
  toBody(): object {
    const error = {
      ...{ code: this.code, message: this.message },
      ...(this.chain.length === 0 ? {} : { error_chain: this.chain }),
    };
    return { result: null, success: false, errors: [error], messages: [] };
  }
}

const MESSAGES = {
  9000: 'DNS name is invalid.',
  9004: 'This record type cannot be proxied.',
  9005: 'Content for A record must be a valid IPv4 address.',
  9006: 'Content for AAAA record must be a valid IPv6 address.',
  9007: 'Content for CNAME record is invalid.',
  9021: 'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.',
  9313: 'DNS record comment exceeds the maximum length of 100 characters.',
  81044: 'Record does not exist.',
  81045: 'The record quota has been exceeded.',
  81053: 'An A, AAAA, or CNAME record with that host already exists.',
  81054: 'A CNAME record with that host already exists.',
  81058: 'An identical record already exists.',
} as const;

/** A refusal with the words that Cloudflare has for it. */
export function dnsFault(code: keyof typeof MESSAGES): CloudflareFault {
  return new CloudflareFault(code === 81044 ? 404 : 400, code, MESSAGES[code]);
}

/** The same as older parts of the API say it: a general code, the particular one in its chain. */
export function chainedFault(code: keyof typeof MESSAGES): CloudflareFault {
  return new CloudflareFault(400, 1004, 'DNS Validation Error', [{ code, message: MESSAGES[code] }]);
}
