// One call in a span, by Effect 3: nanoseconds, the least of several runs.
import { Effect } from "effect";

const TIMES = 20000;
const call = Effect.sync(() => 1).pipe(Effect.withSpan("probe.next"));

function measure() {
  const before = process.hrtime.bigint();
  for (let i = 0; i < TIMES; i++) Effect.runSync(call);
  return Number(process.hrtime.bigint() - before) / TIMES;
}

let least = Infinity;
for (let run = 0; run < 15; run++) least = Math.min(least, measure());

// The same calls inside of one running program, without the cost of starting it each time.
const loop = Effect.gen(function* () {
  for (let i = 0; i < TIMES; i++) yield* call;
});
let inside = Infinity;
for (let run = 0; run < 15; run++) {
  const before = process.hrtime.bigint();
  Effect.runSync(loop);
  inside = Math.min(inside, Number(process.hrtime.bigint() - before) / TIMES);
}
console.log(JSON.stringify({ runSync: least, inside }));
