// ID DATABASE MEDIA? : hands out a copy of the database, then the media, and what is wrong with either.
//
//   {"sizes": {"database": bytes, "media": bytes, "journal_mode": ...}}, and then it waits for a line on stdin
//   {"facts": {...}}                  the copy is made and checked
//   {"name": ..., "size": bytes} + as many bytes, for each file; the database first
//   {"end": {"missing": [...], "deleted": [...], "lost": [...], "skipped": [...]}}
//
// The database comes before the media: every file that its rows name was there when it was copied.
import path from 'node:path'

const SMALL = 4 << 20 // read whole before a word of it is said
const PATIENCE = 50 // times 100 ms for a file that is being written
const MARGIN = 16 << 20

const [id, databasePath, media] = process.argv.slice(1)
const scratch = path.join(path.dirname(databasePath), '.backup')
const copy = path.join(scratch, `${id}.db`)

class Changed extends Error {}

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

// --- what is there
function listed(directory, below = '', found = { files: [], skipped: [] }) {
  for (const entry of fs.readdirSync(path.join(directory, below), { withFileTypes: true, encoding: 'buffer' })) {
    const name = entry.name.toString()
    const relative = below ? `${below}/${name}` : name
    if (!Buffer.from(name).equals(entry.name) || /[\\\x00-\x1f\x7f-\x9f]/.test(name)) found.skipped.push(relative)
    else if (entry.isDirectory()) entered(directory, relative, found)
    else if (entry.isFile()) found.files.push(relative)
    else found.skipped.push(relative)
  }
  return found
}

function entered(directory, below, found) {
  try {
    listed(directory, below, found)
  } catch (trouble) {
    if (trouble.code === 'EACCES') found.skipped.push(below)
    else if (trouble.code !== 'ENOENT') throw trouble
  }
}

const size = (file) => fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0
const basenames = (names) => new Set(Array.from(names, (name) => path.basename(name)))

// --- the database
const cleared = () => fs.rmSync(scratch, { recursive: true, force: true })

function copied() {
  const needed = size(databasePath) + size(`${databasePath}-wal`) + MARGIN
  const room = fs.statfsSync(scratch)
  if (room.bavail * room.bsize < needed) throw new Refusal('room', `${needed} bytes`)
  opened(databasePath, (database) => database.prepare('vacuum into ?').run(copy))
  sync(copy)
  return opened(copy, (database) => {
    check(database)
    return { facts: facts(database), uploads: uploads(database, tables(database)) }
  })
}

// --- the files
function stamp(file) {
  const { ino, size: bytes, mtimeNs } = fs.fstatSync(file, { bigint: true })
  return `${ino} ${bytes} ${mtimeNs}`
}

const opening = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK

function sent(name, file) {
  try {
    const bytes = fs.fstatSync(file).size
    if (bytes <= SMALL) sentWhole(name, file)
    else sentInPieces(name, file, bytes)
  } finally {
    fs.closeSync(file)
  }
}

function sentWhole(name, file) {
  for (let tries = 0; tries < PATIENCE; tries += 1, pause(100)) {
    const before = stamp(file)
    const content = Buffer.alloc(fs.fstatSync(file).size)
    const read = fs.readSync(file, content, 0, content.length, 0)
    if (read === content.length && stamp(file) === before) {
      tell({ name, size: content.length })
      write(content)
      return
    }
  }
  throw new Changed(name)
}

function sentInPieces(name, file, bytes) {
  const before = stamp(file)
  tell({ name, size: bytes })
  const chunk = Buffer.alloc(CHUNK)
  let shorter = false
  for (let left = bytes; left > 0; ) {
    const wanted = Math.min(left, CHUNK)
    const read = fs.readSync(file, chunk, 0, wanted)
    shorter ||= read === 0 // as many bytes follow as were announced, whatever they are
    write(chunk.subarray(0, read || wanted))
    left -= read || wanted
  }
  if (shorter || stamp(file) !== before) throw new Changed(name)
}

function sentMedia(there) {
  const done = new Set()
  for (const name of there.files) {
    try {
      sent(`media/${name}`, fs.openSync(path.join(media, name), opening))
      done.add(path.basename(name))
    } catch (trouble) {
      if (trouble.code === 'EACCES' || trouble.code === 'ELOOP') there.skipped.push(name)
      else if (trouble.code !== 'ENOENT') throw trouble
    }
  }
  return done
}

// --- the minutes
run(() => {
  cleared() // of one that was killed
  try {
    const before = media ? listed(media).files : []
    const bytes = before.reduce((all, name) => all + size(path.join(media, name)), 0)
    const journal_mode = journalMode(databasePath)
    tell({ sizes: { database: size(databasePath) + size(`${databasePath}-wal`), media: bytes, journal_mode } })
    if (fs.readSync(0, Buffer.alloc(1)) === 0) throw new Refusal('cut-off')
    fs.mkdirSync(scratch, { mode: 0o700 })
    process.env.SQLITE_TMPDIR = scratch // the root file system is read-only
    const { facts: said, uploads: wanted } = copied()
    const sha256 = sum(copy)
    const file = fs.openSync(copy)
    cleared() // now already: who is killed from here on leaves nothing behind
    tell({ facts: { ...said, journal_mode, sha256 } })
    sent('database/payload.db', file)
    const end = { missing: [], deleted: [], lost: [], skipped: [] }
    if (media) {
      const there = listed(media)
      const done = sentMedia(there)
      const were = basenames(before)
      const are = basenames(listed(media).files)
      for (const name of wanted) {
        if (done.has(name)) continue
        const unreadable = there.skipped.some((skipped) => path.basename(skipped) === name)
        if (are.has(name) && !unreadable) end.lost.push(name)
        else (were.has(name) && !unreadable ? end.deleted : end.missing).push(name)
      }
      end.skipped = there.skipped
    }
    tell({ end })
  } catch (trouble) {
    if (trouble instanceof Changed) tell({ again: trouble.message })
    else throw trouble
  } finally {
    cleared()
  }
})
