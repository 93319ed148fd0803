// VERB ID DATABASE [ID...] : a copy of the stopped database beside it, for the way back.
//
//   keep      waits for a line on stdin, then copies; {"kept": bytes}
//   put-back  puts that copy in the database's place, again if need be; what was there stays beside the copy
//   drop      removes all copies but those of the ids that follow
//
// A stopped Payload leaves data in its write-ahead log: the files belong together.
import path from 'node:path'

const [verb, id, databasePath, ...ids] = process.argv.slice(1)
const all = path.join(path.dirname(databasePath), '.releases')
const mine = path.join(all, id)
const kept = path.join(mine, 'payload.db')
const refused = path.join(mine, 'refused.db')
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
  head(kept)
  if (!there(refused)) for (const [suffix, file] of parts(databasePath).reverse()) fs.renameSync(file, refused + suffix)
  for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(databasePath + suffix, { force: true })
  const bytes = copiedWhole(kept, databasePath)
  sync(mine)
  sync(path.dirname(databasePath))
  return bytes
}

function drop() {
  for (const name of there(all) ? fs.readdirSync(all) : [])
    if (!ids.includes(name)) fs.rmSync(path.join(all, name), { recursive: true, force: true })
  return 0
}

run(() => tell({ kept: { keep, 'put-back': putBack, drop }[verb]() }))
