import { Hono } from 'hono';

/** Files of the renderer (Swagger UI): they come from here, so the page works where nothing else can be reached. */
export interface DocsAssets {
  script: string;
  style: string;
}

/**
 * Nothing from elsewhere, and nothing inline. The renderer draws its icons as `data:` images, and asks the API itself
 * when somebody tries an operation out.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** So long an old file may be shown after an upgrade. */
const CACHE = 'public, max-age=3600';

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tunnox management API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The description itself: <a href="/openapi.json">/openapi.json</a></noscript>
<script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** `validatorUrl`: the renderer would send the document's address to a service of its makers. */
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
});
`;

/** The reference page of the API, for people; without a credential, as what it shows. */
export function docsRoutes({ script, style }: DocsAssets): Hono {
  const file = (body: string, type: string, more: Record<string, string> = {}) =>
    new Response(body, { headers: { 'content-type': `${type}; charset=utf-8`, 'cache-control': CACHE, ...more } });
  return new Hono()
    .get('/', () => file(PAGE, 'text/html', { 'content-security-policy': POLICY }))
    .get('/start.js', () => file(START, 'text/javascript'))
    .get('/swagger-ui.js', () => file(script, 'text/javascript'))
    .get('/swagger-ui.css', () => file(style, 'text/css'));
}
