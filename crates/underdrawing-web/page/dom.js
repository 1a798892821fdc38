// Elements and words.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A canvas of samples that came from the worker. */
export function canvasOf({ width, height, samples }, label) {
  const canvas = make('canvas', { width, height });
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
  canvas.getContext('2d').putImageData(new ImageData(new Uint8ClampedArray(samples.buffer), width, height), 0, 0);
  return canvas;
}

export const decibels = (db) => (db === null ? 'identical' : `${db.toFixed(1)} dB`);

export const sides = (width, height) => `${width} × ${height}`;

export function bytes(n) {
  if (n < 1000) return `${n} bytes`;
  return n < 1e6 ? `${(n / 1000).toFixed(0)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

/** Tells screen readers. */
export function tell(text) {
  byId('told').textContent = text;
}

/** Rows of a list of facts: `[name, fact, remark]`. */
export function facts(list, rows) {
  list.replaceChildren(
    ...rows.map(([name, fact, remark]) =>
      make('div', {}, make('dt', { textContent: name }), make('dd', {}, fact, remark ? make('small', { textContent: remark }) : '')),
    ),
  );
}

/** Shows a failure, or none. */
export function fail(element, failure) {
  const silent = !failure || failure.kind === 'cancelled';
  element.textContent = silent ? '' : sentence(failure.message);
  element.hidden = silent;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?)]$/.test(text) ? '' : '.'}`;
