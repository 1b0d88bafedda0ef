import { createRoute } from '@hono/zod-openapi';
import { loginSchema, logoutSchema, refreshSchema, tokensSchema } from '@tunnox/domain/api/auth';
import type { Context } from 'hono';
import type { LoginOrigin, LoginService } from '../../../services/login-service.ts';
import { type AppEnv, createRouter } from '../../context.ts';
import { body, json, noContent, problems } from '../../responses.ts';

/** Whoever has the password, or the refresh token, needs no other credential. */
const security: [] = [];

const login = createRoute({
  operationId: 'login',
  method: 'post',
  path: '/auth/login',
  tags: ['auth'],
  summary: 'Log in with a user name or e-mail address and a password',
  security,
  request: { body: body(loginSchema, { login: 'ada@example.com', password: 'correct horse battery' }) },
  responses: {
    200: json(tokensSchema, 'An access token for 15 minutes, and a refresh token for 7 days'),
    ...problems('unauthenticated', 'forbidden'),
  },
});

const refresh = createRoute({
  operationId: 'refreshLogin',
  method: 'post',
  path: '/auth/refresh',
  tags: ['auth'],
  summary: 'Trade a refresh token for new tokens; each counts once, and a second use ends the log-in',
  security,
  request: { body: body(refreshSchema, { refresh_token: 'tnx_refresh_kx2v…' }) },
  responses: { 200: json(tokensSchema, 'New tokens'), ...problems('unauthenticated') },
});

const logout = createRoute({
  operationId: 'logout',
  method: 'post',
  path: '/auth/logout',
  tags: ['auth'],
  summary: 'End a log-in: its access tokens and refresh tokens count no more',
  security,
  request: { body: body(logoutSchema, { refresh_token: 'tnx_refresh_kx2v…' }) },
  responses: { 204: noContent },
});

/**
 * Log-ins of people.
 *
 * @param options `addressHeader`: header in which a trusted proxy gives the address of who asks.
 */
export function authRoutes(logins: LoginService, options: { addressHeader: string }) {
  const originOf = (c: Context<AppEnv>): LoginOrigin => ({
    requestId: c.get('requestId'),
    address: c.req.header(options.addressHeader),
  });
  return createRouter()
    .openapi(login, async (c) => c.json(await logins.login(c.req.valid('json'), originOf(c)), 200))
    .openapi(refresh, async (c) => c.json(await logins.refresh(c.req.valid('json').refresh_token, originOf(c)), 200))
    .openapi(logout, async (c) => {
      await logins.logout(c.req.valid('json').refresh_token, originOf(c));
      return c.body(null, 204);
    });
}
