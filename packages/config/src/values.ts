import { z } from 'zod';

/** An integer between both ends, both included, written in decimal digits. `NaN`, `1e3` and `0x10` are refused. */
export function integer(min: number, max: number): z.ZodType<number, string> {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?[0-9]{1,16}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

/** A TCP or UDP port, 1 to 65535. */
export function port(): z.ZodType<number, string> {
  return integer(1, 65_535);
}

/** `on`/`off`, `true`/`false`, `yes`/`no`, `1`/`0`. */
export function flag(): z.ZodType<boolean, string> {
  return z
    .string()
    .regex(/^(?:on|off|true|false|yes|no|1|0)$/i, 'must be on or off')
    .transform((value) => /^(?:on|true|yes|1)$/i.test(value));
}

/** An absolute URL of one of the schemes (such as `http:`), without a trailing slash. */
export function url(schemes: readonly string[]): z.ZodType<string, string> {
  const message = `must be a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`;
  return z
    .string()
    .refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), message)
    .transform((value) => value.replace(/\/+$/, ''));
}

/** Words parted by commas, empty ones left out. */
export function list(): z.ZodType<string[], string> {
  return z.string().transform((value) =>
    value
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  );
}

export interface PortRange {
  from: number;
  /** Included. */
  to: number;
}

/** `from-to`, both ports included. */
export function portRange(): z.ZodType<PortRange, string> {
  const message = 'must be two ports as from-to, such as 20000-20099';
  return z
    .string()
    .regex(/^[0-9]{1,5}-[0-9]{1,5}$/, message)
    .transform((value) => {
      const [from = 0, to = 0] = value.split('-').map(Number);
      return { from, to };
    })
    .refine(({ from, to }) => from >= 1 && to <= 65_535 && from <= to, message);
}
