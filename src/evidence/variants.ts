/**
 * The texts by which a secret value may stand in a log, an object or an event: as it is, in JSON (once and twice), in a
 * URL, in a form, in HTML, in hex, in base64 of its own and inside the base64 of something longer.
 */
export function variantsOf(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const ascii = json.replaceAll(
    /[^\u0020-\u007E]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const plain = [value, json, JSON.stringify(json).slice(1, -1), ascii, htmlOf(value), value.trim()];
  const bytes = Buffer.from(value);
  const encoded = base64Of(bytes);
  const hex = bytes.toString('hex');
  const urls = [value, ...encoded].flatMap((text) => urlsOf(text));
  return [...new Set([...plain, ...urls, ...encoded, hex, hex.toUpperCase()])].filter((text) => text.length > 0);
}

/**
 * Base64 and base64url of the value, and of the value after one and after two other bytes, without the digits at both
 * ends that depend on its neighbours: so that it is found in `Basic` credentials and encoded files.
 */
function base64Of(bytes: Buffer): readonly string[] {
  const whole = bytes.toString('base64');
  const inside = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = Math.ceil((shift * 8) / 6);
    const last = Math.floor(((shift + bytes.length) * 8) / 6);
    return text.slice(first, last);
  });
  const all = [whole, whole.replaceAll('=', ''), ...inside];
  return all.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]);
}

function urlsOf(text: string): readonly string[] {
  const encoded = encodeURIComponent(text.toWellFormed());
  // encodeURIComponent leaves these as they are; other encoders do not.
  const strict = encoded.replaceAll(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const lower = (one: string): string => one.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  // A form has rules of its own.
  const form = new URLSearchParams({ '': text.toWellFormed() }).toString().slice(1);
  return [encoded, strict, form].flatMap((one) => [one, lower(one)]);
}

function htmlOf(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;')
    .replaceAll("'", '&#39;');
}
