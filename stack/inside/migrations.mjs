// DATABASE : tells which migrations a database has had, which the release in this image brings along, and its bytes.
//
// Payload's list of them, `{ up, down, name }` each, is code by now; their names stand in it as `payload migrate:create`
// made them. Nothing of it is run.
import path from 'node:path'

const [databasePath] = process.argv.slice(1)
const SERVER = '.next/server'
const NAME = /\bname:\s*["'`](\d{8}_\d{6}(?:_\w+)?)["'`]/g

function applied(database) {
  if (!tables(database).includes('payload_migrations')) throw new Refusal('foreign')
  return database.prepare('select name, batch from payload_migrations order by id').all()
}

function brought() {
  if (!fs.existsSync(SERVER)) return null
  const files = fs.readdirSync(SERVER, { recursive: true }).filter((name) => name.endsWith('.js'))
  const code = files.map((name) => fs.readFileSync(path.join(SERVER, name), 'utf8'))
  return [...new Set(code.flatMap((text) => [...text.matchAll(NAME)].map((found) => found[1])))].sort()
}

const bytes = (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0

run(() => {
  head(databasePath)
  const size = bytes(databasePath) + bytes(`${databasePath}-wal`)
  tell({ applied: opened(databasePath, applied), brought: brought(), size })
})
