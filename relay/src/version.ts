/** Version of the relay, as it registers and shows itself; the same as in package.json. */
export const VERSION = '0.2.0';
