'use strict';

// The load of a measured program in Node.js, with the same arguments, the same loops and the same
// line of output as ../../load.hpp.

const grace_ms = 3000;
const max_in_flight = 8192;
const warm_up_share = 0.25;

function arguments_of(argv) {
  const [scenario, ...pairs] = argv.slice(2);
  const values = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) values[pairs[i].replace(/^--/, '')] = pairs[i + 1];
  return { scenario, ...values };
}

function give_up(attempt, why) {
  process.stderr.write(`${attempt}: ${why}\n`);
  process.exit(1);
}

/// `begin(number, ended)` starts an operation, which calls `ended()` once.
function run(from, sync, begin) {
  const rate = Number(from.rate || 0);
  const wanted = Number(from['in-flight'] || 1);
  const seconds = Number(from.seconds || 1);
  const begun = performance.now();
  let measured_from = begun + seconds * 1000 * warm_up_share;
  let end = measured_from + seconds * 1000;
  const latency_us = [];
  let measuring = false;
  let last_end = end;
  let in_flight = 0;
  let number = 0;
  let ended = 0;
  let next_due = begun;

  // A closed loop counts from the end of its first turn on.
  function counts(now) {
    if (measuring) return true;
    if (now >= measured_from && (ended >= wanted || now >= measured_from + grace_ms / 2)) {
      measuring = true;
      measured_from = now;
      end = now + seconds * 1000;
    }
    return false;
  }
  function is_complete(now) {
    return (measuring && now >= end && latency_us.length >= wanted) || now >= end + grace_ms;
  }
  function start(due) {
    ++in_flight;
    begin(++number, () => {
      --in_flight;
      ++ended;
      const now = performance.now();
      if (rate ? due >= measured_from : counts(now)) {
        last_end = now;
        latency_us.push((now - due) * 1000);
      }
    });
  }
  function fill() {
    if (rate) {
      while (in_flight < max_in_flight && next_due < end && next_due <= performance.now()) {
        start(next_due);
        next_due = begun + (number * 1000) / rate;
      }
    } else {
      while (in_flight < wanted && !is_complete(performance.now())) start(performance.now());
    }
  }
  function print() {
    const now = performance.now();
    const answered = latency_us.length;
    let unanswered = rate ? in_flight : 0;
    for (let i = 0; i < unanswered; ++i) latency_us.push((now - end) * 1000);
    for (; rate && next_due < end; next_due += 1000 / rate, ++unanswered)
      latency_us.push((now - next_due) * 1000);
    const sorted = Float64Array.from(latency_us).sort();
    const at = (share) =>
      sorted.length ? sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] : 0;
    if (answered === 0) give_up(from.scenario, 'nothing was answered in the time measured');
    const line = JSON.stringify({
      scenario: from.scenario, subject: from.subject || '', in_flight: wanted, rate,
      operations: answered, seconds: rate ? seconds : (last_end - measured_from) / 1000,
      p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), unanswered, sync,
    });
    process.stdout.write(line + '\n', () => process.exit(0));
  }
  // One turn of Node's event loop: what has ended is replaced, what is due begins.
  function turn() {
    fill();
    const now = performance.now();
    const over = rate
      ? (next_due >= end && in_flight === 0) || now >= end + grace_ms
      : is_complete(now);
    if (over) print();
    else setImmediate(turn);
  }
  turn();
}

module.exports = { arguments_of, give_up, run };
