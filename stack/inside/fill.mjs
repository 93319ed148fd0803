// DATABASE MEDIA : fills new volumes from stdin, and tells what a normal open of the database then finds.
//
//   {"name": ..., "size": bytes, "sha256": ...} + as many bytes, for each file; then {"end": true}
//
// It says `{"ready": true}` first. Each file is checked against its sum as it is written, whatever was checked before.
import path from 'node:path'

const [databasePath, media] = process.argv.slice(1)

// --- stdin
const input = { chunk: Buffer.alloc(CHUNK), start: 0, end: 0 }

function more() {
  input.start = 0
  input.end = fs.readSync(0, input.chunk)
  if (input.end === 0) throw new Refusal('cut-off')
}

function line() {
  const parts = []
  for (;;) {
    if (input.start === input.end) more()
    const stop = input.chunk.subarray(input.start, input.end).indexOf(10)
    const until = stop < 0 ? input.end : input.start + stop
    parts.push(Buffer.from(input.chunk.subarray(input.start, until)))
    input.start = stop < 0 ? input.end : until + 1
    if (stop >= 0) return JSON.parse(Buffer.concat(parts).toString())
  }
}

function* bytes(size) {
  for (let left = size; left > 0; ) {
    if (input.start === input.end) more()
    const piece = input.chunk.subarray(input.start, Math.min(input.end, input.start + left))
    input.start += piece.length
    left -= piece.length
    yield piece
  }
}

// --- files
function place(name) {
  if (name === 'database/payload.db') return { file: databasePath, mode: 0o600 }
  return { file: path.join(media, name.slice('media/'.length)), mode: 0o644 }
}

function filled({ name, size, sha256 }) {
  const { file, mode } = place(name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const target = fs.openSync(file, 'wx', mode)
  const hash = createHash('sha256')
  try {
    for (const piece of bytes(size)) {
      hash.update(piece)
      for (let at = 0; at < piece.length; ) at += fs.writeSync(target, piece, at)
    }
  } finally {
    fs.closeSync(target)
  }
  if (hash.digest('hex') !== sha256) throw new Refusal('sum', name)
  return file
}

function emptied(directory) {
  for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name), { recursive: true })
}

function directories(files) {
  const found = new Set()
  for (const file of files)
    for (let above = path.dirname(file); !found.has(above) && above.length > 1; above = path.dirname(above)) found.add(above)
  return [...found].filter((directory) => directory === path.dirname(databasePath) || directory.startsWith(media))
}

// --- the minutes
run(() => {
  if (fs.existsSync(databasePath)) throw new Refusal('not-empty')
  emptied(media) // what the image brings there
  tell({ ready: true })
  const written = []
  for (let said = line(); !said.end; said = line()) written.push(filled(said))
  for (const file of [...written, ...directories(written)]) sync(file)
  if (!fs.existsSync(databasePath)) return tell({ end: true })
  process.env.SQLITE_TMPDIR = path.dirname(databasePath)
  const told = opened(
    databasePath,
    (database) => {
      database.exec('pragma journal_mode = wal') // so that the next backup disturbs no write
      check(database)
      return facts(database)
    },
    {},
  )
  return tell({ facts: told })
})
