// The page's side of the worker: calls as promises, and an end to them.

/** What a call failed by: the worker's errors have a kind. */
export class Failure extends Error {
  constructor({ kind, message, salvageable }) {
    super(message);
    Object.assign(this, { kind, salvageable });
  }
}

export class Engine {
  #compiled;
  #worker;
  #calls = new Map();
  #next = 0;
  /** Files in their slots, for a worker that begins anew. */
  #files = new Map();

  /** Fetches and compiles the module, away from this thread; the version. */
  async start() {
    this.#compiled ??= await compiled();
    return this.#begin();
  }

  open(slot, file) {
    this.#files.set(slot, file);
    return this.#call('open', { slot, file });
  }

  close(slot) {
    this.#files.delete(slot);
    return this.#call('close', { slot });
  }

  estimate(options) {
    return this.#call('estimate', { options });
  }

  hide(options, password, on) {
    return this.#call('hide', { options, password }, on);
  }

  reveal(password, salvage, on) {
    return this.#call('reveal', { password, salvage }, on);
  }

  /** Ends what is under way; the calls fail as cancelled. */
  cancel() {
    this.#restart(new Failure({ kind: 'cancelled', message: 'cancelled' }));
  }

  #begin() {
    this.#worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#restart(new Failure({ kind: 'panic', message: event.message || 'the worker ended' }));
    };
    const started = this.#call('start', { compiled: this.#compiled });
    for (const [slot, file] of this.#files) this.#call('open', { slot, file }).catch(() => {});
    return started;
  }

  #restart(failure) {
    this.#worker.terminate();
    const ended = [...this.#calls.values()];
    this.#calls.clear();
    this.#begin().catch(() => {});
    for (const call of ended) call.reject(failure);
  }

  #call(call, rest, on = {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, on });
      this.#worker.postMessage({ id, call, ...rest });
    });
  }

  #take({ id, progress, part, result, error }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (progress) call.on.progress?.(progress);
    else if (part) call.on.part?.(part);
    else {
      this.#calls.delete(id);
      if (!error) call.resolve(result);
      else {
        call.reject(new Failure(error));
        // The module is of no use after a trap.
        if (error.kind === 'panic' || error.kind === 'memory') this.#restart(new Failure(error));
      }
    }
  }
}

/** The module, also from servers that do not know its type. */
async function compiled() {
  const response = await fetch(new URL('underdrawing_web_bg.wasm', import.meta.url));
  if (!response.ok) throw new Error(`the module could not be loaded: ${response.status}`);
  const known = response.headers.get('Content-Type')?.startsWith('application/wasm');
  return known ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
