'use strict';

// The pattern that Microlith's buses are modelled on, with rxmsg's loopback connector in one
// process: producers and consumers on a command, a query and an event bus; who waits filters the bus
// for its correlation id, takes the first and sets a time limit. Nothing is stored.

const { createConsumer, createProducer } = require('rxmsg');
const { createLoopbackConnector } = require('rxmsg/loopback');
const { filter, first, timeout } = require('rxjs/operators');
const { arguments_of, give_up, run } = require('./load');

const limit_ms = 5000;
const loopback = createLoopbackConnector();
// A bus is a route. The connector's stream is one for all, so each consumer names its route.
const dispatch = createProducer(loopback.sender());
const bus = (route) => createConsumer(loopback.receiver({ route }));

function wait_for(route, types, correlation_id, then) {
  bus(route)
    .pipe(
      filter((m) => m.correlationId === correlation_id && types.includes(m.body.type)),
      first(),
      timeout(limit_ms)
    )
    .subscribe(then, (error) => give_up('wait', error.message));
}

// Handlers answer in a turn of their own, or nothing would be on its way for longer than a call.
function serve(route, handler) {
  bus(route).subscribe((m) => setImmediate(handler, m));
}

function request(from) {
  serve('queries', (m) =>
    dispatch.next({
      body: { type: 'pong', number: m.body.number },
      to: 'answers',
      correlationId: m.correlationId,
    })
  );
  run(from, 'nothing is stored', (number, ended) => {
    const correlation_id = `c${number}`;
    wait_for('answers', ['pong'], correlation_id, ended);
    dispatch.next({ body: { type: 'ping', number }, to: 'queries', correlationId: correlation_id });
  });
}

function command(from) {
  serve('commands', (m) =>
    dispatch.next({
      body: { ...m.body, type: 'registered' },
      to: 'events',
      correlationId: m.correlationId,
    })
  );
  run(from, 'nothing is stored', (number, ended) => {
    const correlation_id = `c${number}`;
    wait_for('events', ['registered'], correlation_id, ended);
    dispatch.next({
      body: {
        type: 'register_user',
        email: `user${number}@example.org`,
        password_hash: '$argon2id$v=19$m=65536,t=2,p=1$abcdefghijklmnop$abcdefghijklmnop',
        role: 1,
      },
      to: 'commands',
      correlationId: correlation_id,
    });
  });
}

/// Ready, and nothing to do.
function idle() {
  serve('commands', () => {});
  process.stdout.write('ready\n');
  setInterval(() => {}, 1000);
}

const from = arguments_of(process.argv);
const scenario = { request, command, idle }[from.scenario];
if (!scenario) give_up('rxmsg', 'the scenarios are request, command and idle');
scenario(from);
