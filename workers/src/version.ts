/** Version of the control plane, as its API's description tells it; the same as in package.json. */
export const VERSION = '0.2.0';
