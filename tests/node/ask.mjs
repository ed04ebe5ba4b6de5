// The clients for Node, asked as tests/clients/asked.py says: lines of JSON in, lines of JSON out.
// The argument is the folder with the packages.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const packages = createRequire(join(process.argv[2], 'package.json'))
const load = (name) => import(pathToFileURL(packages.resolve(name)))
const { default: OpenAI } = await load('openai')
const { _iterSSEMessages } = await load('openai/core/streaming')
const { EventSource } = await load('eventsource')
const { EventSource: UndiciEventSource, fetch: undiciFetch } = await load('undici')

const logLevel = 'off' // what the tests are to see is what is thrown
const clients = new Map()
const openaiAt = (url) => {
  if (!clients.has(url)) clients.set(url, new OpenAI({ baseURL: `${url}/v1`, apiKey: 'k'.repeat(20), timeout: 30e3, logLevel }))
  return clients.get(url)
}
const messages = [{ role: 'user', content: 'Say something.' }]
const calls = {
  'openai-chat': (client, model) => client.chat.completions.create({ model, messages, stream: true }),
  'legacy-completions': (client, model) => client.completions.create({ model, prompt: 'Say something.', stream: true }),
  'openai-responses': (client, model) => client.responses.create({ model, input: 'Say something.', stream: true }),
}

async function* openai(job) {
  if (job.api === 'events') {
    const response = await calls['openai-chat'](openaiAt(job.url), job.model).asResponse()
    for await (const { event, data } of _iterSSEMessages(response, new AbortController())) yield [event, data]
  } else {
    yield* await calls[job.api](openaiAt(job.url), job.model)
  }
}

const fetching = (fetch) => async function* (job) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(job.url + job.path, { method: 'POST', headers, body: JSON.stringify(job.json) })
  yield [response.status, response.statusText, [...response.headers]]
  yield Buffer.from(await response.arrayBuffer()).toString('base64')
}

// What is told to listeners, until the end of the stream: an event source would go on with another request.
const listening = (EventSource) => async function* (job) {
  const seen = []
  const source = new EventSource(job.url + job.path)
  let timer
  await new Promise((resolve) => {
    timer = setTimeout(resolve, 10e3)
    for (const type of ['message', ...job.types]) {
      source.addEventListener(type, (event) => seen.push([event.type, event.data, event.lastEventId]))
    }
    source.onerror = resolve
  })
  clearTimeout(timer)
  source.close()
  yield* seen
}

const ways = {
  openai,
  fetch: fetching(fetch),
  undici: fetching(undiciFetch),
  eventsource: listening(EventSource),
  'undici-eventsource': listening(UndiciEventSource),
}

async function answer(way, job) {
  const yielded = []
  let error = null
  try {
    for await (const item of ways[way](job)) yielded.push(item)
  } catch (thrown) {
    error = [thrown.constructor.name, String(thrown.message)]
  }
  process.stdout.write(JSON.stringify({ id: job.id, yielded, error }) + '\n')
}

for await (const line of createInterface({ input: process.stdin })) {
  const { way, together, jobs } = JSON.parse(line)
  if (together) await Promise.all(jobs.map((job) => answer(way, job)))
  else for (const job of jobs) await answer(way, job)
}
