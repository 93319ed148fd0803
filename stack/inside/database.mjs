// What a SQLite database says of itself. Plain SQLite, as it comes with Node, on read-only connections:
// libsql's own binding writes even where `readonly` was asked for.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const PATIENCE_MS = 30_000
const CHUNK = 1 << 20
const MAGIC = 'SQLite format 3\0'
const WAL = 2 // in byte 18 of the header

class Refusal extends Error {
  constructor(kind, said = '') {
    super(said || kind)
    this.kind = kind
  }
}

// --- lines of JSON, and between them bytes, on the file descriptors themselves: nothing is buffered or reordered
function write(bytes) {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at)
}

const tell = (fact) => write(Buffer.from(JSON.stringify(fact) + '\n'))

function run(main) {
  try {
    main()
  } catch (trouble) {
    const kind = trouble.kind ?? (trouble.code === 'ENOSPC' ? 'room' : 'unexpected')
    tell({ refused: kind, said: String(trouble.message) })
    process.exitCode = 3
  }
}

// --- a database file
function journalMode(path) {
  return head(path)[18] === WAL ? 'wal' : 'delete'
}

function head(path) {
  const size = fs.statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new Refusal('missing')
  if (size === 0) throw new Refusal('empty')
  const file = fs.openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(100)
    fs.readSync(file, bytes, 0, 100, 0)
    if (bytes.toString('latin1', 0, 16) !== MAGIC) throw new Refusal('not-sqlite')
    return bytes
  } finally {
    fs.closeSync(file)
  }
}

function opened(path, use, options = { readOnly: true }) {
  let database
  try {
    database = new DatabaseSync(path, { ...options, timeout: PATIENCE_MS })
    return use(database)
  } catch (trouble) {
    throw trouble.code === 'ERR_SQLITE_ERROR' ? sqlite(trouble) : trouble
  } finally {
    database?.close()
  }
}

const CORRUPT = [11, 26] // SQLITE_CORRUPT, SQLITE_NOTADB
const FULL = 13

function sqlite(trouble) {
  const code = trouble.errcode & 0xff
  if (code === FULL) return new Refusal('room', trouble.message)
  return new Refusal(CORRUPT.includes(code) ? 'corrupt' : 'unreadable', trouble.message)
}

const quoted = (name) => `"${name.replaceAll('"', '""')}"`

function tables(database) {
  const found = database.prepare("select name from sqlite_schema where type = 'table' order by name").all()
  return found.map((row) => row.name).filter((name) => !name.startsWith('sqlite_'))
}

function columns(database, table) {
  return database.prepare('select name from pragma_table_info(?)').all(table).map((row) => row.name)
}

function check(database) {
  const said = database.prepare('pragma integrity_check(3)').all().map((row) => row.integrity_check)
  if (said.join() !== 'ok') throw new Refusal('corrupt', said.join('; '))
}

function count(values) {
  const counted = {}
  for (const value of values) counted[value] = (counted[value] ?? 0) + 1
  return counted
}

// Payload names each file of an upload in a column `filename` or `sizes_<size>_filename`.
function uploads(database, names) {
  const found = new Set()
  for (const table of names) {
    const all = columns(database, table)
    if (!all.includes('filename') || !all.includes('mime_type')) continue
    for (const column of all.filter((name) => /^(sizes_.+_)?filename$/.test(name))) {
      const query = `select distinct ${quoted(column)} as name from ${quoted(table)} where ${quoted(column)} <> ''`
      for (const row of database.prepare(query).iterate()) found.add(String(row.name))
    }
  }
  return found
}

// Payload's mark of a schema that no migration made.
function pushed(database) {
  return database.prepare('select count(*) as n from payload_migrations where batch = -1').get().n > 0
}

// An empty file, and any program's database, pass SQLite's own checks.
function facts(database) {
  const names = tables(database)
  if (names.length === 0) throw new Refusal('empty')
  if (!names.includes('payload_migrations')) throw new Refusal('foreign')
  const rows = Object.fromEntries(
    names.map((name) => [name, database.prepare(`select count(*) as n from ${quoted(name)}`).get().n]),
  )
  const migrations = database.prepare('select name from payload_migrations order by id').all()
  const violations = database.prepare('select "table" from pragma_foreign_key_check').all()
  return {
    user_version: database.prepare('pragma user_version').get().user_version,
    migrations: migrations.map((row) => String(row.name)),
    dev_pushed: columns(database, 'payload_migrations').includes('batch') && pushed(database),
    rows,
    foreign_key_violations: count(violations.map((row) => row.table)),
  }
}

function sum(path) {
  const hash = createHash('sha256')
  const file = fs.openSync(path, 'r')
  const chunk = Buffer.alloc(CHUNK)
  try {
    for (let n; (n = fs.readSync(file, chunk)) > 0; ) hash.update(chunk.subarray(0, n))
  } finally {
    fs.closeSync(file)
  }
  return hash.digest('hex')
}

function sync(path) {
  const file = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}
