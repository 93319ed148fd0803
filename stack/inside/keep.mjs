// VERB ID DATABASE [ID...] : a copy of the stopped database beside it, for the way back.
//
//   keep      waits for a line on stdin, then copies; {"kept": bytes}
//   put-back  puts that copy in the database's place, and needs no room for it; done again, it does nothing.
//             What was there stays, in a directory whose name tells so
//   drop      removes all copies but those of the ids that follow
//
// A stopped Payload leaves data in its write-ahead log: the files belong together.
import path from 'node:path'

const [verb, id, databasePath, ...ids] = process.argv.slice(1)
const all = path.join(path.dirname(databasePath), '.releases')
const mine = path.join(all, id)
const kept = path.join(mine, 'payload.db')
const refused = path.join(mine, 'refused.db')
const done = `${mine}.put-back`
const FILES = ['', '-wal', '-journal'] // -shm is made anew

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
  if (fs.readSync(0, Buffer.alloc(1)) === 0) throw new Refusal('cut-off')
  head(databasePath)
  fs.rmSync(mine, { recursive: true, force: true })
  fs.mkdirSync(mine, { recursive: true, mode: 0o700 })
  const bytes = copiedWhole(databasePath, kept)
  for (const directory of [mine, all, path.dirname(databasePath)]) sync(directory)
  if (journalMode(databasePath) !== 'wal')
    opened(databasePath, (database) => database.exec('pragma journal_mode = wal'), {})
  return bytes
}

function putBack() {
  if (there(mine)) {
    head(kept)
    for (const [suffix, file] of parts(databasePath))
      if (!there(refused + suffix)) fs.renameSync(file, refused + suffix)
    for (const suffix of [...FILES, '-shm']) fs.rmSync(databasePath + suffix, { force: true })
    for (const [suffix, file] of parts(kept).reverse()) fs.linkSync(file, databasePath + suffix)
    sync(path.dirname(databasePath))
    fs.renameSync(mine, done)
    sync(all)
  }
  for (const suffix of FILES) fs.rmSync(path.join(done, `payload.db${suffix}`), { force: true })
  return 0
}

function drop() {
  for (const name of there(all) ? fs.readdirSync(all) : [])
    if (!ids.includes(name)) fs.rmSync(path.join(all, name), { recursive: true, force: true })
  return 0
}

run(() => tell({ kept: { keep, 'put-back': putBack, drop }[verb]() }))
