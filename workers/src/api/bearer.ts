import { TunnoxError } from '@tunnox/domain/tunnox-error';

/** The bearer token of a request (RFC 6750). @throws {TunnoxError} `unauthenticated` */
export function bearerToken(request: Request): string {
  const token = /^Bearer +([\x21-\x7e]{1,4096}) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined) {
    throw new TunnoxError('unauthenticated', 'Send the token of the registration in Authorization: Bearer …');
  }
  return token;
}
