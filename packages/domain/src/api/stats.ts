import { z } from 'zod';
import { momentSchema } from './common.ts';

export const timeSeriesSchema = z
  .object({
    from: momentSchema,
    to: momentSchema,
    step: z.enum(['hour', 'day']),
    points: z.array(
      z.object({
        /** Start of the step. */
        at: momentSchema,
        bytes_in: z.int().describe('Visitor → target'),
        bytes_out: z.int().describe('Target → visitor'),
        connections: z.int(),
      }),
    ),
  })
  .meta({
    id: 'TimeSeries',
    description: 'Traffic in steps of time, oldest first; steps without traffic are there with zeros',
  });

/** Absent: no time series in the answer. `to` absent: now. At most 1000 points. */
export const timeSeriesQuerySchema = z.object({
  from: momentSchema.optional(),
  to: momentSchema.optional(),
  step: z.enum(['hour', 'day']).optional(),
});

const series = { series: timeSeriesSchema.nullable() };

export const userStatsSchema = z
  .object({
    user_id: z.int(),
    total_clients: z.int(),
    online_clients: z.int(),
    total_mappings: z.int().describe('Mappings and domains'),
    active_mappings: z.int(),
    current_month_traffic: z.int().describe('Bytes in this calendar month (UTC)'),
    bandwidth_usage: z.number().describe('Bytes a second lately, in the whole cluster'),
    ...series,
  })
  .meta({ id: 'UserStats' });

export const clientStatsSchema = z
  .object({
    client_id: z.int(),
    online_duration: z.int().describe('Seconds for which its agent was attached, all sessions together'),
    total_bytes_sent: z.int().describe('Target → visitor'),
    total_bytes_received: z.int().describe('Visitor → target'),
    total_connections: z.int(),
    active_mappings: z.int(),
    ...series,
  })
  .meta({ id: 'ClientStats' });

export const mappingStatsSchema = z
  .object({
    mapping_id: z.int(),
    total_connections: z.int(),
    total_bytes_in: z.int(),
    total_bytes_out: z.int(),
    last_active_at: momentSchema.nullable(),
    active: z.boolean(),
    ...series,
  })
  .meta({ id: 'MappingStats' });

export const domainStatsSchema = mappingStatsSchema
  .omit({ mapping_id: true })
  .extend({ domain_id: z.int() })
  .meta({ id: 'DomainStats' });

export const systemStatsSchema = z
  .object({
    total_users: z.int(),
    total_clients: z.int(),
    online_clients: z.int(),
    total_mappings: z.int().describe('Mappings and domains'),
    active_mappings: z.int(),
    total_bandwidth: z.number().describe('Bytes a second, all relays together'),
    total_nodes: z.int().describe('Relays that are not offline'),
    ...series,
  })
  .meta({ id: 'SystemStats' });

export type TimeSeries = z.infer<typeof timeSeriesSchema>;
export type TimeSeriesQuery = z.infer<typeof timeSeriesQuerySchema>;
export type UserStats = z.infer<typeof userStatsSchema>;
export type ClientStats = z.infer<typeof clientStatsSchema>;
export type MappingStats = z.infer<typeof mappingStatsSchema>;
export type DomainStats = z.infer<typeof domainStatsSchema>;
export type SystemStats = z.infer<typeof systemStatsSchema>;
