'use strict';

// emmett: a command through its CommandHandler (load the stream, decide, append with the expected
// version), with its in-memory store or with SQLite in a file.

const { CommandHandler, getInMemoryEventStore } = require('@event-driven-io/emmett');
const { arguments_of, give_up, run } = require('./load');

const handle = CommandHandler({
  evolve: (state, event) => (event.type === 'registered' ? { exists: true } : state),
  initialState: () => ({ exists: false }),
});

function register(number) {
  return {
    type: 'registered',
    data: {
      email: `user${number}@example.org`,
      password_hash: '$argon2id$v=19$m=65536,t=2,p=1$abcdefghijklmnop$abcdefghijklmnop',
      role: 1,
    },
  };
}

function command(from) {
  let store;
  let sync = 'nothing is stored';
  if (from.store === 'sqlite') {
    const { getSQLiteEventStore } = require('@event-driven-io/emmett-sqlite');
    store = getSQLiteEventStore({
      fileName: `${from.directory}/emmett.sqlite`,
      schema: { autoMigration: 'CreateOrUpdate' },
    });
    sync = 'its own default, WAL and synchronous=FULL: each commit; one for each command';
  } else {
    store = getInMemoryEventStore();
  }
  const once = (number) =>
    handle(store, `account-user${number}@example.org`, () => register(number));
  // Overlapping transactions of its SQLite store end as SQLITE_BUSY: commands take turns.
  let turns = Promise.resolve();
  const in_turn = (number) => (turns = turns.then(() => once(number)));
  const issue = from.store === 'sqlite' ? in_turn : once;
  once(0).then(
    () =>
      run(from, sync, (number, ended) => {
        issue(number).then(ended, (error) => give_up('command', error.message));
      }),
    (error) => give_up('first command', error.message)
  );
}

const from = arguments_of(process.argv);
if (from.scenario !== 'command') give_up('emmett', 'the scenario is command');
command(from);
