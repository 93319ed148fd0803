// VERB ID DATABASE [ID...] : a copy of the stopped database beside it, for the way back.
//
//   keep      drops the copies of all but the ids that follow, says {"ready": true}, waits for a line on stdin, then
//             copies; {"kept": bytes}
//   put-back  puts that copy in the database's place, and needs no room for it; done again, it does nothing.
//             What was there stays until the next update, if there is room, in a directory whose name tells so
//
// A stopped Payload leaves data in its write-ahead log: the files belong together.
import path from 'node:path'

const [verb, id, databasePath, ...ids] = process.argv.slice(1)
const all = path.join(path.dirname(databasePath), '.releases')
const mine = path.join(all, id)
const kept = path.join(mine, 'payload.db')
const refused = path.join(mine, 'refused.db')
const PUT_BACK = '.put-back'
const done = mine + PUT_BACK
const FILES = ['', '-wal', '-journal'] // -shm is made anew
const ROOM = 256 << 20 // bytes that a site is left at least

const there = (file) => fs.existsSync(file)
const parts = (file) => FILES.filter((suffix) => there(file + suffix)).map((suffix) => [suffix, file + suffix])

function copied(from, to) {
  fs.copyFileSync(from, `${to}.part`, fs.constants.COPYFILE_FICLONE)
  sync(`${to}.part`)
  fs.renameSync(`${to}.part`, to)
  return fs.statSync(to).size
}

function copiedWhole(from, to) {
  return parts(from).reduce((bytes, [suffix, file]) => bytes + copied(file, to + suffix), 0)
}

function keep() {
  for (const name of there(all) ? fs.readdirSync(all) : [])
    if (!ids.includes(name)) fs.rmSync(path.join(all, name), { recursive: true })
  tell({ ready: true })
  if (fs.readSync(0, Buffer.alloc(1)) === 0) throw new Refusal('cut-off')
  head(databasePath)
  const bytes = copiedOrNothing()
  for (const directory of [mine, all, path.dirname(databasePath)]) sync(directory)
  if (journalMode(databasePath) !== 'wal')
    opened(databasePath, (database) => database.exec('pragma journal_mode = wal'), {})
  return bytes
}

function copiedOrNothing() {
  fs.mkdirSync(mine, { recursive: true, mode: 0o700 })
  try {
    return copiedWhole(databasePath, kept)
  } catch (trouble) {
    fs.rmSync(mine, { recursive: true }) // the site that comes back needs the room
    throw trouble
  }
}

function putBack() {
  if (!there(done)) {
    head(kept)
    // the database last: where it is there, all of it is
    if (!there(refused)) for (const [suffix, file] of parts(databasePath).reverse()) fs.renameSync(file, refused + suffix)
    for (const suffix of [...FILES, '-shm']) fs.rmSync(databasePath + suffix, { force: true })
    for (const [suffix, file] of parts(kept).reverse()) fs.linkSync(file, databasePath + suffix)
    sync(path.dirname(databasePath))
    fs.renameSync(mine, done)
    sync(all)
  }
  removed(path.join(done, 'payload.db'))
  if (room() < ROOM) removed(path.join(done, 'refused.db')) // it may be what filled the disk
  return 0
}

function removed(file) {
  for (const [, part] of parts(file)) fs.rmSync(part)
}

function room() {
  const { bavail, bsize } = fs.statfsSync(all)
  return bavail * bsize
}

run(() => tell({ kept: { keep, 'put-back': putBack }[verb]() }))
