// What came over the stream: units of work (a request, a service, a job) with their spans, and logs.
//
// A unit is a span without a parent that this process knows, and all below it. Spans may come
// without their beginning, and children before their parents: they find each other by their ids.

const MOST_UNITS = 1000;
const MOST_LOGS = 5000;
const MOST_WITHIN = 2000; // spans of a trace, and lines of a unit: a stream may work for days
const NOBODY = {};

class Store extends EventTarget {
  units = []; // the newest last
  logs = [];
  modules = new Set();
  traces = new Map(); // id → { spans, waiting }
  added = 0;
  missed = 0;

  changed(what) {
    this.dispatchEvent(new Event(what));
  }

  trace(id) {
    if (!this.traces.has(id)) this.traces.set(id, { id, spans: new Map(), waiting: new Map(), units: 0, left: 0 });
    return this.traces.get(id);
  }

  take(records) {
    let spans = false;
    let logs = false;
    for (const record of records) {
      if (record.module) this.modules.add(record.module);
      if (record.kind === 'log') logs = this.takeLog(record) || logs;
      else spans = this.takeSpan(record) || spans;
    }
    this.trim();
    if (spans || logs) this.changed('units');
    if (logs) this.changed('logs');
  }

  takeSpan(record) {
    if (!record.trace || !record.span) return false;
    const trace = this.trace(record.trace);
    const known = trace.spans.get(record.span);
    if (!known && trace.spans.size >= MOST_WITHIN) {
      trace.left += record.kind === 'begin' ? 0 : 1;
      return true;
    }
    const span = known ?? { id: record.span, trace, children: [], logs: [] };
    Object.assign(span, { parentId: record.parent, name: record.name ?? '', module: record.module ?? '', kind: record.span_kind, time: record.time });
    span.attributes = { ...span.attributes, ...record.attributes };
    if (record.kind === 'span') {
      Object.assign(span, { ended: true, duration: record.duration, status: record.status, error: record.error, events: record.events ?? [], dropped: record.dropped });
    }
    if (!known) this.place(trace, span);
    span.unit.version = ++this.added;
    return true;
  }

  place(trace, span) {
    trace.spans.set(span.id, span);
    const parent = trace.spans.get(span.parentId);
    if (parent) {
      parent.children.push(span);
      span.unit = parent.unit;
    } else {
      span.unit = { id: `${trace.id}-${span.id}`, trace, root: span, logs: [], version: 0 };
      trace.units++;
      this.units.push(span.unit);
      if (span.parentId) trace.waiting.set(span.parentId, [...(trace.waiting.get(span.parentId) ?? []), span]);
    }
    for (const child of trace.waiting.get(span.id) ?? []) this.adopt(trace, span, child);
    trace.waiting.delete(span.id);
  }

  adopt(trace, parent, child) {
    const old = child.unit;
    parent.children.push(child);
    trace.units--;
    this.units.splice(this.units.indexOf(old), 1);
    old.logs.forEach((line) => this.keepLine(parent.unit, line));
    const settle = (span) => {
      span.unit = parent.unit;
      span.children.forEach(settle);
    };
    settle(child);
  }

  takeLog(record) {
    record.number = ++this.added;
    this.logs.push(record);
    const unit = this.traces.get(record.trace ?? NOBODY)?.spans.get(record.span)?.unit;
    if (unit) {
      this.keepLine(unit, record);
      unit.version = this.added;
    }
    return true;
  }

  /** Of the newest: that of a unit that was adopted is its parent's from then on. */
  keepLine(unit, line) {
    line.unit = unit;
    if (unit.logs.push(line) > MOST_WITHIN) unit.logs.shift();
  }

  trim() {
    for (const unit of this.units.splice(0, Math.max(0, this.units.length - MOST_UNITS))) {
      if (--unit.trace.units === 0) this.traces.delete(unit.trace.id);
    }
    this.logs.splice(0, Math.max(0, this.logs.length - MOST_LOGS));
  }

  /** Another process has taken over, or records are gone: of what had not ended the end may never be heard. */
  lose() {
    for (const unit of this.units) {
      if (!unit.root.ended) {
        unit.lost = true;
        unit.version = ++this.added;
      }
    }
    this.changed('units');
  }

  clearUnits() {
    this.units = [];
    this.traces.clear();
    this.changed('units');
  }

  clearLogs() {
    this.logs = [];
    this.changed('logs');
  }

  unit(id) {
    return this.units.find((unit) => unit.id === id);
  }
}

export const store = new Store();

/** What a list shows of a unit. */
export function summary(unit) {
  const { root } = unit;
  const attributes = root.attributes ?? {};
  const method = attributes['http.request.method'] ?? attributes['http.method'] ?? '';
  const status = attributes['http.response.status_code'] ?? attributes['http.status_code'] ?? null;
  const failed = root.status === 'error' || status >= 500;
  return {
    method,
    path: method ? attributes['url.path'] ?? attributes['http.target'] ?? root.name : root.name,
    query: attributes['url.query'] ?? '',
    route: attributes['http.route'] ?? (method ? '' : root.name),
    http: method !== '',
    status,
    failed,
    running: !root.ended && !unit.lost,
    lost: Boolean(unit.lost) && !root.ended,
  };
}

export function spansOf(unit) {
  const rows = [];
  const walk = (span, depth) => {
    rows.push({ span, depth });
    [...span.children].sort((a, b) => a.time - b.time).forEach((child) => walk(child, depth + 1));
  };
  walk(unit.root, 0);
  return rows;
}
