// A collector for tests, which decodes with OpenTelemetry's own generated classes. One JSON line an export on
// standard output; how it answers is read anew from a file of JSON for each request:
//   {"mode": "ok" | "status" | "garbage" | "partial" | "silent" | "huge" | "redirect" | "reset", "status": 503,
//    "headers": {}, "message": "…", "rejected": 1, "only": "/v1/traces"}
// node otlp.mjs PORT ANSWERS [KEY CERTIFICATE]
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import zlib from 'node:zlib';

const require = createRequire(import.meta.url);
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root');
const collector = opentelemetry.proto.collector;
const kinds = {
  '/v1/traces': [collector.trace.v1.ExportTraceServiceRequest, collector.trace.v1.ExportTraceServiceResponse,
    'rejectedSpans'],
  '/v1/metrics': [collector.metrics.v1.ExportMetricsServiceRequest, collector.metrics.v1.ExportMetricsServiceResponse,
    'rejectedDataPoints'],
  '/v1/logs': [collector.logs.v1.ExportLogsServiceRequest, collector.logs.v1.ExportLogsServiceResponse,
    'rejectedLogRecords'],
};
const [port, answers, key, certificate] = process.argv.slice(2);
let connections = 0;

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function hexadecimal(name, value) {
  return /(traceId|spanId|parentSpanId)$/i.test(name) && Array.isArray(value) ? Buffer.from(value).toString('hex') : value;
}

function decode(request, body) {
  const kind = Object.entries(kinds).find(([path]) => request.url.endsWith(path));
  if (!kind)
    throw new Error(`no such path: ${request.url}`);
  if (request.headers['content-type'] !== 'application/x-protobuf')
    throw new Error(`content-type ${request.headers['content-type']}`);
  const plain = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body;
  const message = kind[1][0].decode(plain);
  const object = kind[1][0].toObject(message, { longs: String, enums: String, bytes: Array });
  return { kind, object: JSON.parse(JSON.stringify(object, hexadecimal)) };
}

function readAnswer(request) {
  let answer = { mode: 'ok' };
  try {
    answer = JSON.parse(fs.readFileSync(answers, 'utf8'));
  } catch { /* not there yet */ }
  return answer.only && !request.url.endsWith(answer.only) ? { mode: 'ok' } : answer;
}

function successful(kind, answer) {
  if (answer.mode !== 'partial')
    return Buffer.alloc(0);
  const partialSuccess = { errorMessage: answer.message, [kind[1][2]]: answer.rejected };
  return Buffer.from(kind[1][1].encode({ partialSuccess }).finish());
}

const modes = {
  ok: (response, kind, answer) => response.writeHead(200, { 'content-type': 'application/x-protobuf' })
    .end(successful(kind, answer)),
  partial: (response, kind, answer) => modes.ok(response, kind, answer),
  status: (response, kind, answer) => response.writeHead(answer.status, answer.headers).end(answer.message),
  garbage: (response) => response.writeHead(200, { 'content-type': 'application/x-protobuf' })
    .end(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0x41])),
  huge: (response) => response.writeHead(200).end(Buffer.alloc(8 << 20, 0x0a)),
  redirect: (response, kind, answer) => response.writeHead(307, { location: answer.message }).end(),
  reset: (response) => response.socket.destroy(),
  silent: () => {},
};

function serve(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const answer = readAnswer(request);
    const line = { path: request.url, headers: request.headers, mode: answer.mode, at: Date.now(),
      connection: request.socket.connectionNumber };
    let kind = kinds['/v1/traces'];
    try {
      const decoded = decode(request, Buffer.concat(parts));
      kind = decoded.kind;
      line.body = decoded.object;
    } catch (error) {
      line.error = error.message;
    }
    say(line);
    modes[answer.mode](response, kind, answer);
  });
}

const server = key
  ? https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(certificate) }, serve)
  : http.createServer(serve);
server.on(key ? 'secureConnection' : 'connection', (socket) => {
  socket.connectionNumber = ++connections;
  socket.on('error', () => {});
});
server.listen(Number(port), '127.0.0.1', () => say({ up: port }));
