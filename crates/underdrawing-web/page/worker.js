// The worker that owns the module: pictures by the names of their slots, one call after the other.
// `{id, call, ...}` comes in; `{id, progress}`, `{id, part}` and at last `{id, result}` or
// `{id, error}` go out.

import init, * as module from './underdrawing_web.js';

/** The longest side of what is shown. */
const SHOWN = 1600;

/** The models before the newest by their ids: fetched when a container names them. */
const OLD_MODELS = {
  '90e121e24925adc2': 'models/lifting-4.safetensors',
  eb9cffef1fdf2272: 'models/lifting-3.safetensors',
  '07840b1399cb3355': 'models/lifting-2.safetensors',
  '25ff4aa860092bb7': 'models/lifting-1.safetensors',
};

/** Pixels for which an estimate is made at most: a second's work, or two. */
const ESTIMATED = { coded: 1_000_000, robust: 120_000 };

const slots = new Map();

const calls = {
  async start({ compiled }) {
    const instance = await init({ module_or_path: compiled });
    calls.memory = () => instance.memory.buffer.byteLength;
    return { version: module.version() };
  },

  /** Reads a file into a slot. Secrets are kept as they are hidden. */
  async open({ slot, file }) {
    calls.close({ slot });
    let { picture, format } = await read(file);
    if (slot === 'secret') {
      const plain = picture.plain();
      picture.free();
      picture = plain;
    }
    slots.set(slot, picture);
    return {
      ...size(picture),
      format,
      conversions: picture.conversions,
      shown: shown(picture),
    };
  },

  close({ slot }) {
    slots.get(slot)?.free();
    slots.delete(slot);
  },

  /** What to expect of hiding. */
  estimate({ options }) {
    const most = ESTIMATED[options.method];
    const [cover, secret] = [slots.get('cover'), slots.get('secret')];
    return JSON.parse(module.capacity(cover, secret, JSON.stringify(options), most));
  },

  /** Hides; the container is told as a part, before it is revealed once more to be looked at. */
  async hide({ options, password }, tell) {
    const [cover, secret] = [slots.get('cover'), slots.get('secret')];
    const began = performance.now();
    const hidden = module.hide(cover, secret, JSON.stringify(options), password, tell.progress);
    const bytes = hidden.encode(options.jpeg ? 'jpg' : 'png');
    const seconds = (performance.now() - began) / 1000;
    tell.part({
      container: new Blob([bytes], { type: options.jpeg ? 'image/jpeg' : 'image/png' }),
      ...size(hidden),
      seconds,
      report: JSON.parse(hidden.report),
      psnrDb: hidden.psnr() ?? null,
      cover: taken(hidden.coverPreview(SHOWN)),
      shown: shown(hidden),
      difference: taken(hidden.difference(SHOWN)),
      secret: shown(secret),
    });
    hidden.free();
    // From the file, as another program will.
    const file = module.Picture.decode(bytes);
    const outcome = module.reveal(file, password, undefined, false, () => {});
    const revealed = outcome.takePicture();
    file.free();
    const result = {
      shown: shown(revealed),
      psnrDb: module.psnr(secret, revealed) ?? null,
      memory: calls.memory(),
    };
    revealed.free();
    return result;
  },

  async reveal({ password, salvage }, tell) {
    const container = slots.get('container');
    const began = performance.now();
    const outcome = await revealByAnyModel(container, password, salvage, tell);
    const seconds = (performance.now() - began) / 1000;
    const report = JSON.parse(outcome.report);
    const revealed = outcome.takePicture();
    const result = {
      picture: new Blob([revealed.encode('png')], { type: 'image/png' }),
      ...size(revealed),
      seconds,
      report,
      shown: shown(revealed),
      memory: calls.memory(),
    };
    revealed.free();
    return result;
  },
};

async function revealByAnyModel(container, password, salvage, tell) {
  try {
    return module.reveal(container, password, undefined, salvage, tell.progress);
  } catch (error) {
    const file = OLD_MODELS[error.model];
    if (!file) throw error;
    return module.reveal(container, password, await fetched(file), salvage, tell.progress);
  }
}

async function fetched(file) {
  const failed = (why) =>
    Object.assign(new Error(`the older model that made it could not be fetched: ${why}`), { kind: 'network' });
  const response = await fetch(file).catch((error) => {
    throw failed(error.message);
  });
  if (!response.ok) throw failed(`${file}: ${response.status}`);
  return new module.Model(new Uint8Array(await response.arrayBuffer()));
}

/** What a file is that the browser has read, by the type that it gives the file. */
function readByBrowser({ type }) {
  const name = type.replace(/^image\//, '').toUpperCase();
  return `${name || 'unknown format'}, read by the browser`;
}

/** By the library, or where it does not know the format by the browser (HEIC, AVIF). */
async function read(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    const picture = module.Picture.decode(bytes);
    return { picture, format: picture.format };
  } catch (error) {
    if (error.kind !== 'not-read') throw error;
    const bitmap = await createImageBitmap(file).catch(() => {
      throw error;
    });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const { data } = context.getImageData(0, 0, width, height);
    return { picture: module.Picture.fromSamples(data, width, height), format: readByBrowser(file) };
  }
}

const size = ({ width, height }) => ({ width, height });

const shown = (picture) => taken(picture.preview(SHOWN));

/** A preview as the page's canvases take it. */
function taken(preview) {
  const { width, height } = preview;
  return { width, height, samples: preview.take() };
}

/** Buffers of previews, which need not be copied. */
function* buffers(value) {
  if (value instanceof Uint8Array) yield value.buffer;
  else if (value && typeof value === 'object') for (const each of Object.values(value)) yield* buffers(each);
}

let last = Promise.resolve();

self.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};

async function answer({ id, call, ...rest }) {
  const post = (message) => self.postMessage({ id, ...message }, [...buffers(message)]);
  const tell = {
    progress: (done, total) => post({ progress: { done, total } }),
    part: (part) => post({ part }),
  };
  try {
    post({ result: await calls[call](rest, tell) });
  } catch (error) {
    post({ error: described(error) });
  }
}

/** A trap ends the module: the page starts another worker then. */
function described(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) {
    return { kind: error.kind ?? 'other', message: error.message, salvageable: error.salvageable };
  }
  const panic = module.panicMessage();
  return panic
    ? { kind: 'panic', message: `something is wrong with this program: ${panic}` }
    : { kind: 'memory', message: 'there is not enough memory for pictures of this size' };
}
