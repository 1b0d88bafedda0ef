import type { Answer, Station } from './answer.ts';

/** Self-contained page for people; no script, nothing loaded from elsewhere. */
export function answerPage(answer: Answer): string {
  return page(
    `${answer.status} ${answer.title}`,
    `<p class="code">${answer.status}</p>
<h1>${escapeHtml(answer.title)}</h1>
<p>${escapeHtml(answer.detail)}</p>
${answer.missing === null ? '' : route(answer.missing)}
<p class="small">${escapeHtml(answer.code)}</p>`,
  );
}

/** Frame of every page of the relay. `title` is text, `main` is HTML. */
export function page(title: string, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; --line: #8888; --good: #1a7f4b; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --good: #5ecf93; --bad: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { max-width: 34rem; padding: 2rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .75rem; }
.code, .small { color: GrayText; margin: 0 0 .25rem; font-variant-numeric: tabular-nums; }
.small { font-size: .8rem; margin-top: 2rem; }
ol { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; margin: 1.5rem 0 0; padding: 0; }
li { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem .75rem; }
li.good::before { content: "\\2713\\00a0"; color: var(--good); }
li.bad { border-color: var(--bad); }
li.bad::before { content: "\\2717\\00a0"; color: var(--bad); }
li.unknown { color: GrayText; }
.button { display: inline-block; margin-top: 1rem; padding: .5rem 1rem; border: 1px solid currentColor; border-radius: .5rem; color: inherit; text-decoration: none; font-weight: 600; }
</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`;
}

const STATIONS: [Station, string][] = [
  ['relay', 'Relay'],
  ['agent', 'Agent'],
  ['service', 'Service'],
];

/** Visitor → relay → agent → service, up to where the way ends. */
function route(missing: Station): string {
  const broken = STATIONS.findIndex(([station]) => station === missing);
  const items = STATIONS.map(([, name], index) => {
    if (index < broken) return `<li class="good">${name}</li>`;
    return index === broken ? `<li class="bad">${name}</li>` : `<li class="unknown">${name}</li>`;
  });
  return `<ol aria-label="The way to the service"><li class="good">You</li>${items.join('')}</ol>`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
