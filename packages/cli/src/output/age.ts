const STEPS: [seconds: number, unit: string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** How long ago a moment (RFC 3339) was, such as `3 min ago`; `never` for null. */
export function ageText(moment: string | null, nowMs: number): string {
  if (moment === null) return 'never';
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(moment)) / 1000));
  const [size, unit] = STEPS.find(([step]) => seconds >= step) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${unit} ago`;
}
