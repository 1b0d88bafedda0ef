/** Longest head in bytes, from the first byte of its first line to the end of the blank line. */
export const HEAD_BYTES_MAX = 32 * 1024;

/** Most field lines in a head: more than the common servers take (Apache and Tomcat: 100). */
export const FIELDS_MAX = 200;

/** Longest trailer section in bytes, blank line included. */
export const TRAILER_BYTES_MAX = 8 * 1024;

/** Longest chunk extension in bytes. Nobody uses them; without a bound they are a free channel to a target. */
export const CHUNK_EXTENSION_BYTES_MAX = 256;

/** Most digits of a chunk size: 13 hexadecimal digits are below 2^53. */
export const CHUNK_SIZE_DIGITS_MAX = 13;
