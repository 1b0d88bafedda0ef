import script from 'swagger-ui-dist/swagger-ui-bundle.js';
import style from 'swagger-ui-dist/swagger-ui.css';

/** The renderer's files as text: wrangler.toml has the rule that makes them so. */
export const DOCS_ASSETS = { script, style };
