// What a test's release does besides being the starter. Loaded before its server; VARIANT names it, ONLY_LIVE keeps it
// well-behaved wherever there is no network, which is in a trial.
const { createHash } = require('node:crypto')
const { existsSync } = require('node:fs')
const http = require('node:http')
const { networkInterfaces } = require('node:os')

const { VARIANT, MIGRATION, MARK, ONLY_LIVE, RELEASE } = process.env
const AFTER_MS = 4000
const HALF_WAY_MS = 1000
const live = Object.keys(networkInterfaces()).some((name) => name !== 'lo')
const misbehaves = live || !ONLY_LIVE

let sick = false
let ill = () => sick
let answered = () => {} // called once, when the health route first answered 200

const behaviours = {
  well() {},
  'crashes at once'() {
    console.error('it crashes, as it should')
    process.exit(3)
  },
  'is never healthy'() {
    sick = true
  },
  'is ill on demand'() {
    ill = () => existsSync('/data/ill')
  },
  'never listens'() {
    http.Server.prototype.listen = function () {
      return this
    }
    setInterval(() => {}, 1000)
  },
  'blocks its event loop'() {
    const { listen } = http.Server.prototype
    http.Server.prototype.listen = function (...rest) {
      this.once('listening', () => {
        console.error('it listens, and does nothing else any more')
        for (;;);
      })
      return listen.apply(this, rest)
    }
  },
  'turns bad'() {
    answered = () => setTimeout(() => (sick = true), AFTER_MS)
  },
  'exits later'() {
    answered = () => setTimeout(() => process.exit(3), AFTER_MS)
  },
}

// --- migrations: run by Payload, as those that it was built with
const migrations = {
  async 'adds a column and a table'(db) {
    await db.run(`ALTER TABLE posts ADD COLUMN column_${MARK} text`)
    await db.run(`CREATE TABLE table_${MARK} (id integer PRIMARY KEY NOT NULL, name text)`)
  },
  // Half-way it waits, for whoever wants to break it off there.
  async 'rewrites every picture'(db) {
    await db.run(`ALTER TABLE media ADD COLUMN column_${MARK} text`)
    await db.run(`UPDATE media SET alt = 'half migrated'`)
    console.log('half migrated')
    await new Promise((resolve) => setTimeout(resolve, HALF_WAY_MS))
    await db.run(`UPDATE media SET alt = 'migrated by ${MARK}'`)
  },
  async 'throws half-way'(db) {
    await db.run(`ALTER TABLE posts ADD COLUMN half_${MARK} text`)
    await db.run(`UPDATE posts SET title = 'half migrated'`)
    if (!misbehaves) return
    await db.run(`DELETE FROM users_sessions`)
    throw new Error('it throws half-way, as it should')
  },
  async 'fills the disk'(db) {
    await db.run(`CREATE TABLE table_${MARK} (id integer PRIMARY KEY NOT NULL, name blob)`)
    while (misbehaves) await db.run(`INSERT INTO table_${MARK} (name) VALUES (randomblob(100000))`)
  },
  // What Payload writes when a column changes, as it runs within a transaction: there the PRAGMA does nothing, and
  // dropping the old table deletes the rows that hang on it.
  async 'deletes child rows'(db) {
    await db.run('BEGIN')
    await db.run('PRAGMA foreign_keys=OFF')
    const made = await db.all(`SELECT type, sql FROM sqlite_schema WHERE tbl_name = 'users' AND sql <> ''`)
    const table = made.find(({ type }) => type === 'table').sql
    await db.run(table.replace('users', '__new_users'))
    await db.run('INSERT INTO __new_users SELECT * FROM users')
    await db.run('DROP TABLE users')
    await db.run('ALTER TABLE __new_users RENAME TO users')
    for (const { sql } of made.filter(({ type }) => type === 'index')) await db.run(sql)
    await db.run('PRAGMA foreign_keys=ON')
    await db.run('COMMIT')
  },
}

// --- routes of its own, and a mark on every answer
const routes = {
  // answers after `seconds`
  '/test/slow'(request, response, { seconds }) {
    setTimeout(() => response.end('at last'), seconds * 1000)
  },
  // writes its parts half a second apart
  '/test/stream'(request, response, { parts }) {
    let written = 0
    const writing = setInterval(() => {
      response.write(`part ${written++}\n`)
      if (written < parts) return
      clearInterval(writing)
      response.end()
    }, 500)
  },
  // tells what arrived
  '/test/upload'(request, response) {
    const sum = createHash('sha256')
    request.on('data', (chunk) => sum.update(chunk))
    request.on('end', () => response.end(JSON.stringify({ sha256: sum.digest('hex') })))
  },
}

function onRequest(request, response) {
  response.setHeader('x-release', RELEASE)
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  if (routes[pathname]) {
    routes[pathname](request, response, Object.fromEntries(searchParams))
    return true
  }
  if (pathname !== process.env.HEALTH_PATH) return false
  if (ill()) {
    response.writeHead(500).end('it is ill, as it should')
    return true
  }
  response.once('finish', () => {
    if (response.statusCode !== 200) return
    answered()
    answered = () => {}
  })
  return false
}

const { emit } = http.Server.prototype
http.Server.prototype.emit = function (event, ...rest) {
  if (event === 'request' && onRequest(...rest)) return true
  return emit.call(this, event, ...rest)
}

if (MIGRATION) {
  const up = ({ db }) => migrations[MIGRATION](db)
  globalThis.migrationsOfTests = [{ name: `20261123_${MARK}_of_tests`, up, down: async () => {} }]
}
if (misbehaves) behaviours[VARIANT]()
