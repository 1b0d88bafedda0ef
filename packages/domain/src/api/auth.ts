import { z } from 'zod';
import { momentSchema } from './common.ts';
import { userSchema } from './users.ts';

export const loginSchema = z
  .object({
    /** User name or e-mail address. */
    login: z.string().min(1).max(254),
    password: z.string().min(1).max(256),
  })
  .meta({ id: 'Login' });

const refreshTokenSchema = z.string().min(1).max(256);

/** A refresh token counts once. When it comes a second time, all tokens of its log-in end. */
export const refreshSchema = z.object({ refresh_token: refreshTokenSchema }).meta({ id: 'Refresh' });

export const logoutSchema = z.object({ refresh_token: refreshTokenSchema }).meta({ id: 'Logout' });

export const tokensSchema = z
  .object({
    /** JWT; `Authorization: Bearer`. */
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    /** Seconds for which the access token is good. */
    expires_in: z.int(),
    refresh_token: z.string(),
    refresh_expires_at: momentSchema,
    user: userSchema,
  })
  .meta({ id: 'Tokens' });

export type Login = z.infer<typeof loginSchema>;
export type Tokens = z.infer<typeof tokensSchema>;
