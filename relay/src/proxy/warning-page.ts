import { escapeHtml, page } from './answer-page.ts';
import { responseText } from './answer-text.ts';
import { findCookie, findField } from './http1/find-field.ts';
import type { RequestHead } from './http1/request-head.ts';

/** Set with the page: it is shown once, then again after the cookie has ended. */
const WARNING_COOKIE = 'tunnox_warned';

const COOKIE_AGE_S = 7 * 24 * 3600;

/** Sent by programs that look like browsers and want none of it; any value. */
const SKIP_HEADER = 'tunnox-skip-warning';

/**
 * Tells whether a request to an anonymous name is a person's first visit: a browser that goes to a page, without the
 * cookie. Programs, sub-requests and everything but GET pass.
 */
export function wantsWarning(head: RequestHead): boolean {
  if (head.method !== 'GET' || head.upgrade !== null) return false;
  const { lines } = head;
  if (findField(lines, 'accept')?.toLowerCase().includes('text/html') !== true) return false;
  const mode = findField(lines, 'sec-fetch-mode');
  // Browsers without Fetch Metadata, and plain HTTP, where none is sent.
  if (mode === null ? !isBrowser(lines) : mode !== 'navigate') return false;
  return findField(lines, SKIP_HEADER) === null && findCookie(lines, WARNING_COOKIE) === null;
}

function isBrowser(lines: string): boolean {
  return findField(lines, 'user-agent')?.startsWith('Mozilla/') === true;
}

/** The page as a whole response. @param secure The visitor uses TLS. */
export function warningText(head: RequestHead, secure: boolean, frame: { close: boolean; date: string }): string {
  const { method, minorVersion } = head;
  const body = { contentType: 'text/html; charset=utf-8', body: warningPage(head.host) };
  return responseText(200, warningFields(head.lines, secure), body, { ...frame, method, minorVersion });
}

/** In a frame the page is not shown, and counts for nothing. */
function warningFields(lines: string, secure: boolean): string {
  const destination = findField(lines, 'sec-fetch-dest');
  const policy = "Content-Security-Policy: frame-ancestors 'none'\r\n";
  if (destination !== null && destination !== 'document') return policy;
  const cookie = `${WARNING_COOKIE}=1; Path=/; Max-Age=${COOKIE_AGE_S}; HttpOnly; SameSite=Lax`;
  return `${policy}Set-Cookie: ${cookie}${secure ? '; Secure' : ''}\r\n`;
}

function warningPage(name: string): string {
  const host = escapeHtml(name);
  return page(
    `${name}: before you go on`,
    `<h1>You are about to visit ${host}</h1>
<p>This page is served from somebody's own computer through a Tunnox tunnel. Nobody has checked it, and its owner has no
account. Go on only if you know who sent you here, and do not type in passwords or card numbers that you use elsewhere.</p>
<p><a class="button" href="">Continue to ${host}</a></p>
<p class="small">You will not see this page again for some days. Programs can send the header ${SKIP_HEADER}.</p>`,
  );
}

/** Drops the cookie from a target's answer: only the page itself may say that the page was seen. */
export function withoutWarningCookie(lines: string): string {
  return lines.replace(SETS_WARNING_COOKIE, '');
}

const SETS_WARNING_COOKIE = new RegExp(`^set-cookie:[ \\t]*${WARNING_COOKIE}[ \\t]*=.*\\r\\n`, 'gim');
