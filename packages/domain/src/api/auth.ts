import { z } from 'zod';
import { momentSchema } from './common.ts';
import { userSchema } from './users.ts';

export const loginSchema = z
  .object({
    login: z.string().min(1).max(254).describe('User name or e-mail address'),
    password: z.string().min(1).max(256),
  })
  .meta({ id: 'Login' });

const refreshTokenSchema = z.string().min(1).max(256);

export const refreshSchema = z.object({ refresh_token: refreshTokenSchema }).meta({
  id: 'Refresh',
  description: 'A refresh token counts once. When it comes a second time, all tokens of its log-in end',
});

export const logoutSchema = z.object({ refresh_token: refreshTokenSchema }).meta({ id: 'Logout' });

export const tokensSchema = z
  .object({
    access_token: z.string().describe('JWT; `Authorization: Bearer`'),
    token_type: z.literal('Bearer'),
    expires_in: z.int().describe('Seconds for which the access token is good'),
    refresh_token: z.string(),
    refresh_expires_at: momentSchema,
    user: userSchema,
  })
  .meta({ id: 'Tokens' });

export type Login = z.infer<typeof loginSchema>;
export type Tokens = z.infer<typeof tokensSchema>;
