import { cors } from 'hono/cors';
import { RESPONSE_HEADERS } from '../response-headers.ts';

/** A browser asks again after this time. Chromium takes no more than two hours. */
const PREFLIGHT_S = 7200;

/**
 * Lets pages of these origins call the API with a credential that they hold themselves. There are no cookies, so there
 * is nothing that a page could use without its user's doing.
 *
 * @param origins Such as `https://console.example.com`; `*`: all.
 */
export function allowOrigins(origins: readonly string[]) {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match'],
    exposeHeaders: Object.keys(RESPONSE_HEADERS),
    maxAge: PREFLIGHT_S,
  });
}
