/** Bytes of a registered name (RFC 3986, section 3.2.2), an address in brackets, and an optional port. */
const HOST_VALUE = /^(?:\[[0-9a-f:.]+\]|[a-z0-9\-._~!$&'()*+,;=%]+)(?::[0-9]{0,5})?$/i;

// Requests of one connection mostly name one host.
let lastGood = '';

/**
 * Tells whether the value of a Host header has the form that RFC 9110, section 7.2, demands, and is not empty. Whether
 * the name is one that can exist is a question for later.
 */
export function isHostValue(value: string): boolean {
  if (value === lastGood && value !== '') return true;
  if (!HOST_VALUE.test(value)) return false;
  lastGood = value;
  return true;
}
