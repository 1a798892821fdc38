// Keeps the page's files, so that it works without a network. `cargo xtask web` writes the two
// constants; another version keeps its files beside the old ones until it takes over.

const VERSION = '';
const FILES = [];

/** Older models, once they were fetched. */
const MODELS = 'models';

self.oninstall = (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: 'reload' }));
  event.waitUntil(caches.open(VERSION).then((cache) => cache.addAll(fresh)));
};

self.onactivate = (event) => {
  const outdated = (name) => name !== VERSION && name !== MODELS;
  const clear = async () => {
    const names = await caches.keys();
    await Promise.all(names.filter(outdated).map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clear());
};

self.onmessage = ({ data }) => {
  if (data === 'take over') self.skipWaiting();
};

self.onfetch = (event) => {
  const { method, url } = event.request;
  if (method === 'GET' && new URL(url).origin === location.origin) event.respondWith(answer(event.request));
};

async function answer(request) {
  const kept = await caches.open(VERSION);
  const found = (await kept.match(request, { ignoreSearch: true })) ?? (await caches.match(request));
  if (found) return found;
  const response = await fetch(request);
  if (response.ok && new URL(request.url).pathname.includes('/models/')) {
    (await caches.open(MODELS)).put(request, response.clone());
  }
  return response;
}
